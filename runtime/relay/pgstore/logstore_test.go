package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/internal/pgroles"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// eachLog runs a test on every installed Postgres, with the tables of a log and a role of the
// relay that has no more privileges than it needs.
func eachLog(t *testing.T, test func(t *testing.T, pg *services.PG)) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		must(t, migrations.UpLog(t.Context(), pg.Connect(t.Context())))
		relays.Store(pg.Database, pgroles.CreateFor(t, pg, migrations.StoreLog).Relay)
		test(t, pg)
	})
}

// eachStore runs a test with the store of a table and with that of a log.
func eachStore(t *testing.T, test func(t *testing.T, pg *services.PG, open func() relay.Store)) {
	t.Run("table", func(t *testing.T) {
		each(t, func(t *testing.T, pg *services.PG) { test(t, pg, func() relay.Store { return newStore(t, pg) }) })
	})
	t.Run("log", func(t *testing.T) {
		eachLog(t, func(t *testing.T, pg *services.PG) { test(t, pg, func() relay.Store { return newLog(t, pg) }) })
	})
}

func newLog(t *testing.T, pg *services.PG, change ...func(*pgstore.Config)) *pgstore.LogStore {
	t.Helper()
	s, err := pgstore.NewLogStore(storeConfig(t, pg, change...))
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

// The statement that generated code sends does nothing if the id is there, whichever
// partition it is in.
func TestLogInsertOfAKnownID(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		exec(t, pg.Pool, `SELECT event_outbox_make_partition(0)`)
		v7, err := uuid.NewV7()
		must(t, err)
		for _, id := range []uuid.UUID{v7, uuid.New(), uuid.NewSHA1(uuid.NameSpaceURL, []byte("order 1"))} {
			var inserted []int64
			for range 2 {
				tag, err := pg.Pool.Exec(t.Context(), `INSERT INTO event_outbox (
						id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers
					) VALUES ($1::uuid, 'order', 'o', 'order.paid.v1', 'orders', 'o', '{}', '{}')
					ON CONFLICT (id) DO NOTHING`, id)
				must(t, err)
				inserted = append(inserted, tag.RowsAffected())
			}
			if d := cmp.Diff([]int64{1, 0}, inserted); d != "" {
				t.Errorf("%v inserted (-want +got): %s", id, d)
			}
		}
		places := ask[string](t, pg.Pool, `SELECT string_agg(left(p, 14), ' ' ORDER BY seq) FROM (SELECT tableoid::regclass::text AS p, seq FROM event_outbox) AS o`)
		if want := "event_outbox_d event_outbox_o event_outbox_o"; places != want {
			t.Errorf("the rows are in %s; want %s", places, want)
		}
	})
}

// A transaction with a lower seq commits after rows with higher ones are settled, and after
// the cursor has passed them.
func TestLogLateCommit(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		open := begin(t, pg)
		low := insert(t, open, "a")
		insert(t, pg.Pool, "b")
		rows := backlog(t, s, snapshot(t, s), wide)
		settle(t, s, lease, rows)
		must(t, open.Commit(t.Context()))

		next := newLog(t, pg)
		lead(t, next)
		if d := cmp.Diff([]int64{low}, seqs(backlog(t, next, snapshot(t, next), wide))); d != "" {
			t.Errorf("the next term reads (-want +got): %s", d)
		}
	})
}

