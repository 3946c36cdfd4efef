package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/fault"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/relay/storeadmin"
)

// logKeep is how long the relays keep published rows if the outbox is a log at first: so short
// that partitions of former days are dropped.
const logKeep = 10 * time.Second

// former counts what happens to a log beside the faults.
type former struct {
	days  int   // partitions of former days that were made
	moves int   // of the outbox
	aside int64 // rows that were set aside, in logs that moved
}

// move moves the outbox from a log to a table, or back, while writers and relays work. Then it
// starts all relays with the new setting.
func (r *run) move(ctx context.Context, _ fault.Fault) error {
	to, isLog := migrations.StoreTable, r.InLog.Load()
	if !isLog {
		to = migrations.StoreLog
	}
	failed := r.migrate(ctx, to)
	known, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	const pause = 100 * time.Millisecond
	err := wait.Until(known, pause, func() (bool, error) { // Postgres may be unavailable
		return r.Pool.QueryRow(known, "SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass('event_outbox')").Scan(&isLog) == nil, nil
	})
	if err != nil {
		return errors.Join(failed, err)
	}
	if isLog == r.InLog.Load() {
		return failed
	}
	r.former.moves++
	r.InLog.Store(isLog)
	for _, one := range r.Relays {
		one.Kill()
	}
	return r.startRelays()
}

// migrate returns errMissed if the move was not possible at this moment.
func (r *run) migrate(ctx context.Context, to migrations.Store) error {
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := pgx.Connect(limited, r.Database)
	if err != nil {
		return errMissed
	}
	defer conn.Close(ctx) //nolint:errcheck // it may be broken
	var aside int64
	if to == migrations.StoreTable {
		if aside, err = r.count(limited, "SELECT count(*) FROM event_outbox_late"); err != nil {
			return errMissed
		}
	}
	_, err = conn.Exec(limited, `SET client_min_messages = error; SET lock_timeout = '3s';
		DROP VIEW IF EXISTS event_outbox_before_history;
		DROP TABLE IF EXISTS event_outbox_before, event_outbox_before_cursor, event_outbox_before_late, event_outbox_before_failed,
			event_outbox_before_tick, event_outbox_before_deleted;
		RESET lock_timeout`)
	if err != nil {
		return missedIfAway(err)
	}
	const rows, longest = 500_000, 30 * time.Second
	result, err := storeadmin.Migrate(limited, conn, to, storeadmin.Config{MaxRows: rows, MaxLock: longest, Patience: aWhile})
	if err != nil {
		return missedIfAway(err)
	}
	r.former.aside += aside
	r.say("the outbox is a %s now: %d rows copied, writers waited %s", to, result.Rows, result.Locked.Round(time.Millisecond))
	return nil
}

// missedIfAway returns errMissed, unless the server says that something is wrong with a statement.
func missedIfAway(err error) error {
	pg, said := errors.AsType[*pgconn.PgError](err)
	switch {
	case !said, errors.Is(err, storeadmin.ErrBusy), errors.Is(err, storeadmin.ErrSlow):
	case strings.HasPrefix(pg.Code, "57"), strings.HasPrefix(pg.Code, "53"), strings.HasPrefix(pg.Code, "55"), strings.HasPrefix(pg.Code, "40"):
	default:
		return err
	}
	return fmt.Errorf("%w: %w", errMissed, err)
}

// fillFormer makes the partition of a former day, and lets writers insert events with ids of that
// day for a while. A leader drops the partition, at the earliest logKeep later.
func (r *run) fillFormer(ctx context.Context, f fault.Fault) error {
	if !r.InLog.Load() {
		return errMissed
	}
	const beforeAll = 3
	day := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -beforeAll-r.former.days)
	err := pgx.BeginFunc(ctx, r.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, fmt.Sprintf(`
			SET LOCAL ROLE %[1]s;
			SET LOCAL lock_timeout = '2s';
			CREATE TABLE event_outbox_d%[2]s (LIKE event_outbox INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE);
			ALTER TABLE event_outbox ATTACH PARTITION event_outbox_d%[2]s
			FOR VALUES FROM (event_outbox_id_at('%[3]s')) TO (event_outbox_id_at('%[4]s'))`,
			pgx.Identifier{r.Role}.Sanitize(), day.Format("20060102"), day.Format(time.RFC3339), day.AddDate(0, 0, 1).Format(time.RFC3339)))
		return err
	})
	if err != nil {
		return missedIfAway(err)
	}
	r.former.days++
	r.past.Store(day.Add(12 * time.Hour).UnixMilli())
	wait.For(ctx, f.Hold)
	r.past.Store(0)
	return nil
}

// sayPartitions reports what happened to the log.
func (r *run) sayPartitions(ctx context.Context) error {
	aside := r.former.aside
	if r.InLog.Load() {
		n, err := r.count(ctx, "SELECT count(*) FROM event_outbox_late")
		if err != nil {
			return err
		}
		aside += n
	}
	logs, err := filepath.Glob(filepath.Join(r.Dir, "relay*.log"))
	if err != nil {
		return err
	}
	dropped := 0
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dropped += strings.Count(string(text), "partition of event_outbox dropped")
	}
	r.Say("%5d  moves of the outbox; %d partitions of former days made, %d dropped; at least %d rows set aside or retried", r.former.moves, r.former.days, dropped, aside)
	return nil
}
