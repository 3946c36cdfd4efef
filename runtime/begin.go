package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgconn"
)

// opening is the pgx.Tx of a transaction that begins with its first statement: BEGIN and
// the statement are sent together, which saves a round trip. A statement that pgx does
// not send in a batch unchanged is sent after BEGIN.
type opening struct {
	conn    *pgx.Conn
	options pgx.TxOptions
	ctx     context.Context // of InTx, for BEGIN alone
	joining                 // whether BEGIN may be sent together with a statement
	apart   *apart          // but not with these
	tx      pgx.Tx          // nil: BEGIN has not run
	failed  error           // why BEGIN cannot run; then no statement runs

	batch   pgx.Batch // with BEGIN
	queries [2]*pgx.QueuedQuery
	first   pgx.QueuedQuery
}

var _ pgx.Tx = (*opening)(nil)

// apart has statements that must not be sent together with BEGIN: pgx once could not
// encode their arguments, for example because a number was too large. Before it sends a
// batch it encodes the arguments, and if that fails after the first query, it closes the
// connection. So a statement costs at most one connection. It is safe for concurrent use.
type apart struct {
	mu  sync.RWMutex
	sql map[string]struct{}
}

// maxApart bounds the memory if a service makes its SQL from data.
const maxApart = 1000

func (a *apart) has(sql string) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	_, ok := a.sql[sql]
	return ok
}

func (a *apart) add(sql string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sql == nil || len(a.sql) >= maxApart {
		a.sql = map[string]struct{}{}
	}
	a.sql[strings.Clone(sql)] = struct{}{}
}

// joining says how the first statement is sent.
type joining struct {
	joins bool // together with BEGIN
	exec  bool // in the mode exec
}

// joiningKey is the key under which a connection stores its joining.
const joiningKey = "github.com/outboxgen/outboxgen/runtime: BEGIN joins the first statement"

// joiningOf decides whether BEGIN may be sent in a batch with a statement. The simple
// protocol would run several statements in one text as one entry of the batch. A tracer
// that sees no batches would not see the statement.
func joiningOf(conn *pgx.Conn, options pgx.TxOptions) joining {
	data := conn.PgConn().CustomData()
	j, known := data[joiningKey].(joining)
	if !known {
		config := conn.Config() // a copy, which is expensive
		j.joins = config.DefaultQueryExecMode != pgx.QueryExecModeSimpleProtocol && (config.Tracer == nil || seesBatches(config.Tracer))
		j.exec = config.DefaultQueryExecMode == pgx.QueryExecModeExec
		data[joiningKey] = j
	}
	j.joins = j.joins && options.BeginQuery == ""
	return j
}

// seesBatches reports whether a tracer sees the statements of a batch. A multitracer is a
// pgx.BatchTracer even if none of its tracers is one.
func seesBatches(t pgx.QueryTracer) bool {
	if several, ok := t.(*multitracer.Tracer); ok {
		return len(several.BatchTracers) == len(several.QueryTracers)
	}
	_, sees := t.(pgx.BatchTracer)
	return sees
}

// begin runs BEGIN alone, unless it has run.
func (o *opening) begin() (pgx.Tx, error) {
	if o.tx == nil && o.failed == nil {
		tx, err := o.conn.BeginTx(o.ctx, o.options)
		if err != nil {
			o.failed = fmt.Errorf("outbox: begin: %w", err)
			return nil, o.failed
		}
		o.tx = tx
	}
	return o.tx, o.failed
}

// together sends BEGIN and the queries, and returns the results of the queries. Without
// results and error the queries have to be sent after BEGIN: because that has run, or
// because the batch failed before it. Then nothing of the batch has run, and the query
// fails again inside the transaction, as its caller expects.
func (o *opening) together(ctx context.Context, queries ...*pgx.QueuedQuery) (pgx.BatchResults, error) {
	if !o.joins || o.tx != nil || o.failed != nil || ctx.Err() != nil || o.apart.has(queries[0].SQL) {
		return nil, nil //nolint:nilerr // if ctx has ended, the statement itself says so
	}
	first := queries[0].SQL // pgx may rewrite it
	o.batch = pgx.Batch{QueuedQueries: o.queries[:0]}
	o.batch.BeginTx(o.options)
	o.batch.QueuedQueries = append(o.batch.QueuedQueries, queries...)
	results := o.conn.SendBatch(ctx, &o.batch)
	if _, err := results.Exec(); err != nil {
		_ = results.Close() // the error was read already
		if !o.conn.IsClosed() && o.conn.PgConn().TxStatus() == 'I' {
			return nil, nil
		}
		o.failed = fmt.Errorf("outbox: the connection was lost: %w", err)
		if unsent, ok := errors.AsType[pgx.ErrPreprocessingBatch](err); ok {
			err = unsent.Unwrap()
			o.failed = fmt.Errorf("outbox: the connection was lost before a statement was prepared: %w", err)
			const encoding = "(build)" // of the arguments
			if strings.Contains(unsent.Error(), encoding) {
				o.apart.add(first)
				o.failed = fmt.Errorf("outbox: pgx closed the connection, because it could not encode the arguments of the first statement: %w", err)
			}
		}
		return nil, err
	}
	o.tx = results.Tx()
	return results, nil
}

// end refuses whatever comes later, if BEGIN has not run.
func (o *opening) end() {
	if o.tx == nil && o.failed == nil {
		o.failed = errTxClosed
	}
}

