package sqlc_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sqlc-dev/sqlc/pkg/cli"
	"golang.org/x/tools/txtar"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/sqlc"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// The test binary acts as sqlc if this is its first argument.
const asSQLC = "run-sqlc"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asSQLC {
		debug.SetGCPercent(-1) // it ends soon
		os.Exit(cli.Run(os.Args[2:]))
	}
	services.Main(m)
}

// command returns a command that acts as sqlc: an outboxgen without the race detector,
// which is several times faster, or else this test binary.
func command(t *testing.T) []string {
	t.Helper()
	if plain := os.Getenv("OUTBOXGEN_TEST_PLAIN"); plain != "" {
		return []string{plain, "sqlc"}
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{exe, asSQLC}
}

// project writes a txtar archive into a folder.
func project(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		name := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// findings runs sqlc over a project given as a txtar archive.
func generate(t *testing.T, archive string, opts sqlc.Options) ([]sqlc.File, []string) {
	t.Helper()
	opts.Dir = project(t, archive)
	opts.Command = command(t)
	opts.Pos = finding.Pos{File: "outboxgen.yaml", Line: 9, Col: 1}
	files, list, err := sqlc.Generate(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, f := range list.Sorted() {
		said = append(said, strings.TrimSuffix(f.String(), " ["+f.ID+"]"))
	}
	return files, said
}

func names(files []sqlc.File) []string {
	var all []string
	for _, f := range files {
		all = append(all, f.Name)
	}
	return all
}

var written = []string{"db.go", "queries.sql", "queries.sql.go"}

func TestOurOwnTables(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{"", "public", "outbox", `a "quoted" name`} {
		t.Run(schema, func(t *testing.T) {
			t.Parallel()
			files, said := generate(t, "", sqlc.Options{Schema: schema})
			if diff := cmp.Diff([]string(nil), said); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(written, names(files)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			again, _ := generate(t, "", sqlc.Options{Schema: schema})
			if diff := cmp.Diff(files, again); diff != "" {
				t.Errorf("a second run differs (-first +second):\n%s", diff)
			}
		})
	}
}

// Generated code sets the fields of these structs by name.
func TestParams(t *testing.T) {
	t.Parallel()
	files, _ := generate(t, "", sqlc.Options{})
	for _, want := range []string{`
type InsertEventParams struct {
	ID            uuid.UUID
	AggregateType string
	AggregateID   string
	EventType     string
	Topic         string
	EventKey      *string
	EventData     []byte
	Headers       []byte
}
`, `
type InsertEventsParams struct {
	IDs            []uuid.UUID
	AggregateTypes []string
	AggregateIDs   []string
	EventTypes     []string
	Topics         []string
	Keyed          []bool
	EventKeys      []string
	EventData      [][]byte
	Headers        [][]byte
}
`} {
		if !bytes.Contains(files[2].Content, []byte(want)) {
			t.Errorf("%s lacks%s\nit is:\n%s", files[2].Name, want, files[2].Content)
		}
	}
}

// The first migration creates an older table, the second adds a column with a name that
// the tenth needs. Only the tool's own order compiles.
func TestLayouts(t *testing.T) {
	t.Parallel()
	const (
		create = `CREATE TABLE event_outbox (
	id uuid PRIMARY KEY, aggregate_id varchar(255) NOT NULL, aggregate_type varchar(100) NOT NULL,
	event_type varchar(255) NOT NULL, event_data json NOT NULL, event_key varchar(255),
	created_at timestamptz NOT NULL DEFAULT now(), published_at timestamptz, retry_count int NOT NULL DEFAULT 0, last_error text,
	tx xid8, seq bigint GENERATED ALWAYS AS IDENTITY
);
`
		second = "ALTER TABLE event_outbox ADD COLUMN next_attempt_at timestamptz, ADD COLUMN dead_at timestamptz, ADD COLUMN partition int, ADD COLUMN subject varchar(255), ADD COLUMN headers json;\n"
		tenth  = "ALTER TABLE event_outbox RENAME COLUMN subject TO topic;\n"
		undo   = "DROP TABLE event_outbox;\n"
	)
	goose := func(up, down string) string { return "-- +goose Up\n" + up + "-- +goose Down\n" + down }
	tern := func(up, down string) string { return up + "---- create above / drop below ----\n" + down }
	for name, archive := range map[string]string{
		"goose": "-- db/1_create.sql --\n" + goose(create, undo) +
			"-- db/2_more.sql --\n" + goose(second, undo) +
			"-- db/10_rename.sql --\n" + goose(tenth, undo) +
			"-- db/seed.sql --\nINSERT INTO nowhere VALUES (1);\nDROP TABLE event_outbox;\n",
		"goose, down first, no space": "-- db/1_create.sql --\n--+goose Down\n" + undo + "--+goose Up\n" + create +
			"-- db/2_more.sql --\n" + goose(second, undo) +
			"-- db/10_rename.sql --\n" + goose(tenth, undo),
		"golang-migrate": "-- db/1_create.up.sql --\n" + create + "-- db/1_create.down.sql --\n" + undo +
			"-- db/2_more.up.sql --\n" + second + "-- db/2_more.down.sql --\n" + undo +
			"-- db/10_rename.up.sql --\n" + tenth + "-- db/10_rename.down.sql --\n" + undo,
		"tern": "-- db/1_create.sql --\n" + tern(create, undo) +
			"-- db/2_more.sql --\n" + tern(second, undo) +
			"-- db/10_rename.sql --\n" + tern(tenth, undo),
		"atlas": "-- db/20240101000000.sql --\nCREATE TABLE gone (id int);\n-- db/20240102000000_checkpoint.sql --\n-- atlas:checkpoint\n\n" + create +
			"-- db/20240103000000.sql --\n" + second +
			"-- db/20240110000000.sql --\n" + tenth +
			"-- db/atlas.sum --\nh1:none\n",
		"plain folder": "-- db/1.sql --\n" + create + "-- db/2.sql --\n" + second + "-- db/10.sql --\n" + tenth,
		"dbmate":       "-- db/1_a.sql --\n-- migrate:up\n" + create + "-- migrate:down\n" + undo + "-- db/2_b.sql --\n" + second + "-- db/10_c.sql --\n" + tenth,
		"one file":     "-- db --\n" + create + second + tenth,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, said := generate(t, archive, sqlc.Options{Migrations: "db"})
			if diff := cmp.Diff([]string(nil), said); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(written, names(files)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	const rest = "created_at timestamptz, published_at timestamptz, retry_count int, last_error text, tx xid8, seq bigint, next_attempt_at timestamptz, dead_at timestamptz, partition int"
	const whole = "id uuid PRIMARY KEY, aggregate_id text, aggregate_type text, event_type text, event_data json, event_key text, topic text, headers json, " + rest
	for name, test := range map[string]struct {
		archive string
		opts    sqlc.Options
		want    []string
	}{
		"columns are missing": {
			archive: "-- db/migrations/1_first.sql --\n-- +goose Up\nCREATE TABLE users (id int);\n-- db/migrations/2_outbox.sql --\n-- +goose Up\n-- events\n  create table if not exists \"event_outbox\" (id uuid PRIMARY KEY, aggregate_id text, aggregate_type text, event_type text, event_data json, event_key text, created_at timestamptz, published_at timestamptz, retry_count int, last_error text);\n",
			opts:    sqlc.Options{Migrations: "db/migrations/"},
			want: []string{
				"db/migrations/2_outbox.sql:3:30: table event_outbox has no column \"headers\", which the insert functions write; add the migration that `outboxgen migration --format goose --upgrade` prints",
				"db/migrations/2_outbox.sql:3:30: table event_outbox has no column \"topic\", which the insert functions write; add the migration that `outboxgen migration --format goose --upgrade` prints",
				"db/migrations/2_outbox.sql:3:30: warning: table event_outbox has no column \"dead_at\", which the relay needs; add the migration that `outboxgen migration --format goose --upgrade` prints",
				"db/migrations/2_outbox.sql:3:30: warning: table event_outbox has no column \"next_attempt_at\", which the relay needs; add the migration that `outboxgen migration --format goose --upgrade` prints",
				"db/migrations/2_outbox.sql:3:30: warning: table event_outbox has no column \"partition\", which the relay needs; add the migration that `outboxgen migration --format goose --upgrade` prints",
				"db/migrations/2_outbox.sql:3:30: warning: table event_outbox has no column \"seq\", which the relay needs; add the migration that `outboxgen migration --format goose --upgrade` prints",
				"db/migrations/2_outbox.sql:3:30: warning: table event_outbox has no column \"tx\", which the relay needs; add the migration that `outboxgen migration --format goose --upgrade` prints",
			},
		},
		"columns of the older shape are missing": {
			archive: "-- db/1_outbox.up.sql --\nCREATE TABLE event_outbox (id uuid PRIMARY KEY, aggregate_id text, aggregate_type text, event_type text, payload json, event_key text, topic text, headers json, " + strings.Replace(rest, "tx xid8, ", "", 1) + ");\n",
			opts:    sqlc.Options{Migrations: "db"},
			want: []string{
				"db/1_outbox.up.sql:1:14: table event_outbox has no column \"event_data\", which the insert functions write; add it, or rename the column that it is, in a migration before the upgrade; docs/migrating.md, \"The usual shape\", lists what the upgrade needs",
				"db/1_outbox.up.sql:1:14: warning: table event_outbox has no column \"tx\", which the relay needs; first add the columns that the upgrade needs, then add the migration that `outboxgen migration --format migrate --upgrade` prints",
			},
		},
		"no table": {
			archive: "-- db/1_first.up.sql --\nCREATE TABLE users (id int);\n",
			opts:    sqlc.Options{Migrations: "db"},
			want:    []string{"outboxgen.yaml:9:1: no migration in db creates the table event_outbox; add the migration that `outboxgen migration --format migrate` prints, or remove sqlc.migrations to compile against the tables of `outboxgen migration`"},
		},
		"another schema": {
			archive: "-- schema.sql --\nCREATE SCHEMA app;\nCREATE TABLE app.event_outbox (" + whole + ");\n",
			opts:    sqlc.Options{Migrations: "schema.sql"},
			want:    []string{"outboxgen.yaml:9:1: schema.sql creates event_outbox in the schema \"app\", not in \"public\"; set sqlc.schema to it"},
		},
		"another schema than the one that was asked for": {
			archive: "-- schema.sql --\nCREATE TABLE event_outbox (" + whole + ");\n",
			opts:    sqlc.Options{Migrations: "schema.sql", Schema: "app"},
			want: []string{"outboxgen.yaml:9:1: schema.sql creates event_outbox in the schema \"public\", not in \"app\"; set sqlc.schema to it, " +
				"or create the table in the other one: `outboxgen migration --format sql` prints how"},
		},
		"the schema that was asked for": {
			archive: "-- schema.sql --\nCREATE SCHEMA app;\nCREATE TABLE app.event_outbox (" + whole + ");\n",
			opts:    sqlc.Options{Migrations: "schema.sql", Schema: "app"},
		},
		"types": {
			archive: "-- schema.sql --\nCREATE TABLE event_outbox (" + strings.NewReplacer("id uuid", "id bigint", "event_data json", "event_data jsonb", "seq bigint", "seq int").Replace(whole) + ");\n",
			opts:    sqlc.Options{Migrations: "schema.sql"},
			want: []string{
				"schema.sql:1:14: column \"id\" of event_outbox has the type int8, not uuid; change its type in a migration",
				"schema.sql:1:14: warning: column \"event_data\" of event_outbox has the type jsonb, which rewrites the stored data; the bytes of a record would differ from the event's; change it to json",
				"schema.sql:1:14: warning: column \"seq\" of event_outbox has the type int4, not int8; change its type in a migration",
			},
		},
		"a folder without SQL": {
			archive: "-- db/env.py --\nfrom alembic import op\n",
			opts:    sqlc.Options{Migrations: "db"},
			want:    []string{"outboxgen.yaml:9:1: db contains no SQL migration; sqlc reads only SQL; remove sqlc.migrations to compile against the tables of `outboxgen migration`"},
		},
		"nothing there": {
			opts: sqlc.Options{Migrations: "db"},
			want: []string{"outboxgen.yaml:9:1: db does not exist; give the folder or file relative to the project file, or remove sqlc.migrations"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, said := generate(t, test.archive, test.opts)
			if diff := cmp.Diff(test.want, said); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if failed := len(said) > 0 && !strings.Contains(said[0], "warning: "); failed != (len(files) == 0) {
				t.Errorf("%d findings, files %v", len(said), names(files))
			}
		})
	}
}

func TestCannotRun(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		command []string
		want    string
	}{
		"none":    {nil, "no command to run sqlc is set"},
		"missing": {[]string{"/nowhere/sqlc"}, `run sqlc as "/nowhere/sqlc": fork/exec /nowhere/sqlc: no such file or directory; sqlc v1.31.1 is required`},
		"another": {[]string{"false"}, "sqlc failed with an unknown message: exit status 1: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := sqlc.Generate(t.Context(), sqlc.Options{Command: test.command})
			if err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

// Version must be the version in go.mod, because the command runs the sqlc that it is
// built with.
func TestVersion(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mod), "github.com/sqlc-dev/sqlc "+sqlc.Version+"\n") {
		t.Errorf("go.mod does not require sqlc %s", sqlc.Version)
	}
}

// The golden packages are equal to what sqlc writes.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, _ := generate(t, "", sqlc.Options{})
	for _, f := range files {
		golden, err := os.ReadFile(filepath.Join("../../../testdata/golden/huleedu/events/outboxdb", f.Name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(golden), string(f.Content)); diff != "" {
			t.Errorf("%s (-golden +generated):\n%s", f.Name, diff)
		}
	}
}
