package storeadmin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/internal/pgroles"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/storeadmin"
)

// A plan says what a move would do, and what of the table somebody may miss. It changes nothing.
func TestPlanMigrate(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		ok(t, migrations.Up(t.Context(), owner))
		roles := pgroles.Create(t, pg)
		exec(t, owner, someRows)
		exec(t, owner, `UPDATE event_outbox SET published_at = now() WHERE seq = 1`)
		exec(t, owner, `CREATE INDEX mine ON event_outbox (event_type)`)
		exec(t, owner, `ALTER TABLE event_outbox SET (fillfactor = 70)`)
		exec(t, owner, `GRANT DELETE ON event_outbox TO PUBLIC`)
		config := storeadmin.Config{Roles: migrations.Roles{Relay: roles.Relay.Name, Operator: roles.Operator.Name}}
		p, err := storeadmin.PlanMigrate(t.Context(), owner, migrations.StoreLog, config)
		ok(t, err)
		if p.Rows != 5 || p.Locked <= 0 {
			t.Errorf("it says %+v, want 5 rows", p)
		}
		want := []string{
			"a log lacks the columns published_at, retry_count, last_error, next_attempt_at and dead_at: inserts that name one of them will fail, " +
				"also with null, as an ORM writes it whose model has the column",
			"the new event_outbox will not have the index mine, the privileges DELETE of PUBLIC, the storage parameter fillfactor=70",
		}
		if diff := cmp.Diff(want, p.Warnings); diff != "" {
			t.Errorf("warnings (-want +got):\n%s", diff)
		}
		p, err = storeadmin.PlanMigrate(t.Context(), owner, migrations.StoreLog, storeadmin.Config{})
		ok(t, err)
		if !strings.Contains(p.Warnings[1], " of "+roles.Relay.Name) {
			t.Errorf("it does not say that the relay's role loses its privileges: %q", p.Warnings)
		}
		p, err = storeadmin.PlanMigrate(t.Context(), owner, migrations.StoreLog, storeadmin.Config{MaxLock: time.Millisecond})
		ok(t, err)
		if want := "writers would wait about 200ms, and 1ms is the limit, so the move would probably change nothing"; !strings.Contains(strings.Join(p.Warnings, "\n"), want) {
			t.Errorf("with too low a limit it warns %q", p.Warnings)
		}
		_, err = storeadmin.PlanMigrate(t.Context(), owner, migrations.StoreLog, storeadmin.Config{MaxRows: 4})
		refusedBecause(t, err, "storeadmin: too many rows are not published: more than 4")

		result, err := storeadmin.Migrate(t.Context(), owner, migrations.StoreLog, storeadmin.Config{MaxLock: time.Minute})
		ok(t, err)
		if result.Rows != 5 {
			t.Errorf("%d rows were copied, want 5", result.Rows)
		}
		exec(t, owner, dropBefore)
		p, err = storeadmin.PlanMigrate(t.Context(), owner, migrations.StoreTable, config)
		ok(t, err)
		if p.Rows != 5 || len(p.Warnings) > 0 {
			t.Errorf("of the way back it says %+v, want 5 rows and no warnings", p)
		}
		_, err = storeadmin.PlanMigrate(t.Context(), owner, migrations.StoreLog, storeadmin.Config{})
		refusedBecause(t, err, "of this store already, perhaps since an earlier call whose answer was lost")
	})
}

func TestPlanAdopt(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	owner := pg.Connect(t.Context())
	settled(t, pg, owner)
	exec(t, owner, `UPDATE event_outbox_cursor SET system = 7, floor = 1`)
	exec(t, owner, `INSERT INTO event_outbox_tick (n, shown, below) VALUES (1000, '3:3:', '3')`)
	for from, want := range map[int64]int64{0: 2, 5: 5} {
		if first, err := storeadmin.PlanAdopt(t.Context(), owner, from); err != nil || first != want {
			t.Errorf("with %d it says %d, %v; want %d", from, first, err, want)
		}
	}
	if got := lines(t, owner, `SELECT system::text FROM event_outbox_cursor`); !cmp.Equal(got, []string{"7"}) {
		t.Errorf("the cursor is of %v", got)
	}
}

// So many rows that a statement could not be told one more.
func TestMigrateAnyNumberOfRows(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	owner := pg.Connect(t.Context())
	ok(t, migrations.Up(t.Context(), owner))
	exec(t, owner, someRows)
	result, err := storeadmin.Migrate(t.Context(), owner, migrations.StoreLog, storeadmin.Config{MaxRows: 1<<31 - 1, MaxLock: time.Minute})
	ok(t, err)
	if result.Rows != 6 {
		t.Errorf("%d rows were copied, want 6", result.Rows)
	}
}

// The owner of the outbox is no superuser, and a publication has a table in a schema that it may not use.
func TestMigrateBesideAPublicationOfAnother(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		conn := pg.Connect(t.Context())
		ok(t, migrations.Up(t.Context(), conn))
		roles := pgroles.Create(t, pg)
		exec(t, conn, `DO $$ DECLARE name text; BEGIN
			FOR name IN SELECT c.oid::regclass FROM pg_class AS c WHERE c.relname LIKE 'event\_%' AND c.relkind = 'r' LOOP
				EXECUTE format('ALTER TABLE %s OWNER TO `+roles.Service.Name+`', name);
			END LOOP; END $$`)
		exec(t, conn, `CREATE SCHEMA hidden; CREATE TABLE hidden.t (id int PRIMARY KEY); CREATE PUBLICATION theirs FOR TABLE hidden.t`)
		exec(t, conn, `REVOKE CREATE ON SCHEMA public FROM PUBLIC`)
		_, err := storeadmin.PlanMigrate(t.Context(), conn, migrations.StoreLog, storeadmin.Config{})
		refusedBecause(t, err, "may not create tables in its schema: GRANT CREATE ON SCHEMA public TO "+roles.Service.Name)
		exec(t, conn, `GRANT CREATE ON SCHEMA public TO `+roles.Service.Name)
		_, err = storeadmin.PlanMigrate(t.Context(), conn, migrations.StoreLog, storeadmin.Config{})
		ok(t, err)
		exec(t, conn, `CREATE PUBLICATION ours FOR TABLE event_outbox`)
		_, err = storeadmin.PlanMigrate(t.Context(), conn, migrations.StoreLog, storeadmin.Config{})
		refusedBecause(t, err, "the publication ours")
		exec(t, conn, `DROP PUBLICATION ours`)
		for _, to := range []migrations.Store{migrations.StoreLog, migrations.StoreTable} {
			ok(t, moveTo(t, conn, to))
			exec(t, conn, dropBefore)
		}
	})
}
