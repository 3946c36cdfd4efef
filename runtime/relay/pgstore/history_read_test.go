package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/internal/logview"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
	"github.com/outboxgen/outboxgen/runtime/relay/replay"
)

// hour returns a time of the day of these tests.
func hour(h float64) time.Time {
	return time.Date(2026, 9, 21, 0, 0, 0, 0, time.UTC).Add(time.Duration(h * float64(time.Hour)))
}

// historyOf reads as a role that may only SELECT from event_outbox.
func historyOf(t *testing.T, pg *services.PG) *pgstore.History {
	t.Helper()
	h, err := pgstore.NewHistory(t.Context(), readerOf(t, pg))
	must(t, err)
	return h
}

// readerOf logs in as a role that may only SELECT from event_outbox.
func readerOf(t *testing.T, pg *services.PG) *pgx.Conn {
	t.Helper()
	name := "reader_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	exec(t, pg.Pool, `CREATE ROLE `+name+` LOGIN PASSWORD 'reader'`)
	exec(t, pg.Pool, `GRANT USAGE ON SCHEMA public TO `+name)
	exec(t, pg.Pool, `GRANT SELECT ON event_outbox TO `+name)
	t.Cleanup(func() {
		_, _ = pg.Pool.Exec(context.WithoutCancel(t.Context()), `DROP OWNED BY `+name+`; DROP ROLE `+name)
	})
	config := pg.Pool.Config().ConnConfig.Copy()
	config.User, config.Password = name, "reader"
	conn, err := pgx.ConnectConfig(t.Context(), config)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// pages reads a selection to its end, from a place on.
func pages(t *testing.T, h *pgstore.History, s replay.Selection, after replay.Cursor, limit relay.Limit) (events []replay.Event) {
	t.Helper()
	for {
		page, err := h.Read(t.Context(), s, after, limit)
		must(t, err)
		events = append(events, page.Events...)
		if page.End {
			return events
		}
		after = page.After
	}
}

func eventSeqs(events []replay.Event) (out []int64) {
	for _, e := range events {
		out = append(out, e.Seq)
	}
	return out
}

// insertPast inserts rows that were created and published in the past.
const insertPast = `
	INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers, partition, created_at, published_at, dead_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`

func TestHistoryReadsPublishedRows(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		id := func(i int) uuid.UUID { return uuid.UUID{15: byte(i)} }
		at := func(h float64) *time.Time { return new(hour(h)) }
		exec(t, pg.Pool, insertPast, id(1), "order", "1", "order.placed", "orders", "k1", `{"n" : 1}`, `{"trace_id": "t"}`, nil, hour(1), at(1), nil)
		exec(t, pg.Pool, insertPast, id(2), "order", "2", "order.paid", "orders", "", `{"n":2}`, nil, 3, hour(2), at(5), nil)
		exec(t, pg.Pool, insertPast, id(3), "order", "1", "order.placed", "orders", "k1", `{"n":3}`, nil, nil, hour(2), nil, nil)   // pending
		exec(t, pg.Pool, insertPast, id(4), "order", "1", "order.placed", "orders", "k1", `{"n":4}`, nil, nil, hour(2), nil, at(3)) // dead
		exec(t, pg.Pool, insertPast, id(5), "bill", "1", "bill_sent", "bills", "k1", nil, `{}`, nil, hour(1.5), at(3), nil)         // its transaction was long
		exec(t, pg.Pool, insertPast, id(6), "order", "6", "order.placed", "orders", "k6", `{"n":6}`, nil, nil, hour(3), at(3), nil)

		h := historyOf(t, pg)
		row := func(seq int64, typ, aggregate, event, topic string, key *string, data, headers []byte, partition *int32, h float64) replay.Event {
			return replay.Event{At: replay.Cursor(fmt.Sprint(seq)), Row: relay.Row{
				Seq: seq, ID: id(int(seq)), AggregateType: typ, AggregateID: aggregate, EventType: event, Topic: topic, Key: key,
				Partition: partition, Data: data, Headers: headers, CreatedAt: hour(h),
			}}
		}
		want := []replay.Event{
			row(1, "order", "1", "order.placed", "orders", new("k1"), []byte(`{"n" : 1}`), []byte(`{"trace_id": "t"}`), nil, 1),
			row(2, "order", "2", "order.paid", "orders", nil, []byte(`{"n":2}`), nil, new(int32(3)), 2),
			row(5, "bill", "1", "bill_sent", "bills", new("k1"), nil, []byte(`{}`), nil, 1.5),
			row(6, "order", "6", "order.placed", "orders", new("k6"), []byte(`{"n":6}`), nil, nil, 3),
		}
		for _, limit := range []relay.Limit{{Rows: 100, Bytes: 1 << 20}, {Rows: 1, Bytes: 1 << 20}, {Rows: 100, Bytes: 1}} {
			if diff := cmp.Diff(want, pages(t, h, replay.Selection{}, "", limit)); diff != "" {
				t.Errorf("with limit %+v (-want +got):\n%s", limit, diff)
			}
		}
		for name, test := range map[string]struct {
			s     replay.Selection
			after replay.Cursor
			want  []int64
		}{
			"a range without its end": {s: replay.Selection{From: hour(1.5), To: hour(3)}, want: []int64{2, 5}},
			"from":                    {s: replay.Selection{From: hour(2)}, want: []int64{2, 6}},
			"to":                      {s: replay.Selection{To: hour(2)}, want: []int64{1, 5}},
			"after":                   {after: "2", want: []int64{5, 6}},
			"types":                   {s: replay.Selection{EventTypes: []string{"order.paid", "bill_*"}}, want: []int64{2, 5}},
			"_ and % are themselves":  {s: replay.Selection{EventTypes: []string{"order_paid", "%"}}},
			"? is one character":      {s: replay.Selection{EventTypes: []string{"order?p??d"}}, want: []int64{2}},
			"topics":                  {s: replay.Selection{Topics: []string{"b*"}}, want: []int64{5}},
			"a key":                   {s: replay.Selection{Key: new("k1")}, want: []int64{1, 5}},
			"an aggregate":            {s: replay.Selection{AggregateType: "order", AggregateID: "1"}, want: []int64{1}},
			"a type of aggregate":     {s: replay.Selection{AggregateType: "bill"}, want: []int64{5}},
		} {
			if diff := cmp.Diff(test.want, eventSeqs(pages(t, h, test.s, test.after, relay.Limit{Rows: 100, Bytes: 1 << 20}))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		counts, err := replay.CountAll(t.Context(), h, replay.Selection{To: hour(3)}, "1")
		must(t, err)
		if diff := cmp.Diff([]replay.Count{
			{EventType: "bill_sent", Topic: "bills", Events: 1, First: hour(1.5), Last: hour(1.5)},
			{EventType: "order.paid", Topic: "orders", Events: 1, First: hour(2), Last: hour(2)},
		}, counts); diff != "" {
			t.Errorf("counts (-want +got):\n%s", diff)
		}
		for _, cursor := range []replay.Cursor{"x", "1.5", " 1", "0x1", "+1", "01"} {
			if _, err := h.Read(t.Context(), replay.Selection{}, cursor, relay.Limit{Rows: 1, Bytes: 1}); !errors.Is(err, replay.ErrCursor) {
				t.Errorf("cursor %q: %v", cursor, err)
			}
		}
	})
}

// How far back the history reaches is told by the oldest rows, and not only by the first
// one, which was dead for a while. Rows that are pending come before them.
func TestHistoryReachesBack(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		for i, published := range []float64{9, 2.5, 3.5, 4.5} {
			exec(t, pg.Pool, insertPast, uuid.New(), "a", "1", "e", "t", "k", "{}", nil, nil, hour(float64(i+1)), hour(published), nil)
		}
		exec(t, pg.Pool, insertPast, uuid.New(), "a", "1", "e", "t", "k", "{}", nil, nil, hour(0), nil, nil) // pending
		exec(t, pg.Pool, `
			INSERT INTO event_outbox (seq, aggregate_type, aggregate_id, event_type, topic, event_data, created_at) OVERRIDING SYSTEM VALUE
			SELECT -i, 'a', '1', 'e', 't', '{}', $1 FROM generate_series(1, 90) AS i`, hour(0))
		h := historyOf(t, pg)
		epoch := time.Unix(0, 0).UTC()
		for _, step := range []struct {
			deleted int64
			after   replay.Cursor
			want    replay.Reach
		}{
			{0, "", replay.Reach{Back: hour(2.5), Place: epoch}},
			{0, "3", replay.Reach{Back: hour(2.5), Place: hour(3)}},
			{2, "3", replay.Reach{Back: hour(3.5), Place: hour(3)}},
			{3, "3", replay.Reach{Back: hour(4.5), Place: hour(1)}},
			{1, "3", replay.Reach{Back: hour(4.5), Place: hour(0)}},
			{0, "5", replay.Reach{Back: hour(4.5), Place: hour(0)}},
			{-1, "-99", replay.Reach{Back: hour(4.5), Place: epoch}},
		} {
			exec(t, pg.Pool, `DELETE FROM event_outbox WHERE seq = $1`, step.deleted)
			got, err := h.Reach(t.Context(), step.after)
			must(t, err)
			if diff := cmp.Diff(step.want, got); diff != "" {
				t.Errorf("without row %d, after %q (-want +got):\n%s", step.deleted, step.after, diff)
			}
		}
		exec(t, pg.Pool, `
			INSERT INTO event_outbox (seq, aggregate_type, aggregate_id, event_type, topic, event_data, created_at) OVERRIDING SYSTEM VALUE
			SELECT -100 - i, 'a', '1', 'e', 't', '{}', $1 FROM generate_series(1, 100) AS i`, hour(0))
		if got, err := h.Reach(t.Context(), "3"); err != nil || !got.Back.Equal(hour(4.5)) {
			t.Errorf("behind more pending rows than it asks: %+v, %v", got, err)
		}
		if _, err := h.Reach(t.Context(), "x"); !errors.Is(err, replay.ErrCursor) {
			t.Errorf("cursor x: %v", err)
		}
	})
}

