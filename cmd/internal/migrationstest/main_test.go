package migrationstest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

func TestMain(m *testing.M) { services.Main(m) }

// onEach runs the test in an empty database of every installed version of Postgres.
func onEach(t *testing.T, test func(t *testing.T, ctx context.Context, conn *pgx.Conn)) {
	t.Helper()
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		test(t, t.Context(), pg.Connect(t.Context()))
	})
}

func exec(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
}

// lines returns the first column of a query, one line for each row.
func lines(t *testing.T, conn *pgx.Conn, sql string, args ...any) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	return got
}

// columns describes the columns of a table, from the catalog.
func columns(t *testing.T, conn *pgx.Conn, table string) []string {
	t.Helper()
	return lines(t, conn, `
		SELECT concat_ws(' ', attname, format_type(atttypid, atttypmod),
		                 CASE WHEN attnotnull THEN 'not null' END,
		                 'default ' || pg_get_expr(adbin, adrelid),
		                 CASE attidentity WHEN 'a' THEN 'identity always' WHEN 'd' THEN 'identity by default' END)
		FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
		WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
		ORDER BY attnum`, table)
}

// everything describes what a migration can create in the schema public: columns,
// constraints, indexes, settings and sequences, sorted.
func everything(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	var all []string
	for _, table := range lines(t, conn, `SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`) {
		for _, column := range columns(t, conn, table) {
			all = append(all, table+": "+column)
		}
	}
	all = append(all, lines(t, conn, `
		SELECT conrelid::regclass || ': ' || conname || ' ' || pg_get_constraintdef(oid)
		FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1`)...)
	all = append(all, indexes(t, conn)...)
	all = append(all, lines(t, conn, `
		SELECT relname || ' with ' || array_to_string(reloptions, ', ')
		FROM pg_class WHERE relnamespace = 'public'::regnamespace AND reloptions IS NOT NULL ORDER BY 1`)...)
	return append(all, lines(t, conn, `
		SELECT concat_ws(' ', sequencename, data_type, 'start', start_value, 'by', increment_by, 'cache', cache_size, CASE WHEN cycle THEN 'cycle' END)
		FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1`)...)
}

func indexes(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	defs := lines(t, conn, `SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname`)
	for i, def := range defs {
		_, defs[i], _ = strings.Cut(def, "INDEX ")
		defs[i] = strings.Replace(defs[i], " ON public.", " ON ", 1)
	}
	return defs
}
