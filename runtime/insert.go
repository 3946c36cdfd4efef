package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// DBTX is what sqlc's code for pgx runs on.
type DBTX interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Transaction is what an event can be inserted on: any pgx.Tx, a *Tx, an
// outboxtest.Recorder. It wants Rollback so that neither a pool nor a
// connection fits: an event that is inserted outside the transaction of its
// business rows does not compile.
type Transaction interface {
	DBTX
	Rollback(ctx context.Context) error
}

// Row is one event on its way into the table event_outbox.
type Row struct {
	// ID is the event id and the table's primary key.
	ID uuid.UUID
	// AggregateType and AggregateID name what the event happened to.
	AggregateType, AggregateID string
	// EventType is the event's type on the wire.
	EventType string
	// Topic is the Kafka topic.
	Topic string
	// Key is the record's key; nil: no key, and so no order.
	Key *string
	// Data is the record's value, byte for byte.
	Data []byte
	// Headers is a JSON object of strings.
	Headers []byte

	// CorrelationID is for logs; the table has no such column.
	CorrelationID string
	// IDGiven is true when the caller chose ID: inserting it again is then a
	// no-op rather than a mistake.
	IDGiven bool
	// Outcome, when not nil, is told what became of the insert.
	Outcome *Outcome
}

// Outcome says what became of an insert; see WithOutcome.
type Outcome struct {
	// EventID is the event's id.
	EventID uuid.UUID
	// Known is true once the insert's result is there: at once on a plain
	// pgx.Tx, after the commit on a *Tx, when the results are read on a batch.
	Known bool
	// Inserted is false when an event with this id was there before, and
	// nothing was inserted.
	Inserted bool
}

// InsertRows is how generated code reaches the table: it runs one statement on
// db that inserts all the rows, in their order, skips ids that exist already,
// and reports how many it inserted. Insert calls it with one row, InsertAll
// with many.
type InsertRows func(ctx context.Context, db DBTX, rows []Row) (int64, error)

// Built is an event with the row that was made of it.
type Built struct {
	// Event is the event as the caller gave it, without the options of With.
	Event Event
	// Row is what goes into the table.
	Row Row
}

// Keeper is a Transaction that keeps events until it commits, as *Tx and
// outboxtest.Recorder do. Insert and InsertAll hand over to it; nothing else
// needs it.
type Keeper interface {
	Transaction
	// RowOptions come before the caller's options when rows are built: the
	// clock and the ids.
	RowOptions() []Option
	// Keep takes over the events, in their order. It does not keep the slice.
	Keep(ctx context.Context, insert InsertRows, events []Built) error
}

// maxChunkRows and maxChunkBytes bound one INSERT of InsertAll. Larger chunks
// insert no faster.
const (
	maxChunkRows  = 1000
	maxChunkBytes = 4 << 20
)

// Insert builds the event's row and inserts it on tx. On a *Tx it rides with
// COMMIT; on any other transaction it is a round trip of its own. Generated
// code calls it, with its own insert.
//
// It returns the data's *ValidationError, or an *InsertError. After an error on
// a plain pgx.Tx the transaction is aborted if the error came from the
// database, as after any failed statement.
func Insert(ctx context.Context, tx Transaction, insert InsertRows, event Event, opts ...Option) error {
	return InsertAll(ctx, tx, insert, With(event, opts...))
}

// InsertAll inserts events of any types on tx, in their order, as few
// statements as may be: one for every thousand rows, and one for every event
// whose id the caller chose, so that its outcome can be told. Options of an
// event are given by With. Nothing is inserted when one of the events cannot be
// built. Errors are those of Insert.
func InsertAll(ctx context.Context, tx Transaction, insert InsertRows, events ...Event) error {
	keeper, keeps := tx.(Keeper)
	var defaults []Option
	if keeps {
		defaults = keeper.RowOptions()
	}
	built, err := build(ctx, defaults, events)
	if err != nil {
		return err
	}
	if keeps {
		return keeper.Keep(ctx, insert, built)
	}
	statements, err := plan(ctx, insert, built)
	if err != nil {
		return err
	}
	return execute(ctx, tx, statements)
}

