package migrationfolder_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/outboxgen/outboxgen/generator/internal/migrationfolder"
)

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

func TestOrder(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		archive string
		tool    migrationfolder.Tool
		want    []string
	}{
		"goose": {
			"-- 10_c.sql --\n-- +goose Up\n-- 9_b.sql --\n-- 0002_a.sql --\n-- seed.sql --\n-- 11_go.go --\n-- .hidden.sql --\n",
			migrationfolder.Goose, []string{"0002_a.sql", "9_b.sql", "10_c.sql"},
		},
		"golang-migrate": {
			"-- 10_c.up.sql --\n-- 10_c.down.sql --\n-- 2_a.up.sql --\n-- 2_a.down.sql --\n-- notes.sql --\n",
			migrationfolder.Migrate, []string{"2_a.up.sql", "10_c.up.sql"},
		},
		"golang-migrate with another ending": {
			"-- 1_a.up.pgsql --\n-- 1_a.down.pgsql --\n-- 2_b.up.pgsql --\n", migrationfolder.Migrate, []string{"1_a.up.pgsql", "2_b.up.pgsql"},
		},
		"other endings of SQL": {"-- 1_a.psql --\n-- 2_b.ddl --\n-- 2_b.down.ddl --\n-- 3.txt --\n", migrationfolder.Plain, []string{"1_a.psql", "2_b.ddl"}},
		"tern": {
			"-- 010_c.sql --\n---- create above / drop below ----\n-- 9_b.sql --\n-- shared.sql --\n",
			migrationfolder.Tern, []string{"9_b.sql", "010_c.sql"},
		},
		"tern by its config": {"-- tern.conf --\n-- 1_a.sql --\n", migrationfolder.Tern, []string{"1_a.sql"}},
		"atlas compares names": {
			"-- atlas.sum --\n-- 9.sql --\n-- 10.sql --\n",
			migrationfolder.Atlas, []string{"10.sql", "9.sql"},
		},
		"Flyway": {
			"-- V10__d.sql --\n-- V2__c.sql --\n-- V1.10__b.sql --\n-- V1_9_1__a.sql --\n-- U2__c.sql --\n-- R__z.sql --\n-- R__views.sql --\n-- afterMigrate.sql --\n-- V1__first.sql --\n",
			migrationfolder.Plain, []string{"V1__first.sql", "V1_9_1__a.sql", "V1.10__b.sql", "V2__c.sql", "V10__d.sql", "R__views.sql", "R__z.sql"},
		},
		"Flyway from a baseline": {
			"-- V1__a.sql --\n-- V2__b.sql --\n-- B1__x.sql --\n-- B2.0__y.sql --\n-- V3__c.sql --\n-- R__r.sql --\n",
			migrationfolder.Plain, []string{"B2.0__y.sql", "V3__c.sql", "R__r.sql"},
		},
		"Prisma": {
			"-- 20240102_b/migration.sql --\n-- 20240101_a/migration.sql --\n-- migration_lock.toml --\n-- empty/README.md --\n",
			migrationfolder.Plain, []string{"20240101_a/migration.sql", "20240102_b/migration.sql"},
		},
		"Diesel": {
			"-- 2024-01-02-000000_b/up.sql --\n-- 2024-01-02-000000_b/down.sql --\n-- 00000000000000_diesel/up.sql --\n-- .keep --\n",
			migrationfolder.Plain, []string{"00000000000000_diesel/up.sql", "2024-01-02-000000_b/up.sql"},
		},
		"Prisma with notes beside it": {
			"-- 1_a/migration.sql --\n-- migration_lock.toml --\n-- notes.sql --\n",
			migrationfolder.Plain, []string{"1_a/migration.sql"},
		},
		"Hasura": {
			"-- default/10_b/up.sql --\n-- default/10_b/down.sql --\n-- default/9_a/up.sql --\n",
			migrationfolder.Plain, []string{"default/9_a/up.sql", "default/10_b/up.sql"},
		},
		"Flyway's folders": {
			"-- V2__b.sql --\n-- 2024/V1.1__a.sql --\n-- 2024/U1.1__a.sql --\n-- views/R__v.sql --\n-- seed/x.sql --\n",
			migrationfolder.Plain, []string{"2024/V1.1__a.sql", "V2__b.sql", "views/R__v.sql"},
		},
		"folders of files": {
			"-- b/1.sql --\n-- a/10.sql --\n-- a/9.sql --\n-- .git/x.sql --\n-- README.md --\n",
			migrationfolder.Plain, []string{"a/9.sql", "a/10.sql", "b/1.sql"},
		},
		"Sqitch": {
			"-- sqitch.plan --\n%project=x\n\nb 2024-01-01T00:00:00Z A <a@x> # note\n@v1 2024-01-01T00:00:00Z A <a@x>\na [b] 2024-01-01T00:00:00Z A <a@x>\ngone 2024-01-01T00:00:00Z A <a@x>\n-- deploy/a.sql --\n-- deploy/b.sql --\n-- deploy/c.sql --\n-- revert/a.sql --\n",
			migrationfolder.Plain, []string{"deploy/b.sql", "deploy/a.sql"},
		},
		"what leads down, by its partner": {
			"-- 1-a-up.sql --\n-- 1-a-down.sql --\n-- 2_b_up.sql --\n-- 2_b_down.sql --\n-- 3.do.c.sql --\n-- 3.undo.c.sql --\n-- 4.sql --\n-- 4.rollback.sql --\n-- 5_cool_down.sql --\n",
			migrationfolder.Plain, []string{"1-a-up.sql", "2_b_up.sql", "3.do.c.sql", "4.sql", "5_cool_down.sql"},
		},
		"what leads down, by its end": {
			"-- 1_a.sql --\n-- 1_a_down.sql --\n-- 2_b.sql --\n-- 2_b-rollback.sql --\n-- 3_c.sql --\n-- 3_c.undo.sql --\n-- 4_d_revert.sql --\n",
			migrationfolder.Plain, []string{"1_a.sql", "2_b.sql", "3_c.sql", "4_d_revert.sql"},
		},
		"what leads down, by its folder": {
			"-- up/1_a.sql --\n-- down/1_a.sql --\n-- x/deploy/2_b.sql --\n-- x/rollback/2_b.sql --\n-- y/3_c.sql --\n-- y/undo/3_c.sql --\n-- down/5_c.sql --\n",
			migrationfolder.Plain, []string{"down/5_c.sql", "up/1_a.sql", "x/deploy/2_b.sql", "y/3_c.sql"},
		},
		"what leads down, in another case": {
			"-- Up/1_a.sql --\n-- Down/1_a.sql --\n-- x/2_B.sql --\n-- x/2_b_Rollback.sql --\n-- x/3_C-Up.sql --\n-- x/3_C-Down.sql --\n-- y/4_d.Down.sql --\n",
			migrationfolder.Plain, []string{"Up/1_a.sql", "x/2_B.sql", "x/3_C-Up.sql"},
		},
		"files of other databases": {
			"-- 1_a.postgres.up.sql --\n-- 1_a.up.sql --\n-- 1_a.mysql.up.sql --\n-- 1_a.sqlite3.up.sql --\n-- 1_a.down.sql --\n-- 2_b.up.sql --\n-- 3_mysql.up.sql --\n",
			migrationfolder.Migrate, []string{"1_a.postgres.up.sql", "2_b.up.sql", "3_mysql.up.sql"},
		},
		"folders of other databases": {
			"-- clickhouse/1_a.up.sql --\n-- cockroach/1_a.up.sql --\n-- postgres/1_a.up.sql --\n-- postgres/1_a.down.sql --\n",
			migrationfolder.Plain, []string{"postgres/1_a.up.sql"},
		},
		"Oracle beside MySQL, as files": {
			"-- 1_a.sql --\n-- 2_b.oracle.sql --\n-- 3_c.mysql.sql --\n", migrationfolder.Plain, []string{"1_a.sql"},
		},
		"files of a service called so": {
			"-- 1_a.sql --\n-- 2_b.oracle.sql --\n-- 3_c.spanner.sql --\n", migrationfolder.Plain, []string{"1_a.sql", "2_b.oracle.sql", "3_c.spanner.sql"},
		},
		"a variant for Oracle": {"-- 1_a.sql --\n-- 1_a.oracle.sql --\n", migrationfolder.Plain, []string{"1_a.sql"}},
		"Oracle beside Postgres, as files": {
			"-- 1_a.oracle.sql --\n-- 1_a.psql.sql --\n", migrationfolder.Plain, []string{"1_a.psql.sql"},
		},
		"folders of services": {
			"-- tables/oracle/prices.sql --\n-- tables/postgres-exporter/a.sql --\n-- tables/mysql-proxy/b.sql --\n",
			migrationfolder.Plain, []string{"tables/mysql-proxy/b.sql", "tables/oracle/prices.sql", "tables/postgres-exporter/a.sql"},
		},
		"folders of databases": {
			"-- tables/Oracle/prices.sql --\n-- tables/PG/a.sql --\n-- x/oracle/b.sql --\n-- x/h2/b.sql --\n-- x/c.sql --\n",
			migrationfolder.Plain, []string{"tables/PG/a.sql", "x/c.sql"},
		},
		"migrations that are folders": {
			"-- 1_a/up.sql --\n-- oracle/up.sql --\n", migrationfolder.Plain, []string{"1_a/up.sql", "oracle/up.sql"},
		},
		"a byte order mark before the mark of a tool": {
			"-- 1_a.sql --\n\xEF\xBB\xBF-- +goose Up\n-- notes.sql --\n", migrationfolder.Goose, []string{"1_a.sql"},
		},
		"plain, as people sort": {
			"-- v10/x.sql --\n-- b.sql --\n-- a10.sql --\n-- a9.sql --\n-- a09.sql --\n-- a.down.sql --\n-- a.sql --\n",
			migrationfolder.Plain, []string{"a.sql", "a09.sql", "a9.sql", "a10.sql", "b.sql"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder, err := migrationfolder.Read(project(t, test.archive))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range folder.Files {
				got = append(got, f.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
			if folder.Tool != test.tool {
				t.Errorf("tool %s, want %s", folder.Tool, test.tool)
			}
		})
	}
}

func TestEmpty(t *testing.T) {
	t.Parallel()
	if _, err := migrationfolder.Read(project(t, "-- env.py --\n")); !errors.Is(err, migrationfolder.ErrEmpty) {
		t.Errorf("error %v, want ErrEmpty", err)
	}
}

// Lines keep their numbers.
func TestTheWayDownIsBlank(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ content, want string }{
		"goose":         {"-- +goose Up\nup;\n-- +goose Down\ndown;\n", "-- +goose Up\nup;\n\n\n"},
		"goose, turned": {"--+goose down\ndown;\r\n  -- +goose UP\nup;", "\n\r\n  -- +goose UP\nup;"},
		"tern":          {"up;\n---- create above / drop below ----\ndown;\n", "up;\n\n\n"},
		"dbmate":        {"-- migrate:up\nup;\n-- migrate:down\ndown;\n", "-- migrate:up\nup;\n\n\n"},
		"sql-migrate":   {"-- +migrate Up\nup;\n-- +migrate Down\ndown;\n", "-- +migrate Up\nup;\n\n\n"},
		"micrate":       {"-- +micrate Up\nup;\n-- +micrate Down\ndown;\n", "-- +micrate Up\nup;\n\n\n"},
		"shmig":         {"-- ====  UP  ====\nup;\n-- ==== DOWN ====\r\ndown;", "-- ====  UP  ====\nup;\n\r\n"},
		"a heading":     {"-- === Down payments ===\nup;", "-- === Down payments ===\nup;"},
		"neither":       {"up; -- +goose Down\n", "up; -- +goose Down\n"},
		"rambler":       {"-- rambler up\nup;\n-- rambler down\ndown;\n", "-- rambler up\nup;\n\n\n"},
		"node-pg":       {"-- Up Migration\nup;\n-- Down Migration\ndown;\n", "-- Up Migration\nup;\n\n\n"},
		"MyBatis":       {"-- // a\nup;\n-- //@UNDO\ndown;\n", "-- // a\nup;\n\n\n"},
		"Play":          {"# --- !Ups\nup;\n# --- !Downs\ndown;\n", "\nup;\n\n\n"},
		"statements of goose": {
			"-- +goose Up\n-- +goose StatementBegin\na; b\n-- +goose StatementEnd\r\nc;\n-- +goose StatementEnd of nothing\n",
			"-- +goose Up\n-- +goose StatementBegin\na; b\n;\r\nc;\n;\n",
		},
		"breaks between statements": {"a\n--> statement-breakpoint\nb;--> statement-breakpoint\n--bun:split\nc", "a\n;\nb;--> statement-breakpoint\n;\nc"},
		"Liquibase": {
			"--liquibase formatted sql\n--changeset a:1\nup\n--rollback down\n--changeset a:2 dbms:oracle\nother;\n--changeset a:3 dbms:\"h2, PostgreSQL\" endDelimiter:GO\nup; up\ngo\nLET GO\n--changeset a:4 endDelimiter:\\n/\nup /\n/* a */\n--changeset a:5 dbms:!postgresql\nother\n--changeset a:6 dbms:!oracle ignore:true\nother\n--changeset a:7 dbms:!oracle,!h2\nup",
			"--liquibase formatted sql\n;\nup\n--rollback down\n\n\n;\nup; up\n;\nLET GO\n;\nup ;\n/* a */\n\n\n\n\n;\nup",
		},
		"a changeset elsewhere": {"--changeset a:1 dbms:oracle\nup;\n", ";\nup;\n"},
		"Atlas":                 {"-- atlas:delimiter -- end\nup; up\n-- end\nup -- end\n", "-- atlas:delimiter -- end\nup; up\n;\nup ;\n"},
		"Atlas, by empty lines": {"-- atlas:delimiter \\n\\n\nup\n\nup", "-- atlas:delimiter \\n\\n\nup;\n\nup"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			name := filepath.Join(t.TempDir(), "1_a.sql")
			if err := os.WriteFile(name, []byte(test.content), 0o644); err != nil {
				t.Fatal(err)
			}
			folder, err := migrationfolder.Read(name)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(folder.Files[0].SQL)); diff != "" {
				t.Errorf("what leads up (-want +got):\n%s", diff)
			}
		})
	}
}

