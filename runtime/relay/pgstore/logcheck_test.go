package pgstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/runtime/relay/replay"
)

// The check accepts a log. A store of a table refuses it, and a store of a log refuses a
// table.
func TestLogCheck(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		must(t, newLog(t, pg).Check(t.Context()))
		problems, err := newLog(t, pg).Examine(t.Context())
		must(t, err)
		if len(problems) > 0 {
			t.Errorf("examined, a log has the problem %v", problems[0])
		}
		var setup *relay.SetupError
		err = newStore(t, pg).Check(t.Context())
		if !errors.As(err, &setup) || !strings.HasPrefix(setup.Remedy, "set store to log in every relay of this outbox, or ") {
			t.Errorf("the store of a table says %v of a log", err)
		}
	})
	t.Run("table", func(t *testing.T) {
		services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
			migrate(t, pg)
			var setup *relay.SetupError
			err := newLog(t, pg).Check(t.Context())
			if !errors.As(err, &setup) || !strings.Contains(setup.Problem, "is a table, and the relay's setting store is log") {
				t.Errorf("the store of a log says %v of a table", err)
			}
		})
	})
}

// The check names what a log lacks.
func TestLogCheckProblems(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		role := pgx.Identifier{relayOf(pg).Name}.Sanitize()
		for _, c := range []struct{ spoil, restore, problem, remedy string }{
			{
				`REVOKE UPDATE ON event_outbox_late FROM ` + role, `GRANT UPDATE ON event_outbox_late TO ` + role,
				"lacks UPDATE on event_outbox_late", "GRANT SELECT, INSERT, UPDATE, DELETE ON event_outbox_late TO " + role,
			},
			{
				`REVOKE SELECT ON event_outbox_history FROM ` + role, `GRANT SELECT ON event_outbox_history TO ` + role,
				"lacks SELECT on event_outbox_history", "GRANT SELECT ON event_outbox_history TO " + role,
			},
			{
				`REVOKE EXECUTE ON FUNCTION event_outbox_make_partition(integer) FROM ` + role,
				`GRANT EXECUTE ON FUNCTION event_outbox_make_partition(integer) TO ` + role,
				"may not call event_outbox_make_partition(integer)", "GRANT EXECUTE ON FUNCTION event_outbox_make_partition(integer) TO " + role,
			},
			{
				`REVOKE EXECUTE ON FUNCTION event_outbox_renumber FROM ` + role, `GRANT EXECUTE ON FUNCTION event_outbox_renumber TO ` + role,
				"may not call event_outbox_renumber", "GRANT EXECUTE ON FUNCTION event_outbox_renumber(text, bigint, uuid, bigint, bigint, bigint[], pg_snapshot) TO " + role,
			},
			{
				`REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC`, `GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC`,
				"may not call pg_control_system()", "GRANT EXECUTE ON FUNCTION pg_control_system() TO " + role,
			},
			{
				`REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC; GRANT EXECUTE ON FUNCTION pg_control_system() TO ` + role +
					`; ALTER FUNCTION event_outbox_renumber OWNER TO pg_signal_backend`,
				`GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC; ALTER FUNCTION event_outbox_renumber OWNER TO CURRENT_USER`,
				"role pg_signal_backend, which owns event_outbox_renumber, may not call pg_control_system()", `GRANT EXECUTE ON FUNCTION pg_control_system() TO "pg_signal_backend"`,
			},
			{
				`ALTER FUNCTION event_outbox_renumber OWNER TO pg_signal_backend`, `ALTER FUNCTION event_outbox_renumber OWNER TO CURRENT_USER`,
				"role pg_signal_backend, which owns event_outbox_renumber, may not call event_outbox_await_locks(regclass[], text[], regclass[])",
				`GRANT EXECUTE ON FUNCTION event_outbox_await_locks(regclass[], text[], regclass[]) TO "pg_signal_backend"`,
			},
			{
				`ALTER FUNCTION event_outbox_await_locks RENAME TO gone`, `ALTER FUNCTION gone RENAME TO event_outbox_await_locks`,
				"the function event_outbox_await_locks(regclass[], text[], regclass[]) is missing", "outboxgen migration --store log",
			},
			{
				`ALTER FUNCTION event_outbox_drop_partition(date, interval) RENAME TO gone`, `ALTER FUNCTION gone(date, interval) RENAME TO event_outbox_drop_partition`,
				"the function event_outbox_drop_partition(date, interval) is missing", "outboxgen migration --store log",
			},
			{
				`ALTER INDEX ix_event_outbox_tx RENAME TO kept; DROP INDEX kept`, `CREATE INDEX ix_event_outbox_tx ON event_outbox (tx)`,
				"event_outbox lacks an index", "CREATE INDEX ix_event_outbox_tx ON event_outbox (tx)",
			},
			{
				`ALTER TABLE event_outbox_tick RENAME TO gone`, `ALTER TABLE gone RENAME TO event_outbox_tick`,
				"event_outbox_tick is missing", "outboxgen migration --store log",
			},
			{
				`ALTER TABLE event_outbox ALTER tx SET DEFAULT '3'`, `ALTER TABLE event_outbox ALTER tx SET DEFAULT pg_current_xact_id()`,
				"event_outbox.tx does not default to pg_current_xact_id()", "SET DEFAULT pg_current_xact_id()",
			},
			{
				`DELETE FROM event_outbox_cursor`, `INSERT INTO event_outbox_cursor (n, base) VALUES (0, '3:3:')`,
				"event_outbox_cursor has no row", "outboxrelay store adopt",
			},
		} {
			exec(t, pg.Pool, c.spoil)
			var setup *relay.SetupError
			if err := newLog(t, pg).Check(t.Context()); !errors.As(err, &setup) || !strings.Contains(setup.Problem, c.problem) || !strings.Contains(setup.Remedy, c.remedy) {
				t.Errorf("after %s: %v; want %s and %s", c.spoil, err, c.problem, c.remedy)
			}
			exec(t, pg.Pool, c.restore)
			must(t, newLog(t, pg).Check(t.Context()))
		}
	})
}