// A new leader begins with everything that is unsettled, in the order of seq: with a row that
// was committed late, with a lower seq than others that are published; with rows that wait; with
// a row that failed in a newer tick than that of the cursor, so that no later row of its key
// passes it; and with new rows.
func TestLogANewLeaderBeginsWithEverythingUnsettled(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		open := begin(t, pg)
		low := insert(t, open, "low")
		published := []int64{insert(t, pg.Pool, "a"), insert(t, pg.Pool, "b")}
		waits := insert(t, pg.Pool, "waits")
		snap := snapshot(t, s)
		backlog(t, s, snap, wide)
		must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: published})) // the cursor is in the tick
		failed := insert(t, pg.Pool, "failed")
		later := snapshot(t, s)
		tick(t, s, snap, later, wide)
		must(t, s.Settle(t.Context(), lease, relay.Settlement{Failed: []relay.Failure{{Seq: failed, Err: "bad", RetryCount: 1, RetryIn: time.Hour}}}))
		must(t, open.Commit(t.Context()))
		behind := insert(t, pg.Pool, "failed")

		reads := func(limit relay.Limit, want ...int64) *pgstore.LogStore {
			t.Helper()
			next := newLog(t, pg)
			lease = lead(t, next)
			first := snapshot(t, next)
			got := seqs(backlog(t, next, first, limit))
			if d := cmp.Diff(append([]int64{}, want...), got); d != "" {
				t.Errorf("the next term reads (-want +got): %s", d)
			}
			if d := cmp.Diff([]int64{}, seqs(tick(t, next, first, snapshot(t, next), wide))); d != "" {
				t.Errorf("and then (-want +got): %s", d)
			}
			return next
		}
		next := reads(relay.Limit{Rows: 1, Bytes: 1 << 20}, low, waits, failed, behind)
		// The row with the lowest seq waits, so the place in the new backlog is before that of the cursor.
		must(t, next.Settle(t.Context(), lease, relay.Settlement{Published: []int64{waits}}))
		next = reads(wide, low, failed, behind)
		must(t, next.Settle(t.Context(), lease, relay.Settlement{Published: []int64{low}}))
		next = reads(wide, failed, behind)
		must(t, next.Settle(t.Context(), lease, relay.Settlement{Published: []int64{failed, behind}}))
		reads(wide)
	})
}

// What is settled ahead of the cursor is not read again; what waits is, also after the
// cursor has passed it.
func TestLogRowsThatWait(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		s.AsideRows(4)
		lease := lead(t, s)
		var all, waiting []int64
		for i := range 10 {
			key := "other"
			if i%3 == 0 {
				key = "held"
			}
			all = append(all, insert(t, pg.Pool, key))
			if key == "held" {
				waiting = append(waiting, all[i])
			}
		}
		var after int64
		limit := relay.Limit{Rows: 2, Bytes: 1 << 20}
		snap := snapshot(t, s)
		for more := true; more; {
			page, err := s.ReadBacklog(t.Context(), snap, after, limit)
			must(t, err)
			var published []int64
			for _, r := range page.Rows {
				if *r.Key == "other" {
					published = append(published, r.Seq)
				}
				after = r.Seq
			}
			must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: published}))
			more = page.More
		}
		again, err := s.ReadAgain(t.Context(), snap, relay.Selection{Topic: "orders", Keys: []string{"held"}}, 0, all[9], wide)
		must(t, err)
		late := ask[int](t, pg.Pool, `SELECT count(*) FROM event_outbox_late WHERE published_at IS NULL`)
		next := newLog(t, pg)
		lease = lead(t, next)
		rows := backlog(t, next, snapshot(t, next), limit)
		if d := cmp.Diff([][]int64{waiting, waiting}, [][]int64{seqs(again.Rows), seqs(rows)}); d != "" {
			t.Errorf("read again, and by the next term (-want +got): %s", d)
		}
		if late == 0 || late == len(waiting) {
			t.Errorf("%d of %d rows were set aside; want some", late, len(waiting))
		}
		settle(t, next, lease, rows)
		last := newLog(t, pg)
		lead(t, last)
		if d := cmp.Diff([]int64{}, seqs(backlog(t, last, snapshot(t, last), wide))); d != "" {
			t.Errorf("after all were settled (-want +got): %s", d)
		}
	})
}

