package relay

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Store is the SQL side of a relay: the lease, reading and settling of one
// outbox. pgstore has the one for Postgres; the relay's own tests have one in
// memory. Methods may be called from several goroutines at once, except that
// the relay never runs two of the same name at the same time.
//
// A method that takes a Lease returns ErrLeaseLost (wrapped) when that lease is
// no longer the current one, and then has changed nothing. Any other error
// means that the outcome is unknown: the call may or may not have taken effect,
// and the relay asks again; one that wraps ErrRefused makes it ask Check why.
type Store interface {
	// Check looks at the outbox before the first term: tables of the expected
	// shape, an identity that can order rows (CACHE 1, no cycle, not below
	// max(seq)), privileges, a session that survives (no transaction pooler).
	// What needs operator action comes back as a *SetupError and ends
	// Relay.Run (a transient one only as it starts); after any other error the
	// relay checks again.
	Check(ctx context.Context) error

	// Observe reads the lease row, creating it when there is none.
	Observe(ctx context.Context) (LeaseState, error)
	// TakeOver begins a term: it raises the epoch by one if the row still has
	// the epoch and beat that were seen, and returns ErrLeaseMoved when it has
	// not. When the row still named a holder, the term before ended uncleanly
	// and UncleanEnds grows by one. It may end the old holder's sessions where
	// they stand in the way.
	TakeOver(ctx context.Context, seen LeaseState, holder uuid.UUID) (Lease, error)
	// Renew raises the beat and records the progress.
	Renew(ctx context.Context, l Lease, progress Progress) (Renewal, error)
	// Release ends the term at once, so that a standby need not wait: no
	// holder, no suspect, UncleanEnds 0.
	Release(ctx context.Context, l Lease) error

	// Snapshot is the database's snapshot now.
	Snapshot(ctx context.Context) (Snapshot, error)
	// ReadBacklog reads the unsettled rows (not published, not dead) that s
	// shows, in seq order, after the given seq. Rows that wait for a retry are
	// among them.
	ReadBacklog(ctx context.Context, s Snapshot, after int64, limit Limit) (Page, error)
	// ReadTick reads the unsettled rows that to shows and from does not, in
	// seq order, after the given seq.
	ReadTick(ctx context.Context, from, to Snapshot, after int64, limit Limit) (Page, error)
	// ReadAgain reads the unsettled rows of one scope that s shows, in seq
	// order, with after < seq <= upTo: the rows that were skipped while a key
	// was held, a topic paused or a partition set aside.
	ReadAgain(ctx context.Context, s Snapshot, scope Scope, after, upTo int64, limit Limit) (Page, error)
	// ReadEdited reads the unsettled rows that s shows, in seq order, with
	// after < seq <= upTo, that were changed after they were inserted, by
	// transactions that edits shows. It may give others that were inserted in
	// transactions that s shows, but none of whose changes edits does not show. It
	// looks at a bounded number of rows, and returns the seq up to which it has
	// looked; Page.More is true when there is something behind it.
	ReadEdited(ctx context.Context, s, edits Snapshot, after, upTo int64, limit Limit) (Page, int64, error)
	// ReadHeld lists, in seq order and without data, the rows that hold their
	// key: failed (RetryCount above 0) and waiting for a retry, or dead and blocking.
	ReadHeld(ctx context.Context, blocking Blocking) ([]HeldRow, error)
	// Decisions lists what operators did to dead rows (replayed or discarded
	// them) and this or an earlier leader has not acted on, oldest first, at
	// most 1,000. It first marks those in done, ids of earlier answers, as acted
	// on. A replayed row is unsettled again, but its tx is old, so no tick shows it.
	Decisions(ctx context.Context, l Lease, done []int64) ([]Decision, error)

	// Flushed waits until everything that was in the write-ahead log when the
	// snapshot of the given page was taken is on disk. The relay sends no row before that: with
	// synchronous_commit off a crash could otherwise forget a row whose record
	// is already out.
	Flushed(ctx context.Context, p Page) error

	// Settle records what became of rows, in one autocommit statement that
	// takes the lease row first.
	Settle(ctx context.Context, l Lease, s Settlement) error

	// Stats is what operators chart; cheap enough for every few seconds.
	Stats(ctx context.Context) (Stats, error)
	// Sweep deletes settled rows older than keep, at most limit of them, and
	// reports how many went.
	Sweep(ctx context.Context, l Lease, keep time.Duration, limit int) (int, error)

	// Close releases the connections. It does not end a term.
	Close()
}

