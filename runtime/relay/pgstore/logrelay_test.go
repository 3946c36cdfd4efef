package pgstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// logEvent is the data of an event: the number of the change of its key.
type logEvent struct {
	Key    string `json:"key"`
	N      int    `json:"n"`
	Poison bool   `json:"poison"`
}

// logBroker takes records of topics with three partitions. It fails now and then, has no
// topic late at first, and refuses poison.
type logBroker struct {
	t *testing.T

	mu        sync.Mutex
	rng       *rand.Rand
	missing   bool           // of the topic late
	next      map[string]int // the latest change of each key that was delivered or is poison
	poison    map[logEvent]bool
	delivered map[logEvent]int
	changed   chan struct{} // holds a token after something was delivered
}

func (b *logBroker) Open(context.Context) (relay.Producer, error) { return b, nil }
func (b *logBroker) Partition(key []byte, n int) int32            { return int32(key[len(key)-1]) % int32(n) }
func (b *logBroker) Close()                                       {}

func (b *logBroker) Topics(_ context.Context, names []string) ([]relay.TopicInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var infos []relay.TopicInfo
	for _, name := range names {
		info := relay.TopicInfo{Name: name, Partitions: 3}
		if name == "late" && b.missing {
			info = relay.TopicInfo{Name: name, Problem: relay.Result{Class: relay.ClassTopic, Err: errors.New("there is no such topic")}}
		}
		infos = append(infos, info)
	}
	return infos, nil
}

func (b *logBroker) Send(_ context.Context, wave []relay.Record, results []relay.Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for from := 0; from < len(wave); {
		to := from + 1
		for to < len(wave) && wave[to].Topic == wave[from].Topic && wave[to].Partition == wave[from].Partition {
			to++
		}
		result := b.batch(wave[from:to])
		for i := from; i < to; i++ {
			results[i] = result
		}
		from = to
	}
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// batch takes the records of one partition, all or none.
func (b *logBroker) batch(records []relay.Record) relay.Result {
	events := make([]logEvent, len(records))
	for i := range records {
		if err := json.Unmarshal(records[i].Value, &events[i]); err != nil {
			b.t.Error(err)
		}
		if events[i].Poison {
			return relay.Result{Class: relay.ClassRecord, Err: errors.New("poison")}
		}
	}
	switch b.rng.IntN(40) {
	case 0:
		return relay.Result{Class: relay.ClassPartition, Err: errors.New("no leader")}
	case 1:
		return relay.Result{Class: relay.ClassRelay, Err: errors.New("the connection broke")}
	}
	for _, e := range events {
		b.delivered[e]++
		if b.delivered[e] > 1 {
			continue
		}
		for b.poison[logEvent{e.Key, b.next[e.Key] + 1, true}] {
			b.next[e.Key]++
		}
		if want := b.next[e.Key] + 1; e.N != want {
			b.t.Errorf("change %d of %s is delivered where %d is due", e.N, e.Key, want)
		}
		b.next[e.Key] = e.N
	}
	return relay.Result{}
}

// repairCount counts the repairs of numbers that a store tries.
type repairCount struct{ n atomic.Int32 }

func (r *repairCount) use(c *pgstore.Config) { c.Conn.Tracer = r }

func (r *repairCount) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.Contains(data.SQL, "name: LogUnpassed ") { // it counts rows before each repair
		r.n.Add(1)
	}
	return ctx
}

func (*repairCount) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// want wants that a store has tried so many repairs; none, unless a sequence was set back.
func (r *repairCount) want(t *testing.T, want int32) {
	t.Helper()
	if n := r.n.Load(); n != want {
		t.Errorf("the store has tried to repair numbers %d times, want %d", n, want)
	}
}

