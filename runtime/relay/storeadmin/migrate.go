package storeadmin

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
	"github.com/outboxgen/outboxgen/runtime/relay/internal/logcursor"
	"github.com/outboxgen/outboxgen/runtime/relay/storeadmin/internal/storedb"
)

var (
	//go:embed lock.sql
	lockSQL string
	//go:embed rename.sql
	renameSQL string
	//go:embed privileges.sql
	privilegesSQL string
	//go:embed drop_log.sql
	dropLogSQL string
)

// Config configures [Migrate]. The zero value of a field means its default.
type Config struct {
	// MaxRows is how many unpublished rows Migrate copies at most, because writers wait while
	// it does. Default 20,000.
	MaxRows int
	// LockTimeout is how long one attempt waits for a lock, because writers wait behind it.
	// Default 250ms.
	LockTimeout time.Duration
	// Patience is for how long Migrate tries to get the lock. Default 1m.
	Patience time.Duration
	// Roles get what they need of the new tables. Roles without a name get nothing. Default:
	// none. Whoever may insert into event_outbox, or read it, may do so afterwards.
	Roles migrations.Roles
}

func (c Config) withDefaults() Config {
	c.MaxRows = cmp.Or(c.MaxRows, 20_000)
	c.LockTimeout = cmp.Or(c.LockTimeout, 250*time.Millisecond)
	c.Patience = cmp.Or(c.Patience, time.Minute)
	return c
}

// Result is what Migrate has done.
type Result struct {
	Rows   int64         // that were copied: unpublished and dead ones
	Locked time.Duration // about how long writers had to wait, without the wait for the lock
}

// Reasons why Migrate does nothing.
var (
	// ErrSameStore is returned if event_outbox is what it is to become.
	ErrSameStore = errors.New("storeadmin: event_outbox is of this store already")
	// ErrBefore is returned if there is an event_outbox_before of an earlier move.
	ErrBefore = errors.New("storeadmin: event_outbox_before is still there from an earlier move: drop it when its events are not needed any more")
	// ErrManyRows is returned if more rows are unpublished than Config.MaxRows.
	ErrManyRows = errors.New("storeadmin: too many rows are not published")
	// ErrBusy is returned if the lock was not free in time.
	ErrBusy = errors.New("storeadmin: transactions hold event_outbox")
)

// Migrate moves the outbox of the search_path to a store. It changes nothing if it returns an
// error.
func Migrate(ctx context.Context, conn *pgx.Conn, to migrations.Store, c Config) (Result, error) {
	c = c.withDefaults()
	limit := time.Now().Add(c.Patience)
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		result, err := attempt(ctx, conn, to, c)
		switch code := sqlstate.Code(err); {
		case code != "55P03" && code != "40P01":
			return result, err
		case time.Now().Add(pause).After(limit):
			return result, fmt.Errorf("%w for longer than %s at a time: end long transactions, or try again: %w", ErrBusy, c.LockTimeout, err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return Result{}, context.Cause(ctx)
		}
	}
}

// attempt is one attempt to get the lock and to move the rows.
func attempt(ctx context.Context, conn *pgx.Conn, to migrations.Store, c Config) (result Result, err error) {
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}, func(tx pgx.Tx) error {
		m := move{ctx: ctx, tx: tx, q: storedb.New(tx), to: to, c: c}
		if err := m.prepare(); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, lockSQL); err != nil {
			return fmt.Errorf("storeadmin: lock event_outbox: %w", err)
		}
		locked := time.Now()
		if err := m.run(); err != nil {
			return err
		}
		result = Result{Rows: m.rows, Locked: time.Since(locked)}
		return nil
	})
	return result, err
}

// move is one attempt.
type move struct {
	ctx  context.Context
	tx   pgx.Tx
	q    *storedb.Queries
	to   migrations.Store
	c    Config
	rows int64
}

// begin overrides the defaults of the database, and acts as the tables' owner.
func begin(ctx context.Context, tx pgx.Tx, q *storedb.Queries, lockTimeout time.Duration) (storedb.DescribeOutboxRow, error) {
	_, err := tx.Exec(ctx, fmt.Sprintf(`SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '%dms'; SET LOCAL row_security = off`, lockTimeout.Milliseconds()))
	if err != nil {
		return storedb.DescribeOutboxRow{}, fmt.Errorf("storeadmin: begin: %w", err)
	}
	is, err := q.DescribeOutbox(ctx)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return is, errors.New("storeadmin: there is no event_outbox in the search_path: set the schema of the outbox, or create it (outboxgen migration)")
	case err != nil:
		return is, fmt.Errorf("storeadmin: look at event_outbox: %w", err)
	case is.IsLog && !is.HasCursor:
		return is, errors.New("storeadmin: event_outbox is partitioned and not a log of outboxgen: event_outbox_cursor is missing")
	}
	if is.OwnedByAnother {
		if _, err := tx.Exec(ctx, "SET LOCAL ROLE "+pgx.Identifier{is.Owner}.Sanitize()); err != nil {
			return is, fmt.Errorf("storeadmin: event_outbox belongs to role %s, which this role cannot act as: connect as the owner: %w", is.Owner, err)
		}
	}
	return is, nil
}

