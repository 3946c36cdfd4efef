package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// preparedKey is the key under which a connection stores the text of its prepared
// statements, by name.
const preparedKey = "github.com/outboxgen/outboxgen/runtime: prepared statements"

// mayBePrepared reports whether sql may be the name of a prepared statement. pgx
// accepts a name in place of SQL, and names may contain blanks and parentheses.
func mayBePrepared(sql string) bool {
	if !strings.ContainsAny(sql, " \t\r\n;('") {
		return sql != ""
	}
	s := sqlScanner{text: sql}
	if !s.statement() || s.text[s.pos] == '(' {
		return false
	}
	quoted := s.text[s.pos] == '"'
	return quoted || !commands[s.word()]
}

// commands are the first words of SQL statements.
var commands = map[string]bool{
	"abort": true, "alter": true, "analyze": true, "analyse": true, "begin": true, "call": true, "checkpoint": true, "close": true,
	"cluster": true, "comment": true, "commit": true, "copy": true, "create": true, "deallocate": true, "declare": true, "delete": true,
	"discard": true, "do": true, "drop": true, "end": true, "execute": true, "explain": true, "fetch": true, "grant": true,
	"import": true, "insert": true, "listen": true, "load": true, "lock": true, "merge": true, "move": true, "notify": true,
	"prepare": true, "reassign": true, "refresh": true, "reindex": true, "release": true, "reset": true, "revoke": true, "rollback": true,
	"savepoint": true, "security": true, "select": true, "set": true, "show": true, "start": true, "table": true, "truncate": true,
	"unlisten": true, "update": true, "vacuum": true, "values": true, "with": true,
}

// preparedText returns the SQL of the prepared statement with that name, however it was
// prepared. It returns the name if there is none.
func preparedText(ctx context.Context, tx pgx.Tx, name string) (string, error) {
	known := preparedOn(tx.Conn())
	if text, ok := known[name]; ok && stillPrepared(ctx, tx.Conn(), name, text) {
		return text, nil
	}
	delete(known, name)
	if first, ok := tx.(*opening); ok {
		if _, err := first.begin(); err != nil {
			return "", err
		}
	}
	if tx.Conn().PgConn().TxStatus() != 'T' {
		return name, nil // the statement itself will fail
	}
	const query = `select statement from pg_catalog.pg_prepared_statements where name = $1::text::name::text` // the server shortens names
	var text string
	err := tx.QueryRow(ctx, query, pgx.QueryExecModeExec, name).Scan(&text)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return name, nil
	case err != nil:
		return "", fmt.Errorf("outbox: read the text of the prepared statement %q (events are waiting to be inserted): %w", name, err)
	}
	known[name] = text
	return text, nil
}

// stillPrepared reports, without a round trip, whether name still stands for text: the
// statement may have been prepared again since it was looked up. pgx knows the answer
// if it prepared the same text under that name. The context is cancelled, so pgx sends
// nothing to the server.
//
// A pgx.PrepareTracer of the application sees this as a Prepare: one that was already
// prepared, or one that failed with context.Canceled if name no longer stands for text.
// pgx has no quieter way to ask.
func stillPrepared(ctx context.Context, conn *pgx.Conn, name, text string) bool {
	done, cancel := context.WithCancel(ctx)
	cancel()
	_, err := conn.Prepare(done, name, text)
	return err == nil
}

// preparedOn returns the known prepared statements of the connection.
func preparedOn(conn *pgx.Conn) map[string]string {
	data := conn.PgConn().CustomData()
	known, ok := data[preparedKey].(map[string]string)
	if !ok {
		known = map[string]string{}
		data[preparedKey] = known
	}
	return known
}
