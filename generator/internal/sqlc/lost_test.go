package sqlc_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/sqlc"
	"github.com/outboxgen/outboxgen/migrations"
)

// A column that a migration renames or drops is reported at the statement that does so,
// with what to write, also in the tables that the insert statements do not use.
func TestLostColumns(t *testing.T) {
	t.Parallel()
	const again = "add it again in a later migration, as `outboxgen migration --format sql` prints it"
	for name, test := range map[string]struct {
		sql    string
		schema string
		want   []string
	}{
		"renamed": {
			sql:  "ALTER TABLE event_outbox RENAME COLUMN topic TO kafka_topic;",
			want: []string{"db/2.sql:1:26: this statement renames the column \"topic\" of event_outbox, which the insert functions write; rename it back in a later migration: ALTER TABLE event_outbox RENAME COLUMN kafka_topic TO topic"},
		},
		"renamed twice": {
			sql:  "ALTER TABLE event_outbox RENAME topic TO t;\nALTER TABLE event_outbox RENAME t TO \"Topic\";",
			want: []string{"db/2.sql:1:26: this statement renames the column \"topic\" of event_outbox, which the insert functions write; rename it back in a later migration: ALTER TABLE event_outbox RENAME COLUMN \"Topic\" TO topic"},
		},
		"renamed and dropped": {
			sql:  "ALTER TABLE event_outbox RENAME topic TO t;\nALTER TABLE event_outbox DROP t;",
			want: []string{"db/2.sql:1:26: this statement renames the column \"topic\" of event_outbox, which the insert functions write; " + again},
		},
		"dropped": {
			sql:  "ALTER TABLE event_outbox ADD x int,\n  DROP COLUMN headers, DROP COLUMN IF EXISTS nothing;",
			want: []string{"db/2.sql:2:15: this statement drops the column \"headers\" of event_outbox, which the insert functions write; " + again},
		},
		"of the relay": {
			sql: "DO $$ BEGIN\n  ALTER TABLE event_outbox RENAME dead_at TO died_at;\nEND $$;\nALTER TABLE event_outbox DROP partition;",
			want: []string{
				"db/2.sql:2:28: warning: this statement renames the column \"dead_at\" of event_outbox, which the relay needs; rename it back in a later migration: ALTER TABLE event_outbox RENAME COLUMN died_at TO dead_at",
				"db/2.sql:4:31: warning: this statement drops the column \"partition\" of event_outbox, which the relay needs; " + again,
			},
		},
		"of the table that it inherits from": {
			sql:  "CREATE TABLE base (LIKE event_outbox);\nALTER TABLE event_outbox INHERIT base;\nALTER TABLE base RENAME topic TO t;",
			want: []string{"db/2.sql:3:18: this statement renames the column \"topic\" of event_outbox, which the insert functions write; rename it back in a later migration, from \"t\""},
		},
		"that come back": {sql: "ALTER TABLE event_outbox RENAME topic TO t;\nALTER TABLE event_outbox RENAME t TO topic;\nALTER TABLE event_outbox DROP headers;\nALTER TABLE event_outbox ADD headers json;\nALTER TABLE event_inbox RENAME consumer TO reader;\nALTER TABLE event_inbox RENAME reader TO consumer;"},
		"of other tables": {
			sql: "ALTER TABLE event_outbox_delayed RENAME COLUMN deliver_at TO due_at;\nALTER TABLE event_inbox RENAME COLUMN consumer TO reader;\n" +
				"ALTER TABLE event_outbox_lease DROP COLUMN holder;\nALTER TABLE event_outbox_audit DROP reason, DROP topic;",
			want: []string{
				"db/2.sql:1:34: warning: this statement renames the column \"deliver_at\" of event_outbox_delayed, which delayed events need; rename it back in a later migration: ALTER TABLE event_outbox_delayed RENAME COLUMN due_at TO deliver_at",
				"db/2.sql:2:25: warning: this statement renames the column \"consumer\" of event_inbox, which package inbox needs; rename it back in a later migration: ALTER TABLE event_inbox RENAME COLUMN reader TO consumer",
				"db/2.sql:3:44: warning: this statement drops the column \"holder\" of event_outbox_lease, which the relay needs; " + again,
				"db/2.sql:4:37: warning: this statement drops the column \"reason\" of event_outbox_audit, which the relay needs; " + again,
				"db/2.sql:4:50: warning: this statement drops the column \"topic\" of event_outbox_audit, which the relay needs; " + again,
			},
		},
		"of other tables, by a DO that may do it": {sql: "DO $$ BEGIN FOR i IN 1..0 LOOP ALTER TABLE event_inbox RENAME COLUMN consumer TO reader; END LOOP; END $$;"},
		"of a table that is made again":           {sql: "ALTER TABLE event_inbox DROP consumer;\nDROP TABLE event_inbox;\nCREATE TABLE event_inbox (consumer text, event_id uuid, handled_at timestamptz);"},
		"that the relay can do without":           {sql: "ALTER TABLE event_outbox_lease DROP COLUMN low_water, DROP COLUMN low_water_file, DROP COLUMN search_below;"},
		"of a table of another tool":              {sql: "DROP TABLE event_inbox;\nCREATE TABLE event_inbox (id int, body text, consumer text);\nALTER TABLE event_inbox RENAME consumer TO reader;"},
		"of another schema":                       {sql: "CREATE SCHEMA old;\nCREATE TABLE old.event_inbox (LIKE event_inbox);\nALTER TABLE old.event_inbox RENAME consumer TO reader;"},
		"of other tables in the schema of the outbox": {
			sql:    "CREATE SCHEMA app;\nALTER TABLE event_outbox SET SCHEMA app;\nALTER TABLE event_inbox SET SCHEMA app;\nALTER TABLE app.event_inbox DROP consumer;",
			schema: "app",
			want:   []string{"db/2.sql:4:34: warning: this statement drops the column \"consumer\" of event_inbox, which package inbox needs; " + again},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, said := generate(t, "-- db/1.sql --\n"+migrations.SQL()+"-- db/2.sql --\n"+test.sql+"\n", sqlc.Options{Migrations: "db", Schema: test.schema})
			if diff := cmp.Diff(test.want, said); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