// prepare looks whether the move is possible.
func (m *move) prepare() error {
	is, err := begin(m.ctx, m.tx, m.q, m.c.LockTimeout)
	switch {
	case err != nil:
		return err
	case is.IsLog == (m.to == migrations.StoreLog):
		return ErrSameStore
	case is.HasBefore:
		return ErrBefore
	case !is.Marked:
		return errors.New("storeadmin: event_outbox_lease has no low_water: apply what `outboxgen migration --indexes` prints, or --upgrade for an older outbox")
	}
	obstacles, err := m.q.Obstacles(m.ctx)
	if err != nil {
		return fmt.Errorf("storeadmin: look at what belongs to event_outbox: %w", err)
	}
	if len(obstacles) > 0 {
		return fmt.Errorf("storeadmin: event_outbox has %s, which the new one would lack: drop it before the move, and create it again afterwards",
			strings.Join(obstacles, ", "))
	}
	return nil
}

// run moves the outbox, under the lock.
func (m *move) run() error {
	sequence, err := m.q.Sequence(m.ctx)
	if err != nil {
		return fmt.Errorf("storeadmin: read the sequence of seq: %w", err)
	}
	steps := []struct {
		what string
		do   func() error
	}{
		{"end the leader's term", func() error { return m.q.EndTerms(m.ctx) }},
		{"rename event_outbox", func() error { return m.exec(renameSQL) }},
		{"create event_outbox", func() error { return m.exec(migrations.OutboxSQL(m.to)) }},
		{"continue the sequence", func() error { _, err := m.q.ContinueSequence(m.ctx, sequence.Standing); return err }},
		{"grant privileges", m.grant},
		{"copy the rows", func() error {
			if m.to == migrations.StoreLog {
				return m.intoLog(sequence)
			}
			return m.intoTable()
		}},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			return fmt.Errorf("storeadmin: %s: %w", step.what, err)
		}
	}
	return nil
}

func (m *move) exec(sql string) error {
	_, err := m.tx.Exec(m.ctx, sql)
	return err
}

// grant grants what roles had, and what the given ones need.
func (m *move) grant() error {
	if err := m.exec(privilegesSQL); err != nil {
		return err
	}
	if m.c.Roles == (migrations.Roles{}) {
		return nil
	}
	files, err := migrations.Files(migrations.Migrate, migrations.Options{Kind: migrations.KindGrants, Store: m.to, Roles: m.c.Roles, Number: 1})
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name, ".up.sql") {
			return m.exec(string(f.Content))
		}
	}
	return nil
}

// intoLog copies the rows of a table.
func (m *move) intoLog(sequence storedb.SequenceRow) error {
	copied, err := m.q.CopyRows(m.ctx, storedb.CopyRowsParams{LowWater: sequence.LowWater, MaxRows: m.most()})
	if err != nil {
		return err
	}
	if err := m.add(copied.Copied); err != nil {
		return err
	}
	failed, err := m.q.CopyFailures(m.ctx)
	if err != nil {
		return err
	}
	floor := sequence.Standing
	if copied.Copied > 0 {
		floor = copied.First - 1
	}
	_, err = m.q.SetFirstCursor(m.ctx, storedb.SetFirstCursorParams{Ahead: encoded(failed), Floor: floor})
	return err
}

// intoTable copies the rows of a log.
func (m *move) intoTable() error {
	c, err := m.q.ReadCursor(m.ctx)
	if err != nil {
		return fmt.Errorf("read the cursor: %w", err)
	}
	ahead, err := logcursor.Decode(c.Ahead)
	if err != nil {
		return fmt.Errorf("event_outbox_cursor.ahead: %w", err)
	}
	for _, copyRows := range []func() (int64, error){
		func() (int64, error) {
			return m.q.CopyUnpassed(m.ctx, storedb.CopyUnpassedParams{
				Floor: c.Floor, Base: c.Base, Shown: c.Shown, Seq: c.Seq, Ahead: append([]int64{}, ahead...), MaxRows: m.most(),
			})
		},
		func() (int64, error) { return m.q.CopyLate(m.ctx, m.most()) },
		func() (int64, error) { return m.q.CopyCopies(m.ctx, m.most()) },
	} {
		n, err := copyRows()
		if err != nil {
			return err
		}
		if err := m.add(n); err != nil {
			return err
		}
	}
	return m.exec(dropLogSQL)
}

// most is how many rows a statement has to copy to show that there are too many.
func (m *move) most() int32 { return int32(int64(m.c.MaxRows) - m.rows + 1) }

func (m *move) add(rows int64) error {
	if m.rows += rows; m.rows > int64(m.c.MaxRows) {
		return fmt.Errorf("%w: more than %d; writers wait while they are copied: let the relay publish them, replay or discard dead ones, or raise the limit",
			ErrManyRows, m.c.MaxRows)
	}
	return nil
}
