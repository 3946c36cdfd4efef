package relay

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Store is the database side of a relay: it holds the lease, reads rows and settles them
// for one outbox. pgstore implements it for Postgres. Several goroutines may call its
// methods at the same time, but the relay never makes two calls of one method at the same
// time.
//
// A method with a Lease argument returns ErrLeaseLost (wrapped) if that lease is not
// the current one, and then has changed nothing. After any other error the outcome is
// unknown: the call may or may not have succeeded, and the relay repeats it. If the
// error wraps ErrRefused, the relay calls Check for the reason.
type Store interface {
	// Check examines the outbox before the first term: tables of the expected shape, an
	// identity column that can order rows (CACHE 1, no cycle, not below max(seq)),
	// privileges, and sessions that last (no transaction pooler). A problem that needs
	// operator action is a *SetupError and ends Relay.Run; a transient one ends it only
	// at the start. After any other error the relay checks again.
	Check(ctx context.Context) error

	// Observe reads the lease row, and creates it if there is none.
	Observe(ctx context.Context) (LeaseState, error)
	// TakeOver begins a term: it raises the epoch by one if the row still has the epoch
	// and beat of seen. Otherwise it returns ErrLeaseMoved. If the row still names a
	// holder, the last term ended uncleanly and UncleanEnds grows by one. TakeOver may
	// end sessions of the former holder that block it.
	TakeOver(ctx context.Context, seen LeaseState, holder uuid.UUID) (Lease, error)
	// Renew raises the beat and records the progress.
	Renew(ctx context.Context, l Lease, progress Progress) (Renewal, error)
	// Release ends the term immediately, so that a standby need not wait. It clears the
	// holder, the suspect and UncleanEnds.
	Release(ctx context.Context, l Lease) error

	// Snapshot returns the current snapshot of the database.
	Snapshot(ctx context.Context) (Snapshot, error)
	// ReadBacklog reads the unsettled rows (not published, not dead) that s shows, in
	// seq order, after the given seq. Rows that wait for a retry are included.
	ReadBacklog(ctx context.Context, s Snapshot, after int64, limit Limit) (Page, error)
	// ReadTick reads the unsettled rows that to shows and from does not, in seq order,
	// after the given seq.
	ReadTick(ctx context.Context, from, to Snapshot, after int64, limit Limit) (Page, error)
	// ReadAgain reads the unsettled rows of a selection that s shows, in seq order, with
	// after < seq <= upTo. The relay skipped these rows while a key was held, a topic
	// paused or a partition set aside.
	ReadAgain(ctx context.Context, s Snapshot, rows Selection, after, upTo int64, limit Limit) (Page, error)
	// ReadEdited reads the unsettled rows that s shows, in seq order, with after < seq
	// <= upTo, that were changed after they were inserted, by transactions that edits
	// shows. It may also return other rows of transactions that s shows, but never a
	// row with a change that edits does not show. It looks at a limited number of rows,
	// and returns the last seq that it looked at. Page.More is true if there are rows
	// after it.
	ReadEdited(ctx context.Context, s, edits Snapshot, after, upTo int64, limit Limit) (Page, int64, error)
	// ReadHeld lists, in seq order and without data, the rows that hold their key: rows
	// that failed (RetryCount above 0) and wait for a retry, and dead rows that block.
	// Of the dead rows of a key only the first one is needed, with Others set if there
	// are more; dead rows without a key are not needed.
	ReadHeld(ctx context.Context, blocking Blocking) ([]HeldRow, error)
	// Decisions lists what operators did to dead rows (replayed or discarded them) and
	// no leader has acted on yet: oldest first, at most 1,000. First it marks those in
	// done, ids of earlier answers, as acted on. A replayed row is unsettled again, but
	// its tx is old, so no tick shows it.
	Decisions(ctx context.Context, l Lease, done []int64) ([]Decision, error)

	// Flushed waits until everything that was in the write-ahead log when the page's
	// snapshot was taken is on disk. The relay sends no row before that: with
	// synchronous_commit off, a crash could otherwise lose a row whose record is
	// already sent.
	Flushed(ctx context.Context, p Page) error

	// Settle records the outcomes of rows, in one autocommit statement that locks the
	// lease row first.
	Settle(ctx context.Context, l Lease, s Settlement) error

	// Stats returns the statistics for charts. It must be cheap enough to call every
	// few seconds.
	Stats(ctx context.Context) (Stats, error)
	// Sweep deletes settled rows older than keep, at most limit of them, and returns
	// how many it deleted.
	Sweep(ctx context.Context, l Lease, keep time.Duration, limit int) (int, error)

	// Close closes the connections. It does not end a term.
	Close()
}