// The functions of a log have the name of its schema in their text. After the schema was renamed,
// the statement of the remedy makes them work again, and the relay's role may still call them.
func TestLogCheckOfARenamedSchema(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		for _, renamed := range []string{"sub", `We're "here"`} { // the text has 'public.event_outbox'
			name := pgx.Identifier{renamed}.Sanitize()
			_, err := owner.Exec(t.Context(), `ALTER SCHEMA public RENAME TO `+name+`; SET search_path = `+name)
			must(t, err)
			open := func() *pgstore.LogStore { return newLog(t, pg, func(c *pgstore.Config) { c.Schema = renamed }) }
			var setup *relay.SetupError
			if err := open().Check(t.Context()); !errors.As(err, &setup) || !strings.Contains(setup.Problem, "is about the tables of another schema: the schema was renamed") {
				t.Fatalf("in %s it says %v", renamed, err)
			}
			_, statement, _ := strings.Cut(migrations.LogSQL(), "\nDO $$\n")
			statement, _, _ = strings.Cut(statement, "\n$$;\n")
			_, err = owner.Exec(t.Context(), "DO $$\n"+statement+"\n$$")
			must(t, err)
			must(t, open().Check(t.Context()))
			var says string
			must(t, owner.QueryRow(t.Context(), `SELECT event_outbox_make_partition(9)`).Scan(&says))
			if says != "made" && says != "there" {
				t.Errorf("in %s the function says %q", renamed, says)
			}
			_, err = owner.Exec(t.Context(), `ALTER SCHEMA `+name+` RENAME TO public`)
			must(t, err)
		}
	})
}

