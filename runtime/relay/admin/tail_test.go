package admin_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// seen looks once and describes what was published.
func seen(t *testing.T, tail *admin.Tail) []string {
	t.Helper()
	events, err := tail.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range events {
		text := fmt.Sprintf("%d %s %s", e.Seq, e.EventType, e.Topic)
		if e.Key != nil {
			text += " " + *e.Key
		}
		if e.Deleted {
			text += " deleted"
		}
		if e.Data != nil {
			text += " " + string(e.Data)
		}
		if e.PublishedAt.IsZero() != e.Deleted {
			text += fmt.Sprintf(" at %s", e.PublishedAt)
		}
		out = append(out, text)
	}
	return out
}

func look4(t *testing.T, what string, tail *admin.Tail, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, seen(t, tail)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestTail(t *testing.T) {
	owner, conn := newOutbox(t)
	do := func(sql string, args ...any) {
		t.Helper()
		if _, err := owner.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	const add = `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data) VALUES ('a', '1', 't1', 'topic', $1, '{"n": 1}')`
	const publish = `UPDATE event_outbox SET published_at = clock_timestamp() WHERE seq = $1`
	insert(t, owner, 4, `UPDATE event_outbox SET published_at = now() - seq * interval '1 minute' WHERE seq < 4; UPDATE event_outbox SET dead_at = now() WHERE seq = 4`)

	tail, err := admin.NewTail(conn, admin.TailConfig{Latest: 2})
	if err != nil {
		t.Fatal(err)
	}
	look4(t, "the latest", tail, "2 t2 topic k2", "1 t1 topic k1")
	look4(t, "nothing new", tail)

	do(add, "k5")
	look4(t, "a row that waits", tail)
	do(publish, 5)
	look4(t, "it is published", tail, "5 t1 topic k5")
	look4(t, "each is seen once", tail)

	do(add, "k6")
	do(publish, 6)
	look4(t, "published before the next look", tail, "6 t1 topic k6")

	do(`UPDATE event_outbox SET dead_at = NULL WHERE seq = 4`)
	look4(t, "a dead row is replayed", tail)
	do(publish, 4)
	look4(t, "and published", tail, "4 t2 topic k4")

	// A transaction that began before a look and commits after it.
	tx, err := owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), add, "k7"); err != nil {
		t.Fatal(err)
	}
	other, err := pgx.ConnectConfig(t.Context(), owner.Config().Copy())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(t.Context()) //nolint:errcheck // the test is over
	if _, err := other.Exec(t.Context(), add, "k8"); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec(t.Context(), publish, 8); err != nil {
		t.Fatal(err)
	}
	look4(t, "a later transaction", tail, "8 t1 topic k8")
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	do(publish, 7)
	look4(t, "the earlier one", tail, "7 t1 topic k7")

	// With settle: delete, a row that waited is gone.
	do(add, "k9")
	look4(t, "a row that waits", tail)
	do(`DELETE FROM event_outbox WHERE seq = 9`)
	look4(t, "it is gone", tail, "9 t1 topic k9 deleted")
	if tail.Missed() {
		t.Error("it says that rows were left out")
	}
}

func TestTailSelects(t *testing.T) {
	owner, conn := newOutbox(t)
	key := "k1"
	both, err := admin.NewTail(conn, admin.TailConfig{Filter: admin.Filter{EventType: "t1", Topic: "topic", Key: &key}, Data: true})
	if err != nil {
		t.Fatal(err)
	}
	look4(t, "at first", both)
	insert(t, owner, 4, `UPDATE event_outbox SET published_at = now(); INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, headers, published_at)
		VALUES ('a', '1', 't1', 'topic', 'k1', '{}', now())`)
	look4(t, "selected", both, "1 t1 topic k1 {}", "5 t1 topic k1 null")
	if _, err := admin.NewTail(conn, admin.TailConfig{Filter: admin.Filter{Error: "x"}}); err == nil {
		t.Error("no error for a filter of dead rows")
	}
}

