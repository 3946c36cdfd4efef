// Package consumer is the consuming service of a chaos run, a process of its own:
// it handles each event once, with package inbox.
package consumer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/workload"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/inbox"
)

// Table has the effects. Nothing in it keeps an event from having two.
const Table = `CREATE TABLE chaos_effect (id bigint GENERATED ALWAYS AS IDENTITY, event_id uuid NOT NULL);`

// Config is the first line of the process's standard input, as JSON. The process
// ends in order at a second line, and at once when its input ends.
type Config struct {
	Database string
	Brokers  []string
	Group    string
	Topics   []string
}

// Run consumes until it is told to end.
func Run(stdin io.Reader, stderr io.Writer) error {
	lines := bufio.NewScanner(stdin)
	if !lines.Scan() {
		return fmt.Errorf("no configuration: %w", errors.Join(lines.Err(), io.ErrUnexpectedEOF))
	}
	var cfg Config
	if err := json.Unmarshal(lines.Bytes(), &cfg); err != nil {
		return fmt.Errorf("the configuration: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	pool, err := pgxpool.New(ctx, cfg.Database)
	if err != nil {
		return err
	}
	router := consume.NewRouter(consume.OnUnknown(consume.Fail))
	for _, topic := range cfg.Topics {
		for _, keyed := range []bool{true, false} {
			consume.On(router, workload.EventType(topic, keyed), inbox.Tx(pool, "chaos", effect))
		}
	}
	result, gone := make(chan error, 1), make(chan struct{})
	go func() {
		result <- kafka.Run(ctx, kafka.Config{
			Brokers: cfg.Brokers, Group: cfg.Group, Topics: cfg.Topics, Router: router,
			Logger: slog.New(slog.NewTextHandler(stderr, nil)),
		})
	}()
	go func() {
		if lines.Scan() {
			cancel()
			return
		}
		close(gone)
	}()
	select {
	case err := <-result:
		pool.Close()
		return err
	case <-gone:
		return errGone // nothing is ended in order
	}
}

var errGone = errors.New("the harness is gone")

func effect(ctx context.Context, tx pgx.Tx, e outbox.Envelope[workload.Change]) error {
	_, err := tx.Exec(ctx, "INSERT INTO chaos_effect (event_id) VALUES ($1)", e.EventID)
	return err
}
