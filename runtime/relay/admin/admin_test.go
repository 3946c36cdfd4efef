package admin_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/internal/pgroles"
	"github.com/outboxgen/outboxgen/runtime/internal/querymode"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(services.Wrap(m)) }

// newOutbox returns two connections: one of the tables' owner, and one with only the
// privileges of an operator.
func newOutbox(t *testing.T) (owner, operator *pgx.Conn) {
	t.Helper()
	t.Parallel()
	pg := services.Postgres(t)
	querymode.Use(t, pg)
	return outboxOn(t, pg)
}

func outboxOn(t *testing.T, pg *services.PG) (owner, operator *pgx.Conn) {
	t.Helper()
	owner = pg.Connect(t.Context())
	if err := migrations.Up(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	operator, err := pgx.Connect(t.Context(), pgroles.Create(t, pg).Operator.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = operator.Close(context.Background()) })
	return owner, operator
}

// insert adds rows 1 to n of event type "t1" or "t2" in turn, with key k<i>, and
// then runs the statement.
func insert(t *testing.T, conn *pgx.Conn, n int, statement string) {
	t.Helper()
	_, err := conn.Exec(t.Context(), `
		INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data)
		SELECT ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, 'a', i, 't' || (2 - i % 2), 'topic', 'k' || i, '{}'
		FROM generate_series(1, $1::int) AS i`, n)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func id(n int) uuid.UUID { return uuid.MustParse(fmt.Sprintf("00000000-0000-7000-8000-%012d", n)) }

func TestInspect(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 6, `
		UPDATE event_outbox SET published_at = now() WHERE seq = 1;
		UPDATE event_outbox SET retry_count = 2, last_error = 'too large', next_attempt_at = '2030-01-01Z' WHERE seq = 3;
		UPDATE event_outbox SET dead_at = now() WHERE seq IN (4, 5);
		INSERT INTO event_outbox_lease (epoch, beat, holder, suspect_seq, unclean_ends, state)
		VALUES (7, 9, '00000000-0000-7000-8000-0000000000aa', 3, 1, '{"leader": true, "reason": "Kafka is away"}')`)
	got, err := admin.Inspect(t.Context(), conn, "")
	if err != nil {
		t.Fatal(err)
	}
	key2, key3 := "k2", "k3"
	want := admin.State{
		Leader: admin.Leader{
			Known: true, Holder: uuid.MustParse("00000000-0000-7000-8000-0000000000aa"), Epoch: 7, UncleanEnds: 1, Suspect: 3,
			State: relay.Status{Leader: true, Reason: "Kafka is away"},
		},
		Pending:  3,
		Retrying: 1,
		Dead:     2,
		Oldest:   &admin.Row{Seq: 2, EventID: id(2), EventType: "t2", Topic: "topic", Key: &key2},
		RetryingRows: []admin.Row{{
			Seq: 3, EventID: id(3), EventType: "t1", Topic: "topic", Key: &key3, RetryCount: 2, LastError: "too large",
			NextAttempt: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
		}},
		Pauses: []relay.OperatorPause{},
	}
	want.OldestUnpaused = want.Oldest
	moving := cmp.Options{
		cmpopts.IgnoreFields(admin.Row{}, "Age"), cmpopts.IgnoreFields(admin.Leader{}, "Silent"), cmpopts.IgnoreFields(admin.State{}, "Now"),
		cmpopts.EquateApproxTime(0),
	}
	if diff := cmp.Diff(want, got, moving); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	if row, err := admin.FindRow(t.Context(), conn, id(3)); err != nil || row.State != "retrying" {
		t.Errorf("the row that failed is %s, %v", row.State, err)
	}
}

func TestInspectWithoutTablesNamesTheRemedy(t *testing.T) {
	t.Parallel()
	_, err := admin.Inspect(t.Context(), services.Postgres(t).Connect(t.Context()), "")
	if err == nil || !strings.Contains(err.Error(), "see outboxgen migration") {
		t.Errorf("error %v, want one that names outboxgen migration", err)
	}
}