// Where no row was deleted, none is missing, however late the first one was published.
func TestHistoryWithoutDeletedRows(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		exec(t, pg.Pool, `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data, created_at, published_at)
			SELECT 'order', i, 'order.placed', 'orders', 'k', '{}', '2026-09-21T00:00Z'::timestamptz + i * interval '1 hour', '2026-09-21T04:30Z' FROM generate_series(1, 6) AS i`)
		h := historyOf(t, pg)
		for _, step := range []struct {
			deleted string // which rows are deleted before
			want    time.Time
		}{
			{"false", time.Time{}},
			{"seq = 6", time.Time{}}, // it was created after the first publication
			{"seq = 2", hour(4.5)},
		} {
			exec(t, pg.Pool, `DELETE FROM event_outbox WHERE `+step.deleted)
			reach, err := h.Reach(t.Context(), "")
			must(t, err)
			if diff := cmp.Diff(step.want, reach.Back); diff != "" {
				t.Errorf("after the deletion of the rows with %s (-want +got):\n%s", step.deleted, diff)
			}
		}
	})
}

func TestHistoryOfAnEmptyTable(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		h := historyOf(t, pg)
		reach, err := h.Reach(t.Context(), "")
		if err != nil || !reach.Empty || reach.Back.Before(hour(0)) {
			t.Errorf("%+v, %v", reach, err)
		}
		if got := pages(t, h, replay.Selection{From: hour(1)}, "", relay.Limit{Rows: 1, Bytes: 1}); got != nil {
			t.Errorf("%v", got)
		}
	})
}

