package relay_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

func migrated(t testing.TB, pg *services.PG) {
	t.Helper()
	if err := migrations.Up(t.Context(), pg.Connect(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func postgresStore(t testing.TB, pg *services.PG, mode pgstore.Mode) *pgstore.Store {
	t.Helper()
	conn, err := pgx.ParseConfig(pg.URL)
	if err != nil {
		t.Fatal(err)
	}
	s, err := pgstore.New(pgstore.Config{Conn: conn, Mode: mode})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// insertRows writes n events of k keys in one transaction.
func insertRows(t testing.TB, pg *services.PG, topic string, from, n, k, size int) {
	t.Helper()
	_, err := pg.Pool.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data, headers)
		SELECT 'a', 'order', 'order.paid.v1', $1, 'k' || i % $4::int, json_build_object('n', i, 'x', repeat('x', $5::int)),
		       json_build_object('trace_id', 't' || i)
		FROM generate_series($2::int, $2::int + $3::int - 1) AS i`, topic, from, n, k, size)
	if err != nil {
		t.Fatal(err)
	}
}

// Rows of the real database reach the real broker, in order, byte for byte.
func TestPostgresToKafka(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		migrated(t, pg)
		services.EachKafka(t, func(t *testing.T, k *services.KafkaCluster) {
			topic := k.NewTopic(t, "orders", 3)
			for _, mode := range []pgstore.Mode{pgstore.Mark, pgstore.Delete} {
				from := map[pgstore.Mode]int{pgstore.Mark: 0, pgstore.Delete: 3000}[mode]
				insertRows(t, pg, topic, from, 2000, 10, 20)
				r := start(t, relay.Config{Store: postgresStore(t, pg, mode), Sink: kafkaSink(t, k.Brokers), PageRows: 300})
				r.w.publishes(t, 2000)
				for i := range 10 {
					insertRows(t, pg, topic, from+2000+i*100, 100, 10, 20)
				}
				r.w.publishes(t, 3000)
				r.stop()
			}
			last := map[string]int{}
			for _, rec := range consume(t, k.Brokers, 6000, topic) {
				var n int
				if _, err := fmt.Sscanf(string(rec.Value), `{"n" : %d,`, &n); err != nil {
					t.Fatalf("value %s: %v", rec.Value, err)
				}
				if prev, ok := last[string(rec.Key)]; ok && n != prev+10 {
					t.Fatalf("key %s: %d after %d", rec.Key, n, prev)
				}
				last[string(rec.Key)] = n
			}
			var left, marked int
			err := pg.Pool.QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE published_at IS NULL), count(*) FROM event_outbox WHERE topic = $1`, topic).
				Scan(&left, &marked)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff([]int{0, 3000}, []int{left, marked}); d != "" {
				t.Errorf("unsettled, kept (-want +got): %s", d)
			}
		})
	})
}

// freezer stops a relay at every call to its store, as SIGSTOP would.
type freezer struct {
	relay.Store
	mu     sync.Mutex
	thawed chan struct{} // nil: not frozen
}

func (f *freezer) freeze() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.thawed = make(chan struct{})
}

func (f *freezer) thaw() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.thawed)
	f.thawed = nil
}

func (f *freezer) wait() {
	f.mu.Lock()
	thawed := f.thawed
	f.mu.Unlock()
	if thawed != nil {
		<-thawed
	}
}

func (f *freezer) Renew(ctx context.Context, l relay.Lease, p relay.Progress) (relay.Renewal, error) {
	f.wait()
	return f.Store.Renew(ctx, l, p)
}

func (f *freezer) Settle(ctx context.Context, l relay.Lease, s relay.Settlement) error {
	f.wait()
	return f.Store.Settle(ctx, l, s)
}

func (f *freezer) Snapshot(ctx context.Context) (relay.Snapshot, error) {
	f.wait()
	return f.Store.Snapshot(ctx)
}

func (f *freezer) Release(ctx context.Context, l relay.Lease) error {
	f.wait()
	return f.Store.Release(ctx, l)
}

// counter counts how often a standby looks at the lease.
type counter struct {
	relay.Store
	looks atomic.Int64
}

func (c *counter) Observe(ctx context.Context) (relay.LeaseState, error) {
	c.looks.Add(1)
	return c.Store.Observe(ctx)
}

// A leader that no longer answers is replaced when a standby has seen the same lease
// for a term, here in 12 looks, 250 ms apart.
func TestHandOver(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	migrated(t, pg)
	k := services.KFake(t)
	topic := k.NewTopic(t, "t", 3)
	frozen := &freezer{Store: postgresStore(t, pg, pgstore.Mark)}
	first := start(t, relay.Config{Store: frozen, Sink: kafkaSink(t, k.Brokers)})
	first.w.leads(t)
	insertRows(t, pg, topic, 0, 100, 5, 20)
	first.w.publishes(t, 100)
	observed := &counter{Store: postgresStore(t, pg, pgstore.Mark)}
	second := start(t, relay.Config{Store: observed, Sink: kafkaSink(t, k.Brokers), ObserveEvery: 250 * time.Millisecond})

	before := observed.looks.Load()
	frozen.freeze()
	insertRows(t, pg, topic, 100, 100, 5, 20)
	second.w.publishes(t, 100)
	// A look that begins late sees the end of the term sooner. The last renewal is up
	// to four looks old, and the current look may see it.
	if looks := observed.looks.Load() - before; looks > 18 {
		t.Errorf("a frozen leader was replaced after %d looks at its lease", looks)
	}
	frozen.thaw()
	first.w.until(t, "stands by", func(w *watcher) bool { return !w.status.Leader })

	second.stop()
	first.w.leads(t)
	insertRows(t, pg, topic, 200, 100, 5, 20)
	first.w.publishes(t, 200)
	first.stop()
	consumeFirsts(t, k.Brokers, 300, topic)
}