// Queue puts the insert of an event on a batch that the caller sends, within a
// transaction, together with statements of its own. The outcome is known when
// Close reads the batch's results. Sent on a *Tx, the event is logged and the relay
// is woken after the commit, as with Insert; its seq is drawn when the batch
// runs, so put it behind the statement that takes the lock covering its key.
//
// A batch belongs to no Outbox: Now and NewID of its Options do not apply, and
// WithClock and WithNewID take their place.
func Queue(ctx context.Context, batch *pgx.Batch, insert InsertRows, event Event, opts ...Option) error {
	built, err := build(ctx, nil, []Event{With(event, opts...)})
	if err != nil {
		return err
	}
	statements, err := plan(ctx, insert, built)
	if err != nil {
		return err
	}
	for _, s := range statements {
		queued := &queuedEvents{built: s.built}
		batch.Queue(s.sql, append([]any{queued}, s.args...)...).Exec(func(tag pgconn.CommandTag) error {
			return queued.resolve(tag.RowsAffected())
		})
	}
	return nil
}

// build makes the rows.
func build(ctx context.Context, defaults []Option, events []Event) ([]Built, error) {
	built := make([]Built, 0, len(events))
	for i, e := range events {
		if e == nil {
			return nil, fmt.Errorf("outbox: event %d of %d is nil", i+1, len(events))
		}
		row, err := e.NewRow(ctx, defaults...)
		if err != nil {
			if len(events) > 1 {
				return nil, fmt.Errorf("outbox: event %d of %d: %w", i+1, len(events), err)
			}
			return nil, err
		}
		if row.Outcome != nil {
			*row.Outcome = Outcome{EventID: row.ID}
		}
		built = append(built, Built{Event: unwrap(e), Row: row})
	}
	return built, nil
}

// statement is one INSERT and the events that it inserts.
type statement struct {
	sql   string
	args  []any
	built []Built
}

// plan asks the generated code for the statements without running them.
func plan(ctx context.Context, insert InsertRows, built []Built) ([]statement, error) {
	var statements []statement
	for len(built) > 0 {
		n := chunk(built)
		s, err := capture(ctx, insert, built[:n])
		if err != nil {
			return nil, err
		}
		statements = append(statements, s)
		built = built[n:]
	}
	return statements, nil
}

// chunk is how many of the events the next statement takes.
func chunk(built []Built) int {
	if built[0].Row.IDGiven {
		return 1
	}
	bytes := 0
	for i, b := range built {
		bytes += len(b.Row.Data) + len(b.Row.Headers)
		if i > 0 && (b.Row.IDGiven || i == maxChunkRows || bytes > maxChunkBytes) {
			return i
		}
	}
	return len(built)
}

// capture runs insert on a database that only remembers.
func capture(ctx context.Context, insert InsertRows, built []Built) (statement, error) {
	rows := make([]Row, len(built))
	for i, b := range built {
		rows[i] = b.Row
	}
	var c capturing
	_, err := insert(ctx, &c, rows)
	if err == nil && c.calls != 1 {
		err = fmt.Errorf("the generated insert ran %d statements instead of one; generate the package again with the outboxgen of this module's version", c.calls)
	}
	if err != nil {
		return statement{}, insertError(built, err)
	}
	return statement{sql: c.sql, args: c.args, built: built}, nil
}

// capturing is a DBTX that keeps the statement instead of running it.
type capturing struct {
	sql   string
	args  []any
	calls int
}

func (c *capturing) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	c.sql, c.args = sql, make([]any, len(args))
	for i, arg := range args {
		c.args[i] = portable(arg)
	}
	c.calls++
	return pgconn.NewCommandTag("INSERT 0 0"), nil
}

