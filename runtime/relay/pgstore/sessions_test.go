package pgstore_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// gate stops statements with certain names until it is opened.
type gate struct {
	names  []string
	waits  chan string
	opened chan struct{}
}

func (g *gate) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	for _, name := range g.names {
		if strings.HasPrefix(data.SQL, "-- name: "+name+" ") {
			select {
			case g.waits <- name:
				<-g.opened
			case <-g.opened:
			}
		}
	}
	return ctx
}

func (g *gate) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Rows that were sent are settled, however many other calls take long at the same time.
func TestSettlingWaitsForNoOtherStatement(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	migrate(t, pg)
	g := &gate{names: []string{"ReadRange", "ReadHeld"}, waits: make(chan string), opened: make(chan struct{})}
	s := newStore(t, pg, func(c *pgstore.Config) { c.Conn.Tracer = g })
	lease := lead(t, s)
	seq := insert(t, pg.Pool, "k")
	snap := snapshot(t, s)
	var others sync.WaitGroup
	ctx := t.Context()
	for _, call := range []func() error{
		func() error { _, err := s.ReadBacklog(ctx, snap, 0, wide); return err },
		func() error {
			_, err := s.ReadAgain(ctx, snap, relay.Selection{Topic: "orders"}, 0, seq, wide)
			return err
		},
	} {
		others.Go(func() {
			if err := call(); err != nil {
				t.Error(err)
			}
		})
		<-g.waits
	}
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := s.Settle(limited, lease, relay.Settlement{Published: []int64{seq}}); err != nil {
		t.Error(err)
	}
	close(g.opened)
	others.Wait()
}
