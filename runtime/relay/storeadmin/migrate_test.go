package storeadmin_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/internal/pgroles"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/storeadmin"
)

// The outbox moves from a table to a log and back while writers and relays run. No event is
// lost, and none is reordered.
func TestMigrateUnderLoad(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		const aggregates, writers = 20, 4
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		admin := pg.Connect(t.Context())
		ok(t, migrations.Up(t.Context(), admin))
		exec(t, admin, `CREATE TABLE aggregate AS SELECT id, 0 AS changes FROM generate_series(0, 19) AS id`)
		b := newBroker(t, seed)
		r := runRelays(t, pg, b, migrations.StoreTable)

		writing, stop := context.WithCancel(t.Context())
		defer stop()
		var written atomic.Int64
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() { written.Add(int64(write(writing, t, pg.Pool, seed+uint64(i), aggregates))) })
		}
		for _, to := range []migrations.Store{migrations.StoreLog, migrations.StoreTable, migrations.StoreLog} {
			before := b.count()
			until(t, "events are delivered", func() bool { return b.count() > before+300 })
			b.mu.Lock()
			b.paused = true // so that there are rows to copy
			b.mu.Unlock()
			var result storeadmin.Result
			until(t, "the outbox moves", func() bool {
				var err error
				result, err = storeadmin.Migrate(t.Context(), admin, to, storeadmin.Config{Patience: time.Second, MaxLock: time.Minute, MaxRows: 500_000})
				if err != nil && !errors.Is(err, storeadmin.ErrBusy) {
					t.Fatal(err)
				}
				return err == nil
			})
			ok(t, errors.Join(migrations.Up(t.Context(), admin), migrations.UpLog(t.Context(), admin))) // as services do at every start
			r.store.Store(to)
			b.mu.Lock()
			b.paused = false
			b.mu.Unlock()
			t.Logf("%d rows moved to a %s in %s", result.Rows, to, result.Locked)
			before = b.count()
			until(t, "events are delivered after the move", func() bool { return b.count() > before+300 })
			exec(t, admin, dropBefore)
		}
		stop()
		group.Wait()
		until(t, "all events are delivered", func() bool { return b.count() == int(written.Load()) })
	})
}

// dropBefore is what the documentation says.
const dropBefore = `
	DROP VIEW IF EXISTS event_outbox_before_history;
	DROP TABLE IF EXISTS event_outbox_before, event_outbox_before_cursor, event_outbox_before_late, event_outbox_before_failed,
		event_outbox_before_tick, event_outbox_before_deleted`

func exec(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func lines(t *testing.T, conn *pgx.Conn, sql string) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql)
	ok(t, err)
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	ok(t, err)
	return got
}

const someRows = `
	INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data)
	SELECT 'a', i, 't', 'topic', 'k' || i, json_build_object('n', i) FROM generate_series(1, 6) AS i`

