package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// preparedKey is where a connection keeps the text of the prepared statements
// that were asked for, by name.
const preparedKey = "github.com/outboxgen/outboxgen/runtime: prepared statements"

// mayBePrepared reports whether sql may be the name of a prepared statement, which
// pgx takes in the place of SQL.
func mayBePrepared(sql string) bool {
	return sql != "" && !strings.ContainsAny(sql, " \t\r\n;('")
}

// preparedText is the SQL of the prepared statement of that name, from wherever it
// was prepared; the name itself if there is none.
func preparedText(ctx context.Context, tx pgx.Tx, name string) (string, error) {
	known := preparedOn(tx.Conn())
	if text, ok := known[name]; ok {
		return text, nil
	}
	if tx.Conn().PgConn().TxStatus() != 'T' {
		return name, nil // the statement itself will fail
	}
	const query = `select statement from pg_catalog.pg_prepared_statements where name = $1`
	var text string
	err := tx.QueryRow(ctx, query, pgx.QueryExecModeExec, name).Scan(&text)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return name, nil
	case err != nil:
		return "", fmt.Errorf("outbox: read what the prepared statement %q does, for events wait to be inserted: %w", name, err)
	}
	known[name] = text
	return text, nil
}

// preparedOn is what is known of the connection's prepared statements.
func preparedOn(conn *pgx.Conn) map[string]string {
	data := conn.PgConn().CustomData()
	known, ok := data[preparedKey].(map[string]string)
	if !ok {
		known = map[string]string{}
		data[preparedKey] = known
	}
	return known
}
