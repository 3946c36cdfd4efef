package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// steadyAll is steady for the errors too.
func steadyAll(a answer) answer {
	return answer{a.Code, steady(a).Stdout, steady(answer{Stdout: a.Stderr}).Stdout}
}

// An older state must not replace a newer one in a compacted topic without a word.
func TestReplayNamesNewerPublishedRows(t *testing.T) {
	conn, env := newOutbox(t)
	k := services.Kafka(t)
	compacted, plain := k.NewTopic(t, "customers", 1, "cleanup.policy=compact"), k.NewTopic(t, "calls", 1)
	// Seq 4 is dead. Of its key, seq 5 is published and seq 6 is pending. Seq 7 has another key.
	const insert = `INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, dead_at, published_at, last_error, retry_count)
		SELECT ('00000000-0000-7000-8000-00000000000' || i)::uuid, 'customer', '9', 'profile', $1, CASE WHEN i = 7 THEN 'C1' ELSE 'C9' END, '{}',
			CASE WHEN i = 4 THEN now() END, CASE WHEN i IN (5, 7) THEN now() END, CASE WHEN i = 4 THEN 'too large' END, 0 FROM generate_series(4, 7) AS i`
	if _, err := conn.Exec(t.Context(), insert, compacted); err != nil {
		t.Fatal(err)
	}
	named := func(topic, rest string) string {
		return "outboxrelay: topic " + topic + ", key C9: 1 newer row was published: seq 5, event EVENT, at TIME; a replay of seq 4 is sent after it\n" + rest
	}
	risk := "topic " + compacted + " is compacted; in a compacted topic the older states replace the newer ones of their keys"
	refused := named(compacted, "outboxrelay: outbox event_outbox: nothing was changed: newer rows of the same keys were published, and "+risk+": discard the dead rows, or add --despite-newer\n")
	told := named(compacted, "outboxrelay: "+risk+"\n")

	reached := map[string]string{"DATABASE_URL": env["DATABASE_URL"], "KAFKA_BROKERS": strings.Join(k.Brokers, ",")}
	replayed := "replayed 1 dead row; no relay leads now, so nothing is sent yet\n"
	for _, c := range []struct {
		name string
		got  func() answer
		want answer
	}{
		{"a dry run", func() answer { return call(reached, "dead", "replay", "--all", "--dry-run", "--json") }, answer{Stderr: told}},
		{"a script", func() answer { return call(reached, "dead", "replay", "--all", "--yes") }, answer{Code: exitcode.Failed, Stderr: refused}},
		{"replay without dead", func() answer { return call(reached, "replay", "--key", "C9") }, answer{Code: exitcode.Failed, Stderr: refused}},
		{"a terminal", func() answer { return converse(reached, strings.NewReader("no\n"), "dead", "replay", "--all") },
			answer{Code: exitcode.Failed, Stderr: told + "outboxrelay: outbox event_outbox: not confirmed: nothing was changed\n"}},
		{"a script that knows it", func() answer { return call(reached, "dead", "replay", "--all", "--yes", "--despite-newer") }, answer{Stdout: replayed, Stderr: told}},
	} {
		got := steadyAll(c.got())
		if c.want.Stdout == "" {
			got.Stdout = "" // the row, and a question
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}

	// Without Kafka it is not known, and a topic that is not compacted needs no flag.
	if _, err := conn.Exec(t.Context(), "UPDATE event_outbox SET dead_at = now(), topic = $1 WHERE seq > 3", plain); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "UPDATE event_outbox SET dead_at = NULL WHERE seq > 4"); err != nil {
		t.Fatal(err)
	}
	if got := call(map[string]string{"DATABASE_URL": env["DATABASE_URL"]}, "dead", "replay", "--all", "--yes"); got.Code != exitcode.Failed ||
		!strings.Contains(got.Stderr, "topic "+plain+" may be compacted: its settings cannot be read") {
		t.Errorf("without Kafka: %+v", got)
	}
	if diff := cmp.Diff(answer{Stdout: replayed, Stderr: named(plain, "")}, steadyAll(call(reached, "dead", "replay", "--all"))); diff != "" {
		t.Errorf("a topic that is not compacted (-want +got):\n%s", diff)
	}
}

