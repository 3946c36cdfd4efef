package pgstore_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// Check checks every table that the relay uses, for hidden rows and for changes that
// are not made.
func TestCheckOfEveryTable(t *testing.T) {
	const swallow = `CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;`
	for _, c := range []struct{ name, spoil, problem, remedy string }{
		{
			"row security on the outbox", `ALTER TABLE event_outbox ENABLE ROW LEVEL SECURITY`,
			"row security hides rows of event_outbox from role", "ALTER TABLE event_outbox DISABLE ROW LEVEL SECURITY",
		},
		{
			"row security on the lease", `ALTER TABLE event_outbox_lease ENABLE ROW LEVEL SECURITY`,
			"row security hides rows of event_outbox_lease from role", "ALTER TABLE event_outbox_lease DISABLE ROW LEVEL SECURITY",
		},
		{
			"row security on the audit", `ALTER TABLE event_outbox_audit ENABLE ROW LEVEL SECURITY`,
			"a replay that the relay does not see leaves its row unpublished", "ALTER TABLE event_outbox_audit DISABLE ROW LEVEL SECURITY",
		},
		{
			"row security on the delayed events", `ALTER TABLE event_outbox_delayed ENABLE ROW LEVEL SECURITY`,
			"row security hides rows of event_outbox_delayed from role", "ALTER TABLE event_outbox_delayed DISABLE ROW LEVEL SECURITY",
		},
		{
			"no delayed events", `ALTER TABLE event_outbox_delayed RENAME TO hidden`,
			"but event_outbox_delayed is missing", "apply the statements about event_outbox_delayed that `outboxgen migration`",
		},
		{
			"an older table of delayed events", `ALTER TABLE event_outbox_delayed DROP COLUMN headers`,
			"event_outbox_delayed lacks headers", "compare the table with `outboxgen migration --format sql`",
		},
		{
			"no insert into the outbox", `REVOKE INSERT (headers) ON event_outbox FROM {role}`,
			"lacks INSERT on event_outbox", "INSERT (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers, partition)",
		},
		{
			"no locking of delayed events", `REVOKE UPDATE (deliver_at) ON event_outbox_delayed FROM {role}`,
			"lacks UPDATE on event_outbox_delayed", "GRANT SELECT, DELETE, UPDATE (deliver_at) ON event_outbox_delayed TO",
		},
		{
			"a policy for all", `ALTER TABLE event_outbox_audit ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON event_outbox_audit USING (true)`,
			"row security hides rows of event_outbox_audit", "BYPASSRLS",
		},
		{
			"row security forced on the owner",
			`ALTER TABLE event_outbox_lease OWNER TO {role}; ALTER TABLE event_outbox_lease ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY`,
			"row security hides rows of event_outbox_lease", "ALTER TABLE event_outbox_lease NO FORCE ROW LEVEL SECURITY",
		},
		{
			"a rule on settling", `CREATE RULE keep AS ON DELETE TO event_outbox DO INSTEAD NOTHING`,
			"event_outbox has the rule keep", `DROP RULE "keep" ON event_outbox`,
		},
		{
			"a rule on the lease", `CREATE RULE still AS ON UPDATE TO event_outbox_lease DO INSTEAD NOTHING`,
			"event_outbox_lease has the rule still", `DROP RULE "still" ON event_outbox_lease`,
		},
		{
			"a rule on the audit", `CREATE RULE still AS ON UPDATE TO event_outbox_audit DO INSTEAD NOTHING`,
			"event_outbox_audit has the rule still", `DROP RULE "still" ON event_outbox_audit`,
		},
		{
			"a trigger that swallows the lease's changes",
			swallow + `CREATE TRIGGER t BEFORE UPDATE ON event_outbox_lease FOR EACH ROW EXECUTE FUNCTION swallow()`,
			"event_outbox_lease does not accept changes", "look for a trigger on event_outbox_lease",
		},
		{
			"an unlogged lease", `ALTER TABLE event_outbox_lease SET UNLOGGED`,
			"event_outbox_lease in the search_path", "ALTER TABLE event_outbox_lease SET LOGGED",
		},
		{
			"no update of a column", `REVOKE UPDATE (tx) ON event_outbox FROM {role}`,
			"lacks UPDATE on event_outbox", "UPDATE (published_at, retry_count, last_error, tx, next_attempt_at, dead_at) ON event_outbox",
		},
		{
			"no update of the audit", `REVOKE UPDATE (applied_at) ON event_outbox_audit FROM {role}`,
			"lacks UPDATE on event_outbox_audit", "GRANT SELECT, UPDATE (applied_at) ON event_outbox_audit TO",
		},
		{
			"no sequence", `REVOKE SELECT ON SEQUENCE event_outbox_seq_seq FROM {role}`,
			"may not read the sequence event_outbox_seq_seq", "GRANT SELECT ON SEQUENCE event_outbox_seq_seq TO",
		},
		{
			"no ending of sessions", `REVOKE EXECUTE ON FUNCTION pg_terminate_backend FROM public`,
			"may not call pg_terminate_backend(", "GRANT EXECUTE ON FUNCTION pg_terminate_backend(",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, pg *services.PG) {
				role, asRole := relayRole(t, pg)
				s := newStore(t, pg, asRole)
				must(t, s.Check(t.Context()))
				exec(t, pg.Pool, strings.ReplaceAll(c.spoil, "{role}", role))
				got := checkError(t, s)
				if !strings.Contains(got.Problem, c.problem) || !strings.Contains(got.Remedy, c.remedy) {
					t.Fatalf("Check says: %v", got)
				}
				s.Close()
			})
		})
	}
}

