package sqlc_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/sqlc"
)

// Objects that a platform creates before the first migration are unknown, and do not
// matter. Postgres cannot run these migrations without the platform.
func TestOfThePlatform(t *testing.T) {
	t.Parallel()
	statements := []string{
		"COMMENT ON TABLE auth.users IS 'of the platform'",
		"ALTER TABLE storage.objects ENABLE ROW LEVEL SECURITY",
		"ALTER TABLE auth.users ADD COLUMN extra int",
		"CREATE TRIGGER t AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION public.f()",
		"CREATE POLICY p ON storage.objects FOR SELECT TO authenticated USING (bucket_id = 'a')",
		"CREATE TABLE a (id uuid REFERENCES auth.users (id), g geometry(Point, 4326), v vector(3))",
		"SELECT create_hypertable('a', 'at'), cron.schedule('x', '* * * * *', 'DELETE FROM event_outbox')",
		"CREATE INDEX ON a USING hnsw (v vector_cosine_ops)",
		"CREATE FOREIGN TABLE f (a int) SERVER elsewhere OPTIONS (table_name 'event_outbox')",
		"IMPORT FOREIGN SCHEMA x LIMIT TO (event_outbox) FROM SERVER elsewhere INTO y",
		"CREATE TABLE b () USING columnar",
		"GRANT app TO CURRENT_USER; ALTER ROLE app SET search_path TO app; ALTER DATABASE x SET timezone TO 'UTC'",
		"ALTER TYPE extensions.kind ADD VALUE 'b'; DROP TYPE nowhere.kind; ALTER DOMAIN nowhere.d DROP NOT NULL",
		"CREATE TABLE c (LIKE platform.t INCLUDING ALL, x int) INHERITS (platform.u)",
		"CREATE TABLE d PARTITION OF platform.t FOR VALUES IN (1)",
		"DROP SCHEMA platform CASCADE; ALTER SCHEMA nowhere RENAME TO somewhere",
	}
	if testing.Short() { // all in one migration
		statements = []string{strings.Join(statements, ";\n")}
	}
	for _, statement := range statements {
		archive := strings.ReplaceAll("-- db/1.sql --\n"+statement+";\n-- db/2.sql --\nCREATE TABLE event_outbox (@columns@);\n", "@columns@", ourColumns)
		files, said := generate(t, archive, sqlc.Options{Migrations: "db"})
		if len(said) > 0 || len(files) == 0 {
			t.Errorf("%s: %q, files %v", statement, said, names(files))
		}
	}
}

