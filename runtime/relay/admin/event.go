package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// ErrNoEvent is returned by FindEvent if event_outbox has no such row.
var ErrNoEvent = errors.New("admin: event_outbox has no such row")

// DiscardedError is an ErrNoEvent for a row that an operator has deleted, or a delayed event
// that one has cancelled.
type DiscardedError struct {
	EventID uuid.UUID
	Seq     int64 // 0: it was a delayed event
	AuditEntry
}

// Error says who deleted the row.
func (e *DiscardedError) Error() string {
	what, reason := "discarded", e.Reason
	if e.Action == "cancel" {
		what = "cancelled"
	}
	if reason == "" {
		reason = "no reason was given"
	}
	return fmt.Sprintf("%v: event %s, seq %d, was %s by %s at %s: %s", ErrNoEvent, e.EventID, e.Seq, what, oneLine(e.Actor), e.At.UTC().Format(time.RFC3339), oneLine(reason))
}

// Is makes it an ErrNoEvent.
func (*DiscardedError) Is(target error) bool { return target == ErrNoEvent }

// discarded returns a *DiscardedError if the audit knows who deleted a row, else instead.
func discarded(ctx context.Context, q *admindb.Queries, which admindb.DiscardOfParams, instead error) error {
	found, err := q.DiscardOf(ctx, which)
	if err != nil || len(found) == 0 { // a role may not read the audit
		return instead
	}
	r := found[0]
	return &DiscardedError{r.EventID, r.Seq, AuditEntry{At: r.At, Actor: r.Actor, Action: r.Action, Reason: r.Reason}}
}

// Event is everything about one row of event_outbox.
type Event struct {
	Seq           int64           `json:"seq"`
	EventID       uuid.UUID       `json:"event_id"`
	State         EventState      `json:"state"`
	AggregateType string          `json:"aggregate_type"`
	AggregateID   string          `json:"aggregate_id"`
	EventType     string          `json:"event_type"`
	Topic         string          `json:"topic"`
	Key           *string         `json:"key"`
	Partition     *int32          `json:"partition,omitempty"` // nil: the one that the key gives
	Data          json.RawMessage `json:"data"`                // null: a tombstone
	Headers       json.RawMessage `json:"headers"`             // null: the headers come from Data
	Transaction   string          `json:"tx"`                  // that inserted it; "": it is from before an upgrade
	CreatedAt     time.Time       `json:"created_at"`
	PublishedAt   time.Time       `json:"published_at,omitzero"` // of a log: known some time after State is Published
	NextAttempt   time.Time       `json:"next_attempt,omitzero"` // zero: it does not wait for a retry
	DeadAt        time.Time       `json:"dead_at,omitzero"`
	RetryCount    int             `json:"retry_count"`
	LastError     string          `json:"last_error"`

	// Behind counts the pending rows of its topic and key that come after it, at most
	// BehindCap. They wait for it if it is being retried, or if it is dead and the relay's
	// policy for its type is to block. BehindFirst lists the first of them, at most 20.
	Behind      int64       `json:"behind"`
	BehindFirst []RowBehind `json:"behind_first"`
	// DeadOfKey lists the other dead rows of its topic and key, at most 1,000.
	DeadOfKey []DeadLetter `json:"dead_of_key"`
	// Newer are the published rows of its topic and key that come after it, if it is dead.
	Newer NewerRows `json:"newer"`
	// Audit lists what operators did to the event, oldest first, at most 1,000 entries.
	Audit []AuditEntry `json:"audit"`
}

// EventState is the state of a row.
type EventState string

// The states of a row.
const (
	Pending   EventState = "pending"   // not sent yet
	Retrying  EventState = "retrying"  // it failed, and waits for its next attempt
	Dead      EventState = "dead"      // it used up its attempts
	Published EventState = "published" // Kafka has it
	Discarded EventState = "discarded" // an operator discarded it; a log keeps such an event
)

