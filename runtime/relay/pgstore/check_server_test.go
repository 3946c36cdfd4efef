package pgstore_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// withLog sets the logger of a store.
func withLog(log *bytes.Buffer) func(*pgstore.Config) {
	return func(c *pgstore.Config) { c.Logger = slog.New(slog.NewTextHandler(log, nil)) }
}

// refuse replaces functions of this database by functions that return an error, as on a
// managed server.
func refuse(t *testing.T, pg *services.PG, code, message string, functions ...string) {
	t.Helper()
	for _, f := range functions {
		replace(t, pg, f, fmt.Sprintf(`LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '%s', MESSAGE = '%s'; END $$`, code, message))
	}
}

// replace renames a function of the server and puts another in its place. (The server
// calls its own functions by their oid, in spite of CREATE OR REPLACE.)
func replace(t *testing.T, pg *services.PG, function, as string) {
	t.Helper()
	result := ask[string](t, pg.Pool, `SELECT pg_get_function_result($1::regprocedure)`, "pg_catalog."+function)
	remove(t, pg, function)
	exec(t, pg.Pool, fmt.Sprintf(`CREATE FUNCTION pg_catalog.%s RETURNS %s %s`, function, result, as))
}

func remove(t *testing.T, pg *services.PG, function string) {
	t.Helper()
	exec(t, pg.Pool, `ALTER FUNCTION pg_catalog.`+function+` RENAME TO moved_away_`+strings.Split(function, "(")[0])
}

// Managed servers have functions of the write-ahead log and refuse to run them. The
// store works without them, logs it once, and its rows are still delivered.
func TestServersWithoutPositionsOfTheLog(t *testing.T) {
	const aurora = "wal_level must be set to logical"
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, pg *services.PG)
	}{
		{"Aurora without logical replication", func(t *testing.T, pg *services.PG) {
			refuse(t, pg, "55000", aurora, "pg_current_wal_insert_lsn()", "pg_current_wal_flush_lsn()")
		}},
		{"Aurora with it", func(t *testing.T, pg *services.PG) {
			refuse(t, pg, "0A000", "Function pg_current_wal_flush_lsn() is currently not supported for Aurora", "pg_current_wal_flush_lsn()")
		}},
		{"no such functions", func(t *testing.T, pg *services.PG) {
			remove(t, pg, "pg_current_wal_insert_lsn()")
			remove(t, pg, "pg_current_wal_flush_lsn()")
		}},
		{"no logical messages", func(t *testing.T, pg *services.PG) {
			for _, signature := range strings.Split(ask[string](t, pg.Pool, `
				SELECT string_agg(oid::regprocedure::text, ';') FROM pg_proc WHERE proname = 'pg_logical_emit_message'`), ";") {
				remove(t, pg, signature)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, pg *services.PG) {
				c.spoil(t, pg)
				var log bytes.Buffer
				s := newStore(t, pg, withLog(&log))
				must(t, s.Check(t.Context()))
				must(t, s.Check(t.Context()))
				rowGetsThrough(t, pg.Pool, s)
				if n := strings.Count(log.String(), "does not report how far its write-ahead log is on disk"); n != 1 {
					t.Errorf("%d warnings, want 1:\n%s", n, &log)
				}
				if !strings.Contains(log.String(), "set rds.logical_replication to 1") {
					t.Errorf("the warning does not say what to switch on:\n%s", &log)
				}
			})
		})
	}
}

// The functions may stop working while the relay leads: after a fail-over, or when
// logical replication was switched off.
func TestPositionsOfTheLogGoAway(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		var log bytes.Buffer
		s := newStore(t, pg, withLog(&log))
		must(t, s.Check(t.Context()))
		lease := lead(t, s)
		insert(t, pg.Pool, "a")
		first := snapshot(t, s)
		page, err := s.ReadBacklog(t.Context(), first, 0, wide)
		must(t, err)

		refuse(t, pg, "55000", "wal_level must be set to logical", "pg_current_wal_insert_lsn()", "pg_current_wal_flush_lsn()")
		// A session that has the statement prepared keeps calling the old function.
		exec(t, pg.Pool, `SELECT pg_terminate_backend((backends -> 1 ->> 'pid')::int) FROM event_outbox_lease`)
		if err := s.Flushed(t.Context(), relay.Page{Rows: page.Rows, InsertLSN: "0/0"}); err == nil {
			t.Fatal("the session is still there")
		}
		page.InsertLSN = "FFFFFFFF/0" // as if it was not on disk yet
		must(t, s.Flushed(t.Context(), page))
		insert(t, pg.Pool, "b")
		second := snapshot(t, s)
		rows := tick(t, s, first, second, wide)
		if diff := cmp.Diff([]string{"b"}, keys(rows)); diff != "" {
			t.Fatal(diff)
		}
		settle(t, s, lease, append(page.Rows, rows...))
		if !strings.Contains(log.String(), "does not report how far") {
			t.Errorf("no warning: %s", &log)
		}
	})
}

