package migrationstest_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// oldDay makes the partition of a day in the past, with one event that every cursor shows.
const oldDay = `
	CREATE TABLE event_outbox_d20200101 (LIKE event_outbox INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
	DO $$ BEGIN
		EXECUTE format('ALTER TABLE event_outbox ATTACH PARTITION event_outbox_d20200101 FOR VALUES FROM (%L) TO (%L)',
			event_outbox_id_at('2020-01-01 00:00Z'), event_outbox_id_at('2020-01-02 00:00Z'));
	END $$;
	INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
	VALUES (event_outbox_id_at('2020-01-01 12:00Z'), 'a', 'order', 'order.paid.v1', 'orders', 'a', '{}')`

// lateRow inserts another event into the partition of oldDay.
const lateRow = `
	INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
	VALUES (event_outbox_id_at('2020-01-01 13:00Z'), 'a', 'order', 'order.paid.v1', 'orders', 'a', '{}')`

// pass moves the cursor past all events, of which that of lateRow waits.
const pass = `
	INSERT INTO event_outbox_late (id, tx, seq, topic, event_key)
	SELECT id, tx, seq, topic, event_key FROM event_outbox_d20200101 WHERE id = event_outbox_id_at('2020-01-01 13:00Z');
	UPDATE event_outbox_cursor SET base = pg_current_snapshot()`

const dropOldDay = `SELECT event_outbox_drop_partition('2020-01-01', '0')`

// A row is set aside while a partition is about to be dropped: after the function has looked for
// such rows, and before it has its lock. The row is not lost.
func TestDropPartitionLooksUnderItsLock(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		ctx := t.Context()
		conn := pg.Connect(ctx)
		if err := migrations.UpLog(ctx, conn); err != nil {
			t.Fatal(err)
		}
		exec(t, conn, oldDay)
		exec(t, conn, `UPDATE event_outbox_cursor SET base = pg_current_snapshot()`)
		// So that the test decides when the function continues.
		exec(t, conn, `ALTER FUNCTION event_outbox_drop_partition SET lock_timeout = '1min'`)
		vacuum, writer, reader, dropper := pg.Connect(ctx), pg.Connect(ctx), pg.Connect(ctx), pg.Connect(ctx)
		exec(t, dropper, `SET deadlock_timeout = '1min'`)
		exec(t, vacuum, `BEGIN`)
		exec(t, vacuum, `LOCK TABLE ONLY event_outbox IN SHARE UPDATE EXCLUSIVE MODE`)

		type answer struct {
			outcome string
			err     error
		}
		done := make(chan answer, 1)
		go func() {
			var a answer
			a.err = dropper.QueryRow(ctx, dropOldDay).Scan(&a.outcome)
			done <- a
		}()
		waitForLock(t, conn, dropper, "ShareUpdateExclusiveLock")
		// Nobody waits behind that. They come when the function has looked for others.
		exec(t, writer, `BEGIN`)
		exec(t, writer, lateRow)
		exec(t, reader, `BEGIN`)
		exec(t, reader, `SELECT count(*) FROM event_outbox`)
		exec(t, vacuum, `COMMIT`)
		waitForLock(t, conn, dropper, "AccessExclusiveLock")
		exec(t, writer, `COMMIT`)
		exec(t, conn, pass)
		exec(t, reader, `COMMIT`)
		if a := <-done; a.err != nil || a.outcome != "waiting" {
			t.Errorf("the function says %q, want waiting (%v)", a.outcome, a.err)
		}
		if got := lines(t, conn, `SELECT count(*)::text FROM event_outbox`); got[0] != "2" {
			t.Errorf("%s events are left, want 2: the one that waits was dropped with its partition", got[0])
		}
	})
}

// A function that sees only an older snapshot cannot know what waits.
func TestDropPartitionRefusesOlderSnapshots(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		ctx := t.Context()
		conn := pg.Connect(ctx)
		if err := migrations.UpLog(ctx, conn); err != nil {
			t.Fatal(err)
		}
		exec(t, conn, oldDay)
		exec(t, conn, `BEGIN ISOLATION LEVEL REPEATABLE READ`)
		if _, err := conn.Exec(ctx, dropOldDay); err == nil {
			t.Error("it works under REPEATABLE READ")
		}
		exec(t, conn, `ROLLBACK`)
	})
}