// Rows that fail are copied; the copies are retried, die, are replayed and discarded.
func TestLogFailures(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		seq := insert(t, pg.Pool, "k")
		good := insert(t, pg.Pool, "good")
		snap := snapshot(t, s)
		backlog(t, s, snap, wide)
		fail := func(count int, dead bool) {
			t.Helper()
			must(t, s.Settle(t.Context(), lease, relay.Settlement{
				Published: []int64{good},
				Failed:    []relay.Failure{{Seq: seq, Err: "bad", RetryCount: count, RetryIn: time.Hour, Dead: dead}},
			}))
		}
		held := func() []relay.HeldRow {
			t.Helper()
			rows, err := s.ReadHeld(t.Context(), relay.Blocking{ByDefault: true})
			must(t, err)
			for i := range rows {
				if rows[i].RetryIn > 0 {
					rows[i].RetryIn = time.Hour
				}
				rows[i].NextAttempt = time.Time{}
			}
			return rows
		}
		key := "k"
		want := relay.HeldRow{Seq: seq, Topic: "orders", Key: &key, EventType: "order.paid.v1", RetryCount: 1, RetryIn: time.Hour}
		fail(1, false)
		if d := cmp.Diff([]relay.HeldRow{want}, held()); d != "" {
			t.Errorf("after a failure (-want +got): %s", d)
		}
		again, err := s.ReadAgain(t.Context(), snap, relay.Selection{Topic: "orders", Keys: []string{"k"}}, 0, seq, wide)
		must(t, err)
		if len(again.Rows) != 1 || again.Rows[0].RetryCount != 1 {
			t.Fatalf("the row is read again as %+v; want it once, with one failure", again.Rows)
		}

		fail(2, true)
		want.RetryCount, want.RetryIn, want.Dead = 2, 0, true
		if d := cmp.Diff([]relay.HeldRow{want}, held()); d != "" {
			t.Errorf("after its death (-want +got): %s", d)
		}
		next := newLog(t, pg)
		lease = lead(t, next)
		first := snapshot(t, next)
		if d := cmp.Diff([]int64{}, seqs(backlog(t, next, first, wide))); d != "" {
			t.Errorf("a dead row is read (-want +got): %s", d)
		}

		exec(t, pg.Pool, `UPDATE event_outbox_failed SET dead_at = NULL, next_attempt_at = now(), retry_count = 0 WHERE seq = $1`, seq)
		exec(t, pg.Pool, `INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, event_key)
			SELECT 'me', 'replay', seq, id, event_type, topic, event_key FROM event_outbox_failed WHERE seq = $1`, seq)
		decisions, err := next.Decisions(t.Context(), lease, nil)
		must(t, err)
		if len(decisions) != 1 || decisions[0].Seq != seq || decisions[0].Discarded {
			t.Fatalf("the decisions are %+v", decisions)
		}
		again, err = next.ReadAgain(t.Context(), first, relay.Selection{Topic: "orders", Keys: []string{"k"}}, 0, seq, wide)
		must(t, err)
		if d := cmp.Diff([]int64{seq}, seqs(again.Rows)); d != "" {
			t.Errorf("after the replay (-want +got): %s", d)
		}
		settle(t, next, lease, again.Rows)
		if n := ask[int](t, pg.Pool, `SELECT count(*) FROM event_outbox_failed`); n != 0 {
			t.Errorf("%d copies are left", n)
		}
		if n := ask[int](t, pg.Pool, `SELECT count(*) FROM event_outbox_late WHERE published_at IS NOT NULL AND seq = $1`, seq); n != 1 {
			t.Errorf("the row is %d times among those that were published late", n)
		}
	})
}

// A leader whose term is over moves no cursor.
func TestLogSettleUnderALostLease(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		seq := insert(t, pg.Pool, "k")
		rows := backlog(t, s, snapshot(t, s), wide)
		lead(t, newLog(t, pg))
		err := s.Settle(t.Context(), lease, relay.Settlement{Published: seqs(rows)})
		if !errors.Is(err, relay.ErrLeaseLost) {
			t.Errorf("Settle says %v; want that the lease is lost", err)
		}
		err = s.Settle(t.Context(), lease, relay.Settlement{Failed: []relay.Failure{{Seq: seq, Err: "bad", RetryCount: 1}}})
		if !errors.Is(err, relay.ErrLeaseLost) {
			t.Errorf("Settle of a failure says %v; want that the lease is lost", err)
		}
		if n := ask[int](t, pg.Pool, `SELECT max(n) + (SELECT count(*) FROM event_outbox_failed) FROM event_outbox_cursor`); n != 0 {
			t.Errorf("cursor and copies have changed: %d", n)
		}
	})
}

