package pgstore_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

func TestLeaseGoesThroughItsTerms(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		observe := func() relay.LeaseState {
			t.Helper()
			state, err := s.Observe(t.Context())
			must(t, err)
			return state
		}

		// The first look creates the row.
		fresh := observe()
		if diff := cmp.Diff(relay.LeaseState{}, fresh); diff != "" {
			t.Fatal(diff)
		}

		first, holder := uuid.New(), uuid.New()
		lease, err := s.TakeOver(t.Context(), fresh, first)
		must(t, err)
		if diff := cmp.Diff(relay.Lease{Epoch: 1, Holder: first}, lease); diff != "" {
			t.Fatal(diff)
		}
		renew(t, s, lease, relay.Progress{Suspect: 7})
		state := observe()
		if diff := cmp.Diff(relay.LeaseState{Epoch: 1, Beat: 2, Holder: first, Suspect: 7}, state); diff != "" {
			t.Fatal(diff)
		}

		// What the leader wrote about itself ends with its term.
		led := &relay.Led{Host: "a", PID: 7}
		renew(t, s, lease, relay.Progress{Suspect: 7, State: []byte(`{"led": {"host": "a", "pid": 7}}`)})
		state = observe()
		if diff := cmp.Diff(relay.LeaseState{Epoch: 1, Beat: 3, Holder: first, Suspect: 7, Led: led}, state); diff != "" {
			t.Fatal(diff)
		}

		// A take-over from an older beat fails.
		if _, err := newStore(t, pg).TakeOver(t.Context(), fresh, holder); !errors.Is(err, relay.ErrLeaseMoved) {
			t.Fatalf("a take-over by an old observation: %v", err)
		}

		// The second term begins without a clean end of the first.
		successor := newStore(t, pg)
		second, err := successor.TakeOver(t.Context(), state, holder)
		must(t, err)
		if diff := cmp.Diff(relay.Lease{Epoch: 2, Holder: holder, UncleanEnds: 1, Suspect: 7}, second); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(relay.LeaseState{Epoch: 2, Beat: 4, Holder: holder, UncleanEnds: 1, Suspect: 7}, observe()); diff != "" {
			t.Fatal(diff)
		}
		if _, err := s.Renew(t.Context(), lease, relay.Progress{}); !errors.Is(err, relay.ErrLeaseLost) {
			t.Fatalf("the first term renews: %v", err)
		}
		if err := s.Release(t.Context(), lease); !errors.Is(err, relay.ErrLeaseLost) {
			t.Fatalf("the first term releases: %v", err)
		}

		// Progress resets UncleanEnds; a clean end leaves nothing behind.
		renew(t, successor, second, relay.Progress{Settled: true})
		if diff := cmp.Diff(relay.LeaseState{Epoch: 2, Beat: 5, Holder: holder}, observe()); diff != "" {
			t.Fatal(diff)
		}
		must(t, successor.Release(t.Context(), second))
		if diff := cmp.Diff(relay.LeaseState{Epoch: 2, Beat: 6}, observe()); diff != "" {
			t.Fatal(diff)
		}
		if _, err := successor.Renew(t.Context(), second, relay.Progress{}); !errors.Is(err, relay.ErrLeaseLost) {
			t.Fatalf("a released term renews: %v", err)
		}
	})
}

// A leader that was suspended between two packets leaves a statement that holds the
// lease row and does not end.
func TestTakeOverEndsAFrozenHolder(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lead(t, s)
		// It has logged in like the relays, because otherwise they may not end it.
		frozen, err := pgx.Connect(t.Context(), relayOf(pg).URL)
		must(t, err)
		t.Cleanup(func() { _ = frozen.Close(context.Background()) })
		exec(t, frozen, `UPDATE event_outbox_lease SET backends = (
			SELECT json_agg(json_build_object('pid', pid, 'start', backend_start::text))
			FROM pg_stat_activity WHERE pid = pg_backend_pid())`)
		freeze(t, frozen)

		successor := newStore(t, pg, func(c *pgstore.Config) { c.LockTimeout = 500 * time.Millisecond })
		lease := lead(t, successor)
		if lease.Epoch != 2 || lease.UncleanEnds != 1 {
			t.Fatalf("the lease is %+v", lease)
		}
		if err := frozen.Ping(t.Context()); err == nil {
			t.Fatal("the frozen session is still alive")
		}
		renew(t, successor, lease, relay.Progress{})
	})
}

