package migrationstest_test

import (
	"context"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

var noon = time.Date(2026, 11, 24, 12, 0, 30, 0, time.UTC)

func TestNames(t *testing.T) {
	t.Parallel()
	want := map[migrations.Format][]string{
		migrations.Goose:      {"20261124120030_event_outbox.sql", "00007_event_outbox_upgrade.sql"},
		migrations.Migrate:    {"20261124120030_event_outbox.down.sql", "20261124120030_event_outbox.up.sql", "000007_event_outbox_upgrade.down.sql", "000007_event_outbox_upgrade.up.sql"},
		migrations.Tern:       {"001_event_outbox.sql", "007_event_outbox_upgrade.sql"},
		migrations.Atlas:      {"20261124120030_event_outbox.sql", "20261124120030_event_outbox_upgrade.sql"},
		migrations.Alembic:    {"20261124_1200_event_outbox.py", "20261124_1200_event_outbox_upgrade.py"},
		migrations.Dbmate:     {"20261124120030_event_outbox.sql", "20261124120030_event_outbox_upgrade.sql"},
		migrations.SQLMigrate: {"20261124120030_event_outbox.sql", "20261124120030_event_outbox_upgrade.sql"},
		migrations.Flyway:     {"V20261124120030__event_outbox.sql", "V7__event_outbox_upgrade.sql"},
		migrations.Prisma:     {"20261124120030_event_outbox/migration.sql", "20261124120030_event_outbox_upgrade/migration.sql"},
		migrations.Diesel: {
			"2026-11-24-120030_event_outbox/down.sql", "2026-11-24-120030_event_outbox/up.sql",
			"2026-11-24-120030_event_outbox_upgrade/down.sql", "2026-11-24-120030_event_outbox_upgrade/up.sql",
		},
		migrations.Plain: {"event_outbox.down.sql", "event_outbox.up.sql", "event_outbox_upgrade.down.sql", "event_outbox_upgrade.up.sql"},
	}
	got := map[migrations.Format][]string{}
	for _, format := range migrations.Formats() {
		for _, o := range []migrations.Options{
			{Time: noon.In(time.FixedZone("", 7200))},
			{Time: noon, Kind: migrations.KindUpgrade, Number: 7},
		} {
			first, again := files(t, format, o), files(t, format, o)
			if diff := cmp.Diff(first, again); diff != "" {
				t.Errorf("%s differs from run to run:\n%s", format, diff)
			}
			for _, f := range first {
				got[format] = append(got[format], f.Name)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestOptionsThatDoNotFit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		format migrations.Format
		o      migrations.Options
		want   string
	}{
		{"liquibase", migrations.Options{}, `migrations: unknown format "liquibase"; choose one of ["goose" "migrate" "tern" "atlas" "alembic" "dbmate" "sql-migrate" "flyway" "prisma" "diesel" "sql"]`},
		{migrations.Goose, migrations.Options{Kind: "down"}, `migrations: unknown kind "down"; choose create, upgrade, indexes, pauses, grants or moved`},
		{migrations.Goose, migrations.Options{}, "migrations: format goose: a time is needed for the file's name"},
		{migrations.Plain, migrations.Options{Store: "heap"}, `migrations: unknown store "heap"; choose table or log`},
		{migrations.Plain, migrations.Options{Store: migrations.StoreLog, Kind: migrations.KindUpgrade}, `migrations: a log needs no migration of kind "upgrade"`},
		{migrations.Alembic, migrations.Options{Number: 1}, "migrations: format alembic: a time is needed for the file's name"},
		{migrations.Plain, migrations.Options{Schema: `a"; DROP`}, `migrations: schema "a\"; DROP": want letters, digits and underscores, at most 63`},
		{migrations.Alembic, migrations.Options{Time: noon, DownRevision: `x"`}, `migrations: format alembic: down revision "x\"": want letters, digits, underscores and hyphens, at most 32`},
	} {
		if _, err := migrations.Files(tc.format, tc.o); err == nil || err.Error() != tc.want {
			t.Errorf("%s %+v:\n got %v\nwant %s", tc.format, tc.o, err, tc.want)
		}
	}
}

// The files run as their tools run them. The up file makes the same tables as Up or
// Upgrade, and the down file restores the state before.
func TestFilesOfEachFormat(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		var before []string
		const createLog = migrations.Kind("create a log")
		for _, kind := range []migrations.Kind{migrations.KindCreate, migrations.KindUpgrade, migrations.KindIndexes, createLog} {
			prepare, up := "", migrations.Up
			switch kind {
			case createLog:
				up = migrations.UpLog
			case migrations.KindUpgrade:
				prepare, up = olderShape+oldRows, migrations.Upgrade
			case migrations.KindIndexes:
				prepare, up = migrations.SQL()+formerIndexes, migrations.Upgrade
			}
			exec(t, conn, `DROP SCHEMA public CASCADE; CREATE SCHEMA public;`+prepare)
			before = everything(t, conn)
			if err := up(ctx, conn); err != nil {
				t.Fatal(err)
			}
			after := everything(t, conn)

			for _, format := range migrations.Formats() {
				exec(t, conn, `DROP SCHEMA public CASCADE; CREATE SCHEMA public;`+prepare)
				// If a schema is given, the names must not depend on the search_path.
				o, path := migrations.Options{Kind: kind, Time: noon}, "public"
				if kind == createLog {
					o.Kind, o.Store = migrations.KindCreate, migrations.StoreLog
				}
				for _, o.Schema = range []string{"", "public"} {
					if o.Schema != "" {
						path = "pg_temp"
					}
					ups, downs := statements(t, format, files(t, format, o))
					runAll(t, conn, path, ups)
					if diff := cmp.Diff(after, everything(t, conn)); diff != "" {
						t.Errorf("%s %s, schema %q, after up (-want +got):\n%s", format, kind, o.Schema, diff)
					}
					if downs == nil { // the tool has no down file
						_, downs = statements(t, migrations.Tern, files(t, migrations.Tern, o))
					}
					runAll(t, conn, path, downs)
					if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
						t.Errorf("%s %s, schema %q, after down (-want +got):\n%s", format, kind, o.Schema, diff)
					}
				}
			}
		}
	})
}

