//go:build unix

package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// aboutConnectors lists the findings about a replication slot.
func aboutConnectors(found []diagnosis) []string {
	var out []string
	for _, f := range found {
		if strings.Contains(f.What, "replication slot outbox_shop") {
			out = append(out, fmt.Sprintf("%s %s: %s", f.Level, f.Check, f.What))
		}
	}
	return out
}

// readSlot reads from a slot, as Debezium does, until stop is called.
func readSlot(t *testing.T, address, slot string) (stop func()) {
	t.Helper()
	config, err := pgconn.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["replication"] = "database"
	config.RuntimeParams["application_name"] = "Debezium Streaming"
	conn, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	conn.Frontend().SendQuery(&pgproto3.Query{String: fmt.Sprintf(`START_REPLICATION SLOT %s LOGICAL 0/0 (proto_version '1', publication_names '%s')`, slot, slot)})
	if err := conn.Frontend().Flush(); err != nil {
		t.Fatal(err)
	}
	if answer, err := conn.ReceiveMessage(t.Context()); err != nil {
		t.Fatal(err)
	} else if _, ok := answer.(*pgproto3.CopyBothResponse); !ok {
		t.Fatalf("START_REPLICATION was answered with %#v", answer)
	}
	return func() { _ = conn.Close(context.Background()) }
}

// A leader that has not renewed its lease for long does not publish beside a connector. The
// command that a fix names works as it is.
func TestConnectorsBesideALeader(t *testing.T) {
	t.Parallel()
	const pause = "outboxrelay pause --config c.yaml --all --reason 'Debezium publishes this outbox: docs/debezium.md'"
	type finding struct {
		Level     level
		What, Fix string
	}
	const running = `session 7 (application "Debezium") publishes this outbox through the replication slot s, as Debezium does`
	for silent, want := range map[time.Duration]finding{
		time.Second: {broken, running + ", and a relay leads", "if Debezium is to publish: " + pause + ", and stop all relays; else stop the connector. docs/debezium.md says how to hand over without loss"},
		time.Hour:   {risky, running, pause},
	} {
		d := &doctor{o: outbox{secrets: &secret.Redactor{}, flags: " --config c.yaml"}}
		d.checkConnectors([]admin.Connector{{PID: 7, Application: "Debezium", Slot: "s", Active: true, Publishes: true}},
			admin.State{Leader: admin.Leader{Known: true, Holder: uuid.New(), Silent: silent}})
		var got []finding
		for _, f := range d.found {
			got = append(got, finding{f.Level, f.What, f.Fix})
		}
		if diff := cmp.Diff([]finding{want}, got); diff != "" {
			t.Errorf("silent for %s (-want +got):\n%s", silent, diff)
		}
	}
}

