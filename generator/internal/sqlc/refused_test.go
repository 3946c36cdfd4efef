package sqlc_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/sqlc"
)

const noKey = "event_outbox has no primary key or unique index of the column \"id\" alone, which the insert functions need; every insert of an event fails with SQLSTATE 42P10; add it in a migration: ALTER TABLE event_outbox ADD PRIMARY KEY (id); a table that is partitioned by another column cannot have one"

// What makes Postgres refuse every insert is a warning, although sqlc compiles it.
func TestRefusedInserts(t *testing.T) {
	t.Parallel()
	const required = " of event_outbox must not be null and has no default, and the insert functions do not fill it; every insert of an event fails with SQLSTATE 23502; give it a default in a migration, or drop its NOT NULL"
	plain := strings.NewReplacer(" PRIMARY KEY", "", " GENERATED ALWAYS AS IDENTITY", "").Replace(ourColumns)
	for name, test := range map[string]struct {
		sql  string
		want []string
	}{
		"as an ORM fills them": {
			"CREATE TABLE event_outbox (" + strings.NewReplacer("NOT NULL DEFAULT now()", "NOT NULL", "int NOT NULL DEFAULT 0", "int NOT NULL", "seq bigint", "seq bigint NOT NULL").Replace(ourColumns) + ");",
			[]string{
				"db/1.sql:2:79: warning: the column \"created_at\"" + required,
				"db/1.sql:3:28: warning: the column \"retry_count\"" + required,
			},
		},
		"columns of its own": {
			"CREATE TABLE event_outbox (" + ourColumns + ");\nCREATE DOMAIN d AS int DEFAULT 1;\nCREATE TYPE e AS ENUM ('a');\n" +
				"ALTER TABLE event_outbox ADD a uuid NOT NULL, ADD b int NOT NULL DEFAULT 1, ADD c serial NOT NULL, ADD d d NOT NULL, ADD e int GENERATED ALWAYS AS (1) STORED NOT NULL, ADD f int, ADD g e NOT NULL, ADD h uuid NOT NULL, ADD i int NOT NULL CHECK (i IS NOT NULL);\n" +
				"ALTER TABLE event_outbox ALTER f SET NOT NULL, ALTER b DROP DEFAULT, ALTER h DROP NOT NULL, ALTER COLUMN i SET DEFAULT 3;\nALTER TABLE event_outbox RENAME a TO z;",
			[]string{
				"db/1.sql:7:30: warning: the column \"z\"" + required,
				"db/1.sql:7:51: warning: the column \"b\"" + required,
				"db/1.sql:7:173: warning: the column \"f\"" + required,
				"db/1.sql:7:184: warning: the column \"g\"" + required,
			},
		},
		"a trigger fills them": {"CREATE TABLE event_outbox (" + ourColumns + ", a uuid NOT NULL);\nCREATE TRIGGER t BEFORE INSERT OR UPDATE ON public.event_outbox FOR EACH ROW EXECUTE FUNCTION f();", nil},
		"generated": {
			"CREATE TABLE event_outbox (" + strings.Replace(ourColumns, "event_key text", "event_key text GENERATED ALWAYS AS (aggregate_id) STORED", 1) + ");",
			[]string{"db/1.sql:2:28: warning: Postgres generates the column \"event_key\" of event_outbox, which the insert functions fill; every insert of an event fails with SQLSTATE 428C9; make it a plain column in a migration: ALTER COLUMN event_key DROP EXPRESSION; drop a virtual column and add it again"},
		},
		"generated no more": {"CREATE TABLE event_outbox (" + strings.Replace(ourColumns, "event_key text", "event_key text GENERATED ALWAYS AS (aggregate_id) STORED", 1) + ");\nALTER TABLE event_outbox ALTER event_key DROP EXPRESSION;", nil},
		"partitioned": {
			"CREATE TABLE event_outbox (" + plain + ", PRIMARY KEY (id, created_at)) PARTITION BY RANGE (created_at);",
			[]string{"db/1.sql:1:14: warning: " + noKey},
		},
		"a part of a key": {
			"CREATE TABLE event_outbox (" + plain + ", tenant uuid, PRIMARY KEY (tenant, id), UNIQUE (id));",
			[]string{"db/1.sql:4:79: warning: the column \"tenant\"" + required},
		},
		"a key of pg_dump":           {"CREATE TABLE public.event_outbox (" + plain + ");\nALTER TABLE ONLY public.event_outbox\n    ADD CONSTRAINT event_outbox_pkey PRIMARY KEY (id);", nil},
		"a key of an index":          {"CREATE TABLE event_outbox (" + plain + ");\nCREATE UNIQUE INDEX CONCURRENTLY i ON event_outbox (id);", nil},
		"a key under a guard":        {"CREATE TABLE event_outbox (" + plain + ");\nDO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'pk') THEN ALTER TABLE event_outbox ADD CONSTRAINT pk PRIMARY KEY (id); END IF; END $$;", nil},
		"a default after the column": {"CREATE TABLE event_outbox (" + ourColumns + ");\nALTER TABLE event_outbox ALTER COLUMN tenant SET DEFAULT gen_random_uuid(), ADD COLUMN tenant uuid NOT NULL;\nALTER TABLE event_outbox ADD COLUMN other uuid NOT NULL, ALTER COLUMN other SET DEFAULT gen_random_uuid();", nil},
		"defaults that go and come": {"CREATE TABLE event_outbox (" + ourColumns + ", a int NOT NULL DEFAULT 1, b int);\nALTER TABLE event_outbox ALTER a SET DEFAULT 2, ALTER a DROP DEFAULT, ALTER b SET NOT NULL, ALTER b DROP NOT NULL;", []string{
			"db/1.sql:4:134: warning: the column \"b\"" + required,
		}},
		"not null after the column": {
			"CREATE TABLE event_outbox (" + ourColumns + ");\nALTER TABLE event_outbox ALTER a SET NOT NULL, ADD a int;",
			[]string{"db/1.sql:5:52: warning: the column \"a\"" + required},
		},
		"defaults that are none": {
			"CREATE TABLE tenants (id uuid PRIMARY KEY);\nCREATE TABLE event_outbox (" + ourColumns + ",\na uuid NOT NULL REFERENCES tenants (id) ON UPDATE SET NULL ON DELETE SET DEFAULT,\nb uuid DEFAULT NULL NOT NULL,\nc int NOT NULL DEFAULT 1);\nALTER TABLE event_outbox ALTER c SET DEFAULT NULL;",
			[]string{
				"db/1.sql:6:1: warning: the column \"a\"" + required,
				"db/1.sql:7:1: warning: the column \"b\"" + required,
				"db/1.sql:8:1: warning: the column \"c\"" + required,
			},
		},
		"a key of an EXECUTE":       {"CREATE TABLE event_outbox (" + plain + ");\nDO $$ BEGIN EXECUTE 'ALTER TABLE event_outbox ADD PRIMARY KEY (id)'; END $$;", nil},
		"an index of an EXECUTE":    {"CREATE TABLE event_outbox (" + plain + ");\nDO $$ BEGIN FOR i IN 1..1 LOOP EXECUTE 'CREATE UNIQUE INDEX ON ONLY public.event_outbox (id)'; END LOOP; END $$;", nil},
		"a key of a function":       {"CREATE TABLE event_outbox (" + plain + ");\nCREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'CREATE UNIQUE INDEX i ON event_outbox (id)';\nSELECT f();", nil},
		"keys of several tables":    {"CREATE TABLE event_outbox (" + plain + ");\nDO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY['event_outbox'] LOOP EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I PRIMARY KEY (id)', t, t || '_pk'); END LOOP; END $$;", nil},
		"a key of a string":         {"CREATE TABLE event_outbox (" + plain + ");\nSELECT run('ALTER TABLE event_outbox ADD PRIMARY KEY (id)');", nil},
		"a column with a key":       {"CREATE TABLE event_outbox (" + strings.Replace(plain, "id uuid, ", "", 1) + ");\nDO $$ BEGIN EXECUTE 'ALTER TABLE event_outbox ADD COLUMN id uuid PRIMARY KEY'; END $$;", nil},
		"a key with a tablespace":   {"CREATE TABLE event_outbox (" + strings.Replace(plain, "id uuid", "id uuid PRIMARY KEY USING INDEX TABLESPACE fast", 1) + ");", nil},
		"a schema by a placeholder": {"CREATE SCHEMA other;\nCREATE TABLE other.event_outbox (" + ourColumns + ");\nALTER TABLE other.event_outbox SET SCHEMA ${schema};", nil},
		"only a check in a DO": {
			"CREATE TABLE event_outbox (" + plain + ");\nDO $$ BEGIN ALTER TABLE event_outbox ADD CONSTRAINT c CHECK (retry_count >= 0); EXECUTE 'CREATE INDEX ON event_outbox (id)'; END $$;",
			[]string{"db/1.sql:1:14: warning: " + noKey},
		},
		"a partial index": {
			"CREATE TABLE event_outbox (" + plain + ");\nCREATE UNIQUE INDEX i ON event_outbox (id) WHERE published_at IS NULL;",
			[]string{"db/1.sql:1:14: warning: " + noKey},
		},
		"a key that is checked later": {
			"CREATE TABLE event_outbox (" + plain + ", UNIQUE (id) DEFERRABLE);\nALTER TABLE event_outbox ADD PRIMARY KEY (id) INITIALLY DEFERRED;",
			[]string{"db/1.sql:1:14: warning: " + noKey},
		},
		"a copy":  {"CREATE TABLE t (" + ourColumns + ");\nCREATE TABLE event_outbox (LIKE t INCLUDING ALL);", nil},
		"renamed": {"CREATE TABLE t (" + ourColumns + ");\nALTER TABLE t RENAME TO event_outbox;", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, said := generate(t, "-- db/1.sql --\n"+test.sql+"\n", sqlc.Options{Migrations: "db"})
			if diff := cmp.Diff(test.want, said); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(written, names(files)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

// A table that is no outbox at all is one finding, without advice on its indexes.
func TestTablesOfOtherTools(t *testing.T) {
	t.Parallel()
	const hint = ", so `outboxgen migration --upgrade` cannot change this table; if it has them under other names, rename them in a migration; otherwise keep it beside a new one: rename it, or set sqlc.schema to another schema, and add the migration that `outboxgen migration --format sql` prints; docs/migrating.md, \"A table of another shape\", has the steps"
	for name, test := range map[string]struct{ columns, missing string }{
		"Debezium":    {"id uuid PRIMARY KEY, aggregatetype varchar(255) NOT NULL, aggregateid varchar(255) NOT NULL, type varchar(255) NOT NULL, payload jsonb", "aggregate_id, aggregate_type, event_type, event_data, event_key"},
		"MassTransit": {"\"Id\" uuid PRIMARY KEY, \"EventType\" text UNIQUE", "id, aggregate_id, aggregate_type, event_type, event_data, event_key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, said := generate(t, "-- db/1.sql --\nCREATE TABLE event_outbox ("+test.columns+");\n", sqlc.Options{Migrations: "db"})
			if diff := cmp.Diff([]string{"db/1.sql:1:14: table event_outbox lacks the columns " + test.missing + hint}, said); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
