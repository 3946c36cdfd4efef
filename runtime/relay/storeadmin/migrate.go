package storeadmin

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
	"github.com/outboxgen/outboxgen/runtime/relay/storeadmin/internal/storedb"
)

var (
	//go:embed calm.sql
	calmSQL string
	//go:embed lock.sql
	lockSQL string
	//go:embed rename.sql
	renameSQL string
	//go:embed privileges.sql
	privilegesSQL string
	//go:embed leave_log.sql
	leaveLogSQL string
	//go:embed close.sql
	closeSQL string
)

// Config configures [Migrate]. The zero value of a field means its default.
type Config struct {
	// MaxRows is how many unpublished rows Migrate copies at most, because writers wait while
	// it does. Default 20,000.
	MaxRows int
	// LockTimeout is how long the first attempt waits for all locks together, because writers
	// wait behind it. Each further attempt waits twice as long, up to eight times LockTimeout: writers
	// whose transactions overlap all the time leave no shorter gap. Default 250ms.
	LockTimeout time.Duration
	// MaxLock is how long Migrate holds the locks at most; then it gives up, because writers
	// wait. Default 10s.
	MaxLock time.Duration
	// Patience is for how long Migrate tries to get the lock. Default 1m.
	Patience time.Duration
	// Roles get what they need of the new tables. Roles without a name get nothing. Default:
	// none. Whoever may insert into event_outbox, or read it, may do so afterwards.
	Roles migrations.Roles
}

func (c Config) withDefaults() Config {
	c.MaxRows = min(cmp.Or(c.MaxRows, 20_000), math.MaxInt32-1) // a statement copies one more, to show that there are more
	c.LockTimeout = cmp.Or(c.LockTimeout, 250*time.Millisecond)
	c.MaxLock = cmp.Or(c.MaxLock, 10*time.Second)
	c.Patience = cmp.Or(c.Patience, time.Minute)
	return c
}

// Result is what Migrate has done.
type Result struct {
	Rows    int64         // that were copied: unpublished and dead ones
	LeftOut int64         // dead rows of a log that were not copied, because another row has their id
	Locked  time.Duration // about how long writers had to wait, without the wait for the lock
}

// Reasons why Migrate does nothing.
var (
	// ErrSameStore is returned if event_outbox is what it is to become.
	ErrSameStore = errors.New("event_outbox is of this store already, perhaps since an earlier call whose answer was lost")
	// ErrBefore is returned if there is an event_outbox_before of an earlier move, or a table or
	// view that belongs to it.
	ErrBefore = errors.New("tables or a view whose names begin with event_outbox_before are still there from an earlier move")
	// ErrManyRows is returned if more rows are unpublished than Config.MaxRows.
	ErrManyRows = errors.New("too many rows are not published")
	// ErrSlow is returned if copying the rows would have taken longer than Config.MaxLock.
	ErrSlow = errors.New("writers would have to wait for too long")
	// ErrSameID is returned if an event of a log waits for its next attempt, and its id was inserted
	// again. A table has an id once.
	ErrSameID = errors.New("rows wait in event_outbox_failed whose ids were inserted again, and a table has an id once")
	// ErrForeign is returned if the cursor of the log is that of another database.
	ErrForeign = errors.New("the cursor of the log is that of another database, so it does not say which events are published")
	// ErrBusy is returned if the lock was not free in time.
	ErrBusy = errors.New("transactions hold event_outbox")
)

// Migrate moves the outbox of the search_path to a store. It has changed nothing if it returns an
// error, except for [ErrUnsearched], and if the answer to its COMMIT was lost. Then another call
// returns [ErrSameStore]. After ErrUnsearched, or if the process ended during that search, another call continues
// the search and returns no error.
func Migrate(ctx context.Context, conn *pgx.Conn, to migrations.Store, c Config) (Result, error) {
	result, err := migrate(ctx, conn, to, c.withDefaults())
	if err != nil {
		err = fmt.Errorf("storeadmin: %w", err)
	}
	return result, err
}

