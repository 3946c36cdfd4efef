package relay_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/internal/slownet"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// laterStore is a store whose clock jumps far ahead between the relay's first check of
// the outbox and its first take-over, as a standby experiences it.
type laterStore struct {
	*pgstore.Store
	start  time.Time
	passed atomic.Int64
	checks atomic.Int64 // that the relay asked for
}

func (s *laterStore) Now() time.Duration { return time.Since(s.start) + time.Duration(s.passed.Load()) }

func (s *laterStore) Observe(ctx context.Context) (relay.LeaseState, error) {
	s.passed.Store(int64(time.Hour))
	return s.Store.Observe(ctx)
}

func (s *laterStore) Check(ctx context.Context) error {
	s.checks.Add(1)
	return s.Store.Check(ctx)
}

// On a slow network the check of the outbox before a take-over takes longer than the
// take-over may. The relay takes over nevertheless, and publishes.
func TestTakeOverOnASlowNetwork(t *testing.T) {
	t.Parallel()
	for _, roundTrip := range []time.Duration{150 * time.Millisecond, 300 * time.Millisecond} {
		t.Run(fmt.Sprint(roundTrip), func(t *testing.T) {
			t.Parallel()
			pg := services.Postgres(t)
			migrated(t, pg)
			insertRows(t, pg, "orders", 0, 100, 10, 20)
			conn, err := pgx.ParseConfig(pg.URL)
			if err != nil {
				t.Fatal(err)
			}
			conn.DialFunc = slownet.Dial(t, roundTrip)
			store, err := pgstore.New(pgstore.Config{Conn: conn})
			if err != nil {
				t.Fatal(err)
			}
			later := &laterStore{Store: store, start: time.Now()}
			r := start(t, relay.Config{Store: later, Clock: later, Sink: relay.NewStdoutSink(&lines{})})
			r.w.leads(t)
			r.w.publishes(t, 100)
			if n := later.checks.Load(); n < 2 {
				t.Errorf("%d checks, want one before the take-over too", n)
			}
		})
	}
}

// longCheck is a store in which each check except the first takes nearly as long as a
// take-over may.
type longCheck struct {
	relay.Store
	start  time.Time
	passed atomic.Int64
	checks atomic.Int64
}

func (s *longCheck) Now() time.Duration { return time.Since(s.start) + time.Duration(s.passed.Load()) }

func (s *longCheck) Observe(ctx context.Context) (relay.LeaseState, error) {
	s.passed.CompareAndSwap(0, int64(time.Hour))
	return s.Store.Observe(ctx)
}

func (s *longCheck) Check(ctx context.Context) error {
	if s.checks.Add(1) > 1 {
		s.passed.Add(int64(2900 * time.Millisecond))
	}
	return s.Store.Check(ctx)
}

// The check of the outbox before a take-over does not shorten the term.
func TestATermBeginsWithTheTakeOver(t *testing.T) {
	t.Parallel()
	mem := relay.NewMemStore()
	mem.Add(rows(1, "t", "k")...)
	store := &longCheck{Store: mem, start: time.Now()}
	r := start(t, relay.Config{Store: store, Clock: store, Sink: relay.NewStdoutSink(&lines{}), Term: 3 * time.Second})
	r.w.publishes(t, 1)
	if epoch := r.Status().Epoch; epoch != 1 || store.checks.Load() != 2 {
		t.Errorf("published in term %d after %d looks, want the first term and two", epoch, store.checks.Load())
	}
}
