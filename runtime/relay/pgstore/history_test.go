package pgstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// eventData is the data of an event: the number of the change and its aggregate.
// Changes are counted under the aggregate's lock.
type eventData struct {
	Aggregate int `json:"aggregate"`
	Change    int `json:"change"`
}

const (
	historyAggregates = 40
	historyWriters    = 16
	historyTerms      = 8
	historyEvents     = 4_000
	// historyPage is a page size that divides ticks and backlogs into many pages.
	historyPage = 37
)

// Sixteen writers change forty aggregates under their locks, in every way that disturbs
// the order of seqs, transaction ids and times. Readers take over from each other.
// Every committed event is read, and no rolled-back one. Each term reads an event at
// most once, and the events of an aggregate in order.
func TestHistory(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		r := &reader{open: func() relay.Store {
			s := newStore(t, pg)
			s.TidyRows(20)
			return s
		}}
		changes := r.history(t, pg)
		if n := ask[int](t, pg.Pool, `SELECT count(*) FROM event_outbox WHERE published_at IS NULL`); n != 0 {
			t.Errorf("%d events are unsettled", n)
		}
		if r.moved == 0 {
			t.Error("the low-water mark has not moved: the test shows less than it should")
		}
		t.Logf("%d events, %d read again by another term, low-water mark at %d", changes, r.again, r.moved)
	})
}

// history runs the writers and the readers, and returns how many events were committed.
func (r *reader) history(t *testing.T, pg *services.PG) int {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	exec(t, pg.Pool, `CREATE TABLE aggregate AS SELECT id, 0 AS changes FROM generate_series(0, $1::int - 1) AS id`, historyAggregates)
	exec(t, pg.Pool, `ALTER TABLE aggregate ADD PRIMARY KEY (id)`)

	var written atomic.Int64
	writing, stop := context.WithCancel(t.Context())
	defer stop()
	var writers sync.WaitGroup
	for i := range historyWriters {
		writers.Go(func() {
			w := &writer{pg: pg, rng: rand.New(rand.NewPCG(seed, uint64(i))), written: &written}
			for writing.Err() == nil && written.Load() < historyEvents {
				if err := w.transact(t.Context()); err != nil {
					t.Errorf("writer: %v", err)
					return
				}
			}
		})
	}
	finished := make(chan struct{})
	go func() { writers.Wait(); close(finished) }()

	r.t, r.rng = t, rand.New(rand.NewPCG(seed, 99))
	r.firstSeen, r.next = map[eventData]bool{}, map[int]int{}
	for range historyTerms {
		r.term(false, func() bool { return r.ticks >= 30 })
	}
	r.term(true, func() bool {
		select {
		case <-finished:
			return true
		default:
			return false
		}
	})

	changes := ask[int](t, pg.Pool, `SELECT sum(changes) FROM aggregate`)
	if n := ask[int](t, pg.Pool, `SELECT count(*) FROM event_outbox`); n != changes {
		t.Fatalf("the writers committed %d events for %d changes", n, changes)
	}
	if len(r.firstSeen) != changes {
		t.Errorf("%d of %d committed events were read", len(r.firstSeen), changes)
	}
	return changes
}

// writer makes one transaction after the other.
type writer struct {
	pg      *services.PG
	rng     *rand.Rand
	written *atomic.Int64
}

var errRollback = errors.New("rolled back on purpose")

func (w *writer) transact(ctx context.Context) error {
	n := 0
	err := pgx.BeginFunc(ctx, w.pg.Pool, func(tx pgx.Tx) error {
		if w.rng.IntN(4) == 0 { // its transaction id is assigned long before the lock
			if _, err := tx.Exec(ctx, `SELECT pg_current_xact_id()`); err != nil {
				return err
			}
		}
		// Locks are taken in one order, so that no two writers wait for each other.
		aggregate := w.rng.IntN(historyAggregates / 4)
		for range 1 + w.rng.IntN(4) {
			if err := w.change(ctx, tx, aggregate); err != nil {
				return err
			}
			n++
			aggregate += 1 + w.rng.IntN(historyAggregates/4)
			if aggregate >= historyAggregates {
				break
			}
		}
		if w.rng.IntN(10) == 0 { // stays open while others continue
			if _, err := tx.Exec(ctx, `SELECT pg_sleep(0.05)`); err != nil {
				return err
			}
		}
		if w.rng.IntN(8) == 0 {
			return errRollback
		}
		return nil
	})
	if errors.Is(err, errRollback) {
		return nil
	}
	if err == nil {
		w.written.Add(int64(n))
	}
	return err
}

// change locks an aggregate and inserts its event: at once, by COPY, or in a savepoint,
// sometimes after another savepoint that is rolled back.
func (w *writer) change(ctx context.Context, tx pgx.Tx, aggregate int) error {
	if w.rng.IntN(6) == 0 {
		dropped, err := tx.Begin(ctx)
		if err != nil {
			return err
		}
		if err := w.insert(ctx, dropped, aggregate); err != nil {
			return err
		}
		if err := dropped.Rollback(ctx); err != nil {
			return err
		}
	}
	if w.rng.IntN(3) == 0 {
		return pgx.BeginFunc(ctx, tx, func(savepoint pgx.Tx) error { return w.insert(ctx, savepoint, aggregate) })
	}
	return w.insert(ctx, tx, aggregate)
}

func (w *writer) insert(ctx context.Context, tx pgx.Tx, aggregate int) error {
	var change int
	err := tx.QueryRow(ctx, `UPDATE aggregate SET changes = changes + 1 WHERE id = $1 RETURNING changes`, aggregate).Scan(&change)
	if err != nil {
		return err
	}
	key := fmt.Sprint(aggregate)
	data, err := json.Marshal(eventData{aggregate, change})
	if err != nil {
		return err
	}
	columns := []string{"aggregate_id", "aggregate_type", "event_type", "topic", "event_key", "event_data"}
	if w.rng.IntN(3) == 0 {
		_, err = tx.CopyFrom(ctx, pgx.Identifier{"event_outbox"}, columns,
			pgx.CopyFromRows([][]any{{key, "aggregate", "changed", "changes", key, data}}))
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
		VALUES ($1, 'aggregate', 'changed', 'changes', $1, $2)`, key, data)
	return err
}

// reader leads one term after the other, as the relay does.
type reader struct {
	open func() relay.Store
	t    *testing.T
	rng  *rand.Rand

	firstSeen map[eventData]bool
	next      map[int]int // the latest change of each aggregate that was read
	again     int
	ticks     int
	moved     int64 // the highest low-water mark
}

func (r *reader) term(last bool, over func() bool) {
	t := r.t
	t.Helper()
	s := r.open()
	defer s.Close()
	lease := lead(t, s)
	inTerm := map[eventData]bool{}
	limit := relay.Limit{Rows: historyPage, Bytes: 1 << 20}
	take := func(read func(after int64, limit relay.Limit) (relay.Page, error)) {
		all(t, limit, func(after int64, limit relay.Limit) (relay.Page, error) {
			page, err := read(after, limit)
			must(t, err)
			for _, row := range page.Rows {
				r.see(row, inTerm)
			}
			must(t, s.Flushed(t.Context(), page))
			if last || r.rng.IntN(40) != 0 { // else the next term reads it again
				settle(t, s, lease, page.Rows)
			}
			return page, nil
		})
	}
	r.ticks = 0
	seen := snapshot(t, s)
	take(func(after int64, limit relay.Limit) (relay.Page, error) {
		return s.ReadBacklog(t.Context(), seen, after, limit)
	})
	for ended := false; !ended; {
		ended = over() // asked before the snapshot: what was committed by then is in this tick
		next := snapshot(t, s)
		take(func(after int64, limit relay.Limit) (relay.Page, error) {
			return s.ReadTick(t.Context(), seen, next, after, limit)
		})
		seen = next
		r.ticks++
		if r.rng.IntN(3) == 0 { // the next term reads from the mark
			_, err := s.(relay.Tidier).Tidy(t.Context(), lease, math.MaxInt64)
			must(t, err)
			if marked, ok := s.(*pgstore.Store); ok {
				r.moved = max(r.moved, marked.LowWater())
			}
		}
	}
	if r.rng.IntN(2) == 0 {
		must(t, s.Release(t.Context(), lease))
	}
}

// see checks one delivery: once in a term, and no first delivery before that of
// the change before.
func (r *reader) see(row relay.Row, inTerm map[eventData]bool) {
	var data eventData
	if err := json.Unmarshal(row.Data, &data); err != nil {
		r.t.Fatal(err)
	}
	if inTerm[data] {
		r.t.Errorf("%+v was read twice in one term", data)
	}
	inTerm[data] = true
	if r.firstSeen[data] {
		r.again++
		return
	}
	r.firstSeen[data] = true
	if want := r.next[data.Aggregate] + 1; data.Change != want {
		r.t.Errorf("change %d of aggregate %d was read where %d was due", data.Change, data.Aggregate, want)
	}
	r.next[data.Aggregate] = data.Change
}
