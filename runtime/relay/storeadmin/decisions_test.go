package storeadmin_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/storeadmin"
)

// settled makes a log with six events: 1 is published, 2 failed, 3 is dead, the others are new.
func settled(t *testing.T, pg *services.PG, owner *pgx.Conn) {
	t.Helper()
	ok(t, migrations.UpLog(t.Context(), owner))
	exec(t, owner, someRows)
	s, lease, _ := leads(t, pg)
	ok(t, s.Settle(t.Context(), lease, relay.Settlement{
		Published: []int64{1},
		Failed:    []relay.Failure{{Seq: 2, Err: "large", RetryCount: 1, RetryIn: time.Hour}, {Seq: 3, Err: "bad", RetryCount: 1, Dead: true}},
	}))
	_, err := s.Tidy(t.Context(), lease, 0)
	ok(t, err)
}

// An operator decides about dead events in a transaction that ends while the outbox moves to a
// table. The decision counts there.
func TestMigrateWaitsForDecisions(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner, operator := pg.Connect(t.Context()), pg.Connect(t.Context())
		settled(t, pg, owner)
		exec(t, operator, `BEGIN`)
		exec(t, operator, `WITH gone AS (DELETE FROM event_outbox_failed WHERE seq = 3 RETURNING *)
			INSERT INTO event_outbox_late (id, tx, seq, topic, event_key, published_at, discarded) SELECT id, tx, seq, topic, event_key, now(), true FROM gone`)
		done := make(chan error, 1)
		mover := pg.Connect(t.Context())
		go func() {
			_, err := storeadmin.Migrate(t.Context(), mover, migrations.StoreTable, storeadmin.Config{LockTimeout: time.Minute, MaxLock: time.Minute})
			done <- err
		}()
		waitForLock(t, owner, mover)
		exec(t, operator, `COMMIT`)
		ok(t, <-done)
		if diff := cmp.Diff([]string{"2", "4", "5", "6"}, lines(t, owner, `SELECT seq::text FROM event_outbox ORDER BY seq`)); diff != "" {
			t.Errorf("rows of the table (-want +got):\n%s", diff)
		}
	})
}