// A fault of the outbox in a migration is reported at its place, with the fix.
func TestBrokenMigrations(t *testing.T) {
	t.Parallel()
	const (
		outbox  = "\n-- db/2.sql --\nCREATE TABLE event_outbox (" + ourColumns + ");\n"
		correct = "; correct the statement, or remove sqlc.migrations to compile against the tables of `outboxgen migration`"
		repeat  = "; outboxgen cannot evaluate it; if it does, repeat the change as a plain statement in a later migration, with IF EXISTS or IF NOT EXISTS"
		missing = "; add the migration that `outboxgen migration --format sql` prints, or remove sqlc.migrations to compile against the tables of `outboxgen migration`"
		nowhere = "outboxgen.yaml:9:1: no migration in db creates the table event_outbox" + missing
	)
	for name, test := range map[string]struct {
		archive string
		schema  string
		want    []string
	}{
		"a word that is none": {
			archive: "-- db/1.sql --\nSELECT 1;\n\n  CREATE TABEL event_outbox (id int);\n",
			want:    []string{"db/1.sql:3:10: sqlc: syntax error at or near \"TABEL\"" + correct},
		},
		"a comma too much": {
			archive: "-- db/1.sql --\n-- event_outbox\nCREATE TABLE public.event_outbox (\n\tid uuid PRIMARY KEY,\n);\n",
			want:    []string{"db/1.sql:4:1: sqlc: syntax error at or near \")\"" + correct},
		},
		"an action that is none": {
			archive: outbox + "-- db/3.sql --\nALTER TABLE a ADD COLUMN w int;\n/* event_outbox */ ALTER TABLE event_outbox\n  ADD COLUMN a int, APPEND COLUMN b int;\n",
			want:    []string{"db/3.sql:3:21: sqlc: syntax error at or near \"APPEND\"" + correct},
		},
		"a constraint that is none": {
			archive: outbox + "-- db/3.sql --\nALTER TABLE event_outbox ADD COLUMN a int NOT NUL;\n",
			want:    []string{"db/3.sql:1:47: sqlc: syntax error at or near \"NUL\"" + correct},
		},
		"a column that is there": {
			archive: outbox + "-- db/3.sql --\n-- topic of event_outbox\nALTER TABLE event_outbox ADD COLUMN a int;\nALTER TABLE event_outbox ADD COLUMN topic text;\n",
			want:    []string{"db/3.sql:3:37: sqlc: column \"topic\" of relation \"event_outbox\" already exists" + correct},
		},
		"a column that is not there": {
			archive: outbox + "-- db/3.sql --\n-- subject\nALTER TABLE event_outbox RENAME subject TO title;\n",
			want:    []string{"db/3.sql:2:33: sqlc: column \"subject\" of relation \"event_outbox\" does not exist" + correct},
		},
		"a table that is there": {
			archive: outbox + "-- db/10.sql --\nCREATE SCHEMA app;\nCREATE TABLE app.event_outbox (id int);\nCREATE TABLE event_outbox (id int);\n",
			want:    []string{"db/10.sql:3:14: sqlc: relation \"event_outbox\" already exists" + correct},
		},
		"a table that is not there yet": {
			archive: "-- db/1.sql --\nALTER TABLE event_outbox ADD COLUMN a int;" + outbox,
			want:    []string{"db/1.sql:1:13: sqlc: relation \"event_outbox\" does not exist" + correct},
		},
		"a table that is dropped": {
			archive: outbox + "-- db/3.sql --\nDROP VIEW IF EXISTS v;\nDROP TABLE IF EXISTS a, event_outbox;\n",
			want:    []string{"db/3.sql:2:25: no table event_outbox is left after this statement, and no later migration in db creates it" + missing},
		},
		"a table that is renamed": {
			archive: outbox + "-- db/3.sql --\nALTER TABLE event_outbox RENAME TO outbox;\n",
			want:    []string{"db/3.sql:1:36: no table event_outbox is left after this statement, and no later migration in db creates it" + missing},
		},
		"another schema by the search_path": {
			archive: "-- db/1.sql --\nCREATE SCHEMA app;\nSET search_path TO app, public;\nCREATE TABLE event_outbox (" + ourColumns + ");\n",
			want:    []string{"outboxgen.yaml:9:1: db creates event_outbox in the schema \"app\", not in \"public\"; set sqlc.schema to it"},
		},
		"the search_path of an earlier file": {
			archive: "-- db/1.sql --\nSET search_path TO app, public;" + outbox,
			schema:  "app",
		},
		"a type that is another one": {
			archive: "-- db/1.sql --\nCREATE DOMAIN number AS bigint;\nCREATE TABLE event_outbox (" + strings.Replace(ourColumns, "id uuid", "id number", 1) + ");\n",
			want:    []string{"db/1.sql:2:14: column \"id\" of event_outbox has the type int8, not uuid; change its type in a migration"},
		},
		"a table that a DO makes": {
			archive: "-- db/1.sql --\nDO $$ BEGIN LOOP\n  ALTER TABLE s RENAME TO event_outbox;\nEND LOOP; END $$;\n",
			want:    []string{"db/1.sql:2:27: warning: a DO block may change the columns of event_outbox" + repeat, nowhere},
		},
		"a table that a string makes": {
			archive: "-- db/1.sql --\nSELECT run('CREATE TABLE event_outbox (id uuid)');\n",
			want:    []string{"db/1.sql:1:26: warning: a string may change the columns of event_outbox" + repeat, nowhere},
		},
		"a view that sqlc does not understand": {
			archive: "-- db/1.sql --\nCREATE TABLE a (x int);\nCREATE VIEW event_outbox AS SELECT nothing FROM a;\n",
			want:    []string{"db/1.sql:2:1: warning: outboxgen cannot determine the columns that this query gives event_outbox; sqlc: column \"nothing\" does not exist; compare them with those that `outboxgen migration --format sql` prints; outboxgen assumes that they exist"},
		},
		"a view of unknown columns": {
			archive: "-- db/1.sql --\nCREATE TABLE a (x int);\nCREATE VIEW event_outbox (id) AS SELECT x + 1 FROM a;\n",
			want:    []string{"db/1.sql:2:13: warning: outboxgen cannot determine the columns that this query gives event_outbox; its query does not name them; compare them with those that `outboxgen migration --format sql` prints; outboxgen assumes that they exist"},
		},
		"a table of another file": {
			archive: "-- db/1.sql --\n\\i ../tables.sql\n",
			want:    []string{"db/1.sql:1:1: warning: this migration includes another file, which outboxgen cannot find; if that file has event_outbox, set sqlc.migrations to the file or its folder", nowhere},
		},
		"nothing of the outbox": {
			archive: "-- db/1.sql --\nCREATE TABEL a (id int);\nALTER TABLE b ADD COLUMN c int;\nCREATE TABLE c (id int); CREATE TABLE c (id int);\n",
			want:    []string{nowhere},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, said := generate(t, test.archive, sqlc.Options{Migrations: "db", Schema: test.schema})
			if diff := cmp.Diff(test.want, said); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if failed := slices.ContainsFunc(said, func(s string) bool { return !strings.Contains(s, ": warning: ") }); failed != (len(files) == 0) {
				t.Errorf("%d findings, files %v", len(said), names(files))
			}
		})
	}
}