// Rows keep their seq and their state, and roles may insert as before.
func TestMigrate(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		conn := pg.Connect(t.Context())
		ok(t, migrations.Up(t.Context(), conn))
		roles := pgroles.Create(t, pg)
		exec(t, conn, someRows)
		exec(t, conn, `UPDATE event_outbox SET published_at = now() WHERE seq = 1`)
		exec(t, conn, `UPDATE event_outbox SET retry_count = 3, last_error = 'large', next_attempt_at = '2030-01-01Z' WHERE seq = 3`)
		exec(t, conn, `UPDATE event_outbox SET retry_count = 9, last_error = 'bad', dead_at = '2020-01-01Z' WHERE seq = 4`)
		exec(t, conn, `UPDATE event_outbox SET next_attempt_at = now() WHERE seq = 5`) // was set aside
		exec(t, conn, `INSERT INTO event_outbox_lease (epoch, holder, low_water) VALUES (7, gen_random_uuid(), 2)`)

		config := storeadmin.Config{MaxLock: time.Minute, Roles: migrations.Roles{Relay: roles.Relay.Name, Operator: roles.Operator.Name}}
		result, err := planned(t, conn, migrations.StoreLog, config)
		ok(t, err)
		if result.Rows != 5 {
			t.Errorf("%d rows were copied, want 5", result.Rows)
		}
		const failed = `SELECT concat_ws(' ', seq, retry_count, last_error, next_attempt_at AT TIME ZONE 'UTC', dead_at AT TIME ZONE 'UTC') FROM `
		if diff := cmp.Diff([]string{"3 3 large 2030-01-01 00:00:00", "4 9 bad 2020-01-01 00:00:00"}, lines(t, conn, failed+`event_outbox_failed ORDER BY seq`)); diff != "" {
			t.Errorf("copies (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"2", "3", "4", "5", "6"}, lines(t, conn, `SELECT seq::text FROM event_outbox ORDER BY seq`)); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		if got := lines(t, conn, `SELECT epoch::text || ' ' || (holder IS NULL) FROM event_outbox_lease`); got[0] != "8 true" {
			t.Errorf("the lease is %s", got[0])
		}
		insertAs(t, conn, roles.Service, "7")
		if _, err := planned(t, conn, migrations.StoreLog, config); !errors.Is(err, storeadmin.ErrSameStore) {
			t.Errorf("moved again: %v", err)
		}
		if _, err := planned(t, conn, migrations.StoreTable, config); !errors.Is(err, storeadmin.ErrBefore) {
			t.Errorf("moved back with event_outbox_before: %v", err)
		}
		exec(t, conn, `DROP TABLE event_outbox_before`)
		exec(t, conn, `INSERT INTO event_outbox_late (id, tx, seq, topic, event_key) SELECT id, tx, seq, topic, event_key FROM event_outbox WHERE seq = 2`)
		exec(t, conn, `UPDATE event_outbox_cursor SET floor = 2`)

		result, err = planned(t, conn, migrations.StoreTable, config)
		ok(t, err)
		if result.Rows != 6 {
			t.Errorf("%d rows were copied back, want 6", result.Rows)
		}
		want := []string{"2 0", "3 3 large 2030-01-01 00:00:00", "4 9 bad 2020-01-01 00:00:00", "5 0", "6 0", "7 0"}
		if diff := cmp.Diff(want, lines(t, conn, failed+`event_outbox WHERE published_at IS NULL ORDER BY seq`)); diff != "" {
			t.Errorf("rows of the table (-want +got):\n%s", diff)
		}
		insertAs(t, conn, roles.Service, "8")
		left := lines(t, conn, `SELECT relname::text FROM pg_class WHERE relname ~ '^event_outbox_(cursor|late|failed|tick|history)$'
			UNION ALL SELECT proname::text FROM pg_proc WHERE proname LIKE 'event_outbox%'`)
		if len(left) > 0 {
			t.Errorf("of the log %v are left", left)
		}
	})
}

// Rows below the low-water mark were unpublished by hand, or restored. They move too, also if
// that happens while Migrate waits for its locks.
func TestMigrateFindsRowsBelowTheMark(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner, operator, mover := pg.Connect(t.Context()), pg.Connect(t.Context()), pg.Connect(t.Context())
		ok(t, migrations.Up(t.Context(), owner))
		exec(t, owner, someRows)
		exec(t, owner, `UPDATE event_outbox SET published_at = now()`)
		exec(t, owner, `INSERT INTO event_outbox_lease (epoch, low_water, low_water_file) VALUES (7, 6, pg_relation_filenode('event_outbox_seq_seq'))`)
		exec(t, owner, `UPDATE event_outbox SET published_at = NULL WHERE seq = 2`)
		exec(t, owner, `DELETE FROM event_outbox WHERE seq = 3`)
		exec(t, owner, `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data, seq) OVERRIDING SYSTEM VALUE
			VALUES ('a', '3', 't', 'topic', 'k3', '{}', 3)`)
		exec(t, operator, `BEGIN`)
		exec(t, operator, `UPDATE event_outbox SET published_at = NULL WHERE seq = 4`)
		type answer struct {
			result storeadmin.Result
			err    error
		}
		done := make(chan answer, 1)
		go func() {
			var a answer
			a.result, a.err = storeadmin.Migrate(t.Context(), mover, migrations.StoreLog, storeadmin.Config{LockTimeout: time.Minute, MaxLock: time.Minute})
			done <- a
		}()
		waitForLock(t, owner, mover)
		exec(t, operator, `COMMIT`)
		a := <-done
		ok(t, a.err)
		got := lines(t, owner, `SELECT concat_ws(' ', seq, event_key) FROM event_outbox ORDER BY seq`)
		if diff := cmp.Diff([]string{"2 k2", "3 k3", "7 k4"}, got); diff != "" || a.result.Rows != 3 {
			t.Errorf("%d rows of the log (-want +got):\n%s", a.result.Rows, diff)
		}
		if _, _, read := leads(t, pg); len(read) != 3 {
			t.Errorf("a leader reads %v", read)
		}
	})
}

