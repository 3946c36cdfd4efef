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

//go:embed indexes.up.sql
var indexesUp string

//go:embed indexes.down.sql
var indexesDown string

//go:embed pauses.up.sql
var pausesUp string

//go:embed pauses.down.sql
var pausesDown string

//go:embed moved.up.sql
var movedOutbox string

//go:embed log.up.sql
var logOutbox string

//go:embed log_tables.up.sql
var logTables string

//go:embed log.down.sql
var logDown string

// logUp creates a log, and the other tables with the statements of create.up.sql.
var logUp = logOutbox + "\n" + logTables + "\n" + from(createUp, "CREATE TABLE event_outbox_lease")

// upgradeUp changes event_outbox and then creates the other tables with the statements
// of create.up.sql.
var upgradeUp = upgradeOutbox + "\n" + from(createUp, "CREATE TABLE event_outbox_lease")

// moved replaces an empty event_outbox of the other store.
func moved(to Store) string {
	const isLog = "EXISTS (SELECT FROM pg_class WHERE oid = 'event_outbox'::regclass AND relkind = 'p')"
	is, events, drop := isLog, "EXISTS (SELECT FROM event_outbox)", "DROP TABLE event_outbox;\n"
	if to == StoreTable {
		is, events = "NOT "+isLog, events+" OR EXISTS (SELECT FROM event_outbox_failed)"
		drop = strings.Join(slices.DeleteFunc(split(logDown), func(statement string) bool {
			return strings.Contains(createDown, statement) &&
				!strings.HasSuffix(statement, " event_outbox;")
		}), "\n") + "\n"
	}
	replace := drop + "\n" + strings.ReplaceAll(OutboxSQL(to), "$$", "$functions$")
	return strings.NewReplacer("IS_STORE", is, "HAS_EVENTS", events, "REPLACE", strings.TrimSpace(replace), "STORE", string(to)).Replace(movedOutbox)
}

// SQL returns the complete current schema as plain SQL with unqualified names. sqlc
// compiles queries against it if a service has no migrations of its own.
func SQL() string { return createUp }

// LogSQL is SQL for an outbox that is a log.
func LogSQL() string { return logUp }

// OutboxSQL returns the part of SQL or LogSQL that creates event_outbox, with the tables that
// only a log has. The other tables are the same for both stores.
func OutboxSQL(s Store) string {
	if s == StoreLog {
		return logOutbox + "\n" + logTables
	}
	return before(createUp, "CREATE TABLE event_outbox_lease")
}

// Reasons why a migration does not fit the database. Errors of this package wrap them.
var (
	// ErrOlderShape is returned by Up if there is an event_outbox from before seq. Run
	// Upgrade instead.
	ErrOlderShape = errors.New("event_outbox has an older shape, without seq: run Upgrade, or the files of kind upgrade")
	// ErrNoOutbox is returned by Upgrade and Downgrade if there is no event_outbox in
	// the search_path.
	ErrNoOutbox = errors.New("there is no event_outbox in the search_path: run Up, or look at the search_path")
	// ErrOtherStore is returned by Downgrade if event_outbox is a log, which has no older shape.
	ErrOtherStore = errors.New("event_outbox is of the other store")
)

// Up creates the tables in the first schema of the search_path. If they exist, it does
// nothing, so every instance of a service may call it at every start. That includes the tables
// of a log, because services need no change after `outboxrelay store migrate`. It returns
// ErrOlderShape if event_outbox has an older shape.
func Up(ctx context.Context, conn *pgx.Conn) error {
	return create(ctx, conn, "create the tables", createUp)
}

// UpLog creates the tables of an outbox that is a log. If there is an outbox, a table or a log,
// it does what Up does. `outboxrelay store migrate` moves a table into a log.
func UpLog(ctx context.Context, conn *pgx.Conn) error {
	return create(ctx, conn, "create the tables of a log", logUp)
}

func create(ctx context.Context, conn *pgx.Conn, what, sql string) error {
	return migrate(ctx, conn, what, func(s shape) (string, error) {
		switch s {
		case absent:
			return sql, nil
		case older:
			return "", ErrOlderShape
		}
		return "", nil
	})
}

// AllowPauses makes an outbox from before pauses accept them, in place, with the
// statements of KindPauses. It may be a table or a log. If the outbox accepts pauses already, it changes nothing, and
// locks no table.
func AllowPauses(ctx context.Context, conn *pgx.Conn) error {
	return migrate(ctx, conn, "allow pauses", func(s shape) (string, error) {
		switch s {
		case absent:
			return "", ErrNoOutbox
		case older:
			return "", ErrOlderShape
		case current, log:
			return "", nil
		}
		return pausesUp, nil // it changes only the audit, which is the same for both stores
	})
}

// Down drops the tables and every event in them, published or not, also those of a log.
// Missing tables are no error.
func Down(ctx context.Context, conn *pgx.Conn) error {
	return migrate(ctx, conn, "drop the tables", func(s shape) (string, error) {
		if s == log || s == unpausedLog {
			return logDown, nil
		}
		return createDown, nil
	})
}

// Upgrade turns an event_outbox of an older shape, or with indexes that have published_at
// in their conditions, or from before pauses, into the current one, in place. Of a log only the
// audit can be from before pauses. The package documentation says what happens to the rows and
// which locks it takes. If the shape is current, it does nothing.
func Upgrade(ctx context.Context, conn *pgx.Conn) error {
	return migrate(ctx, conn, "upgrade event_outbox", func(s shape) (string, error) {
		switch s {
		case absent:
			return "", ErrNoOutbox
		case older:
			return upgradeUp, nil
		case unmarked:
			return indexesUp + "\n" + pausesUp, nil
		case unpaused, unpausedLog:
			return pausesUp, nil
		}
		return "", nil
	})
}