func migrate(ctx context.Context, conn *pgx.Conn, to migrations.Store, c Config) (Result, error) {
	s := search{ctx: ctx, conn: conn}
	if to == migrations.StoreLog {
		if err := s.first(c); err != nil {
			return Result{}, err
		}
		if s.unfinished > 0 {
			copied, err := s.second(s.searched, s.unfinished)
			return Result{Rows: copied}, err
		}
	}
	limit, longestWait := time.Now().Add(c.Patience), 8*c.LockTimeout
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		result, mark, busy, err := attempt(ctx, conn, to, c, s.found)
		switch {
		case !busy && err == nil && to == migrations.StoreLog:
			copied, err := s.second(0, mark)
			result.Rows += copied
			return result, err
		case !busy:
			return result, err
		case time.Now().Add(pause).After(limit):
			return result, fmt.Errorf("%w, and did not leave it within %s: %s", ErrBusy, c.Patience, holders(ctx, conn))
		}
		c.LockTimeout = min(2*c.LockTimeout, longestWait)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return Result{}, context.Cause(ctx)
		}
	}
}

// moving are the options of its transactions.
var moving = pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}

// attempt is one attempt to get the locks and to move the rows. busy is true if other
// transactions had the locks for too long. mark is the low-water mark of a table.
func attempt(ctx context.Context, conn *pgx.Conn, to migrations.Store, c Config, found []pgtype.UUID) (result Result, mark int64, busy bool, err error) {
	err = pgx.BeginTxFunc(ctx, conn, moving, func(tx pgx.Tx) error {
		m := move{ctx: ctx, tx: tx, q: storedb.New(tx), to: to, c: c, found: found}
		if err := m.prepare(); err != nil {
			return err
		}
		if err := m.calm(); err != nil {
			return err
		}
		if err := m.limit(c.LockTimeout); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, lockSQL); err != nil {
			busy = sqlstate.Code(err) == sqlstate.Cancelled && ctx.Err() == nil
			return fmt.Errorf("lock event_outbox: %w", err)
		}
		locked := time.Now()
		m.end = locked.Add(c.MaxLock)
		err := m.run()
		switch {
		case sqlstate.Code(err) == sqlstate.Cancelled && ctx.Err() == nil:
			return m.slow(err)
		case err != nil:
			return err
		}
		result, mark = Result{Rows: m.rows, LeftOut: m.leftOut, Locked: time.Since(locked)}, m.mark
		return nil
	})
	return result, mark, busy || sqlstate.Code(err) == sqlstate.LockNotAvailable || sqlstate.Code(err) == sqlstate.Deadlock, err
}

// move is one attempt.
type move struct {
	ctx     context.Context
	tx      pgx.Tx
	q       *storedb.Queries
	to      migrations.Store
	c       Config
	found   []pgtype.UUID // rows up to the low-water mark that are not published
	mark    int64         // the low-water mark
	rows    int64
	leftOut int64
	end     time.Time // of the locks
	types   []storedb.TextTypesRow
}

// actAsOwner overrides the defaults of the database, and acts as the tables' owner.
func actAsOwner(ctx context.Context, tx pgx.Tx, q *storedb.Queries, lockTimeout time.Duration) (storedb.DescribeOutboxRow, error) {
	_, err := tx.Exec(ctx, fmt.Sprintf(`SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '%dms'; SET LOCAL row_security = off`, lockTimeout.Milliseconds()))
	if err != nil {
		return storedb.DescribeOutboxRow{}, fmt.Errorf("begin: %w", err)
	}
	is, err := q.DescribeOutbox(ctx)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return is, errors.New("there is no event_outbox in the search_path: set the schema of the outbox, or create it (outboxgen migration)")
	case err != nil:
		return is, fmt.Errorf("look at event_outbox: %w", err)
	case is.IsLog && !is.HasCursor:
		return is, errors.New("event_outbox is partitioned and not a log of outboxgen: event_outbox_cursor is missing")
	}
	if is.OwnedByAnother {
		if _, err := tx.Exec(ctx, "SET LOCAL ROLE "+pgx.Identifier{is.Owner}.Sanitize()); err != nil {
			return is, fmt.Errorf("event_outbox belongs to role %s, which this role cannot act as: %w", is.Owner, err)
		}
	}
	return is, nil
}

// create creates the new event_outbox. Its columns of text have the types that they had: those of
// an upgraded table may be longer than ours, and writers may use that.
func (m *move) create() error {
	sql := migrations.OutboxSQL(m.to)
	for _, column := range m.types {
		declared := regexp.MustCompile(`(?m)^(    ` + column.Name + ` +)varchar\([0-9]+\)`)
		sql = declared.ReplaceAllString(sql, "${1}"+column.Type)
	}
	return m.exec(sql)
}

