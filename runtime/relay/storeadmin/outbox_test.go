package storeadmin_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/storeadmin"
)

func moveTo(t *testing.T, conn *pgx.Conn, to migrations.Store) error {
	t.Helper()
	_, err := planned(t, conn, to, storeadmin.Config{MaxLock: time.Minute})
	return err
}

// planned moves an outbox as the command does, with a plan before. The plan says what the move does.
func planned(t *testing.T, conn *pgx.Conn, to migrations.Store, c storeadmin.Config) (storeadmin.Result, error) {
	t.Helper()
	plan, refusal := storeadmin.PlanMigrate(t.Context(), conn, to, c)
	result, err := storeadmin.Migrate(t.Context(), conn, to, c)
	switch {
	case err == nil && refusal != nil:
		t.Errorf("the plan refuses a move that works: %v", refusal)
	case err == nil && plan.Rows != result.Rows:
		t.Errorf("the plan counts %d rows, and the move copies %d", plan.Rows, result.Rows)
	case refusal != nil && refusal.Error() != err.Error():
		t.Errorf("the plan says %v, and the move %v", refusal, err)
	}
	return result, err
}

func refusedBecause(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("it says %v; want %s", err, want)
	}
}

// An upgraded table takes rows without a topic and, if its columns are text, long values. The
// inserts of its writers must not fail after the move, nor those of the relay.
func TestMigrateAnUpgradedTable(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		ok(t, migrations.Up(t.Context(), owner))
		exec(t, owner, `ALTER TABLE event_outbox ALTER aggregate_id TYPE text, ALTER event_key TYPE varchar(1000), ALTER topic DROP NOT NULL`)
		exec(t, owner, someRows)
		exec(t, owner, `ALTER TABLE event_outbox ALTER created_at DROP NOT NULL`)
		err := moveTo(t, owner, migrations.StoreLog)
		refusedBecause(t, err, "the column topic of event_outbox may be null, and that of the new one may not, so inserts of writers that leave it out or give null would fail")
		refusedBecause(t, err, "the column created_at of event_outbox may be null, and that of the new one may not, so inserts of writers that give null would fail")
		for _, remedy := range regexp.MustCompile(`ALTER TABLE [^;]+ NOT VALID`).FindAllString(err.Error(), -1) {
			exec(t, owner, remedy)
		}
		const long = `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data)
			SELECT 'a', repeat('i', 300), 't', 'topic', repeat('k', 900), '{}'`
		exec(t, owner, long)
		exec(t, owner, `UPDATE event_outbox SET dead_at = now() WHERE aggregate_id LIKE 'ii%'`)
		for _, to := range []migrations.Store{migrations.StoreLog, migrations.StoreTable} {
			ok(t, moveTo(t, owner, to))
			exec(t, owner, long)
			want := []string{"text", "character varying(100)", "character varying(255)", "character varying(1000)", "character varying(255)"}
			got := lines(t, owner, `SELECT format_type(atttypid, atttypmod) FROM pg_attribute
				WHERE attrelid = 'event_outbox'::regclass AND attname IN ('aggregate_id', 'aggregate_type', 'event_type', 'event_key', 'topic') ORDER BY attnum`)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("types in the %s (-want +got):\n%s", to, diff)
			}
			if to == migrations.StoreLog { // what fails is copied, and what waits for long is noted
				exec(t, owner, `INSERT INTO event_outbox_late (id, tx, seq, topic, event_key) SELECT id, tx, seq, topic, event_key FROM event_outbox WHERE seq = 8`)
			}
			exec(t, owner, dropBefore)
		}
		if got := lines(t, owner, `SELECT seq::text FROM event_outbox WHERE length(event_key) = 900 ORDER BY seq`); !cmp.Equal(got, []string{"7", "8", "9"}) {
			t.Errorf("the long rows have the seqs %v", got)
		}
	})
}

// A CHECK does as well as NOT NULL for the topic, and one about columns that a log lacks is not missed.
func TestMigrateOwnConstraints(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	owner := pg.Connect(t.Context())
	ok(t, migrations.Up(t.Context(), owner))
	exec(t, owner, `ALTER TABLE event_outbox ALTER topic DROP NOT NULL, ADD CHECK (topic IS NOT NULL) NOT VALID, ADD CONSTRAINT positive CHECK (retry_count >= 0),
		ADD CONSTRAINT mine CHECK (aggregate_id <> '')`)
	exec(t, owner, `CREATE UNIQUE INDEX once ON event_outbox (aggregate_id, event_type) WHERE published_at IS NULL`)
	exec(t, owner, `ALTER TABLE event_outbox ALTER event_key SET DEFAULT 'k'`)
	refusedBecause(t, moveTo(t, owner, migrations.StoreLog), "event_outbox has the constraint mine, the default of the column event_key, the unique index once, which")
	exec(t, owner, `ALTER TABLE event_outbox DROP CONSTRAINT mine, ALTER event_key SET DEFAULT NULL, ALTER headers SET DEFAULT NULL; DROP INDEX once`)
	ok(t, moveTo(t, owner, migrations.StoreLog))
}