// A partition is attached to a log whose event_outbox_other is large. The statement that keeps
// writers waiting does not read event_outbox_other. Near days get no partition then, because their
// events would be refused meanwhile; and no event is refused because a relay was killed.
func TestMakePartitionBesideManyRows(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		ctx := t.Context()
		config, err := pgx.ParseConfig(pg.URL)
		if err != nil {
			t.Fatal(err)
		}
		var notices []string
		config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notices = append(notices, n.Message) }
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is at stake on it
		if err := migrations.UpLog(ctx, conn); err != nil {
			t.Fatal(err)
		}
		exec(t, conn, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_data)
			SELECT overlay(gen_random_uuid()::text PLACING 'ffff' FROM 1 FOR 4)::uuid, 'a', 'order', 'order.paid.v1', 'orders', json_build_object('x', repeat(md5(i::text), 40))
			FROM generate_series(1, 9000) AS i`)
		call := func(ahead int) string {
			t.Helper()
			return lines(t, conn, `SELECT event_outbox_make_partition($1)`, ahead)[0]
		}
		left := func() string {
			return strings.Join(lines(t, conn, `SELECT conname || ' ' || convalidated FROM pg_constraint WHERE conname LIKE 'none_of_%' ORDER BY 1`), ", ")
		}
		dropped := lines(t, conn, `SELECT 'DROP TABLE event_outbox_d' || to_char((now() AT TIME ZONE 'UTC')::date + d, 'YYYYMMDD') FROM generate_series(1, 3) AS d`)
		for _, sql := range dropped {
			exec(t, conn, sql)
		}
		var got []string
		got = append(got, call(1), left())
		got = append(got, call(38), call(38))
		notices = nil
		exec(t, conn, `SET client_min_messages = debug1`)
		got = append(got, call(38))
		exec(t, conn, `RESET client_min_messages`)
		got = append(got, call(38), left())
		const implied = `updated partition constraint for default partition "event_outbox_other" is implied by existing constraints`
		if !slices.Contains(notices, implied) {
			t.Errorf("ATTACH reads event_outbox_other: %q", notices)
		}
		// A relay was killed after the first step.
		got = append(got, call(3))
		exec(t, conn, `DO $$ BEGIN EXECUTE format('ALTER TABLE event_outbox_other RENAME CONSTRAINT none_of_%s TO none_of_20200101',
			to_char((now() AT TIME ZONE 'UTC')::date + 3, 'YYYYMMDD')); END $$`)
		got = append(got, left(), call(0), left())
		// A row of the day comes between the steps.
		exec(t, conn, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_data)
			SELECT event_outbox_id_at(((now() AT TIME ZONE 'UTC')::date + 2)::timestamp AT TIME ZONE 'UTC' + interval '1 hour'), 'a', 'order', 'order.paid.v1', 'orders', '{}'`)
		got = append(got, call(2), left())
		want := []string{
			"near", "", "again", "again", "made", "there", "",
			"again", "none_of_20200101 false", "there", "",
			"rows", "",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the calls say (-want +got):\n%s", diff)
		}
	})
}

// A new partition stores its columns as the other ones do.
func TestMakePartitionKeepsStorage(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		if err := migrations.UpLog(ctx, conn); err != nil {
			t.Fatal(err)
		}
		exec(t, conn, `ALTER TABLE event_outbox ALTER event_data SET STORAGE EXTERNAL`)
		if got := lines(t, conn, `SELECT event_outbox_make_partition(38)`); got[0] != "made" {
			t.Fatalf("the partition is not made: %s", got[0])
		}
		got := lines(t, conn, `SELECT DISTINCT a.attstorage::text FROM pg_attribute AS a JOIN pg_inherits AS i ON i.inhrelid = a.attrelid
			WHERE i.inhparent = 'event_outbox'::regclass AND a.attname = 'event_data'`)
		if diff := cmp.Diff([]string{"e"}, got); diff != "" {
			t.Errorf("storage of event_data (-want +got):\n%s", diff)
		}
	})
}

// A new partition is where the log was told to be.
func TestMakePartitionKeepsTablespace(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		ctx := t.Context()
		conn := pg.Connect(ctx)
		if err := migrations.UpLog(ctx, conn); err != nil {
			t.Fatal(err)
		}
		space := pgx.Identifier{"Space of " + pg.Database}.Sanitize()
		exec(t, conn, `SET allow_in_place_tablespaces = on`)
		exec(t, conn, `CREATE TABLESPACE `+space+` LOCATION ''`)
		exec(t, conn, `ALTER TABLE event_outbox SET TABLESPACE `+space)
		got := lines(t, conn, `SELECT event_outbox_make_partition(40)`)
		got = append(got, lines(t, conn, `SELECT count(*)::text FROM pg_class AS c WHERE c.relname ~ '^event_outbox_d[0-9]{8}$'
			AND c.reltablespace = (SELECT p.reltablespace FROM pg_class AS p WHERE p.oid = 'event_outbox'::regclass)`)...)
		exec(t, conn, `DROP TABLE event_outbox CASCADE`) // the tablespace is that of the cluster
		exec(t, conn, `DROP TABLESPACE `+space)
		if diff := cmp.Diff([]string{"made", "1"}, got); diff != "" {
			t.Errorf("the call says, and so many partitions are there (-want +got):\n%s", diff)
		}
	})
}