func TestAlembicFileIsPython(t *testing.T) {
	t.Parallel()
	file := files(t, migrations.Alembic, migrations.Options{Kind: migrations.KindUpgrade, Time: noon, Revision: "abc", DownRevision: "f00"})[0]
	const head = `"""Upgrade event_outbox to the current shape.

Revision ID: abc
Revises: f00
Create Date: 2026-11-24 12:00 UTC
"""

from alembic import op

revision = "abc"
down_revision = "f00"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Changes an older event_outbox`
	if got := string(file.Content)[:len(head)]; got != head {
		t.Errorf("head (-want +got):\n%s", cmp.Diff(head, got))
	}
	python := services.Program(t, "python3", "python3")
	path := filepath.Join(t.TempDir(), file.Name)
	if err := os.WriteFile(path, file.Content, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := osexec.Command(python, "-W", "error", "-m", "py_compile", path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The hashes were checked against Atlas's own library.
func TestAtlasSumCoversTheFolder(t *testing.T) {
	t.Parallel()
	folder := fstest.MapFS{
		"20250101000000_x.sql": {Data: []byte("-- atlas:sum ignore\n\nSELECT 1;\n")},
		"20260101000000_y.sql": {Data: []byte("SELECT 2;\n")},
		"20270101000000_z.sql": {Data: []byte("SELECT 3;\n")},
	}
	got := files(t, migrations.Atlas, migrations.Options{Time: noon, Dir: folder})
	if len(got) != 2 || got[1].Name != "atlas.sum" {
		t.Fatalf("got %d files", len(got))
	}
	sum := strings.Split(string(got[1].Content), "\n")
	// The file before ours, whose hash does not depend on the migration.
	if want := "20260101000000_y.sql h1:kBijQ24M3oNFF02kCib5v11wGPHTnsDoviww2Q2eQHM="; sum[1] != want {
		t.Errorf("got %s\nwant %s", sum[1], want)
	}
	var names []string
	for _, line := range sum {
		name, _, _ := strings.Cut(line, "h1:")
		names = append(names, name)
	}
	want := []string{"", "20260101000000_y.sql ", "20261124120030_event_outbox.sql ", "20270101000000_z.sql ", ""}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func files(t *testing.T, format migrations.Format, o migrations.Options) []migrations.File {
	t.Helper()
	got, err := migrations.Files(format, o)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// statements splits a tool's files as the tool does. Each element is sent to Postgres
// at once.
func statements(t *testing.T, format migrations.Format, files []migrations.File) (up, down []string) {
	t.Helper()
	first := string(files[0].Content)
	switch format {
	case migrations.Goose, migrations.SQLMigrate:
		mark := map[migrations.Format]string{migrations.Goose: "-- +goose ", migrations.SQLMigrate: "-- +migrate "}[format]
		top, bottom, ok := strings.Cut(first, mark+"Down\n")
		if !ok || !strings.HasPrefix(top, mark+"Up\n") {
			t.Fatalf("annotations are missing:\n%s", first)
		}
		return annotatedStatements(top, mark), annotatedStatements(bottom, mark)
	case migrations.Dbmate:
		top, bottom, ok := strings.Cut(first, "-- migrate:down\n")
		if !ok || !strings.HasPrefix(top, "-- migrate:up\n") {
			t.Fatalf("annotations are missing:\n%s", first)
		}
		return []string{top}, []string{bottom}
	case migrations.Tern:
		top, bottom, ok := strings.Cut(first, "---- create above / drop below ----")
		if !ok {
			t.Fatalf("the line is missing:\n%s", first)
		}
		return []string{top}, []string{bottom}
	case migrations.Atlas, migrations.Flyway, migrations.Prisma:
		return []string{first}, nil
	case migrations.Alembic:
		top, bottom, ok := strings.Cut(first, "def downgrade() -> None:\n")
		if !ok {
			t.Fatalf("downgrade is missing:\n%s", first)
		}
		return alembicStatements(t, top), alembicStatements(t, bottom)
	default:
		return []string{string(files[1].Content)}, []string{first}
	}
}

// annotatedStatements ends a statement at a semicolon that ends a line, except between
// annotations that forbid it.
func annotatedStatements(part, mark string) []string {
	var all []string
	var b strings.Builder
	whole := false
	for line := range strings.Lines(part) {
		switch {
		case strings.HasPrefix(line, mark+"StatementBegin"):
			whole = true
		case strings.HasPrefix(line, mark+"StatementEnd"):
			whole = false
			all = append(all, b.String())
			b.Reset()
		case strings.HasPrefix(line, "--"):
		default:
			b.WriteString(line)
			if !whole && strings.HasSuffix(strings.TrimSpace(line), ";") {
				all = append(all, b.String())
				b.Reset()
			}
		}
	}
	return all
}

// bind matches what SQLAlchemy regards as a parameter in the text of a statement.
var bind = regexp.MustCompile(`(?:^|[^:\w\\]):\w+(?:[^:\w]|$)`)

func alembicStatements(t *testing.T, part string) []string {
	t.Helper()
	var all []string
	for i, text := range strings.Split(part, `"""`) {
		if i%2 == 0 || strings.HasPrefix(text, "Create the") || strings.HasPrefix(text, "Upgrade") || strings.HasPrefix(text, "Replace the") || strings.HasPrefix(text, "Let operators") || strings.HasPrefix(text, "Grant roles") || strings.HasPrefix(text, "Make event_outbox") {
			continue
		}
		if found := bind.FindString(text); found != "" {
			t.Errorf("SQLAlchemy would ask for the parameter %q in\n%s", found, text)
		}
		all = append(all, text)
	}
	return all
}

// runAll runs the statements in one transaction, with a search_path. A text with
// several statements uses the simple protocol, as in every tool. A script with its own
// BEGIN has its own transaction.
func runAll(t *testing.T, conn *pgx.Conn, path string, statements []string) {
	t.Helper()
	if len(statements) == 0 {
		t.Fatal("no statements")
	}
	exec(t, conn, `SET search_path = `+path)
	if len(statements) == 1 {
		exec(t, conn, statements[0])
	} else {
		exec(t, conn, "BEGIN")
		for _, s := range statements {
			if _, err := conn.Prepare(t.Context(), "", s); err != nil { // does not accept two statements
				t.Fatalf("%v\n%s", err, s)
			}
			exec(t, conn, s)
		}
		exec(t, conn, "COMMIT")
	}
	exec(t, conn, `RESET search_path`)
}

// Grants can be a migration of every format. The up file grants each role what the SQL
// says, and the down file revokes it. A role without a name is left out.
func TestGrantsOfEachFormat(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		ctx, conn := t.Context(), pg.Connect(t.Context())
		if err := migrations.Up(ctx, conn); err != nil {
			t.Fatal(err)
		}
		roles := migrations.Roles{Relay: "Relay-" + pg.Database[len(pg.Database)-8:], Service: "s" + pg.Database, Operator: "o" + pg.Database}
		all := []string{roles.Relay, roles.Service, roles.Operator}
		for _, role := range all {
			quoted := pgx.Identifier{role}.Sanitize()
			exec(t, conn, `CREATE ROLE `+quoted)
			t.Cleanup(func() {
				for _, sql := range []string{`DROP OWNED BY `, `DROP ROLE `} {
					if _, err := pg.Pool.Exec(context.Background(), sql+quoted); err != nil {
						t.Error(err)
					}
				}
			})
		}
		const given = `
			SELECT concat_ws(' ', grantee, privilege_type, table_name, column_name) FROM information_schema.column_privileges
			WHERE grantee = ANY($1) AND table_schema = 'public' ORDER BY 1`
		var want []string
		for _, format := range migrations.Formats() {
			o, path := migrations.Options{Kind: migrations.KindGrants, Time: noon, Roles: roles}, "public"
			for _, o.Schema = range []string{"", "public"} {
				if o.Schema != "" {
					path = "pg_temp"
				}
				ups, downs := statements(t, format, files(t, format, o))
				if strings.Contains(strings.Join(ups, ""), "event_inbox") {
					t.Errorf("%s: the consumer is not named and gets something:\n%s", format, strings.Join(ups, "\n"))
				}
				runAll(t, conn, path, ups)
				got := lines(t, conn, given, all)
				if want == nil {
					want = got
				}
				if diff := cmp.Diff(want, got); diff != "" || len(got) < 20 {
					t.Errorf("%s, schema %q, after up (-want +got):\n%s%d", format, o.Schema, diff, len(got))
				}
				if downs == nil { // the tool has no down file
					_, downs = statements(t, migrations.Tern, files(t, migrations.Tern, o))
				}
				runAll(t, conn, path, downs)
				if left := lines(t, conn, given, all); len(left) > 0 {
					t.Errorf("%s, schema %q, after down:\n%s", format, o.Schema, strings.Join(left, "\n"))
				}
			}
		}
	})
}

func TestGrantsAsPrinted(t *testing.T) {
	t.Parallel()
	got := string(files(t, migrations.Migrate, migrations.Options{
		Kind: migrations.KindGrants, Number: 1, Schema: "app", Roles: migrations.Roles{Consumer: "grades@project.iam"},
	})[1].Content)
	const want = `-- What each role needs, and no more. The roles must exist; as groups that
-- login roles belong to:
--
--   CREATE ROLE "grades@project.iam";

-- The service that handles events once (package inbox).
GRANT SELECT, INSERT, DELETE ON "app".event_inbox TO "grades@project.iam";

GRANT USAGE ON SCHEMA "app" TO "grades@project.iam";
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
	if _, err := migrations.Files(migrations.Plain, migrations.Options{
		Kind: migrations.KindGrants, Roles: migrations.Roles{Relay: `a"; DROP`},
	}); err == nil || !strings.Contains(err.Error(), `role "a\"; DROP": want a letter`) {
		t.Errorf("error %v", err)
	}
}
