package debezium_test

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/internal/debezium"
	"github.com/outboxgen/outboxgen/cmd/internal/freeport"
	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/kafkasink"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/testdata/service/events"
	"github.com/outboxgen/outboxgen/testdata/service/migrations"
)

// patience bounds every wait, and partitions is how many each topic has.
const (
	patience   = 2 * time.Minute
	pause      = 50 * time.Millisecond
	partitions = 6
)

// heartbeats is the topic of the connector's heartbeats. While it is missing, the connector
// publishes nothing.
const heartbeats = "__debezium-heartbeat.outbox"

// lab is a database that Debezium can read, with the tables of the sample service, and a
// Kafka.
type lab struct {
	t     *testing.T
	pg    *services.PG
	kafka *services.KafkaCluster
	ob    *outbox.Outbox
	tcp   *pgx.ConnConfig // the database's address for Debezium
}

func newLab(t *testing.T, topics ...string) *lab {
	t.Helper()
	if testing.Short() {
		t.Skip("it runs Kafka Connect")
	}
	if !debezium.Available() {
		if slices.Contains(strings.Split(os.Getenv("OUTBOXGEN_REQUIRE"), ","), "debezium") {
			t.Fatal(`no Debezium: run "make debezium"`)
		}
		t.Skip(`no Debezium: run "make debezium"`)
	}
	port, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t}
	l.kafka = services.PrivateKafka(t, "message.max.bytes=8000000", "replica.fetch.max.bytes=8000000")
	for _, topic := range topics {
		l.kafka.CreateTopic(t, topic, partitions)
	}
	l.kafka.CreateTopic(t, heartbeats, 1)
	l.pg = services.Postgres(t, services.Setting("wal_level", "logical"), services.Setting("fsync", "off"),
		services.Setting("listen_addresses", "127.0.0.1"), services.Setting("port", port))
	if err := migrations.Up(t.Context(), l.pg.Connect(t.Context())); err != nil {
		t.Fatal(err)
	}
	if l.tcp, err = pgx.ParseConfig(l.pg.URL); err != nil {
		t.Fatal(err)
	}
	l.tcp.Host = "127.0.0.1"
	l.ob = outbox.New(l.pg.Pool, outbox.Options{Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(l.ob.Close)
	return l
}

// context ends after the patience of the test.
func (l *lab) context() context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.t.Context()), patience)
	l.t.Cleanup(cancel)
	return ctx
}

// relay starts a relay. The returned function stops it.
func (l *lab) relay() (stop func()) {
	l.t.Helper()
	conn, err := pgx.ParseConfig(l.pg.URL)
	if err != nil {
		l.t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	store, err := pgstore.New(pgstore.Config{Conn: conn, Logger: quiet})
	if err != nil {
		l.t.Fatal(err)
	}
	sink, err := kafkasink.New(kafkasink.Config{Opts: []kgo.Opt{kgo.SeedBrokers(l.kafka.Brokers...)}})
	if err != nil {
		l.t.Fatal(err)
	}
	r, err := relay.New(relay.Config{Name: events.Service, Store: store, Sink: sink, Logger: quiet})
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(l.t.Context()))
	result := make(chan error, 1)
	go func() { result <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-result; err != nil {
			l.t.Errorf("the relay ended with %v", err)
		}
	})
	l.t.Cleanup(stop)
	return stop
}

// eventually waits until the query returns true.
func (l *lab) eventually(what, query string, args ...any) {
	l.t.Helper()
	ctx := l.context()
	err := wait.Until(ctx, pause, func() (yes bool, err error) {
		err = l.pg.Pool.QueryRow(ctx, query, args...).Scan(&yes)
		return yes, err
	})
	if err != nil {
		l.t.Fatalf("wait until %s: %v", what, err)
	}
}

// read reads n records of topics, by offset in each partition.
func (l *lab) read(n int, topics ...string) (list []*kgo.Record) {
	l.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(l.kafka.Brokers...), kgo.ConsumeTopics(topics...))
	if err != nil {
		l.t.Fatal(err)
	}
	defer client.Close()
	ctx := l.context()
	for len(list) < n {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			l.t.Fatalf("%d of %d records of %s: %v", len(list), n, strings.Join(topics, ", "), err)
		}
		list = append(list, fetches.Records()...)
	}
	if len(list) != n {
		l.t.Fatalf("%d records of %s, not %d", len(list), strings.Join(topics, ", "), n)
	}
	return list
}

// until reads the types of a topic's events until the function returns true.
func (l *lab) until(connect *debezium.Connect, topic string, last func(name string) bool) {
	l.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(l.kafka.Brokers...), kgo.ConsumeTopics(topic))
	if err != nil {
		l.t.Fatal(err)
	}
	defer client.Close()
	ctx := l.context()
	for found := false; !found; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			l.t.Fatalf("read %s: %v\nthe log of Kafka Connect:\n%s", topic, err, connect.Log())
		}
		fetches.EachRecord(func(r *kgo.Record) { found = last(header(r, "event_type")) || found })
	}
}