func TestInspectAnOutboxThatNoRelayHasSeen(t *testing.T) {
	_, conn := newOutbox(t)
	got, err := admin.Inspect(t.Context(), conn, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(admin.State{Pauses: []relay.OperatorPause{}, RetryingRows: []admin.Row{}}, got, cmpopts.IgnoreFields(admin.State{}, "Now")); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}

// Rows are looked for just above the low-water mark and among the newest ones. Between, most
// of them may be published, and the state says so. A mark above the place of the sequence counts
// nothing.
func TestInspectUsesTheLowWaterMark(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 2, `
		INSERT INTO event_outbox_lease (low_water, low_water_file) VALUES (0, pg_relation_filenode('event_outbox_seq_seq'::regclass)::bigint);
		SELECT setval('event_outbox_seq_seq', 999999);
		INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_data) VALUES ('a', '3', 't1', 'topic', '{}');
		SELECT setval('event_outbox_seq_seq', 2000000);
		INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_data) VALUES ('a', '3', 't1', 'topic', '{}')`)
	type found struct {
		Pending, Oldest int64
		AtLeast         bool
	}
	var got []found
	for _, change := range []string{
		`SELECT`,
		`UPDATE event_outbox_lease SET low_water = 1`,
		`UPDATE event_outbox_lease SET low_water = 2`,
		`UPDATE event_outbox_lease SET low_water = 1000001`,
		`UPDATE event_outbox_lease SET low_water = 2000002`, // the sequence stands below it
		`UPDATE event_outbox_lease SET low_water = 1000001, low_water_file = 0`,
		`ALTER TABLE event_outbox_lease DROP COLUMN low_water`, // the lease of an earlier version
	} {
		if _, err := owner.Exec(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		s, err := admin.Inspect(t.Context(), conn, "")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, found{s.Pending, s.Oldest.Seq, s.AtLeast})
	}
	if diff := cmp.Diff([]found{{3, 1, true}, {2, 2, true}, {1, 2000001, true}, {1, 2000001, true}, {3, 1, true}, {3, 1, true}, {4, 1, false}}, got); diff != "" {
		t.Errorf("what is found (-want +got):\n%s", diff)
	}
}

// left has the remaining rows, and the audit.
type left struct {
	Pending, Dead []int64
	Audit         []string
}

