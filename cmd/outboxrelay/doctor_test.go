//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/runbook"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// examined runs doctor and returns its findings.
func examined(t *testing.T, env map[string]string, args ...string) (answer, []diagnosis) {
	t.Helper()
	got := call(env, append([]string{"doctor", "--json", "--watch", "0"}, args...)...)
	var report struct {
		Outbox   string
		Findings []diagnosis
	}
	if err := json.Unmarshal([]byte(got.Stdout), &report); err != nil {
		t.Fatalf("%v in %+v", err, got)
	}
	return got, report.Findings
}

// worse lists the findings that are a problem or a warning.
func worse(found []diagnosis) []string {
	var out []string
	for _, f := range found {
		if strings.HasPrefix(f.What, "fsync is off on the server") {
			continue // it is, on a server for tests
		}
		if f.Level == broken || f.Level == risky {
			out = append(out, fmt.Sprintf("%s %s: %s", f.Level, f.Check, f.What))
		}
	}
	return out
}

// An outbox with a running relay has no findings, and doctor changes nothing.
func TestDoctorOfAHealthyOutbox(t *testing.T) {
	t.Parallel()
	services.EachKafka(t, func(t *testing.T, k *services.KafkaCluster) {
		pg := services.Postgres(t, services.Private()) // sessions of other tests would be findings
		if err := migrations.Up(t.Context(), pg.Connect(t.Context())); err != nil {
			t.Fatal(err)
		}
		h := &handedOver{pool: pg.Pool, kafka: k, topic: k.NewTopic(t, "orders", 1)}
		leader := startProcess(t, pg.URL, k)
		h.insert(t, 10)
		until(t, "it leads", func() bool { return leader.leads(t) && h.published(t) })
		env := map[string]string{"DATABASE_URL": pg.URL, "KAFKA_BROKERS": strings.Join(k.Brokers, ",")}
		got, found := examined(t, env)
		if bad := worse(found); got.Code != exitcode.OK || bad != nil {
			t.Errorf("exit %d, findings %q\n%s", got.Code, bad, got.Stderr)
		}
		var checks []string
		for _, f := range found {
			checks = append(checks, f.Check)
		}
		for _, check := range []string{"setup", "sessions", "clock", "vacuum", "disk", "bloat", "relays", "rows", "kafka", "topics", "row size", "wake-ups"} {
			if !slices.Contains(checks, check) {
				t.Errorf("no finding about %s in %q", check, checks)
			}
		}
		text := call(env, "doctor")
		if text.Code != exitcode.OK || !strings.HasPrefix(text.Stdout, "outbox event_outbox: 0 problems, ") {
			t.Errorf("%+v", text)
		}
	})
}

