package pgstore_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

func utc(text string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return at
}

func TestARowIsReadAsItWasWritten(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lead(t, s)
		id, id2, key := uuid.New(), uuid.New(), "k"
		data := "{\"b\" : 1,\t\"a\":\"\\u00e9 é\", \"b\":2 }\n"
		exec(t, pg.Pool, `INSERT INTO event_outbox
			(id, aggregate_id, aggregate_type, event_type, topic, event_key, event_data, headers, created_at, retry_count)
			VALUES ($1, '7', 'order', 'order.paid.v1', 'orders', 'k', $2::text::json, '{"h": "1"}', '2024-02-29 12:00:00.000001+00', 2)`, id, data)
		exec(t, pg.Pool, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_data, created_at)
			VALUES ($1, '8', 'order', 'order.paid.v1', 'orders', '{}', '1999-01-01 00:00:00+00')`, id2)
		page, err := s.ReadBacklog(t.Context(), snapshot(t, s), 0, wide)
		must(t, err)
		want := relay.Page{Rows: []relay.Row{{
			Seq: 1, ID: id, AggregateType: "order", AggregateID: "7", EventType: "order.paid.v1", Topic: "orders", Key: &key,
			Data: []byte(data), Headers: []byte(`{"h": "1"}`), CreatedAt: utc("2024-02-29T12:00:00.000001Z"), RetryCount: 2,
		}, {
			Seq: 2, ID: id2, AggregateType: "order", AggregateID: "8", EventType: "order.paid.v1", Topic: "orders",
			Data: []byte(`{}`), CreatedAt: utc("1999-01-01T00:00:00Z"),
		}}}
		if diff := cmp.Diff(want, page, cmpopts.IgnoreFields(relay.Page{}, "InsertLSN")); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Writers from before the upgrade put the topic into the event's body, or use the event
// type as the topic.
func TestOldWritersTopics(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		exec(t, pg.Pool, `ALTER TABLE event_outbox ALTER topic DROP NOT NULL`)
		s := newStore(t, pg)
		lead(t, s)
		for _, data := range []string{
			`{"topic": "inside"}`, `{}`, `[1]`,
			// Postgres cannot read these as JSON, and they do not stop other rows.
			`{"nul": "\u0000", "topic": "inside"}`, `{"half": "\ud83d", "topic": "inside"}`,
			`{"escaped": "\\u0000", "pair": "\ud83d\ude00", "topic": "inside"}`,
		} {
			exec(t, pg.Pool, `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, event_data)
				VALUES ('7', 'order', 'type', $1::text::json)`, data)
		}
		snap := snapshot(t, s)
		var topics []string
		for _, r := range backlog(t, s, snap, wide) {
			topics = append(topics, r.Topic)
		}
		if diff := cmp.Diff([]string{"inside", "type", "type", "inside", "inside", "inside"}, topics); diff != "" {
			t.Fatal(diff)
		}
		page, err := s.ReadAgain(t.Context(), snap, relay.Selection{Topic: "inside"}, 0, 100, wide)
		must(t, err)
		if diff := cmp.Diff([]int64{1, 4, 5, 6}, seqs(page.Rows)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestAPageIsBoundedByRowsAndBytes(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lead(t, s)
		none := snapshot(t, s)
		insertMany(t, pg, 10, 1_000)
		one := int64(len(backlog(t, s, snapshot(t, s), wide)[0].Data))
		snap := snapshot(t, s)
		for _, c := range []struct {
			limit relay.Limit
			want  []int64
			more  bool
		}{
			{relay.Limit{Rows: 3, Bytes: 1 << 20}, []int64{1, 2, 3}, true},
			{relay.Limit{Rows: 10, Bytes: 1 << 20}, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, false},
			{relay.Limit{Rows: 11, Bytes: 1 << 20}, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, false},
			{relay.Limit{Rows: 10, Bytes: 2 * one}, []int64{1, 2}, true},
			{relay.Limit{Rows: 10, Bytes: 2*one - 1}, []int64{1}, true},
			{relay.Limit{Rows: 10, Bytes: 1}, []int64{1}, true},
		} {
			for name, read := range map[string]func() (relay.Page, error){
				"backlog": func() (relay.Page, error) { return s.ReadBacklog(t.Context(), snap, 0, c.limit) },
				"tick":    func() (relay.Page, error) { return s.ReadTick(t.Context(), none, snap, 0, c.limit) },
				"again": func() (relay.Page, error) {
					return s.ReadAgain(t.Context(), snap, relay.Selection{Topic: "orders"}, 0, 100, c.limit)
				},
			} {
				page, err := read()
				must(t, err)
				if diff := cmp.Diff(c.want, seqs(page.Rows)); diff != "" || page.More != c.more {
					t.Errorf("%s of %+v: more=%v\n%s", name, c.limit, page.More, diff)
				}
			}
		}
		// All pages together have all rows, with any limit.
		for _, limit := range []relay.Limit{{Rows: 1, Bytes: 1}, {Rows: 4, Bytes: 1 << 20}, {Rows: 100, Bytes: 3 * one}} {
			if n := len(backlog(t, s, snap, limit)); n != 10 {
				t.Errorf("%d rows by pages of %+v", n, limit)
			}
			if n := len(tick(t, s, none, snap, limit)); n != 10 {
				t.Errorf("%d rows of the tick by pages of %+v", n, limit)
			}
		}
	})
}

// A row of a transaction that commits late has a lower seq than rows which were
// read already. A cursor by seq would have passed it.
func TestALateCommitWithALowerSeqIsNotLost(t *testing.T) {
	eachStore(t, func(t *testing.T, pg *services.PG, open func() relay.Store) {
		s := open()
		lead(t, s)
		early, late := begin(t, pg), begin(t, pg)
		insert(t, early, "in the backlog's gap")
		insert(t, late, "in the tick's gap")
		insert(t, pg.Pool, "first")
		s0 := snapshot(t, s)
		if diff := cmp.Diff([]string{"first"}, keys(backlog(t, s, s0, wide))); diff != "" {
			t.Fatal(diff)
		}
		must(t, early.Commit(t.Context()))
		insert(t, pg.Pool, "second")
		s1 := snapshot(t, s)
		if diff := cmp.Diff([]string{"in the backlog's gap", "second"}, keys(tick(t, s, s0, s1, wide))); diff != "" {
			t.Fatal(diff)
		}
		s2 := snapshot(t, s)
		if got := tick(t, s, s1, s2, wide); len(got) != 0 {
			t.Fatalf("nothing happened, and yet: %v", keys(got))
		}
		must(t, late.Commit(t.Context()))
		s3 := snapshot(t, s)
		if diff := cmp.Diff([]string{"in the tick's gap"}, keys(tick(t, s, s2, s3, wide))); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Two transactions take turns with one aggregate; the one that began first goes
// second. Neither the transaction's id nor created_at is the order.
func TestOrderIsThatOfTheLock(t *testing.T) {
	eachStore(t, func(t *testing.T, pg *services.PG, open func() relay.Store) {
		s := open()
		lead(t, s)
		s0 := snapshot(t, s)
		backlog(t, s, s0, wide)
		exec(t, pg.Pool, `CREATE TABLE aggregate AS SELECT 1 AS id`)
		patient, quick := begin(t, pg), begin(t, pg)
		for _, tx := range []pgx.Tx{patient, quick} { // both times and ids are taken
			exec(t, tx, `SELECT now(), pg_current_xact_id()`)
		}
		for _, step := range []struct {
			tx  pgx.Tx
			key string
		}{{quick, "1"}, {patient, "2"}} {
			exec(t, step.tx, `SELECT FROM aggregate FOR UPDATE`)
			insert(t, step.tx, step.key)
			must(t, step.tx.Commit(t.Context()))
		}
		rows := tick(t, s, s0, snapshot(t, s), wide)
		if diff := cmp.Diff([]string{"1", "2"}, keys(rows)); diff != "" {
			t.Fatal(diff)
		}
		if !rows[1].CreatedAt.Before(rows[0].CreatedAt) {
			t.Fatal("created_at agrees with the order: the test shows nothing")
		}
		if !ask[bool](t, pg.Pool, `SELECT (SELECT tx FROM event_outbox WHERE event_key = '2') < (SELECT tx FROM event_outbox WHERE event_key = '1')`) {
			t.Fatal("tx agrees with the order: the test shows nothing")
		}
	})
}

func TestSavepointsCopyAndRollback(t *testing.T) {
	eachStore(t, func(t *testing.T, pg *services.PG, open func() relay.Store) {
		s := open()
		lead(t, s)
		s0 := snapshot(t, s)
		backlog(t, s, s0, wide)
		tx := begin(t, pg)
		insert(t, tx, "top")
		kept, err := tx.Begin(t.Context())
		must(t, err)
		insert(t, kept, "kept savepoint")
		must(t, kept.Commit(t.Context()))
		dropped, err := tx.Begin(t.Context())
		must(t, err)
		insert(t, dropped, "dropped savepoint")
		must(t, dropped.Rollback(t.Context()))
		copied := [][]any{{"c1", "order", "type", "orders", "copied 1", []byte(`{}`)}, {"c2", "order", "type", "orders", "copied 2", []byte(`{}`)}}
		_, err = tx.CopyFrom(t.Context(), pgx.Identifier{"event_outbox"},
			[]string{"aggregate_id", "aggregate_type", "event_type", "topic", "event_key", "event_data"}, pgx.CopyFromRows(copied))
		must(t, err)
		between := snapshot(t, s)
		if got := tick(t, s, s0, between, wide); len(got) != 0 {
			t.Fatalf("read before the commit: %v", keys(got))
		}
		must(t, tx.Commit(t.Context()))
		gone := begin(t, pg)
		insert(t, gone, "rolled back")
		must(t, gone.Rollback(t.Context()))

		want := []string{"top", "kept savepoint", "copied 1", "copied 2"}
		if diff := cmp.Diff(want, keys(tick(t, s, between, snapshot(t, s), wide))); diff != "" {
			t.Fatal(diff)
		}
		if ask[bool](t, pg.Pool, `SELECT (SELECT xmin::text FROM event_outbox WHERE event_key = 'kept savepoint')
			= (SELECT tx::text FROM event_outbox WHERE event_key = 'kept savepoint')`) {
			t.Fatal("the row's own xmin is the transaction's id: the test shows nothing")
		}
	})
}

// A transaction that stays open delays only its own rows.
func TestATransactionOpenForLong(t *testing.T) {
	eachStore(t, func(t *testing.T, pg *services.PG, open func() relay.Store) {
		s := open()
		lead(t, s)
		held := begin(t, pg)
		insert(t, held, "held open")
		last := snapshot(t, s)
		backlog(t, s, last, wide)
		for i := range 50 {
			key := fmt.Sprint(i)
			insert(t, pg.Pool, key)
			next := snapshot(t, s)
			if diff := cmp.Diff([]string{key}, keys(tick(t, s, last, next, wide))); diff != "" {
				t.Fatal(diff)
			}
			last = next
		}
		must(t, held.Commit(t.Context()))
		next := snapshot(t, s)
		if diff := cmp.Diff([]string{"held open"}, keys(tick(t, s, last, next, wide))); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestAPreparedTransactionIsAnOpenOne(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t, services.Private(), services.Setting("max_prepared_transactions", "2"))
	migrate(t, pg)
	s := newStore(t, pg)
	lead(t, s)
	conn := pg.Connect(t.Context())
	exec(t, conn, `BEGIN`)
	insert(t, conn, "prepared")
	exec(t, conn, `PREPARE TRANSACTION 'later'`)
	insert(t, conn, "direct")
	s0 := snapshot(t, s)
	if diff := cmp.Diff([]string{"direct"}, keys(backlog(t, s, s0, wide))); diff != "" {
		t.Fatal(diff)
	}
	exec(t, conn, `COMMIT PREPARED 'later'`)
	if diff := cmp.Diff([]string{"prepared"}, keys(tick(t, s, s0, snapshot(t, s), wide))); diff != "" {
		t.Fatal(diff)
	}
}

// After a dump is restored, the rows have the transaction ids of another cluster.
func TestRowsOfAnotherCluster(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		exec(t, pg.Pool, `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data, tx)
			SELECT 'a', 'order', 'type', 'orders', i::text, '{}',
			       (pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 3 - i)::text::xid8
			FROM generate_series(1, 4) AS i`)
		own := begin(t, pg)
		insert(t, own, "own")
		s := newStore(t, pg)
		lead(t, s)
		s0 := snapshot(t, s)
		if diff := cmp.Diff([]string{"1", "2", "3", "4"}, keys(backlog(t, s, s0, wide))); diff != "" {
			t.Fatal(diff)
		}
		must(t, own.Commit(t.Context()))
		for range 5 { // the ids that those rows had are used up
			exec(t, pg.Pool, `SELECT pg_current_xact_id()`)
		}
		if diff := cmp.Diff([]string{"own"}, keys(tick(t, s, s0, snapshot(t, s), wide))); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestReadAgain(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lease := lead(t, s)
		for range 5 {
			insert(t, pg.Pool, "a")
			insert(t, pg.Pool, "b")
		}
		exec(t, pg.Pool, `UPDATE event_outbox SET topic = 'other' WHERE seq = 5`)
		exec(t, pg.Pool, `UPDATE event_outbox SET event_key = NULL WHERE seq = 6`)
		must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{7}}))
		snap := snapshot(t, s)
		insert(t, pg.Pool, "a") // after the snapshot
		for _, c := range []struct {
			rows        relay.Selection
			after, upTo int64
			want        []int64
		}{
			{relay.Selection{Topic: "orders", Keys: []string{"a"}}, 0, 100, []int64{1, 3, 9}},
			{relay.Selection{Topic: "orders", Keys: []string{"a"}}, 1, 3, []int64{3}},
			{relay.Selection{Topic: "other", Keys: []string{"a"}}, 0, 100, []int64{5}},
			{relay.Selection{Topic: "orders", Keys: []string{"b", "a", "c"}}, 1, 9, []int64{2, 3, 4, 8, 9}},
			{relay.Selection{Topic: "orders"}, 3, 9, []int64{4, 6, 8, 9}},
		} {
			rows := all(t, relay.Limit{Rows: 2, Bytes: 1 << 20}, func(after int64, limit relay.Limit) (relay.Page, error) {
				return s.ReadAgain(t.Context(), snap, c.rows, max(after, c.after), c.upTo, limit)
			})
			if diff := cmp.Diff(c.want, seqs(rows)); diff != "" {
				t.Errorf("%+v: %s", c, diff)
			}
		}
	})
}

// A commit with synchronous_commit off is visible before it is on disk.
func TestFlushed(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t, services.Private(), services.Setting("wal_writer_delay", "10s"))
	migrate(t, pg)
	s := newStore(t, pg)
	lead(t, s)
	writer := pg.Connect(t.Context())
	exec(t, writer, `SET synchronous_commit = off`)
	snap := snapshot(t, s)
	insert(t, writer, "a")
	page, err := s.ReadTick(t.Context(), snap, snapshot(t, s), 0, wide)
	must(t, err)
	if len(page.Rows) != 1 {
		t.Fatalf("read %d rows", len(page.Rows))
	}
	const flushed = `SELECT pg_current_wal_flush_lsn() >= $1::pg_lsn`
	if ask[bool](t, pg.Pool, flushed, page.InsertLSN) {
		t.Fatal("the row is on disk already: the test shows nothing")
	}
	must(t, s.Flushed(t.Context(), page))
	if !ask[bool](t, pg.Pool, flushed, page.InsertLSN) {
		t.Fatal("Flushed returned before the row was on disk")
	}
}

// Statistics of an empty table make a sequential scan, or a sort of everything,
// look cheap.
func TestPlansAreIndexScans(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		exec(t, pg.Pool, `ANALYZE event_outbox`)
		s := newStore(t, pg, func(c *pgstore.Config) { c.ApplicationName = "planner" })
		lease := lead(t, s)
		s0 := snapshot(t, s)
		insertMany(t, pg, 20_000, 10)
		exec(t, pg.Pool, `INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, applied_at)
			SELECT 'ann', 'replay', i, gen_random_uuid(), 't', now() FROM generate_series(1, 20000) AS i`)

		plans := map[string]string{}
		for name, plan := range s.Plans(t.Context(), t, lease, s0) {
			plans[name] = plan
			if strings.Contains(plan, "Seq Scan on event_outbox") {
				t.Errorf("%s scans the table:\n%s", name, plan)
			}
		}
		for name, index := range map[string]string{
			"ReadRange": "ix_event_outbox_seq", "ReadTick": "ix_event_outbox_tx", "EndOfTick": "ix_event_outbox_tx",
			"SettleByMark": "ix_event_outbox_seq", "SettleByDelete": "ix_event_outbox_seq",
			"Sweep": "ix_event_outbox_tx", "ReadHeld": "ix_event_outbox_retried", "AdoptForeign": "ix_event_outbox_tx",
			"LookFromMark": "ix_event_outbox_seq", "SetAside": "ix_event_outbox_seq", "Restore": "ix_event_outbox_seq",
			"CountRows": "ix_event_outbox_dead",
			"MoveDue":   "ix_event_outbox_delayed_due", "RenewLease": "ix_event_outbox_delayed_due",
		} {
			if !strings.Contains(plans[name], index) {
				t.Errorf("%s does not use %s:\n%s", name, index, plans[name])
			}
		}
		for _, index := range []string{"ix_event_outbox_audit_open", "ix_event_outbox_audit_pauses"} {
			if !strings.Contains(plans["RenewLease"], index) {
				t.Errorf("RenewLease does not use %s:\n%s", index, plans["RenewLease"])
			}
		}
		if n := len(regexp.MustCompile(`Index Cond: .*\(seq = ANY`).FindAllString(plans["SettleByMarkWithFailures"], -1)); n != 2 {
			t.Errorf("failures are not looked up by seq:\n%s", plans["SettleByMarkWithFailures"])
		}
		for _, name := range []string{"ReadRange", "ReadEdited", "EndOfRange"} {
			if strings.Contains(plans[name], "Sort  (") || strings.Count(plans[name], "ix_event_outbox_waiting") != 1 {
				t.Errorf("%s sorts, or does not read the rows that wait by their index:\n%s", name, plans[name])
			}
		}
		if strings.Contains(plans["EndOfTick"], "ix_event_outbox_seq") {
			t.Errorf("EndOfTick goes through the index on seq:\n%s", plans["EndOfTick"])
		}
	})
}

// A new leader reads the rows that hold their keys without looking at those that were only
// set aside, because there may be very many.
func TestHeldRowsBesideManyThatWereSetAside(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		exec(t, pg.Pool, `ANALYZE event_outbox`) // the statistics say that no row waits
		insertMany(t, pg, 5_000, 10)
		exec(t, pg.Pool, `UPDATE event_outbox SET next_attempt_at = now(), retry_count = CASE WHEN seq IN (7, 4000) THEN 1 ELSE 0 END`)
		tx := begin(t, pg)
		exec(t, tx, `SET LOCAL enable_seqscan = off`) // as in the store's sessions
		exec(t, tx, `SET LOCAL enable_bitmapscan = off`)
		plan := ask[string](t, tx, "EXPLAIN (ANALYZE, FORMAT JSON) "+pgdb.ReadHeld, []string{}, true)
		if !strings.Contains(plan, "ix_event_outbox_retried") || regexp.MustCompile(`Rows Removed by Filter": [1-9]`).MatchString(plan) {
			t.Errorf("it looks at rows that were set aside:\n%s", plan)
		}
		held, err := newStore(t, pg).ReadHeld(t.Context(), relay.Blocking{})
		must(t, err)
		var got []int64
		for _, r := range held {
			got = append(got, r.Seq)
		}
		if diff := cmp.Diff([]int64{7, 4000}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestReadingOutsideOfATerm(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		insert(t, pg.Pool, "a")
		stats, err := s.Stats(t.Context())
		must(t, err)
		if stats.Pending != 1 {
			t.Fatalf("%+v", stats)
		}
		if _, err := s.ReadHeld(t.Context(), relay.Blocking{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Snapshot(t.Context()); err == nil {
			t.Fatal("a snapshot without a term")
		}
		s.Close()
		if _, err := s.Observe(context.Background()); err == nil {
			t.Fatal("a closed store answers")
		}
	})
}

// Rows may be much larger than the ones before, from which a page calculates how many
// to request.
func TestAPageStaysBoundedWhenRowsGrow(t *testing.T) {
	eachStore(t, func(t *testing.T, pg *services.PG, open func() relay.Store) {
		s := open()
		lead(t, s)
		insertMany(t, pg, 100, 10)
		insertMany(t, pg, 60, 1<<20)
		insertMany(t, pg, 100, 10)
		snap := snapshot(t, s)
		limit := relay.Limit{Rows: 4_000, Bytes: 2 << 20}
		var read []int64
		for more := true; more; {
			after := int64(0)
			if len(read) > 0 {
				after = read[len(read)-1]
			}
			page, err := s.ReadBacklog(t.Context(), snap, after, limit)
			must(t, err)
			must(t, s.Flushed(t.Context(), page))
			var bytes int64
			for _, row := range page.Rows {
				bytes += int64(len(row.Data) + len(row.Headers))
			}
			if len(page.Rows) == 0 || len(page.Rows) > 1 && bytes > limit.Bytes {
				t.Fatalf("a page of %d rows and %d bytes", len(page.Rows), bytes)
			}
			read = append(read, seqs(page.Rows)...)
			more = page.More
		}
		want := make([]int64, 260)
		for i := range want {
			want[i] = int64(i + 1)
		}
		if diff := cmp.Diff(want, read); diff != "" {
			t.Fatal(diff)
		}
	})
}