// The commit of the store's own change puts everything before it on disk: rows of a
// writer with synchronous_commit off survive a crash of the server once Flushed has
// returned.
func TestFlushedWithoutPositionsSurvivesACrash(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t, services.Private())
	migrate(t, pg)
	// The WAL writer must not flush at this time.
	exec(t, pg.Pool, `ALTER SYSTEM SET wal_writer_delay = '10s'`)
	exec(t, pg.Pool, `SELECT pg_reload_conf()`)
	refuse(t, pg, "55000", "wal_level must be set to logical", "pg_current_wal_insert_lsn()", "pg_current_wal_flush_lsn()")
	s := newStore(t, pg)
	must(t, s.Check(t.Context()))
	lead(t, s)
	writer := pg.Connect(t.Context())
	exec(t, writer, `SET synchronous_commit = off`)
	insert(t, writer, "a")
	page, err := s.ReadBacklog(t.Context(), snapshot(t, s), 0, wide)
	must(t, err)
	if diff := cmp.Diff([]string{"a"}, keys(page.Rows)); diff != "" {
		t.Fatal(diff)
	}
	must(t, s.Flushed(t.Context(), page))
	s.Close()
	must(t, pg.Restart(t.Context(), services.Immediate))
	if n := ask[int](t, pg.Pool, `SELECT count(*) FROM event_outbox`); n != 1 {
		t.Fatalf("%d rows after the crash, want 1", n)
	}
}

// rowGetsThrough inserts, reads and settles one row.
func rowGetsThrough(t *testing.T, owner interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}, s *pgstore.Store) {
	t.Helper()
	const key = `a "key" \ with 'quotes' and é`
	lease := lead(t, s)
	before := snapshot(t, s)
	settle(t, s, lease, backlog(t, s, before, wide))
	insert(t, owner, key)
	after := snapshot(t, s)
	page, err := s.ReadTick(t.Context(), before, after, 0, wide)
	must(t, err)
	if diff := cmp.Diff([]string{key}, keys(page.Rows)); diff != "" {
		t.Fatal(diff)
	}
	must(t, s.Flushed(t.Context(), page))
	settle(t, s, lease, page.Rows)
	if n := ask[int](t, owner, `SELECT count(*) FROM event_outbox WHERE published_at IS NULL`); n != 0 {
		t.Fatalf("%d rows are unpublished", n)
	}
	if _, err := s.Stats(t.Context()); err != nil {
		t.Fatal(err)
	}
	must(t, s.Release(t.Context(), lease))
}

func TestCheckRefusesServersThatOnlySpeakTheProtocol(t *testing.T) {
	for _, c := range []struct{ name, version, problem string }{
		{"CockroachDB", "CockroachDB CCL v25.1.0 (x86_64-pc-linux-gnu)", "the server is CockroachDB ("},
		{"YugabyteDB", "PostgreSQL 15.2-YB-2025.1.0.0-b0 on x86_64-pc-linux-gnu", "the server is YugabyteDB ("},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, pg *services.PG) {
				replace(t, pg, "version()", `LANGUAGE sql AS $$ SELECT '`+c.version+`'::text $$`)
				got := checkError(t, newStore(t, pg))
				if !strings.Contains(got.Problem, c.problem) || !strings.Contains(got.Remedy, "have no snapshots of transaction ids") {
					t.Fatalf("Check says: %v", got)
				}
			})
		})
	}
	for _, function := range []string{
		"pg_current_snapshot()", "pg_visible_in_snapshot(xid8, pg_snapshot)", "pg_snapshot_xmin(pg_snapshot)", "pg_xact_status(xid8)",
	} {
		t.Run("without "+function, func(t *testing.T) {
			each(t, func(t *testing.T, pg *services.PG) {
				remove(t, pg, function)
				got := checkError(t, newStore(t, pg))
				if !strings.Contains(got.Problem, "has no transaction snapshots") || !strings.Contains(got.Error(), strings.Split(function, "(")[0]) {
					t.Fatalf("Check says: %v", got)
				}
			})
		})
	}
}