// A partition is dropped only when all of its rows are behind the cursor and none waits.
func TestLogPartitions(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		maintain := func() int {
			t.Helper()
			must(t, s.Maintain(t.Context(), lease, 0))
			return ask[int](t, pg.Pool, `SELECT count(*) FROM pg_inherits WHERE inhparent = 'event_outbox'::regclass`)
		}
		if n := maintain(); n != 9 {
			t.Errorf("%d partitions were made; want today, 7 days, and the one for other ids", n)
		}
		exec(t, pg.Pool, `CREATE TABLE event_outbox_d20200101 (LIKE event_outbox INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`)
		exec(t, pg.Pool, `DO $$ BEGIN EXECUTE format('ALTER TABLE event_outbox ATTACH PARTITION event_outbox_d20200101 FOR VALUES FROM (%L) TO (%L)',
			event_outbox_id_at('2020-01-01 00:00Z'), event_outbox_id_at('2020-01-02 00:00Z')); END $$`)
		seq := ask[int64](t, pg.Pool, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
			VALUES (event_outbox_id_at('2020-01-01 12:00Z'), 'a', 'order', 'order.paid.v1', 'orders', 'a', '{}') RETURNING seq`)
		if n := maintain(); n != 10 {
			t.Errorf("%d partitions are left with a row that is not settled; want 10", n)
		}
		snap := snapshot(t, s)
		rows := backlog(t, s, snap, wide)
		if d := cmp.Diff([]int64{seq}, seqs(rows)); d != "" {
			t.Errorf("the backlog (-want +got): %s", d)
		}
		open := begin(t, pg)
		exec(t, open, `SELECT count(*) FROM event_outbox`) // holds a lock
		settle(t, s, lease, rows)
		if n := maintain(); n != 10 {
			t.Errorf("%d partitions are left while a transaction reads them; want 10", n)
		}
		must(t, open.Rollback(t.Context()))
		if n := maintain(); n != 9 {
			t.Errorf("%d partitions are left when all is settled; want 9", n)
		}
	})
}

// A cursor of another cluster, and none at all, are refused.
func TestLogCursorOfAnotherDatabase(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		insert(t, pg.Pool, "k")
		settle(t, s, lease, backlog(t, s, snapshot(t, s), wide))
		must(t, s.Check(t.Context()))
		for _, change := range []string{
			`UPDATE event_outbox_cursor SET system = system + 1`,
			`UPDATE event_outbox_cursor SET database = database + 1`,
			`UPDATE event_outbox_cursor SET base = '9999999999:9999999999:'`,
			`DELETE FROM event_outbox_cursor`,
		} {
			tx := begin(t, pg)
			exec(t, tx, `CREATE TABLE kept AS SELECT * FROM event_outbox_cursor`)
			exec(t, tx, change)
			must(t, tx.Commit(t.Context()))
			var setup *relay.SetupError
			if err := newLog(t, pg).Check(t.Context()); !errors.As(err, &setup) || !strings.Contains(setup.Remedy, "adopt") {
				t.Errorf("%s: Check says %v", change, err)
			}
			exec(t, pg.Pool, `DELETE FROM event_outbox_cursor`)
			exec(t, pg.Pool, `INSERT INTO event_outbox_cursor SELECT * FROM kept`)
			exec(t, pg.Pool, `DROP TABLE kept`)
		}
	})
}

// An idle log notices an insert.
func TestLogIdle(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lead(t, s)
		snap := snapshot(t, s)
		backlog(t, s, snap, wide)
		moved := make(chan error, 1)
		go func() {
			found, err := s.Idle(t.Context(), snap, time.Minute)
			if err == nil && !found {
				err = errors.New("nothing was found")
			}
			moved <- err
		}()
		insert(t, pg.Pool, "k")
		must(t, <-moved)
	})
}

// A statement that writes the cursor may reach the server, or get on there, after a later one.
// Then it must change nothing: it would undo the later cursor, and note as waiting what is
// published since.
func TestLogALateWriteChangesNothing(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		insert(t, pg.Pool, "a")
		insert(t, pg.Pool, "b")
		snap := snapshot(t, s)
		rows := backlog(t, s, snap, wide)
		late := pgdb.WriteCursorParams{
			Name: "event_outbox", Epoch: lease.Epoch, Holder: lease.Holder, N: 1, Base: "3:3:", Ahead: []byte{},
			LateIds: []uuid.UUID{rows[0].ID}, LateSeqs: []int64{rows[0].Seq}, Settled: []int64{},
		}
		state := func() string {
			t.Helper()
			return ask[string](t, pg.Pool, `SELECT format('cursor %s %s, late %s', n, base, (SELECT count(*) FROM event_outbox_late)) FROM event_outbox_cursor ORDER BY n DESC LIMIT 1`)
		}
		settle(t, s, lease, rows)
		want := fmt.Sprintf("cursor 1 %s, late 0", snap)
		write := func(late pgdb.WriteCursorParams) {
			t.Helper()
			_, err := pgdb.New(pg.Pool).WriteCursor(t.Context(), late)
			must(t, err)
			if d := cmp.Diff(want, state()); d != "" {
				t.Errorf("after a write that comes late (-want +got): %s", d)
			}
		}
		write(late)

		// Its snapshot is from before the later one.
		held := begin(t, pg)
		exec(t, held, `SELECT FROM event_outbox_cursor FOR UPDATE`)
		late.N = 2
		ended := make(chan error, 1)
		go func() {
			row, err := pgdb.New(pg.Pool).WriteCursor(t.Context(), late)
			if err == nil && row.Replaced > 0 {
				err = errors.New("the write that comes late has replaced the cursor")
			}
			ended <- err
		}()
		waitFor(t, pg.Pool, `SELECT count(*) > 0 FROM pg_locks WHERE NOT granted`)
		later := late
		later.N, later.Base, later.LateIds, later.LateSeqs = 3, string(snap), []uuid.UUID{}, []int64{}
		_, err := pgdb.New(held).WriteCursor(t.Context(), later)
		must(t, err)
		must(t, held.Commit(t.Context()))
		must(t, <-ended)
		want = fmt.Sprintf("cursor 3 %s, late 0", snap)
		if d := cmp.Diff(want, state()); d != "" {
			t.Errorf("after a write that went on late (-want +got): %s", d)
		}
	})
}

// The store does not know what became of an attempt that it has given up, so the next one has
// another number. An attempt that was carried out meanwhile keeps it from writing once.
func TestLogEachAttemptHasItsNumber(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		insert(t, pg.Pool, "a")
		rows := backlog(t, s, snapshot(t, s), wide)
		held := begin(t, pg)
		exec(t, held, `SELECT FROM event_outbox_cursor FOR UPDATE`)
		ctx, giveUp := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		settling := relay.Settlement{Published: seqs(rows)}
		go func() { ended <- s.Settle(ctx, lease, settling) }()
		waitFor(t, pg.Pool, `SELECT count(*) > 0 FROM pg_locks WHERE NOT granted`)
		giveUp()
		if err := <-ended; err == nil {
			t.Error("a settlement that was given up succeeds")
		}
		must(t, held.Rollback(t.Context()))
		must(t, s.Settle(t.Context(), lease, settling))
		if n := ask[int](t, pg.Pool, `SELECT max(n) FROM event_outbox_cursor`); n != 2 {
			t.Errorf("the cursor is number %d; want 2", n)
		}
		exec(t, pg.Pool, `DELETE FROM event_outbox_cursor`)
		insert(t, pg.Pool, "b")
		if err := s.Settle(t.Context(), lease, settling); !errors.Is(err, relay.ErrLeaseLost) {
			t.Errorf("without a cursor Settle says %v; want that the term is over", err)
		}
	})
}

// A row that waits behind the cursor, and is deleted by hand, is forgotten by and by.
func TestLogADeletedRowThatWaits(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		for range 4 {
			insert(t, pg.Pool, "waits")
		}
		published := insert(t, pg.Pool, "a")
		backlog(t, s, snapshot(t, s), wide)
		must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{published}}))
		_, err := s.Tidy(t.Context(), lease, 4)
		must(t, err)
		exec(t, pg.Pool, `DELETE FROM event_outbox WHERE seq IN (1, 4)`)
		for range 3 {
			_, err := s.Sweep(t.Context(), lease, time.Hour, 2)
			must(t, err)
		}
		stats, err := s.Stats(t.Context())
		must(t, err)
		left := ask[string](t, pg.Pool, `SELECT string_agg(seq::text, ', ' ORDER BY seq) FROM event_outbox_late WHERE published_at IS NULL`)
		if left != "2, 3" || stats.Pending != 2 {
			t.Errorf("rows %s are left, and %d are pending; want 2 and 3", left, stats.Pending)
		}
	})
}

// The times of publication are kept as long as the oldest partition. The last one before the
// retention stays: it says which rows were published before.
func TestLogTicksAreKeptWithTheirPartition(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		exec(t, pg.Pool, `CREATE TABLE event_outbox_d20200101 (LIKE event_outbox INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`)
		exec(t, pg.Pool, `DO $$ BEGIN EXECUTE format('ALTER TABLE event_outbox ATTACH PARTITION event_outbox_d20200101 FOR VALUES FROM (%L) TO (%L)',
			event_outbox_id_at('2020-01-01 00:00Z'), event_outbox_id_at('2020-01-02 00:00Z')); END $$`)
		exec(t, pg.Pool, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
			VALUES (event_outbox_id_at('2020-01-01 12:00Z'), 'a', 'order', 'order.paid.v1', 'orders', 'a', '{}')`)
		exec(t, pg.Pool, `INSERT INTO event_outbox_tick (n, shown, below, published_at) VALUES (-3, '3:3:', '3', '2019-12-31 23:59Z'),
			(-2, '3:3:', '3', '2020-01-01 00:01Z'), (-1, '3:3:', '3', '2020-01-01 00:02Z'), (0, '3:3:', '3', now())`)
		ticks := func() string {
			t.Helper()
			_, err := s.Sweep(t.Context(), lease, time.Hour, 100)
			must(t, err)
			return ask[string](t, pg.Pool, `SELECT coalesce(string_agg(n::text, ', ' ORDER BY n), '') FROM event_outbox_tick`)
		}
		got := []string{ticks()}
		exec(t, pg.Pool, `DROP TABLE event_outbox_d20200101`)
		if d := cmp.Diff([]string{"-2, -1, 0", "-1, 0"}, append(got, ticks())); d != "" {
			t.Errorf("ticks, with the partition and without it (-want +got): %s", d)
		}
	})
}

