package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// outboxesNow is outboxes with each schema that a pattern matches as one of its
// own. A schema that an earlier outbox serves is left to that one.
func (c *configuration) outboxesNow(ctx context.Context) ([]outbox, error) {
	outboxes, err := c.outboxes()
	if err != nil {
		return nil, err
	}
	var now []outbox
	for i, o := range outboxes {
		if !pgstore.IsPattern(o.schema) {
			now = append(now, o)
			continue
		}
		server, err := pgstore.NewServer(pgstore.ServerConfig{Conn: o.database, ApplicationName: "outboxrelay status", Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return nil, err
		}
		hosts := 1 + len(o.database.Fallbacks)
		ctx, cancel := context.WithTimeout(ctx, connectTimeout+time.Duration(hosts)*addressTimeout(o))
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
	return now, nil
}

// connectTimeout bounds how long a command waits for a list of schemas, beside what
// its addresses may take to answer.
const connectTimeout = 10 * time.Second
