package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// outboxesNow returns the outboxes, with each schema that matches a pattern as its own
// outbox. Schemas of an earlier outbox are left to that one. read reads the settings of
// an outbox.
func (c *configuration) outboxesNow(ctx context.Context, read func(*reader) outbox) ([]outbox, error) {
	if c.timeout <= 0 {
		return nil, misuse{fmt.Errorf("invalid --timeout %s: use a duration above zero", c.timeout)}
	}
	outboxes, err := c.outboxes(read)
	if err != nil {
		return nil, err
	}
	var now []outbox
	for i, o := range outboxes {
		if !pgstore.IsPattern(o.schema) {
			now = append(now, o)
			continue
		}
		server, err := pgstore.NewServer(pgstore.ServerConfig{
			Conn: o.database, Password: o.password.databasePassword(), TLS: o.tls.renew(slog.New(slog.DiscardHandler)),
			ApplicationName: c.session, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, c.connectLimit(o))
		schemas, err := server.Schemas(ctx, o.schema)
		cancel()
		server.Close()
		if err != nil {
			return nil, fmt.Errorf("outbox %s: %w", o.name, err)
		}
		if len(schemas) == 0 {
			return nil, fmt.Errorf("outbox %s: no schema with an event_outbox matches the pattern %s", o.name, o.schema)
		}
		for _, schema := range schemas {
			if _, taken := servedBy(o, schema, outboxes, outboxes[:i]); !taken {
				now = append(now, o.forSchema(schema))
			}
		}
	}
	for i := range now {
		now[i].flags = c.flagsFor(now[i].name, len(now))
	}
	return now, nil
}
