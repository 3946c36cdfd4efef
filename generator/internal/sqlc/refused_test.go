package sqlc_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/sqlc"
)

const noKey = "event_outbox has no primary key or unique index of the column \"id\" alone, which the insert functions need; every insert of an event fails with SQLSTATE 42P10; add one in a migration: CREATE UNIQUE INDEX ON event_outbox (id); a table that is partitioned by another column cannot have one"

// required ends the finding about a column that must not be null.
const required = " of event_outbox must not be null and has no default, and the insert functions do not fill it; every insert of an event fails with SQLSTATE 23502; give it a default in a migration, or drop its NOT NULL"

// notRead ends the finding about a changelog that is not SQL.
const notRead = " changes event_outbox and is not SQL; outboxgen does not read it; if it changes the columns of the table, repeat the change in an SQL migration, with IF EXISTS or IF NOT EXISTS"

// What makes Postgres refuse every insert is a warning, although sqlc compiles it.
func TestRefusedInserts(t *testing.T) {
	t.Parallel()
	const deferrable = " of event_outbox is deferrable, and the insert functions cannot use such a key of the column \"id\"; every insert of an event fails with SQLSTATE 55000; "
	withTenant := "CREATE TABLE event_outbox (" + ourColumns + ", tenant uuid NOT NULL);\n"
	plain := strings.NewReplacer(" PRIMARY KEY", "", " GENERATED ALWAYS AS IDENTITY", "").Replace(ourColumns)
	cases := map[string]struct {
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
			[]string{"db/1.sql:2:28: warning: Postgres generates the column \"event_key\" of event_outbox, which the insert functions fill; every insert of an event fails with SQLSTATE 428C9; make it a plain column in a migration: ALTER COLUMN event_key DROP EXPRESSION; if it is VIRTUAL, drop the column and add it again instead"},
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
			[]string{
				"db/1.sql:4:79: warning: the constraint \"event_outbox_id_key\"" + deferrable + "drop it in a migration; another key of the column remains: ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_id_key",
				"db/1.sql:5:30: warning: the constraint \"event_outbox_pkey\"" + deferrable + "replace it in a migration: ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_pkey, ADD PRIMARY KEY (id)",
			},
		},
		"a key that is checked later, beside another one": {
			"CREATE TABLE event_outbox (" + ourColumns + ");\nALTER TABLE event_outbox ADD CONSTRAINT later UNIQUE (id) DEFERRABLE;",
			[]string{"db/1.sql:5:41: warning: the constraint \"later\"" + deferrable + "drop it in a migration; another key of the column remains: ALTER TABLE event_outbox DROP CONSTRAINT later"},
		},
		"a unique constraint that is checked later": {
			"CREATE TABLE event_outbox (" + plain + ", CONSTRAINT later UNIQUE (id) DEFERRABLE);",
			[]string{"db/1.sql:4:90: warning: the constraint \"later\"" + deferrable + "replace it in a migration: ALTER TABLE event_outbox DROP CONSTRAINT later, ADD UNIQUE (id)"},
		},
		"a copy":                        {"CREATE TABLE t (" + ourColumns + ");\nCREATE TABLE event_outbox (LIKE t INCLUDING ALL);", nil},
		"a trigger of a loop":           {withTenant + "DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY['orders', 'event_outbox'] LOOP EXECUTE format('CREATE TRIGGER %I BEFORE INSERT ON %I FOR EACH ROW EXECUTE FUNCTION set_tenant()', t || '_tenant', t); END LOOP; END $$;", nil},
		"a trigger put together":        {withTenant + "DO $$ DECLARE t text; c text; BEGIN FOR t IN SELECT relname FROM pg_class LOOP c := 'CREATE TRIGGER a BEFORE ' || 'INSERT ON ' || t || ' FOR EACH ROW EXECUTE FUNCTION f()'; EXECUTE c; END LOOP; END $$;", nil},
		"a trigger under a condition":   {withTenant + "DO $$ BEGIN IF current_setting('app.tenants') = 'on' THEN CREATE OR REPLACE TRIGGER t BEFORE INSERT ON event_outbox FOR EACH ROW EXECUTE FUNCTION f(); END IF; END $$;", nil},
		"a rule in a loop":              {withTenant + "DO $$ BEGIN FOR i IN 1..1 LOOP EXECUTE 'CREATE RULE r AS ON INSERT TO event_outbox DO INSTEAD SELECT f()'; END LOOP; END $$;", nil},
		"a trigger of a function":       {withTenant + "CREATE FUNCTION add(t regclass) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('CREATE TRIGGER t BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION f()', t); END $$;\nSELECT add(oid) FROM pg_class WHERE relname LIKE 'event%';", nil},
		"a trigger of a call elsewhere": {"CREATE FUNCTION add(t text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('CREATE TRIGGER t BEFORE INSERT ON %I FOR EACH ROW EXECUTE FUNCTION f()', t); END $$;\nSELECT add('orders');\n" + withTenant + "INSERT INTO done SELECT add('event_outbox');", nil},
		"a trigger of a part":           {"CREATE TABLE event_outbox (" + plain + ", tenant uuid NOT NULL) PARTITION BY LIST (id);\nCREATE UNIQUE INDEX ON event_outbox (id);\nCREATE TABLE p PARTITION OF event_outbox DEFAULT;\nCREATE TRIGGER t BEFORE INSERT ON p FOR EACH ROW EXECUTE FUNCTION f();", nil},
		"a trigger by a placeholder":    {withTenant + "CREATE TRIGGER t BEFORE INSERT ON ${outbox} FOR EACH ROW EXECUTE FUNCTION f();", nil},
		"a trigger of another table": {withTenant + "CREATE TABLE orders (id int);\nCREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION f();", []string{
			"db/1.sql:4:108: warning: the column \"tenant\"" + required,
		}},
		"a default of a loop":         {withTenant + "DO $$ DECLARE t text; BEGIN FOR t IN SELECT table_name FROM information_schema.columns WHERE column_name = 'tenant' LOOP EXECUTE format('ALTER TABLE %I ALTER tenant SET DEFAULT gen_random_uuid()', t); END LOOP; END $$;", nil},
		"a default under a condition": {withTenant + "DO $$ BEGIN IF current_setting('app.tenants') = 'on' THEN ALTER TABLE event_outbox ALTER tenant SET DEFAULT gen_random_uuid(); END IF; END $$;", nil},
		"a default of a parent":       {"CREATE TABLE p (tenant uuid DEFAULT gen_random_uuid());\n" + strings.Replace(withTenant, ");", ") INHERITS (p);", 1), nil},
		"a default by a placeholder":  {withTenant + "ALTER TABLE event_outbox ALTER tenant ${default};", nil},
		"a key of another file":       {"CREATE TABLE event_outbox (" + plain + ", tenant uuid NOT NULL);\n\\i constraints.sql\n", nil},
		"a key of a migration in Go": {
			"SELECT 1;\n-- db/0001_a.sql --\n-- +goose Up\nCREATE TABLE event_outbox (" + plain + ", tenant uuid NOT NULL);\n-- db/0002_pk.go --\npackage db\n",
			[]string{"db/0002_pk.go:1:1: note: 0002_pk.go is not SQL; outboxgen does not read it"},
		},
		"a key of a migration in Go beside folders": {
			"SELECT 1;\n-- db/0002_pk.go --\npackage db\n-- db/outbox/1.sql --\nCREATE TABLE event_outbox (" + plain + ");\n",
			[]string{"db/0002_pk.go:1:1: note: 0002_pk.go is not SQL; outboxgen does not read it"},
		},
		"a key of a changelog in XML":     {"CREATE TABLE event_outbox (" + plain + ");\n-- db/changelog.xml --\n<databaseChangeLog><changeSet id=\"1\" author=\"a\"><addPrimaryKey tableName=\"event_outbox\" columnNames=\"id\"/></changeSet></databaseChangeLog>\n", []string{"db/changelog.xml:1:75: warning: changelog.xml" + notRead}},
		"a key of a changelog in YAML":    {"CREATE TABLE event_outbox (" + plain + ");\n-- db/changes/1.yaml --\ndatabaseChangeLog:\n- changeSet:\n    id: 1\n    author: a\n    changes:\n    - addUniqueConstraint:\n        tableName: event_outbox\n        columnNames: id\n", []string{"db/changes/1.yaml:7:20: warning: 1.yaml" + notRead}},
		"a key of a changelog in JSON":    {"CREATE TABLE event_outbox (" + plain + ");\n-- db/changelog.json --\n{\"databaseChangeLog\": [{\"changeSet\": {\"id\": \"1\", \"author\": \"a\", \"changes\": [{\"createIndex\": {\"unique\": true, \"tableName\": \"${outbox}\", \"columns\": [{\"column\": {\"name\": \"id\"}}]}}]}}]}\n", nil},
		"NOT NULL that a changelog drops": {withTenant + "-- db/changelog.xml --\n<databaseChangeLog><changeSet id=\"1\" author=\"a\"><dropNotNullConstraint tableName=\"event_outbox\" columnName=\"tenant\"/></changeSet></databaseChangeLog>\n", []string{"db/changelog.xml:1:83: warning: changelog.xml" + notRead}},
		"a changelog above the folder":    {"SELECT 1;\n-- db/sql/1.sql --\nCREATE TABLE event_outbox (" + plain + ");\n-- changelog.xml --\n<databaseChangeLog><changeSet id=\"1\" author=\"a\"><customChange class=\"a.B\"/></changeSet></databaseChangeLog>\n", nil},
		"a changelog of another table": {
			withTenant + "-- db/changelog.xml --\n<databaseChangeLog><include file=\"1.sql\"/><changeSet id=\"1\" author=\"a\"><addPrimaryKey tableName=\"orders\" columnNames=\"id\"/></changeSet></databaseChangeLog>\n",
			[]string{"db/1.sql:4:108: warning: the column \"tenant\"" + required},
		},
		"a changelog that names it in no change": {
			withTenant + "-- db/changelog.xml --\n<databaseChangeLog><changeSet id=\"1\" author=\"a\"><preConditions><not><tableExists tableName=\"event_outbox\"/></not></preConditions><sqlFile path=\"1.sql\"/><createIndex tableName=\"orders\"/>\n<rollback><dropTable tableName=\"event_outbox\"/></rollback></changeSet></databaseChangeLog>\n",
			[]string{"db/1.sql:4:108: warning: the column \"tenant\"" + required},
		},
		"a key of a script in Python":         {"CREATE TABLE event_outbox (" + plain + ");\n-- db/2_pk.py --\nop.create_primary_key('pk', TABLE, ['id'])\n", nil},
		"a key of a script in another folder": {"CREATE TABLE event_outbox (" + plain + ");\n-- db/code/pk.ts --\nawait knex.raw(`ALTER TABLE ${table} ADD PRIMARY KEY (id)`)\n", nil},
		"code that changes no table": {
			withTenant + "-- db/embed.go --\npackage db\n\n//go:embed *.sql\nvar Files embed.FS\n\nconst all = \"SELECT * FROM event_outbox\"\n",
			[]string{"db/1.sql:4:108: warning: the column \"tenant\"" + required},
		},
		"a key in a new schema":          {"CREATE SCHEMA app CREATE TABLE event_outbox (" + ourColumns + ");\nALTER TABLE app.event_outbox SET SCHEMA public;", nil},
		"elements by a placeholder":      {"CREATE TABLE event_outbox (" + plain + ", ${constraints});", nil},
		"a key by a placeholder":         {"CREATE TABLE event_outbox (" + plain + ", PRIMARY KEY (${key}));", nil},
		"a column with a placeholder":    {"CREATE TABLE event_outbox (" + strings.Replace(plain, "id uuid", "id uuid ${pk}", 1) + ");", nil},
		"an action by a placeholder":     {withTenant + "ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_pkey;\nALTER TABLE event_outbox ${action};", nil},
		"an added key by a placeholder":  {"CREATE TABLE event_outbox (" + plain + ");\nALTER TABLE event_outbox ADD ${pk};", nil},
		"an added key of a placeholder":  {"CREATE TABLE event_outbox (" + plain + ");\nALTER TABLE event_outbox ADD PRIMARY KEY (${key});", nil},
		"an index by a placeholder":      {"CREATE TABLE event_outbox (" + plain + ");\nCREATE UNIQUE INDEX ${name} ON event_outbox (id);", nil},
		"a key that a DO may drop":       {"CREATE TABLE event_outbox (" + ourColumns + ");\nDO $$ BEGIN IF EXISTS (SELECT FROM pg_constraint WHERE conname = 'old_pkey') THEN ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_pkey; END IF; END $$;", nil},
		"an index that a DO may drop":    {"CREATE TABLE event_outbox (" + plain + ");\nCREATE UNIQUE INDEX i ON event_outbox (id);\nDO $$ BEGIN IF false THEN DROP INDEX i; END IF; END $$;", nil},
		"a later key that a DO drops":    {"CREATE TABLE event_outbox (" + ourColumns + ");\nALTER TABLE event_outbox ADD CONSTRAINT later UNIQUE (id) DEFERRABLE;\nDO $$ BEGIN EXECUTE 'ALTER TABLE event_outbox DROP CONSTRAINT later'; END $$;", nil},
		"renamed by an EXECUTE":          {"CREATE TABLE outbox (" + ourColumns + ");\nDO $$ BEGIN EXECUTE 'ALTER TABLE outbox RENAME TO event_outbox'; END $$;", nil},
		"a column renamed by an EXECUTE": {"CREATE TABLE event_outbox (" + strings.Replace(ourColumns, "id uuid", "event_id uuid", 1) + ");\nDO $$ BEGIN EXECUTE 'ALTER TABLE event_outbox RENAME event_id TO id'; END $$;", nil},
		"a key that replaces one": {
			"CREATE TABLE event_outbox (" + plain + ", CONSTRAINT pk PRIMARY KEY (id, created_at));\nALTER TABLE event_outbox ADD CONSTRAINT pk PRIMARY KEY (id), DROP CONSTRAINT pk;", nil,
		},
		"another table of that name dropped":    {"CREATE TABLE event_outbox (" + ourColumns + ");\nCREATE SCHEMA old;\nCREATE TABLE old.event_outbox (id int);\nSET search_path = old;\nDROP TABLE event_outbox;", nil},
		"a temporary table dropped":             {"CREATE TABLE event_outbox (" + ourColumns + ");\nCREATE TEMP TABLE event_outbox (id int);\nDROP TABLE event_outbox;", nil},
		"a key in another search_path":          {"CREATE SCHEMA old;\nSET search_path = old;\nCREATE TABLE outbox (" + ourColumns + ");\nALTER TABLE old.outbox RENAME TO event_outbox;\nALTER TABLE old.event_outbox SET SCHEMA public;", nil},
		"an index in another search_path":       {"CREATE SCHEMA old;\nCREATE TABLE old.outbox (" + plain + ");\nSET search_path = old;\nCREATE UNIQUE INDEX ON outbox (id);\nALTER TABLE old.outbox RENAME TO event_outbox;\nALTER TABLE old.event_outbox SET SCHEMA public;", nil},
		"another index of that name":            {"CREATE TABLE event_outbox (" + plain + ");\nCREATE UNIQUE INDEX i ON event_outbox (id);\nCREATE SCHEMA old;\nCREATE TABLE old.t (id int);\nCREATE INDEX i ON old.t (id);\nSET search_path = old;\nDROP INDEX i;", nil},
		"an index that a function drops":        {"CREATE TABLE event_outbox (" + plain + ");\nCREATE UNIQUE INDEX i ON event_outbox (created_at, id);\nCREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DROP INDEX i';\nSELECT f();\nCREATE UNIQUE INDEX IF NOT EXISTS i ON event_outbox (id);", nil},
		"a key that another function adds":      {"CREATE TABLE event_outbox (" + plain + ");\nDO $$ DECLARE c text := 'ALTER TABLE event_outbox ADD PRIMARY KEY (id)'; BEGIN PERFORM tools.run(c); END $$;", nil},
		"no longer generated under a condition": {"CREATE TABLE event_outbox (" + strings.Replace(ourColumns, "event_key text", "event_key text GENERATED ALWAYS AS (aggregate_id) STORED", 1) + ");\nDO $$ BEGIN IF current_setting('app.keys') = 'on' THEN ALTER TABLE event_outbox ALTER event_key DROP EXPRESSION; END IF; END $$;", nil},
		"NOT NULL with a name":                  {"CREATE TABLE event_outbox (" + ourColumns + ", a int CONSTRAINT has_a NOT NULL, b int, c int NOT NULL, CONSTRAINT has_b NOT NULL b);\nALTER TABLE event_outbox DROP CONSTRAINT has_a, DROP CONSTRAINT IF EXISTS has_b, DROP CONSTRAINT event_outbox_c_not_null;", nil},
		"another constraint dropped": {
			"CREATE TABLE event_outbox (" + ourColumns + ", a int CONSTRAINT has_a NOT NULL, CONSTRAINT c CHECK (a > 0));\nALTER TABLE event_outbox DROP CONSTRAINT c;",
			[]string{"db/1.sql:4:108: warning: the column \"a\"" + required},
		},
		"another primary key": {
			"CREATE TABLE event_outbox (" + strings.Replace(ourColumns, " PRIMARY KEY", "", 1) + ", PRIMARY KEY (seq));",
			[]string{"db/1.sql:1:14: warning: " + noKey},
		},
		"an identity that is none": {"CREATE TABLE event_outbox (" + ourColumns + ", a int NOT NULL DEFAULT 1);\nALTER TABLE event_outbox ALTER a DROP IDENTITY IF EXISTS;", nil},
		"an identity no more": {
			"CREATE TABLE event_outbox (" + ourColumns + ", a int NOT NULL GENERATED ALWAYS AS IDENTITY);\nALTER TABLE event_outbox ALTER a DROP IDENTITY;",
			[]string{"db/1.sql:4:108: warning: the column \"a\"" + required},
		},
		"a domain after the column": {"CREATE DOMAIN d AS int DEFAULT 1;\nCREATE TABLE event_outbox (" + ourColumns + ", a int NOT NULL);\nALTER TABLE event_outbox ALTER a TYPE d;", nil},
		"of a query": {
			"CREATE TABLE o (" + ourColumns + ", a int);\nCREATE TABLE event_outbox AS SELECT * FROM o;\nALTER TABLE event_outbox ALTER a SET NOT NULL;",
			[]string{"db/1.sql:5:14: warning: " + noKey, "db/1.sql:5:14: warning: the column \"a\"" + required},
		},
		"a domain of a query": {"CREATE DOMAIN d AS int DEFAULT 1;\nCREATE TABLE o (" + ourColumns + ", a d);\nCREATE TABLE event_outbox AS SELECT * FROM o;\nALTER TABLE event_outbox ALTER a SET NOT NULL, ADD PRIMARY KEY (id);", nil},
		"renamed":             {"CREATE TABLE t (" + ourColumns + ");\nALTER TABLE t RENAME TO event_outbox;", nil},
	}
	for i, name := range slices.Sorted(maps.Keys(cases)) {
		if testing.Short() && i%3 != 0 {
			continue // each is a run of sqlc
		}
		test := cases[name]
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