// Go and Java are left out, and named.
func TestSkipped(t *testing.T) {
	t.Parallel()
	folder, err := migrationfolder.Read(project(t, "-- 1_a.sql --\n-- +goose Up\n-- 2_b.go --\npackage b\n-- 2_b_test.go --\n-- db.go --\n-- V3__c.java --\n-- V3_1__d.kt --\n-- Other.java --\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []migrationfolder.Skipped{{Name: "2_b.go", Content: []byte("package b\n")}, {Name: "V3_1__d.kt", Content: []byte{}}, {Name: "V3__c.java", Content: []byte{}}}
	if diff := cmp.Diff(want, folder.Skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	folder, err := migrationfolder.Read(project(t, "-- 1_a.sql --\nCREATE TABLE event_outbox_lease (id int);\nCREATE TABLE event_outbox();\n-- 2_b.sql --\n\n/* ö */ create unlogged table if not exists app . \"event_outbox\" (id int);\n-- 3_c.sql --\nDROP TABLE event_outbox;\n"))
	if err != nil {
		t.Fatal(err)
	}
	file, line, col, ok := folder.Find("event_outbox")
	if file != 1 || line != 2 || col != 51 || !ok {
		t.Errorf("found in file %d at %d:%d (%v), want file 1 at 2:51", file, line, col, ok)
	}
	if _, _, _, ok := folder.Find("event_inbox"); ok {
		t.Error("found a table that nobody creates")
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		archive string
		want    migrationfolder.Found
		none    bool
	}{
		"nothing":                {archive: "-- main.go --\n-- db/queries/users.sql --\nSELECT 1;\n-- vendor/x/migrations/1_a.sql --\n", none: true},
		"goose":                  {archive: "-- a/b/c/1_a.sql --\n-- +goose Up\n", want: migrationfolder.Found{Tool: migrationfolder.Goose, Path: "a/b/c"}},
		"golang-migrate":         {archive: "-- db/1_a.up.sql --\n", want: migrationfolder.Found{Tool: migrationfolder.Migrate, Path: "db"}},
		"tern without a file":    {archive: "-- db/tern.conf --\n", want: migrationfolder.Found{Tool: migrationfolder.Tern, Path: "db"}},
		"atlas without a file":   {archive: "-- migrations/atlas.sum --\n", want: migrationfolder.Found{Tool: migrationfolder.Atlas, Path: "migrations"}},
		"Alembic":                {archive: "-- migrations/versions/1_a.py --\n\"\"\"doc\"\"\"\nfrom alembic import op\n", want: migrationfolder.Found{Tool: migrationfolder.Alembic, Path: "migrations/versions"}},
		"Alembic's config":       {archive: "-- alembic.ini --\n-- alembic/versions/a.py --\nfrom alembic import op\n", want: migrationfolder.Found{Tool: migrationfolder.Alembic, Path: "."}},
		"folders that are none":  {archive: "-- db/queries/users.sql --\nSELECT 1;\n-- x/queries/1_a/users.sql --\n", none: true},
		"Sqitch":                 {archive: "-- sqitch.plan --\na\n-- deploy/a.sql --\n", none: true},
		"dbmate":                 {archive: "-- db/migrations/1_a.sql --\n-- migrate:up\n-- migrate:down\n", want: migrationfolder.Found{Tool: migrationfolder.Dbmate, Path: "db/migrations"}},
		"sql-migrate":            {archive: "-- db/1_a.sql --\n-- +migrate Up\n", want: migrationfolder.Found{Tool: migrationfolder.SQLMigrate, Path: "db"}},
		"Flyway":                 {archive: "-- sql/V1__a.sql --\n-- sql/R__b.sql --\n", want: migrationfolder.Found{Tool: migrationfolder.Flyway, Path: "sql"}},
		"Flyway's folder":        {archive: "-- src/main/resources/db/migration/V1__a.sql --\n", want: migrationfolder.Found{Tool: migrationfolder.Flyway, Path: "src/main/resources/db/migration"}},
		"Prisma":                 {archive: "-- prisma/migrations/migration_lock.toml --\n-- prisma/migrations/1_a/migration.sql --\n", want: migrationfolder.Found{Tool: migrationfolder.Prisma, Path: "prisma/migrations"}},
		"Diesel":                 {archive: "-- migrations/1_a/up.sql --\n-- migrations/1_a/down.sql --\n", want: migrationfolder.Found{Tool: migrationfolder.Diesel, Path: "migrations"}},
		"Drizzle":                {archive: "-- drizzle/0000_a.sql --\n-- drizzle/meta/_journal.json --\n{}\n", want: migrationfolder.Found{Tool: migrationfolder.Plain, Path: "drizzle"}},
		"a folder by its name":   {archive: "-- db/migrations/a.sql --\n", want: migrationfolder.Found{Tool: migrationfolder.Plain, Path: "db/migrations"}},
		"a schema file":          {archive: "-- schema.sql --\n", want: migrationfolder.Found{Tool: migrationfolder.Plain, Path: "schema.sql", File: true}},
		"a tool before a folder": {archive: "-- migrations/a.sql --\n-- x/y/1_a.up.sql --\n-- schema.sql --\n", want: migrationfolder.Found{Tool: migrationfolder.Migrate, Path: "x/y"}},
		"another database":       {archive: "-- db/clickhouse/1_a.up.sql --\n-- db/mysql/1_a.up.sql --\n-- db/postgres/1_a.up.sql --\n", want: migrationfolder.Found{Tool: migrationfolder.Migrate, Path: "db/postgres"}},
		"only another database":  {archive: "-- db/mysql/1_a.up.sql --\n", none: true},
		"a service called so":    {archive: "-- services/oracle/migrations/1_a.up.sql --\n-- services/shop/main.go --\n", want: migrationfolder.Found{Tool: migrationfolder.Migrate, Path: "services/oracle/migrations"}},
		"Oracle's own folder":    {archive: "-- db/oracle/1_a.up.sql --\n", none: true},
		"Oracle beside Postgres": {archive: "-- db/oracle/migrations/1_a.up.sql --\n-- db/postgresql/migrations/1_a.up.sql --\n", want: migrationfolder.Found{Tool: migrationfolder.Migrate, Path: "db/postgresql/migrations"}},
		"beside an exporter":     {archive: "-- services/oracle/migrations/1_a.up.sql --\n-- services/postgres-exporter/main.go --\n", want: migrationfolder.Found{Tool: migrationfolder.Migrate, Path: "services/oracle/migrations"}},
		"Oracle beside others":   {archive: "-- db/oracle/migrations/1_a.up.sql --\n-- db/MySQL/migrations/1_a.up.sql --\n", none: true},
		"Hasura":                 {archive: "-- migrations/default/1700000000000_a/up.sql --\n-- migrations/default/1700000000000_a/down.sql --\n", none: true},
		"the nearer one":         {archive: "-- a/b/1_a.up.sql --\n-- z/1_a.sql --\n-- +goose Up\n", want: migrationfolder.Found{Tool: migrationfolder.Goose, Path: "z"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok, err := migrationfolder.Search(project(t, test.archive))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" || ok == test.none {
				t.Errorf("found %v (-want +got):\n%s", ok, diff)
			}
		})
	}
}

// A folder that cannot be listed is skipped, unless it is the project itself.
func TestFoldersThatCannotBeListed(t *testing.T) {
	t.Parallel()
	root := project(t, "-- a/x.sql --\n-- b/x.sql --\n-- c/oracle/main.go --\n")
	var got []string
	err := migrationfolder.EachFolder(root, func(dir string) error {
		got = append(got, dir)
		if dir == "a" {
			return os.RemoveAll(filepath.Join(root, "b"))
		}
		return nil
	})
	if diff := cmp.Diff([]string{".", "a", "c", "c/oracle"}, got); diff != "" || err != nil {
		t.Errorf("folders: %v (-want +got):\n%s", err, diff)
	}
	gone := filepath.Join(root, "gone", "cassandra")
	if !migrationfolder.ForAnotherDatabase(gone, []string{"cassandra"}) {
		t.Errorf("%s is not left out", gone)
	}
	if _, _, err := migrationfolder.Search(gone); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want that there is no such folder", err)
	}
}