// LeaseState is the lease row as a standby sees it.
type LeaseState struct {
	Epoch  int64
	Beat   int64
	Holder uuid.UUID // uuid.Nil: no leader (there was none yet, or it ended cleanly)
	// Suspect is the seq of a row that may have killed earlier leaders. The leader sets
	// it before it sends the row; 0: none.
	Suspect int64
	// UncleanEnds counts consecutive take-overs after unclean ends, without progress in
	// between.
	UncleanEnds int
	// Led is what the leader wrote with its last renewal; nil: nothing yet.
	Led *Led
}

// Lease is a term: the right to send and settle while it is current.
type Lease struct {
	Epoch  int64
	Holder uuid.UUID
	// UncleanEnds and Suspect are those of the lease row before the take-over.
	UncleanEnds int
	Suspect     int64
}

// Progress is what a renewal writes into the lease row.
type Progress struct {
	// Settled is true if rows were settled since the last renewal. It resets
	// UncleanEnds to 0.
	Settled bool
	// Suspect is the seq of the row that will be sent alone; 0: none.
	Suspect int64
	// State is the leader's Status as JSON, for operators who read the lease row; nil:
	// none.
	State []byte
}

// Renewal is what a renewal finds out.
type Renewal struct {
	// Decided is true if Store.Decisions has something to return.
	Decided bool
	// Pauses is the version of the operators' pauses, if the store is a Pauser; "": unknown.
	Pauses string
	// Next is when the next delayed event is due, if the store is a Delayer. It may miss
	// one whose transaction took very long.
	Next Due
}

// Due says when the next delayed event is due.
type Due struct {
	// Waiting is true if there is a delayed event that is not due yet.
	Waiting bool
	// In is the time until the next one is due, at most 100 years.
	In time.Duration
}

// Delayer is a Store with delayed events: events that wait beside the rows until they are
// due.
type Delayer interface {
	// MoveDue makes rows of delayed events that are due, at most limit of them: those that
	// are due first come first. To all other methods it is a writer like any other, so it
	// needs no lease: two relays may run it at the same time, and a relay whose term has
	// ended may run it late. Even then the rows of a key are made in the order in which they
	// are due. If Moved.More is true, the next call continues after the events that this one
	// looked at, so it does not look again at events that could not be moved.
	MoveDue(ctx context.Context, limit int) (Moved, error)
}

// Moved is the result of Delayer.MoveDue.
type Moved struct {
	// Rows is how many rows were made.
	Rows int
	// Known lists delayed events that were deleted, because there is a row with their id.
	Known []uuid.UUID
	// More is true if more delayed events may be due now.
	More bool
	// Next is the time of the next event that is not due yet.
	Next Due
}

// Idler is a Store that can wait for rows. The relay uses it when an outbox has been
// idle for a while, instead of taking snapshots.
type Idler interface {
	// Idle returns true as soon as a row may have been committed that the snapshot read
	// does not show, and false if there was none within limit. It may run beside all
	// other methods. After an error the relay polls.
	Idle(ctx context.Context, read Snapshot, limit time.Duration) (bool, error)
}

// Tidier is a Store that finds unsettled rows above a mark and, below it, only those that
// wait. The relay makes it move the mark after rows were settled.
type Tidier interface {
	// Tidy moves the mark, past a limited number of rows. It may change rows up to setAside
	// if they keep the mark from passing many others: these rows have waited for long. To
	// ReadEdited they look edited, so setAside is 0 while the relay looks for edited rows.
	Tidy(ctx context.Context, l Lease, setAside int64) (Tidied, error)
	// Search looks for unsettled rows below the mark. Each call looks at a limited number of
	// rows and continues where the last one stopped, even if that was in another term. It
	// returns the highest seq that it found; 0: none. The mark passes only rows that wait, so
	// somebody changed or restored by hand any row there that does not wait. Search changes
	// such a row so that reads find it. To ReadEdited it looks edited. The relay calls Search
	// while it reads.
	Search(ctx context.Context, l Lease) (int64, error)
}

// Maintainer is a Store whose tables need care that does not depend on what the relay reads
// and sends, such as partitions for the next days.
type Maintainer interface {
	// Maintain cares for the tables. keep is [Config].Keep. The relay calls it when a term
	// begins, also while there is a backlog, and then every minute. If something has to wait,
	// such as for a lock, the next call does it; only failures are errors.
	Maintain(ctx context.Context, l Lease, keep time.Duration) error
}

