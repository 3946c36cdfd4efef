package outboxtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/internal/link"
)

// Recorded is an event that was inserted on a Recorder.
type Recorded[T any] struct {
	// Data is the event data that the code inserted.
	Data T
	// Row is the row for the table: ids, key, headers, and the encoded envelope.
	Row outbox.Row
}

// Recorder is a transaction for tests that keeps the events inserted on it and needs no
// database. Events are built, validated and encoded as usual. It is safe for concurrent
// use. Create it with NewRecorder.
type Recorder struct {
	// DB answers SQL other than the inserts of events: a fake, or a real transaction.
	// nil: such SQL returns an error that says so.
	DB outbox.DBTX
	// Options apply before those of every event. Use them for a clock and ids that make
	// a test repeatable.
	Options []outbox.Option

	mu         sync.Mutex
	events     []built
	rolledBack bool
}

// built is what package outbox hands to a Recorder.
type built = link.Built[outbox.Event, outbox.Row, outbox.Outcome]

var _ link.Recorder[outbox.Option, outbox.Event, outbox.Row, outbox.Outcome] = (*Recorder)(nil)

// NewRecorder returns an empty Recorder. If the test fails, it logs the recorded
// events.
func NewRecorder(t testing.TB) *Recorder {
	r := &Recorder{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("outboxtest: the recorder holds %s", r.list())
		}
	})
	return r
}

// Record keeps events. Package outbox calls it when events are inserted. Like the table,
// it ignores an event with an id that the caller gave and that it already has.
func (r *Recorder) Record(build func([]outbox.Option) ([]built, error)) error {
	events, err := build(r.Options)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rolledBack {
		return errRolledBack
	}
	for _, e := range events {
		repeated := slices.ContainsFunc(r.events, func(earlier built) bool { return earlier.Row.ID == e.Row.ID })
		if repeated && !e.IDGiven {
			return &outbox.InsertError{EventType: e.Row.EventType, EventID: e.Row.ID,
				Err: errors.New("an event with this generated id was inserted before: the function for ids must never return the same one twice")}
		}
		if !repeated {
			r.events = append(r.events, e)
		}
		if e.Outcome != nil {
			*e.Outcome = outbox.Outcome{EventID: e.Row.ID, Known: true, Inserted: !repeated}
		}
	}
	return nil
}

// CancelDelayed drops a delayed event, and reports whether there was one.
// outbox.CancelDelayed calls it. A Recorder never moves an event, so a delayed event
// waits until it is cancelled.
func (r *Recorder) CancelDelayed(id uuid.UUID) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rolledBack {
		return false, errRolledBack
	}
	before := len(r.events)
	r.events = slices.DeleteFunc(r.events, func(e built) bool { return e.Row.ID == id && !e.Row.DeliverAt.IsZero() })
	return len(r.events) < before, nil
}

// Rollback drops the events. After it the Recorder accepts no more, until Reset.
func (r *Recorder) Rollback(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events, r.rolledBack = nil, true
	return nil
}

// Rows returns the rows of all events, in the order of their inserts.
func (r *Recorder) Rows() []outbox.Row {
	r.mu.Lock()
	defer r.mu.Unlock()
	rows := make([]outbox.Row, len(r.events))
	for i, e := range r.events {
		rows[i] = e.Row
	}
	return rows
}

// Reset drops the events and makes the Recorder usable again after Rollback.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events, r.rolledBack = nil, false
}

// Exec runs SQL on DB.
func (r *Recorder) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if err := r.refuse(sql); err != nil {
		return pgconn.CommandTag{}, err
	}
	return r.DB.Exec(ctx, sql, args...)
}

// Query runs SQL on DB.
func (r *Recorder) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := r.refuse(sql); err != nil {
		return nil, err
	}
	return r.DB.Query(ctx, sql, args...)
}

// QueryRow runs SQL on DB.
func (r *Recorder) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if err := r.refuse(sql); err != nil {
		return pgx.FailedBatchResults(&pgx.Batch{}, err).QueryRow()
	}
	return r.DB.QueryRow(ctx, sql, args...)
}

var errRolledBack = fmt.Errorf("outboxtest: the recorder was rolled back: %w", pgx.ErrTxClosed)

func (r *Recorder) refuse(sql string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.rolledBack:
		return errRolledBack
	case r.DB == nil:
		return fmt.Errorf("outboxtest: a Recorder takes events and has no database to run %q on: "+
			"set its DB to a fake, or use a real transaction", firstLine(sql))
	}
	return nil
}

func firstLine(sql string) string {
	line, _, more := strings.Cut(strings.TrimSpace(sql), "\n")
	if more {
		line += " …"
	}
	return line
}

// list returns the events for a message.
func (r *Recorder) list() string {
	rows := r.Rows()
	if len(rows) == 0 {
		return "no events"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d events:", len(rows))
	for _, row := range rows {
		fmt.Fprintf(&b, "\n\t%s of %s %s", row.EventType, row.AggregateType, row.AggregateID)
	}
	return b.String()
}

// All returns the events whose data is a T, in the order of their inserts.
func All[T outbox.Event](r *Recorder) []Recorded[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []Recorded[T]
	for _, e := range r.events {
		switch data := e.Event.(type) {
		case T:
			found = append(found, Recorded[T]{Data: data, Row: e.Row})
		default:
			if p, ok := any(data).(*T); ok {
				found = append(found, Recorded[T]{Data: *p, Row: e.Row})
			}
		}
	}
	return found
}

// One returns the only event whose data is a T. It ends the test if there is none or
// more than one. It ignores events of other types.
func One[T outbox.Event](t testing.TB, r *Recorder) Recorded[T] {
	t.Helper()
	found := All[T](r)
	if len(found) != 1 {
		t.Fatalf("outboxtest: want one event of type %T, got %d; the recorder holds %s", *new(T), len(found), r.list())
	}
	return found[0]
}