// A page keeps within its limit of bytes even if a row is larger than all before it.
func TestHistoryOfLargeRows(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		exec(t, pg.Pool, `
			INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_data, created_at, published_at)
			SELECT 'a', i, 'e', 't', json_build_object('x', repeat('x', CASE WHEN i > 300 THEN 1000000 ELSE 10 END)), now(), now()
			FROM generate_series(1, 330) AS i`)
		h := historyOf(t, pg)
		const limit = 4 << 20
		rows := 0
		for after := replay.Cursor(""); ; {
			page, err := h.Read(t.Context(), replay.Selection{}, after, relay.Limit{Rows: 5000, Bytes: limit})
			must(t, err)
			if page.End {
				break
			}
			bytes := 0
			for _, e := range page.Events {
				bytes += len(e.Data)
			}
			if bytes > limit {
				t.Errorf("a page of %d rows has %d bytes", len(page.Events), bytes)
			}
			rows += len(page.Events)
			after = page.After
		}
		if rows != 330 {
			t.Errorf("%d rows are read", rows)
		}
	})
}

func TestHistoryThatCannotBeRead(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		problem := func(db pgstore.HistoryDB) string {
			h, err := pgstore.NewHistory(t.Context(), db)
			if err == nil {
				_, err = h.Read(t.Context(), replay.Selection{}, "", relay.Limit{Rows: 1, Bytes: 1})
			}
			setup, ok := errors.AsType[*relay.SetupError](err)
			if !ok {
				t.Fatalf("%v", err)
			}
			return setup.Problem
		}
		conn := readerOf(t, pg)
		exec(t, pg.Pool, `ALTER TABLE event_outbox ENABLE ROW LEVEL SECURITY`)
		if got := problem(conn); got != "row-level security hides rows of event_outbox from this role" {
			t.Error(got)
		}
		exec(t, pg.Pool, `ALTER TABLE event_outbox DISABLE ROW LEVEL SECURITY`)
		exec(t, pg.Pool, `REVOKE SELECT ON event_outbox FROM `+conn.Config().User)
		if got := problem(conn); got != "this role may not read event_outbox" {
			t.Error(got)
		}
		exec(t, conn, `SET search_path = nowhere`)
		if got := problem(conn); got != "there is no table event_outbox in the search path, or the role has no USAGE on its schema" {
			t.Error(got)
		}
	})
}

