package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/outboxgen/outboxgen/migrations"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/internal/querymode"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// tenants is a database with an outbox in each of the schemas a and b. A row keeps
// the role and the tenant (a setting) under which it was inserted.
type tenants struct {
	*services.PG
	role string // a second one
}

func newTenants(t *testing.T, pg *services.PG) tenants {
	t.Helper()
	querymode.Use(t, pg)
	db := tenants{pg, "role_" + pg.Database}
	conn := pg.Connect(t.Context())
	exec := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), strings.ReplaceAll(sql, "ROLE2", db.role)); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	exec(`create role ROLE2`)
	t.Cleanup(func() {
		if _, err := conn.Exec(context.WithoutCancel(t.Context()), fmt.Sprintf("drop owned by %[1]s; drop role %[1]s", db.role)); err != nil {
			t.Error(err)
		}
	})
	for _, schema := range []string{"a", "b"} {
		exec(`create schema ` + schema + `; set search_path to ` + schema)
		if err := migrations.Up(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
		exec(`alter table event_outbox add who text default current_user, add tenant text default current_setting('app.tenant', true);
			grant usage on schema ` + schema + ` to ROLE2; grant all on event_outbox to ROLE2`)
	}
	exec(`create schema code; grant usage on schema code to ROLE2;
		create function code.use_tenant(name text) returns text language sql as $$ select set_config('search_path', name, true) $$;
		create procedure code.switch_tenant(name text) language plpgsql as $$ begin perform set_config('search_path', name, true); end $$;
		create function code.third() returns trigger language plpgsql as $$ begin new.tenant := 'three'; return new; end $$;
		create table code.essay (id text primary key, grade int not null); insert into code.essay values ('e1', 0);
		create table code.staging (id text); grant all on all tables in schema code to ROLE2`)
	return db
}