// before calls functions before statements that contain a text.
type before map[string]func(*pgx.Conn)

func (b before) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	for text, do := range b {
		if strings.Contains(data.SQL, text) {
			do(conn)
		}
	}
	return ctx
}

func (b before) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Migrate is killed when the outbox has moved, and before it has looked again for rows that were
// unpublished meanwhile. The next call finds them.
func TestMigrateContinuesItsSearch(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	owner := pg.Connect(t.Context())
	ok(t, migrations.Up(t.Context(), owner))
	exec(t, owner, someRows)
	exec(t, owner, `UPDATE event_outbox SET published_at = now() WHERE seq <> 2`) // 2 was unpublished before
	exec(t, owner, `INSERT INTO event_outbox_lease (epoch, low_water, low_water_file) VALUES (7, 6, pg_relation_filenode('event_outbox_seq_seq'))`)
	config, err := pgx.ParseConfig(pg.URL)
	ok(t, err)
	config.Tracer = before{
		"LOCK TABLE event_outbox_lease": func(*pgx.Conn) { exec(t, owner, `UPDATE event_outbox SET published_at = NULL WHERE seq = 4`) },
		"-- name: CopyForgotten":        func(c *pgx.Conn) { exec(t, owner, `SELECT pg_terminate_backend($1)`, c.PgConn().PID()) },
	}
	conn, err := pgx.ConnectConfig(t.Context(), config)
	ok(t, err)
	defer conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // it was killed
	if _, err := storeadmin.Migrate(t.Context(), conn, migrations.StoreLog, storeadmin.Config{MaxLock: time.Minute}); !errors.Is(err, storeadmin.ErrUnsearched) {
		t.Errorf("killed, it says %v", err)
	}
	refusedBecause(t, moveTo(t, owner, migrations.StoreTable), "its search for events is not done")
	if got := lines(t, owner, `DELETE FROM event_outbox RETURNING event_key`); !cmp.Equal(got, []string{"k2"}) { // published, and then the retention
		t.Errorf("the log has %q", got)
	}
	plan, err := storeadmin.PlanMigrate(t.Context(), owner, migrations.StoreLog, storeadmin.Config{})
	ok(t, err)
	if diff := cmp.Diff(storeadmin.Plan{Continues: true, SearchUpTo: 6}, plan); diff != "" {
		t.Errorf("the plan (-want +got):\n%s", diff)
	}
	result, err := storeadmin.Migrate(t.Context(), owner, migrations.StoreLog, storeadmin.Config{})
	ok(t, err)
	if got := lines(t, owner, `SELECT concat_ws(' ', seq, event_key) FROM event_outbox`); !cmp.Equal(got, []string{"7 k4"}) || result.Rows != 1 {
		t.Errorf("%d rows were found; the log has %q", result.Rows, got)
	}
	if _, err := storeadmin.Migrate(t.Context(), owner, migrations.StoreLog, storeadmin.Config{}); !errors.Is(err, storeadmin.ErrSameStore) {
		t.Errorf("called again, it says %v", err)
	}
}