// historyCall is a statement with arguments.
type historyCall struct{ query, args string }

// In a large table every statement uses the index on seq, also with a generic plan and
// while a selection matches nothing. The beginning of a range is found without an index
// on a time.
func TestHistoryOfALargeTable(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	migrate(t, pg)
	exec(t, pg.Pool, `DROP INDEX IF EXISTS ix_event_outbox_seq`)
	const rows = 200_000
	// A row every second. Every 1000th was published a day late, and every 500th one is of
	// a transaction that took half an hour.
	exec(t, pg.Pool, `
		INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data, created_at, published_at)
		SELECT 'a', i % 1000, 'type' || i % 10, 'topic' || i % 3, i % 1000, json_build_object('x', repeat('x', 400)),
		       $2::timestamptz + i * interval '1 second' - CASE WHEN i % 500 = 7 THEN interval '30 minutes' ELSE interval '0' END,
		       $2::timestamptz + i * interval '1 second' + CASE WHEN i % 1000 = 0 THEN interval '1 day' ELSE interval '1 second' END
		FROM generate_series(1, $1::int) AS i`, rows, hour(0))
	exec(t, pg.Pool, `ANALYZE event_outbox`)
	conn := readerOf(t, pg)
	if _, err := pgstore.NewHistory(t.Context(), conn); err == nil || !strings.Contains(err.Error(), "CREATE INDEX CONCURRENTLY ix_event_outbox_seq ON event_outbox (seq)") {
		t.Errorf("without an index: %v", err)
	}
	exec(t, pg.Pool, `CREATE INDEX CONCURRENTLY ix_event_outbox_seq ON event_outbox (seq)`)
	h, err := pgstore.NewHistory(t.Context(), conn)
	must(t, err)

	s := replay.Selection{From: hour(40), To: hour(41), EventTypes: []string{"type?"}}
	want := ask[int64](t, pg.Pool, `SELECT count(*) FROM event_outbox WHERE created_at >= $1 AND created_at < $2`, s.From, s.To)
	if got := int64(len(pages(t, h, s, "", relay.Limit{Rows: 5000, Bytes: 8 << 20}))); got != want {
		t.Errorf("%d rows are in the range, want %d", got, want)
	}
	counts, err := replay.CountAll(t.Context(), h, s, "")
	must(t, err)
	var counted int64
	for _, c := range counts {
		counted += c.Events
	}
	if counted != want {
		t.Errorf("%d rows are counted, want %d", counted, want)
	}
	first, err := h.Read(t.Context(), s, "", relay.Limit{Rows: 1, Bytes: 1})
	must(t, err)
	if begin := seqOf(t, first.After); begin < 40*3600-1500 || begin > 40*3600 {
		t.Errorf("reading begins at row %d, far from row %d", begin, 40*3600)
	}

	statements := map[string]historyCall{
		"window": {pgdb.HistoryWindow, `now(), 150000, 5000`},
		"probe":  {pgdb.HistoryProbe, `now(), 100000, 100`},
		"bounds": {pgdb.HistoryBounds, ""},
		"sizes":  {pgdb.HistorySizes, `150000, 155000, '2026-09-21', '2026-09-22', NULL, NULL, NULL, NULL, NULL, 500`},
		"filter": {pgdb.HistorySizes, `150000, 155000, '2026-09-21', '2026-09-22', '{none}', '{none}', 'k', 'a', '7', 500`},
		"counts": {pgdb.HistoryCounts, `150000, 170000, '2026-09-21', '2026-09-22', NULL, NULL, NULL, NULL, NULL`},
		"rows":   {pgdb.HistoryRows, `'{` + strings.Repeat("150000,", 499) + `150001}'`},
		"reach":  {pgdb.HistoryReach, `150000, 100`},
	}
	for call, plan := range historyPlans(t, pg, statements, func(query string) string { return query }) {
		if strings.Contains(plan, "Seq Scan on event_outbox") || !strings.Contains(plan, "ix_event_outbox_seq") && !strings.HasPrefix(call, "filter") {
			t.Errorf("%s:\n%s", call, plan)
		}
	}
}