// More rows than a look reads are told.
func TestTailOfTooMany(t *testing.T) {
	owner, conn := newOutbox(t)
	tail, err := admin.NewTail(conn, admin.TailConfig{})
	if err != nil {
		t.Fatal(err)
	}
	look4(t, "at first", tail)
	insert(t, owner, 10_001, `UPDATE event_outbox SET published_at = now()`)
	if events, err := tail.Next(t.Context()); err != nil || len(events) != 10_000 || !tail.Missed() {
		t.Errorf("%d events, %v", len(events), err)
	}
	if tail.Missed() {
		t.Error("it is told twice")
	}
}

// between is a connection that does something before a statement of a transaction.
type between struct {
	*pgx.Conn
	before string // a part of the statement
	do     func()
}

type betweenTx struct {
	pgx.Tx
	b *between
}

func (b *between) Begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := b.Conn.Begin(ctx)
	return betweenTx{tx, b}, err
}

func (x betweenTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if do := x.b.do; do != nil && strings.Contains(sql, x.b.before) {
		x.b.do = nil
		do()
	}
	return x.Tx.Query(ctx, sql, args...)
}

func (x betweenTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if do := x.b.do; do != nil && strings.Contains(sql, x.b.before) {
		x.b.do = nil
		do()
	}
	return x.Tx.Exec(ctx, sql, args...)
}

func (x betweenTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if do := x.b.do; do != nil && strings.Contains(sql, x.b.before) {
		x.b.do = nil
		do()
	}
	return x.Tx.QueryRow(ctx, sql, args...)
}

