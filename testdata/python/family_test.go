package python_test

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/kafkasink"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/runtime/wake"
	"github.com/outboxgen/outboxgen/testdata/golden/huleedu/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(services.Wrap(m)) }

const (
	topic = "huleedu.class.updated.v1"
	// patience bounds every wait.
	patience = 2 * time.Minute
)

var classes = []string{"class-1", "class-2", "class-3", "class-4"}

// Rows of the old shape, rows of a Python writer that knows the old shape only,
// and rows of a Go writer, all about the same classes at once, reach a consumer in
// Python and one in Go: each once, byte for byte, in the order of the classes'
// versions. Alembic upgrades the table and brings the old shape back, and its
// autogenerate has nothing to propose in between.
func TestFamily(t *testing.T) {
	python := interpreter(t)
	pg, redis, k := services.Postgres(t), services.Redis(t), services.RealKafka(t)
	k.CreateTopic(t, topic, 3)
	s := newService(t, python, pg, redis)

	// The service before the upgrade: 40 events, of which the old relay has published
	// 12.
	s.alembic(psycopg, "upgrade", "head")
	before := shape(t, pg)
	s.run(psycopg, append([]string{"writer.py", psycopg, "40"}, classes...)...)
	execute(t, pg, `UPDATE event_outbox SET published_at = now()
		WHERE id IN (SELECT id FROM event_outbox ORDER BY created_at LIMIT 12)`)

	upgrade := s.addUpgrade()
	s.alembic(asyncpg, "upgrade", "head")
	for _, driver := range []string{psycopg, asyncpg} {
		out, err := s.command(t.Context(), driver, "-m", "alembic", "check").CombinedOutput()
		for _, proposed := range []string{"remove_table", "event_inbox", "remove_column", "xid8"} {
			if err == nil || !strings.Contains(string(out), proposed) {
				t.Errorf("%s: without the filter, autogenerate does not say %q: %v\n%s", driver, proposed, err, out)
			}
		}
	}
	withoutFilter := s.useFilter()
	for _, driver := range []string{psycopg, asyncpg} {
		equal(t, driver+": what autogenerate proposes", "No new upgrade operations detected.\n", s.alembic(driver, "check"))
	}

	seen := newDeliveries()
	endRelay, wakes := startRelay(t, pg, redis, k)
	endGo := consumeInGo(t, k, seen)
	endPython := s.consume(k.Brokers, "python-"+uuid.NewString(), func(r read) {
		if r.Key != r.ClassID {
			t.Errorf("the event %s has the key %q, want %q", r.EventID, r.Key, r.ClassID)
		}
		wantHeaders := map[string]string{"event_id": r.EventID, "event_type": topic, "trace_id": r.CorrelationID}
		for name, want := range wantHeaders {
			if got := r.Headers[name]; got != want {
				t.Errorf("the event %s has the header %s: %q, want %q", r.EventID, name, got, want)
			}
		}
		seen.add("python", r.EventID, r.ClassID, r.Version, r.Value)
	})

	var writers sync.WaitGroup
	writers.Go(func() { s.run(asyncpg, append([]string{"writer.py", asyncpg, "60"}, classes...)...) })
	writers.Go(func() { writeInGo(t, pg, redis, 60) })
	writers.Wait()
	const delivered = 40 - 12 + 60 + 60
	seen.wait(t, "python", delivered)
	seen.wait(t, "go", delivered)

	want := map[string][]int{}
	for _, class := range classes {
		for version := 12/len(classes) + 1; version <= 160/len(classes); version++ {
			want[class] = append(want[class], version)
		}
	}
	for _, consumer := range []string{"python", "go"} {
		equal(t, consumer+": the versions of each class, in the order of their first delivery", want, seen.versions(t, consumer))
	}
	equal(t, "values", storedValues(t, pg), seen.values("python"))
	if wakes.Load() == 0 {
		t.Error("Redis never woke the relay")
	}
	var counted int
	must(t, pg.Pool.QueryRow(t.Context(), `SELECT count(*) FROM event_outbox
		WHERE retry_count <> 0 OR last_error IS NOT NULL OR published_at IS NULL`).Scan(&counted))
	equal(t, "rows that failed or wait", 0, counted)

	// Then the downgrade. The migration is removed too, so that Alembic compares the
	// models again.
	endPython()
	endGo()
	endRelay()
	s.alembic(psycopg, "downgrade", "-1")
	equal(t, "the shape after the way back", before, shape(t, pg))
	var rows int
	must(t, pg.Pool.QueryRow(t.Context(), `SELECT count(*) FROM event_outbox`).Scan(&rows))
	equal(t, "rows", 160, rows)
	withoutFilter()
	must(t, os.Remove(upgrade))
	equal(t, "what autogenerate proposes at the end", "No new upgrade operations detected.\n", s.alembic(psycopg, "check"))
	s.run(psycopg, append([]string{"writer.py", psycopg, "1"}, classes...)...)
}

// startRelay starts a relay that Redis wakes, until end is called, and returns
// how often that happened.
func startRelay(t *testing.T, pg *services.PG, redis *services.RedisServer, k *services.KafkaCluster) (end func(), wakes *atomic.Int64) {
	t.Helper()
	conn, err := pgx.ParseConfig(pg.URL)
	must(t, err)
	store, err := pgstore.New(pgstore.Config{Conn: conn, Logger: quiet()})
	must(t, err)
	sink, err := kafkasink.New(kafkasink.Config{Opts: []kgo.Opt{kgo.SeedBrokers(k.Brokers...)}})
	must(t, err)
	source := &counted{WakeSource: wake.RedisSource(rueidis.ClientOption{InitAddress: []string{redis.Addr}}, events.Service, wake.SourceOptions{Logger: quiet()})}
	r, err := relay.New(relay.Config{Name: events.Service, Store: store, Sink: sink, Wake: source, Logger: quiet()})
	must(t, err)
	return background(t, "relay", r.Run), &source.wakes
}

