package pgstore

import (
	"context"
	"fmt"
	"strings"
)

// Schemas returns the schemas that have an event_outbox and whose names match the
// pattern, sorted by name. In the pattern * stands for any characters and ? for one.
// Schemas that the role may not use are left out. It returns an error if the server
// does not answer within [ServerConfig.StatementTimeout].
func (s *Server) Schemas(ctx context.Context, pattern string) ([]string, error) {
	var found []string
	err := s.with(ctx, func(r *serverRun) error {
		// The server ends the statement by then, unless it no longer answers.
		ctx, cancel := context.WithTimeout(ctx, s.cfg.StatementTimeout)
		defer cancel()
		ctx, leave := r.during(ctx)
		defer leave()
		return r.work(ctx, useForKeeping, noNames, func(se *session) (err error) {
			found, err = se.q.OutboxSchemas(ctx, likePattern.Replace(pattern))
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("pgstore: look for schemas %s in database %s: %w", pattern, s.cfg.Conn.Database, err)
	}
	return found, nil
}

// IsPattern reports whether schema is a pattern for [Server.Schemas]: it contains * or
// ?.
func IsPattern(schema string) bool { return strings.ContainsAny(schema, "*?") }

// likePattern turns a pattern into a pattern for LIKE.
var likePattern = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`, `*`, `%`, `?`, `_`)