// Vacuum works on event_outbox_other while a partition is dropped and another made. The functions wait for it
// longer than for others, because nobody waits behind them.
func TestPartitionsBesideVacuum(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		ctx := t.Context()
		conn, vacuum, caller := pg.Connect(ctx), pg.Connect(ctx), pg.Connect(ctx)
		if err := migrations.UpLog(ctx, conn); err != nil {
			t.Fatal(err)
		}
		exec(t, conn, oldDay)
		exec(t, conn, `UPDATE event_outbox_cursor SET base = pg_current_snapshot()`)
		exec(t, caller, `SET deadlock_timeout = '1min'`)
		for call, want := range map[string]string{`SELECT event_outbox_make_partition(40)`: "made", dropOldDay: "dropped"} {
			exec(t, vacuum, `BEGIN`)
			exec(t, vacuum, `LOCK TABLE ONLY event_outbox_other IN SHARE UPDATE EXCLUSIVE MODE`)
			done := make(chan string, 1)
			go func() {
				outcome := "fails"
				_ = caller.QueryRow(ctx, call).Scan(&outcome)
				done <- outcome
			}()
			waitForLock(t, conn, caller, "ShareUpdateExclusiveLock")
			exec(t, conn, `SET lock_timeout = '1ms'`)
			exec(t, conn, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_data)
				VALUES ('ffffffff-0000-4000-8000-000000000000', 'a', 'order', 'order.paid.v1', 'orders', '{}') ON CONFLICT (id) DO NOTHING`)
			exec(t, conn, `SET lock_timeout = '0'`)
			exec(t, vacuum, `COMMIT`)
			if outcome := <-done; outcome != want {
				t.Errorf("%s says %s, want %s", call, outcome, want)
			}
		}
	})
}

// An operator changes the log, and then its partitions, while a partition is dropped and another made. The
// functions ask for the log first too, so the operator's statement does not end with a deadlock.
func TestPartitionsBesideAnOperator(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		ctx := t.Context()
		conn, operator, caller := pg.Connect(ctx), pg.Connect(ctx), pg.Connect(ctx)
		if err := migrations.UpLog(ctx, conn); err != nil {
			t.Fatal(err)
		}
		exec(t, conn, oldDay)
		exec(t, conn, `UPDATE event_outbox_cursor SET base = pg_current_snapshot()`)
		for _, function := range []string{"drop", "make"} {
			exec(t, conn, `ALTER FUNCTION event_outbox_`+function+`_partition SET lock_timeout = '1min'`)
		}
		exec(t, caller, `SET deadlock_timeout = '2min'`)
		for call, want := range map[string]string{`SELECT event_outbox_make_partition(40)`: "made", dropOldDay: "dropped"} {
			exec(t, operator, `BEGIN`)
			exec(t, operator, `LOCK TABLE ONLY event_outbox IN SHARE UPDATE EXCLUSIVE MODE`)
			done := make(chan string, 1)
			go func() {
				outcome := "fails"
				_ = caller.QueryRow(ctx, call).Scan(&outcome)
				done <- outcome
			}()
			waitForLock(t, conn, caller, "ShareUpdateExclusiveLock")
			exec(t, operator, `LOCK TABLE event_outbox_other IN SHARE UPDATE EXCLUSIVE MODE`)
			exec(t, operator, `COMMIT`)
			if outcome := <-done; outcome != want {
				t.Errorf("%s says %s, want %s", call, outcome, want)
			}
		}
	})
}

// Vacuum works on the TOAST table of a partition. The partition is not dropped meanwhile: everybody would
// wait behind the lock on the log.
func TestDropPartitionBesideVacuumOfItsToast(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		ctx := t.Context()
		conn, vacuum, caller := pg.Connect(ctx), pg.Connect(ctx), pg.Connect(ctx)
		if err := migrations.UpLog(ctx, conn); err != nil {
			t.Fatal(err)
		}
		exec(t, conn, oldDay)
		exec(t, conn, `ALTER TABLE event_outbox_d20200101 ALTER event_data SET STORAGE EXTERNAL`)
		exec(t, conn, strings.Replace(lateRow, "'{}'", `json_build_object('text', repeat('x', 4000000))`, 1))
		exec(t, conn, `UPDATE event_outbox_cursor SET base = pg_current_snapshot()`)
		exec(t, conn, `ALTER FUNCTION event_outbox_drop_partition SET lock_timeout = '1min'`)
		toast := lines(t, conn, `SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = 'event_outbox_d20200101'::regclass`)[0]
		exec(t, vacuum, `SET vacuum_cost_delay = '100ms'`)
		exec(t, vacuum, `SET vacuum_cost_limit = 1`)
		vacuumed := make(chan error, 1)
		go func() {
			_, err := vacuum.Exec(ctx, `VACUUM `+toast)
			vacuumed <- err
		}()
		for lines(t, conn, `SELECT count(*)::text FROM pg_locks WHERE relation = '`+toast+`'::regclass AND mode = 'ShareUpdateExclusiveLock'`)[0] == "0" {
		}
		exec(t, caller, `SET statement_timeout = '20s'`) // it does not wait for vacuum
		got := lines(t, caller, dropOldDay)
		if err := vacuum.PgConn().CancelRequest(ctx); err != nil {
			t.Fatal(err)
		}
		if err := <-vacuumed; err == nil {
			t.Error("vacuum was over too early")
		}
		got = append(got, lines(t, caller, dropOldDay)...)
		if diff := cmp.Diff([]string{"locked", "dropped"}, got); diff != "" {
			t.Errorf("the calls say (-want +got):\n%s", diff)
		}
	})
}

// The constraint that says that event_outbox_other has no rows of a day turns out to be wrong, and cannot be
// dropped for now. That is an outcome, not an error.
func TestMakePartitionCannotDropAConstraint(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		ctx := t.Context()
		conn, reader, caller := pg.Connect(ctx), pg.Connect(ctx), pg.Connect(ctx)
		if err := migrations.UpLog(ctx, conn); err != nil {
			t.Fatal(err)
		}
		exec(t, reader, `BEGIN`)
		exec(t, conn, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_data)
			SELECT event_outbox_id_at(((now() AT TIME ZONE 'UTC')::date + 40)::timestamp AT TIME ZONE 'UTC' + interval '1 hour'), 'a', 'order', 'order.paid.v1', 'orders', '{}'`)
		// The reader comes when the function has looked for others, and while it looks at the rows.
		exec(t, conn, `CREATE FUNCTION slow() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_lock(1); PERFORM pg_advisory_unlock(1); RETURN false; END $$`)
		exec(t, conn, `DO $$ BEGIN EXECUTE format('ALTER TABLE event_outbox_other ADD CONSTRAINT none_of_%s CHECK (public.slow()) NOT VALID',
			to_char((now() AT TIME ZONE 'UTC')::date + 40, 'YYYYMMDD')); END $$`)
		exec(t, conn, `SELECT pg_advisory_lock(1)`)
		done := make(chan string, 1)
		go func() {
			outcome := ""
			if err := caller.QueryRow(ctx, `SELECT event_outbox_make_partition(40)`).Scan(&outcome); err != nil {
				outcome = err.Error()
			}
			done <- outcome
		}()
		waitForLock(t, conn, caller, "ExclusiveLock")
		exec(t, reader, `SELECT count(*) FROM event_outbox_other`)
		exec(t, conn, `SELECT pg_advisory_unlock(1)`)
		got := []string{<-done}
		exec(t, reader, `COMMIT`)
		got = append(got, lines(t, conn, `SELECT event_outbox_make_partition(40)`)...)
		got = append(got, lines(t, conn, `SELECT count(*)::text FROM pg_constraint WHERE conname LIKE 'none_of_%'`)...)
		if diff := cmp.Diff([]string{"locked", "rows", "0"}, got); diff != "" {
			t.Errorf("the calls say, and so many constraints are left (-want +got):\n%s", diff)
		}
	})
}

