package history_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/generator/internal/history"
	"github.com/outboxgen/outboxgen/generator/internal/script"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// plain is the table without a unique index.
const plain = `CREATE TABLE event_outbox (id uuid PRIMARY KEY, aggregate_id text, event_type varchar(255) DEFAULT lower(concat('a', 'b')), published_at timestamptz);
`

// cases are migrations, and the unique indexes of event_outbox after them, each as
// its name, whether it is a constraint, partial and deferrable, and the columns of its key.
var keyCases = map[string]struct {
	sql  string
	want []string
}{
	"nothing": {plain + `CREATE INDEX a ON event_outbox (aggregate_id);`, nil},
	"partial": {
		plain + `CREATE UNIQUE INDEX uq ON event_outbox (aggregate_id, event_type) WHERE published_at IS NULL;`,
		[]string{"uq index partial aggregate_id,event_type"},
	},
	"without a name": {
		plain + `CREATE UNIQUE INDEX ON ONLY public.event_outbox USING btree (aggregate_id text_pattern_ops DESC NULLS LAST, lower(event_type), (1 + 1)) INCLUDE (id);`,
		[]string{"event_outbox_aggregate_id_lower_expr_id_idx index aggregate_id,expr,expr"},
	},
	"concurrently, quoted": {
		plain + `create unique /* ; */ index concurrently if not exists "Uq ""1""" on "public"."event_outbox" ("aggregate_id");`,
		[]string{`Uq "1" index aggregate_id`},
	},
	"inline": {
		`CREATE TABLE IF NOT EXISTS public.event_outbox (id uuid NOT NULL PRIMARY KEY, aggregate_id varchar(10) NOT NULL UNIQUE, event_type text CONSTRAINT one_type UNIQUE CHECK (event_type <> 'UNIQUE,'), b numeric(3, 1) DEFAULT (1) UNIQUE);`,
		[]string{"event_outbox_aggregate_id_key constraint aggregate_id", "event_outbox_b_key constraint b", "one_type constraint event_type"},
	},
	"of the table": {
		`CREATE TABLE event_outbox (id uuid, "unique" text, a text, PRIMARY KEY (a, "unique"), CONSTRAINT c UNIQUE (a), UNIQUE (id, a), UNIQUE ("unique", a), CHECK (a <> 'x'));`,
		[]string{"c constraint a", "event_outbox_pkey constraint a,unique", "event_outbox_unique_a_key constraint unique,a"},
	},
	"added": {
		plain + `ALTER TABLE IF EXISTS ONLY "event_outbox" ADD COLUMN IF NOT EXISTS a int UNIQUE, ADD b numeric(1, 0), ADD CONSTRAINT one UNIQUE (aggregate_id, event_type) DEFERRABLE, ADD UNIQUE (b);`,
		[]string{"event_outbox_a_key constraint a", "event_outbox_b_key constraint b", "one constraint deferrable aggregate_id,event_type"},
	},
	"names that are taken": {
		plain + `ALTER TABLE event_outbox ADD UNIQUE (aggregate_id); ALTER TABLE event_outbox ADD UNIQUE (aggregate_id); ALTER TABLE event_outbox ADD UNIQUE (aggregate_id) INCLUDE (event_type); CREATE UNIQUE INDEX ON event_outbox (lower(aggregate_id), lower(event_type)); CREATE UNIQUE INDEX ON event_outbox (aggregate_id); CREATE UNIQUE INDEX ON event_outbox (aggregate_id);`,
		[]string{
			"event_outbox_aggregate_id_event_type_key constraint aggregate_id",
			"event_outbox_aggregate_id_idx index aggregate_id", "event_outbox_aggregate_id_idx1 index aggregate_id",
			"event_outbox_aggregate_id_key constraint aggregate_id", "event_outbox_aggregate_id_key1 constraint aggregate_id",
			"event_outbox_lower_lower1_idx index expr,expr",
		},
	},
	"a long name": {
		`CREATE TABLE event_outbox (id uuid, a_column_whose_name_is_very_long_as_some_are int, another_column_of_that_kind int, UNIQUE (a_column_whose_name_is_very_long_as_some_are, another_column_of_that_kind));`,
		[]string{"event_outbox_a_column_whose_name_is_very_long_as_some_are_a_key constraint a_column_whose_name_is_very_long_as_some_are,another_column_of_that_kind"},
	},
	"checked later": {
		`CREATE TABLE other (id int PRIMARY KEY);
			CREATE TABLE event_outbox (id uuid PRIMARY KEY, a int UNIQUE INITIALLY DEFERRED, b int UNIQUE NOT DEFERRABLE INITIALLY IMMEDIATE, c int UNIQUE USING INDEX TABLESPACE pg_default DEFERRABLE,
				d int UNIQUE REFERENCES other DEFERRABLE, CONSTRAINT e UNIQUE (a, b) INCLUDE (c) WITH (fillfactor = 50) DEFERRABLE INITIALLY DEFERRED);
			CREATE UNIQUE INDEX f ON event_outbox (b, c); ALTER TABLE event_outbox ADD CONSTRAINT g UNIQUE USING INDEX f DEFERRABLE;`,
		[]string{
			"e constraint deferrable a,b", "event_outbox_a_key constraint deferrable a", "event_outbox_b_key constraint b",
			"event_outbox_c_key constraint deferrable c", "event_outbox_d_key constraint d", "g constraint deferrable b,c",
		},
	},
	"from an index": {
		plain + `CREATE UNIQUE INDEX a ON event_outbox (aggregate_id); CREATE UNIQUE INDEX b ON event_outbox (event_type);
			ALTER TABLE event_outbox ADD CONSTRAINT c UNIQUE USING INDEX a, ADD UNIQUE USING INDEX b;`,
		[]string{"b constraint event_type", "c constraint aggregate_id"},
	},
	"dropped": {
		plain + `CREATE UNIQUE INDEX a ON event_outbox (aggregate_id); CREATE UNIQUE INDEX b ON event_outbox (event_type); ALTER TABLE event_outbox ADD CONSTRAINT c UNIQUE (aggregate_id), ADD UNIQUE (event_type);
			DROP INDEX IF EXISTS a, public."b"; ALTER TABLE public.event_outbox DROP CONSTRAINT IF EXISTS c CASCADE, DROP CONSTRAINT event_outbox_event_type_key;`,
		nil,
	},
	"dropped with a column": {
		plain + `CREATE UNIQUE INDEX a ON event_outbox (aggregate_id) WHERE event_type = 'a'; CREATE UNIQUE INDEX b ON event_outbox (aggregate_id); ALTER TABLE event_outbox DROP COLUMN event_type;`,
		[]string{"b index aggregate_id"},
	},
	"made again after the table was dropped": {
		plain + `CREATE UNIQUE INDEX a ON event_outbox (aggregate_id); DROP TABLE event_outbox; ` + plain + `CREATE UNIQUE INDEX IF NOT EXISTS a ON event_outbox (aggregate_id);`,
		[]string{"a index aggregate_id"},
	},
	"dropped with the table": {plain + `CREATE UNIQUE INDEX a ON event_outbox (aggregate_id); DROP TABLE event_outbox CASCADE; ` + plain, nil},
	"renamed": {
		plain + `CREATE UNIQUE INDEX a ON event_outbox (aggregate_id); ALTER INDEX a RENAME TO b; ALTER TABLE event_outbox ADD CONSTRAINT c UNIQUE (aggregate_id);
			ALTER TABLE event_outbox RENAME CONSTRAINT c TO d; ALTER TABLE event_outbox RENAME aggregate_id TO aggregate;`,
		[]string{"b index aggregate", "d constraint aggregate"},
	},
	"another table": {plain + `CREATE TABLE batches (id uuid PRIMARY KEY, event_outbox text UNIQUE); CREATE UNIQUE INDEX a ON batches (event_outbox);`, nil},
	"a table that becomes it": {
		`CREATE TABLE outbox (id uuid PRIMARY KEY, a text UNIQUE); ALTER TABLE outbox RENAME TO event_outbox;`,
		[]string{"outbox_a_key constraint a"},
	},
	"another schema": {
		plain + `CREATE SCHEMA other; CREATE TABLE other.event_outbox (id uuid PRIMARY KEY, a text UNIQUE); CREATE UNIQUE INDEX b ON other.event_outbox (a); DROP INDEX other.b;`,
		nil,
	},
	"in a new schema": {
		`CREATE SCHEMA other CREATE TABLE event_outbox (id uuid PRIMARY KEY, a text UNIQUE) CREATE UNIQUE INDEX i ON event_outbox (id, a) CREATE VIEW v AS SELECT 1 AS x WHERE true GRANT SELECT ON event_outbox TO PUBLIC;
			CREATE UNIQUE INDEX b ON other.event_outbox (lower(a)); ALTER TABLE other.event_outbox SET SCHEMA public;`,
		[]string{"b index expr", "event_outbox_a_key constraint a"},
	},
	"created once in each schema": {
		plain + `CREATE SCHEMA other; CREATE TABLE other.t (a int); CREATE UNIQUE INDEX a ON other.t (a); CREATE UNIQUE INDEX IF NOT EXISTS a ON event_outbox (aggregate_id);`,
		[]string{"a index aggregate_id"},
	},
	"an index of another schema": {
		plain + `CREATE SCHEMA other; CREATE TABLE other.t (a int); CREATE INDEX a ON other.t (a); CREATE UNIQUE INDEX a ON event_outbox (aggregate_id); DROP INDEX other.a;`,
		[]string{"a index aggregate_id"},
	},
	"dropped before it is added": {
		plain + `ALTER TABLE event_outbox ADD CONSTRAINT a UNIQUE (aggregate_id);
			ALTER TABLE event_outbox ADD CONSTRAINT a UNIQUE (event_type), DROP CONSTRAINT a; ALTER TABLE event_outbox ADD COLUMN aggregate_id int UNIQUE, DROP COLUMN aggregate_id;`,
		[]string{"a constraint event_type", "event_outbox_aggregate_id_key constraint aggregate_id"},
	},
	"moved here": {
		`CREATE SCHEMA other; CREATE TABLE other.event_outbox (id uuid PRIMARY KEY, a text UNIQUE); ALTER TABLE other.event_outbox SET SCHEMA public;`,
		[]string{"event_outbox_a_key constraint a"},
	},
	"a temporary table": {plain + `CREATE TEMP TABLE event_outbox (id uuid PRIMARY KEY, a text UNIQUE);`, nil},
	"created once": {
		plain + `CREATE UNIQUE INDEX a ON event_outbox (aggregate_id); CREATE UNIQUE INDEX IF NOT EXISTS a ON event_outbox (event_type);`,
		[]string{"a index aggregate_id"},
	},
	"in a block": {
		plain + `DO $x$ BEGIN
			IF NOT EXISTS (SELECT FROM pg_indexes WHERE indexname = 'a') THEN CREATE UNIQUE INDEX a ON event_outbox (aggregate_id); END IF;
			ALTER TABLE event_outbox ADD CONSTRAINT b UNIQUE (event_type);
		END $x$;`,
		[]string{"a index aggregate_id", "b constraint event_type"},
	},
	"only said": {
		plain + `-- CREATE UNIQUE INDEX a ON event_outbox (aggregate_id);
			COMMENT ON TABLE event_outbox IS 'CREATE UNIQUE INDEX b ON event_outbox (aggregate_id);';
			CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CREATE UNIQUE INDEX c ON event_outbox (aggregate_id); END $$;`,
		nil,
	},
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for name, test := range keyCases {
		var got []string
		for _, x := range history.Of(script.Only([]byte(test.sql)), "public", "event_outbox").Keys {
			if slices.Contains(x.Columns, "id") {
				continue
			}
			kind := "index"
			if x.Constraint {
				kind = "constraint"
			}
			if x.Partial {
				kind += " partial"
			}
			if x.Deferrable {
				kind += " deferrable"
			}
			got = append(got, fmt.Sprintf("%s %s %s", x.Name, kind, strings.Join(x.Columns, ",")))
		}
		if diff := cmp.Diff(test.want, sorted(got)); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
}

// Postgres runs the migrations and has the same indexes.
func TestKeysAreWhatPostgresHas(t *testing.T) {
	t.Parallel()
	conn := services.Postgres(t).Connect(t.Context())
	for name, test := range keyCases {
		_, err := conn.Exec(t.Context(), "DROP SCHEMA public CASCADE; DROP SCHEMA IF EXISTS other CASCADE; DROP TABLE IF EXISTS pg_temp.event_outbox; CREATE SCHEMA public")
		if err != nil {
			t.Fatal(err)
		}
		// CONCURRENTLY must run alone.
		if _, err := conn.Exec(t.Context(), strings.ReplaceAll(test.sql, "concurrently", "")); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		rows, err := conn.Query(t.Context(), `SELECT i.relname || CASE WHEN c.oid IS NULL THEN ' index ' ELSE ' constraint ' END ||
				CASE WHEN x.indpred IS NULL THEN '' ELSE 'partial ' END || CASE WHEN x.indimmediate THEN '' ELSE 'deferrable ' END || k.columns
			FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid LEFT JOIN pg_constraint c ON c.conindid = i.oid,
			LATERAL (SELECT string_agg(coalesce(a.attname, 'expr'), ',' ORDER BY n) AS columns
				FROM unnest(x.indkey) WITH ORDINALITY AS u (attnum, n) LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = u.attnum
				WHERE n <= x.indnkeyatts) AS k
			WHERE x.indisunique AND x.indrelid = 'public.event_outbox'::regclass AND NOT 'id' = ANY (string_to_array(k.columns, ','))`)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			got = nil
		}
		if diff := cmp.Diff(test.want, sorted(got)); diff != "" {
			t.Errorf("%s: (-want +Postgres):\n%s", name, diff)
		}
	}
}

func sorted(lines []string) []string {
	slices.Sort(lines)
	return lines
}