// Tidied is the result of Tidier.Tidy.
type Tidied struct {
	// Done is true if the mark has passed all rows.
	Done bool
	// More is true if the mark can pass more rows now.
	More bool
	// First is the row that keeps the mark from moving, and Last is the last row that was
	// looked at; 0: no row does.
	First, Last int64
	// Safe is a seq up to which no row can appear any more; 0 if First is 0.
	Safe int64
	// SetAside is true if rows were changed so that the mark can pass them.
	SetAside bool
}

// ReleaseHints is a Store that tells standbys when a term ended cleanly, so that they
// need not look often. A hint may be missing or false.
type ReleaseHints interface {
	Released() <-chan struct{}
}

// Selection selects rows to read again: those of some keys of a topic or, if Keys is nil,
// all rows of the topic (those without a key too).
type Selection struct {
	Topic string
	Keys  []string
}

// Blocking says for which event types a dead row blocks its key.
type Blocking struct {
	// ByDefault is the answer for event types that are not in Except.
	ByDefault bool
	// Except lists the event types with the opposite answer.
	Except []string
}

// Decision is what an operator did to a dead row.
type Decision struct {
	// ID identifies the decision for Store.Decisions.
	ID        int64
	Seq       int64
	Topic     string
	Key       *string
	Discarded bool // false: replayed
}

// Snapshot is a snapshot of the database. The relay does not interpret it. Equal
// snapshots show the same rows.
type Snapshot string

// Limit limits a page. Both limits are inclusive. A page has at least one row if there
// is one among those that were looked at.
type Limit struct {
	Rows  int
	Bytes int64
}

// Page is a list of rows in seq order.
type Page struct {
	Rows []Row
	// More is true if there may be rows after End.
	More bool
	// End is the last seq that was looked at, if More is true and the limit was not
	// reached; 0: that of the last row. A page may have no rows then.
	End int64
	// InsertLSN is the end of the write-ahead log just after a snapshot was taken, the
	// page's or a later one.
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
	Partition     *int32  // nil: the key decides
	Data          []byte  // the record's value, byte for byte; nil: a tombstone
	Headers       []byte  // a JSON object of strings; nil or null: the headers come from Data
	CreatedAt     time.Time
	RetryCount    int
}

// bound reports whether the row can go to one partition only.
func (r *Row) bound() bool { return r.Key != nil || r.Partition != nil }

// HeldRow is a row that holds its key.
type HeldRow struct {
	Seq         int64
	Topic       string
	Key         *string
	EventType   string
	RetryCount  int
	NextAttempt time.Time     // zero for a dead row
	RetryIn     time.Duration // time until NextAttempt, by the database's clock
	Dead        bool
	// Others is true for a dead row if there are further dead rows of its key that
	// block it and are not listed.
	Others bool
}

// Settlement has the outcomes of rows.
type Settlement struct {
	Published []int64
	Failed    []Failure
	// Decided lists the decisions that the relay has acted on, but has not yet seen marked
	// as acted on. A failed row with any other replay is left alone: it failed before the
	// operator replayed it, and this settlement repeats one whose outcome was unknown. The
	// relay sees that decision later and reads the row again.
	Decided []int64
}

// Failure is a failed attempt of one row.
type Failure struct {
	Seq int64
	Err string
	// RetryCount is the row's count with this failure. Because it is set and not
	// incremented, the settlement can be repeated after an unknown outcome.
	RetryCount int
	RetryIn    time.Duration // until the next attempt
	Dead       bool          // out of attempts: a dead letter
}

// Stats are the statistics of one outbox.
type Stats struct {
	Pending int64 `json:"pending"` // unsettled rows, at most 100,001 to keep it cheap
	Held    int64 `json:"held"`    // rows waiting for a retry, at most 100,001
	Dead    int64 `json:"dead"`    // dead rows that were not replayed or discarded, at most 100,001
	// OldestAge is the age of the oldest unsettled row whose topic no operator has paused; 0
	// if there is none. See CountRows of pgstore for its limits.
	OldestAge time.Duration `json:"oldest_age_ns"`
	LastSeq   int64         `json:"last_seq"`
	Delayed   int64         `json:"delayed"` // delayed events that wait, at most 100,001
	// DelayedIn is the time until the next of them is due; negative: it is overdue; 0 if
	// there is none.
	DelayedIn time.Duration `json:"delayed_in_ns"`
}