// relayRole makes a role by the remedies of Check, and gives its quoted name.
func relayRole(t *testing.T, pg *services.PG) (quoted string, asRole func(*pgstore.Config)) {
	t.Helper()
	role := "relay_of_" + pg.Database
	quoted = pgx.Identifier{role}.Sanitize()
	exec(t, pg.Pool, `CREATE ROLE `+quoted+` LOGIN PASSWORD 'p'`)
	t.Cleanup(func() {
		conn := pg.Pool
		for _, sql := range []string{`DROP OWNED BY ` + quoted, `DROP ROLE ` + quoted} {
			if _, err := conn.Exec(context.Background(), sql); err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
	})
	asRole = func(c *pgstore.Config) { c.Conn.User, c.Conn.Password = role, "p" }
	s := newStore(t, pg, asRole)
	defer s.Close()
	for range 2 {
		exec(t, pg.Pool, checkError(t, s).Remedy)
	}
	must(t, s.Check(t.Context()))
	return quoted, asRole
}

func TestCheckWarnsOfTriggers(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		exec(t, pg.Pool, `CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
			CREATE TRIGGER touch_row BEFORE UPDATE ON event_outbox FOR EACH ROW EXECUTE FUNCTION touch();
			CREATE TRIGGER off BEFORE UPDATE ON event_outbox FOR EACH ROW EXECUTE FUNCTION touch();
			ALTER TABLE event_outbox DISABLE TRIGGER off`)
		var log bytes.Buffer
		s := newStore(t, pg, withLog(&log))
		must(t, s.Check(t.Context()))
		must(t, s.Check(t.Context()))
		if n := strings.Count(log.String(), "a trigger runs before each row"); n != 1 || !strings.Contains(log.String(), "[touch_row]") {
			t.Fatalf("%d warnings, want 1 that names touch_row: %s", n, &log)
		}
	})
}

// A unique index over waiting rows makes inserts fail. Check warns of it and succeeds.
func TestCheckWarnsOfUniqueIndexes(t *testing.T) {
	for _, c := range []struct{ create, index, remedy string }{
		{
			`CREATE UNIQUE INDEX one_unpublished ON event_outbox (aggregate_id, event_type) WHERE published_at IS NULL`,
			"index=one_unpublished", "DROP INDEX one_unpublished",
		},
		{
			`ALTER TABLE event_outbox ADD CONSTRAINT once UNIQUE (event_key)`,
			"index=once", `ALTER TABLE event_outbox DROP CONSTRAINT \"once\"`,
		},
		{
			`ALTER TABLE event_outbox ADD CONSTRAINT apart EXCLUDE (aggregate_id WITH =) WHERE (dead_at IS NULL)`,
			"index=apart", `ALTER TABLE event_outbox DROP CONSTRAINT \"apart\"`,
		},
		{`CREATE UNIQUE INDEX lowered ON event_outbox (lower(aggregate_id))`, "index=lowered", "DROP INDEX lowered"},
		{`CREATE UNIQUE INDEX covering ON event_outbox (event_type) INCLUDE (id)`, "index=covering", "DROP INDEX covering"},
		{`CREATE UNIQUE INDEX by_seq ON event_outbox (seq)`, "", ""},
		{`CREATE UNIQUE INDEX with_id ON event_outbox (event_type, id)`, "", ""},
		{`CREATE INDEX plain ON event_outbox (aggregate_id)`, "", ""},
	} {
		t.Run(fmt.Sprint(strings.Fields(c.create)[:5]), func(t *testing.T) {
			each(t, func(t *testing.T, pg *services.PG) {
				exec(t, pg.Pool, c.create)
				var log bytes.Buffer
				s := newStore(t, pg, withLog(&log))
				must(t, s.Check(t.Context()))
				must(t, s.Check(t.Context()))
				want := 1
				if c.index == "" {
					want = 0
				}
				if n := strings.Count(log.String(), "a unique index of event_outbox refuses events"); n != want {
					t.Fatalf("%d warnings, want %d: %s", n, want, &log)
				}
				if !strings.Contains(log.String(), c.index) || !strings.Contains(log.String(), c.remedy) {
					t.Fatalf("the warning lacks %q or %q: %s", c.index, c.remedy, &log)
				}
			})
		})
	}
}