// Downgrade undoes Upgrade. It is not for a log. It keeps the rows, without the values for which the older
// shape has no columns. Dead rows become unpublished, and the lease, the audit and the
// inbox are dropped. Delayed events that wait are an error. Published tombstones are
// deleted; unpublished ones are an error. If the shape is the older one, it does nothing.
func Downgrade(ctx context.Context, conn *pgx.Conn) error {
	return migrate(ctx, conn, "downgrade event_outbox", func(s shape) (string, error) {
		switch s {
		case absent:
			return "", ErrNoOutbox
		case unmarked, unpaused, current:
			return upgradeDown, nil
		case log, unpausedLog:
			return "", fmt.Errorf("%w: it is a log, not a table", ErrOtherStore)
		}
		return "", nil
	})
}

// shape is the shape of event_outbox.
type shape int

const (
	absent      shape = iota // no such table
	older                    // none of the columns that an upgrade adds, except perhaps topic
	unmarked                 // all of them, and the lease has no low_water
	unpaused                 // and low_water, but event_outbox_audit is from before pauses
	current                  // everything
	log                      // it is a log
	unpausedLog              // it is a log whose event_outbox_audit is from before pauses
)

// added are the columns that distinguish the current shape from an older one.
var added = [...]string{"tx", "seq", "headers", "next_attempt_at", "dead_at", "partition"}

// ownSettings override the defaults of a database or a role for one transaction. Only
// the caller's context limits how long an upgrade takes.
const ownSettings = `
	SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE;
	SELECT set_config(name, value, true)
	FROM (VALUES ('standard_conforming_strings', 'on'), ('statement_timeout', '0'), ('lock_timeout', '0'),
	             ('idle_in_transaction_session_timeout', '0'), ('transaction_timeout', '0'),
	             ('transform_null_equals', 'off'), ('row_security', 'off')) AS own (name, value)
	WHERE current_setting(name, true) IS NOT NULL`

// migrate runs the SQL that choose returns for the found shape, if any, in one
// transaction. Migrations of one database run one at a time.
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
		return fmt.Errorf("migrations: %s: another transaction holds a lock on %s; nothing was changed, end that transaction or try again: %w", what, lockedTable(pg), err)
	}
	if err != nil {
		return fmt.Errorf("migrations: %s: %w", what, err)
	}
	return nil
}

// lockedTable names the table whose lock was not granted, which only the statement in the
// error tells.
func lockedTable(pg *pgconn.PgError) string {
	for _, table := range []string{"event_outbox_audit", "event_outbox_lease", "event_outbox_delayed"} {
		if strings.Contains(pg.Where, table) && !strings.Contains(pg.Where, "event_outbox,") && !strings.Contains(pg.Where, ", event_outbox ") {
			return table
		}
	}
	return "event_outbox or another table of the outbox"
}

// look returns the shape of event_outbox. A table with only some of the columns is an
// error: no migration of this package makes one.
func look(ctx context.Context, tx pgx.Tx) (shape, error) {
	var exists, isLog, marked, paused bool
	var columns []string
	err := tx.QueryRow(ctx, `
		SELECT to_regclass('event_outbox') IS NOT NULL,
		       to_regclass('event_outbox_cursor') IS NOT NULL
		       AND EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('event_outbox') AND relkind = 'p'),
		       ARRAY(SELECT attname::text FROM pg_attribute
		             WHERE attrelid = to_regclass('event_outbox') AND attnum > 0 AND NOT attisdropped),
		       EXISTS (SELECT FROM pg_attribute
		               WHERE attrelid = to_regclass('event_outbox_lease') AND attname = 'low_water' AND NOT attisdropped),
		       to_regclass('event_outbox_audit') IS NULL
		       OR NOT EXISTS (SELECT FROM pg_constraint
		                      WHERE conrelid = to_regclass('event_outbox_audit') AND contype = 'c'
		                        AND pg_get_constraintdef(oid) LIKE '%send-now%' AND pg_get_constraintdef(oid) NOT LIKE '%pause%')
		          AND (SELECT bool_or(pg_get_expr(indpred, indrelid) LIKE '%pause%') AND bool_or(pg_get_expr(indpred, indrelid) = '(applied_at IS NULL)')
		               FROM pg_index WHERE indrelid = to_regclass('event_outbox_audit') AND indisvalid AND indpred IS NOT NULL) IS TRUE
		          AND EXISTS (SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
		                      WHERE i.indrelid = to_regclass('event_outbox_audit') AND i.indisvalid AND i.indpred IS NULL AND a.attname = 'event_id')`).
		Scan(&exists, &isLog, &columns, &marked, &paused)
	if err != nil {
		return absent, fmt.Errorf("look at event_outbox: %w", err)
	}
	switch {
	case !exists:
		return absent, nil
	case isLog && !paused:
		return unpausedLog, nil
	case isLog:
		return log, nil
	}
	var missing []string
	for _, name := range added {
		if !slices.Contains(columns, name) {
			missing = append(missing, name)
		}
	}
	switch {
	case len(missing) == 0 && marked && paused:
		return current, nil
	case len(missing) == 0 && marked:
		return unpaused, nil
	case len(missing) == 0:
		return unmarked, nil
	case len(missing) == len(added):
		return older, nil
	}
	return absent, fmt.Errorf("event_outbox has some of the columns of the current shape and lacks %s: "+
		"it was changed by hand; bring it to one shape or the other first", strings.Join(missing, ", "))
}
