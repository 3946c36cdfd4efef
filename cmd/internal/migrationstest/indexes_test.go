package migrationstest_test

import (
	"bytes"
	"context"
	"fmt"
	osexec "os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// patiently returns a migration that waits for the table as long as the test needs: on a busy
// machine, 5 s can be too short.
func patiently(t *testing.T, script []byte) string {
	t.Helper()
	const limit = "lock_timeout = '5s'"
	if n := bytes.Count(script, []byte(limit)); n != 1 {
		t.Fatalf("the migration has %q %d times", limit, n)
	}
	return strings.Replace(string(script), limit, "lock_timeout = '5min'", 1)
}

// The first low-water mark is below every row that a writer commits while the migration
// waits for the table, however the migration is run. A transaction whose snapshot can be
// older than the lock sets no mark.
func TestTheFirstLowWaterMark(t *testing.T) {
	t.Parallel()
	psql := services.Program(t, "postgres", "psql")
	flyway := patiently(t, files(t, migrations.Flyway, migrations.Options{Kind: migrations.KindIndexes, Number: 2})[0].Content)
	plain := patiently(t, files(t, migrations.Plain, migrations.Options{Kind: migrations.KindIndexes})[1].Content)
	byPsql := func(script string) func(context.Context, *services.PG, *pgx.Conn) error {
		return func(ctx context.Context, pg *services.PG, _ *pgx.Conn) error {
			cmd := osexec.CommandContext(ctx, psql, "--no-psqlrc", "-v", "ON_ERROR_STOP=1", pg.URL)
			cmd.Stdin = strings.NewReader(script)
			return output(cmd.CombinedOutput())
		}
	}
	// begun has run a statement when the writer commits, so under the higher levels its
	// snapshot is older.
	begun := func(level string) func(context.Context, *services.PG, *pgx.Conn) error {
		return func(ctx context.Context, _ *services.PG, conn *pgx.Conn) error {
			return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.TxIsoLevel(level)}, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, `SELECT count(*) FROM event_outbox`); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, flyway)
				return err
			})
		}
	}
	// Rows 1 and 2 are published, 3 waits for its next attempt, 4 is published. The writer
	// commits 5 while the migration waits, and 6 is published.
	const below5, none = "4 true", "0 false"
	cases := map[string]struct {
		run  func(context.Context, *services.PG, *pgx.Conn) error
		want string
	}{
		"psql, without a transaction": {byPsql(flyway), below5},
		"psql, in a transaction":      {byPsql(plain), below5},
		"read committed":              {begun("read committed"), below5},
		"read uncommitted":            {begun("read uncommitted"), none},
		"repeatable read":             {begun("repeatable read"), none},
		"serializable":                {begun("serializable"), none},
	}
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		admin, writer, conn := pg.Connect(t.Context()), pg.Connect(t.Context()), pg.Connect(t.Context())
		for name, c := range cases {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			exec(t, admin, `DROP SCHEMA public CASCADE; CREATE SCHEMA public;`)
			exec(t, admin, migrations.SQL())
			want := everything(t, admin)
			exec(t, admin, formerIndexes)
			exec(t, admin, `INSERT INTO event_outbox_lease DEFAULT VALUES`)
			for range 4 {
				insertCurrent(t, admin, "orders")
			}
			exec(t, admin, `UPDATE event_outbox SET published_at = now() WHERE seq <> 3`)
			exec(t, admin, `UPDATE event_outbox SET next_attempt_at = now(), retry_count = 1 WHERE seq = 3`)
			exec(t, writer, `BEGIN`)
			insertCurrent(t, writer, "orders")
			exec(t, admin, `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, event_data, topic, published_at)
				VALUES ('1', 'order', 'order.placed.v1', '{}', 'orders', now())`)
			done := make(chan error, 1)
			go func() { done <- c.run(ctx, pg, conn) }()
			for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
				waits := lines(t, admin, `SELECT 'waits' FROM pg_locks WHERE relation = 'event_outbox'::regclass AND NOT granted`)
				if len(waits) > 0 || ctx.Err() != nil {
					tick.Stop()
					break
				}
			}
			exec(t, writer, `COMMIT`)
			if err := <-done; err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			cancel()
			got := lines(t, admin, `SELECT concat_ws(' ', low_water, (low_water_file = pg_relation_filenode('event_outbox_seq_seq'::regclass)::bigint)::text) FROM event_outbox_lease`)
			if diff := cmp.Diff([]string{c.want}, got); diff != "" {
				t.Errorf("%s: the mark, and whether it is that of the sequence (-want +got):\n%s", name, diff)
			}
			if diff := cmp.Diff(want, everything(t, admin)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

// The migration waits for the table at most 5 s, also without a transaction around it, and
// then has changed nothing. An index that CREATE INDEX CONCURRENTLY left invalid is replaced.
func TestTheIndexesAreReplacedOrNothingIs(t *testing.T) {
	t.Parallel()
	psql := services.Program(t, "postgres", "psql")
	script := string(files(t, migrations.Flyway, migrations.Options{Kind: migrations.KindIndexes, Number: 2})[0].Content)
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		admin, reader := pg.Connect(t.Context()), pg.Connect(t.Context())
		exec(t, admin, migrations.SQL())
		want := everything(t, admin)
		exec(t, admin, formerIndexes)
		former := everything(t, admin)
		exec(t, reader, `BEGIN`)
		exec(t, reader, `SELECT FROM event_outbox`)
		run := func() error {
			cmd := osexec.CommandContext(t.Context(), psql, "--no-psqlrc", "-v", "ON_ERROR_STOP=1", pg.URL)
			cmd.Stdin = strings.NewReader(script)
			return output(cmd.CombinedOutput())
		}
		if err := run(); err == nil || !strings.Contains(err.Error(), "lock timeout") {
			t.Errorf("the migration answers %v", err)
		}
		if diff := cmp.Diff(former, everything(t, admin)); diff != "" {
			t.Errorf("after the timeout (-want +got):\n%s", diff)
		}
		exec(t, reader, `COMMIT`)
		for _, name := range []string{"ix_event_outbox_waiting", "ix_event_outbox_retried"} {
			exec(t, admin, `CREATE INDEX `+name+` ON event_outbox (seq)`)
			exec(t, admin, `UPDATE pg_index SET indisvalid = false WHERE indexrelid = '`+name+`'::regclass`)
		}
		if err := run(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, everything(t, admin)); diff != "" {
			t.Errorf("after the migration (-want +got):\n%s", diff)
		}
	})
}

