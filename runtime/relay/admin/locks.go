package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// Blocker is a session that holds a lock on a table of the outbox, or waits for an exclusive
// one, so that others wait behind it.
type Blocker struct {
	PID    int32  // 0: a prepared transaction
	Detail string // its role, application and state
	Table  string
	Mode   string        // of the lock, as in pg_locks
	Waits  bool          // it waits for the lock
	For    time.Duration // since its transaction began; negative: unknown
	Query  string        // its last statement up to the first value; "": unknown
}

func (b Blocker) String() string {
	who := fmt.Sprintf("session %d (%s)", b.PID, b.Detail)
	if b.PID == 0 {
		who = "a prepared transaction"
	}
	verb := "holds"
	if b.Waits {
		verb = "waits for"
	}
	text := fmt.Sprintf("%s %s %s on %s", who, verb, b.Mode, b.Table)
	if b.For >= 0 {
		text += fmt.Sprintf(", since %s", b.For)
	}
	if b.Query != "" {
		text += ": " + b.Query
	}
	return text
}

// WaitedFor says what a statement may have waited for that was ended by lock_timeout, and what to
// do about it.
func WaitedFor(found []Blocker) string {
	if len(found) == 0 {
		return "see pg_locks for the session that holds it"
	}
	text := "it may have waited for: "
	for i, b := range found {
		if i > 0 {
			text += "; "
		}
		text += b.String()
	}
	if pid := found[0].PID; pid != 0 && found[0].For >= 0 { // otherwise it may be a new one
		text += fmt.Sprintf(". Wait for it, or, if it is not needed: SELECT pg_terminate_backend(%d)", pid)
	}
	return text
}

// Blockers lists what a statement about the outbox waits for, or has waited for until it was
// ended by lock_timeout: at most three sessions whose transactions are at least as old as
// that. It waits for no lock.
func Blockers(ctx context.Context, db DB, least time.Duration) ([]Blocker, error) {
	rows, err := admindb.New(db).Blockers(ctx, int64(least/time.Second))
	if err != nil {
		return nil, fmt.Errorf("admin: look for sessions that hold locks: %w", err)
	}
	var out []Blocker
	for _, r := range rows {
		out = append(out, Blocker{
			PID: r.Pid, Detail: r.Detail, Table: r.TableName, Mode: r.Mode, Waits: !r.Granted, For: seconds(r.Seconds), Query: withoutValues(r.Query),
		})
	}
	return out, nil
}