// statement sends BEGIN and one statement, as together does. The arguments of a batch have
// fewer options than those of a statement. A rewriter may leave no arguments, and then pgx
// sends the statement in another way.
func (o *opening) statement(ctx context.Context, sql string, args []any) (pgx.BatchResults, error) {
	if o.tx != nil {
		return nil, nil
	}
	for _, arg := range args {
		switch arg.(type) {
		case pgx.QueryExecMode, pgx.QueryResultFormats, pgx.QueryResultFormatsByOID:
			return nil, nil
		case pgx.QueryRewriter:
			if o.exec {
				return nil, nil
			}
		}
	}
	o.first = pgx.QueuedQuery{SQL: sql, Arguments: args}
	return o.together(ctx, &o.first)
}

// Exec runs a statement. pgx sends one without arguments by the simple protocol, which
// allows several statements in one text.
func (o *opening) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if len(args) > 0 {
		results, err := o.statement(ctx, sql, args)
		if err != nil {
			return pgconn.CommandTag{}, err
		}
		if results != nil {
			tag, err := results.Exec()
			if closeErr := results.Close(); err == nil {
				err = closeErr
			}
			return tag, err
		}
	}
	tx, err := o.begin()
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	return tx.Exec(ctx, sql, args...)
}

func (o *opening) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	results, err := o.statement(ctx, sql, args)
	if err != nil {
		return failedResults(err).Query()
	}
	if results != nil {
		rows, err := results.Query()
		first := &firstRows{Rows: rows, batch: results}
		if err != nil {
			first.Close()
		}
		return first, err
	}
	tx, err := o.begin()
	if err != nil {
		return failedResults(err).Query()
	}
	return tx.Query(ctx, sql, args...)
}

func (o *opening) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	results, err := o.statement(ctx, sql, args)
	if err != nil {
		return failedResults(err).QueryRow()
	}
	if results != nil {
		return firstRow{results.QueryRow(), results}
	}
	tx, err := o.begin()
	if err != nil {
		return failedResults(err).QueryRow()
	}
	return tx.QueryRow(ctx, sql, args...)
}

func (o *opening) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if len(b.QueuedQueries) > 0 && !begins(b.QueuedQueries[0].SQL) {
		queries := make([]*pgx.QueuedQuery, len(b.QueuedQueries))
		for i, q := range b.QueuedQueries {
			again := *q // pgx changes it, and it may have to be sent again
			queries[i] = &again
		}
		results, err := o.together(ctx, queries...)
		if err != nil {
			return pgx.FailedBatchResults(b, err)
		}
		if results != nil {
			return insideResults{results}
		}
	}
	tx, err := o.begin()
	if err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	return tx.SendBatch(ctx, b)
}

// begins reports whether sql begins a transaction, as the first query of a batch with
// Batch.BeginTx does. pgx refuses such a batch inside a transaction.
func begins(sql string) bool {
	s := sqlScanner{text: sql}
	if !s.statement() {
		return false
	}
	word := s.word()
	return word == "begin" || word == "start"
}

func (o *opening) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	tx, err := o.begin()
	if err != nil {
		return 0, err
	}
	return tx.CopyFrom(ctx, table, columns, rows)
}

func (o *opening) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	tx, err := o.begin()
	if err != nil {
		return nil, err
	}
	return tx.Prepare(ctx, name, sql)
}

func (o *opening) LargeObjects() pgx.LargeObjects {
	tx, err := o.begin()
	if err != nil {
		var b pgx.Batch
		b.BeginTx(o.options)
		tx = pgx.FailedBatchResults(&b, err).Tx() // a closed transaction
	}
	return tx.LargeObjects()
}

func (o *opening) Begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := o.begin()
	if err != nil {
		return nil, err
	}
	return tx.Begin(ctx)
}

func (o *opening) Commit(ctx context.Context) error {
	tx, err := o.begin()
	if err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func (o *opening) Rollback(ctx context.Context) error {
	if o.tx == nil {
		return nil
	}
	return o.tx.Rollback(ctx)
}

// Conn returns the connection, on which BEGIN may not have run.
func (o *opening) Conn() *pgx.Conn { return o.conn }

// firstRows are the rows of a query that was sent with BEGIN. The connection can be used
// again when the batch is closed, so it is closed with the rows.
type firstRows struct {
	pgx.Rows
	batch pgx.BatchResults
	err   error // of the batch
}

func (r *firstRows) Close() {
	r.Rows.Close()
	if err := r.batch.Close(); r.Rows.Err() == nil {
		r.err = err
	}
}

func (r *firstRows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.err
}

func (r *firstRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Scan closes the rows after an error, as pgx does.
func (r *firstRows) Scan(dest ...any) error {
	err := r.Rows.Scan(dest...)
	if err != nil {
		r.Close()
	}
	return err
}

// Values closes the rows after an error, as pgx does.
func (r *firstRows) Values() ([]any, error) {
	values, err := r.Rows.Values()
	if err != nil {
		r.Close()
	}
	return values, err
}

// firstRow is the row of a query that was sent with BEGIN.
type firstRow struct {
	pgx.Row
	batch pgx.BatchResults
}

func (r firstRow) Scan(dest ...any) error {
	err := r.Row.Scan(dest...)
	if closeErr := r.batch.Close(); err == nil {
		err = closeErr
	}
	return err
}

// insideResults are the results of a batch inside a transaction, which have none of
// their own.
type insideResults struct{ pgx.BatchResults }

func (insideResults) Tx() pgx.Tx { return nil }
