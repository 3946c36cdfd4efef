package admin_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

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

// However many rows and keys are selected, and whatever Postgres knows about the table, no statement
// looks at a dead row twice.
func TestEarlierDeadRowsOfManyKeys(t *testing.T) {
	for _, keys := range []string{"1000", "1100"} { // only their rows are read, and all rows
		t.Run(keys, func(t *testing.T) { earlierOfManyKeys(t, keys) })
	}
}

func earlierOfManyKeys(t *testing.T, keys string) {
	owner, conn := newOutbox(t)
	const rows = 25_000
	insert(t, owner, rows, `UPDATE event_outbox SET dead_at = now(), event_key = 'k' || seq % `+keys)
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
		counted := &rowCounter{Conn: conn, t: t}
		earlier, err := admin.EarlierDead(t.Context(), counted, chosen, call.after, call.limit)
		if err != nil {
			t.Fatal(err)
		}
		for query, looked := range counted.looked {
			if slices.Max(looked) > rows {
				t.Errorf("after seq %d, %s looked at %v rows of %d", call.after, query, looked, rows)
			}
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

// No statement looks at more than a limited number of rows, however few of them have the key.
func TestEarlierDeadRowsOfAStatement(t *testing.T) {
	owner, conn := newOutbox(t)
	const rows = 25_000
	insert(t, owner, rows, `UPDATE event_outbox SET dead_at = now(), event_key = 'other'; UPDATE event_outbox SET event_key = 'k' WHERE seq IN (1, 25000); ANALYZE event_outbox`)
	chosen := &admin.Chosen{}
	page, err := admin.DeadLetters(t.Context(), conn, admin.Filter{EventIDs: []uuid.UUID{id(rows)}}, 0)
	if err != nil || len(page) != 1 {
		t.Fatalf("%d rows were found, %v", len(page), err)
	}
	chosen.Add(page[0])
	counted := &rowCounter{Conn: conn, t: t}
	earlier, err := admin.EarlierDead(t.Context(), counted, chosen, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, l := range earlier {
		got = append(got, l.Seq)
	}
	if diff := cmp.Diff([]int64{1}, got); diff != "" {
		t.Errorf("the earlier rows (-want +got):\n%s", diff)
	}
	want := map[string][]float64{"IsLog": {0}, "NextDead": {10_000, 10_000, 4_999}, "DeadBetween": {10_000, 10_000, 4_999}}
	if diff := cmp.Diff(want, counted.looked); diff != "" {
		t.Errorf("the rows that each statement looked at (-want +got):\n%s", diff)
	}
}

// rowCounter counts the rows of event_outbox that each statement looks at.
type rowCounter struct {
	*pgx.Conn
	t      *testing.T
	looked map[string][]float64 // by the name of the query
}

func (c *rowCounter) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	c.count(ctx, sql, args)
	return c.Conn.Query(ctx, sql, args...)
}

func (c *rowCounter) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	c.count(ctx, sql, args)
	return c.Conn.QueryRow(ctx, sql, args...)
}

func (c *rowCounter) count(ctx context.Context, sql string, args []any) {
	c.t.Helper()
	_, rest, _ := strings.Cut(sql, "-- name: ")
	name, _, _ := strings.Cut(rest, " ")
	var plans []struct{ Plan planNode }
	if err := c.Conn.QueryRow(ctx, "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) "+sql, args...).Scan(&plans); err != nil {
		c.t.Fatal(err)
	}
	if c.looked == nil {
		c.looked = map[string][]float64{}
	}
	c.looked[name] = append(c.looked[name], plans[0].Plan.looked())
}

// planNode is a node of a plan that was carried out.
type planNode struct {
	Relation string     `json:"Relation Name"`
	Rows     float64    `json:"Actual Rows"`
	Filtered float64    `json:"Rows Removed by Filter"`
	Loops    float64    `json:"Actual Loops"`
	Plans    []planNode `json:"Plans"`
}

func (n planNode) looked() (rows float64) {
	if n.Relation == "event_outbox" {
		rows = (n.Rows + n.Filtered) * n.Loops
	}
	for _, inner := range n.Plans {
		rows += inner.looked()
	}
	return rows
}

// Each transaction of a larger replay looks at all dead rows before its own, whichever keys
// those before it had, and whatever has happened since.
func TestReplayInOrderOfManyRows(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 1002, `SELECT`)
	// The first 1,000 rows of the type have the key a, except seq 4. The last row has the key b.
	const begin = `UPDATE event_outbox SET event_type = 't', event_key = 'a', dead_at = now(), next_attempt_at = NULL;
		UPDATE event_outbox SET event_key = 'b' WHERE seq IN (4, 5, 1002); UPDATE event_outbox SET event_type = 'other' WHERE seq = 5; `
	for _, c := range []struct{ name, before, between, want string }{
		{"an earlier row is not selected", "SELECT", "SELECT", "replayed 1000, before it: [5]"},
		{"an earlier row dies meanwhile", "UPDATE event_outbox SET dead_at = NULL WHERE seq = 5", "UPDATE event_outbox SET dead_at = now() WHERE seq = 5", "replayed 1000, before it: [5]"},
		{"a replayed row dies again", "UPDATE event_outbox SET event_key = 'c' WHERE seq = 5", "UPDATE event_outbox SET dead_at = now() WHERE seq = 4", "replayed 1000, before it: [4]"},
		{"an earlier row of another key", "UPDATE event_outbox SET event_key = 'c' WHERE seq = 5", "SELECT", "replayed 1001, before it: []"},
	} {
		exec := func(statement string) {
			if _, err := owner.Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		exec(begin + c.before)
		b := &between{Conn: conn, before: "SET TRANSACTION"}
		b.do = func() { b.do = func() { exec(c.between) } } // before the second transaction
		n, err := admin.ReplayInOrder(t.Context(), b, admin.Filter{EventType: "t"}, admin.Decision{Actor: "ann"})
		var seqs []int64
		if refused, ok := errors.AsType[*admin.OrderError](err); ok {
			for _, l := range refused.Earlier {
				seqs = append(seqs, l.Seq)
			}
		} else if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, fmt.Sprintf("replayed %d, before it: %d", n, seqs)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