// Each fault is found, with its fix.
func TestDoctorFindsFaults(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	orders := k.NewTopic(t, "orders", 1, "max.message.bytes=100000")
	thin := k.NewTopic(t, "thin", 1, "min.insync.replicas=9")
	tests := []struct {
		name  string
		spoil string
		args  []string
		level level
		check string
		what  string // a part of it
		fix   string // a part of it
		see   runbook.Incident
	}{
		{name: "an index is missing", spoil: `DROP INDEX ix_event_outbox_tx`,
			level: broken, check: "setup", what: "event_outbox lacks an index", fix: "CREATE INDEX ix_event_outbox_tx ON event_outbox (tx)"},
		{name: "a unique index over unpublished rows", spoil: `CREATE UNIQUE INDEX once ON event_outbox (aggregate_id) WHERE published_at IS NULL`,
			level: risky, check: "setup", what: "a unique index of event_outbox refuses events", fix: `DROP INDEX "public".once`},
		{name: "replicas are missing", spoil: `UPDATE event_outbox SET topic = '` + thin + `'`,
			level: broken, check: "topics", what: "topic " + thin + ": 1 of 1 partitions have fewer replicas in sync than min.insync.replicas", fix: "bring back the brokers", see: runbook.BrokerDown},
		{name: "an index that is not valid", spoil: `CREATE INDEX broken ON event_outbox (event_type); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass`,
			level: risky, check: "indexes", what: "the index broken of event_outbox is not valid", fix: "DROP INDEX CONCURRENTLY broken"},
		{name: "a table is missing", spoil: `DROP TABLE event_outbox_delayed`,
			level: broken, check: "setup", what: "event_outbox_delayed is missing", fix: "outboxgen migration"},
		{name: "the sequence is behind", spoil: `SELECT setval('event_outbox_seq_seq', 1)`,
			level: broken, check: "setup", what: "stands at 1, below the highest seq", fix: "stop the writers, then SELECT setval("},
		{name: "autovacuum is off", spoil: `ALTER TABLE event_outbox SET (autovacuum_enabled = off)`,
			level: broken, check: "vacuum", what: "autovacuum is off for event_outbox", fix: `ALTER TABLE "event_outbox" RESET (autovacuum_enabled)`, see: runbook.TableBloated},
		{name: "an index of the audit is missing", spoil: `DROP INDEX ix_event_outbox_audit_open`,
			level: notable, check: "audit", what: "event_outbox_audit lacks an index", fix: "outboxgen migration --pauses"},
		{name: "an index of the audit is missing, and a relay warns of it", spoil: `DROP INDEX ix_event_outbox_audit_pauses`,
			level: risky, check: "setup", what: "event_outbox_audit lacks an index", fix: "outboxgen migration --pauses"},
		{name: "from before pauses", spoil: `ALTER TABLE event_outbox_audit DROP CONSTRAINT event_outbox_audit_action_check;
			ALTER TABLE event_outbox_audit ADD CONSTRAINT event_outbox_audit_action_check CHECK (action IN ('replay', 'discard', 'cancel', 'send-now'))`,
			level: notable, check: "audit", what: "event_outbox_audit is from before pauses", fix: "outboxgen migration --pauses"},
		{name: "nobody leads", spoil: `SELECT`,
			level: risky, check: "relays", what: "no relay leads", fix: "outboxrelay run", see: runbook.RelayFrozen},
		{name: "a leader that is gone", spoil: `INSERT INTO event_outbox_lease (epoch, holder, updated_at) VALUES (1, gen_random_uuid(), now() - interval '1 hour')`,
			level: broken, check: "relays", what: "the leader's last heartbeat was 1h0m", fix: "outboxrelay run", see: runbook.RelayFrozen},
		{name: "a leader with other settings", spoil: `INSERT INTO event_outbox_lease (epoch, holder, state)
			VALUES (1, gen_random_uuid(), '{"led": {"host": "h", "pid": 7, "settings": {"term": "3s", "on_dead": "block", "strip_routing": "false", "settle": "mark"}}}')`,
			level: broken, check: "relays", what: `setting on_dead is "park" here and "block" at the leader (h, pid 7)`, fix: "set the same value for all relays"},
		{name: "rows are published and nobody leads", spoil: `UPDATE event_outbox SET published_at = now()`,
			level: broken, check: "relays", what: "although no relay leads", fix: "stop it before a relay starts", see: runbook.OldRelay},
		{name: "dead rows", spoil: `UPDATE event_outbox SET dead_at = now()`,
			level: broken, check: "rows", what: "3 rows dead-lettered", fix: "outboxrelay dead list", see: runbook.PoisonRecord},
		{name: "a topic is missing", spoil: `UPDATE event_outbox SET topic = 'missing-topic'`,
			level: broken, check: "topics", what: "topic missing-topic: the topic does not exist", fix: "kafka-topics.sh --create --topic missing-topic", see: runbook.TopicMissing},
		{name: "a topic is missing, and its rows were published", spoil: `UPDATE event_outbox SET topic = 'retired-topic', published_at = now() - interval '1 hour'`,
			level: notable, check: "topics", what: "topic retired-topic: the topic does not exist", fix: "kafka-topics.sh --create --topic retired-topic", see: runbook.TopicMissing},
		{name: "a row is too large", spoil: `UPDATE event_outbox SET event_data = json_build_object('x', repeat('y', 200000)) WHERE seq = 2`,
			level: broken, check: "row size", what: "and topic " + orders + " takes 100000 (max.message.bytes)", fix: "--entity-name " + orders + " --add-config max.message.bytes=1048576", see: runbook.PoisonRecord},
		{name: "a row is too large before compression", args: []string{"--compression", "zstd"},
			spoil: `UPDATE event_outbox SET event_data = json_build_object('x', repeat('y', 200000)) WHERE seq = 2`,
			level: risky, check: "row size", what: "bytes before compression, and topic " + orders + " takes 100000", fix: "raise max.message.bytes", see: runbook.PoisonRecord},
		{name: "Kafka is away", args: []string{"--brokers", "127.0.0.1:1"}, spoil: `SELECT`,
			level: broken, check: "kafka", what: "Kafka at 127.0.0.1:1", fix: "check the brokers", see: runbook.BrokerDown},
		{name: "Kafka is away, and there are no rows", args: []string{"--brokers", "127.0.0.1:1"}, spoil: `DELETE FROM event_outbox`,
			level: broken, check: "kafka", what: "Kafka at 127.0.0.1:1", fix: "check the brokers", see: runbook.BrokerDown},
		{name: "Redis is away", args: []string{"--redis-url", "redis://127.0.0.1:1", "--service", "shop"}, spoil: `SELECT`,
			level: risky, check: "wake-ups", what: "Redis: ", fix: "start Redis"},
		{name: "the registry is away", args: []string{"--schema-id", "prefix", "--registry-url", "http://127.0.0.1:1"}, spoil: `SELECT`,
			level: broken, check: "registry", what: "the schema registry http://127.0.0.1:1 cannot be reached", fix: "outboxgen register"},
		{name: "the address is wrong", args: []string{"--schema", "nowhere"}, spoil: `SELECT`,
			level: broken, check: "setup", what: "nowhere", fix: "schema"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, env := newOutbox(t)
			env["KAFKA_BROKERS"] = k.Brokers[0]
			if _, err := conn.Exec(t.Context(), `UPDATE event_outbox SET topic = '`+orders+`'; `+tt.spoil); err != nil {
				t.Fatal(err)
			}
			got, found := examined(t, env, tt.args...)
			if !slices.ContainsFunc(found, func(f diagnosis) bool {
				return f.Level == tt.level && f.Check == tt.check && strings.Contains(f.What, tt.what) && strings.Contains(f.Fix, tt.fix) && f.See == tt.see.URL()
			}) {
				t.Errorf("no %s of %s with %q, the fix %q and the address %q in\n%s", tt.level, tt.check, tt.what, tt.fix, tt.see.URL(), got.Stdout)
			}
			if want := slices.ContainsFunc(found, func(f diagnosis) bool { return f.Level == broken }); want != (got.Code == exitcode.Failed) {
				t.Errorf("exit %d with problems %v", got.Code, want)
			}
		})
	}
}