// What is not known of newer rows counts as if there were some: an older state must not replace a
// newer one in a compacted topic because the newer row is gone.
func TestReplayWhenNewerRowsAreNotKnown(t *testing.T) {
	conn, env := newOutbox(t)
	k := services.KFake(t)
	compacted, plain := k.NewTopic(t, "customers", 1, "cleanup.policy=compact"), k.NewTopic(t, "calls", 1)
	env["KAFKA_BROKERS"] = strings.Join(k.Brokers, ",")
	const (
		// Seq 2 is dead. Seq 3 has the same key.
		dead     = `UPDATE event_outbox SET topic = $1, event_key = 'C9', dead_at = CASE WHEN seq = 2 THEN now() END; `
		deletes  = `INSERT INTO event_outbox_lease (epoch, holder, state) VALUES (1, gen_random_uuid(), '{"led": {"settings": {"settle": "delete"}}}')`
		released = `UPDATE event_outbox_lease SET holder = NULL, state = NULL`
		deleted  = `DELETE FROM event_outbox WHERE seq = 3`
		replayed = "replayed 1 dead row"
	)
	notKnown := func(why string) string {
		return "whether newer rows of the same keys were published is not known: " + why
	}
	risk := "topic " + compacted + " is compacted; in a compacted topic the older states replace the newer ones of their keys"
	for _, c := range []struct {
		name, change, topic string
		args                []string
		want                answer
	}{
		{"nothing is missing", "SELECT", compacted, nil, answer{Stdout: replayed}},
		{"the relay keeps nothing", deletes, compacted, nil, answer{Code: exitcode.Failed, Stderr: notKnown("the relay keeps no published rows (settle: delete)")}},
		{"no relay leads now", released + `; ` + deleted, compacted, nil,
			answer{Code: exitcode.Failed, Stderr: notKnown("rows that were published since may have been deleted (setting retention)")}},
		{"a script that knows it", "SELECT", compacted, []string{"--despite-newer"},
			answer{Stdout: replayed, Stderr: notKnown("rows that were published since may have been deleted (setting retention)")}},
		{"a topic that is not compacted", "SELECT", plain, nil, answer{Stdout: replayed, Stderr: notKnown("rows that were published since may have been deleted (setting retention)")}},
		{"no index has all rows", "DROP INDEX ix_event_outbox_seq", compacted, []string{"--despite-newer"}, answer{Stdout: replayed,
			Stderr: notKnown("event_outbox has no index on seq for all rows (CREATE INDEX CONCURRENTLY ix_event_outbox_seq ON event_outbox (seq))")}},
	} {
		if _, err := conn.Exec(t.Context(), dead, c.topic); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), c.change); err != nil {
			t.Fatal(err)
		}
		want, told := c.want, c.want.Stderr
		if told != "" {
			want.Stderr = "outboxrelay: " + told + "\n"
		}
		switch {
		case want.Code != exitcode.OK:
			want.Stderr += "outboxrelay: outbox event_outbox: nothing was changed: " + told + ", and " + risk + ": discard the dead rows, or add --despite-newer\n"
		case c.args != nil:
			want.Stderr += "outboxrelay: " + risk + "\n"
		}
		got := call(env, append([]string{"dead", "replay", "--all", "--yes"}, c.args...)...)
		got.Stdout, _, _ = strings.Cut(got.Stdout, ";") // why nothing is sent yet
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// Newer rows that are published while the person reads the question are not replaced without a
// word. Whoever was told of some has confirmed it for all keys of the topic: on a busy outbox
// there are more every moment.
func TestNewerRowsThatArePublishedMeanwhile(t *testing.T) {
	conn, env := newOutbox(t)
	k := services.KFake(t)
	compacted, plain := k.NewTopic(t, "customers", 1, "cleanup.policy=compact"), k.NewTopic(t, "calls", 1)
	env["KAFKA_BROKERS"] = strings.Join(k.Brokers, ",")
	const published = `UPDATE event_outbox SET published_at = now() WHERE seq = `
	if _, err := conn.Exec(t.Context(), `INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_data)
		VALUES ('`+eventNumber+`4', 'order', '4', 'order.placed', 'orders', '{}')`); err != nil {
		t.Fatal(err)
	}
	named := func(topic, key string) string {
		return "outboxrelay: topic " + topic + ", key " + key + ": 1 newer row was published: seq "
	}
	for _, c := range []struct {
		name, topic, before, meanwhile string
		args                           []string
		replayed                       bool
		want                           string // the end of what it says
	}{
		{"none before", compacted, "SELECT", published + "4", nil, false,
			"outboxrelay: outbox event_outbox: nothing was changed: since you were asked, newer rows of the same keys were published, and topic " + compacted +
				" is compacted; in a compacted topic the older states replace the newer ones of their keys: replay again, discard the dead rows, or add --despite-newer\n"},
		{"of another key before", compacted, published + "3", published + "4", nil, true, "replace the newer ones of their keys\n"},
		{"none at all", compacted, "SELECT", "SELECT", nil, true, ""},
		{"the operator knows it", compacted, "SELECT", published + "4", []string{"--despite-newer"}, true, ""},
		{"not compacted", plain, "SELECT", published + "4", nil, true, named(plain, "k2") + "4, event EVENT, at TIME; a replay of seq 2 is sent after it\n"},
	} {
		// Seq 1 and 2 are dead; 3 has the key of seq 1, and 4 that of seq 2.
		if _, err := conn.Exec(t.Context(), `UPDATE event_outbox SET topic = $1, event_key = 'k' || 2 - seq % 2, published_at = NULL, dead_at = CASE WHEN seq < 3 THEN now() END`, c.topic); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), c.before); err != nil {
			t.Fatal(err)
		}
		got := converse(env, &typing{text: "2\n", first: func() {
			if _, err := conn.Exec(t.Context(), c.meanwhile); err != nil {
				t.Error(err)
			}
		}}, append([]string{"dead", "replay", "--all"}, c.args...)...)
		dead := map[bool]int{true: 0, false: 2}[c.replayed]
		if said := steadyAll(got).Stderr; countDead(t, conn) != dead || c.replayed != (got.Code == exitcode.OK) || !strings.HasSuffix(said, c.want) || c.want == "" && said != "" {
			t.Errorf("%s: exit %d, %d rows are dead, want %d; it says\n%s\nwant %s", c.name, got.Code, countDead(t, conn), dead, said, c.want)
		}
	}
}