func freeze(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	tx, err := conn.Begin(t.Context())
	must(t, err)
	exec(t, tx, `SELECT FROM event_outbox_lease FOR KEY SHARE`)
}

// The pid alone proves nothing, because another session may have it by now.
func TestTakeOverSparesAStranger(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lead(t, s)
		stranger := pg.Connect(t.Context())
		exec(t, stranger, `UPDATE event_outbox_lease SET backends = json_build_array(
			json_build_object('pid', pg_backend_pid(), 'start', '2001-01-01 00:00:00+00'))`)
		freeze(t, stranger)

		successor := newStore(t, pg, func(c *pgstore.Config) { c.LockTimeout = 20 * time.Millisecond })
		seen, err := s.Observe(t.Context())
		must(t, err)
		_, err = successor.TakeOver(t.Context(), seen, uuid.New())
		if err == nil || !strings.Contains(err.Error(), "stayed locked") {
			t.Fatalf("the take-over: %v", err)
		}
		must(t, stranger.Ping(t.Context()))
	})
}

// The lease row names every session that may lock it, before it does.
func TestATermRecordsItsSessions(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lease := lead(t, s)
		const alive = `SELECT count(*) FROM event_outbox_lease, jsonb_array_elements(backends) AS b
			JOIN pg_stat_activity AS a ON a.pid = (b ->> 'pid')::int AND a.backend_start = (b ->> 'start')::timestamptz
			WHERE a.application_name = 'outboxrelay'`
		if n := ask[int](t, pg.Pool, alive); n != 2 {
			t.Fatalf("%d sessions are recorded, not that of the leases and one that takes over", n)
		}
		rows := []relay.Row{{Seq: insert(t, pg.Pool, "a")}, {Seq: insert(t, pg.Pool, "b")}}
		settling := make(chan error)
		blocker := begin(t, pg)
		exec(t, blocker, `UPDATE event_outbox SET last_error = 'held up' WHERE seq = $1`, rows[0].Seq)
		go func() { settling <- s.Settle(t.Context(), lease, relay.Settlement{Published: seqs(rows[:1])}) }()
		waitFor(t, pg.Pool, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`)
		settle(t, s, lease, rows[1:]) // by another session
		if n := ask[int](t, pg.Pool, alive); n != 3 {
			t.Errorf("%d sessions are recorded, not 3", n)
		}
		must(t, blocker.Rollback(t.Context()))
		must(t, <-settling)
	})
}

// A worker's session may be lost; the term goes on, and the new session is
// recorded before it locks anything.
func TestATermReplacesALostSession(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lease := lead(t, s)
		snapshot(t, s)
		exec(t, pg.Pool, `SELECT pg_terminate_backend((backends -> 1 ->> 'pid')::int) FROM event_outbox_lease`)
		lost := 0
		for {
			if _, err := s.Snapshot(t.Context()); err == nil {
				break
			}
			if lost++; lost > 1 {
				t.Fatal("more calls fail than sessions were lost")
			}
		}
		insert(t, pg.Pool, "a")
		settle(t, s, lease, backlog(t, s, snapshot(t, s), wide))
		if n := ask[int](t, pg.Pool, `SELECT jsonb_array_length(backends) FROM event_outbox_lease`); n != 3 {
			t.Errorf("%d sessions are recorded, not 3: the two of before, and the new one", n)
		}
		renew(t, s, lease, relay.Progress{})
	})
}

// Without the session that renews, it is unknown whether the server is still the one of
// the term's snapshots.
func TestATermEndsWithItsKeeper(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lease := lead(t, s)
		exec(t, pg.Pool, `SELECT pg_terminate_backend((backends -> 0 ->> 'pid')::int) FROM event_outbox_lease`)
		if _, err := s.Renew(t.Context(), lease, relay.Progress{}); err == nil {
			t.Fatal("a renewal through a dead session")
		}
		if _, err := s.Snapshot(t.Context()); !errors.Is(err, relay.ErrLeaseLost) {
			t.Fatalf("a snapshot after the loss: %v", err)
		}
		if err := s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{1}}); !errors.Is(err, relay.ErrLeaseLost) {
			t.Fatalf("settling after the loss: %v", err)
		}
		// The lease still belongs to this holder, who can release it at once.
		must(t, s.Release(t.Context(), lease))
		lead(t, s)
	})
}

func TestATermDoesNotOutliveTheServer(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t, services.Private())
	migrate(t, pg)
	s := newStore(t, pg)
	lease := lead(t, s)
	snap := snapshot(t, s)
	must(t, pg.Restart(t.Context(), services.Immediate))

	_, err := s.ReadBacklog(t.Context(), snap, 0, wide)
	for err != nil && !errors.Is(err, relay.ErrLeaseLost) {
		_, err = s.ReadBacklog(t.Context(), snap, 0, wide)
	}
	if err == nil {
		t.Fatal("a term went on after the server had crashed")
	}
	must(t, s.Release(t.Context(), lease))
	lead(t, s)
	snapshot(t, s)
}

// All sessions that join a term at the same time are in the lease row, and those that
// were closed because they were unused are not.
func TestSessionsThatRegisterAtOnce(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	migrate(t, pg)
	const backends = `SELECT jsonb_array_length(backends) FROM event_outbox_lease`
	reading := &gate{names: []string{"ReadRange"}, waits: make(chan string), opened: make(chan struct{})}
	joining := &gate{
		names: []string{"RegisterBackends", "SettleByMark", "ForgetDecisions", "Sweep"},
		waits: make(chan string), opened: make(chan struct{}),
	}
	server := newServer(t, pg, func(c *pgstore.ServerConfig) {
		c.MaxSessions, c.Conn.Tracer = 8, multitracer.New(reading, joining)
	})
	s, err := pgstore.New(pgstore.Config{Server: server})
	must(t, err)
	t.Cleanup(s.Close)
	lease := lead(t, s)
	seq := insert(t, pg.Pool, "k")
	ctx := t.Context()
	together := func(calls ...func() error) *sync.WaitGroup {
		var all sync.WaitGroup
		for _, call := range calls {
			all.Go(func() {
				if err := call(); err != nil {
					t.Error(err)
				}
			})
		}
		return &all
	}
	read := func() error {
		_, err := s.ReadAgain(ctx, "1:1:", relay.Selection{Topic: "orders"}, 0, seq, wide)
		return err
	}
	all := together(read, read, read)
	for range 3 {
		<-reading.waits // three sessions are open; the term has begun on one of them
	}
	close(reading.opened)
	all.Wait()
	if n := ask[int](t, pg.Pool, backends); n != 2 {
		t.Fatalf("%d sessions in the lease row, want that of the leases and one more", n)
	}

	all = together(
		func() error { return s.Settle(ctx, lease, relay.Settlement{Published: []int64{seq}}) },
		func() error { _, err := s.Decisions(ctx, lease, nil); return err },
		func() error { _, err := s.Sweep(ctx, lease, time.Hour, 10); return err },
	)
	for range 2 {
		<-joining.waits // one registers, one need not
	}
	for server.AnchorUsers() < 2 {
		time.Sleep(time.Millisecond) // the third waits for the session on which the first registers
	}
	close(joining.opened)
	all.Wait()
	if n := ask[int](t, pg.Pool, backends); n != 4 {
		t.Errorf("%d sessions in the lease row, want 4", n)
	}

	server.Trim()
	must(t, s.Settle(ctx, lease, relay.Settlement{Published: []int64{seq}}))
	if n := ask[int](t, pg.Pool, backends); n != 2 {
		t.Errorf("%d sessions in the lease row after three were closed and one was opened, want 2", n)
	}
}
