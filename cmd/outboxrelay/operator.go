package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// declarePlace declares the settings of the operator commands: where the outbox is, and
// how long they wait for its database.
func (env environment) declarePlace(cmd *cobra.Command) *configuration {
	return env.declareWith(cmd, place)
}

// declareWith is declarePlace for a command that reads more settings.
func (env environment) declareWith(cmd *cobra.Command, settings []setting) *configuration {
	c := env.declare(cmd, settings)
	c.session = "outboxrelay status"
	cmd.Flags().DurationVar(&c.timeout, "timeout", 10*time.Second,
		"maximum wait for a connection to the database, and then for its first response")
	return c
}

// connected runs f on a connection to the outbox's database.
func (c *configuration) connected(ctx context.Context, o outbox, f func(*pgx.Conn) error) error {
	config := o.database.Copy()
	if o.schema != "" {
		config.RuntimeParams["search_path"] = pgx.Identifier{o.schema}.Sanitize()
	}
	config.RuntimeParams["application_name"] = c.session
	conn, err := c.connect(ctx, o, config)
	if err == nil {
		defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is at stake on a connection that is done
		err = f(conn)
	}
	if err != nil {
		return fmt.Errorf("outbox %s: %w", o.name, err)
	}
	return nil
}

// connect connects, and waits for a first answer: a proxy accepts connections even if
// the server behind it does not answer.
func (c *configuration) connect(ctx context.Context, o outbox, config *pgx.ConnConfig) (*pgx.Conn, error) {
	connecting, cancel := context.WithTimeout(ctx, c.patience(o))
	defer cancel()
	conn, err := pgstore.Connect(connecting, config)
	if err != nil {
		return nil, err
	}
	answering, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := conn.Ping(answering); err != nil {
		_ = conn.Close(answering) // it failed
		if errors.Is(answering.Err(), context.DeadlineExceeded) {
			return nil, fmt.Errorf("the database accepted the connection but did not respond within %s: "+
				"check the server and any pooler or proxy in front of it, or set a longer --timeout", c.timeout)
		}
		return nil, fmt.Errorf("the first query: %w", err)
	}
	return conn, nil
}

// patience limits how long connecting may take: each address of the outbox's database
// has its own limit.
func (c *configuration) patience(o outbox) time.Duration {
	return c.timeout + time.Duration(1+len(o.database.Fallbacks))*addressTimeout(o)
}

// addressTimeout returns how long each address of the outbox's database may take to
// answer, as for the relay.
func addressTimeout(o outbox) time.Duration {
	if o.database.ConnectTimeout > 0 {
		return o.database.ConnectTimeout
	}
	return pgstore.DefaultConnectTimeout
}
