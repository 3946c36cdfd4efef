package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/outboxgen/outboxgen/runtime/internal/link"
)

// DBTX is the interface that sqlc's code for pgx uses.
type DBTX interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Transaction is what an event can be inserted on. If the compiler says that your
// value does not implement it, this is what to pass:
//
//	you have                            pass
//	a pgx.Tx, an *outbox.Tx             the value itself
//	an *sql.Tx of database/sql          outboxsql.On(tx)
//	sqlx: an *sqlx.Tx                   outboxsql.On(tx)
//	bun: a bun.Tx                       outboxsql.On(tx)
//	ent: an *ent.Tx                     outboxsql.On(tx), with ent's feature sql/execquery
//	GORM: the *gorm.DB of a transaction outboxsql.OnConnPool(tx.Statement.ConnPool)
//	a pool, a connection, an *sql.DB    begin a transaction first: see Outbox.InTx and
//	                                    outboxsql.Outbox.InTx
//	no database, in a unit test         an outboxtest.Recorder
//
// outboxsql is github.com/outboxgen/outboxgen/runtime/outboxsql.
//
// Rollback is part of it so that a pool or a connection does not fit: code that inserts
// an event outside a transaction does not compile.
type Transaction interface {
	DBTX
	Rollback(ctx context.Context) error
}

// Outcome is the result of an insert; see WithOutcome.
type Outcome struct {
	// EventID is the event's id.
	EventID uuid.UUID
	// Known is true when the result is known: immediately on a plain pgx.Tx, after the
	// commit on a *Tx, after the results are read on a batch.
	Known bool
	// Inserted is false if there already was an event with this id. Then nothing was
	// inserted.
	Inserted bool
}

// built is an event with the row that was built for it.
type built = link.Built[Event, Row, Outcome]

// recorder is a Transaction that keeps events and has no database, such as
// outboxtest.Recorder.
type recorder = link.Recorder[Option, Event, Row, Outcome]

func init() {
	link.Outbox = link.Functions[Transaction, Option, Event, Row, Header, Envelope[json.RawMessage]]{
		NewRow:    newRow,
		Decode:    decode,
		InsertAll: insertAll,
		CancelDelayed: func(ctx context.Context, tx Transaction, sql link.SQL, id uuid.UUID) (bool, error) {
			return cancelDelayed(ctx, tx, cancelIn.as(sql.One), id)
		},
		Queue: queue,
	}
}

// maxChunkRows and maxChunkBytes bound one INSERT of InsertAll. Larger chunks
// insert no faster.
const (
	maxChunkRows  = 1000
	maxChunkBytes = 4 << 20
)

// insertAll implements gen.InsertAll.
func insertAll(ctx context.Context, tx Transaction, sql link.SQL, events []Event) error {
	switch tx := tx.(type) {
	case *Tx:
		return tx.keep(ctx, sql, events)
	case link.Ledgered:
		return tx.Ledger().(*ledger).insert(ctx, tx.(Transaction), sql, events)
	case recorder:
		return tx.Record(func(options []Option) ([]built, error) {
			return build(ctx, nil, after(options, events))
		})
	}
	list, err := build(ctx, nil, events)
	if err != nil {
		return err
	}
	return execute(ctx, tx, plan(sql, list, nil))
}

// queue implements gen.Queue.
func queue(ctx context.Context, batch *pgx.Batch, sql link.SQL, event Event) error {
	list, err := build(ctx, nil, []Event{event})
	if err != nil {
		return err
	}
	for _, s := range plan(sql, list, nil) {
		queued := &queuedEvents{built: s.built}
		batch.Queue(s.sql, append([]any{queued}, s.args...)...).Exec(func(tag pgconn.CommandTag) error {
			return queued.resolve(tag.RowsAffected())
		})
	}
	return nil
}

// after returns the events with options that apply before their own.
func after(options []Option, events []Event) []Event {
	list := make([]Event, len(events))
	for i, e := range events {
		event, own := unwrap(e)
		list[i] = With(event, append(options[:len(options):len(options)], own...)...)
	}
	return list
}

// build builds the rows. options are those of an Outbox, which apply before the options
// of each event: they give neither an id nor an outcome.
func build(ctx context.Context, options []Option, events []Event) ([]built, error) {
	list := make([]built, 0, len(events))
	var o *rowOptions // of the event; allocated once, and only if an event has options
	for i, e := range events {
		event, own := unwrap(e)
		if event == nil {
			return nil, fmt.Errorf("outbox: event %d of %d is nil", i+1, len(events))
		}
		row, err := e.NewRow(ctx, options...)
		if err != nil {
			if len(events) > 1 {
				return nil, fmt.Errorf("outbox: event %d of %d: %w", i+1, len(events), err)
			}
			return nil, err
		}
		list = append(list, built{Event: event, Row: row})
		b := &list[len(list)-1]
		if len(own) > 0 {
			if o == nil {
				o = new(rowOptions)
			}
			*o = rowOptions{}
			o.apply(own)
			b.IDGiven, b.Outcome = o.idGiven, o.outcome
		}
		if b.Outcome != nil {
			*b.Outcome = Outcome{EventID: row.ID}
		}
	}
	return list, nil
}

// statement is one INSERT and the events that it inserts.
type statement struct {
	sql   string
	args  []any
	built []built
}

