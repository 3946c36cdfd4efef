package relay_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// load writes events of a few keys, each under the lock of its key's row, and records
// which of them were committed.
type load struct {
	pool  *pgxpool.Pool
	topic string
	end   func()

	mu        sync.Mutex
	attempted map[uuid.UUID]bool
	committed map[uuid.UUID]bool
	changed   chan struct{}
}

const loadKeys = 4

// startLoad starts two writers for each key. The test, or end, ends them.
func startLoad(t *testing.T, url, topic string) *load {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if _, err := pool.Exec(t.Context(), `CREATE TABLE tally (key text PRIMARY KEY, n int NOT NULL)`); err != nil {
		t.Fatal(err)
	}
	l := &load{pool: pool, topic: topic, attempted: map[uuid.UUID]bool{}, committed: map[uuid.UUID]bool{}, changed: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var writers sync.WaitGroup
	l.end = func() { cancel(); writers.Wait() }
	t.Cleanup(l.end)
	for k := range loadKeys {
		key := fmt.Sprintf("k%d", k)
		if _, err := pool.Exec(t.Context(), `INSERT INTO tally VALUES ($1, 0)`, key); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			writers.Go(func() { l.write(ctx, key) })
		}
	}
	return l
}

func (l *load) write(ctx context.Context, key string) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		id := uuid.New()
		l.mu.Lock()
		l.attempted[id] = true
		l.mu.Unlock()
		err := pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
			var n int
			if err := tx.QueryRow(ctx, `UPDATE tally SET n = n + 1 WHERE key = $1 RETURNING n`, key).Scan(&n); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
				VALUES ($1, $2, 'tally', 'tally.raised.v1', $3, $2, json_build_object('n', $4::int))`, id, key, l.topic, n)
			return err
		})
		if err != nil {
			continue // the database is away: try again
		}
		l.mu.Lock()
		l.committed[id] = true
		close(l.changed)
		l.changed = make(chan struct{})
		l.mu.Unlock()
	}
}

// commits waits until n more events are committed.
func (l *load) commits(t *testing.T, n int) {
	t.Helper()
	limit := time.After(patience)
	l.mu.Lock()
	defer l.mu.Unlock()
	for want := len(l.committed) + n; len(l.committed) < want; {
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-limit:
			t.Errorf("fewer than %d commits in %s", n, patience)
			l.mu.Lock()
			return
		}
		l.mu.Lock()
	}
}

// outcome is the result of a load.
type outcome struct {
	// Events that the writer was told are committed and that the database no longer
	// has.
	Uncommitted int
	// Delivered events that the database no longer has, and those that no writer wrote.
	Forgotten, Invented int
	// Events in the database that were not delivered.
	Lost int
	// Keys whose events were not first delivered in the order of the database.
	Reordered []string
}

// judge compares the database with what the broker has.
func (l *load) judge(t *testing.T, brokers []string) outcome {
	t.Helper()
	rows, err := l.pool.Query(t.Context(), `SELECT id, event_key FROM event_outbox ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	have, wanted := map[uuid.UUID]bool{}, map[string][]uuid.UUID{}
	var id uuid.UUID
	var key string
	if _, err := pgx.ForEachRow(rows, []any{&id, &key}, func() error {
		have[id] = true
		wanted[key] = append(wanted[key], id)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var out outcome
	for id := range l.committed {
		if !have[id] {
			out.Uncommitted++
		}
	}
	delivered, got := map[uuid.UUID]bool{}, map[string][]uuid.UUID{}
	for _, r := range consume(t, brokers, recordCount(t, brokers, l.topic), l.topic) {
		id := eventID(t, r)
		if delivered[id] {
			continue
		}
		delivered[id] = true
		switch {
		case !l.attempted[id]:
			out.Invented++
		case !have[id]:
			out.Forgotten++
		default:
			got[string(r.Key)] = append(got[string(r.Key)], id)
		}
	}
	for id := range have {
		if !delivered[id] {
			out.Lost++
		}
	}
	for key, ids := range wanted {
		if out.Lost == 0 && !cmp.Equal(ids, got[key]) {
			out.Reordered = append(out.Reordered, key)
		}
	}
	t.Logf("%d events committed, %d in the database, %d delivered: %+v", len(l.committed), len(have), len(delivered), out)
	return out
}

func eventID(t *testing.T, r *kgo.Record) uuid.UUID {
	t.Helper()
	for _, h := range r.Headers {
		if h.Key == "event_id" {
			id, err := uuid.ParseBytes(h.Value)
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
	}
	t.Fatalf("record %s/%d@%d has no event_id", r.Topic, r.Partition, r.Offset)
	return uuid.Nil
}

// recordCount returns how many records a topic has.
func recordCount(t *testing.T, brokers []string, topic string) int {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ends.Each(func(o kadm.ListedOffset) { n += int(o.Offset) })
	return n
}

// settled waits until the relay has nothing left to do.
func settled(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	eventually(t, pool, `SELECT NOT EXISTS (SELECT FROM event_outbox WHERE published_at IS NULL)`)
}

// eventually waits until a query answers true.
func eventually(t *testing.T, pool *pgxpool.Pool, query string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		var holds bool
		if err := pool.QueryRow(ctx, query, args...).Scan(&holds); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if holds {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not within %s: %s", patience, query)
		}
	}
}