func look(t *testing.T, conn *pgx.Conn) left {
	t.Helper()
	var l left
	err := conn.QueryRow(t.Context(), `SELECT
		(SELECT array_agg(seq ORDER BY seq) FROM event_outbox WHERE dead_at IS NULL),
		(SELECT array_agg(seq ORDER BY seq) FROM event_outbox WHERE dead_at IS NOT NULL),
		(SELECT array_agg(format('%s %s %s: %s', actor, action, seq, reason) ORDER BY id) FROM event_outbox_audit WHERE applied_at IS NULL)`,
	).Scan(&l.Pending, &l.Dead, &l.Audit)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestReplayAndDiscard(t *testing.T) {
	const kill = `UPDATE event_outbox SET dead_at = now(), retry_count = 10, last_error = 'no' WHERE seq < 5`
	ann := admin.Decision{Actor: "ann", Reason: "fixed"}
	key := "k3"
	type action func(context.Context, admin.Beginner, admin.Filter, admin.Decision) (int, error)
	tests := []struct {
		name   string
		act    action
		filter admin.Filter
		count  int
		want   left
	}{
		{"replay one", admin.Replay, admin.Filter{EventIDs: []uuid.UUID{id(2)}}, 1,
			left{Pending: []int64{2, 5}, Dead: []int64{1, 3, 4}, Audit: []string{"ann replay 2: fixed"}}},
		{"replay a type", admin.Replay, admin.Filter{EventType: "t1"}, 2,
			left{Pending: []int64{1, 3, 5}, Dead: []int64{2, 4}, Audit: []string{"ann replay 1: fixed", "ann replay 3: fixed"}}},
		{"discard a key", admin.Discard, admin.Filter{Topic: "topic", Key: &key}, 1,
			left{Pending: []int64{5}, Dead: []int64{1, 2, 4}, Audit: []string{"ann discard 3: fixed"}}},
		{"a row that lives is left alone", admin.Discard, admin.Filter{EventIDs: []uuid.UUID{id(5)}}, 0,
			left{Pending: []int64{5}, Dead: []int64{1, 2, 3, 4}}},
		{"an empty list of ids chooses none", admin.Discard, admin.Filter{EventIDs: []uuid.UUID{}}, 0,
			left{Pending: []int64{5}, Dead: []int64{1, 2, 3, 4}}},
		{"discard all", admin.Discard, admin.Filter{}, 4,
			left{Pending: []int64{5}, Audit: []string{
				"ann discard 1: fixed", "ann discard 2: fixed", "ann discard 3: fixed", "ann discard 4: fixed"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			owner, conn := newOutbox(t)
			insert(t, owner, 5, kill)
			count, err := tt.act(t.Context(), conn, tt.filter, ann)
			if err != nil {
				t.Fatal(err)
			}
			if count != tt.count {
				t.Errorf("it acted on %d rows, want %d", count, tt.count)
			}
			if diff := cmp.Diff(tt.want, look(t, owner)); diff != "" {
				t.Errorf("what is left (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMoreThanOnePage(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 2345, `UPDATE event_outbox SET dead_at = now() WHERE seq <> 1200`)
	count, err := admin.Replay(t.Context(), conn, admin.Filter{}, admin.Decision{Actor: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	if count != 2344 {
		t.Errorf("replayed %d rows, want 2344", count)
	}
}

func TestADecisionNeedsAnActor(t *testing.T) {
	_, conn := newOutbox(t)
	if _, err := admin.Replay(t.Context(), conn, admin.Filter{}, admin.Decision{}); err == nil {
		t.Error("no error without an actor")
	}
}

func TestADiscardNeedsAReason(t *testing.T) {
	_, conn := newOutbox(t)
	if _, err := admin.Discard(t.Context(), conn, admin.Filter{}, admin.Decision{Actor: "ann", Reason: " "}); err == nil {
		t.Error("no error without a reason")
	}
}

// An operator's tool may use any mode of pgx.
func TestInEveryQueryExecMode(t *testing.T) {
	t.Parallel()
	querymode.Repeat(t, "^Test")
}

// A decision counts as done only after a check of what it changed and of what the relay
// learns about it.
func TestADecisionThatIsSwallowed(t *testing.T) {
	const swallow = `CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; `
	ann := admin.Decision{Actor: "ann", Reason: "fixed"}
	for _, c := range []struct{ name, spoil, want string }{
		{"no audit", swallow + `CREATE TRIGGER t BEFORE INSERT ON event_outbox_audit FOR EACH ROW EXECUTE FUNCTION swallow()`,
			"event_outbox_audit took 0 of 2 entries"},
		{"no change", swallow + `CREATE TRIGGER t BEFORE UPDATE OR DELETE ON event_outbox FOR EACH ROW EXECUTE FUNCTION swallow()`,
			"2 of 2 rows are still dead"},
		{"some rows hidden", `ALTER TABLE event_outbox ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON event_outbox USING (seq > 1)`,
			"row security hides rows of event_outbox from this role"},
		{"the audit hidden", `ALTER TABLE event_outbox_audit ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON event_outbox_audit USING (true)`,
			"row security hides rows of event_outbox_audit from this role"},
		{"no privilege", `REVOKE INSERT ON event_outbox_audit FROM PUBLIC; DO $$ BEGIN EXECUTE (SELECT string_agg(format(
				'REVOKE ALL ON event_outbox_audit FROM %I', grantee), ';') FROM information_schema.column_privileges
				WHERE table_name = 'event_outbox_audit' AND privilege_type = 'INSERT' AND grantee LIKE 'operator%'); END $$`,
			"`outboxgen migration --grants`, of a log with --store log, prints what the role of an operator needs"},
	} {
		for verb, act := range map[string]func(context.Context, admin.Beginner, admin.Filter, admin.Decision) (int, error){
			"replay": admin.Replay, "discard": admin.Discard,
		} {
			t.Run(c.name+" "+verb, func(t *testing.T) {
				owner, conn := newOutbox(t)
				insert(t, owner, 3, `UPDATE event_outbox SET dead_at = now(), published_at = NULL WHERE seq < 3`)
				before := look(t, owner)
				if _, err := owner.Exec(t.Context(), c.spoil); err != nil {
					t.Fatal(err)
				}
				count, err := act(t.Context(), conn, admin.Filter{}, ann)
				if err == nil || !strings.Contains(err.Error(), c.want) || count != 0 {
					t.Errorf("%d rows and error %v, want 0 and %q", count, err, c.want)
				}
				if diff := cmp.Diff(before, look(t, owner)); diff != "" {
					t.Errorf("what is left (-before +after):\n%s", diff)
				}
			})
		}
	}
}

// A row that row security hides is not said to be published: the error says why nothing is found.
func TestARowThatIsHidden(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 1, `ALTER TABLE event_outbox ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON event_outbox USING (seq > 1)`)
	_, byID := admin.FindEvent(t.Context(), conn, id(1))
	_, bySeq := admin.FindSeq(t.Context(), conn, 1)
	for _, err := range []error{byID, bySeq} {
		if err == nil || !strings.Contains(err.Error(), "row security hides rows of event_outbox from this role") {
			t.Error(err)
		}
	}
}

// Decisions are the same with any session settings of a database.
func TestDecisionsUnderHostileSettings(t *testing.T) {
	for _, setting := range []string{
		"standard_conforming_strings = off", "default_transaction_read_only = on", "default_transaction_isolation = serializable",
		"quote_all_identifiers = on", "DateStyle = 'German, DMY'", "IntervalStyle = sql_standard", "transform_null_equals = on",
		"bytea_output = escape", "TimeZone = 'Asia/Kathmandu'", "idle_in_transaction_session_timeout = '2s'",
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
				if _, err := pg.Pool.Exec(t.Context(), `ALTER DATABASE `+pgx.Identifier{pg.Database}.Sanitize()+` SET `+setting); err != nil {
					t.Fatal(err)
				}
				_, conn := outboxOn(t, pg)
				var owner *pgx.Conn // from before the setting; it only reads
				if c, err := pg.Pool.Acquire(t.Context()); err != nil {
					t.Fatal(err)
				} else {
					defer c.Release()
					owner = c.Conn()
				}
				insert(t, owner, 2, `UPDATE event_outbox SET dead_at = now(), topic = 'topic'`)
				if _, err := admin.Inspect(t.Context(), conn, ""); err != nil {
					t.Fatal(err)
				}
				count, err := admin.Replay(t.Context(), conn, admin.Filter{Topic: "topic"}, admin.Decision{Actor: "ann"})
				if err != nil || count != 2 {
					t.Fatalf("replayed %d: %v", count, err)
				}
			})
		})
	}
}