// A function that is not text, and a rule, stay with the former table.
func TestMigrateSeesFunctionsAndRules(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	owner := pg.Connect(t.Context())
	ok(t, migrations.Up(t.Context(), owner))
	exec(t, owner, `CREATE FUNCTION put() RETURNS void LANGUAGE sql BEGIN ATOMIC
		INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_data) VALUES ('1', 'a', 't', 'topic', '{}'); END`)
	exec(t, owner, `CREATE FUNCTION shown(event_outbox) RETURNS text LANGUAGE sql AS 'SELECT $1.topic'`)
	exec(t, owner, `CREATE TABLE orders (id text)`)
	exec(t, owner, `CREATE RULE told AS ON INSERT TO orders DO ALSO
		INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_data) VALUES (NEW.id, 'a', 't', 'topic', '{}')`)
	exec(t, owner, `CREATE MATERIALIZED VIEW kept AS SELECT id FROM event_outbox`)
	refusedBecause(t, moveTo(t, owner, migrations.StoreLog),
		"storeadmin: event_outbox has the function put, the function shown, the materialized view kept, the rule told of orders, which")
	exec(t, owner, `DROP FUNCTION put(); DROP FUNCTION shown(event_outbox); DROP TABLE orders; DROP MATERIALIZED VIEW kept`)
	ok(t, moveTo(t, owner, migrations.StoreLog))
}

// What belongs to the tables that only a log has is missed in a table.
func TestMigrateSeesWhatBelongsToALog(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	owner := pg.Connect(t.Context())
	ok(t, migrations.UpLog(t.Context(), owner))
	exec(t, owner, `CREATE VIEW mine AS SELECT seq, state FROM event_outbox_history`)
	exec(t, owner, `CREATE VIEW waiting AS SELECT count(*) FROM event_outbox_late`)
	exec(t, owner, `CREATE FUNCTION alarm() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`)
	exec(t, owner, `CREATE TRIGGER told AFTER INSERT ON event_outbox_failed FOR EACH ROW EXECUTE FUNCTION alarm()`)
	exec(t, owner, `SET client_min_messages = error; CREATE PUBLICATION failures FOR TABLE event_outbox_failed`)
	refusedBecause(t, moveTo(t, owner, migrations.StoreTable),
		"storeadmin: event_outbox has the publication failures, the trigger told of event_outbox_failed, the view mine, the view waiting, which")
	exec(t, owner, `DROP VIEW mine, waiting; DROP TRIGGER told ON event_outbox_failed; DROP PUBLICATION failures`)
	ok(t, moveTo(t, owner, migrations.StoreTable))
}

// What still inserts into the former outbox fails, so that no event is lost there.
func TestMigrateClosesTheFormerOutbox(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		ok(t, migrations.Up(t.Context(), owner))
		exec(t, owner, someRows)
		for _, to := range []migrations.Store{migrations.StoreLog, migrations.StoreTable} {
			ok(t, moveTo(t, owner, to))
			_, err := owner.Exec(t.Context(), strings.Replace(someRows, "event_outbox", "event_outbox_before", 1))
			refusedBecause(t, err, "event_outbox_before_closed")
			exec(t, owner, dropBefore)
		}
	})
}

// Autovacuum holds a lock that ends only after deadlock_timeout. Migrate waits for it longer than
// writers may wait, and they do not wait meanwhile.
func TestMigrateWaitsForAutovacuum(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner, vacuum := pg.Connect(t.Context()), pg.Connect(t.Context())
		ok(t, migrations.Up(t.Context(), owner))
		for _, c := range []struct {
			to    migrations.Store
			table string
		}{{migrations.StoreLog, "event_outbox"}, {migrations.StoreTable, "event_outbox_other"}} {
			exec(t, vacuum, `BEGIN`)
			exec(t, vacuum, `LOCK TABLE `+c.table+` IN SHARE UPDATE EXCLUSIVE MODE`) // as VACUUM does
			mover := pg.Connect(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := storeadmin.Migrate(t.Context(), mover, c.to, storeadmin.Config{LockTimeout: 100 * time.Millisecond, Patience: time.Millisecond, MaxLock: time.Minute})
				done <- err
			}()
			until(t, "the move waits for longer than writers may wait", func() bool {
				select {
				case err := <-done:
					t.Fatalf("it does not wait: %v", err)
				default:
				}
				return lines(t, owner, fmt.Sprintf(`SELECT (count(*) > 0)::text FROM pg_locks
					WHERE pid = %d AND NOT granted AND clock_timestamp() - waitstart > interval '400 ms'`, mover.PgConn().PID()))[0] == "true"
			})
			exec(t, owner, `SET lock_timeout = '10ms'`)
			exec(t, owner, someRows)
			exec(t, vacuum, `COMMIT`)
			ok(t, <-done)
			exec(t, owner, dropBefore)
		}
	})
}

