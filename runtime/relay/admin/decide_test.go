package admin_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// committing replaces the commit of its transactions.
type committing struct {
	admin.Beginner
	commit func(ctx context.Context, tx pgx.Tx) error
}

func (c committing) Begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := c.Beginner.Begin(ctx)
	return committed{tx, c.commit}, err
}

type committed struct {
	pgx.Tx
	commit func(ctx context.Context, tx pgx.Tx) error
}

func (c committed) Commit(ctx context.Context) error { return c.commit(ctx, c.Tx) }

// decisionsAbout are the decisions about dead rows.
var decisionsAbout = map[string]func(context.Context, admin.Beginner, admin.Filter, admin.Decision) (int, error){
	"replay": admin.Replay, "discard": admin.Discard,
}

func deadRows(t *testing.T, conn *pgx.Conn) (n int) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM event_outbox WHERE dead_at IS NOT NULL`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// An interruption during the commit leaves no doubt: what was changed is counted.
func TestADecisionThatIsInterruptedDuringTheCommit(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 4, `SELECT`)
	for verb, act := range decisionsAbout {
		if _, err := owner.Exec(t.Context(), `UPDATE event_outbox SET dead_at = now() WHERE seq IN (SELECT seq FROM event_outbox ORDER BY seq LIMIT 2)`); err != nil {
			t.Fatal(err)
		}
		ctx, interrupt := context.WithCancel(t.Context())
		n, err := act(ctx, committing{conn, func(ctx context.Context, tx pgx.Tx) error {
			interrupt()
			return tx.Commit(ctx)
		}}, admin.Filter{}, admin.Decision{Actor: "ann", Reason: "test"})
		if n != 2 || err != nil {
			t.Errorf("%s: %d rows and %v, want 2", verb, n, err)
		}
		if left := deadRows(t, owner); left != 0 {
			t.Errorf("%s: %d rows are dead", verb, left)
		}
	}
}

// If the connection is lost during the commit, nobody knows whether it was made. The error
// says so.
func TestADecisionWhoseCommitIsNotAnswered(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 2, `UPDATE event_outbox SET dead_at = now()`)
	lost := committing{conn, func(ctx context.Context, tx pgx.Tx) error { return errors.Join(tx.Commit(ctx), io.ErrUnexpectedEOF) }}
	const inDoubt = "admin: the connection was lost during the commit of the last transaction; event_outbox_audit shows whether it was made: "
	want := inDoubt + "unexpected EOF"
	n, err := admin.Replay(t.Context(), lost, admin.Filter{}, admin.Decision{Actor: "ann"})
	if n != 0 || err == nil || err.Error() != want {
		t.Errorf("replayed %d, %v; want %s", n, err, want)
	}
	if err := admin.Pause(t.Context(), lost, "orders", admin.Decision{Actor: "ann", Reason: "x"}); err == nil || err.Error() != want {
		t.Errorf("paused, %v; want %s", err, want)
	}
	for name, c := range map[string]struct {
		answer  error
		unknown bool
	}{
		"the server shuts down":           {&pgconn.PgError{SeverityUnlocalized: "FATAL", Code: "57P01"}, true},
		"a pooler has lost its server":    {&pgconn.PgError{Severity: "ERROR", Code: "08P01"}, true},
		"the server does not know":        {&pgconn.PgError{SeverityUnlocalized: "ERROR", Code: "40003"}, true},
		"a deferred constraint":           {&pgconn.PgError{SeverityUnlocalized: "ERROR", Code: "23505"}, false},
		"a commit that became a rollback": {pgx.ErrTxCommitRollback, false},
	} {
		answered := committing{conn, func(ctx context.Context, tx pgx.Tx) error { return errors.Join(tx.Rollback(ctx), c.answer) }}
		want := "admin: commit: " + c.answer.Error()
		if c.unknown {
			want = inDoubt + c.answer.Error()
		}
		if err := admin.Pause(t.Context(), answered, "mails", admin.Decision{Actor: "ann", Reason: "x"}); err == nil || err.Error() != want {
			t.Errorf("%s: %v; want %s", name, err, want)
		}
	}
}

// A row of a hand-written outbox can be dead because its topic is too long for Kafka. It is too
// long for the audit too, and must not stay for ever.
func TestARowThatIsTooLongForTheAudit(t *testing.T) {
	owner, conn := newOutbox(t)
	long := strings.Repeat("ä", 300)
	insert(t, owner, 2, `ALTER TABLE event_outbox ALTER COLUMN topic DROP NOT NULL; ALTER TABLE event_outbox ALTER event_type TYPE text, ALTER event_key TYPE text`)
	var got []string
	for verb, act := range decisionsAbout {
		_, err := owner.Exec(t.Context(), `UPDATE event_outbox SET topic = NULL, event_data = json_build_object('topic', $1::text), event_type = $1, event_key = $1, dead_at = now()
			WHERE seq = (SELECT min(seq) FROM event_outbox)`, long)
		if err != nil {
			t.Fatal(err)
		}
		n, err := act(t.Context(), conn, admin.Filter{}, admin.Decision{Actor: "ann", Reason: "test"})
		if n != 1 || err != nil {
			t.Errorf("%s: %d rows and %v, want 1", verb, n, err)
		}
	}
	rows, err := owner.Query(t.Context(), `SELECT DISTINCT concat_ws(' ', event_type, topic, event_key) FROM event_outbox_audit`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		t.Fatal(err)
	}
	short := strings.Repeat("ä", 255)
	if diff := cmp.Diff([]string{short + " " + short + " " + short}, got); diff != "" {
		t.Errorf("the audit (-want +got):\n%s", diff)
	}
}