// Relays take over from each other while rows fail, topics are missing and Kafka is away. Each
// event of the log is delivered, and the events of a key in their order.
func TestLogRelay(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		const keys, events = 12, 3_000
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		b := &logBroker{
			t: t, rng: rand.New(rand.NewPCG(seed, 1)), missing: true, next: map[string]int{}, poison: map[logEvent]bool{},
			delivered: map[logEvent]int{}, changed: make(chan struct{}, 1),
		}
		start := func() (stop func()) {
			var repairs repairCount
			store := newLog(t, pg, repairs.use)
			store.AsideRows(200)
			r, err := relay.New(relay.Config{
				Store: store, Sink: b, Term: time.Second, BufferRows: 100, UnsettledRows: 60, PageRows: 40, SettleRows: 30,
				MaxAttempts: 2, RetryMin: 20 * time.Millisecond, RetryMax: 40 * time.Millisecond, PauseMin: 20 * time.Millisecond,
				PauseMax: 200 * time.Millisecond, OutageMin: 5 * time.Millisecond, OutageMax: 20 * time.Millisecond,
				DrainTimeout: time.Nanosecond, // so that terms end uncleanly
				Logger:       slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
			})
			must(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				if err := r.Run(ctx); err != nil {
					t.Errorf("the relay ends: %v", err)
				}
			}()
			return func() {
				cancel()
				<-done
				repairs.want(t, 0)
			}
		}
		stops := []func(){start(), start()}
		defer func() {
			for _, stop := range stops {
				stop()
			}
		}()

		exec(t, pg.Pool, `CREATE TABLE aggregate AS SELECT id, 0 AS changes FROM generate_series(0, $1::int - 1) AS id`, keys)
		rng := rand.New(rand.NewPCG(seed, 2))
		sound, poison := 0, 0
		for i := range events / 10 {
			err := pgx.BeginFunc(t.Context(), pg.Pool, func(tx pgx.Tx) error {
				for range 10 {
					aggregate := rng.IntN(keys)
					n := ask[int](t, tx, `UPDATE aggregate SET changes = changes + 1 WHERE id = $1 RETURNING changes`, aggregate)
					e := logEvent{fmt.Sprint(aggregate), n, rng.IntN(300) == 0}
					topic := "orders"
					if aggregate < 3 {
						topic = "late"
					}
					if e.Poison {
						poison++
						b.mu.Lock()
						b.poison[e] = true
						b.mu.Unlock()
					} else {
						sound++
					}
					data, err := json.Marshal(e)
					must(t, err)
					exec(t, tx, `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
						VALUES ($1, 'aggregate', 'changed', $2, $1, $3)`, e.Key, topic, data)
				}
				return nil
			})
			must(t, err)
			if i%60 == 59 {
				stops[i/60%2]()
				stops[i/60%2] = start()
			}
		}
		all := func(count func() int, want int) {
			t.Helper()
			limit := time.After(3 * time.Minute)
			for count() < want {
				select {
				case <-b.changed:
				case <-limit:
					t.Fatalf("%d of %d after three minutes", count(), want)
				}
			}
		}
		delivered := func() int {
			b.mu.Lock()
			defer b.mu.Unlock()
			return len(b.delivered)
		}
		orders := ask[int](t, pg.Pool, `SELECT count(*) FROM event_outbox WHERE topic = 'orders' AND event_data ->> 'poison' = 'false'`)
		all(delivered, orders)
		aside := ask[int](t, pg.Pool, `SELECT count(*) FROM event_outbox_late WHERE published_at IS NULL`)
		b.mu.Lock()
		b.missing = false
		b.mu.Unlock()
		all(delivered, sound)

		waitFor(t, pg.Pool, `SELECT count(*) = $1 FROM event_outbox_failed WHERE dead_at IS NOT NULL`, poison)
		waitFor(t, pg.Pool, `SELECT count(*) = 0 FROM event_outbox_history WHERE state NOT IN ('published', 'dead')`) // all is recorded
		for i := range stops {
			stops[i]()
			stops[i] = func() {}
		}
		s := newLog(t, pg)
		lead(t, s)
		if d := cmp.Diff([]int64{}, seqs(backlog(t, s, snapshot(t, s), wide))); d != "" {
			t.Errorf("unsettled in the end (-want +got): %s", d)
		}
		twice := 0
		for _, n := range b.delivered {
			twice += n - 1
		}
		t.Logf("%d events and %d poisoned ones; %d repeats; %d rows were aside while their topic was missing", sound, poison, twice, aside)
	})
}