// where lists the events: schema, role and tenant by grade.
func (db tenants) where(t *testing.T) []string {
	t.Helper()
	rows, err := db.Pool.Query(t.Context(), `select concat_ws(' ', grade, schema, case who when current_user then 'service' else 'other' end, nullif(tenant, '')) from (
		select event_data->'data'->>'grade' as grade, 'a' as schema, who, tenant from a.event_outbox union all
		select event_data->'data'->>'grade', 'b', who, tenant from b.event_outbox) as e order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Pool.Exec(t.Context(), `truncate a.event_outbox, b.event_outbox`); err != nil {
		t.Fatal(err)
	}
	return found
}

// An event is inserted with the schema, the role and the settings at the time of the
// insert call, as on a plain transaction, although it waits for COMMIT.
func TestEventsKeepTheirMeaning(t *testing.T) {
	t.Parallel()
	db := newTenants(t, services.Postgres(t))
	exec := func(sql string, args ...any) func(ctx context.Context, tx pgx.Tx) error {
		return func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, strings.ReplaceAll(sql, "ROLE2", db.role), args...)
			return err
		}
	}
	query := func(sql string, args ...any) func(ctx context.Context, tx pgx.Tx) error {
		return func(ctx context.Context, tx pgx.Tx) error {
			var ignored any
			return tx.QueryRow(ctx, sql, args...).Scan(&ignored)
		}
	}
	batch := func(sql ...string) func(ctx context.Context, tx pgx.Tx) error {
		return func(ctx context.Context, tx pgx.Tx) error {
			var b pgx.Batch
			for _, s := range sql {
				b.Queue(strings.ReplaceAll(s, "ROLE2", db.role))
			}
			return tx.SendBatch(ctx, &b).Close()
		}
	}
	inB, otherRole, tenantTwo := "2 b service", "2 a other", "2 a service two"
	const declare = `declare c cursor for select set_config('search_path', 'b', true)`
	const prepare = `prepare p as select set_config('search_path', 'b', true)`
	const escapes = "after a backslash that escapes"
	for name, test := range map[string]struct {
		between func(ctx context.Context, tx pgx.Tx) error
		second  string // the event of grade 2; that of grade 1 is always in a, of the service, of no tenant
	}{
		"nothing":               {exec(`select 1`), "2 a service"},
		"SET search_path":       {exec(`SET search_path TO b`), inB},
		"set with =":            {exec(`set search_path = b`), inB},
		"SET LOCAL":             {exec(`set local search_path to b, public`), inB},
		"SET SESSION":           {exec(`set session search_path to b`), inB},
		"quoted name":           {exec(`set "search_path" to b`), inB},
		"SET SCHEMA":            {exec(`set schema 'b'`), inB},
		"comments and case":     {exec("-- tenant\n/* now /* b */ */ sEt\n/**/ LoCaL Search_Path\nto b"), inB},
		"the second of several": {exec(`select 1; set local search_path to b; select 2`), inB},
		escapes: {func(ctx context.Context, tx pgx.Tx) error {
			return errors.Join(exec(`set local standard_conforming_strings = off`)(ctx, tx), InsertGraded(ctx, tx, event(3)),
				exec(`select '\'; '; set local search_path to b`)(ctx, tx))
		}, "2 b service, 3 a service"},
		"after a string with a semicolon": {exec(`select ';'; set local search_path to b`), inB},
		"RESET":                           {exec(`reset search_path; set local search_path to b`), inB},
		"RESET ALL":                       {exec(`reset all; set local search_path to b`), inB},
		"set_config":                      {query(`select set_config('search_path', 'b', true)`), inB},
		"set_config, qualified":           {query(`SELECT pg_catalog.Set_Config('search_path', $1, true)`, "b"), inB},
		"set_config, quoted":              {query(`select "set_config"('search_path', 'b', true)`), inB},
		"set_config of a parameter":       {query(`select set_config($1, $2, true)`, "search_path", "b"), inB},
		"set_config in a WITH":            {query(`with t as materialized (select set_config('search_path', 'b', true) as s) select s from t`), inB},
		"set_config in a WHERE":           {exec(`update code.essay set grade = grade where set_config('search_path', 'b', true) = 'b'`), inB},
		"an UPDATE of pg_settings":        {exec(`update pg_settings set setting = 'b' where name = 'search_path'`), inB},
		"DO":                              {exec(`do $$ begin perform set_config('search_path', 'b', true); end $$`), inB},
		"CALL":                            {exec(`call code.switch_tenant('b')`), inB},
		"EXECUTE":                         {exec(`prepare into_b as select set_config('search_path', 'b', true); execute into_b; deallocate into_b`), inB},
		"Query": {func(ctx context.Context, tx pgx.Tx) error {
			rows, err := tx.Query(ctx, `set local search_path to b`)
			rows.Close()
			return errors.Join(err, rows.Err())
		}, inB},
		"in a batch": {batch(`select 1`, `set local search_path to b`), inB},
		"in a batch, before an event of the batch": {func(ctx context.Context, tx pgx.Tx) error {
			var b pgx.Batch
			b.Queue(`set local search_path to b`)
			if err := gen.Queue(ctx, &b, insertRows, event(3)); err != nil {
				return err
			}
			return tx.SendBatch(ctx, &b).Close()
		}, inB + ", 3 b service"},
		"prepared on the Tx": {func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Prepare(ctx, "tx_into_b", `select set_config('search_path', 'b', true)`)
			return errors.Join(err, query(`tx_into_b`)(ctx, tx))
		}, inB},
		"prepared on the connection": {func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Conn().Prepare(ctx, "conn_into_b", `select set_config('search_path', 'b', true)`)
			return errors.Join(err, query(`conn_into_b`)(ctx, tx))
		}, inB},
		"prepared before the transaction": {func(ctx context.Context, tx pgx.Tx) error {
			return query(`old_into_b`)(ctx, tx)
		}, inB},
		"prepared under a name with a blank": {func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Prepare(ctx, "select tenant", `select set_config('search_path', 'b', true)`)
			return errors.Join(err, query(`select tenant`)(ctx, tx))
		}, inB},
		"prepared on the connection under a name with a blank": {func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Conn().Prepare(ctx, "switch tenant", `select set_config('search_path', 'b', true)`)
			return errors.Join(err, query(`switch tenant`)(ctx, tx))
		}, inB},
		"prepared under a name with parentheses": {func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Conn().Prepare(ctx, "tenant(b)", `set local search_path to b`)
			return errors.Join(err, exec(`tenant(b)`)(ctx, tx))
		}, inB},
		"prepared under a name that the server shortens": {func(ctx context.Context, tx pgx.Tx) error {
			name := strings.Repeat("into_b_", 10)
			_, err := tx.Conn().Prepare(ctx, name, `set local search_path to b`)
			return errors.Join(err, exec(name)(ctx, tx))
		}, inB},
		"prepared again under the same name": {func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Prepare(ctx, "again", `select 1`)
			err = errors.Join(err, exec(`again`)(ctx, tx), tx.Conn().Deallocate(ctx, "again"))
			_, againErr := tx.Conn().Prepare(ctx, "again", `set local search_path to b`)
			return errors.Join(err, againErr, exec(`again`)(ctx, tx), exec(`again`)(ctx, tx))
		}, inB},
		"FETCH": {func(ctx context.Context, tx pgx.Tx) error {
			return errors.Join(exec(declare)(ctx, tx), InsertGraded(ctx, tx, event(3)), exec(`fetch all from c`)(ctx, tx))
		}, inB + ", 3 a service"},
		"MOVE": {func(ctx context.Context, tx pgx.Tx) error {
			return errors.Join(exec(declare)(ctx, tx), InsertGraded(ctx, tx, event(3)), exec(`move all from c`)(ctx, tx))
		}, inB + ", 3 a service"},
		"EXPLAIN ANALYZE EXECUTE": {func(ctx context.Context, tx pgx.Tx) error {
			return errors.Join(exec(prepare)(ctx, tx), InsertGraded(ctx, tx, event(3)), exec(`explain (analyze) execute p; deallocate p`)(ctx, tx))
		}, inB + ", 3 a service"},
		"CREATE TEMP TABLE AS EXECUTE": {func(ctx context.Context, tx pgx.Tx) error {
			return errors.Join(exec(prepare)(ctx, tx), InsertGraded(ctx, tx, event(3)),
				exec(`create temp table x on commit drop as execute p; deallocate p`)(ctx, tx))
		}, inB + ", 3 a service"},
		"a name in Unicode escapes":           {query(`select U&"set\005fconfig"('search_path', 'b', true)`), inB},
		"a query in a function's argument":    {query(`select query_to_xml('select set_config(''search_path'', ''b'', true)', true, false, '')::text`), inB},
		"a query in a text search's argument": {query(`select count(*) from ts_stat('select set_config(''search_path'', ''b'', true)::tsvector')`), inB},
		"CREATE FUNCTION with a body": {exec(`create function pg_temp.f() returns int begin atomic select 1; select case when true then 2 end; end;
			set local search_path to b`), inB},
		"a function, after Flush": {func(ctx context.Context, tx pgx.Tx) error {
			if flusher, ok := tx.(*outbox.Tx); ok {
				if err := flusher.Flush(ctx); err != nil {
					return err
				}
			}
			return query(`select code.use_tenant('b')`)(ctx, tx)
		}, inB},
		"twice": {func(ctx context.Context, tx pgx.Tx) error {
			return errors.Join(exec(`set local search_path to b`)(ctx, tx), InsertGraded(ctx, tx, event(3)), exec(`set local search_path to a`)(ctx, tx))
		}, "2 a service, 3 b service"},
		"within a nested transaction that commits": {func(ctx context.Context, tx pgx.Tx) error {
			return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
				return errors.Join(InsertGraded(ctx, tx, event(3)), exec(`set local search_path to b`)(ctx, tx), InsertGraded(ctx, tx, event(4)))
			})
		}, inB + ", 3 a service, 4 b service"},
		"within a nested transaction that rolls back": {func(ctx context.Context, tx pgx.Tx) error {
			inner, err := tx.Begin(ctx)
			if err != nil {
				return err
			}
			return errors.Join(InsertGraded(ctx, inner, event(3)), exec(`set local search_path to b`)(ctx, inner),
				InsertGraded(ctx, inner, event(4)), inner.Rollback(ctx))
		}, "2 a service"},
		"rolled back and set at once": {func(ctx context.Context, tx pgx.Tx) error {
			inner, err := tx.Begin(ctx)
			if err != nil {
				return err
			}
			// Event 1 is inserted within the nested transaction first, and has to be
			// inserted again.
			return errors.Join(exec(`set local search_path to b`)(ctx, inner), exec(`savepoint s; set local app.tenant = 'x'`)(ctx, inner),
				inner.Rollback(ctx), exec(`select 1; set local search_path to b`)(ctx, tx))
		}, inB},
		"within a raw savepoint that is rolled back": {func(ctx context.Context, tx pgx.Tx) error {
			return errors.Join(exec(`savepoint s; set local search_path to b`)(ctx, tx), InsertGraded(ctx, tx, event(3)),
				exec(`rollback to s`)(ctx, tx))
		}, "2 a service"},

		"SET ROLE":                  {exec(`set local role ROLE2`), otherRole},
		"SET ROLE, quoted":          {exec(`set role "ROLE2"`), otherRole},
		"RESET ROLE":                {exec(`reset role; set local role ROLE2`), otherRole},
		"SET SESSION AUTHORIZATION": {exec(`set local session authorization ROLE2`), otherRole},
		"set_config of the role":    {query(`select set_config('role', $1, true)`, db.role), otherRole},
		"SET ROLE in a batch":       {batch(`set local role ROLE2`), otherRole},
		"the role and back": {func(ctx context.Context, tx pgx.Tx) error {
			return errors.Join(exec(`set role ROLE2`)(ctx, tx), InsertGraded(ctx, tx, event(3)), exec(`reset role`)(ctx, tx))
		}, "2 a service, 3 a other"},
		"a setting that policies read":        {exec(`set local app.tenant = 'two'`), tenantTwo},
		"set_config of one":                   {query(`select set_config('app.tenant', 'two', true)`), tenantTwo},
		"set_config of one, set with a query": {query(`select count(set_config('app.tenant', 'two', true)) from code.essay`), tenantTwo},

		"DDL on the outbox": {exec(`alter table event_outbox alter tenant set default 'two'`), tenantTwo},
		"ALTER SCHEMA":      {exec(`alter schema a rename to gone; alter schema b rename to a; alter schema gone rename to b`), "1 b service, 2 a service"},
		"a temporary outbox": {func(ctx context.Context, tx pgx.Tx) error {
			return exec(`create temp table event_outbox (like b.event_outbox including all) on commit drop`)(ctx, tx)
		}, ""},
		"set_config in VALUES":             {query(`values (set_config('search_path', 'b', true))`), inB},
		"set_config in parentheses":        {query(`(select set_config('search_path', 'b', true))`), inB},
		"set_config after a harmless one":  {exec(`select set_config('work_mem', '8MB', true), set_config('search_path', 'b', true)`), inB},
		"set_config in RETURNING":          {exec(`insert into code.staging values ('x') returning set_config('search_path', 'b', true)`), inB},
		"set_config, a name with escapes":  {query(`select set_config(E'search\x5fpath', 'b', true)`), inB},
		"SET between comments":             {exec(`set/**/search_path/* to a */to b`), inB},
		"after a dollar-quoted semicolon":  {exec(`select $x$; set search_path to a$x$; set local search_path to b`), inB},
		"SET NAMES":                        {exec(`set names 'UTF8'; set local search_path to b`), inB},
		"a role that policies do not bind": {exec(`set local row_security = off; set local app.tenant = 'two'`), tenantTwo},
		"BEGIN READ ONLY":                  {exec(`begin read only`), "fails"},
		"TRUNCATE":                         {exec(`truncate table only event_outbox`), "only 2 a service"},
		"MERGE":                            {exec(`merge into event_outbox using (values (1)) as v(n) on true when matched then delete`), "only 2 a service"},
		"UPDATE ONLY of a quoted name":     {exec(`update only a."event_outbox" set tenant = 'three'`), "1 a service three, 2 a service"},
		"a trigger that comes and goes": {func(ctx context.Context, tx pgx.Tx) error {
			return errors.Join(exec(`create trigger third before insert on event_outbox for each row execute function code.third()`)(ctx, tx),
				InsertGraded(ctx, tx, event(3)), exec(`drop trigger third on event_outbox`)(ctx, tx))
		}, "2 a service, 3 a service three"},
		"DELETE":           {exec(`delete from event_outbox`), "only 2 a service"},
		"DELETE in a WITH": {exec(`with gone as (delete from event_outbox returning id) select count(*) from gone`), "only 2 a service"},
		"UPDATE":           {exec(`update event_outbox set tenant = 'three'`), "1 a service three, 2 a service"},
		"SET TRANSACTION READ ONLY": {func(ctx context.Context, tx pgx.Tx) error {
			return exec(`set transaction read only`)(ctx, tx)
		}, "fails"},
	} {
		t.Run(name, func(t *testing.T) {
			rides := db.ridesAsPlain(t, test.between)
			want := "1 a service, " + test.second
			switch only, ok := strings.CutPrefix(test.second, "only "); {
			case ok:
				want = only
			case test.second == "":
				want = "1 a service"
			case test.second == "fails":
				want = ""
			case name == escapes && db.Pool.Config().ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol:
				want = "" // pgx sends no arguments then
			case strings.HasPrefix(test.second, "1 "):
				want = test.second
			}
			if diff := cmp.Diff(want, strings.Join(rides, ", ")); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// ridesAsPlain inserts event 1 as tenant a, runs between, inserts event 2, once on a
// plain transaction and once by InTx. It checks that both have the same result, and
// lists the events.
func (db tenants) ridesAsPlain(t *testing.T, between func(ctx context.Context, tx pgx.Tx) error) []string {
	t.Helper()
	pool := db.Pool
	steps := func(ctx context.Context, tx pgx.Tx) error {
		// As AfterConnect of a pool does. The Tx does not see it.
		_, err := tx.Conn().Prepare(ctx, "old_into_b", `select set_config('search_path', 'b', true)`)
		if _, setErr := tx.Exec(ctx, `set local search_path to a`); err == nil {
			err = setErr
		}
		for _, step := range []func(ctx context.Context, tx pgx.Tx) error{
			func(ctx context.Context, tx pgx.Tx) error { return InsertGraded(ctx, tx, event(1)) },
			between,
			func(ctx context.Context, tx pgx.Tx) error { return InsertGraded(ctx, tx, event(2)) },
		} {
			if err == nil {
				err = step(ctx, tx)
			}
		}
		return err
	}
	plainErr := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error { return steps(t.Context(), tx) })
	restore(t, pool)
	plain := db.where(t)
	rideErr := newOutbox(t, pool, outbox.Options{}).InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error { return steps(ctx, tx) })
	restore(t, pool)
	if (plainErr == nil) != (rideErr == nil) {
		t.Errorf("InTx = %v, a plain transaction: %v", rideErr, plainErr)
	}
	rides := db.where(t)
	if diff := cmp.Diff(plain, rides); diff != "" {
		t.Errorf("events (-on a plain transaction +riding with COMMIT):\n%s", diff)
	}
	return rides
}

// restore resets what a case has changed for later sessions.
func restore(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	_, err := pool.Exec(t.Context(), `reset all; reset role; reset session authorization`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = pool.Exec(t.Context(), `alter table a.event_outbox alter tenant set default current_setting('app.tenant', true)`)
	if err != nil {
		t.Fatal(err)
	}
	pool.Reset()
}

// Where the server reports the search_path, events keep it even when a function
// changes it.
func TestEventsKeepTheirSearchPathUnderFunctions(t *testing.T) {
	t.Parallel()
	db := newTenants(t, services.Postgres18(t))
	call := func(ctx context.Context, tx pgx.Tx, sql string) error {
		_, err := tx.Exec(ctx, sql)
		return err
	}
	_, err := db.Pool.Exec(t.Context(), `
		create function code.use_for_good(name text) returns text language sql as $$ select set_config('search_path', name, false) $$;
		create function code.elsewhere() returns text language sql set search_path = b as $$ select 'x' $$`)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		between func(ctx context.Context, tx pgx.Tx) error
		want    string
	}{
		"a switch": {func(ctx context.Context, tx pgx.Tx) error {
			return call(ctx, tx, `select code.use_tenant('b')`)
		}, "1 a service, 2 b service"},
		"to and fro": {func(ctx context.Context, tx pgx.Tx) error {
			return errors.Join(call(ctx, tx, `select code.use_tenant('b')`), InsertGraded(ctx, tx, event(3)), InsertGraded(ctx, tx, event(4)),
				call(ctx, tx, `select code.use_tenant('a')`))
		}, "1 a service, 2 a service, 3 b service, 4 b service"},
		"a switch that lasts": {func(ctx context.Context, tx pgx.Tx) error {
			return call(ctx, tx, `select code.use_for_good('b')`)
		}, "1 a service, 2 b service"},
		"none for others": {func(ctx context.Context, tx pgx.Tx) error {
			return call(ctx, tx, `select code.elsewhere()`)
		}, "1 a service, 2 a service"},
		"then a statement that has events go first": {func(ctx context.Context, tx pgx.Tx) error {
			return errors.Join(call(ctx, tx, `select code.use_tenant('b')`), InsertGraded(ctx, tx, event(3)), call(ctx, tx, `savepoint s`),
				call(ctx, tx, fmt.Sprintf(`insert into code.essay values ('%s', 1)`, uuid.NewString())))
		}, "1 a service, 2 b service, 3 b service"},
		"a nested transaction that rolls back": {func(ctx context.Context, tx pgx.Tx) error {
			inner, err := tx.Begin(ctx)
			if err != nil {
				return err
			}
			return errors.Join(InsertGraded(ctx, inner, event(3)), call(ctx, inner, `select code.use_tenant('b')`),
				InsertGraded(ctx, inner, event(4)), inner.Rollback(ctx))
		}, "1 a service, 2 a service"},
		"a nested transaction that commits": {func(ctx context.Context, tx pgx.Tx) error {
			return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
				return errors.Join(call(ctx, tx, `select code.use_tenant('b')`), InsertGraded(ctx, tx, event(3)))
			})
		}, "1 a service, 2 b service, 3 b service"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, strings.Join(db.ridesAsPlain(t, test.between), ", ")); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}

	t.Run("the session keeps what was set", func(t *testing.T) {
		pool := singlePool(t, db.PG)
		for _, test := range []struct{ call, want string }{
			{`select code.use_for_good('b')`, "b"}, {`select code.use_tenant('a')`, "b"},
		} {
			err := newOutbox(t, pool, outbox.Options{}).InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
				return errors.Join(call(ctx, tx, `set local search_path to a`), InsertGraded(ctx, tx, event(1)), call(ctx, tx, test.call), InsertGraded(ctx, tx, event(2)))
			})
			if err != nil {
				t.Fatal(err)
			}
			var path string
			if err := pool.QueryRow(t.Context(), `show search_path`).Scan(&path); err != nil || path != test.want {
				t.Errorf("after %s the search_path is %q, %v", test.call, path, err)
			}
		}
	})
}
