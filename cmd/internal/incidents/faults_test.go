//go:build unix

package incidents_test

import (
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// some is how many events a test inserts at a time.
const some = 30

// withTopic creates the topic of the events.
func (s *site) withTopic(t *testing.T, settings ...string) {
	t.Helper()
	s.topic = s.kafka.NewTopic(t, eventType, 3, settings...)
}

// withPostgres uses a database, and creates the tables in it.
func (s *site) withPostgres(t *testing.T, pg *services.PG) {
	t.Helper()
	s.pg = pg
	s.variables["DB"] = pg.URL
	conn := pg.Connect(t.Context())
	if err := migrations.Up(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	s.ledger = &ledger{}
}

// usual are the lines of a settings file.
func (s *site) usual(more ...string) []string {
	return append([]string{fmt.Sprintf("database_url: %q", s.pg.URL), fmt.Sprintf("brokers: [%s]", s.variables["BROKERS"]), "name: shop"}, more...)
}

// running is a stage: a relay that has published events.
func (s *site) running(t *testing.T, settings ...string) {
	t.Helper()
	s.settings(t, settings...)
	s.add(t, "outboxrelay", s.relay())
	s.insert(t)
	s.ledger.check(t, s.kafka.Brokers, s.topic)
}

func (s *site) insert(t *testing.T) {
	t.Helper()
	s.ledger.insert(t, s.pg.URL, s.topic, some)
}

func (s *site) exec(t *testing.T, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.pg.URL) // one that ends: doctor sees who changes event_outbox
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // it was only used here
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
}

var brokerDown = incident{
	anchor: "broker-down",
	stage: func(t *testing.T, s *site) {
		s.withTopic(t)
		s.withPostgres(t, services.Postgres(t))
		s.running(t, s.usual()...)
		s.add(t, "kafka", broker{s.kafka})
	},
	fault: func(t *testing.T, s *site) {
		if err := s.kafka.Kill(); err != nil {
			t.Fatal(err)
		}
		s.insert(t)
	},
	more: func(t *testing.T, s *site) {
		s.waitFor(t, "the log says that Kafka answers again, and after how long", func() bool {
			return regexp.MustCompile(`"msg":"Kafka answers again".*"after":"[0-9.ms]+"`).MatchString(s.units["outboxrelay"].log())
		})
	},
}

var topicMissing = incident{
	anchor: "topic-missing",
	report: "Teams report that events do not arrive. The team of shop says that it sends to a new topic since today: shop.order_sent.v1.",
	stage: func(t *testing.T, s *site) {
		s.withTopic(t)
		s.withPostgres(t, services.Postgres(t))
		s.running(t, s.usual()...)
	},
	fault: func(t *testing.T, s *site) {
		s.topic = s.kafka.NewTopic(t, "shop.order_sent.v1", 1) // so that the test deletes it at the end
		s.deleteTopic(t, s.topic)
		s.variables["PARTITIONS"], s.variables["REPLICAS"] = "3", "1"
		s.ledger = &ledger{}
		s.insert(t)
	},
}

var poisonRecord = incident{
	anchor: "poison-record",
	stage: func(t *testing.T, s *site) {
		s.withTopic(t, "max.message.bytes=10000")
		s.withPostgres(t, services.Postgres(t))
		s.running(t, s.usual("max_attempts: 2", "on_dead: block")...) // ten attempts take nine minutes
	},
	fault: func(t *testing.T, s *site) {
		const poison = some + 7
		s.ledger.insertSized(t, s.pg.URL, s.topic, some, func(n int) int {
			if n == poison {
				return 50_000
			}
			return 0
		})
	},
}

var relayFrozen = incident{
	anchor: "relay-frozen",
	stage: func(t *testing.T, s *site) {
		s.withTopic(t)
		s.withPostgres(t, services.Postgres(t))
		s.running(t, s.usual()...)
		s.waitFor(t, "the leader has written where it runs", func() bool {
			var written bool
			err := s.pg.Pool.QueryRow(t.Context(), "SELECT state -> 'led' IS NOT NULL FROM event_outbox_lease").Scan(&written)
			return err == nil && written
		})
	},
	fault: func(t *testing.T, s *site) {
		s.units["outboxrelay"].(*program).child.Signal(syscall.SIGSTOP)
		s.insert(t)
	},
}

var tableBloated = incident{
	anchor: "table-bloated",
	report: "Teams report that events arrive, but later from day to day.",
	stage: func(t *testing.T, s *site) {
		s.withTopic(t)
		s.withPostgres(t, services.Postgres(t))
		s.running(t, s.usual()...)
	},
	fault: func(t *testing.T, s *site) {
		report := s.pg.Connect(t.Context())
		for _, sql := range []string{
			"SET application_name = 'monthly-report'", "BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM event_outbox",
		} {
			if _, err := report.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
		s.exec(t, `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_data, published_at)
			SELECT 'a', 'order', 'shop.order_placed.v1', 'shop.order_placed.v1', '{}', now() FROM generate_series(1, 120000)`)
		s.exec(t, `DELETE FROM event_outbox WHERE published_at IS NOT NULL`)
		s.insert(t)
	},
}

var oldRelayBesideOurs = incident{
	anchor:    "old-relay-beside-ours",
	report:    "Teams report that events arrive twice, and out of order.",
	unordered: true,
	stage: func(t *testing.T, s *site) {
		s.withTopic(t)
		s.withPostgres(t, services.Postgres(t))
		s.running(t, s.usual()...)
	},
	fault: func(t *testing.T, s *site) {
		s.add(t, "shop-outbox-worker", oldRelay(s.pg.URL, s.topic, s.kafka.Brokers, tenth))
		s.insert(t)
	},
	more: func(t *testing.T, s *site) { // from now on the order holds
		s.topic, s.ledger = s.kafka.NewTopic(t, eventType, 3), &ledger{}
		s.insert(t)
		s.ledger.check(t, s.kafka.Brokers, s.topic)
	},
}

var deadLetters = incident{
	anchor: "dead-letters-of-a-consumer",
	report: "The team of mailer misses some events. All others arrive.",
	stage: func(t *testing.T, s *site) {
		s.withTopic(t)
		s.withPostgres(t, services.Postgres(t))
		s.running(t, s.usual()...)
	},
	fault: func(t *testing.T, s *site) {
		const every = 7
		letters := s.kafka.NewTopic(t, "mailer.dead", 1)
		s.add(t, "mailer", newMailer(s, letters, func(n int) bool { return n%every == 3 }))
		s.insert(t)
	},
	more: func(t *testing.T, s *site) {
		m := s.units["mailer"].(*mailer)
		s.waitFor(t, "the mailer has handled every event", func() bool {
			lines := strings.Fields(m.handled.String())
			for n := range s.ledger.n {
				if !contains(lines, n) {
					return false
				}
			}
			return true
		})
	},
}
