package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// PendingCap is where counting rows stops, to keep it cheap. A State with this number has at
// least as many. Counting pending rows also leaves out rows in the middle of the outbox in some
// cases: see State.AtLeast.
const PendingCap = 100_001

// retryingShown limits State.RetryingRows.
const retryingShown = 20

// DB runs the queries: a connection, a pool or a transaction whose search_path has the
// outbox's tables.
type DB interface {
	Beginner
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// State is the state of an outbox. In JSON, durations are in nanoseconds.
type State struct {
	Leader   Leader    `json:"leader"`
	Now      time.Time `json:"now"`      // the database's clock
	Pending  int64     `json:"pending"`  // rows that are neither published nor dead, at most PendingCap
	Retrying int64     `json:"retrying"` // of the pending rows, those that failed and wait for their next attempt, at most PendingCap
	Dead     int64     `json:"dead"`     // rows that used up their attempts, at most PendingCap
	Delayed  int64     `json:"delayed"`  // delayed events that wait for their time, at most PendingCap
	// NextDelayed is the delayed event that is due first; nil if none waits.
	NextDelayed *DelayedEvent `json:"next_delayed"`
	// Oldest is the pending row that has waited longest; nil if none is pending.
	Oldest *Row `json:"oldest"`
	// OldestUnpaused is the same without the topics that operators have paused. If the first
	// PendingCap rows are all of paused topics, only the last PendingCap rows are searched for
	// it.
	OldestUnpaused *Row `json:"oldest_unpaused"`
	// NotAllSeen is true if OldestUnpaused is nil and there are so many rows of paused topics
	// that not all were looked at. Rows that are far above the low-water mark, and not
	// among the newest, are never looked at, and do not make it true.
	NotAllSeen bool `json:"not_all_seen,omitempty"`
	// AtLeast is true if more rows may be pending than Pending says, and an older one than Oldest:
	// those in the middle of the outbox were not looked at. This is so in a large outbox that was
	// restored or copied, until a relay has led it, and while a transaction keeps the low-water
	// mark far behind.
	AtLeast bool `json:"at_least,omitempty"`
	// Moving is how far the oldest row moved, if somebody has looked twice. Inspect leaves it nil.
	Moving *Moving `json:"moving"`
	// Pauses lists the pauses of operators that are in force, oldest first.
	Pauses []relay.OperatorPause `json:"operator_pauses"`
	// RetryingRows lists the first rows that failed and wait, at most 20.
	RetryingRows []Row `json:"retrying_rows"`
}

// Moving is how far the oldest pending row moved between two looks. That is no number of rows:
// those between may have been published before.
type Moving struct {
	Seqs    int64   `json:"seqs"` // 0: not at all
	Seconds float64 `json:"seconds"`
}

// Leader is the lease row.
type Leader struct {
	// Known is false if no relay has ever run on this outbox.
	Known bool `json:"known"`
	// Holder is the id of the term; uuid.Nil: no leader.
	Holder uuid.UUID `json:"holder"`
	Epoch  int64     `json:"epoch"`
	// Silent is the time since the leader last renewed its lease. A healthy leader
	// renews about every second. After its term, 3s by default, a standby takes over.
	Silent time.Duration `json:"silent_ns"`
	// UncleanEnds counts the consecutive terms that ended with a crash and made no progress.
	UncleanEnds int `json:"unclean_ends"`
	// Suspect is the seq of the row that is suspected of crashing relays; 0: none.
	Suspect int64 `json:"suspect_seq"`
	// State is the leader's status at its last renewal: held keys, paused topics, why
	// nothing moves. It is zero if there is no leader, and until a new leader's first renewal.
	State relay.Status `json:"state"`
}

// Row is a row that waits.
type Row struct {
	Seq         int64         `json:"seq"`
	EventID     uuid.UUID     `json:"event_id"`
	EventType   string        `json:"event_type"`
	Topic       string        `json:"topic"`
	Key         *string       `json:"key"`
	Age         time.Duration `json:"age_ns"` // since it was inserted; 0 in State.RetryingRows
	RetryCount  int           `json:"retry_count"`
	LastError   string        `json:"last_error"`
	NextAttempt time.Time     `json:"next_attempt,omitzero"` // zero: not waiting for a retry
}

// defaultLease is the name of the lease that a relay has by default.
const defaultLease = "event_outbox"

// Inspect reads the state of the outbox. leaseName is the name of its lease; "" means
// "event_outbox". The error says what to do if a table or a privilege is missing.
func Inspect(ctx context.Context, db DB, leaseName string) (State, error) {
	if leaseName == "" {
		leaseName = defaultLease
	}
	q := admindb.New(db)
	rows, err := visibleRowsOf(ctx, db, leaseName)
	if err != nil {
		return State{}, err
	}
	var s State
	if s.Leader, err = readLeader(ctx, q, leaseName); err != nil {
		return State{}, err
	}
	if s.Now, err = q.Now(ctx); err != nil {
		return State{}, fmt.Errorf("admin: read the clock: %w", err)
	}
	counts, err := rows.count(ctx)
	if err != nil {
		return State{}, fmt.Errorf("admin: count the rows: %w", missing(err))
	}
	s.Pending, s.Retrying, s.Dead = counts.Pending, counts.Retrying, counts.Dead
	gap, err := rows.gap(ctx)
	if err != nil {
		return State{}, fmt.Errorf("admin: count the rows: %w", missing(err))
	}
	s.AtLeast = gap && s.Pending < PendingCap
	if s.Pauses, err = Pauses(ctx, db); err != nil {
		return State{}, err
	}
	if s.Oldest, err = oldest(ctx, rows, []string{}); err != nil {
		return State{}, err
	}
	s.OldestUnpaused = s.Oldest
	if s.Oldest != nil && slices.ContainsFunc(s.Pauses, of(AllTopics)) {
		s.OldestUnpaused = nil
	} else if s.Oldest != nil && slices.ContainsFunc(s.Pauses, of(s.Oldest.Topic)) {
		var paused []string
		for _, p := range s.Pauses {
			paused = append(paused, p.Topic)
		}
		if s.OldestUnpaused, err = oldest(ctx, rows, paused); err == nil && s.OldestUnpaused == nil && s.Pending >= PendingCap {
			s.OldestUnpaused, err = late(ctx, rows, paused)
			s.NotAllSeen = s.OldestUnpaused == nil
		}
		if err != nil {
			return State{}, err
		}
	}
	retrying, err := rows.retrying(ctx, retryingShown)
	if err != nil {
		return State{}, fmt.Errorf("admin: read the rows that wait: %w", err)
	}
	s.RetryingRows = []Row{}
	for _, r := range retrying {
		s.RetryingRows = append(s.RetryingRows, Row{
			Seq: r.Seq, EventID: r.ID, EventType: r.EventType, Topic: r.Topic, Key: r.EventKey,
			RetryCount: int(r.RetryCount), LastError: value(r.LastError), NextAttempt: value(r.NextAttemptAt),
		})
	}
	if s.Delayed, err = q.CountDelayed(ctx, PendingCap); err != nil {
		return State{}, fmt.Errorf("admin: count the delayed events: %w", missing(err))
	}
	next, err := delayedPage(ctx, q, Filter{}, DelayedEvent{}, 1)
	if err != nil {
		return State{}, err
	}
	if len(next) > 0 {
		s.NextDelayed = &next[0]
	}
	return s, nil
}

// ReadLeader reads the lease row only, which is cheap. leaseName is as in Inspect. Its
// State.Stats are the numbers of the outbox that the leader knew at its last renewal.
func ReadLeader(ctx context.Context, db DB, leaseName string) (Leader, error) {
	if leaseName == "" {
		leaseName = defaultLease
	}
	return readLeader(ctx, admindb.New(db), leaseName)
}

func readLeader(ctx context.Context, q *admindb.Queries, leaseName string) (Leader, error) {
	lease, err := q.ReadLease(ctx, leaseName)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Leader{}, nil
	case err != nil:
		return Leader{}, fmt.Errorf("admin: read the lease: %w", missing(err))
	}
	l := Leader{
		Known:       true,
		Holder:      value(lease.Holder),
		Epoch:       lease.Epoch,
		Silent:      time.Duration(lease.SilentMs) * time.Millisecond,
		UncleanEnds: int(lease.UncleanEnds),
		Suspect:     value(lease.SuspectSeq),
	}
	if len(lease.State) > 0 {
		if err := json.Unmarshal(lease.State, &l.State); err != nil {
			return Leader{}, fmt.Errorf("admin: the leader's state in event_outbox_lease cannot be read: %w", err)
		}
	}
	return l, nil
}

