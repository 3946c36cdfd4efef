package storeadmin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// change is the data of an event: the number of the change of its aggregate.
type change struct {
	Aggregate int `json:"aggregate"`
	N         int `json:"n"`
}

// broker takes records, fails now and then, and checks their order.
type broker struct {
	t         *testing.T
	mu        sync.Mutex
	rng       *rand.Rand
	paused    bool // Kafka is away
	next      map[int]int
	delivered map[change]int
}

func newBroker(t *testing.T, seed uint64) *broker {
	return &broker{t: t, rng: rand.New(rand.NewPCG(seed, 1)), next: map[int]int{}, delivered: map[change]int{}}
}

func (b *broker) Open(context.Context) (relay.Producer, error) { return b, nil }
func (b *broker) Partition(key []byte, n int) int32            { return int32(key[len(key)-1]) % int32(n) }
func (b *broker) Close()                                       {}

func (b *broker) Topics(_ context.Context, names []string) ([]relay.TopicInfo, error) {
	var infos []relay.TopicInfo
	for _, name := range names {
		infos = append(infos, relay.TopicInfo{Name: name, Partitions: 3})
	}
	return infos, nil
}

func (b *broker) Send(_ context.Context, wave []relay.Record, results []relay.Result) {
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
}

// batch takes the records of one partition, all or none.
func (b *broker) batch(records []relay.Record) relay.Result {
	switch n := b.rng.IntN(40); {
	case b.paused, n == 0:
		return relay.Result{Class: relay.ClassRelay, Err: errors.New("the connection broke")}
	case n == 1 && len(records) == 1:
		return relay.Result{Class: relay.ClassRecord, Err: errors.New("too large today")}
	}
	for i := range records {
		var c change
		if err := json.Unmarshal(records[i].Value, &c); err != nil {
			b.t.Error(err)
		}
		if b.delivered[c]++; b.delivered[c] > 1 {
			continue
		}
		if want := b.next[c.Aggregate] + 1; c.N != want {
			b.t.Errorf("change %d of aggregate %d is delivered where %d is due", c.N, c.Aggregate, want)
		}
		b.next[c.Aggregate] = c.N
	}
	return relay.Result{}
}

func (b *broker) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.delivered)
}

// relays run one relay after the other, as a supervisor does. Which store it has, changes.
type relays struct {
	store atomic.Value // migrations.Store
	stop  func()
}

func runRelays(t *testing.T, pg *services.PG, b *broker, store migrations.Store) *relays {
	r := &relays{}
	r.store.Store(store)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	r.stop = func() { cancel(); <-done }
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			err := r.run(ctx, pg, b)
			if _, refused := errors.AsType[*relay.SetupError](err); err != nil && !refused && ctx.Err() == nil {
				t.Errorf("a relay ends: %v", err)
			}
		}
	}()
	t.Cleanup(r.stop)
	return r
}

func (r *relays) run(ctx context.Context, pg *services.PG, b *broker) error {
	conn, err := pgx.ParseConfig(pg.URL)
	if err != nil {
		return err
	}
	cfg := pgstore.Config{Conn: conn, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	var store relay.Store
	if r.store.Load() == migrations.StoreLog {
		store, err = pgstore.NewLogStore(cfg)
	} else {
		store, err = pgstore.New(cfg)
	}
	if err != nil {
		return err
	}
	one, err := relay.New(relay.Config{
		Store: store, Sink: b, Term: 2 * time.Second, BufferRows: 100, UnsettledRows: 60, PageRows: 40, SettleRows: 30,
		RetryMin: 20 * time.Millisecond, RetryMax: 40 * time.Millisecond, OutageMin: 5 * time.Millisecond, OutageMax: 20 * time.Millisecond,
		PauseMin: 20 * time.Millisecond, PauseMax: 100 * time.Millisecond, Logger: cfg.Logger,
	})
	if err != nil {
		return err
	}
	return one.Run(ctx)
}

// write makes changes of aggregates until ctx ends, and returns how many it has committed.
func write(ctx context.Context, t *testing.T, pool *pgxpool.Pool, seed uint64, aggregates int) int {
	rng := rand.New(rand.NewPCG(seed, 2))
	written := 0
	for ctx.Err() == nil {
		n := 0
		err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			aggregate := rng.IntN(aggregates)
			for range 1 + rng.IntN(3) {
				var c change
				c.Aggregate = aggregate
				if err := tx.QueryRow(t.Context(), `UPDATE aggregate SET changes = changes + 1 WHERE id = $1 RETURNING changes`, aggregate).Scan(&c.N); err != nil {
					return err
				}
				data, err := json.Marshal(c)
				if err != nil {
					return err
				}
				_, err = tx.Exec(t.Context(), `
					INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
					VALUES (gen_random_uuid(), $1, 'aggregate', 'changed', 'orders', $1, $2) ON CONFLICT (id) DO NOTHING`, fmt.Sprint(aggregate), data)
				if err != nil {
					return err
				}
				n++
			}
			return nil
		})
		if err != nil {
			t.Errorf("a writer fails: %v", err)
			return written
		}
		written += n
	}
	return written
}

// until waits for a condition.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(3 * time.Minute)
	for !met() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not within three minutes: %s", what)
		}
	}
}
