package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// DeadLetter is a dead row.
type DeadLetter struct {
	Seq           int64     `json:"seq"`
	EventID       uuid.UUID `json:"event_id"`
	AggregateType string    `json:"aggregate_type"`
	AggregateID   string    `json:"aggregate_id"`
	EventType     string    `json:"event_type"`
	Topic         string    `json:"topic"`
	Key           *string   `json:"key"`
	Partition     *int32    `json:"partition,omitempty"` // nil: the one that the key gives
	Tombstone     bool      `json:"tombstone,omitempty"` // the row has no data
	CreatedAt     time.Time `json:"created_at"`
	DeadAt        time.Time `json:"dead_at"`
	RetryCount    int       `json:"retry_count"`
	LastError     string    `json:"last_error"`
}

// Filter selects dead letters or delayed events. All set fields must match. The zero
// value selects all of them.
type Filter struct {
	EventIDs  []uuid.UUID
	EventType string
	Topic     string
	Key       *string
	// AggregateType and AggregateID select the events of one type of aggregate, or of one
	// aggregate.
	AggregateType, AggregateID string

	// These select dead letters only. Functions about delayed events return an error if one
	// of them is set.

	// Error selects the dead letters whose last error contains this text, in upper or lower
	// case.
	Error string
	// OlderThan and NewerThan select by the time since the row became dead, by the database's
	// clock. 0: any.
	OlderThan, NewerThan time.Duration
}

// validate returns an error if a field has a value that selects nothing.
func (f Filter) validate() error {
	if f.OlderThan < 0 || f.NewerThan < 0 {
		return errors.New("admin: Filter.OlderThan and Filter.NewerThan must not be negative; 0 selects any age")
	}
	if f.NewerThan > 0 && f.NewerThan <= f.OlderThan {
		return fmt.Errorf("admin: no dead letter is older than %s and newer than %s: raise Filter.NewerThan", f.OlderThan, f.NewerThan)
	}
	return nil
}

// inMilliseconds returns a duration for a statement; nil for 0.
func inMilliseconds(d time.Duration) *int64 {
	if d == 0 {
		return nil
	}
	ms := d.Milliseconds()
	return &ms
}

// Decision says who decided and why. It is recorded in event_outbox_audit.
type Decision struct {
	Actor string // required, at most 255 characters
	// Reason says why, in at most 1,000 characters. Discard requires it, because a deleted
	// row cannot be looked at later.
	Reason string
}

const (
	// longestActor is the length of the column.
	longestActor = 255
	// longestReason keeps small what the leader writes of its pauses at each renewal.
	longestReason = 1_000
)

// Validate returns an error if the audit cannot take the decision. Every decision is validated
// anyway; call it to find the error before you ask for a confirmation.
func (d Decision) Validate() error {
	switch {
	case d.Actor == "":
		return errors.New("admin: Decision.Actor is empty: the audit needs to know who decided")
	case !utf8.ValidString(d.Actor+d.Reason) || strings.ContainsRune(d.Actor+d.Reason, 0):
		return errors.New("admin: Decision.Actor or Decision.Reason is not valid UTF-8, or has a NUL: Postgres cannot store it")
	case utf8.RuneCountInString(d.Actor) > longestActor:
		return fmt.Errorf("admin: Decision.Actor is longer than %d characters", longestActor)
	case utf8.RuneCountInString(d.Reason) > longestReason:
		return fmt.Errorf("admin: Decision.Reason is longer than %d characters", longestReason)
	}
	return nil
}

// pageRows limits one page of dead letters, and one transaction that replays or
// discards them.
const pageRows = 1000

// Replay makes the dead letters that f selects pending again, with no attempts counted,
// and returns how many there were. It runs transactions of 1,000 rows. If it returns an
// error, the number is that of the rows that were replayed before it.
func Replay(ctx context.Context, conn Beginner, f Filter, d Decision) (int, error) {
	return replaying(ctx, f, d).carryOut(ctx, conn, d)
}

func replaying(ctx context.Context, f Filter, d Decision) decision[DeadLetter] {
	return deciding(ctx, f, func(outbox rows, seqs []int64) (outcome, error) {
		return outbox.replay(ctx, admindb.ReplayParams{Actor: d.Actor, Reason: optional(d.Reason), Seqs: seqs})
	})
}

// Discard deletes the dead letters that f selects and returns how many there were.
// Their data is lost. event_outbox_audit records each row and the reason, which is
// required. Like Replay, it runs transactions of 1,000 rows.
func Discard(ctx context.Context, conn Beginner, f Filter, d Decision) (int, error) {
	if strings.TrimSpace(d.Reason) == "" {
		return 0, errors.New("admin: Decision.Reason is empty: a discard cannot be taken back, so the audit needs to know why")
	}
	return deciding(ctx, f, func(outbox rows, seqs []int64) (outcome, error) {
		return outbox.discard(ctx, admindb.DiscardParams{Actor: d.Actor, Reason: optional(d.Reason), Seqs: seqs})
	}).carryOut(ctx, conn, d)
}

// deciding is a decision about dead letters.
func deciding(ctx context.Context, f Filter, act func(rows, []int64) (outcome, error)) decision[DeadLetter] {
	var outbox rows // of the transaction
	return decision[DeadLetter]{
		nouns: "rows", table: "event_outbox", state: "dead", unaudited: ", without which the relay does not learn of the decision",
		most: len(f.EventIDs),
		read: func(tx pgx.Tx, after DeadLetter) (_ []DeadLetter, err error) {
			if err := checkPage(f, pageRows); err != nil {
				return nil, err
			}
			if outbox, err = visibleRowsOf(ctx, tx, defaultLease); err != nil {
				return nil, err
			}
			return deadPage(ctx, outbox, f, after.Seq, pageRows)
		},
		act:   func(_ *admindb.Queries, page []DeadLetter) (outcome, error) { return act(outbox, seqsOf(page)) },
		still: func(_ *admindb.Queries, page []DeadLetter) (int64, error) { return outbox.stillDead(ctx, seqsOf(page)) },
	}
}

func seqsOf(page []DeadLetter) []int64 {
	seqs := make([]int64, len(page))
	for i, letter := range page {
		seqs[i] = letter.Seq
	}
	return seqs
}

// optional returns nil for the empty text.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// texts returns the ids as text, which pgx can send in every mode. nil stays nil, which
// selects every row. An empty list stays an empty list, which selects none.
func texts(ids []uuid.UUID) []string {
	if ids == nil {
		return nil
	}
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		out = append(out, id.String())
	}
	return out
}