// BehindCap is where counting the rows behind an event stops. An Event with this number has
// at least as many.
const BehindCap = 10_001

// RowBehind is a row that comes after another one of its key.
type RowBehind struct {
	Seq        int64     `json:"seq"`
	EventID    uuid.UUID `json:"event_id"`
	EventType  string    `json:"event_type"`
	CreatedAt  time.Time `json:"created_at"`
	RetryCount int       `json:"retry_count"`
}

// AuditEntry is what an operator did to an event.
type AuditEntry struct {
	At     time.Time `json:"at"`
	Actor  string    `json:"actor"`
	Action string    `json:"action"`
	Reason string    `json:"reason"`
	// AppliedAt is when the leader acted on it; zero: not yet, or it needs no action.
	AppliedAt time.Time `json:"applied_at,omitzero"`
}

// behindShown limits Event.BehindFirst.
const behindShown = 20

// FindSeq returns the id of the event with this seq, if it is not published: an outbox whose
// lease has no low-water mark has no index of published rows by seq. Otherwise it returns
// ErrNoEvent.
func FindSeq(ctx context.Context, db DB, seq int64) (uuid.UUID, error) {
	rows, err := visibleRowsOf(ctx, db, defaultLease)
	if err != nil {
		return uuid.Nil, err
	}
	ids, err := rows.idsOfSeq(ctx, seq)
	if err != nil {
		return uuid.Nil, fmt.Errorf("admin: look for seq %d: %w", seq, missing(err))
	}
	if len(ids) == 0 {
		return uuid.Nil, discarded(ctx, admindb.New(db), admindb.DiscardOfParams{Seq: &seq},
			fmt.Errorf("%w: seq %d is not pending and not dead", ErrNoEvent, seq))
	}
	return ids[0], nil
}

// FindEvent returns everything about the event with this id, whatever its state. It
// returns ErrNoEvent if event_outbox does not have it; it may have been deleted after it
// was published.
func FindEvent(ctx context.Context, db DB, id uuid.UUID) (Event, error) {
	e, err := FindRow(ctx, db, id)
	if err != nil {
		return Event{}, err
	}
	return e, e.ReadKey(ctx, db)
}

// FindRow is FindEvent without what needs a look at other rows: Behind, BehindFirst and
// DeadOfKey. However many rows the outbox has, it is cheap.
func FindRow(ctx context.Context, db DB, id uuid.UUID) (Event, error) {
	return findRow(ctx, db, id, func(outbox rows) ([]admindb.WholeRowRow, error) { return outbox.whole(ctx, id.String()) })
}

// FindRowBeginning is FindRow with only the beginning of Data and of Headers: at most so many
// characters of each, so that they may be no JSON. With 0 they are nil, and the database does
// not read them.
func FindRowBeginning(ctx context.Context, db DB, id uuid.UUID, most int) (Event, error) {
	return findRow(ctx, db, id, func(outbox rows) ([]admindb.WholeRowRow, error) {
		return outbox.beginning(ctx, admindb.RowBeginningParams{Most: int32(min(max(0, most), 1<<30)), ID: id.String()})
	})
}