// LeaseState is the lease row as a standby sees it.
type LeaseState struct {
	Epoch  int64
	Beat   int64
	Holder uuid.UUID // uuid.Nil: nobody leads (never led, or ended cleanly)
	// Suspect is set by a leader before it sends a row that may have killed its
	// predecessors; 0: none.
	Suspect int64
	// UncleanEnds counts take-overs after an unclean end, in a row, with no
	// progress between them.
	UncleanEnds int
	// Led is what the leader left in the row with its last renewal; nil: nothing yet.
	Led *Led
}

// Lease is a term: the right to produce and settle while it is current.
type Lease struct {
	Epoch  int64
	Holder uuid.UUID
	// UncleanEnds and Suspect are carried over from the row taken over.
	UncleanEnds int
	Suspect     int64
}

// Progress is what a renewal tells the lease row.
type Progress struct {
	// Settled is true when rows were settled since the last renewal; it sets
	// UncleanEnds back to 0.
	Settled bool
	// Suspect names the row about to be sent alone; 0: none.
	Suspect int64
	// State is the leader's Status as JSON, for people who look at the lease row;
	// nil: none.
	State []byte
}

// Renewal is what a renewal learns on the way.
type Renewal struct {
	// Decided is true when Store.Decisions has something to tell.
	Decided bool
}

// Idler is a Store that can wait for rows by itself. The relay then waits once an
// outbox has been idle for a while, instead of taking one snapshot after the other.
type Idler interface {
	// Idle returns true as soon as a row may have been committed that the snapshot
	// read does not show, and false when none was within limit. It may be called
	// beside all other methods. An error says nothing about the outbox: the relay then
	// polls.
	Idle(ctx context.Context, read Snapshot, limit time.Duration) (bool, error)
}

// ReleaseHints is a Store that tells standbys when a term ended cleanly, so that
// they need not look often. A hint may be missing, or come for nothing.
type ReleaseHints interface {
	Released() <-chan struct{}
}

// Scope names rows that are read again: those of some keys of a topic, or, when
// Keys is nil, all of the topic (null keys too).
type Scope struct {
	Topic string
	Keys  []string
}

// Blocking says which event types block their key when a row of theirs is dead.
type Blocking struct {
	// ByDefault is the answer for every type that is not in Except.
	ByDefault bool
	// Except lists the event types with the opposite answer.
	Except []string
}

// Decision is what an operator did to a dead row.
type Decision struct {
	// ID identifies the decision to Store.Decisions.
	ID        int64
	Seq       int64
	Topic     string
	Key       *string
	Discarded bool // false: replayed
}

// Snapshot is a database snapshot, opaque to the relay. Equal snapshots show
// the same rows.
type Snapshot string

// Limit bounds a page; both bounds are inclusive, and a page always holds at
// least one row when there is one.
type Limit struct {
	Rows  int
	Bytes int64
}

// Page is a run of rows in seq order.
type Page struct {
	Rows []Row
	// More is true when rows beyond the limit remain.
	More bool
	// InsertLSN is the end of the write-ahead log just after a snapshot was taken,
	// the page's own or a later one.
	InsertLSN string
}

// Row is one event to publish.
type Row struct {
	Seq           int64
	ID            uuid.UUID
	AggregateType string
	AggregateID   string
	EventType     string
	Topic         string
	Key           *string // nil: no key, no order
	Data          []byte  // the record's value, byte for byte
	Headers       []byte  // a JSON object of strings, or nil
	CreatedAt     time.Time
	RetryCount    int
}

// HeldRow is a row that holds its key.
type HeldRow struct {
	Seq         int64
	Topic       string
	Key         *string
	EventType   string
	RetryCount  int
	NextAttempt time.Time     // zero for a dead row
	RetryIn     time.Duration // NextAttempt as a distance from now, by the database's clock
	Dead        bool
}

// Settlement is what became of rows.
type Settlement struct {
	Published []int64
	Failed    []Failure
	// Decided lists the decisions that the relay has acted on and not yet seen
	// marked. A failed row that was replayed by any other is left alone: it failed
	// before the operator replayed it, and the settlement is one that is made again
	// because its outcome was unknown. The relay meets that decision later, and
	// reads the row again.
	Decided []int64
}

// Failure is one row's failed attempt, counted against the row.
type Failure struct {
	Seq int64
	Err string
	// RetryCount is the row's count with this failure in it; setting it, rather
	// than adding one, makes it safe to settle again after an unknown outcome.
	RetryCount int
	RetryIn    time.Duration // until the next attempt
	Dead       bool          // given up: a dead letter
}

// Stats is the state of one outbox.
type Stats struct {
	Pending   int64         `json:"pending"` // unsettled rows, capped at 100,001 so that it stays cheap
	Held      int64         `json:"held"`    // rows waiting for a retry
	Dead      int64         `json:"dead"`
	OldestAge time.Duration `json:"oldest_age_ns"` // of the oldest unsettled row; 0 when there is none
	LastSeq   int64         `json:"last_seq"`
}
