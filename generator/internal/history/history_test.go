package history_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/history"
	"github.com/outboxgen/outboxgen/generator/internal/script"
)

// of selects the statements about the table public.t from files, one in each line.
func of(files ...string) (history.Table, []string) {
	all := make([][]byte, len(files))
	for i, f := range files {
		all[i] = []byte(f)
	}
	table := history.Of(script.Only(all...), "public", "t")
	var shown []string
	for _, s := range table.Statements {
		shown = append(shown, strings.Join(strings.Fields(s.SQL), " "))
	}
	return table, shown
}

func TestStatements(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files []string
		want  []string
	}{
		"none":                     {[]string{"CREATE TABLE a (t int); ALTER TABLE a ADD b int"}, nil},
		"columns":                  {[]string{"create table T (a int, \"B b\" varchar(3)[] NOT NULL DEFAULT 'x')"}, []string{`CREATE TABLE "public"."t" ( "a" int , "B b" varchar (3)[] NOT NULL );`}},
		"constraints":              {[]string{"CREATE TABLE t (a int, CONSTRAINT c UNIQUE (a, b), primary key (a)) PARTITION BY LIST (a)"}, []string{`CREATE TABLE "public"."t" ( "a" int , CHECK (true) , CHECK (true) );`}},
		"a column that is unique":  {[]string{`CREATE TABLE t ("unique" int)`}, []string{`CREATE TABLE "public"."t" ( "unique" int );`}},
		"actions":                  {[]string{"CREATE TABLE t ();ALTER TABLE t ADD a int, OWNER TO x, DROP b, ALTER c TYPE text USING c::text, ALTER c SET NOT NULL, RENAME d TO e"}, []string{`CREATE TABLE "public"."t" ( );`, `ALTER TABLE "public"."t" DROP COLUMN "b";`, `ALTER TABLE "public"."t" ALTER COLUMN "c" TYPE text;`, `ALTER TABLE "public"."t" ADD COLUMN "a" int;`, `ALTER TABLE "public"."t" RENAME d TO e;`}},
		"actions in their order":   {[]string{"CREATE TABLE t (); ALTER TABLE t ADD a int, ALTER b TYPE text, DROP a"}, []string{`CREATE TABLE "public"."t" ( );`, `ALTER TABLE "public"."t" DROP COLUMN "a";`, `ALTER TABLE "public"."t" ALTER COLUMN "b" TYPE text;`, `ALTER TABLE "public"."t" ADD COLUMN "a" int;`}},
		"actions in their passes":  {[]string{"CREATE TABLE t (c int, d int); ALTER TABLE t ALTER a SET NOT NULL, ALTER a SET DEFAULT 1, ADD CHECK (a > 0), ADD a int, ALTER c SET DATA TYPE text, ALTER COLUMN d DROP DEFAULT, DROP b"}, []string{`CREATE TABLE "public"."t" ( "c" int , "d" int );`, `ALTER TABLE "public"."t" DROP COLUMN "b";`, `ALTER TABLE "public"."t" ALTER COLUMN "c" TYPE text;`, `ALTER TABLE "public"."t" ADD COLUMN "a" int;`}},
		"one name from the start":  {[]string{"CREATE TABLE x.a (a int); ALTER TABLE x.a RENAME TO t; ALTER TABLE x.t SET SCHEMA public; ALTER TABLE t DROP a"}, []string{`CREATE TABLE "public"."t" ( "a" int );`, `ALTER TABLE "public"."t" DROP COLUMN "a";`}},
		"two that change places":   {[]string{"CREATE TABLE t (a int); CREATE TABLE n (LIKE t); ALTER TABLE t RENAME TO o; ALTER TABLE n RENAME TO t; ALTER TABLE o RENAME TO n; ALTER TABLE n ADD wrong int"}, []string{`CREATE TABLE "public"."n" ( "a" int );`, `CREATE TABLE "public"."t_2" ( LIKE "public"."n" );`, `CREATE TABLE "public"."t" () INHERITS ( "public"."t_2" );`}},
		"two of one name":          {[]string{"CREATE TABLE t (a int); CREATE TABLE n (LIKE t); DROP TABLE t; ALTER TABLE n RENAME TO t"}, []string{`CREATE TABLE "public"."t_3" ( "a" int );`, `CREATE TABLE "public"."t_2" ( LIKE "public"."t_3" );`, `CREATE TABLE "public"."t" () INHERITS ( "public"."t_2" );`}},
		"domains":                  {[]string{"CREATE DOMAIN d AS varchar(9) CHECK (VALUE <> ''); CREATE DOMAIN e d; CREATE TABLE t (a e NOT NULL, b public.d[])"}, []string{`CREATE TABLE "public"."t" ( "a" varchar ( 9 ) NOT NULL , "b" varchar ( 9 ) [] );`}},
		"a domain elsewhere":       {[]string{"CREATE DOMAIN x.text AS int; CREATE TABLE t (a pg_catalog.text, b x.text)"}, []string{`CREATE TABLE "public"."t" ( "a" pg_catalog.text , "b" int );`}},
		"placeholders":             {[]string{"CREATE TABLE ${s}.t (a ${type} DEFAULT ${d}, b varchar(${n}), ${more}) ${tail}; ALTER TABLE {{.p}}t ${action}, ADD c int DEFAULT :v"}, []string{`CREATE TABLE "public"."t" ( "a" outboxgen_unknown , "b" varchar ( 1 ) , CHECK (true) );`, `ALTER TABLE "public"."t" ADD COLUMN "c" int;`}},
		"parents":                  {[]string{"CREATE TABLE p (a int); CREATE TABLE t (b int) INHERITS (p) WITH (x = 1); ALTER TABLE p ADD c int; ALTER TABLE ONLY p DROP a"}, []string{`CREATE TABLE "public"."p_2" ( "a" int );`, `CREATE TABLE "public"."p" ( LIKE "public"."p_2" );`, `CREATE TABLE "public"."t" () INHERITS ( "public"."p" );`, `ALTER TABLE "public"."t" ADD COLUMN IF NOT EXISTS "b" int;`, `ALTER TABLE "public"."t" ADD COLUMN IF NOT EXISTS "c" int;`}},
		"parents no more":          {[]string{"CREATE TABLE p (); CREATE TABLE t (a int); ALTER TABLE t INHERIT p; ALTER TABLE t NO INHERIT p; ALTER TABLE p ADD wrong int, ATTACH PARTITION t; ALTER TABLE p DETACH PARTITION t CONCURRENTLY; DROP TABLE p CASCADE"}, []string{`CREATE TABLE "public"."t" ( "a" int );`}},
		"dropped with its parent":  {[]string{"CREATE TABLE p (a int); CREATE TABLE t () INHERITS (p); DROP TABLE p CASCADE; CREATE TABLE t (b int)"}, []string{`CREATE TABLE "public"."t" ( "b" int );`}},
		"queries":                  {[]string{"CREATE TABLE a (b int); CREATE TABLE t AS (SELECT a.b FROM a WHERE b>=1) WITH NO DATA"}, []string{`CREATE TABLE "public"."a" ( "b" int );`, `CREATE TABLE "public"."t" AS (SELECT a.b FROM "public"."a" WHERE b>=1);`}},
		"what Postgres 18 has":     {[]string{"CREATE TABLE t (a int GENERATED ALWAYS AS (b + 1), c int GENERATED ALWAYS AS (1) VIRTUAL NOT NULL, d int CHECK (d > 0) NOT ENFORCED, e int GENERATED BY DEFAULT AS IDENTITY (START 1) UNIQUE)"}, []string{`CREATE TABLE "public"."t" ( "a" int , "c" int NOT NULL , "d" int , "e" int UNIQUE );`}},
		"long text":                {[]string{"CREATE TABLE t (a text DEFAULT '" + strings.Repeat("x", 70000) + "', b text DEFAULT 'a\n-- +goose Down\nb')"}, []string{`CREATE TABLE "public"."t" ( "a" text , "b" text );`}},
		"what is not there":        {[]string{"ALTER TABLE t ADD a int; ALTER TABLE IF EXISTS t ADD b int; DROP TABLE t"}, []string{`ALTER TABLE t ADD a int;`, `DROP TABLE t;`}},
		"what is no statement":     {[]string{"CREATE TABEL t; APPEND t; APPEND a; CREATE VIEW v AS SELECT * FROM t; UPDATE t SET a = 1"}, []string{`CREATE TABEL t;`, `APPEND t;`}},
		"IF NOT EXISTS":            {[]string{"CREATE TABLE t (a int)", "CREATE TABLE IF NOT EXISTS t (b int)"}, []string{`CREATE TABLE "public"."t" ( "a" int );`}},
		"temporary ones":           {[]string{"CREATE TEMP TABLE t (a int); ALTER TABLE t ADD b int", "CREATE TABLE t (c int); CREATE TABLE pg_temp.t (d int); DROP TABLE t; ALTER TABLE t ADD e int"}, []string{`CREATE TABLE "public"."t" ( "c" int );`, `ALTER TABLE "public"."t" ADD COLUMN "e" int;`}},
		"temporary until COMMIT":   {[]string{"CREATE TABLE t (a int); BEGIN; CREATE TEMP TABLE t (b int) ON COMMIT DROP; ALTER TABLE t ADD wrong int; COMMIT; ALTER TABLE t ADD c int"}, []string{`CREATE TABLE "public"."t" ( "a" int );`, `ALTER TABLE "public"."t" ADD COLUMN "c" int;`}},
		"taken back":               {[]string{"BEGIN; CREATE TABLE t (a int); SAVEPOINT s; DROP TABLE t; ROLLBACK TO SAVEPOINT s; COMMIT; START TRANSACTION; ALTER TABLE t ADD wrong int; ROLLBACK; BEGIN; ALTER TABLE t ADD b int; END; ROLLBACK"}, []string{`CREATE TABLE "public"."t" ( "a" int );`, `ALTER TABLE "public"."t" ADD COLUMN "b" int;`}},
		"a column called exclude":  {[]string{"CREATE TABLE t (exclude int, EXCLUDE (a WITH =)); ALTER TABLE t ADD exclude int, ADD EXCLUDE USING gist (a WITH =)"}, []string{`CREATE TABLE "public"."t" ( "exclude" int , CHECK (true) );`, `ALTER TABLE "public"."t" ADD COLUMN "exclude" int;`}},
		"search_path":              {[]string{"SET search_path = x; CREATE TABLE t (a int); SET LOCAL search_path TO public, x; CREATE TABLE t (b int); COMMIT; ALTER TABLE t ADD c int", "ALTER TABLE t ADD d int"}, []string{`CREATE TABLE "public"."t" ( "b" int );`, `ALTER TABLE "public"."t" ADD COLUMN "d" int;`}},
		"SET LOCAL has no effect":  {[]string{"SET LOCAL search_path = x; BEGIN; CREATE TABLE t (a int); COMMIT; SET LOCAL search_path = x; ALTER TABLE t ADD b int", "-- +goose NO TRANSACTION\nSET LOCAL search_path = x; SELECT set_config('search_path', 'x', true); ALTER TABLE IF EXISTS t ADD c int", "-- migrate:up transaction:false\nSET LOCAL search_path = x; ALTER TABLE IF EXISTS t ADD d int", "SET LOCAL search_path = x; CREATE TABLE t (wrong int)"}, []string{`CREATE TABLE "public"."t" ( "a" int );`, `ALTER TABLE "public"."t" ADD COLUMN "b" int;`, `ALTER TABLE "public"."t" ADD COLUMN "c" int;`, `ALTER TABLE "public"."t" ADD COLUMN "d" int;`}},
		"a sequence of its name":   {[]string{"CREATE SEQUENCE IF NOT EXISTS t; ALTER TABLE t RENAME TO t_seq; CREATE TABLE t (a int)", "ALTER TABLE t ADD b int; ALTER SEQUENCE t_seq RENAME TO u; ALTER TABLE t_seq ADD c int"}, []string{`CREATE TABLE "public"."t" ( "a" int );`, `ALTER TABLE "public"."t" ADD COLUMN "b" int;`}},
		"an index of its name":     {[]string{"CREATE TABLE a (b int); CREATE UNIQUE INDEX CONCURRENTLY t ON a (b); ALTER INDEX IF EXISTS t RENAME TO i; ALTER TABLE i RENAME TO t; DROP INDEX CONCURRENTLY IF EXISTS t; CREATE TABLE t (a int); CREATE INDEX ON t (a); ALTER TABLE t DROP a"}, []string{`CREATE TABLE "public"."t" ( "a" int );`, `ALTER TABLE "public"."t" DROP COLUMN "a";`}},
		"a sequence that is gone":  {[]string{"CREATE SEQUENCE t; DROP SEQUENCE t; ALTER TABLE t RENAME TO u"}, []string{`ALTER TABLE t RENAME TO u;`}},
		"search_path in quotes":    {[]string{"CREATE SCHEMA x; SET \"search_path\" TO x; CREATE TABLE t (wrong int); DISCARD ALL; CREATE TABLE t (a int)"}, []string{`CREATE TABLE "public"."t" ( "a" int );`}},
		"placeholders for columns": {[]string{"CREATE TABLE t (a int); ALTER TABLE t DROP ${x}, ALTER {{.y}} TYPE text, ALTER {{.y}} SET NOT NULL, ADD ${z} int; ALTER TABLE t RENAME COLUMN :x TO y"}, []string{`CREATE TABLE "public"."t" ( "a" int );`}},
		"IF EXISTS and no path":    {[]string{"CREATE TABLE x.t (a int); ALTER TABLE IF EXISTS t ADD wrong int; DROP TABLE IF EXISTS t; ALTER SCHEMA x RENAME TO public"}, []string{`CREATE TABLE "public"."t" ( "a" int );`}},
		"IF EXISTS after a path":   {[]string{"CREATE SCHEMA x; SET search_path = x; CREATE TABLE t (a int)", "ALTER TABLE IF EXISTS t ADD b int; ALTER TABLE x.t SET SCHEMA public"}, []string{`CREATE TABLE "public"."t" ( "a" int );`, `ALTER TABLE "public"."t" ADD COLUMN "b" int;`}},
		"a schema that is gone":    {[]string{"CREATE SCHEMA x; SET search_path = x, public; ALTER SCHEMA x RENAME TO y; CREATE TABLE t (a int)"}, []string{`CREATE TABLE "public"."t" ( "a" int );`}},
		"search_path of a session": {[]string{"CREATE SCHEMA public; SET search_path = x; SELECT set_config('search_path', 'public, x', false)", "CREATE TABLE t (a int)"}, []string{`CREATE TABLE "public"."t" ( "a" int );`}},
		"schemas":                  {[]string{"CREATE SCHEMA x CREATE TABLE t (a int) CREATE TABLE u (b int); ALTER TABLE x.t DROP a; DROP SCHEMA IF EXISTS public CASCADE; ALTER SCHEMA x RENAME TO public; ALTER TABLE t ADD c int"}, []string{`CREATE TABLE "public"."t" ( "a" int );`, `ALTER TABLE "public"."t" DROP COLUMN "a";`, `ALTER TABLE "public"."t" ADD COLUMN "c" int;`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, got := of(test.files...)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Each part of a statement knows its place in the files.
func TestSource(t *testing.T) {
	t.Parallel()
	const text = "-- t\nCREATE TABLE t (\n  a int,\n  b text DEFAULT 'x'\n);\nALTER TABLE t ADD c varchar(9);"
	table, _ := of(text)
	for _, test := range []struct {
		statement     int
		staged, wrote string
	}{
		{0, "CREATE", "CREATE"}, {0, `"t"`, "t ("}, {0, `"a"`, "a int"}, {0, "int", "int,"}, {0, "nt\n", "nt,"},
		{0, `"b"`, "b text"}, {0, ")", ");"},
		{1, "ALTER", "ALTER"}, {1, `"t"`, "t ADD"}, {1, "ADD COLUMN", "ADD c"}, {1, `"c"`, "c var"}, {1, "(9)", "(9)"}, {1, "char", "char"},
	} {
		s := table.Statements[test.statement]
		if got, want := s.Source(strings.Index(s.SQL, test.staged)), strings.Index(text, test.wrote); got != want {
			t.Errorf("%q of %q comes from %q, want %q", test.staged, s.SQL, text[got:], text[want:])
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	const create = "CREATE TABLE t (a int);"
	for name, test := range map[string]struct {
		files []string
		want  history.Table
	}{
		"found":                  {[]string{"", "-- t\nCREATE TABLE public . t (a int)"}, history.Table{Found: true, Created: history.Place{File: 1, Offset: 27}}},
		"nowhere":                {[]string{"CREATE TABLE a (b int)"}, history.Table{}},
		"elsewhere":              {[]string{"CREATE TABLE b.t (b int); CREATE TABLE a.t (a int); CREATE TABLE c.t (a int); DROP TABLE c.t"}, history.Table{Elsewhere: []string{"a", "b"}}},
		"dropped":                {[]string{create, "DROP TABLE a, t CASCADE"}, history.Table{Dropped: &history.Place{File: 1, Offset: 14}}},
		"renamed":                {[]string{create + "ALTER TABLE t RENAME TO u"}, history.Table{Dropped: &history.Place{Offset: 47}}},
		"with psql":              {[]string{"\\i a.sql\n\\set x\n  \\ir b\n"}, history.Table{Includes: []history.Place{{}, {Offset: 18}}}},
		"with tern":              {[]string{"{{ template \"shared/t.sql\" . }}\nSELECT 1;"}, history.Table{Includes: []history.Place{{}}}},
		"a DO":                   {[]string{create + "DO $$ BEGIN ALTER TABLE t ADD b int; END $$"}, found()},
		"made again in a DO":     {[]string{create + "DO $$ BEGIN DROP TABLE t; CREATE TABLE t (); END $$"}, history.Table{Found: true, Created: history.Place{Offset: 62}}},
		"dropped in a DO":        {[]string{create + "DO $$ DECLARE n text := 't'; BEGIN EXECUTE 'DROP TABLE ' || n; END $$"}, history.Table{Dropped: &history.Place{Offset: 83}}},
		"a loop, once":           {[]string{create + "DO $$ BEGIN LOOP DROP TABLE t; CREATE TABLE t (); END LOOP; END $$"}, unread("a DO block", 51)},
		"in a schema":            {[]string{create + "DO 'BEGIN IF f() THEN ALTER TABLE IF EXISTS ONLY public.t DROP a; END IF; END'"}, unread("a DO block", 79)},
		"a string in a loop":     {[]string{create + "DO $$ BEGIN WHILE true LOOP EXECUTE 'ALTER TABLE t RENAME a TO b'; END LOOP; END $$"}, unread("a DO block", 72)},
		"a name put together":    {[]string{create + "DO $$ BEGIN EXECUTE format('ALTER TABLE %I.%I ADD b int', 'public', n) USING 't'; END $$"}, unread("a DO block", 101)},
		"joined":                 {[]string{create + "DO $$ DECLARE n text := lower('t'); BEGIN EXECUTE 'DROP TABLE ' || n; END $$"}, unread("a DO block", 54)},
		"renamed in a handler":   {[]string{create + "DO $$ BEGIN NULL; EXCEPTION WHEN OTHERS THEN ALTER TABLE new_t RENAME TO t; END $$"}, unread("a DO block", 96)},
		"another language":       {[]string{create + "DO LANGUAGE plperl $$ spi_exec_query('ALTER TABLE t ADD b int'); $$"}, unread("a DO block", 73)},
		"columns of a query":     {[]string{"CREATE TABLE a (b int); CREATE VIEW t (c, d) AS SELECT b, b + 1 FROM a"}, history.Table{Found: true, Created: history.Place{Offset: 36}, Opaque: &history.Place{Offset: 36}}},
		"a function":             {[]string{create + "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DROP TABLE t'"}, unread("a function", 84)},
		"a procedure":            {[]string{create + "CREATE OR REPLACE PROCEDURE f() LANGUAGE sql AS $x$ALTER TABLE t ADD b int$x$"}, unread("a procedure", 86)},
		"a string":               {[]string{create + "SELECT run($$ALTER TABLE t ADD b int$$)"}, unread("a string", 48)},
		"constraints in a DO":    {[]string{create + "DO $$ BEGIN ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0), OWNER TO x; END $$"}, found()},
		"another table in a DO":  {[]string{create + "DO $$ BEGIN ALTER TABLE x.t ADD b int; DROP TABLE t2; CREATE TEMP TABLE t (); END $$"}, found()},
		"rows in a DO":           {[]string{create + "DO $$ BEGIN INSERT INTO t VALUES (1); CREATE TABLE u AS SELECT * FROM t; END $$"}, found()},
		"texts nobody executes":  {[]string{create + "COMMENT ON TABLE t IS 'ALTER TABLE t ADD b int'; INSERT INTO t VALUES ('DROP TABLE t');"}, found()},
		"a domain that a DO has": {[]string{create + "DO $$ BEGIN CREATE DOMAIN t AS int; END $$"}, found()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _ := of(test.files...)
			got.Statements, got.Columns, got.Plain = nil, nil, false // other tests look at them
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Functions that call one another are not followed forever.
func TestCallsEnd(t *testing.T) {
	t.Parallel()
	const many = 12
	sql := "CREATE TABLE t (a int);"
	for i := range many {
		sql += fmt.Sprintf("CREATE FUNCTION f%d() RETURNS void LANGUAGE plpgsql AS $$ BEGIN ", i)
		for j := range many {
			sql += fmt.Sprintf("PERFORM f%d(); ", j)
		}
		sql += "END $$;"
	}
	if table, _ := of(sql + "SELECT f0();"); !table.Found {
		t.Error("the table is lost")
	}
}

// The calls of one statement are limited, not those of all migrations: a seed may call a
// function for each row. A call beyond the limit may change the table.
func TestCallsAreLimited(t *testing.T) {
	t.Parallel()
	const (
		calls = 1001
		add   = "CREATE FUNCTION add() RETURNS void LANGUAGE sql AS 'ALTER TABLE t ADD b int';"
	)
	sql := "CREATE TABLE t (a int);CREATE FUNCTION seed() RETURNS void LANGUAGE sql AS 'SELECT 1';" + add
	at := strings.Index(sql, "t ADD b")
	created := []string{`CREATE TABLE "public"."t" ( "a" int );`}
	added := append(slices.Clone(created), `ALTER TABLE "public"."t" ADD COLUMN IF NOT EXISTS "b" int;`)
	again := "SELECT add();ALTER TABLE t DROP b;"
	addedAgain := append(slices.Clone(added), `ALTER TABLE "public"."t" DROP COLUMN "b";`)
	deep := ""
	for i := range 9 {
		deep += fmt.Sprintf("CREATE FUNCTION f%d() RETURNS void LANGUAGE sql AS 'SELECT f%d()';", i, i+1)
	}
	deep = strings.Replace(deep, "f8() RET", "unused() RET", 1)
	deep = strings.ReplaceAll(deep, "SELECT f8()", "SELECT add()")
	for name, test := range map[string]struct {
		sql        string
		statements []string
		table      history.Table
	}{
		"of many statements": {strings.Repeat("SELECT seed();", calls) + "SELECT add();", added, found()},
		"of one statement":   {again + "SELECT " + strings.Repeat("seed(), ", calls) + "add();", addedAgain, unread("a function", at)},
		"deep":               {again + deep + "SELECT f0();", addedAgain, unread("a function", at)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table, statements := of(sql + test.sql)
			if diff := cmp.Diff(test.statements, statements); diff != "" {
				t.Errorf("statements (-want +got):\n%s", diff)
			}
			table.Statements, table.Columns, table.Gone, table.Plain = nil, nil, nil, false
			if diff := cmp.Diff(test.table, table); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
		})
	}
}

// found returns a statement that creates the table, at the beginning of the first file.
func found() history.Table { return history.Table{Found: true, Created: history.Place{Offset: 13}} }

// unread is such a table with a statement that is not followed.
func unread(what string, offset int) history.Table {
	table := found()
	table.Unread = []history.Unread{{Place: history.Place{Offset: offset}, What: what}}
	return table
}

// For any text the search ends, and every place is inside the text.
func FuzzOf(f *testing.F) {
	for _, seed := range []string{
		"CREATE TABLE t (a int, LIKE b, ${c}) INHERITS (d); ALTER TABLE t ADD e int, RENAME TO u", "CREATE TABLE t PARTITION OF p DEFAULT", "SELECT * INTO t FROM t",
		"DO $$ BEGIN EXECUTE 'ALTER TABLE t'; END $$", "CREATE SCHEMA x CREATE TABLE t (", "CREATE DOMAIN d d; CREATE TABLE t (a d)", "SET search_path TO ,; DROP TABLE t,",
		"CREATE TABLE t (a GENERATED", "ALTER TABLE t ALTER", "CREATE TABLE p (); CREATE TABLE t () INHERITS (p); ALTER TABLE p INHERIT t; ALTER TABLE p ADD a int, DROP a", "create temp table t as with a as (select",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		table := history.Of(script.Only([]byte(text)), "public", "t")
		for _, s := range table.Statements {
			for i := range len(s.SQL) {
				if at := s.Source(i); at < 0 || at > len(text) {
					t.Fatalf("byte %d of %q comes from %d of %d", i, s.SQL, at, len(text))
				}
			}
		}
		for _, u := range table.Unread {
			if u.Offset < 0 || u.Offset >= len(text) {
				t.Fatalf("unread at %d of %d", u.Offset, len(text))
			}
		}
	})
}
