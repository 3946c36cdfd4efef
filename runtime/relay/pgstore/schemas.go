package pgstore

import (
	"context"
	"fmt"
	"strings"
)

// Schemas lists the schemas that have an event_outbox and whose names match a
// pattern, in which * stands for any characters and ? for one, by name. Schemas
// that the role may not look into are left out. A server that does not answer within
// [ServerConfig.StatementTimeout] is an error.
func (s *Server) Schemas(ctx context.Context, pattern string) ([]string, error) {
	var found []string
	err := s.with(ctx, func(r *serverRun) error {
		// The server ends the statement by then; one that has fallen silent ends nothing.
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

// IsPattern reports whether the name of a schema is a pattern for [Server.Schemas].
func IsPattern(schema string) bool { return strings.ContainsAny(schema, "*?") }

// likePattern turns a pattern into one of LIKE.
var likePattern = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`, `*`, `%`, `?`, `_`)