// A leader that stops releases the lease, so the next one does not wait for the end of
// its term, which would be in an hour.
func TestHandOverInOrder(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	migrated(t, pg)
	k := services.KFake(t)
	relays := make([]*running, 2)
	for i := range relays {
		relays[i] = start(t, relay.Config{
			Store: postgresStore(t, pg, pgstore.Mark), Sink: kafkaSink(t, k.Brokers), Term: time.Hour, ObserveEvery: 250 * time.Millisecond,
		})
		if i == 0 {
			relays[0].w.leads(t)
		}
	}
	relays[0].stop()
	relays[1].w.leads(t)
}

func TestSetupErrorEndsRun(t *testing.T) {
	t.Parallel()
	store := relay.NewMemStore()
	want := &relay.SetupError{Problem: "table event_outbox is missing", Remedy: "run the migrations"}
	store.FailSetup(want)
	r, err := relay.New(relay.Config{Store: store, Sink: relay.NewStdoutSink(nil)})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); err == nil || err.Error() != "relay: table event_outbox is missing; run the migrations" {
		t.Errorf("Run: %v", err)
	}
}

// BenchmarkDrain sends a backlog to a broker in the same process.
func BenchmarkDrain(b *testing.B) {
	for _, mode := range []pgstore.Mode{pgstore.Mark, pgstore.Delete} {
		b.Run(string(mode), func(b *testing.B) {
			pg := services.Postgres(b)
			migrated(b, pg)
			k := services.KFake(b)
			topic := "bench" + uuid.NewString()
			k.CreateTopic(b, topic, 3)
			const n = 200_000
			for range b.N {
				b.StopTimer()
				insertRows(b, pg, topic, 0, n, 1000, 400)
				if _, err := pg.Pool.Exec(b.Context(), "VACUUM ANALYZE event_outbox"); err != nil {
					b.Fatal(err)
				}
				sink, err := newKafkaSink(k.Brokers)
				if err != nil {
					b.Fatal(err)
				}
				w := newWatcher()
				r, err := relay.New(relay.Config{Store: postgresStore(b, pg, mode), Sink: sink, Observer: w})
				if err != nil {
					b.Fatal(err)
				}
				ctx, cancel := context.WithCancel(context.Background())
				ended := make(chan error, 1)
				b.StartTimer()
				go func() { ended <- r.Run(ctx) }()
				w.publishes(b, n)
				b.StopTimer()
				cancel()
				if err := <-ended; err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// Postgres is restarted, with an immediate and with a clean shutdown. The term ends,
// and the next one starts with the unsettled rows.
func TestPostgresRestarts(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t, services.Private())
	migrated(t, pg)
	k := services.KFake(t)
	topic := k.NewTopic(t, "t", 3)
	a := start(t, relay.Config{Store: postgresStore(t, pg, pgstore.Mark), Sink: kafkaSink(t, k.Brokers)})
	a.w.leads(t)
	start(t, relay.Config{Store: postgresStore(t, pg, pgstore.Mark), Sink: kafkaSink(t, k.Brokers)})
	for i, mode := range []services.StopMode{services.Fast, services.Immediate} {
		insertRows(t, pg, topic, i*500, 500, 5, 20)
		if err := pg.Restart(t.Context(), mode); err != nil {
			t.Fatal(err)
		}
	}
	insertRows(t, pg, topic, 1000, 500, 5, 20)
	seen, last := map[string]bool{}, map[string]int{}
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for len(seen) < 1500 {
		f := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d of 1500 rows", len(seen))
		}
		for _, rec := range f.Records() {
			if seen[string(rec.Value)] {
				continue
			}
			seen[string(rec.Value)] = true
			var n int
			if _, err := fmt.Sscanf(string(rec.Value), `{"n" : %d,`, &n); err != nil {
				t.Fatal(err)
			}
			if prev, ok := last[string(rec.Key)]; ok && n != prev+5 {
				t.Fatalf("key %s: %d after %d", rec.Key, n, prev)
			}
			last[string(rec.Key)] = n
		}
	}
	var counted int
	if err := pg.Pool.QueryRow(t.Context(), `SELECT count(*) FROM event_outbox WHERE retry_count > 0 OR dead_at IS NOT NULL`).Scan(&counted); err != nil {
		t.Fatal(err)
	}
	if counted != 0 {
		t.Errorf("%d rows were counted", counted)
	}
}
