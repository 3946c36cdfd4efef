package sqlc_test

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/migrationfolder"
	"github.com/outboxgen/outboxgen/generator/internal/sqlc"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// legal is a folder of migrations, db, that Postgres runs.
type legal struct {
	archive string
	schema  string
	// fill has the values that a migration tool would insert for placeholders.
	fill map[string]string
	// want is the findings; none of them may be an error.
	want []string
	// unlike says why sqlc is not compared with Postgres; "": it is.
	unlike string
}

// ourColumns are the columns of the outbox. In an archive, @columns@ stands for them,
// and @outbox@ and @upgrade@ for the output of `outboxgen migration`.
const ourColumns = `id uuid PRIMARY KEY, aggregate_id text NOT NULL, aggregate_type varchar(100) NOT NULL, event_type text NOT NULL,
	event_data json NOT NULL, event_key text, topic text NOT NULL, headers json, created_at timestamptz NOT NULL DEFAULT now(),
	published_at timestamptz, retry_count int NOT NULL DEFAULT 0, last_error text, tx xid8 DEFAULT pg_current_xact_id(),
	seq bigint GENERATED ALWAYS AS IDENTITY, next_attempt_at timestamptz, dead_at timestamptz, partition int`

func (l legal) archiveText(t *testing.T) string {
	t.Helper()
	upgrade, err := migrations.Files(migrations.Plain, migrations.Options{Kind: migrations.KindUpgrade})
	if err != nil || !strings.Contains(upgrade[len(upgrade)-1].Name, "up") {
		t.Fatal(upgrade, err)
	}
	return strings.NewReplacer("@outbox@", migrations.SQL(), "@columns@", ourColumns, "@upgrade@", string(upgrade[len(upgrade)-1].Content)).Replace(l.archive)
}

// Code is generated for migrations that Postgres runs, and sqlc sees the columns that
// the outbox has in Postgres.
func TestLegalMigrations(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles hundreds of migrations")
	}
	cases := map[string]legal{}
	for _, group := range []map[string]legal{untouched, touched, syntax, more, tools, hostile, blocks, layouts, odd} {
		for name, test := range group {
			if _, twice := cases[name]; twice {
				t.Fatalf("two cases are called %s", name)
			}
			cases[name] = test
		}
	}
	psql := services.Program(t, "psql", "psql")
	t.Logf("%d cases", len(cases))
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		test := cases[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := sqlc.Options{
				Dir: project(t, test.archiveText(t)), Migrations: "db", Schema: test.schema,
				Command: command(t), Pos: finding.Pos{File: "outboxgen.yaml", Line: 9, Col: 1},
			}
			files, list, got, err := sqlc.GenerateColumns(t.Context(), opts)
			if err != nil {
				t.Fatal(err)
			}
			var said []string
			for _, f := range list.Sorted() {
				said = append(said, strings.TrimSuffix(f.String(), " ["+f.ID+"]"))
			}
			if diff := cmp.Diff(test.want, said); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(written, names(files)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			want, state := apply(t, psql, filepath.Join(opts.Dir, "db"), test)
			if states := statesIn(said); len(states) > 0 && !slices.Contains(states, state) {
				t.Errorf("an insert fails with SQLSTATE %q, and the findings say %q", state, states)
			}
			if test.unlike != "" {
				return
			}
			if diff := cmp.Diff(want, kinds(got, want)); diff != "" {
				t.Errorf("columns (-Postgres +sqlc):\n%s", diff)
			}
		})
	}
}

// kinds returns the types of the columns in the names of Postgres. Only types of
// Postgres itself count, because sqlc does not get enums and the like.
func kinds(got, want map[string]string) map[string]string {
	all := map[string]string{}
	for name, kind := range got {
		if alias, ok := map[string]string{"serial": "int4", "bigserial": "int8", "smallserial": "int2"}[kind]; ok {
			kind = alias
		}
		if want[name] == "own" {
			kind = "own"
		}
		all[name] = kind
	}
	return all
}

// statesIn returns the SQLSTATEs in findings that say that every insert fails.
func statesIn(findings []string) []string {
	var all []string
	for _, text := range findings {
		if state := stateIn.FindStringSubmatch(text); state != nil && strings.Contains(text, "every insert of an event fails") {
			all = append(all, state[1])
		}
	}
	return all
}

// apply runs the migrations as their tool would, in a new database, and returns the
// columns of the outbox with their types, and the SQLSTATE of an insert. For types that
// are not Postgres's own, it returns "own".
func apply(t *testing.T, psql, dir string, test legal) (columns map[string]string, state string) {
	t.Helper()
	pg := services.Postgres(t)
	folder, err := migrationfolder.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folder.Files {
		text := string(f.SQL)
		for placeholder, value := range test.fill {
			text = strings.ReplaceAll(text, placeholder, value)
		}
		file := filepath.Join(dir, filepath.Dir(f.Name), ".up.sql") // beside it, for \\ir
		if len(folder.Files) == 1 && folder.Files[0].Name == filepath.Base(dir) {
			file = filepath.Join(filepath.Dir(dir), ".up.sql")
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), psql, "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", file, pg.URL)
		cmd.Dir = filepath.Dir(file)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("Postgres refuses %s: %v\n%s", f.Name, err, out)
		}
	}
	schema := test.schema
	if schema == "" {
		schema = "public"
	}
	conn := pg.Connect(t.Context())
	columns = columnsOf(t, conn, schema)
	insert := strings.Replace(insertEvent, "public.", pgx.Identifier{schema}.Sanitize()+".", 1)
	if _, err := conn.Exec(t.Context(), insert); err != nil {
		of := new(pgconn.PgError)
		if !errors.As(err, &of) {
			t.Fatal(err)
		}
		state = of.Code
	}
	return columns, state
}

// columnsOf returns the columns of the outbox in a schema of a database, or none if
// there is no outbox.
func columnsOf(t *testing.T, conn *pgx.Conn, schema string) map[string]string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `
		SELECT attname::text, CASE WHEN b.typnamespace = 'pg_catalog'::regnamespace OR b.typname = 'citext' THEN b.typname ELSE 'own' END::text
		FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = atttypid
		CROSS JOIN LATERAL (
			WITH RECURSIVE base AS (
				SELECT t.oid, t.typbasetype
				UNION ALL SELECT p.oid, p.typbasetype FROM base JOIN pg_type AS p ON p.oid = base.typbasetype
			) SELECT p.* FROM base JOIN pg_type AS p USING (oid) WHERE base.typbasetype = 0
		) AS b
		WHERE attrelid = to_regclass(format('%I.event_outbox', $1::text)) AND attnum > 0 AND NOT attisdropped`, schema)
	if err != nil {
		t.Fatal(err)
	}
	type column struct{ Name, Type string }
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, c := range columns {
		all[c.Name] = strings.TrimPrefix(c.Type, "_")
	}
	return all
}