func findRow(ctx context.Context, db DB, id uuid.UUID, read func(rows) ([]admindb.WholeRowRow, error)) (Event, error) {
	outbox, err := visibleRowsOf(ctx, db, defaultLease)
	if err != nil {
		return Event{}, err
	}
	q := admindb.New(db)
	rows, err := read(outbox)
	if err != nil {
		return Event{}, fmt.Errorf("admin: read event %s: %w", id, missing(err))
	}
	if len(rows) == 0 {
		text := id.String()
		return Event{}, discarded(ctx, q, admindb.DiscardOfParams{ID: &text}, fmt.Errorf("%w: event %s", ErrNoEvent, id))
	}
	e := eventOf(rows[0])
	e.BehindFirst, e.DeadOfKey, e.Audit, e.Newer.Keys = []RowBehind{}, []DeadLetter{}, []AuditEntry{}, []Newer{} // in JSON a list is never null
	audit, err := q.AuditOfEvent(ctx, id.String())
	if err != nil {
		return Event{}, fmt.Errorf("admin: read the audit of event %s: %w", id, missing(err))
	}
	for _, a := range audit {
		e.Audit = append(e.Audit, AuditEntry{At: a.At, Actor: a.Actor, Action: a.Action, Reason: value(a.Reason), AppliedAt: value(a.AppliedAt)})
	}
	if log, isLog := outbox.(*logRows); isLog && e.State == Pending {
		if e.State, err = log.stateOf(ctx, &e); err != nil {
			return Event{}, fmt.Errorf("admin: read the state of event %s: %w", id, missing(err))
		}
	}
	return e, nil
}

// newerLasts limits the look for newer published rows of an event.
const newerLasts = 2 * time.Second

// ReadKey reads the other rows of the event's key: Behind, BehindFirst, DeadOfKey and Newer. No
// index has the key, so it may look at all pending rows after the event, and at all dead rows.
func (e *Event) ReadKey(ctx context.Context, db DB) error {
	if e.State == Published || e.State == Discarded || e.Key == nil || *e.Key == "" { // an empty key is none
		return nil
	}
	outbox, err := rowsOf(ctx, db)
	if err != nil {
		return err
	}
	of := keyed{e.Seq, *e.Key, e.Topic}
	if e.Behind, err = outbox.countBehind(ctx, of, BehindCap); err != nil {
		return fmt.Errorf("admin: count the rows behind event %s: %w", e.EventID, missing(err))
	}
	behind, err := outbox.behind(ctx, of, behindShown)
	if err != nil {
		return fmt.Errorf("admin: read the rows behind event %s: %w", e.EventID, missing(err))
	}
	for _, r := range behind {
		e.BehindFirst = append(e.BehindFirst, RowBehind{
			Seq: r.Seq, EventID: r.ID, EventType: r.EventType, CreatedAt: r.CreatedAt, RetryCount: int(r.RetryCount),
		})
	}
	letters, err := DeadLetters(ctx, db, Filter{Topic: e.Topic, Key: e.Key}, 0)
	if err != nil {
		return err
	}
	for _, l := range letters {
		if l.Seq != e.Seq {
			e.DeadOfKey = append(e.DeadOfKey, l)
		}
	}
	if e.State == Dead {
		e.Newer, err = PublishedAfter(ctx, db, chosenOf([]DeadLetter{{Seq: e.Seq, Topic: e.Topic, Key: e.Key, CreatedAt: e.CreatedAt}}), newerLasts)
	}
	return err
}

func eventOf(r admindb.WholeRowRow) Event {
	e := Event{
		Seq: r.Seq, EventID: r.ID, AggregateType: r.AggregateType, AggregateID: r.AggregateID, EventType: r.EventType,
		Topic: r.Topic, Key: r.EventKey, Partition: r.Partition, Transaction: r.Tx, CreatedAt: r.CreatedAt,
		PublishedAt: value(r.PublishedAt), NextAttempt: value(r.NextAttemptAt), DeadAt: value(r.DeadAt),
		RetryCount: int(r.RetryCount), LastError: value(r.LastError), State: Pending,
	}
	if r.Data != "" { // no JSON document is empty
		e.Data = json.RawMessage(r.Data)
	}
	if r.Headers != "" {
		e.Headers = json.RawMessage(r.Headers)
	}
	switch {
	case !e.PublishedAt.IsZero():
		e.State = Published
	case !e.DeadAt.IsZero():
		e.State = Dead
	case !e.NextAttempt.IsZero() && e.RetryCount > 0:
		e.State = Retrying
	}
	if e.State != Retrying { // on other rows the time says only that the row waits
		e.NextAttempt = time.Time{}
	}
	return e
}