// The last page of the search is empty, and Migrate is killed after it. The next call does not begin from the start,
// where a row was copied that the log may have published and forgotten.
func TestMigrateContinuesAfterAnEmptyPage(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	owner := pg.Connect(t.Context())
	ok(t, migrations.Up(t.Context(), owner))
	exec(t, owner, strings.Replace(someRows, "6)", "20000)", 1))
	exec(t, owner, `UPDATE event_outbox SET published_at = now()`)
	exec(t, owner, `INSERT INTO event_outbox_lease (epoch, low_water, low_water_file) VALUES (7, 20000, pg_relation_filenode('event_outbox_seq_seq'))`)
	config, err := pgx.ParseConfig(pg.URL)
	ok(t, err)
	config.Tracer = before{
		"LOCK TABLE event_outbox_lease": func(*pgx.Conn) { exec(t, owner, `UPDATE event_outbox SET published_at = NULL WHERE seq = 4`) },
		"COMMENT ON TABLE event_outbox_before IS NULL": func(c *pgx.Conn) {
			exec(t, owner, `SELECT pg_terminate_backend($1)`, c.PgConn().PID())
		},
	}
	conn, err := pgx.ConnectConfig(t.Context(), config)
	ok(t, err)
	defer conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // it was killed
	if _, err := storeadmin.Migrate(t.Context(), conn, migrations.StoreLog, storeadmin.Config{MaxLock: time.Minute}); !errors.Is(err, storeadmin.ErrUnsearched) {
		t.Errorf("killed, it says %v", err)
	}
	if got := lines(t, owner, `DELETE FROM event_outbox RETURNING event_key`); !cmp.Equal(got, []string{"k4"}) { // published, and then the retention
		t.Errorf("the log has %q", got)
	}
	result, err := storeadmin.Migrate(t.Context(), owner, migrations.StoreLog, storeadmin.Config{})
	ok(t, err)
	if result.Rows != 0 {
		t.Errorf("%d rows were copied again", result.Rows)
	}
}

// insertAs inserts an event with the rights of a role, and checks its seq.
func insertAs(t *testing.T, owner *pgx.Conn, role pgroles.Login, want string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), role.URL)
	ok(t, err)
	defer conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // nothing is at stake on it
	exec(t, conn, `INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_data)
		VALUES (gen_random_uuid(), 'a', '1', 't', 'topic', '{}') ON CONFLICT (id) DO NOTHING`)
	if got := lines(t, owner, `SELECT max(seq)::text FROM event_outbox`); got[0] != want {
		t.Errorf("the new event has seq %s, want %s", got[0], want)
	}
}

// Migrate changes nothing if it cannot move everything.
func TestMigrateRefuses(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	conn := pg.Connect(t.Context())
	move := func() error {
		_, err := storeadmin.Migrate(t.Context(), conn, migrations.StoreLog, storeadmin.Config{
			MaxRows: 5, Patience: time.Millisecond, LockTimeout: 2 * time.Second, MaxLock: time.Minute,
		})
		return err
	}
	refused := func(want string) {
		t.Helper()
		if err := move(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("it says %v; want %s", err, want)
		}
	}
	refused("there is no event_outbox in the search_path")
	ok(t, migrations.Up(t.Context(), conn))
	exec(t, conn, someRows)
	refused("more than 5")
	exec(t, conn, `CREATE VIEW mine AS SELECT id FROM event_outbox`)
	exec(t, conn, `ALTER TABLE event_outbox ADD tenant text`)
	refused("event_outbox has the column tenant, the view mine, which the new one or its subscribers would lack")
	exec(t, conn, `DROP VIEW mine; ALTER TABLE event_outbox DROP tenant`)
	writer, err := pg.Pool.Begin(t.Context())
	ok(t, err)
	_, err = writer.Exec(t.Context(), someRows)
	ok(t, err)
	if err := move(); !errors.Is(err, storeadmin.ErrBusy) {
		t.Errorf("with an open transaction it says %v", err)
	}
	ok(t, writer.Rollback(t.Context()))
	exec(t, conn, `UPDATE event_outbox SET published_at = now() WHERE seq < 4`)
	ok(t, move())
}
