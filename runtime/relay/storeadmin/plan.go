package storeadmin

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/relay/storeadmin/internal/storedb"
)

// Plan is what Migrate would do.
type Plan struct {
	Rows   int64         // that it would copy; rows that were unpublished by hand may come on top
	Locked time.Duration // for how long writers would wait; a rough guess
	// Continues is true if event_outbox is a log already, and Migrate would only search the former rows up to
	// SearchUpTo: an earlier call was interrupted there.
	Continues bool
	// SearchUpTo is the seq up to which Migrate would look at all rows of a table, before its locks
	// and again after the move, because some may have been unpublished by hand. 0: at none.
	SearchUpTo int64
	// Warnings are what somebody may miss afterwards.
	Warnings []string
}

// PlanMigrate says what Migrate would do, and changes nothing. It returns the error of Migrate if that
// would refuse.
func PlanMigrate(ctx context.Context, conn *pgx.Conn, to migrations.Store, c Config) (Plan, error) {
	m := move{ctx: ctx, to: to, c: c.withDefaults()}
	m.c.LockTimeout = patientLockTimeout // nobody waits behind it
	var p Plan
	err := pgx.BeginTxFunc(ctx, conn, looking, func(tx pgx.Tx) (err error) {
		m.tx, m.q = tx, storedb.New(tx)
		p, err = m.plan()
		return err
	})
	if err != nil {
		err = fmt.Errorf("storeadmin: %w", err)
	}
	return p, err
}

// looking are the options of a transaction that changes nothing.
var looking = pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadOnly}

// plan looks what the move would do.
func (m *move) plan() (p Plan, err error) {
	is, err := actAsOwner(m.ctx, m.tx, m.q, m.c.LockTimeout)
	if err != nil {
		return p, err
	}
	if is.IsLog && m.to == migrations.StoreLog && is.Unsearched > 0 {
		return Plan{Continues: true, SearchUpTo: is.Unsearched}, nil
	}
	if err := m.prepare(); err != nil {
		return p, err
	}
	if m.to == migrations.StoreLog {
		sequence, err := m.q.Sequence(m.ctx)
		if err != nil {
			return p, fmt.Errorf("read the sequence of seq: %w", err)
		}
		p.SearchUpTo = sequence.LowWater
		p.Rows, err = m.q.CountOfTable(m.ctx, storedb.CountOfTableParams{LowWater: p.SearchUpTo, MaxRows: m.most()})
		if err != nil {
			return p, fmt.Errorf("count the rows: %w", err)
		}
		p.Warnings = append(p.Warnings, writersOfALog)
	} else {
		passed, err := m.cursor()
		if err != nil {
			return p, err
		}
		p.Rows, err = m.q.CountOfLog(m.ctx, passed.count(m.most()))
		if err != nil {
			return p, fmt.Errorf("count the rows: %w", err)
		}
	}
	if p.Rows > int64(m.c.MaxRows) {
		return p, tooMany(m.c)
	}
	p.Locked = time.Duration(p.Rows)*timeOfARow + timeOfAMove
	if p.Locked > m.c.MaxLock {
		p.Warnings = append(p.Warnings, fmt.Sprintf("writers would wait about %s, and %s is the limit, so the move would probably change nothing: "+
			"let the relay publish events before, or raise the limit", p.Locked.Round(100*time.Millisecond), m.c.MaxLock))
	}
	lost, err := m.q.Lost(m.ctx, []string{m.c.Roles.Relay, m.c.Roles.Operator})
	if err != nil {
		return p, fmt.Errorf("look at what belongs to event_outbox: %w", err)
	}
	if len(lost) > 0 {
		p.Warnings = append(p.Warnings, "the new event_outbox will not have "+strings.Join(lost, ", "))
	}
	return p, nil
}

// writersOfALog is what nobody can find out here: which columns writers name.
const writersOfALog = "a log lacks the columns published_at, retry_count, last_error, next_attempt_at and dead_at: inserts that name one of them will fail, " +
	"also with null, as an ORM writes it whose model has the column"

// What a guess goes by: the time of a move without rows, and for each row.
const (
	timeOfAMove = 200 * time.Millisecond
	timeOfARow  = 25 * time.Microsecond
)

// PlanAdopt says from which seq on Adopt would have events sent again, and changes nothing. It
// returns the error of Adopt if that would refuse.
func PlanAdopt(ctx context.Context, conn *pgx.Conn, from int64) (first int64, err error) {
	err = pgx.BeginTxFunc(ctx, conn, looking, func(tx pgx.Tx) (err error) {
		q := storedb.New(tx)
		if err := beginAdopt(ctx, tx, q, from); err != nil {
			return err
		}
		f, err := adoptFrom(ctx, q, from)
		first = f.first
		return err
	})
	if err != nil {
		err = fmt.Errorf("storeadmin: %w", err)
	}
	return first, err
}