// Sessions of the store override the settings of a database or a role.
func TestHostileSessionSettings(t *testing.T) {
	settings := []struct{ name, value string }{
		{"quote_all_identifiers", "on"},
		{"DateStyle", "'German, DMY'"},
		{"IntervalStyle", "sql_standard"},
		{"TimeZone", "'Asia/Kathmandu'"},
		{"bytea_output", "escape"},
		{"standard_conforming_strings", "off"},
		{"backslash_quote", "off"},
		{"client_encoding", "LATIN1"},
		{"extra_float_digits", "-15"},
		{"array_nulls", "off"},
		{"transform_null_equals", "on"},
		{"xmloption", "document"},
		{"row_security", "off"},
		{"default_transaction_isolation", "serializable"},
		{"default_transaction_read_only", "on"},
		{"default_transaction_deferrable", "on"},
		{"statement_timeout", "'300ms'"},
		{"lock_timeout", "'1ms'"},
		{"idle_in_transaction_session_timeout", "'1ms'"},
		{"idle_session_timeout", "'500ms'"},
		{"transaction_timeout", "'300ms'"},
		{"exit_on_error", "on"},
		{"synchronous_commit", "off"},
		{"plan_cache_mode", "force_custom_plan"},
		{"enable_indexscan", "off"},
		{"enable_nestloop", "off"},
		{"enable_sort", "off"},
		{"join_collapse_limit", "1"},
		{"from_collapse_limit", "1"},
		{"work_mem", "64"},
		{"force_parallel_mode", "on"},
		{"debug_parallel_query", "on"},
		{"jit_above_cost", "0"},
		{"search_path", `'"$user"'`},
		{"search_path", "''"},
		{"search_path", "'elsewhere', pg_catalog"},
	}
	each(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context()) // from before any of the settings
		database := pgx.Identifier{pg.Database}.Sanitize()
		for _, c := range settings {
			t.Run(c.name+"="+c.value, func(t *testing.T) {
				if ask[*string](t, owner, `SELECT current_setting($1, true)`, c.name) == nil {
					t.Skipf("this server has no setting %s", c.name)
				}
				exec(t, owner, fmt.Sprintf(`ALTER DATABASE %s SET %s = %s`, database, c.name, c.value))
				defer exec(t, owner, fmt.Sprintf(`ALTER DATABASE %s RESET ALL`, database))
				var log bytes.Buffer
				s := newStore(t, pg, withLog(&log), func(c *pgstore.Config) { c.Schema = "public" })
				must(t, s.Check(t.Context()))
				rowGetsThrough(t, owner, s)
				s.Close()
			})
		}
	})
}

// A role that becomes another one at the start of its sessions needs the other one's
// privileges, and the remedy names it.
func TestCheckNamesTheRoleThatIsInForce(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		login, group := "login_"+pg.Database, "group_"+pg.Database
		for _, sql := range []string{
			`CREATE ROLE %[1]s LOGIN PASSWORD 'p'`, `CREATE ROLE %[2]s`, `GRANT %[2]s TO %[1]s`, `ALTER ROLE %[1]s SET role = %[2]s`,
		} {
			exec(t, pg.Pool, fmt.Sprintf(sql, pgx.Identifier{login}.Sanitize(), pgx.Identifier{group}.Sanitize()))
		}
		s := newStore(t, pg, func(c *pgstore.Config) { c.Conn.User, c.Conn.Password = login, "p" })
		blind := checkError(t, s)
		if !strings.Contains(blind.Problem, "role "+group+", which "+login+" becomes") ||
			!strings.Contains(blind.Remedy, "GRANT pg_read_all_stats, pg_signal_backend TO ") {
			t.Errorf("Check says: %v", blind)
		}
		exec(t, pg.Pool, strings.Split(blind.Remedy, ", or")[0])
		if got := checkError(t, s); !strings.Contains(got.Problem, "role "+group+" lacks") {
			t.Errorf("Check says: %v", got)
		}
		s.Close()
		exec(t, pg.Pool, fmt.Sprintf(`DROP ROLE %s, %s`, pgx.Identifier{login}.Sanitize(), pgx.Identifier{group}.Sanitize()))
	})
}

func TestCheckOfASchema(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		exec(t, pg.Pool, `CREATE SCHEMA tenant`)
		conn := pg.Connect(t.Context())
		exec(t, conn, `SET search_path = tenant`)
		must(t, migrations.Up(t.Context(), conn))
		role := "relay_of_" + pg.Database
		name := pgx.Identifier{role}.Sanitize()
		exec(t, pg.Pool, `CREATE ROLE `+name+` LOGIN PASSWORD 'p'`)
		asRole := func(schema string) *pgstore.Store {
			return newStore(t, pg, func(c *pgstore.Config) { c.Conn.User, c.Conn.Password, c.Schema = role, "p", schema })
		}
		missing := checkError(t, asRole("tenants"))
		if !strings.Contains(missing.Problem, "there is no schema tenants") {
			t.Errorf("Check says: %v", missing)
		}
		s := asRole("tenant")
		usage := checkError(t, s)
		if want := `GRANT USAGE ON SCHEMA "tenant" TO ` + name; usage.Remedy != want {
			t.Errorf("Check says: %v", usage)
		}
		exec(t, pg.Pool, usage.Remedy)
		elsewhere := checkError(t, asRole(""))
		if !strings.Contains(elsewhere.Remedy, "there is an event_outbox in tenant") {
			t.Errorf("Check says: %v", elsewhere)
		}
		exec(t, pg.Pool, checkError(t, s).Remedy)
		exec(t, pg.Pool, checkError(t, s).Remedy)
		must(t, s.Check(t.Context()))
		s.Close()
		exec(t, pg.Pool, `DROP OWNED BY `+name+`; DROP ROLE `+name)
	})
}
