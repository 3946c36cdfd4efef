package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// An outbox is published as a table, moves to a log, is published as a log, and moves back.
// A relay with the other setting refuses to start and says why.
func TestStoreOfAnOutbox(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	pg := services.Postgres(t)
	if err := migrations.Up(t.Context(), pg.Connect(t.Context())); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"DATABASE_URL": pg.URL, "KAFKA_BROKERS": k.Brokers[0]}
	topic := k.NewTopic(t, "orders", 1)
	insert := func() {
		t.Helper()
		_, err := pg.Pool.Exec(t.Context(), `
			INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data)
			VALUES (gen_random_uuid(), 'order', '1', 'changed', $1, 'k', '{}') ON CONFLICT (id) DO NOTHING`, topic)
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct{ store, other, refusal string }{
		{"table", "log", "is a table, and the relay's setting store is log"},
		{"log", "table", "is a log, and the relay's setting store is table"},
		{"table", "log", "is a table, and the relay's setting store is log"},
	} {
		if got := call(env, "run", "--listen", "", "--store", step.other); got.Code != exitcode.Failed || !strings.Contains(got.Stderr, step.refusal) {
			t.Errorf("a relay with store %s of a %s: %+v", step.other, step.store, got)
		}
		leader := startProcess(t, pg.URL, k, "--store", step.store)
		until(t, "it leads", func() bool { return leader.leads(t) })
		insert()
		until(t, "the event is published", func() bool {
			got := call(env, "status", "--json")
			return got.Code == exitcode.OK && strings.Contains(got.Stdout, `"pending":0`)
		})
		if got := call(env, "doctor", "--store", step.store, "--json"); strings.Contains(got.Stdout, `"level":"problem"`) {
			t.Errorf("the doctor says of a %s:\n%s", step.store, got.Stdout)
		}
		got := call(env, "store", "migrate", "--to", step.other)
		if got.Code != exitcode.Misuse || !strings.Contains(got.Stderr, "add --yes to do it: outboxrelay store migrate --to="+step.other+" --yes") ||
			!strings.Contains(got.Stdout, "event_outbox would become a "+step.other+": 0 rows would be copied, and writers would wait about 200ms, and 10s at most") ||
			strings.Contains(got.Stderr, "a log lacks the columns") != (step.other == "log") {
			t.Errorf("without --yes: %+v", got)
		}
		if got := call(env, "store", "migrate", "--to", step.other, "--yes"); got.Code != exitcode.OK || !strings.Contains(got.Stdout, "event_outbox is a "+step.other+" now") {
			t.Fatalf("migrate: %+v", got)
		}
		<-leader.ended
		if _, err := pg.Pool.Exec(t.Context(), `
			DROP VIEW IF EXISTS event_outbox_before_history;
			DROP TABLE IF EXISTS event_outbox_before, event_outbox_before_cursor, event_outbox_before_late, event_outbox_before_failed,
				event_outbox_before_tick, event_outbox_before_deleted`); err != nil {
			t.Fatal(err)
		}
	}
	if got := call(env, "store", "adopt", "--yes"); got.Code != exitcode.OK || !strings.HasPrefix(got.Stdout, "adopted: events with seq ") {
		t.Errorf("adopt: %+v", got)
	}
	if got := call(env, "purge", "--retention", "24h", "--dry-run"); got.Code != exitcode.Failed || !strings.Contains(got.Stderr, "set a shorter retention") {
		t.Errorf("purge: %+v", got)
	}
}

// A move was interrupted in its search. The command says that it would continue that, and does it.
func TestStoreMigrateContinuesItsSearch(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	conn := pg.Connect(t.Context())
	if err := migrations.Up(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"DATABASE_URL": pg.URL}
	if got := call(env, "store", "migrate", "--to", "log", "--yes"); got.Code != exitcode.OK {
		t.Fatalf("migrate: %+v", got)
	}
	if _, err := conn.Exec(t.Context(), `COMMENT ON TABLE event_outbox_before IS 'not searched after seq 0 up to seq 6'`); err != nil {
		t.Fatal(err)
	}
	got := call(env, "store", "migrate", "--to", "log")
	if got.Code != exitcode.Misuse || got.Stdout != "event_outbox is a log already; its former rows up to seq 6 would be searched\n" ||
		!strings.Contains(got.Stderr, "nothing was changed: this continues the search of an earlier move; add --yes to do it") {
		t.Errorf("without --yes: %+v", got)
	}
	if got := call(env, "store", "migrate", "--to", "log", "--yes"); got.Code != exitcode.OK || !strings.Contains(got.Stdout, "event_outbox is a log now; 0 rows copied, the search is done") {
		t.Errorf("with --yes: %+v", got)
	}
}

// The commands about a store need the owner of the tables, and say so.
func TestStoreNeedsTheOwner(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	if err := migrations.Up(t.Context(), pg.Connect(t.Context())); err != nil {
		t.Fatal(err)
	}
	_, operatorURL := logins(t, pg)
	env := map[string]string{"DATABASE_URL": operatorURL}
	for _, args := range [][]string{{"store", "migrate", "--to", "log", "--yes"}, {"store", "adopt", "--yes"}} {
		got := call(env, args...)
		if got.Code != exitcode.Failed || !strings.Contains(got.Stderr, "log in as the owner, or as a role that can act as the owner") ||
			strings.Contains(got.Stderr, "outbox_operator") || strings.Contains(got.Stderr, "storeadmin") {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

// A relay does everything for an outbox that its store can do: a method that is not passed on, such
// as the one that makes and drops the partitions of a log, would never be called.
func TestTheRelayUsesAllThatAStoreCanDo(t *testing.T) {
	t.Parallel()
	conn, err := pgx.ParseConfig("postgres://127.0.0.1:1/d")
	if err != nil {
		t.Fatal(err)
	}
	abilities := func(store any) (out []string) {
		for _, can := range []struct {
			what string
			it   func() bool
		}{
			{"Delayer", func() bool { _, ok := store.(relay.Delayer); return ok }},
			{"Idler", func() bool { _, ok := store.(relay.Idler); return ok }},
			{"Tidier", func() bool { _, ok := store.(relay.Tidier); return ok }},
			{"Maintainer", func() bool { _, ok := store.(relay.Maintainer); return ok }},
			{"Pauser", func() bool { _, ok := store.(relay.Pauser); return ok }},
			{"ReleaseHints", func() bool { _, ok := store.(relay.ReleaseHints); return ok }},
			{"Settings", func() bool { _, ok := store.(interface{ Settings() map[string]string }); return ok }},
		} {
			if can.it() {
				out = append(out, can.what)
			}
		}
		return out
	}
	for _, isLog := range []bool{false, true} {
		store, err := newStore(outbox{isLog: isLog}, pgstore.Config{Conn: conn})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		if diff := cmp.Diff(abilities(store), abilities(withoutSecretsOf(store, nil))); diff != "" {
			t.Errorf("of a log: %v; the store can, and the relay's store can (-want +got):\n%s", isLog, diff)
		}
	}
}

func TestALogHasNoSettleDelete(t *testing.T) {
	t.Parallel()
	got := call(map[string]string{"DATABASE_URL": "postgres://127.0.0.1:1/d"}, "run", "--store", "log", "--settle", "delete")
	if got.Code != exitcode.Misuse || !strings.Contains(got.Stderr, "setting settle: a log deletes no single rows") {
		t.Errorf("%+v", got)
	}
}