// historyPlans runs statements with custom and with generic plans, and returns the plans.
func historyPlans(t *testing.T, pg *services.PG, statements map[string]historyCall, of func(string) string) map[string]string {
	t.Helper()
	plans := map[string]string{}
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		planner := pg.Connect(t.Context())
		exec(t, planner, `SET plan_cache_mode = `+mode)
		for name, statement := range statements {
			exec(t, planner, `PREPARE `+name+`_ AS `+of(statement.query))
			call := name + "_"
			if statement.args != "" {
				call += "(" + statement.args + ")"
			}
			lines, err := planner.Query(t.Context(), `EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE `+call, pgx.QueryExecModeSimpleProtocol)
			must(t, err)
			plan, err := pgx.CollectRows(lines, pgx.RowTo[string])
			must(t, err)
			plans[name+", "+mode] = strings.Join(plan, "\n")
		}
	}
	return plans
}

// In a large log, no statement reads more rows of a partition than it looks at.
func TestHistoryOfALargeLog(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		const rows, days = 40_000, 4
		exec(t, pg.Pool, `
			INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data)
			SELECT event_outbox_id_at(date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + i * interval '1 day' * $2::int / $1::int),
			       'a', i % 1000, 'type' || i % 10, 'topic' || i % 3, i % 1000, json_build_object('x', repeat('x', 400))
			FROM generate_series(0, $1::int - 1) AS i`, rows, days)
		exec(t, pg.Pool, `INSERT INTO event_outbox_tick (n, shown, below) SELECT 1, s, pg_snapshot_xmax(s) FROM pg_current_snapshot() AS s`)
		exec(t, pg.Pool, `ANALYZE event_outbox; ANALYZE event_outbox_tick`)
		h, err := pgstore.NewHistory(t.Context(), pg.Pool)
		must(t, err)
		s := replay.Selection{From: time.Now().Add(-time.Hour), EventTypes: []string{"type1"}}
		if got := len(pages(t, h, s, "", relay.Limit{Rows: 5000, Bytes: 8 << 20})); got != rows/10 {
			t.Errorf("%d rows are in the range, want %d", got, rows/10)
		}
		plans := historyPlans(t, pg, map[string]historyCall{
			"window": {pgdb.HistoryWindow, `now(), 30000, 500`},
			"probe":  {pgdb.HistoryProbe, `now(), 30000, 100`},
			"bounds": {pgdb.HistoryBounds, ""},
			"sizes":  {pgdb.HistorySizes, `30000, 30500, '2026-09-21', '2099-09-22', NULL, NULL, NULL, NULL, NULL, 500`},
			"counts": {pgdb.HistoryCounts, `30000, 30500, '2026-09-21', '2099-09-22', NULL, NULL, NULL, NULL, NULL`},
			"rows":   {pgdb.HistoryRows, `'{30000,30001}'`},
			"reach":  {pgdb.HistoryReach, `30000, 100`},
		}, logview.Statement)
		partition := regexp.MustCompile(`Scan .*on event_outbox_d\d{8}.*rows=[1-9]\d{3}`)
		for call, plan := range plans {
			if partition.MatchString(plan) || !strings.Contains(plan, "event_outbox_d") {
				t.Errorf("%s:\n%s", call, plan)
			}
		}
	})
}

func seqOf(t *testing.T, c replay.Cursor) (seq int64) {
	t.Helper()
	if _, err := fmt.Sscan(string(c), &seq); err != nil {
		t.Fatalf("cursor %q: %v", c, err)
	}
	return seq
}
