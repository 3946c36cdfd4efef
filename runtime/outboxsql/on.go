package outboxsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	outbox "github.com/outboxgen/outboxgen/runtime"
)

// DBTX runs statements: an *sql.DB, an *sql.Conn, an *sql.Tx, and the types of libraries
// that are built on them.
type DBTX interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Transaction is a transaction of database/sql, or of a library that is built on it:
//
//	library       pass
//	database/sql  the *sql.Tx
//	sqlx          the *sqlx.Tx
//	bun           the bun.Tx
//	ent           the *ent.Tx, if the code was generated with the feature sql/execquery
//	GORM          call OnConnPool(tx.Statement.ConnPool) instead
//
// It has Commit and Rollback so that *sql.DB and *sql.Conn do not fit: code that
// inserts an event outside a transaction does not compile.
type Transaction interface {
	DBTX
	Commit() error
	Rollback() error
}

// On makes tx a transaction for the insert functions of generated packages, for
// inbox.Claim and for package outboxtest. The caller still commits tx or rolls it back.
// The result is valid as long as tx, and no safer for concurrent use than tx.
//
// If tx is a struct that embeds an *sql.Tx, as the transactions of sqlx and bun, the
// statements run on that. (bun rewrites the placeholders of a statement otherwise.)
func On(tx Transaction) outbox.Transaction {
	v := reflect.ValueOf(tx)
	if !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return refusing{errors.New("outboxsql: the transaction is nil: pass the one that began")}
	}
	if inner := embedded(v); inner != nil {
		tx = inner
	}
	return transaction{statements{tx}, tx}
}

// OnConnPool is On for GORM, which has the transaction in a field whose type also fits
// a pool:
//
//	db.Transaction(func(tx *gorm.DB) error {
//		...
//		return events.InsertOrderPlacedV1(ctx, outboxsql.OnConnPool(tx.Statement.ConnPool), order)
//	})
//
// If pool is not a Transaction, every statement returns an error that says so, and
// nothing is inserted.
func OnConnPool(pool DBTX) outbox.Transaction {
	if tx, ok := pool.(Transaction); ok {
		return On(tx)
	}
	return refusing{fmt.Errorf("outboxsql: %T is not a transaction, so the event could be stored without its business rows: "+
		"pass the ConnPool of the *gorm.DB that the function of Transaction gets, or that Begin returns", pool)}
}

// DB adapts db to functions that take an outbox.DBTX: outboxtest.RequireInserted,
// outboxtest.Pending and inbox.Forget. It does not fit the insert functions.
func DB(db DBTX) outbox.DBTX { return statements{db} }

// embedded returns the *sql.Tx that a struct embeds; nil if there is none.
func embedded(v reflect.Value) *sql.Tx {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return nil
	}
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.Anonymous && f.IsExported() {
			if inner, ok := v.Field(i).Interface().(*sql.Tx); ok && inner != nil {
				return inner
			}
		}
	}
	return nil
}

type transaction struct {
	statements
	tx Transaction
}

func (t transaction) Rollback(context.Context) error { return t.tx.Rollback() }

// statements runs statements written for pgx on database/sql.
type statements struct{ db DBTX }

func (s statements) Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error) {
	result, err := s.db.ExecContext(ctx, query, arguments(args)...)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	return pgconn.NewCommandTag(fmt.Sprintf("%d", n)), nil
}

func (s statements) Query(ctx context.Context, query string, args ...any) (pgx.Rows, error) {
	found, err := s.db.QueryContext(ctx, query, arguments(args)...) //nolint:rowserrcheck // the caller asks Err of the result
	if err != nil {
		return nil, err
	}
	return &rows{Rows: found}, nil
}

func (s statements) QueryRow(ctx context.Context, query string, args ...any) pgx.Row {
	found, err := s.Query(ctx, query, args...)
	return row{found, err}
}

// refusing returns an error for every statement.
type refusing struct{ err error }

func (r refusing) Exec(context.Context, string, ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, r.err
}
func (r refusing) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, r.err }
func (r refusing) QueryRow(context.Context, string, ...any) pgx.Row        { return row{nil, r.err} }
func (r refusing) Rollback(context.Context) error                          { return r.err }