// The relay may read rows again with the snapshot of a tick of which it has read no page yet.
// The rows of the tick are part of that, or later ones of their key would pass them.
func TestLogReadsATickAgainBeforeItIsRead(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lead(t, s)
		want := []int64{insert(t, pg.Pool, "k")}
		first := snapshot(t, s)
		backlog(t, s, first, wide)
		want = append(want, insert(t, pg.Pool, "k"))
		next := snapshot(t, s)
		again, err := s.ReadAgain(t.Context(), next, relay.Selection{Topic: "orders"}, 0, want[1], wide)
		must(t, err)
		got := [][]int64{seqs(again.Rows), seqs(tick(t, s, first, next, wide))}
		if d := cmp.Diff([][]int64{want, want[1:]}, got); d != "" {
			t.Errorf("read again, and in the tick (-want +got): %s", d)
		}
	})
}

// The answer with a page may be lost, and then it comes again, with all of its rows: none of them
// is set aside meanwhile, although the relay has not heard of them.
func TestLogAPageComesAgain(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		s.AsideRows(1)
		lead(t, s)
		var want []int64
		for range 4 {
			want = append(want, insert(t, pg.Pool, "k"))
		}
		snap := snapshot(t, s)
		for _, from := range []int64{0, 0, 2, 2} {
			page, err := s.ReadBacklog(t.Context(), snap, from, relay.Limit{Rows: 2, Bytes: 1 << 20})
			must(t, err)
			if d := cmp.Diff(want[from:from+2], seqs(page.Rows)); d != "" {
				t.Errorf("after row %d (-want +got): %s", from, d)
			}
		}
		if late := ask[int](t, pg.Pool, `SELECT count(*) FROM event_outbox_late`); late != 2 {
			t.Errorf("%d rows were set aside; want the 2 that the relay has received", late)
		}
	})
}