// counted counts the wake-ups that come from a source.
type counted struct {
	relay.WakeSource
	wakes atomic.Int64
}

func (c *counted) Wait(ctx context.Context) error {
	err := c.WakeSource.Wait(ctx)
	if err == nil {
		c.wakes.Add(1)
	}
	return err
}

// writeInGo does the same as writer.py, with the generated package.
func writeInGo(t *testing.T, pg *services.PG, redis *services.RedisServer, n int) {
	t.Helper()
	waker := wake.RedisLazy(rueidis.ClientOption{InitAddress: []string{redis.Addr}}, events.Service)
	defer waker.Close()
	ob := outbox.New(pg.Pool, outbox.Options{Waker: waker, Logger: quiet()})
	defer ob.Close()
	for i := range n {
		class := classes[i%len(classes)]
		err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
			var version int
			if err := tx.QueryRow(ctx, `UPDATE classes SET version = version + 1 WHERE id = $1 RETURNING version`, class).Scan(&version); err != nil {
				return err
			}
			return events.InsertClassUpdatedV1(ctx, tx, events.NewClassUpdatedV1(events.ClassUpdatedV1{
				ClassID: class, UserID: "teacher-å", ClassDesignation: outbox.Value(strconv.Itoa(version)),
				CorrelationID: uuid.New(), Timestamp: time.Now(),
			}))
		})
		if err != nil {
			t.Errorf("write in Go: %v", err)
			return
		}
	}
}

func consumeInGo(t *testing.T, k *services.KafkaCluster, seen *deliveries) (end func()) {
	t.Helper()
	router := consume.NewRouter()
	events.OnClassUpdatedV1(router, func(_ context.Context, e outbox.Envelope[events.ClassUpdatedV1]) error {
		version, _ := e.Data.ClassDesignation.Get()
		seen.add("go", e.EventID.String(), e.Data.ClassID, version, "")
		return nil
	})
	cfg := kafka.Config{Brokers: k.Brokers, Group: "go-" + uuid.NewString(), Topics: []string{topic}, Router: router, Logger: quiet()}
	return background(t, "consumer in Go", func(ctx context.Context) error { return kafka.Run(ctx, cfg) })
}

// background runs f until the returned function is called or the test ends.
func background(t *testing.T, what string, f func(context.Context) error) (end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	result := make(chan error, 1)
	go func() { result <- f(ctx) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-result; err != nil {
			t.Errorf("the %s ended with %v", what, err)
		}
	})
	t.Cleanup(end)
	return end
}

// deliveries has the events that each consumer got, each once.
type deliveries struct {
	mu      sync.Mutex
	got     map[string][]delivery // by consumer
	known   map[string]bool       // consumer and id
	arrived chan struct{}
}

type delivery struct{ id, class, version, value string }

func newDeliveries() *deliveries {
	return &deliveries{got: map[string][]delivery{}, known: map[string]bool{}, arrived: make(chan struct{}, 1)}
}

func (d *deliveries) add(consumer, id, class, version, value string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known[consumer+id] {
		return
	}
	d.known[consumer+id] = true
	d.got[consumer] = append(d.got[consumer], delivery{id, class, version, value})
	select {
	case d.arrived <- struct{}{}:
	default:
	}
}

func (d *deliveries) count(consumer string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.got[consumer])
}

// wait waits until a consumer has n events.
func (d *deliveries) wait(t *testing.T, consumer string, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for d.count(consumer) < n {
		select {
		case <-d.arrived:
		case <-ctx.Done():
			t.Fatalf("after %s the consumer in %s has %d of %d events", patience, consumer, d.count(consumer), n)
		}
	}
}

// versions returns the versions of each class in the order of arrival.
func (d *deliveries) versions(t *testing.T, consumer string) map[string][]int {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	all := map[string][]int{}
	for _, e := range d.got[consumer] {
		version, err := strconv.Atoi(e.version)
		must(t, err)
		all[e.class] = append(all[e.class], version)
	}
	return all
}

// values returns the values of the records, sorted.
func (d *deliveries) values(consumer string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []string
	for _, e := range d.got[consumer] {
		all = append(all, e.value)
	}
	slices.Sort(all)
	return all
}

// storedValues returns event_data of the rows that the new relay has published, sorted.
func storedValues(t *testing.T, pg *services.PG) []string {
	t.Helper()
	all := texts(t, pg, `SELECT event_data::text FROM event_outbox WHERE seq > 12`)
	slices.Sort(all)
	return all
}

// shape returns the columns and indexes of the service's tables.
func shape(t *testing.T, pg *services.PG) []string {
	t.Helper()
	columns := texts(t, pg, `SELECT concat_ws(' ', table_name, column_name, data_type, character_maximum_length, is_nullable, column_default)
		FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1`)
	return append(columns, texts(t, pg, `SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1`)...)
}

func texts(t *testing.T, pg *services.PG, query string) []string {
	t.Helper()
	rows, err := pg.Pool.Query(t.Context(), query)
	must(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	return all
}

func execute(t *testing.T, pg *services.PG, query string) {
	t.Helper()
	_, err := pg.Pool.Exec(t.Context(), query)
	must(t, err)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
