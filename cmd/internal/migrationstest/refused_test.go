package migrationstest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// Tables of ORMs that fill the columns themselves have no defaults. After an upgrade,
// an event can be inserted into them.
func TestUpgradeAddsDefaults(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		conn := pg.Connect(t.Context())
		exec(t, conn, olderShape+`
			ALTER TABLE event_outbox ALTER created_at DROP DEFAULT, ALTER created_at SET NOT NULL,
				ALTER retry_count DROP DEFAULT, ALTER retry_count SET NOT NULL;`)
		if err := migrations.Upgrade(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
		insertCurrent(t, conn, "a.b.v1")
		exec(t, conn, `DROP TABLE event_outbox CASCADE`)
	})
}

// An upgrade refuses a table into which no event can be inserted, changes nothing, and
// says why. It warns of a column that only a trigger could fill.
func TestUpgradeOfWhatRefusesInserts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ sql, want string }{
		"no primary key": {
			`ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_pkey; CREATE UNIQUE INDEX a ON event_outbox (id, created_at);
			 CREATE UNIQUE INDEX b ON event_outbox (id) WHERE published_at IS NULL`,
			"event_outbox has no primary key or unique index of the column id alone, and an insert needs it; " +
				"First run CREATE UNIQUE INDEX ON event_outbox (id). A table partitioned by another column cannot have it; keep that table beside a new one.",
		},
		"a key that is checked later": {
			`ALTER TABLE event_outbox ADD CONSTRAINT "Later" UNIQUE (id) DEFERRABLE`,
			"the constraint Later of event_outbox is deferrable, and an insert cannot use such a key of the column id; " +
				`First replace it: ALTER TABLE event_outbox DROP CONSTRAINT "Later", ADD UNIQUE (id).`,
		},
		"an index beside another primary key": {
			`ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_pkey, ADD PRIMARY KEY (id, created_at); CREATE UNIQUE INDEX ON event_outbox (id)`, "",
		},
		"another unique index": {`ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_pkey; CREATE UNIQUE INDEX a ON event_outbox (id) INCLUDE (created_at)`, ""},
		"a generated column": {
			`ALTER TABLE event_outbox DROP event_key, ADD event_key text GENERATED ALWAYS AS (aggregate_id) STORED`,
			"Postgres generates columns of event_outbox that an insert has to fill: event_key; " +
				"First make them plain columns: ALTER COLUMN ... DROP EXPRESSION. If one is VIRTUAL, drop the column and add it again instead.",
		},
		"a column of its own": {
			`CREATE DOMAIN filled AS int DEFAULT 1;
			 ALTER TABLE event_outbox ADD tenant_id uuid NOT NULL, ADD a int NOT NULL DEFAULT 1, ADD b serial, ADD c filled NOT NULL,
			 ADD d int GENERATED ALWAYS AS (1) STORED NOT NULL, ADD e int`,
			"every insert into event_outbox fails because of column tenant_id: it must not be null and has no default; " +
				"Give the column a default, or drop its NOT NULL.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pg := services.Postgres(t)
			cfg, err := pgx.ParseConfig(pg.URL)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
				if n.Severity == "WARNING" {
					got = append(got, n.Message+"; "+n.Hint)
				}
			}
			conn, err := pgx.ConnectConfig(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close(t.Context()) }()
			exec(t, conn, olderShape+test.sql)
			before := columns(t, conn, "event_outbox")
			if err := migrations.Upgrade(t.Context(), conn); err != nil {
				refused, ok := errors.AsType[*pgconn.PgError](err)
				if !ok {
					t.Fatal(err)
				}
				got = append(got, refused.Message+"; "+refused.Hint)
				if diff := cmp.Diff(before, columns(t, conn, "event_outbox")); diff != "" {
					t.Errorf("columns (-before +after):\n%s", diff)
				}
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("said (-want +got):\n%s", diff)
			}
		})
	}
}
