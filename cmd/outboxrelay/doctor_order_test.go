package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/runbook"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

func newDoctor() *doctor { return &doctor{o: outbox{secrets: &secret.Redactor{}}} }

// The worst findings come first, warnings about an incident before other warnings, and what
// rows wait for after what may be its cause.
func TestTheOrderOfFindings(t *testing.T) {
	t.Parallel()
	d := newDoctor()
	d.ok("clock", "right")
	d.add(risky, "setup", "fsync is off", "", "")
	d.addIncident(runbook.PoisonRecord, risky, checkOfRows, "1 row is retried", "", "")
	d.addIncident(runbook.PoisonRecord, broken, checkOfRows, "1 row is dead", "", "")
	d.add(broken, "sessions", "none is free", "", "")
	d.addIncident(runbook.PoisonRecord, broken, "row size", "too large", "", "")
	d.addIncident(runbook.OldRelay, risky, "relays", "another relay", "", "")
	if err := d.print(io.Discard, false, false); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range d.found {
		got = append(got, f.What)
	}
	want := []string{"none is free", "too large", "1 row is dead", "another relay", "1 row is retried", "fsync is off", "right"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A server for tests has a warning, which has a fix and does not come first.
func TestAWarningAboutTheServerHasAFix(t *testing.T) {
	_, env := newOutbox(t)
	_, found := examined(t, env, "--sink", "stdout")
	found = slices.DeleteFunc(found, func(f diagnosis) bool { return f.Level != risky })
	at := slices.IndexFunc(found, func(f diagnosis) bool { return strings.HasPrefix(f.What, "fsync is off") })
	if at < 1 || at != len(found)-1 || !strings.Contains(found[at].Fix, "ALTER SYSTEM SET fsync = on") {
		t.Errorf("warnings: %+v", found)
	}
}

// What cannot be looked at is not said to be well.
func TestDoctorWithoutItsDatabase(t *testing.T) {
	t.Parallel()
	env := map[string]string{"DATABASE_URL": "postgres://u@127.0.0.1:1/d?sslmode=disable", "KAFKA_BROKERS": services.KFake(t).Brokers[0]}
	_, found := examined(t, env)
	got := map[string]level{}
	for _, f := range found {
		got[f.Check] = f.Level
	}
	if diff := cmp.Diff(map[string]level{"database": broken, "kafka": healthy, "wake-ups": healthy}, got); diff != "" {
		t.Errorf("the findings (-want +got):\n%s", diff)
	}
}

func TestDoctorCountsTheRowsOfATopic(t *testing.T) {
	t.Parallel()
	for waiting, want := range map[int64]string{0: "no row is known to wait for it", 1: "at least 1 row waits for it", 30: "at least 30 rows wait for it"} {
		d := newDoctor()
		d.checkTopic(admin.TopicFacts{Topic: "orders", Waiting: waiting}, relay.TopicInfo{Partitions: 3, Unavailable: []int32{1}})
		if got := d.found[0].Why; got != want {
			t.Errorf("with %d rows: %q, want %q", waiting, got, want)
		}
	}
}

// A SELECT is named with what makes it a relay's, and the fix says how to look again.
func TestAnotherRelayThatOnlySelects(t *testing.T) {
	t.Parallel()
	d := newDoctor()
	d.checkRelays(admin.Facts{PublishedAgo: -1, Others: []admin.OtherPublisher{
		{PID: 7, Role: "shop", Application: "worker", From: "local", Query: "SELECT id FROM event_outbox WHERE published_at IS NULL LIMIT ..."},
		{PID: 8, Role: "shop", Application: "worker", From: "local", Query: "UPDATE event_outbox SET published_at = now()"},
	}})
	var got []string
	for _, f := range d.found[:2] {
		got = append(got, f.What)
		if !strings.Contains(f.Fix, "FROM pg_stat_activity WHERE pid = ") {
			t.Errorf("the fix is %q", f.Fix)
		}
	}
	const who = `(role shop, application "worker", from local) has changed event_outbox: `
	want := []string{
		"session 7 " + who + "it locks rows that are not published, as a relay does before it sends them (… FOR UPDATE): SELECT id FROM event_outbox WHERE published_at IS NULL LIMIT ...",
		"session 8 " + who + "UPDATE event_outbox SET published_at = now()",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