// Fixes can be copied: they have the schema, and names as SQL and the shell read them.
func TestDoctorsFixesAreQuoted(t *testing.T) {
	conn, env := newOutbox(t)
	if _, err := conn.Exec(t.Context(), `CREATE SCHEMA "Shop's";
		ALTER TABLE event_outbox SET SCHEMA "Shop's"; ALTER TABLE event_outbox_audit SET SCHEMA "Shop's";
		ALTER TABLE event_outbox_lease SET SCHEMA "Shop's"; ALTER TABLE event_outbox_delayed SET SCHEMA "Shop's"; SET search_path = "Shop's";
		CREATE INDEX "Bad one" ON event_outbox (event_type); UPDATE pg_index SET indisvalid = false WHERE indexrelid = '"Bad one"'::regclass;
		ALTER TABLE event_outbox SET (autovacuum_enabled = off); DROP INDEX ix_event_outbox_audit_open;
		INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, reason) VALUES
			('ann', 'pause', 0, gen_random_uuid(), '', 'my orders', 'x'), ('ann', 'pause', 0, gen_random_uuid(), '', '-x', 'x'), ('ann', 'pause', 0, gen_random_uuid(), '', NULL, 'x')`); err != nil {
		t.Fatal(err)
	}
	_, found := examined(t, env, "--schema", "Shop's", "--sink", "stdout")
	var fixes []string
	for _, f := range found {
		fixes = append(fixes, f.Fix)
	}
	for _, want := range []string{
		`DROP INDEX CONCURRENTLY "Shop's"."Bad one"; then create it again`,
		`ALTER TABLE "Shop's"."event_outbox" RESET (autovacuum_enabled)`,
		`outboxgen migration --pauses --schema 'Shop'\''s' --format sql | psql "$DATABASE_URL"`,
		`outboxrelay resume 'my orders'`, `outboxrelay resume -- -x`, `outboxrelay resume --all`,
	} {
		if !slices.Contains(fixes, want) {
			t.Errorf("no fix %q in %q", want, fixes)
		}
	}
}

