package migrationstest_test

import (
	"context"
	"fmt"
	osexec "os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// The first low-water mark is below every row that a writer commits while the migration
// waits for the table, however the migration is run. A transaction whose snapshot can be
// older than the lock sets no mark.
func TestTheFirstLowWaterMark(t *testing.T) {
	t.Parallel()
	psql := services.Program(t, "postgres", "psql")
	flyway := string(files(t, migrations.Flyway, migrations.Options{Kind: migrations.KindIndexes, Number: 2})[0].Content)
	plain := string(files(t, migrations.Plain, migrations.Options{Kind: migrations.KindIndexes})[1].Content)
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
		exec(t, admin, `CREATE INDEX ix_event_outbox_waiting ON event_outbox (seq)`)
		exec(t, admin, `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_event_outbox_waiting'::regclass`)
		if err := run(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, everything(t, admin)); diff != "" {
			t.Errorf("after the migration (-want +got):\n%s", diff)
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
