package endtoend_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/kafkasink"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/testdata/service/events"
	"github.com/outboxgen/outboxgen/testdata/service/grading"
	"github.com/outboxgen/outboxgen/testdata/service/migrations"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(services.Wrap(m)) }

// topic is the topic of the sample service's events.
const topic = "grading.essay.graded.v1"

// patience bounds every wait.
const patience = time.Minute

// path is a service, its database and a Kafka. The topics of generated packages
// have fixed names, so the tests on one Kafka run one after the other.
type path struct {
	t     *testing.T
	pg    *services.PG
	kafka *services.KafkaCluster
	ob    *outbox.Outbox
	grade *grading.Service
}

// each runs the test on every Kafka and every Postgres. The topics exist.
func each(t *testing.T, test func(p *path), topics ...string) {
	t.Helper()
	services.EachKafka(t, func(t *testing.T, k *services.KafkaCluster) {
		services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
			for _, name := range topics {
				k.CreateTopic(t, name, 3)
			}
			test(newPath(t, pg, k, nil))
		})
	})
}

func newPath(t *testing.T, pg *services.PG, k *services.KafkaCluster, waker outbox.Waker) *path {
	t.Helper()
	if err := migrations.Up(t.Context(), pg.Connect(t.Context())); err != nil {
		t.Fatal(err)
	}
	ob := outbox.New(pg.Pool, outbox.Options{Waker: waker, Logger: quiet()})
	t.Cleanup(ob.Close)
	return &path{t: t, pg: pg, kafka: k, ob: ob, grade: grading.New(ob)}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// relay starts a relay, which ends with the test.
func (p *path) relay(change ...func(*relay.Config)) {
	p.t.Helper()
	conn, err := pgx.ParseConfig(p.pg.URL)
	if err != nil {
		p.t.Fatal(err)
	}
	store, err := pgstore.New(pgstore.Config{Conn: conn, Logger: quiet()})
	if err != nil {
		p.t.Fatal(err)
	}
	sink, err := kafkasink.New(kafkasink.Config{Opts: []kgo.Opt{kgo.SeedBrokers(p.kafka.Brokers...)}})
	if err != nil {
		p.t.Fatal(err)
	}
	cfg := relay.Config{Name: events.Service, Store: store, Sink: sink, Logger: quiet()}
	for _, c := range change {
		c(&cfg)
	}
	r, err := relay.New(cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	p.run("relay", r.Run)
}

// consume starts a member of a new group, which reads from the beginning.
func (p *path) consume(router *consume.Router, topics ...string) (end func()) {
	p.t.Helper()
	cfg := kafka.Config{
		Brokers: p.kafka.Brokers, Group: "endtoend-" + uuid.NewString(), Topics: topics, Router: router, Logger: quiet(),
		Options: []kgo.Opt{kgo.MetadataMinAge(50 * time.Millisecond), kgo.FetchMaxWait(100 * time.Millisecond)},
	}
	return p.run("consumer", func(ctx context.Context) error { return kafka.Run(ctx, cfg) })
}

// run runs f until the returned function is called or the test ends.
func (p *path) run(what string, f func(context.Context) error) (end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.t.Context()))
	result := make(chan error, 1)
	go func() { result <- f(ctx) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-result; err != nil {
			p.t.Errorf("the %s ended with %v", what, err)
		}
	})
	p.t.Cleanup(end)
	return end
}

// eventually waits until the query returns true.
func (p *path) eventually(what, query string, args ...any) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var ok bool
		if err := p.pg.Pool.QueryRow(ctx, query, args...).Scan(&ok); err != nil && ctx.Err() == nil {
			p.t.Fatalf("wait until %s: %v", what, err)
		}
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.t.Fatalf("after %s still not: %s", patience, what)
		}
	}
}

// published waits until n rows are published, and checks that there are no others.
func (p *path) published(n int) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("%d rows are published", n), `select count(published_at) >= $1 from event_outbox`, n)
	if rows := len(p.rows()); rows != n {
		p.t.Errorf("the outbox has %d rows, want %d", rows, n)
	}
}

// requireNothingCounted checks that no row has a counted attempt.
func (p *path) requireNothingCounted() {
	p.t.Helper()
	for _, r := range p.rows() {
		if r.RetryCount != 0 || r.LastError != nil || r.DeadAt != nil {
			p.t.Errorf("the row %s has retry_count %d, last_error %v, dead_at %v", r.ID, r.RetryCount, r.LastError, r.DeadAt)
		}
	}
}

// row is a row of the outbox as SQL gives it.
type row struct {
	ID         uuid.UUID
	EventType  string
	Topic      string
	Key        *string
	Data       string
	Headers    *string
	RetryCount int
	LastError  *string
	DeadAt     *time.Time
}

// rows returns all rows, in the order of seq.
func (p *path) rows() []row {
	p.t.Helper()
	found, err := p.pg.Pool.Query(p.t.Context(), `select id, event_type, coalesce(topic, '') as topic, event_key as key, coalesce(event_data::text, '') as data,
		headers::text, retry_count, last_error, dead_at from event_outbox order by seq`)
	if err != nil {
		p.t.Fatal(err)
	}
	rows, err := pgx.CollectRows(found, pgx.RowToStructByName[row])
	if err != nil {
		p.t.Fatal(err)
	}
	return rows
}

// records reads all records of the topics, in the order of each partition, with a plain
// client.
func (p *path) records(topics ...string) []*kgo.Record {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(p.kafka.Brokers...), kgo.ConsumeTopics(topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		p.t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topics...)
	if err != nil {
		p.t.Fatal(err)
	}
	var n int64
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	var records []*kgo.Record
	for int64(len(records)) < n {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			p.t.Fatalf("%d of %d records read: %v", len(records), n, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

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