// missing adds the remedy to an error about a missing table or column.
func missing(err error) error {
	switch sqlstate.Code(err) {
	case sqlstate.UndefinedTable, sqlstate.UndefinedColumn:
		return fmt.Errorf("%w; the outbox's tables are not there, or have the older shape: see outboxgen migration, and --upgrade there", err)
	case sqlstate.Denied:
		return fmt.Errorf("%w; `outboxgen migration --grants`, of a log with --store log, prints what the role of an operator needs", err)
	}
	return err
}

// refuseHidden returns an error if row security hides rows from the role, because the
// results and decisions would be incomplete.
func refuseHidden(ctx context.Context, db DB) error {
	hidden, err := admindb.New(db).HiddenTables(ctx)
	if err != nil {
		return fmt.Errorf("admin: look for row security: %w", err)
	}
	return hiddenError(hidden)
}

func hiddenError(hidden []string) error {
	if len(hidden) > 0 {
		return fmt.Errorf("admin: row security hides rows of %s from this role: give the role BYPASSRLS, "+
			"or ALTER TABLE %s DISABLE ROW LEVEL SECURITY", strings.Join(hidden, ", "), hidden[0])
	}
	return nil
}

// oneLine returns a text of the data for an error: quoted, if it has line breaks or other
// characters that cannot be seen. They would look like lines of whoever prints the error.
func oneLine(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// value returns what p points to, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// oldest reads the oldest pending row whose topic is not one of without; nil: there is none.
func oldest(ctx context.Context, rows rows, without []string) (*Row, error) {
	list, err := rows.oldest(ctx, without)
	if err != nil {
		return nil, fmt.Errorf("admin: read the oldest row: %w", missing(err))
	}
	return firstRow(list), nil
}

// late is oldest of the last rows only.
func late(ctx context.Context, rows rows, without []string) (*Row, error) {
	list, err := rows.late(ctx, without)
	if err != nil {
		return nil, fmt.Errorf("admin: read the last rows: %w", missing(err))
	}
	return firstRow(list), nil
}

func firstRow(list []admindb.OldestPendingRow) *Row {
	if len(list) == 0 {
		return nil
	}
	r := list[0]
	row := &Row{
		Seq: r.Seq, EventID: r.ID, EventType: r.EventType, Topic: r.Topic, Key: r.EventKey,
		Age:        time.Duration(r.AgeMs) * time.Millisecond,
		RetryCount: int(r.RetryCount), LastError: value(r.LastError),
	}
	if r.RetryCount > 0 { // on other rows the time says nothing
		row.NextAttempt = value(r.NextAttemptAt)
	}
	return row
}