// The schema of a log may have any name.
func TestPartitionsInAnySchema(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		schema := pgx.Identifier{`o'brien's %s "best" $f$ schema`}.Sanitize()
		exec(t, conn, `CREATE SCHEMA `+schema)
		exec(t, conn, `SET search_path = `+schema)
		if err := migrations.UpLog(ctx, conn); err != nil {
			t.Fatal(err)
		}
		exec(t, conn, oldDay)
		exec(t, conn, `UPDATE event_outbox_cursor SET base = pg_current_snapshot()`)
		got := append(lines(t, conn, `SELECT event_outbox_make_partition(38)`), lines(t, conn, dropOldDay)...)
		if diff := cmp.Diff([]string{"made", "dropped"}, got); diff != "" {
			t.Errorf("the calls say (-want +got):\n%s", diff)
		}
		if err := migrations.Down(ctx, conn); err != nil {
			t.Fatal(err)
		}
	})
}

// waitForLock waits until a session waits for a lock of a mode.
func waitForLock(t *testing.T, conn, of *pgx.Conn, mode string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for waits := false; !waits; {
		err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND mode = $2 AND NOT granted)`, of.PgConn().PID(), mode).Scan(&waits)
		if err != nil {
			t.Fatalf("the session does not wait for a lock: %v", err)
		}
	}
}
