package migrations

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed create.up.sql
var createUp string

//go:embed create.down.sql
var createDown string

//go:embed upgrade.up.sql
var upgradeOutbox string

//go:embed upgrade.down.sql
var upgradeDown string

// upgradeUp changes event_outbox and then makes the other tables, as create.up.sql
// makes them: they are written down there only.
var upgradeUp = upgradeOutbox + "\n" + from(createUp, "CREATE TABLE event_outbox_lease")

// SQL is the complete current schema as plain SQL, with unqualified names: what
// sqlc compiles queries against when a service has no migrations of its own.
func SQL() string { return createUp }

// The reasons why a migration does not fit the database. Errors of this package
// wrap them.
var (
	// ErrOlderShape is returned by Up when there is an event_outbox from before
	// seq: Upgrade is what it needs.
	ErrOlderShape = errors.New("event_outbox has an older shape, without seq: run Upgrade, or the files of kind upgrade")
	// ErrNoOutbox is returned by Upgrade and Downgrade when the search_path shows
	// no event_outbox.
	ErrNoOutbox = errors.New("there is no event_outbox in the search_path: run Up, or look at the search_path")
)

// Up creates the tables in the first schema of the search_path. When they are
// there already it does nothing, so a service may call it at every start, in
// several instances at once.
func Up(ctx context.Context, conn *pgx.Conn) error {
	return migrate(ctx, conn, "create the tables", func(s shape) (string, error) {
		switch s {
		case absent:
			return createUp, nil
		case older:
			return "", ErrOlderShape
		}
		return "", nil
	})
}

// Down drops the tables, with every event in them, published or not. Tables that
// are not there are no error.
func Down(ctx context.Context, conn *pgx.Conn) error {
	return migrate(ctx, conn, "drop the tables", func(shape) (string, error) { return createDown, nil })
}

// Upgrade turns an event_outbox of an older shape into the current one, in
// place; the package documentation says what becomes of the rows and what is
// locked. It does nothing when the shape is the current one.
func Upgrade(ctx context.Context, conn *pgx.Conn) error {
	return migrate(ctx, conn, "upgrade event_outbox", func(s shape) (string, error) {
		switch s {
		case absent:
			return "", ErrNoOutbox
		case older:
			return upgradeUp, nil
		}
		return "", nil
	})
}

// Downgrade undoes Upgrade. Rows stay, with what the older shape has columns
// for; dead rows become unpublished ones, and the lease, the audit and the inbox
// are dropped. It does nothing when the shape is the older one.
func Downgrade(ctx context.Context, conn *pgx.Conn) error {
	return migrate(ctx, conn, "downgrade event_outbox", func(s shape) (string, error) {
		switch s {
		case absent:
			return "", ErrNoOutbox
		case current:
			return upgradeDown, nil
		}
		return "", nil
	})
}

// shape is what event_outbox looks like.
type shape int

const (
	absent  shape = iota // no such table
	older                // none of the columns that an upgrade adds, but for topic
	current              // all of them
)

// added are the columns that tell the current shape from an older one.
var added = [...]string{"tx", "seq", "headers", "next_attempt_at", "dead_at"}

// ownSettings replace what a database or a role sets for its sessions, for the
// length of a transaction. An upgrade takes as long as it takes; the caller's
// context bounds it.
const ownSettings = `
	SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE;
	SELECT set_config(name, value, true)
	FROM (VALUES ('standard_conforming_strings', 'on'), ('statement_timeout', '0'), ('lock_timeout', '0'),
	             ('idle_in_transaction_session_timeout', '0'), ('transaction_timeout', '0'),
	             ('transform_null_equals', 'off'), ('row_security', 'off')) AS own (name, value)
	WHERE current_setting(name, true) IS NOT NULL`

// migrate runs the SQL that choose picks for the shape found, if any, in one
// transaction. Migrations of one database run one after the other.
func migrate(ctx context.Context, conn *pgx.Conn, what string, choose func(shape) (string, error)) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, ownSettings); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('outboxgen migrations', 0))`); err != nil {
			return err
		}
		found, err := look(ctx, tx)
		if err != nil {
			return err
		}
		sql, err := choose(found)
		if err != nil || sql == "" {
			return err
		}
		_, err = tx.Exec(ctx, sql)
		return err
	})
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "55P03" {
		return fmt.Errorf("migrations: %s: another transaction holds event_outbox; nothing was changed, end that transaction or try again: %w", what, err)
	}
	if err != nil {
		return fmt.Errorf("migrations: %s: %w", what, err)
	}
	return nil
}

// look finds out the shape of event_outbox. A table that has some of the columns
// and not others is an error: no migration of ours left it so.
func look(ctx context.Context, tx pgx.Tx) (shape, error) {
	var exists bool
	var columns []string
	err := tx.QueryRow(ctx, `
		SELECT to_regclass('event_outbox') IS NOT NULL,
		       ARRAY(SELECT attname::text FROM pg_attribute
		             WHERE attrelid = to_regclass('event_outbox') AND attnum > 0 AND NOT attisdropped)`).Scan(&exists, &columns)
	if err != nil {
		return absent, fmt.Errorf("look at event_outbox: %w", err)
	}
	if !exists {
		return absent, nil
	}
	var missing []string
	for _, name := range added {
		if !slices.Contains(columns, name) {
			missing = append(missing, name)
		}
	}
	switch len(missing) {
	case 0:
		return current, nil
	case len(added):
		return older, nil
	}
	return absent, fmt.Errorf("event_outbox has some of the columns of the current shape and lacks %s: "+
		"it was changed by hand; bring it to one shape or the other first", strings.Join(missing, ", "))
}
