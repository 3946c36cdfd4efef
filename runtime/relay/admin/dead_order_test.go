package admin_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// A replay that keeps the order of a key changes nothing if an earlier row of the key stays
// dead. Rows of other topics and keys, and rows without a key, do not matter.
func TestReplayInOrder(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 8, `ALTER TABLE event_outbox ALTER COLUMN topic DROP NOT NULL; UPDATE event_outbox SET dead_at = now(), event_key = 'k';
		UPDATE event_outbox SET event_key = NULL WHERE seq = 2; UPDATE event_outbox SET event_key = '' WHERE seq = 3;
		UPDATE event_outbox SET topic = NULL, event_data = '{"topic": "topic"}' WHERE seq = 4;
		UPDATE event_outbox SET topic = 'other' WHERE seq = 5; UPDATE event_outbox SET dead_at = NULL WHERE seq = 6`)
	event := func(n byte) uuid.UUID {
		return uuid.UUID{6: 0x70, 8: 0x80, 15: n}
	}
	ann := admin.Decision{Actor: "ann"}
	seqsOf := func(letters []admin.DeadLetter) (seqs []int64) {
		for _, l := range letters {
			seqs = append(seqs, l.Seq)
		}
		return seqs
	}
	for _, step := range []struct {
		chosen  []uuid.UUID
		earlier []int64
		n       int
	}{
		{[]uuid.UUID{event(7), event(8)}, []int64{1, 4}, 0},
		{[]uuid.UUID{event(4), event(8)}, []int64{1, 7}, 0},
		{[]uuid.UUID{event(2), event(3), event(5)}, nil, 3},
		{[]uuid.UUID{event(1), event(4)}, nil, 2},
		{[]uuid.UUID{event(7), event(8)}, nil, 2},
	} {
		n, err := admin.ReplayInOrder(t.Context(), conn, admin.Filter{EventIDs: step.chosen}, ann)
		var earlier []int64
		if refused, ok := errors.AsType[*admin.OrderError](err); ok {
			earlier = seqsOf(refused.Earlier)
		} else if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.earlier, earlier); diff != "" || n != step.n {
			t.Errorf("%v: replayed %d, want %d; earlier ones (-want +got):\n%s", step.chosen, n, step.n, diff)
		}
	}
	left, err := admin.DeadLetters(t.Context(), conn, admin.Filter{}, 0)
	if err != nil || len(left) > 0 {
		t.Errorf("%v are still dead, %v", seqsOf(left), err)
	}
	var audited int
	if err := owner.QueryRow(t.Context(), `SELECT count(*) FROM event_outbox_audit`).Scan(&audited); err != nil || audited != 7 {
		t.Errorf("%d entries in the audit, %v; want 7: a refused replay leaves none", audited, err)
	}
}

// However many rows are selected, and whatever Postgres knows about the table, the dead rows
// are read once.
func TestEarlierDeadRowsOfManyKeys(t *testing.T) {
	owner, conn := newOutbox(t)
	const rows = 25_000
	insert(t, owner, rows, `UPDATE event_outbox SET dead_at = now(), event_key = 'k' || seq % 1000`)
	if _, err := conn.Exec(t.Context(), `SET statement_timeout = '10s'`); err != nil {
		t.Fatal(err)
	}
	chosen := &admin.Chosen{}
	for after := int64(0); after < rows; {
		page, err := admin.DeadLetters(t.Context(), conn, admin.Filter{}, after)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range page {
			if l.Seq != 17 && l.Seq != 12_018 && l.Seq != rows { // the last row of a key holds up no other
				chosen.Add(l)
			}
			after = l.Seq
		}
	}
	var got [][]int64
	for _, call := range []struct {
		after int64
		limit int
	}{{0, 10}, {0, 1}, {17, 10}, {12_018, 10}} {
		earlier, err := admin.EarlierDead(t.Context(), conn, chosen, call.after, call.limit)
		if err != nil {
			t.Fatal(err)
		}
		var seqs []int64
		for _, l := range earlier {
			seqs = append(seqs, l.Seq)
		}
		got = append(got, seqs)
	}
	if diff := cmp.Diff([][]int64{{17, 12_018}, {17}, {12_018}, nil}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A part of a larger replay looks only at the dead rows behind the previous part.
func TestReplayInParts(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 4, `UPDATE event_outbox SET dead_at = now(), event_key = 'k'`)
	var got []string
	for _, part := range []struct {
		id    int
		after int64
	}{{4, 1}, {4, 2}, {3, 2}, {4, 3}} {
		n, err := admin.ReplayInOrderAfter(t.Context(), conn, admin.Filter{EventIDs: []uuid.UUID{id(part.id)}}, admin.Decision{Actor: "ann"}, part.after)
		refused, ok := errors.AsType[*admin.OrderError](err)
		if err != nil && !ok {
			t.Fatal(err)
		}
		result := fmt.Sprint("replayed ", n)
		if ok {
			result = fmt.Sprint("before it: ", refused.Earlier[0].Seq)
		}
		got = append(got, result)
	}
	if diff := cmp.Diff([]string{"before it: 2", "before it: 3", "replayed 1", "replayed 1"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
