//go:build unix

package relay_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// followed runs two relays and a load of writers, all of which follow the primary.
func followed(t *testing.T, s *standby, k *services.KafkaCluster, topic string) *load {
	t.Helper()
	for range 2 {
		conn, err := pgx.ParseConfig(s.eitherURL())
		if err != nil {
			t.Fatal(err)
		}
		store, err := pgstore.New(pgstore.Config{Conn: conn})
		if err != nil {
			t.Fatal(err)
		}
		start(t, relay.Config{Store: store, Sink: kafkaSink(t, k.Brokers)})
	}
	return startLoad(t, s.eitherURL(), topic)
}

// The primary dies under load and its standby is promoted. With synchronous replication
// nothing is lost: committed events are delivered in order, and delivered events are in
// the new primary.
func TestFailOverWithSynchronousReplication(t *testing.T) {
	t.Parallel()
	primary := newServer(t)
	migrated(t, primary.PG)
	k := services.KFake(t)
	topic := k.NewTopic(t, "tally", 3)
	s := newStandby(t, primary)
	// Only after the standby was created, because the new primary must not wait for a
	// standby.
	for _, sql := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
		if _, err := primary.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, primary.Pool, `SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')`)

	l := followed(t, s, k, topic)
	l.commits(t, 1000)
	eventually(t, l.pool, `SELECT EXISTS (SELECT FROM event_outbox WHERE published_at IS NOT NULL)`)
	if err := primary.Stop(t.Context(), services.Immediate); err != nil {
		t.Fatal(err)
	}
	s.promote(t)
	l.commits(t, 1000)
	l.end()
	settled(t, l.pool)
	if diff := cmp.Diff(outcome{}, l.judge(t, k.Brokers)); diff != "" {
		t.Errorf("what the fail-over did (-want +got):\n%s", diff)
	}
}

// Without synchronous replication the standby may lack the last transactions, and so
// rows that were delivered already: the database has lost them, with everything else in
// their transactions. Nothing else is lost: what the new primary has is delivered in
// order.
func TestFailOverWithoutSynchronousReplication(t *testing.T) {
	t.Parallel()
	primary := newServer(t)
	migrated(t, primary.PG)
	k := services.KFake(t)
	topic := k.NewTopic(t, "tally", 3)
	s := newStandby(t, primary)
	l := followed(t, s, k, topic)
	l.commits(t, 500)
	s.stop(t) // it falls behind
	var behind int64
	if err := l.pool.QueryRow(t.Context(), `SELECT max(seq) FROM event_outbox`).Scan(&behind); err != nil {
		t.Fatal(err)
	}
	l.commits(t, 500)
	eventually(t, l.pool, `SELECT EXISTS (SELECT FROM event_outbox WHERE seq > $1 AND published_at IS NOT NULL)`, behind)
	if err := primary.Stop(t.Context(), services.Immediate); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	s.promote(t)
	l.commits(t, 1000)
	l.end()
	settled(t, l.pool)
	got := l.judge(t, k.Brokers)
	if got.Uncommitted == 0 || got.Forgotten == 0 {
		t.Errorf("the standby lacked nothing, so this shows nothing: %+v", got)
	}
	got.Uncommitted, got.Forgotten = 0, 0
	if diff := cmp.Diff(outcome{}, got); diff != "" {
		t.Errorf("what the fail-over did (-want +got):\n%s", diff)
	}
}