// Other sessions: a transaction that is open for long, and a relay of another kind.
func TestDoctorFindsSessions(t *testing.T) {
	conn, env := newOutbox(t)
	config := conn.Config().Copy()
	config.RuntimeParams["application_name"] = "legacy-relay"
	legacy, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = legacy.Close(t.Context()) })
	if _, err := legacy.Exec(t.Context(), `UPDATE public.event_outbox SET published_at = now() WHERE false`); err != nil {
		t.Fatal(err)
	}
	_, found := examined(t, env, "--sink", "stdout")
	if !slices.ContainsFunc(found, func(f diagnosis) bool {
		return f.Level == risky && strings.Contains(f.What, `application "legacy-relay", from `) && strings.Contains(f.What, "has changed event_outbox") && f.See == runbook.OldRelay.URL()
	}) {
		t.Errorf("the other relay is not found: %q", worse(found))
	}
}

// logins creates a role for the relay and one for an operator, with the privileges that
// outboxgen migration --grants prints.
func logins(t *testing.T, pg *services.PG) (relayURL, operatorURL string) {
	t.Helper()
	roles := migrations.Roles{Relay: "r_" + pg.Database, Operator: "o_" + pg.Database}
	files, err := migrations.Files(migrations.Migrate, migrations.Options{Kind: migrations.KindGrants, Number: 1, Schema: "public", Roles: roles})
	if err != nil {
		t.Fatal(err)
	}
	as := func(role string) string {
		quoted := pgx.Identifier{role}.Sanitize()
		if _, err := pg.Pool.Exec(t.Context(), "CREATE ROLE "+quoted+" LOGIN PASSWORD 'secret-of-a-test'"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if _, err := pg.Pool.Exec(context.Background(), "DROP OWNED BY "+quoted+"; DROP ROLE "+quoted); err != nil {
				t.Error(err)
			}
		})
		u, err := url.Parse(pg.URL)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(role, "secret-of-a-test")
		return u.String()
	}
	relayURL, operatorURL = as(roles.Relay), as(roles.Operator)
	if _, err := pg.Pool.Exec(t.Context(), string(files[1].Content), pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	return relayURL, operatorURL
}

// An operator's role sees the rest, and is told that it lacks the relay's privileges.
func TestDoctorAsAnOperator(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	if err := migrations.Up(t.Context(), pg.Connect(t.Context())); err != nil {
		t.Fatal(err)
	}
	relayURL, operatorURL := logins(t, pg)
	_, found := examined(t, map[string]string{"DATABASE_URL": operatorURL}, "--sink", "stdout")
	if !slices.ContainsFunc(found, func(f diagnosis) bool { return f.Check == "setup" && strings.Contains(f.What, "lacks") }) {
		t.Errorf("findings %q, want the privileges of a relay", worse(found))
	}
	if !slices.ContainsFunc(found, func(f diagnosis) bool { return f.Check == "vacuum" && f.Level == healthy }) {
		t.Errorf("an operator's role cannot look at the tables: %q", worse(found))
	}
	_, found = examined(t, map[string]string{"DATABASE_URL": relayURL}, "--sink", "stdout")
	if !slices.ContainsFunc(found, func(f diagnosis) bool {
		return f.Level == notable && strings.HasPrefix(f.What, "what sessions of other roles do is not visible to the role ") && strings.HasPrefix(f.Fix, "GRANT pg_read_all_stats TO ")
	}) {
		t.Errorf("doctor does not say that it cannot see another relay: %+v", found)
	}
	if got := worse(found); len(got) != 1 || got[0] != "warning relays: no relay leads" {
		t.Errorf("with the relay's role: %q", got)
	}
	_, found = examined(t, map[string]string{"DATABASE_URL": relayURL}, "--sink", "stdout", "--watch", "1001ms")
	if !slices.ContainsFunc(found, func(f diagnosis) bool {
		return f.Level == risky && strings.HasPrefix(f.What, "what sessions of other roles do is not visible to the role ") && f.See == runbook.OldRelay.URL()
	}) {
		t.Errorf("doctor --watch does not warn that it cannot see another relay: %+v", found)
	}
}