// A file that cannot be read is reported, and its folder is not.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	dir := project(t, "-- db/1.sql --\n")
	if err := os.Symlink("nowhere", filepath.Join(dir, "db", "2.sql")); err != nil {
		t.Fatal(err)
	}
	_, list, err := sqlc.Generate(t.Context(), sqlc.Options{Dir: dir, Migrations: "db", Command: command(t)})
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, f := range list.Sorted() {
		said = append(said, strings.TrimSuffix(f.String(), " ["+f.ID+"]"))
	}
	want := []string{"db/2.sql:1:1: this migration cannot be read: no such file or directory; make the file readable, or remove sqlc.migrations to compile against the tables of `outboxgen migration`"}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// Statements that are newer than sqlc's parser do not stop a run.
func TestNewerSyntax(t *testing.T) {
	t.Parallel()
	const archive = `-- db/1.sql --
CREATE TABLE a (id int, at daterange, v int GENERATED ALWAYS AS (id + 1) VIRTUAL, CONSTRAINT k PRIMARY KEY (id, at WITHOUT OVERLAPS), CONSTRAINT n NOT NULL v NOT VALID, FOREIGN KEY (id, PERIOD at) REFERENCES b (id, PERIOD at) NOT ENFORCED);
MERGE INTO a USING b ON a.id = b.id WHEN NOT MATCHED BY SOURCE THEN DELETE RETURNING merge_action(), OLD.id, NEW.id;
CREATE VIEW v AS SELECT * FROM JSON_TABLE('[]', '$[*]' COLUMNS (id int PATH '$.id', NESTED PATH '$.x[*]' COLUMNS (y text PATH '$')));
UPDATE a SET id = 1 RETURNING WITH (OLD AS o, NEW AS n) o.id, n.id;
CREATE TABLE event_outbox (@columns@, x int GENERATED ALWAYS AS (retry_count + 1), y text DEFAULT JSON_SERIALIZE(JSON('{}') RETURNING text) NOT NULL NOT VALID, z int CHECK (z > 0) NOT ENFORCED, CONSTRAINT n NOT NULL topic NO INHERIT);
ALTER TABLE event_outbox ADD CONSTRAINT m NOT NULL x NOT VALID, ALTER CONSTRAINT m ENFORCED, ADD w int GENERATED ALWAYS AS (1) VIRTUAL;
ALTER TABLE event_outbox ALTER x SET EXPRESSION AS (retry_count + 2), ALTER CONSTRAINT n INHERIT;
`
	_, said := generate(t, strings.ReplaceAll(archive, "@columns@", ourColumns), sqlc.Options{Migrations: "db"})
	if diff := cmp.Diff([]string(nil), said); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