// Each event is returned once, also if it is inserted or published while a look is at work.
func TestTailBetweenItsStatements(t *testing.T) {
	for _, statement := range []string{"-- name: LowWater", "-- name: TailPending", "-- name: TailDead", "-- name: TailKnown", "-- name: CountNew"} {
		t.Run(statement, func(t *testing.T) {
			owner, conn := newOutbox(t)
			insert(t, owner, 3, `UPDATE event_outbox SET published_at = now() - interval '1 hour' WHERE seq = 1`)
			first := strings.Contains(statement, "LowWater") || strings.Contains(statement, "Pending") || strings.Contains(statement, "Dead")
			b := &between{Conn: conn, before: statement}
			do := func() {
				if _, err := owner.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_data) VALUES ('a', '1', 't', 'topic', '{}'), ('a', '1', 't', 'topic', '{}');
					UPDATE event_outbox SET published_at = now() WHERE seq IN (2, 4)`); err != nil {
					t.Error(err)
				}
			}
			tail, err := admin.NewTail(b, admin.TailConfig{Latest: 10})
			if err != nil {
				t.Fatal(err)
			}
			if first {
				b.do = do
			}
			got := seen(t, tail)
			if !first {
				b.do = do
			}
			got = append(got, seen(t, tail)...)
			if b.do != nil {
				t.Fatal("there is no such statement")
			}
			got = append(got, seen(t, tail)...)
			if _, err := owner.Exec(t.Context(), `UPDATE event_outbox SET published_at = now() WHERE published_at IS NULL`); err != nil {
				t.Fatal(err)
			}
			got = append(got, seen(t, tail)...)
			if diff := cmp.Diff([]string{"1 t1 topic k1", "2 t2 topic k2", "4 t topic", "3 t1 topic k3", "5 t topic"}, got); diff != "" {
				t.Errorf("in all looks (-want +got):\n%s", diff)
			}
			if tail.Missed() {
				t.Error("it says that rows were left out")
			}
		})
	}
}

// Rows that wait are read once, and in parts if they have much data.
func TestTailOfManyThatWait(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 2_500, `UPDATE event_outbox SET event_data = json_build_object('x', repeat('y', 1000))`)
	tail, err := admin.NewTail(conn, admin.TailConfig{Data: true})
	if err != nil {
		t.Fatal(err)
	}
	look4(t, "at first", tail)
	if _, err := owner.Exec(t.Context(), `UPDATE event_outbox SET published_at = now()`); err != nil {
		t.Fatal(err)
	}
	events, err := tail.Next(t.Context())
	if err != nil || len(events) != 2_500 || tail.Missed() {
		t.Fatalf("%d events, %v", len(events), err)
	}
	for i, e := range events {
		if e.Seq != int64(i+1) || len(e.Data) != 1_009 && len(e.Data) != 1_010 {
			t.Fatalf("event %d: seq %d, %d bytes", i, e.Seq, len(e.Data))
		}
	}
	reads := 0
	b := &between{Conn: conn, before: "-- name: TailPending", do: func() { reads++ }}
	if tail, err = admin.NewTail(b, admin.TailConfig{}); err != nil {
		t.Fatal(err)
	}
	look4(t, "at first", tail)
	b.do = func() { reads++ }
	look4(t, "later", tail)
	if reads != 1 {
		t.Errorf("pending rows were read in %d looks", reads)
	}
}

// The data of a look is limited, and what is left out is told.
func TestTailOfTooMuchData(t *testing.T) {
	owner, conn := newOutbox(t)
	tail, err := admin.NewTail(conn, admin.TailConfig{Data: true})
	if err != nil {
		t.Fatal(err)
	}
	look4(t, "at first", tail)
	const large = `UPDATE event_outbox SET event_data = json_build_object('x', repeat('y', 10 << 20))`
	insert(t, owner, 8, large+`, published_at = now()`)
	if events, err := tail.Next(t.Context()); err != nil || len(events) != 7 || !tail.Missed() {
		t.Errorf("new: %d events, %v", len(events), err)
	}
	if tail, err = admin.NewTail(conn, admin.TailConfig{Data: true, Latest: 10}); err != nil {
		t.Fatal(err)
	}
	if events, err := tail.Next(t.Context()); err != nil || len(events) != 7 || !tail.Missed() {
		t.Errorf("the latest: %d events, %v", len(events), err)
	}
}

// A transaction that inserts more than a look reads costs no more than a look. The Tail says
// that it left rows out, and goes on.
func TestALookIsLimited(t *testing.T) {
	owner, conn := newOutbox(t)
	tail, err := admin.NewTail(conn, admin.TailConfig{Filter: admin.Filter{Topic: "elsewhere"}})
	if err != nil {
		t.Fatal(err)
	}
	next := func(want ...int64) {
		t.Helper()
		events, err := tail.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var seqs []int64
		for _, e := range events {
			seqs = append(seqs, e.Seq)
		}
		if diff := cmp.Diff(want, seqs); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	next()
	insert(t, owner, 10_001, `SELECT`)
	next()
	if !tail.Missed() {
		t.Error("it does not say that it left out rows")
	}
	if _, err := owner.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_data, published_at)
		VALUES ('a', '1', 't', 'elsewhere', '{}', now())`); err != nil {
		t.Fatal(err)
	}
	next(10_002)
	if tail.Missed() {
		t.Error("it left out rows after that")
	}
}

// asker counts the questions whether the outbox is a log.
type asker struct {
	*pgx.Conn
	questions int
}

func (a *asker) Begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := a.Conn.Begin(ctx)
	return askerTx{tx, a}, err
}

type askerTx struct {
	pgx.Tx
	a *asker
}

func (x askerTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if strings.Contains(sql, "relkind = 'p'") {
		x.a.questions++
	}
	return x.Tx.QueryRow(ctx, sql, args...)
}

// A Tail asks once whether the outbox is a log, and again after an error, because the outbox may
// have moved.
func TestTailAsksOnce(t *testing.T) {
	l := some(t)
	l.noteTick(t)
	a := &asker{Conn: l.operator}
	tail, err := admin.NewTail(a, admin.TailConfig{})
	ok(t, err)
	for range 3 {
		look4(t, "nothing is published", tail)
	}
	if a.questions != 1 {
		t.Errorf("it has asked %d times, want 1", a.questions)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := tail.Next(ended); err == nil {
		t.Error("a look that was cancelled succeeds")
	}
	a.Conn, err = pgx.ConnectConfig(t.Context(), l.operator.Config())
	ok(t, err)
	defer a.Conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // nothing is at stake on it
	look4(t, "after an error", tail)
	if a.questions != 2 {
		t.Errorf("after an error it has asked %d times, want 2", a.questions)
	}
}
