package pgstore_test

import (
	"context"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// underWay are functions in the stacks of a store's goroutines that use its sessions.
// inserts.wait is not one of them: it runs in the goroutine of its caller.
var underWay = regexp.MustCompile(`pgstore\.(\(\*anchor\)\.(renewAll|listen)|onAnchor\[\.\.\.\]\.func\d+|\(\*inserts\)\.lookOn|\(\*surroundings\)\.look)\(.*`)

// Calls of every kind run while the store is closed, and their contexts end at the same
// time. Close waits for everything that continues without the callers. The test is not
// parallel, because it checks all goroutines.
func TestCloseWaitsForWhatGoesOnWithoutItsCaller(t *testing.T) {
	pg := services.Postgres(t)
	migrate(t, pg)
	for range 30 {
		conn, err := pgx.ParseConfig(pg.URL)
		must(t, err)
		conn.ConnectTimeout = patience
		s, err := pgstore.New(pgstore.Config{Conn: conn})
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		lease := lead(t, s)
		read := snapshot(t, s)
		var calls sync.WaitGroup
		begun := make(chan struct{}, 1000)
		for _, call := range []func() error{
			func() error { _, err := s.Observe(ctx); return err },
			func() error { _, err := s.Renew(ctx, lease, relay.Progress{}); return err },
			func() error { _, err := s.Renew(ctx, lease, relay.Progress{}); return err },
			func() error { _, err := s.Snapshot(ctx); return err },
			func() error { _, err := s.Idle(ctx, read, forEver); return err },
			func() error { return s.Check(ctx) },
			func() error {
				_, err := s.TakeOver(ctx, relay.LeaseState{}, uuid.New()) // it has moved
				return err
			},
		} {
			calls.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					_ = call() // until Close and cancel, some fail
					if n == 3 {
						begun <- struct{}{}
					}
				}
			})
		}
		for range 4 {
			<-begun
		}
		go cancel()
		s.Close()
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		if found := underWay.FindAll(stacks, -1); len(found) > 0 {
			t.Errorf("Close did not wait for %q", found)
		}
		calls.Wait()
	}
}

// holder stops the first statement that takes a snapshot. It signals that, and waits
// until it may continue.
type holder struct {
	once        sync.Once
	there, goOn chan struct{}
}

func (h *holder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.Contains(data.SQL, "pg_current_snapshot()") {
		h.once.Do(func() {
			close(h.there)
			<-h.goOn
		})
	}
	return ctx
}

func (*holder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A call that uses a session is waited for.
func TestCloseWaitsForCalls(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		hold := &holder{there: make(chan struct{}), goOn: make(chan struct{})}
		s := newStore(t, pg, func(c *pgstore.Config) { c.Conn.Tracer = hold })
		lead(t, s)
		called := make(chan struct{})
		go func() {
			defer close(called)
			_, _ = s.Snapshot(t.Context()) // its error may be that the store is closed
		}()
		<-hold.there
		var goesOn atomic.Bool
		waited := make(chan bool, 1)
		go func() {
			s.Close()
			waited <- goesOn.Load()
		}()
		waitFor(t, pg.Pool, `SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'outboxrelay'`)
		goesOn.Store(true)
		close(hold.goOn)
		<-called
		if !<-waited {
			t.Error("Close did not wait for the call")
		}
	})
}