// Rows are inserted and settled while the indexes are replaced, there and back. The
// migration locks the tables as a relay does, so that neither waits for the other.
func TestTheIndexesAreReplacedWhileARelaySettles(t *testing.T) {
	t.Parallel()
	both := files(t, migrations.Plain, migrations.Options{Kind: migrations.KindIndexes})
	down, up := patiently(t, both[0].Content), patiently(t, both[1].Content)
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		admin, reader, owner := pg.Connect(t.Context()), pg.Connect(t.Context()), pg.Connect(t.Context())
		exec(t, admin, migrations.SQL())
		holder := uuid.New()
		exec(t, admin, `INSERT INTO event_outbox_lease (epoch, holder) VALUES (1, $1)`, holder)
		running, stop := context.WithCancel(t.Context())
		loops := 0
		ended := make(chan error, 4)
		loop := func(once func(context.Context, *pgx.Conn) error) {
			conn := pg.Connect(t.Context())
			loops++
			go func() {
				var err error
				for err == nil && running.Err() == nil {
					err = once(t.Context(), conn)
				}
				ended <- err
			}()
		}
		for range 2 {
			inserted := make(chan int64, 1)
			loop(func(ctx context.Context, conn *pgx.Conn) error {
				var seq int64
				err := conn.QueryRow(ctx, `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, event_data, topic)
					VALUES ('1', 'order', 'order.placed.v1', '{}', 'orders') RETURNING seq`).Scan(&seq)
				select {
				case inserted <- seq:
				default:
				}
				return err
			})
			loop(func(ctx context.Context, conn *pgx.Conn) error {
				p := pgdb.SettleByMarkParams{Name: "event_outbox", Epoch: 1, Holder: holder, Published: []int64{}}
				select {
				case seq := <-inserted:
					p.Published = append(p.Published, seq)
				default: // it locks the tables as well
				}
				_, err := pgdb.New(conn).SettleByMark(ctx, p)
				return err
			})
		}
		for _, script := range []string{down, up, down, up} {
			// The reader keeps the migration waiting until a settlement waits too.
			exec(t, reader, `BEGIN`)
			exec(t, reader, `SELECT FROM event_outbox`)
			migrated := make(chan error, 1)
			go func() {
				_, err := owner.Exec(t.Context(), script, pgx.QueryExecModeSimpleProtocol)
				migrated <- err
			}()
			for tick := time.NewTicker(5 * time.Millisecond); len(ended) == 0; <-tick.C {
				if len(lines(t, admin, `
					SELECT 'settles' FROM pg_locks AS k JOIN pg_stat_activity AS a USING (pid)
					WHERE NOT k.granted AND a.query LIKE '%SettleByMark%'`)) > 0 {
					tick.Stop()
					break
				}
			}
			exec(t, reader, `COMMIT`)
			if err := <-migrated; err != nil {
				t.Errorf("the migration: %v", err)
				break
			}
		}
		stop()
		for range loops {
			if err := <-ended; err != nil {
				t.Errorf("a writer or a relay: %v", err)
			}
		}
	})
}

