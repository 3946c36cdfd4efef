package outboxsql

import (
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// rows implements pgx.Rows with an *sql.Rows. There is no connection of pgx: Conn and
// TypeMap return nil, RawValues returns nothing, and a FieldDescription has only a
// name.
type rows struct {
	*sql.Rows
	err error // of Close or Scan
}

var _ pgx.Rows = (*rows)(nil)

func (r *rows) Close() {
	if err := r.Rows.Close(); r.err == nil {
		r.err = err
	}
}

func (r *rows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.err
}

func (r *rows) Scan(dest ...any) error {
	if len(dest) == 1 {
		if scanner, ok := dest[0].(pgx.RowScanner); ok {
			return scanner.ScanRow(r)
		}
	}
	return r.Rows.Scan(dest...)
}

func (r *rows) Values() ([]any, error) {
	columns, err := r.Columns()
	if err != nil {
		return nil, err
	}
	values, dest := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	if err := r.Rows.Scan(dest...); err != nil {
		return nil, err
	}
	return values, nil
}

func (r *rows) FieldDescriptions() []pgconn.FieldDescription {
	columns, err := r.Columns()
	if err != nil {
		return nil
	}
	fields := make([]pgconn.FieldDescription, len(columns))
	for i, name := range columns {
		fields[i].Name = name
	}
	return fields
}

func (*rows) CommandTag() pgconn.CommandTag { return pgconn.CommandTag{} }
func (*rows) RawValues() [][]byte           { return nil }
func (*rows) Conn() *pgx.Conn               { return nil }
func (*rows) TypeMap() *pgtype.Map          { return nil }

// row is the first row of a query, or the error of the query.
type row struct {
	rows pgx.Rows
	err  error
}

func (r row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}