// dead show names the newer published rows, or says what is not known of them.
func TestDeadShowNamesNewerPublishedRows(t *testing.T) {
	conn, env := newOutbox(t)
	_, err := conn.Exec(t.Context(), ofOneKey+`; UPDATE event_outbox SET dead_at = NULL, published_at = now() WHERE seq IN (2, 3)`)
	if err != nil {
		t.Fatal(err)
	}
	const lease = `INSERT INTO event_outbox_lease (epoch, holder, state) VALUES (1, gen_random_uuid(), '{"led": {"settings": {"settle": "delete"}}}')`
	for _, c := range []struct{ change, want string }{
		{"SELECT", "newer      2 newer rows were published, the last one is seq 3, event EVENT, at TIME; a replay of seq 1 is sent after them\n"},
		{"UPDATE event_outbox SET topic = 'other' WHERE seq IN (2, 3)",
			"newer      no newer row of its topic and key was published, of those that the outbox still has\n"},
		{"DELETE FROM event_outbox WHERE seq IN (2, 3)",
			"newer      whether newer rows of the same keys were published is not known: rows that were published since may have been deleted (setting retention)\n"},
		{lease, "newer      whether newer rows of the same keys were published is not known: the relay keeps no published rows (settle: delete)\n"},
	} {
		if _, err := conn.Exec(t.Context(), c.change); err != nil {
			t.Fatal(err)
		}
		if got := steady(call(env, "dead", "show", "1")); !strings.Contains(got.Stdout, c.want) {
			t.Errorf("after %s: %+v, want %s", c.change, got, c.want)
		}
	}
}

// A row that was discarded is named with who did it.
func TestDeadShowOfADiscardedRow(t *testing.T) {
	conn, env := newOutbox(t)
	if _, err := conn.Exec(t.Context(), ofOneKey); err != nil {
		t.Fatal(err)
	}
	if got := call(env, "dead", "discard", "--event-id", eventNumber+"1", "--actor", "ann", "--reason", "sent by hand", "--yes"); got.Code != 0 {
		t.Fatalf("%+v", got)
	}
	want := answer{Code: exitcode.Failed, Stderr: "outboxrelay: outbox event_outbox: event_outbox has no such row: event EVENT, seq 1, was discarded by ann at TIME: sent by hand\n"}
	for _, name := range []string{"1", eventNumber + "1"} {
		if diff := cmp.Diff(want, steadyAll(call(env, "dead", "show", name))); diff != "" {
			t.Errorf("dead show %s (-want +got):\n%s", name, diff)
		}
	}
}