// The published events of a log are a history; what waits, failed or was dropped is not part of it.
func TestLogReplayHistory(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		var all []int64
		for range 5 {
			all = append(all, insert(t, pg.Pool, "k"))
		}
		backlog(t, s, snapshot(t, s), wide)
		must(t, s.Settle(t.Context(), lease, relay.Settlement{
			Published: []int64{all[0], all[1], all[4]},
			Failed:    []relay.Failure{{Seq: all[2], Err: "bad", RetryCount: 1, Dead: true}, {Seq: all[3], Err: "bad", RetryCount: 1, RetryIn: time.Hour}},
		}))
		_, err := s.Tidy(t.Context(), lease, 0)
		must(t, err)
		insert(t, pg.Pool, "k")
		conn := pg.Connect(t.Context())
		h, err := pgstore.NewHistory(t.Context(), conn)
		must(t, err)
		reach, err := h.Reach(t.Context(), "")
		must(t, err)
		if age := time.Since(reach.Back); reach.Empty || age < -time.Minute || age > 25*time.Hour {
			t.Errorf("the history reaches %+v", reach)
		}
		page, err := h.Read(t.Context(), replay.Selection{}, "", wide)
		must(t, err)
		var read []int64
		for _, e := range page.Events {
			read = append(read, e.Row.Seq)
		}
		if d := cmp.Diff([]int64{all[0], all[1], all[4]}, read); d != "" {
			t.Errorf("the history has (-want +got): %s", d)
		}
		for _, days := range ask[[]string](t, pg.Pool, `SELECT array_agg(relname::text) FROM pg_class WHERE relname ~ '^event_outbox_d2[0-9]{7}$' AND relkind = 'r'`) {
			exec(t, pg.Pool, `DROP TABLE `+days)
		}
		if reach, err = h.Reach(t.Context(), ""); err != nil || !reach.Empty || time.Since(reach.Back) > time.Hour {
			t.Errorf("after all days were dropped the history reaches %+v, %v", reach, err)
		}
	})
}

// Far above the floor the newest events are counted too.
func TestLogStatsAboveTheFloor(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lead(t, s)
		insert(t, pg.Pool, "k")
		exec(t, pg.Pool, `ALTER TABLE event_outbox ALTER seq RESTART WITH 1000000`)
		insert(t, pg.Pool, "k")
		stats, err := s.Stats(t.Context())
		must(t, err)
		if stats.Pending != 2 {
			t.Errorf("%d events are pending, want 2", stats.Pending)
		}
	})
}

// The age is that of the oldest event whose topic is not paused: one that waits, failed, or is
// new.
func TestLogStatsLeaveOutPausedTopics(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		exec(t, pg.Pool, `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_data, created_at) VALUES
			('a', '1', 't', 'late', '{}', now() - interval '4 hours'),
			('a', '2', 't', 'failed', '{}', now() - interval '3 hours'),
			('a', '3', 't', 'orders', '{}', now() - interval '2 hours'),
			('a', '4', 't', 'mails', '{}', now() - interval '1 hour')`)
		all := seqs(backlog(t, s, snapshot(t, s), wide))
		must(t, s.Settle(t.Context(), lease, relay.Settlement{
			Published: all[:1], Failed: []relay.Failure{{Seq: all[1], Err: "bad", RetryCount: 1, RetryIn: time.Hour}},
		}))
		exec(t, pg.Pool, `INSERT INTO event_outbox_late (id, tx, seq, topic) SELECT id, tx, seq, topic FROM event_outbox WHERE topic = 'late'`)
		for _, step := range []struct {
			action, topic string
			hours         int
		}{
			{"", "", 4}, {"pause", "late", 3}, {"pause", "failed", 2}, {"pause", "orders", 1}, {"pause", "mails", 0}, {"resume", "orders", 2},
			{"resume", "", 4}, {"pause", "", 0}, {"resume", "", 4},
		} {
			if step.action != "" {
				exec(t, pg.Pool, `INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, reason, applied_at)
					VALUES ('ann', $1, 0, gen_random_uuid(), '', nullif($2::text, ''), 'test', now())`, step.action, step.topic)
			}
			stats, err := s.Stats(t.Context())
			must(t, err)
			if got := int(stats.OldestAge.Hours()); got != step.hours || stats.Pending != 4 {
				t.Errorf("after %s %q the oldest is %d h old of %d pending events, want %d h of 4", step.action, step.topic, got, stats.Pending, step.hours)
			}
		}
	})
}
