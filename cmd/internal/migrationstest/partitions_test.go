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
		writer, reader, dropper := pg.Connect(ctx), pg.Connect(ctx), pg.Connect(ctx)
		exec(t, writer, `BEGIN`)
		exec(t, writer, lateRow)
		exec(t, reader, `BEGIN`)
		exec(t, reader, `SELECT count(*) FROM event_outbox`)

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
		waitForLock(t, conn, dropper)
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
		got = append(got, call(8), call(8))
		notices = nil
		exec(t, conn, `SET client_min_messages = debug1`)
		got = append(got, call(8))
		exec(t, conn, `RESET client_min_messages`)
		got = append(got, call(8), left())
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
		if got := lines(t, conn, `SELECT event_outbox_make_partition(8)`); got[0] != "made" {
			t.Fatalf("the partition is not made: %s", got[0])
		}
		got := lines(t, conn, `SELECT DISTINCT a.attstorage::text FROM pg_attribute AS a JOIN pg_inherits AS i ON i.inhrelid = a.attrelid
			WHERE i.inhparent = 'event_outbox'::regclass AND a.attname = 'event_data'`)
		if diff := cmp.Diff([]string{"e"}, got); diff != "" {
			t.Errorf("storage of event_data (-want +got):\n%s", diff)
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
		got := append(lines(t, conn, `SELECT event_outbox_make_partition(8)`), lines(t, conn, dropOldDay)...)
		if diff := cmp.Diff([]string{"made", "dropped"}, got); diff != "" {
			t.Errorf("the calls say (-want +got):\n%s", diff)
		}
		if err := migrations.Down(ctx, conn); err != nil {
			t.Fatal(err)
		}
	})
}

// waitForLock waits until
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
