package pgstore_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// A renewal tells the leader that operators paused or resumed topics. Other entries of the
// audit do not.
func TestRenewalsReportPauses(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lease := lead(t, s)
		version := func() string {
			t.Helper()
			r, err := s.Renew(t.Context(), lease, relay.Progress{})
			must(t, err)
			pauses, err := s.Pauses(t.Context())
			must(t, err)
			if r.Pauses != pauses.Version || r.Pauses == "" {
				t.Fatalf("a renewal reports version %q, and Pauses has %q", r.Pauses, pauses.Version)
			}
			return r.Pauses
		}
		add := func(action, topic string) {
			t.Helper()
			exec(t, pg.Pool, `INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, reason, applied_at)
				VALUES ('ann', $1, 0, gen_random_uuid(), '', nullif($2::text, ''), 'test', now())`, action, topic)
		}
		list := func() []relay.OperatorPause {
			t.Helper()
			pauses, err := s.Pauses(t.Context())
			must(t, err)
			return pauses.List
		}
		one := func(topic string) relay.OperatorPause {
			return relay.OperatorPause{Topic: topic, Actor: "ann", Reason: "test"}
		}
		all := cmpopts.IgnoreFields(relay.OperatorPause{}, "Since")

		seen := map[string]bool{version(): true}
		for _, step := range []struct {
			action, topic string
			changes       bool
			want          []relay.OperatorPause
		}{
			{"send-now", "a", false, nil},
			{"pause", "a", true, []relay.OperatorPause{one("a")}},
			{"pause", "b", true, []relay.OperatorPause{one("a"), one("b")}},
			{"pause", "", true, []relay.OperatorPause{one("a"), one("b"), one("")}},
			{"resume", "a", true, []relay.OperatorPause{one("b"), one("")}},
			{"resume", "", true, nil},
			{"pause", "b", true, []relay.OperatorPause{one("b")}},
		} {
			add(step.action, step.topic)
			if v := version(); seen[v] == step.changes {
				t.Errorf("%s %q: version %s, seen %v", step.action, step.topic, v, seen)
			} else {
				seen[v] = true
			}
			if diff := cmp.Diff(step.want, list(), all); diff != "" {
				t.Errorf("%s %q (-want +got):\n%s", step.action, step.topic, diff)
			}
		}

		// An entry with a lower id that is committed later changes the version too.
		tx := begin(t, pg)
		exec(t, tx, `INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, applied_at) VALUES ('ann', 'pause', 0, gen_random_uuid(), '', 'late', now())`)
		add("pause", "c")
		before := version()
		must(t, tx.Commit(t.Context()))
		if after := version(); after == before {
			t.Errorf("the version is still %s", after)
		}
		if got := list(); len(got) != 3 {
			t.Errorf("pauses %+v, want three", got)
		}
	})
}

// The age is that of rows that nobody wants to wait: a planned pause must not call somebody.
func TestTheAgeLeavesOutPausedTopics(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lead(t, s)
		exec(t, pg.Pool, `ALTER TABLE event_outbox ALTER COLUMN topic DROP NOT NULL`) // as an upgrade leaves it
		exec(t, pg.Pool, `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_data, created_at) VALUES
			('a', '1', 't', 'orders', '{}', now() - interval '3 hours'),
			('a', '2', 't', NULL, '{"topic": "bills"}', now() - interval '2 hours'),
			('a', '3', 't', 'mails', '{}', now() - interval '1 hour')`)
		add := func(action, topic string) {
			t.Helper()
			exec(t, pg.Pool, `INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, reason, applied_at)
				VALUES ('ann', $1, 0, gen_random_uuid(), '', nullif($2::text, ''), 'test', now())`, action, topic)
		}
		for _, step := range []struct {
			action, topic string
			hours         int
		}{
			{"", "", 3}, {"pause", "orders", 2}, {"pause", "bills", 1}, {"pause", "mails", 0}, {"resume", "bills", 2},
			{"resume", "", 3}, {"pause", "", 0}, {"resume", "", 3},
		} {
			if step.action != "" {
				add(step.action, step.topic)
			}
			stats, err := s.Stats(t.Context())
			must(t, err)
			if got := int(stats.OldestAge.Hours()); got != step.hours || stats.Pending != 3 {
				t.Errorf("after %s %q the oldest is %d h old of %d pending rows, want %d h of 3", step.action, step.topic, got, stats.Pending, step.hours)
			}
		}
	})
}