// A connector of Debezium beside a relay publishes each event twice. One that does not run fills
// the disk, and no event is published.
func TestDoctorFindsConnectors(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t, services.Setting("wal_level", "logical"))
	conn := pg.Connect(t.Context())
	if err := migrations.Up(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"DATABASE_URL": pg.URL}
	look := func(statement string) []string {
		t.Helper()
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		_, found := examined(t, env, "--sink", "stdout")
		return aboutConnectors(found)
	}
	if _, err := conn.Exec(t.Context(), `SELECT pg_create_logical_replication_slot('outbox_shop', 'pgoutput')`); err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{
		"another's slot":          look(`CREATE TABLE other (); CREATE PUBLICATION outbox_shop FOR TABLE other; CREATE PUBLICATION reports FOR TABLE event_outbox`),
		"the slot of a copy":      look(`DROP PUBLICATION outbox_shop; CREATE PUBLICATION outbox_shop FOR TABLE event_outbox`),
		"stopped, no relay leads": look(`DROP PUBLICATION outbox_shop; CREATE PUBLICATION outbox_shop FOR TABLE event_outbox WITH (publish = 'insert')`),
	}
	stop := func() {}
	restart := func() {
		stop()
		until(t, "the slot is free", func() (free bool) {
			if err := conn.QueryRow(t.Context(), `SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'outbox_shop'`).Scan(&free); err != nil {
				t.Fatal(err)
			}
			return free
		})
		stop = readSlot(t, pg.URL, "outbox_shop")
	}
	t.Cleanup(func() { stop() })
	restart()
	const running = `session PID (application "Debezium Streaming") publishes this outbox through the replication slot outbox_shop, as Debezium does`
	const reads = `session PID (application "Debezium Streaming") reads event_outbox through the replication slot outbox_shop`
	got["running, no relay leads"] = look(`SELECT`)
	got["running, its publication is for all changes"] = look(`DROP PUBLICATION outbox_shop; CREATE PUBLICATION outbox_shop FOR TABLE event_outbox`)
	got["running, its publication has another name"] = look(`DROP PUBLICATION outbox_shop`)
	got["running, its publication is for all tables"] = look(`CREATE PUBLICATION outbox_shop FOR ALL TABLES WITH (publish = 'insert')`)
	restart()
	ledWith(t, conn, `{}`)
	got["running for all tables, a relay leads"] = look(`SELECT`)
	if _, err := conn.Exec(t.Context(), `DELETE FROM event_outbox_lease`); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `DROP PUBLICATION outbox_shop`); err != nil {
		t.Fatal(err)
	}
	got["running for another outbox"] = look(`CREATE PUBLICATION outbox_shop FOR TABLE other`)
	if _, err := conn.Exec(t.Context(), `DROP PUBLICATION outbox_shop; CREATE PUBLICATION outbox_shop FOR TABLE event_outbox WITH (publish = 'insert')`); err != nil {
		t.Fatal(err)
	}
	restart() // a session ends at the first change while its publication is missing
	ledWith(t, conn, `{}`)
	got["running, a relay leads"] = look(`SELECT`)
	const pause = `INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, reason) VALUES ('ann', 'pause', 0, gen_random_uuid(), '', 'Debezium')`
	got["running, a relay leads, paused"] = look(pause)
	got["running, paused"] = look(`UPDATE event_outbox_lease SET holder = NULL`)
	stop()
	until(t, "the slot is not active", func() (free bool) {
		if err := conn.QueryRow(t.Context(), `SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'outbox_shop'`).Scan(&free); err != nil {
			t.Fatal(err)
		}
		return free
	})
	got["stopped, paused"] = look(`SELECT`)
	if _, err := conn.Exec(t.Context(), `DELETE FROM event_outbox_audit`); err != nil {
		t.Fatal(err)
	}
	ledWith(t, conn, `{}`)
	got["stopped, a relay leads"] = look(`UPDATE event_outbox_lease SET holder = gen_random_uuid()`)
	for name, findings := range got {
		for i, f := range findings {
			head, _, _ := strings.Cut(f, "; it retains ")
			got[name][i] = regexp.MustCompile(`session \d+`).ReplaceAllString(head, "session PID")
		}
	}
	const stopped = "relays: nothing reads the replication slot outbox_shop, through which Debezium publishes this outbox"
	want := map[string][]string{
		"another's slot":                              nil,
		"the slot of a copy":                          nil,
		"running for another outbox":                  nil,
		"running, its publication is for all changes": {"warning relays: " + reads},
		"running, its publication is for all tables":  {"warning relays: " + reads},
		"running for all tables, a relay leads":       {"warning relays: " + reads},
		"stopped, no relay leads":                     {"problem " + stopped},
		"running, no relay leads":                     {"warning relays: " + running},
		"running, its publication has another name":   {"warning relays: " + reads},
		"running, a relay leads":                      {"problem relays: " + running + ", and a relay leads"},
		"running, a relay leads, paused":              {"warning relays: " + running + ", and a relay leads although all topics are paused"},
		"running, paused":                             {"note relays: " + running + "; all topics are paused, so no relay does"},
		"stopped, paused":                             {"problem " + stopped},
		"stopped, a relay leads":                      {"warning " + stopped},
	}
	if _, err := conn.Exec(t.Context(), `SELECT pg_drop_replication_slot('outbox_shop')`); err != nil { // the database cannot be dropped with it
		t.Error(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