// plan splits the events into statements, and appends them to statements.
func plan(sql link.SQL, list []built, statements []statement) []statement {
	for len(list) > 0 {
		n := chunk(list)
		s := statement{built: list[:n]}
		switch {
		case list[0].Row.delayed():
			s.sql, s.args = delayedIn.as(sql.One), append(many(list[:n]), partitions(list[:n]), deliverTimes(list[:n]))
		case list[0].Row.partitioned():
			s.sql, s.args = partitionedIn.as(sql.One), append(many(list[:n]), partitions(list[:n]))
		case n == 1:
			s.sql, s.args = sql.One, one(&list[0].Row)
		default:
			s.sql, s.args = sql.Many, many(list[:n])
		}
		if !list[0].IDGiven && !list[0].Row.delayed() {
			s.sql = plainInsert(s.sql)
		}
		statements = append(statements, s)
		list = list[n:]
	}
	return statements
}

// chunk returns how many of the events the next statement inserts.
func chunk(list []built) int {
	if list[0].IDGiven {
		return 1
	}
	bytes := 0
	for i := range list {
		b := &list[i]
		bytes += len(b.Row.Data) + len(b.Row.Headers)
		apart := b.IDGiven || b.Row.delayed() != list[0].Row.delayed() || b.Row.partitioned() != list[0].Row.partitioned()
		if i > 0 && (apart || i == maxChunkRows || bytes > maxChunkBytes) {
			return i
		}
	}
	return len(list)
}

// The arguments of a statement have Go types whose SQL type pgx knows in every query
// mode. The modes for poolers (exec, simple protocol) use the Go type alone: []byte
// would become bytea, and []uuid.UUID fails. pgx encodes a pgtype.UUID directly, but a
// uuid.UUID by way of its text.

// one returns the arguments of the statement that inserts one row.
func one(r *Row) []any {
	return []any{pgUUID(r.ID), r.AggregateType, r.AggregateID, r.EventType, r.Topic, r.Key, json.RawMessage(r.Data), json.RawMessage(r.Headers)}
}

func pgUUID(id uuid.UUID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }

// many returns the arguments of the statement that inserts several rows.
func many(list []built) []any {
	n := len(list)
	ids, types, aggregates := make([]pgtype.UUID, n), make([]string, n), make([]string, n)
	events, topics, keys := make([]string, n), make([]string, n), make([]string, n)
	keyed, data, headers := make([]bool, n), make([]json.RawMessage, n), make([]json.RawMessage, n)
	for i := range list {
		r := &list[i].Row
		ids[i], types[i], aggregates[i], events[i], topics[i] = pgUUID(r.ID), r.AggregateType, r.AggregateID, r.EventType, r.Topic
		if r.Key != nil {
			keyed[i], keys[i] = true, *r.Key
		}
		data[i], headers[i] = r.Data, r.Headers
	}
	return []any{ids, types, aggregates, events, topics, keyed, keys, data, headers}
}

var errIDRepeats = errors.New("NewID must never return the same id twice")

// batcher is the part of pgx.Tx that Transaction does not have.
type batcher interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// execute runs the statements now, in one round trip if tx can send batches.
func execute(ctx context.Context, tx Transaction, statements []statement) (err error) {
	run := func(s statement) (pgconn.CommandTag, error) { return tx.Exec(ctx, s.sql, s.args...) }
	if b, ok := tx.(batcher); ok && len(statements) > 1 {
		var batch pgx.Batch
		for _, s := range statements {
			batch.Queue(s.sql, s.args...)
		}
		results := b.SendBatch(ctx, &batch)
		defer func() {
			if closeErr := results.Close(); err == nil && closeErr != nil {
				err = fmt.Errorf("outbox: insert %d events: %w", len(statements), closeErr)
			}
		}()
		run = func(statement) (pgconn.CommandTag, error) { return results.Exec() }
	}
	for _, s := range statements {
		tag, err := run(s)
		if err != nil {
			return refused(s.built, err, connOf(tx))
		}
		if err := resolve(s.built, tag.RowsAffected()); err != nil {
			return err
		}
	}
	return nil
}

// resolve sets the outcomes of one statement, which inserted the given number of rows.
// If a row is missing and its id was given by the caller, the event is a repeat; such
// an event is alone in its statement. If the id was generated, the table already had
// it.
func resolve(list []built, inserted int64) error {
	for i := range list {
		if b := &list[i]; b.Outcome != nil {
			*b.Outcome = Outcome{EventID: b.Row.ID, Known: true, Inserted: inserted > 0}
		}
	}
	if missing := int64(len(list)) - inserted; missing > 0 && !list[0].IDGiven {
		return refused(list, fmt.Errorf("%d of the generated ids were in the table already: %w", missing, errIDRepeats), nil)
	}
	return nil
}

// queuedEvents is the first argument of its statement in a batch. pgx allows a
// QueryRewriter there, so a Tx that sends the batch can find the events.
type queuedEvents struct {
	built []built
	// inserted is the row count. It stays unknown if the caller reads the results
	// without the outbox.
	inserted int64
	known    bool
}

// RewriteQuery returns the query unchanged.
func (*queuedEvents) RewriteQuery(_ context.Context, _ *pgx.Conn, sql string, args []any) (string, []any, error) {
	return sql, args, nil
}

func (q *queuedEvents) resolve(inserted int64) error {
	q.inserted, q.known = inserted, true
	return resolve(q.built, inserted)
}
