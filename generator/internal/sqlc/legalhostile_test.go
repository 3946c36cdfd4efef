package sqlc_test

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

// after returns a folder with our migration first, and this one second.
func after(sql string) legal {
	return legal{archive: "-- db/1_outbox.sql --\n@outbox@\n-- db/2_next.sql --\n" + sql + "\n"}
}

// warned is a case with these findings.
func warned(l legal, want ...string) legal {
	l.want = want
	return l
}

// file returns a folder with one migration.
func file(sql string) legal { return legal{archive: "-- db/1.sql --\n" + sql + "\n"} }

// utf16Text returns text as some editors on Windows save it.
func utf16Text(text string, order binary.AppendByteOrder) string {
	var all []byte
	for _, unit := range append([]uint16{0xFEFF}, utf16.Encode([]rune(text))...) {
		all = order.AppendUint16(all, unit)
	}
	return string(all)
}

// plainColumns is ourColumns without what a partitioned table cannot have.
var plainColumns = strings.NewReplacer(" PRIMARY KEY", "", " GENERATED ALWAYS AS IDENTITY", "").Replace(ourColumns)

// hostile are migrations that were written to be hard to read.
var hostile = map[string]legal{
	"two in a line of psql":     file("CREATE TABLE a (id int)\\; CREATE TABLE event_outbox (@columns@)\\; ALTER TABLE event_outbox ADD extra int;\n"),
	"escaped names":             file("CREATE TABLE U&\"event\\005foutbox\" (" + strings.Replace(ourColumns, "topic", "U&\"t!006Fpic\" UESCAPE '!'", 1) + ", U&\"d\\0061t\\+000061\" int);\nALTER TABLE U&\"event!005Foutbox\" UESCAPE '!' RENAME U&\"d\\0061ta\" TO U&\"x\\\\y\";"),
	"upper case of others":      file("CREATE TABLE event_outbox (" + ourColumns + ", GRÖSSE int, \"GRÖSSE\" int);\nALTER TABLE event_outbox RENAME GRÖSSE TO ÉTAT;"),
	"backslashes by set_config": file("SET escape_string_warning = off;\nSELECT set_config('standard_conforming_strings', 'off', false);\nCREATE TABLE a (t text DEFAULT 'it\\'s; CREATE TABLE event_outbox (');\nSET standard_conforming_strings = 'on';\nCREATE TABLE event_outbox (@columns@);\nSET SESSION standard_conforming_strings TO 0;\nALTER TABLE event_outbox ADD extra text DEFAULT 'it\\';s';\nRESET standard_conforming_strings;\nCOMMENT ON TABLE event_outbox IS 'a\\';\nALTER TABLE event_outbox ADD more int;"),
	"conditions of psql":        file("\\if false\nCREATE TABLE event_outbox (id int);\n\\elif true\nCREATE TABLE event_outbox (@columns@);\n\\else\nDROP TABLE event_outbox;\n\\endif\n\\set old off\n\\if :old\nDROP TABLE event_outbox;\n\\if true\nDROP TABLE event_outbox;\n\\endif\n\\endif\nALTER TABLE event_outbox ADD extra int;"),
	"variables of psql":         file("\\set t event_outbox\n\\set kind 'text'\nCREATE TABLE :t (@columns@);\nALTER TABLE :\"t\" ADD extra :kind;"),
	"a body in its schema":      file("CREATE SCHEMA AUTHORIZATION CURRENT_USER CREATE TABLE event_outbox (id int);\nSET search_path TO public;\nCREATE SCHEMA IF NOT EXISTS app AUTHORIZATION CURRENT_USER;\nCREATE TABLE event_outbox (@columns@);"),
	"a rule":                    after("CREATE TABLE log (id uuid);\nCREATE RULE r AS ON INSERT TO event_outbox DO ALSO (INSERT INTO log VALUES (NEW.id); DELETE FROM log WHERE false; SELECT 1);\nALTER TABLE event_outbox ADD extra int;\nALTER TABLE event_outbox RENAME extra TO more;"),
	"bodies":                    after("CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE a WHEN 1 THEN CASE WHEN a > 2 THEN 3 END ELSE 4 END; SELECT a AS \"end\"; END;\nCREATE PROCEDURE p() BEGIN ATOMIC DELETE FROM event_outbox WHERE false; SELECT 1; END;\nCREATE FUNCTION g() RETURNS int RETURN CASE WHEN true THEN 1 END;\nALTER TABLE event_outbox ADD extra int;"),
	"a view with names": {archive: "-- db/1.sql --\nCREATE TABLE t (a uuid, b text, c text, d text, e json, f text, g text, h json, created_at timestamptz, published_at timestamptz, retry_count int, last_error text, tx xid8, seq bigint, next_attempt_at timestamptz, dead_at timestamptz, partition int, z int);\n" +
		"CREATE VIEW event_outbox (id, aggregate_id, aggregate_type, event_type, event_data, event_key, topic, headers) AS SELECT * FROM t;"},
	"a table with names": {archive: "-- db/1.sql --\nCREATE TABLE t (a uuid, b text, c text, d text, e json, f text, g text, h json, created_at timestamptz, published_at timestamptz, retry_count int, last_error text, tx xid8, seq bigint, next_attempt_at timestamptz, dead_at timestamptz, partition int);\n" +
		"CREATE TABLE event_outbox (id, aggregate_id, aggregate_type, event_type, event_data, event_key, topic, headers) WITH (fillfactor = 70) AS SELECT a, t.b, c AS x, d, e, f, g, h, created_at, published_at, retry_count, last_error, tx, seq, next_attempt_at, dead_at, partition FROM public.t WITH NO DATA;", want: []string{"db/1.sql:2:14: warning: " + noKey}},
	"a view that is replaced": file("CREATE TABLE o (@columns@, extra int);\nCREATE VIEW event_outbox AS SELECT id FROM o;\nDROP VIEW event_outbox;\nCREATE VIEW event_outbox AS SELECT id, topic FROM o;\nCREATE OR REPLACE VIEW event_outbox AS SELECT id, topic, extra FROM o;\nDROP VIEW event_outbox;\nALTER TABLE o RENAME TO event_outbox;"),
	"a view that goes along":  file("CREATE TABLE o (@columns@);\nCREATE VIEW event_outbox AS SELECT id FROM o;\nCREATE VIEW v AS SELECT * FROM event_outbox;\nDROP TABLE o CASCADE;\nCREATE TABLE event_outbox (@columns@);"),
	"a view that stays":       {archive: "-- db/1.sql --\nCREATE TABLE o (@columns@);\nCREATE VIEW event_outbox AS SELECT * FROM o;\nALTER TABLE o ADD extra int;\nALTER TABLE o RENAME topic TO subject;\nALTER VIEW event_outbox RENAME COLUMN dead_at TO died;\nALTER VIEW event_outbox RENAME COLUMN died TO dead_at;\nALTER VIEW event_outbox ALTER COLUMN retry_count SET DEFAULT 0;\nALTER VIEW event_outbox SET (security_barrier = true);"},
	"a view of a query": {archive: "-- db/1.sql --\nCREATE TABLE o (@columns@);\nCREATE VIEW event_outbox AS WITH x AS MATERIALIZED (SELECT * FROM o) SELECT x.*, j.k FROM x CROSS JOIN LATERAL (SELECT count(*) AS k FROM jsonb_to_recordset('[]') AS r (q int)) AS j;",
		unlike: "sqlc knows less of queries"},
	"of a typed table":                      file("CREATE TYPE ev AS (id uuid, aggregate_id text, aggregate_type text, event_type text, junk json, event_key text, subject text, headers json, created_at timestamptz, published_at timestamptz, retry_count int);\nCREATE TABLE event_outbox OF ev;\nALTER TYPE ev ADD ATTRIBUTE last_error text CASCADE, ADD ATTRIBUTE tx xid8 CASCADE, DROP ATTRIBUTE junk CASCADE;\nALTER TYPE ev RENAME ATTRIBUTE subject TO topic CASCADE;\nALTER TYPE ev ALTER ATTRIBUTE retry_count SET DATA TYPE bigint CASCADE, ADD ATTRIBUTE event_data json CASCADE;\nALTER TABLE event_outbox NOT OF;\nALTER TYPE ev ADD ATTRIBUTE wrong int CASCADE;\nALTER TABLE event_outbox ADD seq bigint, ADD next_attempt_at timestamptz, ADD dead_at timestamptz, ADD partition int;"),
	"of a type later":                       file("CREATE TABLE event_outbox (@columns@);\nCREATE TYPE ev AS (id uuid, a int);\nCREATE TABLE x (id uuid, a int);\nALTER TABLE x OF ev;\nALTER TYPE ev ADD ATTRIBUTE b int CASCADE;\nALTER TABLE x NOT OF;\nALTER TABLE x DROP b;\nDROP TYPE ev;"),
	"a type dropped":                        after("CREATE TYPE mood AS ENUM ('a');\nCREATE DOMAIN d AS text;\nCREATE TYPE comp AS (a int);\nALTER TABLE event_outbox ADD m mood, ADD e d, ADD f d[], ADD g comp, ADD kept int;\nDROP TYPE mood CASCADE;\nDROP DOMAIN d CASCADE;\nDROP TYPE comp CASCADE;"),
	"a schema dropped":                      after("CREATE SCHEMA x;\nCREATE TYPE x.mood AS ENUM ('a');\nCREATE DOMAIN x.d AS int;\nALTER TABLE event_outbox ADD m x.mood, ADD d x.d, ADD kept int;\nDROP SCHEMA x CASCADE;"),
	"an extension dropped":                  after("CREATE EXTENSION citext;\nCREATE EXTENSION hstore;\nALTER TABLE event_outbox ADD m citext, ADD h hstore, ADD kept int;\nDROP EXTENSION citext, hstore CASCADE;"),
	"an enum changed":                       after("CREATE TYPE mood AS ENUM ('a', 'b');\nALTER TABLE event_outbox ADD m mood DEFAULT 'a';\nALTER TYPE mood ADD VALUE 'c' AFTER 'a';\nALTER TYPE mood RENAME VALUE 'b' TO 'd';\nALTER TABLE event_outbox ALTER m DROP DEFAULT, ALTER m TYPE text USING m::text;\nDROP TYPE mood;"),
	"defaults":                              file("CREATE SEQUENCE s;\nCREATE TABLE event_outbox (@columns@, a boolean DEFAULT 1 IS DISTINCT FROM 2, b boolean DEFAULT (NULL IS NOT NULL) NOT NULL, c int DEFAULT CASE WHEN 1 IS NOT NULL THEN 2 ELSE 3 END, d text DEFAULT 'a' || 'b' COLLATE \"C\" NULL, e text DEFAULT current_setting('x.y', true) CHECK (e IS NOT NULL OR e = 'default') NO INHERIT, f int DEFAULT nextval('s'::regclass), g interval DEFAULT INTERVAL '1' HOUR, h json DEFAULT JSON '{\"a\": 1}', i timestamptz DEFAULT (now() AT TIME ZONE 'UTC'), j int[] DEFAULT ARRAY[1, 2]::int[] NOT NULL, k int DEFAULT - 1, l int DEFAULT NULL NULL, m int CONSTRAINT n NOT NULL DEFAULT 3, o uuid REFERENCES event_outbox (id) MATCH FULL ON DELETE SET DEFAULT ON UPDATE SET NULL NOT DEFERRABLE INITIALLY IMMEDIATE, p int GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME sn START WITH 3 NO CYCLE), q text COMPRESSION pglz, r text GENERATED ALWAYS AS (upper(d)) STORED NOT NULL, t text COLLATE pg_catalog.\"C\" DEFAULT 'x', EXCLUDE (a WITH =), UNIQUE NULLS NOT DISTINCT (id) INCLUDE (c) WITH (fillfactor = 70) USING INDEX TABLESPACE pg_default);"),
	"types":                                 file("CREATE TABLE event_outbox (@columns@, a \"char\", b pg_catalog.varchar(3), c \"pg_catalog\".\"int4\", d dec(3,1), e float(3), f real, g char varying (3), h nchar(2), i bit, j timestamp with time zone[], k time without time zone, l interval year to month, n int4range, o int[3][3], p int array, q xml, r name, s oid, t regclass, u money);\n"),
	"lists":                                 after("ALTER TABLE event_outbox ADD COLUMN a int CHECK (a IN (1, 2)), ADD COLUMN b numeric(10, 2) DEFAULT round(1.5, 1), ADD CONSTRAINT c CHECK (a IN (3, 4) AND b > 0), ADD d text[] DEFAULT ARRAY['a,b', 'c'], ADD COLUMN IF NOT EXISTS b int, DROP COLUMN IF EXISTS x;\nALTER TABLE event_outbox ALTER COLUMN b TYPE numeric(5, 1) USING round(b, 1), DROP a CASCADE, ADD a text;"),
	"two files of UTF-16":                   {archive: "-- db/1.sql --\n" + utf16Text("-- größe\r\nCREATE TABLE event_outbox (\r\n"+ourColumns+");\r\n", binary.LittleEndian) + "\n-- db/2.sql --\n" + utf16Text("ALTER TABLE event_outbox ADD größe int;", binary.BigEndian)},
	"Latin-1":                               {archive: "-- db/1.sql --\n-- gr\xf6\xdfe it's\nCREATE TABLE \"gr\xf6\xdfe\" (a text DEFAULT '\xe4');\nCREATE TABLE event_outbox (" + ourColumns + ", gr\xf6\xdfe int, \"stra\xdfe\" text DEFAULT '\xa4');\n"},
	"only returns":                          {archive: "-- db/1.sql --\n-- migrate:up\r-- it's\rCREATE TABLE event_outbox (\r" + strings.ReplaceAll(ourColumns, "\n", "\r") + ");\r-- migrate:down\rDROP TABLE event_outbox;\r"},
	"comments in odd places":                file("CREATE/**/TABLE--x\nIF/*a;*/NOT EXISTS/* /* ; */ */public/**/./**/event_outbox/**/(@columns@--;\n,/*;*/extra/**/int/**/)/**/;--"),
	"dollars":                               after("DO $ä$ BEGIN NULL; END $ä$;\nDO $_$ BEGIN PERFORM $$;$$, '$_'; END $_$;\nSELECT $tag$ALTER$tag$ AS a, $$'$$ AS b;\nCREATE FUNCTION \"f$$\"() RETURNS text LANGUAGE sql AS $f1$ SELECT '$f$;' $f1$;\nALTER TABLE event_outbox ADD a$b int;\nALTER TABLE event_outbox RENAME a$b TO b$$c;"),
	"an inheriting table":                   file("CREATE TABLE base (id uuid, created_at timestamptz);\nCREATE TABLE more (id uuid, topic text);\nCREATE TABLE event_outbox (" + strings.Replace(ourColumns, "topic text NOT NULL", "topic text", 1) + ") INHERITS (base, more);\nALTER TABLE more ADD extra int;\nALTER TABLE base ADD extra int;\nALTER TABLE more DROP extra;\nALTER TABLE base ALTER created_at TYPE timestamp;\nALTER TABLE base ALTER created_at TYPE timestamptz;"),
	"attached and detached":                 file("CREATE TABLE events (" + plainColumns + ") PARTITION BY LIST (aggregate_type);\nCREATE TABLE event_outbox (LIKE events INCLUDING ALL EXCLUDING INDEXES);\nALTER TABLE events ATTACH PARTITION event_outbox DEFAULT;\nALTER TABLE events ADD extra int;\nALTER TABLE events DETACH PARTITION event_outbox;\nALTER TABLE events ADD wrong int;\nDROP TABLE events;"),
	"partitions of it":                      {archive: "-- db/1.sql --\nCREATE TABLE event_outbox (" + plainColumns + ") PARTITION BY RANGE (created_at);\nCREATE TABLE p PARTITION OF event_outbox DEFAULT;\nCREATE TABLE q (LIKE event_outbox INCLUDING DEFAULTS);\nALTER TABLE event_outbox ATTACH PARTITION q FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');\nALTER TABLE event_outbox ADD extra int, ALTER retry_count TYPE bigint;\nDROP TABLE p;\nALTER TABLE event_outbox DETACH PARTITION q CONCURRENTLY;\nDROP TABLE q;\n", want: []string{"db/1.sql:1:14: warning: " + noKey}},
	"a new one for a table with partitions": warned(file("CREATE TABLE event_outbox (@columns@);\nBEGIN;\nALTER TABLE event_outbox RENAME TO event_outbox_old;\nALTER INDEX event_outbox_pkey RENAME TO event_outbox_old_pkey;\nCREATE TABLE event_outbox (LIKE event_outbox_old INCLUDING DEFAULTS INCLUDING IDENTITY) PARTITION BY RANGE (created_at);\nCREATE TABLE event_outbox_default PARTITION OF event_outbox DEFAULT;\nINSERT INTO event_outbox (id) SELECT id FROM event_outbox_old;\nDROP TABLE event_outbox_old;\nCOMMIT;\nALTER TABLE event_outbox ADD extra int;"), "db/1.sql:8:14: warning: "+noKey),
	"two schemas in a row":                  {archive: "-- db/1.sql --\nCREATE SCHEMA a;\nCREATE SCHEMA b;\nSET search_path TO a;\nCREATE TABLE event_outbox (id int);\nSET search_path TO b, a;\nCREATE TABLE IF NOT EXISTS event_outbox (@columns@);\nALTER TABLE event_outbox ADD extra int;\nALTER TABLE a.event_outbox ADD wrong int;\nSET search_path TO DEFAULT;\n", schema: "b"},
	"a table moved twice":                   {archive: "-- db/1.sql --\nCREATE SCHEMA a;\nCREATE TABLE a.x (@columns@);\nALTER TABLE a.x SET SCHEMA public;\nALTER TABLE x RENAME TO y;\nCREATE VIEW x AS SELECT * FROM y;\nDROP VIEW x;\nALTER TABLE IF EXISTS y RENAME TO event_outbox;\nALTER TABLE IF EXISTS y RENAME TO wrong;"},
	"transactions":                          after("BEGIN ISOLATION LEVEL SERIALIZABLE;\nSAVEPOINT a;\nALTER TABLE event_outbox ADD wrong int;\nSAVEPOINT b;\nALTER TABLE event_outbox ADD wronger int;\nROLLBACK TRANSACTION TO SAVEPOINT a;\nRELEASE a;\nALTER TABLE event_outbox ADD extra int;\nCOMMIT AND CHAIN;\nALTER TABLE event_outbox ADD wrong int;\nROLLBACK AND NO CHAIN;\nBEGIN;\nALTER TABLE event_outbox ADD more int;\nROLLBACK AND CHAIN;\nALTER TABLE event_outbox ADD last int;\nEND;"),
	"identity":                              after("ALTER TABLE event_outbox ALTER COLUMN seq SET GENERATED BY DEFAULT, ALTER seq RESTART;\nALTER TABLE event_outbox ALTER seq DROP IDENTITY IF EXISTS;\nALTER TABLE event_outbox ALTER seq ADD GENERATED ALWAYS AS IDENTITY (START 7);\nALTER TABLE event_outbox ADD n int GENERATED ALWAYS AS (retry_count + 1) STORED;\nALTER TABLE event_outbox ALTER n DROP EXPRESSION;"),
	"made of itself":                        warned(after("CREATE TABLE copy AS TABLE event_outbox WITH NO DATA;\nCREATE TABLE copy2 AS SELECT * FROM copy;\nDROP TABLE event_outbox, copy;\nALTER TABLE copy2 RENAME TO event_outbox;"), "db/2_next.sql:2:14: warning: "+noKey),
	"a materialized view":                   file("CREATE TABLE o (@columns@);\nCREATE MATERIALIZED VIEW event_outbox AS SELECT * FROM o;\nCREATE MATERIALIZED VIEW IF NOT EXISTS event_outbox AS SELECT 1 AS wrong;\nDROP MATERIALIZED VIEW event_outbox;\nALTER TABLE o RENAME TO event_outbox;"),
}