// If Migrate gives up, it says who holds a lock.
func TestMigrateSaysWhoHoldsTheLock(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner, writer := pg.Connect(t.Context()), pg.Connect(t.Context())
		settled(t, pg, owner)
		exec(t, writer, `SET application_name = 'shop'`)
		exec(t, writer, `BEGIN`)
		exec(t, writer, someRows)
		_, err := storeadmin.Migrate(t.Context(), owner, migrations.StoreTable, storeadmin.Config{LockTimeout: 10 * time.Millisecond, Patience: time.Millisecond})
		if !errors.Is(err, storeadmin.ErrBusy) || strings.Count(err.Error(), "storeadmin:") != 1 {
			t.Errorf("it says %v", err)
		}
		refusedBecause(t, err, fmt.Sprintf("session %d (", writer.PgConn().PID()))
		refusedBecause(t, err, "shop, idle in transaction) holds RowExclusiveLock on event_outbox, RowExclusiveLock on event_outbox_d")
	})
}

// A prepared transaction has no session, and ends only when somebody ends it. It is named first.
func TestMigrateNamesPreparedTransactions(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t, services.Private(), services.Setting("max_prepared_transactions", "2"))
	owner := pg.Connect(t.Context())
	ok(t, migrations.Up(t.Context(), owner))
	for range 6 {
		reader := pg.Connect(t.Context())
		exec(t, reader, `BEGIN`)
		exec(t, reader, `SELECT count(*) FROM event_outbox`)
	}
	writer := pg.Connect(t.Context())
	exec(t, writer, `BEGIN`)
	exec(t, writer, someRows)
	exec(t, writer, `PREPARE TRANSACTION 'left over'`)
	_, err := storeadmin.Migrate(t.Context(), owner, migrations.StoreLog, storeadmin.Config{LockTimeout: 10 * time.Millisecond, Patience: time.Millisecond})
	refusedBecause(t, err, `: the prepared transaction "left over" holds RowExclusiveLock on event_outbox, since `)
	refusedBecause(t, err, "ROLLBACK PREPARED for a prepared transaction")
	exec(t, writer, `ROLLBACK PREPARED 'left over'`)
}

// What is left of a move can be dropped, or kept in another schema, with the statements that Migrate
// names. Then the outbox can move back.
func TestMigrateBackAfterTheFormerOutboxWasKept(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		ok(t, migrations.Up(t.Context(), owner))
		exec(t, owner, someRows)
		want := []string{"1", "2", "3", "4", "5", "6"}
		for i, to := range []migrations.Store{migrations.StoreLog, migrations.StoreTable, migrations.StoreLog, migrations.StoreTable, migrations.StoreLog} {
			if i > 0 {
				err := moveTo(t, owner, to)
				if !errors.Is(err, storeadmin.ErrBefore) {
					t.Fatalf("with event_outbox_before it says %v", err)
				}
				var statements string
				if i < 3 {
					_, statements, _ = strings.Cut(err.Error(), "such tables already: ")
					statements = strings.ReplaceAll(statements, "archive", fmt.Sprintf("archive%d", i))
				} else {
					_, statements, _ = strings.Cut(err.Error(), "not needed any more: ")
					statements, _, _ = strings.Cut(statements, "; or keep")
				}
				exec(t, owner, `SET search_path = pg_catalog`) // they are about this outbox wherever they run
				exec(t, owner, statements)
				exec(t, owner, `RESET search_path`)
				if left := lines(t, owner, `SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname LIKE 'event\_outbox\_before%'`); len(left) > 0 {
					t.Errorf("after %v %v are left", err, left)
				}
			}
			ok(t, moveTo(t, owner, to))
			if diff := cmp.Diff(want, lines(t, owner, `SELECT seq::text FROM event_outbox ORDER BY seq`)); diff != "" {
				t.Errorf("rows of the %s (-want +got):\n%s", to, diff)
			}
		}
		if got := lines(t, owner, `SELECT count(*)::text FROM archive2.event_outbox_before_history`); got[0] != "6" {
			t.Errorf("the history that was kept has %v events", got)
		}
	})
}
