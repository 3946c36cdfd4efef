package admin_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

func TestFilters(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 4, `
		UPDATE event_outbox SET dead_at = now() - seq * interval '1 hour', last_error = 'Error ' || seq, aggregate_type = 'a' || seq % 2;
		UPDATE event_outbox SET last_error = NULL WHERE seq = 4`)
	for _, c := range []struct {
		name   string
		filter admin.Filter
		want   []int64
	}{
		{"a type of aggregate", admin.Filter{AggregateType: "a1"}, []int64{1, 3}},
		{"one aggregate", admin.Filter{AggregateType: "a1", AggregateID: "3"}, []int64{3}},
		{"an aggregate of another type", admin.Filter{AggregateType: "a0", AggregateID: "3"}, nil},
		{"a text in the error", admin.Filter{Error: "eRRoR 2"}, []int64{2}},
		{"any error", admin.Filter{Error: "r"}, []int64{1, 2, 3}},
		{"a percent sign is a percent sign", admin.Filter{Error: "%"}, nil},
		{"older", admin.Filter{OlderThan: 150 * time.Minute}, []int64{3, 4}},
		{"newer", admin.Filter{NewerThan: 150 * time.Minute}, []int64{1, 2}},
		{"between", admin.Filter{OlderThan: 90 * time.Minute, NewerThan: 210 * time.Minute}, []int64{2, 3}},
	} {
		letters, err := admin.DeadLetters(t.Context(), conn, c.filter, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, l := range letters {
			got = append(got, l.Seq)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	for _, f := range []admin.Filter{{OlderThan: -1}, {NewerThan: -1}, {OlderThan: 2, NewerThan: 1}} {
		if _, err := admin.Replay(t.Context(), conn, f, admin.Decision{Actor: "ann"}); err == nil {
			t.Errorf("no error with the filter %+v", f)
		}
	}
	for _, f := range []admin.Filter{{Error: "x"}, {OlderThan: 1}, {NewerThan: 1}} {
		if _, err := admin.CancelDelayed(t.Context(), conn, f, admin.Decision{Actor: "ann", Reason: "x"}); err == nil || !strings.Contains(err.Error(), "select dead letters") {
			t.Errorf("delayed events with the filter %+v: %v", f, err)
		}
	}
}

// However many decisions the audit has, an event finds its own by an index: the page of a row
// asks every few seconds.
func TestAnEventDoesNotReadTheWholeAudit(t *testing.T) {
	owner, _ := newOutbox(t)
	insert(t, owner, 1, `
		INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, applied_at) SELECT 'ann', 'replay', i, gen_random_uuid(), 't', now() FROM generate_series(1, 5000) AS i;
		INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, applied_at) SELECT 'ann', 'discard', 7, '00000000-0000-7000-8000-000000000007', 't', now()`)
	if _, err := owner.Exec(t.Context(), `ANALYZE event_outbox_audit`); err != nil {
		t.Fatal(err)
	}
	tx, err := owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context()) //nolint:errcheck // it only reads
	var id uuid.UUID
	if err := tx.QueryRow(t.Context(), `SELECT id FROM event_outbox`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	scans := func() (n int) { // since this session last reported, which is not within a transaction
		t.Helper()
		if err := tx.QueryRow(t.Context(), `SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'event_outbox_audit'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := scans()
	for range 10 { // Postgres may take another plan after five times
		if _, err := admin.FindRowBeginning(t.Context(), tx, id, 10); err != nil {
			t.Fatal(err)
		}
		if _, err := admin.FindRow(t.Context(), tx, uuid.MustParse("00000000-0000-7000-8000-000000000007")); !errors.As(err, new(*admin.DiscardedError)) {
			t.Fatalf("the discarded row: %v", err)
		}
	}
	if n := scans() - before; n != 0 {
		t.Errorf("the audit was read %d times", n)
	}
}

func TestFindEvent(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 25, `
		UPDATE event_outbox SET event_key = 'k';
		UPDATE event_outbox SET dead_at = '2030-01-01Z', retry_count = 10, last_error = 'no', event_data = '{"n": 1.50}', headers = '{"h": "v"}' WHERE seq = 2;
		UPDATE event_outbox SET published_at = now() WHERE seq = 1;
		UPDATE event_outbox SET dead_at = now() WHERE seq = 3;
		UPDATE event_outbox SET next_attempt_at = '2030-01-01Z' WHERE seq BETWEEN 1 AND 5;
		UPDATE event_outbox SET retry_count = 1 WHERE seq = 5;
		INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, reason) VALUES ('ann', 'replay', 2, '`+id(2).String()+`', 't2', 'fixed')`)
	found, err := admin.FindSeq(t.Context(), conn, 2)
	if err != nil || found != id(2) {
		t.Fatalf("seq 2 is %v, %v", found, err)
	}
	got, err := admin.FindEvent(t.Context(), conn, found)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.BehindFirst) != 20 || got.BehindFirst[0].Seq != 4 || len(got.DeadOfKey) != 1 || got.DeadOfKey[0].Seq != 3 || got.Transaction == "" {
		t.Errorf("behind %+v, dead %+v, transaction %q", got.BehindFirst, got.DeadOfKey, got.Transaction)
	}
	key := "k"
	want := admin.Event{
		Seq: 2, EventID: id(2), State: admin.Dead, AggregateType: "a", AggregateID: "2", EventType: "t2", Topic: "topic", Key: &key,
		Data: json.RawMessage(`{"n": 1.50}`), Headers: json.RawMessage(`{"h": "v"}`), DeadAt: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
		RetryCount: 10, LastError: "no", Behind: 22, Newer: admin.NewerRows{Keys: []admin.Newer{}}, Audit: []admin.AuditEntry{{Actor: "ann", Action: "replay", Reason: "fixed"}},
	}
	moving := cmp.Options{
		cmpopts.IgnoreFields(admin.Event{}, "CreatedAt", "Transaction", "BehindFirst", "DeadOfKey"), cmpopts.IgnoreFields(admin.AuditEntry{}, "At"),
		cmpopts.EquateApproxTime(0),
	}
	if diff := cmp.Diff(want, got, moving); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	for n, want := range map[int]time.Time{1: {}, 2: {}, 3: {}, 4: {}, 5: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if e, err := admin.FindEvent(t.Context(), conn, id(n)); err != nil || !e.NextAttempt.Equal(want) {
			t.Errorf("row %d waits until %s (%v), want %s", n, e.NextAttempt, err, want)
		}
	}
	if _, err := admin.FindEvent(t.Context(), conn, id(99)); !errors.Is(err, admin.ErrNoEvent) {
		t.Errorf("an event that is not there: %v", err)
	}
	if _, err := admin.FindSeq(t.Context(), conn, 1); !errors.Is(err, admin.ErrNoEvent) {
		t.Errorf("the seq of a published row: %v", err)
	}
}

func TestFindRowBeginning(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 2, `
		UPDATE event_outbox SET event_data = '{"n": "äöü"}', headers = '{"h": 1}' WHERE seq = 1;
		UPDATE event_outbox SET event_data = NULL, headers = '{"h": 2}' WHERE seq = 2`)
	for _, c := range []struct {
		n, most       int
		data, headers string
	}{
		{1, 8, `{"n": "ä`, `{"h": 1}`},
		{1, 1000, `{"n": "äöü"}`, `{"h": 1}`},
		{1, 0, "", ""},
		{1, -1, "", ""},
		{2, 1000, "", `{"h": 2}`},
	} {
		whole, err := admin.FindRow(t.Context(), conn, id(c.n))
		if err != nil {
			t.Fatal(err)
		}
		whole.Data, whole.Headers = nil, nil
		if c.data != "" {
			whole.Data = json.RawMessage(c.data)
		}
		if c.headers != "" {
			whole.Headers = json.RawMessage(c.headers)
		}
		got, err := admin.FindRowBeginning(t.Context(), conn, id(c.n), c.most)
		if diff := cmp.Diff(whole, got); diff != "" || err != nil {
			t.Errorf("row %d, at most %d characters: %v (-want +got):\n%s", c.n, c.most, err, diff)
		}
	}
	if _, err := admin.FindRowBeginning(t.Context(), conn, id(99), 1); !errors.Is(err, admin.ErrNoEvent) {
		t.Errorf("an event that is not there: %v", err)
	}
}

func TestMayDecide(t *testing.T) {
	owner, conn := newOutbox(t)
	for role, want := range map[string]bool{"pg_read_all_data": false, "none": true} {
		if _, err := owner.Exec(t.Context(), `SET ROLE `+role); err != nil {
			t.Fatal(err)
		}
		if may, err := admin.MayDecide(t.Context(), owner); may != want || err != nil {
			t.Errorf("with SET ROLE %s: %t, %v", role, may, err)
		}
	}
	if may, err := admin.MayDecide(t.Context(), conn); !may || err != nil {
		t.Errorf("an operator: %t, %v", may, err)
	}
}