// run moves the outbox, under the locks.
func (m *move) run() error {
	if err := m.hurry(); err != nil {
		return err
	}
	var passed place
	if m.to == migrations.StoreTable {
		var err error
		if passed, err = m.passed(); err != nil {
			return err
		}
	}
	sequence, err := m.q.Sequence(m.ctx)
	if err != nil {
		return fmt.Errorf("read the sequence of seq: %w", err)
	}
	steps := []struct {
		what string
		do   func() error
	}{
		{"end the leader's term", func() error { return m.q.EndTerms(m.ctx) }},
		{"rename event_outbox", func() error { return m.exec(renameSQL) }},
		{"create event_outbox", m.create},
		{"continue the sequence", func() error {
			_, err := m.q.ContinueSequence(m.ctx, max(sequence.Standing, sequence.Highest))
			return err
		}},
		{"grant privileges", m.grant},
		{"copy the rows", func() error {
			if m.to == migrations.StoreLog {
				return m.intoLog(sequence)
			}
			return m.intoTable(passed)
		}},
		{"close event_outbox_before", func() error { return m.exec(closeSQL) }},
	}
	for _, step := range steps {
		if err := m.hurry(); err != nil {
			return err
		}
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
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
	m.mark = sequence.LowWater
	copied, err := m.q.CopyRows(m.ctx, storedb.CopyRowsParams{LowWater: m.mark, Found: m.found, MaxRows: m.most()})
	if err != nil {
		return err
	}
	if err := m.add(copied.Copied); err != nil {
		return err
	}
	if err := m.hurry(); err != nil {
		return err
	}
	failed, err := m.q.CopyFailures(m.ctx)
	if err != nil {
		return err
	}
	if m.mark > 0 {
		if err := m.q.MarkCopied(m.ctx, m.found); err != nil {
			return err
		}
		if err := m.exec(note(0, m.mark)); err != nil {
			return err
		}
	}
	floor := max(sequence.Standing, sequence.Highest)
	if copied.Copied > 0 {
		floor = copied.First - 1
	}
	if err := m.q.NoteDeleted(m.ctx); err != nil {
		return fmt.Errorf("note that the history begins now: %w", err)
	}
	here, err := m.q.Place(m.ctx)
	if err != nil {
		return fmt.Errorf("look at the database: %w", err)
	}
	_, err = m.q.SetFirstCursor(m.ctx, storedb.SetFirstCursorParams{
		Ahead: encoded(failed), Floor: floor, System: here.System, Database: here.Database, SequenceFile: here.SequenceFile,
	})
	return err
}

// intoTable copies the rows of a log that are not passed, and what waits or failed.
func (m *move) intoTable(passed place) error {
	for _, copyRows := range []func() (int64, error){
		func() (int64, error) { return m.q.CopyUnpassed(m.ctx, passed.unpassed(m.most())) },
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
		if err := m.hurry(); err != nil {
			return err
		}
	}
	left, err := m.q.LeftOut(m.ctx)
	if err != nil {
		return fmt.Errorf("count the copies that are left out: %w", err)
	}
	if left.Waiting > 0 {
		return fmt.Errorf("%w: %d; nothing was changed: let the relay publish them before the move", ErrSameID, left.Waiting)
	}
	m.leftOut = left.Dead
	// The history of a log is by ticks. What is published of the open one would look as if it waited.
	if err := m.q.NoteTick(m.ctx); err != nil {
		return fmt.Errorf("note the last tick: %w", err)
	}
	if err := m.q.NotePublished(m.ctx, passed.published()); err != nil {
		return fmt.Errorf("note what is published: %w", err)
	}
	return m.exec(leaveLogSQL)
}

// most is how many rows a statement has to copy to show that there are too many.
func (m *move) most() int32 { return int32(int64(m.c.MaxRows) - m.rows + 1) }

func (m *move) add(rows int64) error {
	if m.rows += rows; m.rows > int64(m.c.MaxRows) {
		return tooMany(m.c)
	}
	return nil
}

func tooMany(c Config) error {
	return fmt.Errorf("%w: more than %d; writers wait while they are copied: let the relay publish them, replay or discard dead ones, or raise the limit",
		ErrManyRows, c.MaxRows)
}
