package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// outboxesNow returns the outboxes, with each schema that matches a pattern as its own
// outbox. Schemas of an earlier outbox are left to that one. read reads the settings of
// an outbox. If a pattern cannot be resolved, it returns the other outboxes and an error.
func (c *configuration) outboxesNow(ctx context.Context, read func(*reader) outbox) ([]outbox, error) {
	outboxes, err := c.configured(read)
	if err != nil {
		return nil, err
	}
	var now []outbox
	var problems []error
	for i, o := range outboxes {
		if !pgstore.IsPattern(o.schema) {
			now = append(now, o)
			continue
		}
		schemas, err := c.matching(ctx, o)
		problems = append(problems, err)
		for _, schema := range schemas {
			if _, taken := servedBy(o, schema, outboxes, outboxes[:i]); !taken {
				now = append(now, o.forSchema(schema))
			}
		}
	}
	several := len(now)
	if err = errors.Join(problems...); err != nil {
		several++ // there may be more of them
	}
	for i := range now {
		now[i].flags = c.flagsFor(now[i].name, several)
	}
	return now, err
}

// configured returns the outboxes of the settings, which may have patterns.
func (c *configuration) configured(read func(*reader) outbox) ([]outbox, error) {
	if c.timeout <= 0 {
		return nil, misuse{fmt.Errorf("invalid --timeout %s: use a duration above zero", c.timeout)}
	}
	return c.outboxes(read)
}

// matching lists the schemas that match the pattern of an outbox.
func (c *configuration) matching(ctx context.Context, o outbox) ([]string, error) {
	server, err := pgstore.NewServer(pgstore.ServerConfig{
		Conn: o.database, Password: o.password.databasePassword(), TLS: o.tls.renew(slog.New(slog.DiscardHandler)),
		ApplicationName: c.session, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	defer server.Close()
	ctx, cancel := context.WithTimeout(ctx, c.connectLimit(o))
	defer cancel()
	schemas, err := server.Schemas(ctx, o.schema)
	switch {
	case err != nil:
		return nil, fmt.Errorf("outbox %s: %w", o.name, err)
	case len(schemas) == 0:
		return nil, fmt.Errorf("outbox %s: no schema with an event_outbox matches the pattern %s", o.name, o.schema)
	}
	return schemas, nil
}