// The search for the first low-water mark uses the index that the migration drops, so it
// does not look at the published rows while it holds the lock.
func TestTheFirstLowWaterMarkIsFoundByAnIndex(t *testing.T) {
	onEach(t, func(t *testing.T, _ context.Context, conn *pgx.Conn) {
		exec(t, conn, migrations.SQL())
		exec(t, conn, formerIndexes)
		exec(t, conn, `INSERT INTO event_outbox_lease DEFAULT VALUES`)
		exec(t, conn, `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, event_data, topic, published_at)
			SELECT '1', 'order', 'order.placed.v1', '{}', 'orders', CASE WHEN n <= 10000 THEN now() END FROM generate_series(1, 10005) AS n`)
		exec(t, conn, `ANALYZE event_outbox`)
		// With the new indexes there, the migration looks at rows for the mark only. The server
		// forgets what was read by an index that is dropped.
		exec(t, conn, `CREATE INDEX ix_event_outbox_seq ON event_outbox (seq)`)
		exec(t, conn, `CREATE INDEX ix_event_outbox_waiting ON event_outbox (seq) WHERE next_attempt_at IS NOT NULL`)
		exec(t, conn, `CREATE INDEX ix_event_outbox_retried ON event_outbox (seq) WHERE next_attempt_at IS NOT NULL AND retry_count > 0`)
		exec(t, conn, `CREATE INDEX ix_event_outbox_dead ON event_outbox (seq) WHERE dead_at IS NOT NULL`)
		lookedAt := func() int {
			t.Helper()
			n, err := strconv.Atoi(lines(t, conn, `SELECT (seq_tup_read + idx_tup_fetch)::text FROM pg_stat_xact_user_tables WHERE relname = 'event_outbox'`)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		exec(t, conn, `BEGIN`)
		before := lookedAt()
		exec(t, conn, string(files(t, migrations.Flyway, migrations.Options{Kind: migrations.KindIndexes, Number: 2})[0].Content))
		after := lookedAt()
		exec(t, conn, `COMMIT`)
		got := append(lines(t, conn, `SELECT low_water::text FROM event_outbox_lease`), strconv.Itoa(after-before))
		if diff := cmp.Diff([]string{"10000", "0"}, got); diff != "" {
			t.Errorf("the mark, and how many rows were looked at without the former index (-want +got):\n%s", diff)
		}
	})
}

// output returns the error of a program with what it printed.
func output(out []byte, err error) error {
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}