// waitForLock waits until a session waits for a lock.
func waitForLock(t *testing.T, conn, of *pgx.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for waits := false; !waits; {
		err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)`, of.PgConn().PID()).Scan(&waits)
		if err != nil {
			t.Fatalf("the session does not wait for a lock: %v", err)
		}
	}
}

// A cursor of another database does not say what is published, so nothing is moved by it.
func TestMigrateTrustsNoForeignCursor(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		settled(t, pg, owner)
		for _, change := range []string{
			`UPDATE event_outbox_cursor SET system = system + 1`,
			`UPDATE event_outbox_cursor SET database = database + 1`,
			`UPDATE event_outbox_cursor SET base = '9999999999:9999999999:'`,
			`DELETE FROM event_outbox_cursor`,
		} {
			exec(t, owner, `CREATE TABLE kept AS SELECT * FROM event_outbox_cursor`)
			exec(t, owner, change)
			_, err := planned(t, owner, migrations.StoreTable, storeadmin.Config{MaxLock: time.Minute})
			if !errors.Is(err, storeadmin.ErrForeign) || !strings.Contains(err.Error(), "outboxrelay store adopt") {
				t.Fatalf("after %s it says %v", change, err)
			}
			exec(t, owner, `DELETE FROM event_outbox_cursor; INSERT INTO event_outbox_cursor SELECT * FROM kept; DROP TABLE kept`)
		}
	})
}

// The numbers start over while the cursor is in a tick. The new events get other numbers before they
// move, and later events have higher ones.
func TestMigrateAfterTheNumbersStartedOver(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		for _, c := range []struct {
			restart string
			cursor  string
			want    []string // the plan must not refuse them
		}{
			{
				`ALTER SEQUENCE event_outbox_seq_seq RESTART WITH 2`, `shown = pg_current_snapshot(), seq = 5`,
				[]string{"2", "3", "6", "8", "9", "10", "11", "12", "13"},
			},
			{ // the same file, and it passes the floor again
				`SELECT setval('event_outbox_seq_seq', 1)`, `base = pg_current_snapshot(), shown = NULL, ahead = '', floor = 6`,
				[]string{"2", "3", "8", "9", "10", "11", "12", "13"},
			},
			{ // a number that was settled ahead comes again, so nobody knows which one was settled
				`SELECT setval('event_outbox_seq_seq', 1)`, `shown = pg_current_snapshot(), seq = 4, ahead = '\x004000000000000000'`,
				[]string{"2", "3", "5", "6", "8", "9", "10", "11", "12", "13"},
			},
		} {
			owner := pg.Connect(t.Context())
			settled(t, pg, owner)
			exec(t, owner, `UPDATE event_outbox_cursor SET `+c.cursor)
			exec(t, owner, c.restart)
			exec(t, owner, someRows) // with the numbers 2 to 7
			_, err := planned(t, owner, migrations.StoreTable, storeadmin.Config{MaxRows: len(c.want), MaxLock: time.Minute})
			ok(t, err)
			if diff := cmp.Diff(c.want, lines(t, owner, `SELECT o.seq::text FROM event_outbox AS o ORDER BY o.seq`)); diff != "" {
				t.Errorf("rows of the table after %s (-want +got):\n%s", c.restart, diff)
			}
			exec(t, owner, someRows)
			if got := lines(t, owner, `SELECT max(seq)::text FROM event_outbox`); got[0] != "19" {
				t.Errorf("after %s the last new event has seq %s, want 19", c.restart, got[0])
			}
			exec(t, owner, dropBefore)
			ok(t, migrations.Down(t.Context(), owner))
		}
	})
}

// A log that was made by a move knows where its cursor belongs.
func TestMigrateNamesTheDatabase(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		ok(t, migrations.Up(t.Context(), owner))
		exec(t, owner, someRows)
		_, err := planned(t, owner, migrations.StoreLog, storeadmin.Config{MaxLock: time.Minute})
		ok(t, err)
		got := lines(t, owner, `SELECT concat_ws(' ', system = (SELECT system_identifier FROM pg_control_system()),
			database = (SELECT oid FROM pg_database WHERE datname = current_database())::bigint,
			sequence_file = pg_relation_filenode('event_outbox_seq_seq')) FROM event_outbox_cursor`)
		if diff := cmp.Diff([]string{"t t t"}, got); diff != "" {
			t.Errorf("the cursor belongs here (-want +got):\n%s", diff)
		}
		if got := lines(t, owner, `SELECT (now() - created_at < interval '1 minute')::text FROM event_outbox_deleted`); len(got) != 1 || got[0] != "true" {
			t.Errorf("the history begins now: %v", got)
		}
	})
}

// Migrate does not hold its locks for longer than it may, and changes nothing then.
func TestMigrateGivesUpInTime(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		ok(t, migrations.Up(t.Context(), owner))
		exec(t, owner, someRows)
		for _, most := range []time.Duration{time.Nanosecond, time.Millisecond} {
			_, err := storeadmin.Migrate(t.Context(), owner, migrations.StoreLog, storeadmin.Config{MaxLock: most})
			if !errors.Is(err, storeadmin.ErrSlow) {
				t.Errorf("with %s it says %v", most, err)
			}
		}
		if got := lines(t, owner, `SELECT count(*)::text FROM event_outbox WHERE published_at IS NULL`); got[0] != "6" {
			t.Errorf("%s events are left, want 6", got[0])
		}
	})
}

// Migrate waits for the locks of all partitions together no longer than for one.
func TestMigrateWaitsForAllLocksTogether(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner, watcher := pg.Connect(t.Context()), pg.Connect(t.Context())
		settled(t, pg, owner)
		// Each session locks one table, until Migrate waits for that one.
		tables := lines(t, owner, `SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'event_outbox'::regclass ORDER BY inhrelid`)
		holders, since := map[string]*pgx.Conn{}, map[string]time.Time{}
		for _, table := range tables {
			holders[table] = pg.Connect(t.Context())
			exec(t, holders[table], `BEGIN`)
			exec(t, holders[table], `LOCK TABLE `+table+` IN ACCESS SHARE MODE`)
		}
		const most = 2 * time.Second
		done := make(chan error, 1)
		began := time.Now()
		go func() {
			_, err := storeadmin.Migrate(t.Context(), owner, migrations.StoreTable, storeadmin.Config{LockTimeout: most, Patience: time.Nanosecond})
			done <- err
		}()
		for {
			select {
			case err := <-done:
				if !errors.Is(err, storeadmin.ErrBusy) {
					t.Errorf("it says %v", err)
				}
				if took := time.Since(began); took > 3*most {
					t.Errorf("writers waited for %s, want about %s", took, most)
				}
				return
			default:
			}
			// It waits for a table for more than half as long as it may.
			for _, table := range lines(t, watcher, `SELECT relation::regclass::text FROM pg_locks
				WHERE NOT granted AND pid <> pg_backend_pid() AND relation::regclass::text LIKE 'event_outbox_%'`) {
				holder := holders[table]
				if holder == nil {
					continue
				}
				if since[table].IsZero() {
					since[table] = time.Now()
				}
				if time.Since(since[table]) > most*6/10 {
					exec(t, holder, `ROLLBACK`)
					delete(holders, table)
				}
			}
		}
	})
}

// A publication of all tables has the outbox too, and its subscribers would not get the new one.
func TestMigrateSeesPublications(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		ok(t, migrations.Up(t.Context(), owner))
		to := migrations.StoreLog
		for range 2 {
			exec(t, owner, `SET client_min_messages = error; CREATE PUBLICATION everything FOR ALL TABLES`)
			_, err := planned(t, owner, to, storeadmin.Config{MaxLock: time.Minute})
			if err == nil || !strings.Contains(err.Error(), "the publication everything of all tables, which the new one or its subscribers would lack") {
				t.Errorf("to a %s it says %v", to, err)
			}
			exec(t, owner, `DROP PUBLICATION everything`)
			_, err = planned(t, owner, to, storeadmin.Config{MaxLock: time.Minute})
			ok(t, err)
			exec(t, owner, `DROP TABLE event_outbox_before CASCADE`)
			to = migrations.StoreTable
		}
	})
}

// After the way back to a table, it can still be looked up what became of the events of the log.
// When all that is dropped, the outbox can move again.
func TestMigrateKeepsTheHistory(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		settled(t, pg, owner)
		_, err := planned(t, owner, migrations.StoreTable, storeadmin.Config{MaxLock: time.Minute})
		ok(t, err)
		got := lines(t, owner, `SELECT concat_ws(' ', seq, state, published_at IS NOT NULL) FROM event_outbox_before_history ORDER BY seq`)
		if diff := cmp.Diff([]string{"1 published t", "2 failed f", "3 dead f", "4 waiting f", "5 waiting f", "6 waiting f"}, got); diff != "" {
			t.Errorf("the former events (-want +got):\n%s", diff)
		}
		exec(t, owner, `DROP VIEW event_outbox_before_history; DROP TABLE event_outbox_before`)
		if _, err := planned(t, owner, migrations.StoreLog, storeadmin.Config{MaxLock: time.Minute}); !errors.Is(err, storeadmin.ErrBefore) {
			t.Errorf("with a part of the former log it says %v", err)
		}
		exec(t, owner, `DROP TABLE event_outbox_before_cursor, event_outbox_before_late, event_outbox_before_failed, event_outbox_before_tick, event_outbox_before_deleted`)
		_, err = planned(t, owner, migrations.StoreLog, storeadmin.Config{MaxLock: time.Minute})
		ok(t, err)
		leads(t, pg)
	})
}

// The rows of copies are gone, as with their partition, and their ids were inserted again. The new
// rows move like any other; a table has each id once. A copy that waits is not forgotten, and a dead
// one is counted.
func TestMigrateWithIDsThatWereInsertedAgain(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		settled(t, pg, owner)
		exec(t, owner, `CREATE TABLE gone AS SELECT * FROM event_outbox WHERE seq IN (1, 2, 3)`)
		exec(t, owner, `DELETE FROM event_outbox WHERE seq IN (1, 2, 3)`)
		exec(t, owner, `INSERT INTO event_outbox_late (id, tx, seq, topic, event_key, published_at) SELECT id, tx, seq, topic, event_key, now() FROM gone WHERE seq = 1`)
		exec(t, owner, `INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data)
			SELECT id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data FROM gone ORDER BY seq`) // with the numbers 7 to 9
		// An entry that waits does not count beside a copy.
		exec(t, owner, `INSERT INTO event_outbox_failed SELECT id, aggregate_id, aggregate_type, event_type, event_data, event_key, created_at, tx, seq, topic FROM event_outbox WHERE seq = 4`)
		exec(t, owner, `INSERT INTO event_outbox_late (id, tx, seq, topic, event_key) SELECT id, tx, seq, topic, event_key FROM event_outbox WHERE seq = 4`)
		_, err := planned(t, owner, migrations.StoreTable, storeadmin.Config{MaxLock: time.Minute})
		if !errors.Is(err, storeadmin.ErrSameID) {
			t.Fatalf("while the copy 2 waits it says %v", err)
		}
		exec(t, owner, `DELETE FROM event_outbox_failed WHERE seq = 2`) // as when it is published
		result, err := planned(t, owner, migrations.StoreTable, storeadmin.Config{MaxLock: time.Minute})
		ok(t, err)
		if result.LeftOut != 1 {
			t.Errorf("%d dead rows were left out, want 1", result.LeftOut)
		}
		got := lines(t, owner, `SELECT concat_ws(' ', seq, event_key, dead_at) FROM event_outbox ORDER BY seq`)
		if diff := cmp.Diff([]string{"4 k4", "5 k5", "6 k6", "7 k1", "8 k2", "9 k3"}, got); diff != "" || result.Rows != 6 {
			t.Errorf("%d rows of the table (-want +got):\n%s", result.Rows, diff)
		}
		got = lines(t, owner, `SELECT concat_ws(' ', seq, state) FROM event_outbox_before_history ORDER BY seq`)
		if diff := cmp.Diff([]string{"4 failed", "5 waiting", "6 waiting", "7 waiting", "8 waiting", "9 waiting"}, got); diff != "" {
			t.Errorf("the former history (-want +got):\n%s", diff)
		}
	})
}