// portable gives an argument a Go type from which pgx knows the SQL type in every
// mode. In the modes that poolers need (exec, simple protocol) it goes by the Go
// type alone, where []byte is bytea and []uuid.UUID nothing at all. The only
// bytes of an event are JSON.
func portable(arg any) any {
	switch arg := arg.(type) {
	case []byte:
		return json.RawMessage(arg)
	case [][]byte:
		documents := make([]json.RawMessage, len(arg))
		for i, document := range arg {
			documents[i] = document
		}
		return documents
	case []uuid.UUID:
		ids := make([]string, len(arg))
		for i, id := range arg {
			ids[i] = id.String()
		}
		return ids
	}
	return arg
}

func (c *capturing) Query(context.Context, string, ...any) (pgx.Rows, error) {
	return nil, errNotAnInsert
}

func (c *capturing) QueryRow(context.Context, string, ...any) pgx.Row {
	return failedRow{errNotAnInsert}
}

var errIDRepeats = errors.New("NewID must never repeat itself")

var errNotAnInsert = errors.New("the generated insert asked for rows; it must be a plain INSERT")

// batcher is what every pgx.Tx has beyond Transaction.
type batcher interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// execute runs the statements now, several of them in one round trip where tx
// can do that.
func execute(ctx context.Context, tx Transaction, statements []statement) error {
	if b, ok := tx.(batcher); ok && len(statements) > 1 {
		return executeBatch(ctx, b, statements)
	}
	for _, s := range statements {
		tag, err := tx.Exec(ctx, s.sql, s.args...)
		if err != nil {
			return refused(s.built, err, connOf(tx))
		}
		if err := resolve(s.built, tag.RowsAffected()); err != nil {
			return err
		}
	}
	return nil
}

func executeBatch(ctx context.Context, tx batcher, statements []statement) (err error) {
	var batch pgx.Batch
	for _, s := range statements {
		batch.Queue(s.sql, s.args...)
	}
	results := tx.SendBatch(ctx, &batch)
	defer func() {
		if closeErr := results.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("outbox: insert %d events: %w", len(statements), closeErr)
		}
	}()
	for _, s := range statements {
		tag, err := results.Exec()
		if err != nil {
			return refused(s.built, err, connOf(tx))
		}
		if err := resolve(s.built, tag.RowsAffected()); err != nil {
			return err
		}
	}
	return nil
}

// resolve tells the outcomes of one statement, which inserted so many rows. A
// row that is missing is a repetition when its id was given; such an event is
// alone in its statement. Otherwise the generated id was in the table before.
func resolve(built []Built, inserted int64) error {
	for _, b := range built {
		if b.Row.Outcome != nil {
			*b.Row.Outcome = Outcome{EventID: b.Row.ID, Known: true, Inserted: inserted > 0}
		}
	}
	if missing := int64(len(built)) - inserted; missing > 0 && !built[0].Row.IDGiven {
		return insertError(built, fmt.Errorf("%d of the generated ids were in the table already: %w", missing, errIDRepeats))
	}
	return nil
}

// insertError names the event, or the first of the events, that err befell.
func insertError(built []Built, err error) error {
	return refused(built, err, nil)
}

// queuedEvents travels in a batch as the first argument of its statement, where
// pgx allows a QueryRewriter, so that a Tx which sends the batch finds the
// events in it.
type queuedEvents struct {
	built []Built
	// inserted is the row count once known. It stays unknown when the caller reads
	// the results by hand.
	inserted int64
	known    bool
}

// RewriteQuery changes nothing.
func (*queuedEvents) RewriteQuery(_ context.Context, _ *pgx.Conn, sql string, args []any) (string, []any, error) {
	return sql, args, nil
}

func (q *queuedEvents) resolve(inserted int64) error {
	q.inserted, q.known = inserted, true
	return resolve(q.built, inserted)
}

// failedRow is a pgx.Row that only has an error.
type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }
