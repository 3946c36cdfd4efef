package pgstore_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// insertOnce inserts an event as generated code does, and returns its seq; 0: its id is there.
func insertOnce(t *testing.T, pg *services.PG, id uuid.UUID, key string) int64 {
	t.Helper()
	return ask[int64](t, pg.Pool, `WITH inserted AS (
			INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
			VALUES ($1, 'a', 'order', 'order.paid.v1', 'orders', $2, '{}')
			ON CONFLICT (id) DO NOTHING
			RETURNING seq
		)
		SELECT coalesce((SELECT seq FROM inserted), 0)`, id, key)
}

// begins begins a term with another store, and returns what it reads first.
func begins(t *testing.T, pg *services.PG, change ...func(*pgstore.Config)) (s *pgstore.LogStore, lease relay.Lease, snap relay.Snapshot, read []relay.Row) {
	t.Helper()
	s = newLog(t, pg, change...)
	s.AsideRows(1)
	lease = lead(t, s)
	snap = snapshot(t, s)
	return s, lease, snap, backlog(t, s, snap, wide)
}

// A partition was dropped, so the ids of its events are forgotten, and one is inserted again. The
// new row waits or fails like any other, whatever became of the former one.
func TestLogAnIDIsInsertedAgain(t *testing.T) {
	failure := func(seq int64, dead bool) []relay.Failure {
		return []relay.Failure{{Seq: seq, Err: "bad", RetryCount: 1, RetryIn: time.Hour, Dead: dead}}
	}
	eachLog(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		for _, former := range []string{"dead", "late", "discarded"} {
			for _, now := range []string{"fails", "waits"} {
				t.Run(former+" "+now, func(t *testing.T) {
					exec(t, owner, `TRUNCATE event_outbox, event_outbox_failed, event_outbox_late`)
					exec(t, owner, oldDay)
					exec(t, owner, `DELETE FROM event_outbox`)
					id := ask[uuid.UUID](t, pg.Pool, `SELECT event_outbox_id_at('2020-01-01 12:00Z')`)
					first := insertOnce(t, pg, id, "k")
					other := insert(t, pg.Pool, "other")
					s, lease, snap, _ := begins(t, pg)
					switch former {
					case "late":
						must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{other}}))
						_, err := s.Tidy(t.Context(), lease, first)
						must(t, err)
						must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{first}}))
					case "dead", "discarded":
						must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{other}, Failed: failure(first, true)}))
					}
					if former == "discarded" {
						exec(t, owner, `WITH gone AS (DELETE FROM event_outbox_failed RETURNING *) INSERT INTO event_outbox_late (id, tx, seq, topic, event_key, published_at, discarded)
							SELECT id, tx, seq, topic, event_key, now(), true FROM gone`)
					}
					if again := insertOnce(t, pg, id, "k"); again != 0 {
						t.Fatalf("the id is inserted again, with seq %d, while its row is there", again)
					}
					must(t, s.Maintain(t.Context(), lease, 0))
					second := insertOnce(t, pg, id, "k")
					if second == 0 {
						t.Fatal("the id is not forgotten with its partition")
					}

					beside := insert(t, pg.Pool, "other")
					tick(t, s, snap, snapshot(t, s), wide)
					settlement := relay.Settlement{Published: []int64{beside}}
					if now == "fails" {
						settlement.Failed = failure(second, false)
					}
					must(t, s.Settle(t.Context(), lease, settlement))
					_, err := s.Tidy(t.Context(), lease, second)
					must(t, err)
					s, lease, _, read := begins(t, pg)
					if d := cmp.Diff([]int64{second}, seqs(read)); d != "" {
						t.Errorf("the next term reads (-want +got): %s", d)
					}
					state := ask[string](t, pg.Pool, `SELECT state FROM event_outbox_history WHERE id = $1`, id)
					if want := map[string]string{"fails": "failed", "waits": "waiting"}[now]; state != want {
						t.Errorf("the new row is %s; want %s", state, want)
					}
					settle(t, s, lease, read)
					if state := ask[string](t, pg.Pool, `SELECT state FROM event_outbox_history WHERE id = $1`, id); state != "published" {
						t.Errorf("in the end the new row is %s", state)
					}
					dead := ask[int](t, pg.Pool, `SELECT count(*) FROM event_outbox_failed WHERE dead_at IS NOT NULL AND seq = $1`, first)
					if want := map[string]int{"dead": 1}[former]; dead != want {
						t.Errorf("%d copies of the former row are left; want %d", dead, want)
					}
				})
			}
		}
	})
}

// A dead event that is in no partition of a day keeps its row, so that inserting its id again does
// nothing. When the event is discarded, the row is swept.
func TestLogSweepSparesRowsOfCopies(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		id := uuid.New()
		seq := insertOnce(t, pg, id, "k")
		exec(t, pg.Pool, `UPDATE event_outbox SET created_at = created_at - interval '2 hours'`)
		s, lease, snap, _ := begins(t, pg)
		must(t, s.Settle(t.Context(), lease, relay.Settlement{Failed: []relay.Failure{{Seq: seq, Err: "bad", RetryCount: 1, Dead: true}}}))
		swept := func() (n int) {
			t.Helper()
			for range 2 {
				exec(t, pg.Pool, publishedLongAgo)
				insert(t, pg.Pool, "other")
				next := snapshot(t, s)
				settle(t, s, lease, tick(t, s, snap, next, wide))
				_, err := s.Tidy(t.Context(), lease, 0)
				must(t, err)
				snap = next
			}
			exec(t, pg.Pool, publishedLongAgo)
			n, err := s.Sweep(t.Context(), lease, time.Hour, 100)
			must(t, err)
			return n
		}
		if n := swept(); n != 0 {
			t.Fatalf("%d rows are swept; want none while one is dead", n)
		}
		if again := insertOnce(t, pg, id, "k"); again != 0 {
			t.Errorf("the id is inserted again, with seq %d", again)
		}
		exec(t, pg.Pool, `DELETE FROM event_outbox_failed`)
		// Rows stay as long as a transaction is open anywhere in the cluster that may be older.
		for swept() == 0 {
			continue
		}
		if again := insertOnce(t, pg, id, "k"); again == 0 {
			t.Error("the id is still known")
		}
	})
}

// A row that waits behind the cursor is deleted by hand, and its id is inserted again: the new row
// is read, once.
func TestLogAnIDOfADeletedRowIsInsertedAgain(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		id := uuid.New()
		waits, published := insertOnce(t, pg, id, "k"), insert(t, pg.Pool, "a")
		s, lease, _, _ := begins(t, pg)
		must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{published}}))
		_, err := s.Tidy(t.Context(), lease, waits)
		must(t, err)
		exec(t, pg.Pool, `DELETE FROM event_outbox WHERE id = $1`, id)
		again := insertOnce(t, pg, id, "k")
		s, lease, _, read := begins(t, pg)
		if d := cmp.Diff([]int64{again}, seqs(read)); d != "" {
			t.Errorf("the next term reads (-want +got): %s", d)
		}
		_, err = s.Sweep(t.Context(), lease, time.Hour, 10)
		must(t, err)
		if n := ask[int](t, pg.Pool, `SELECT count(*) FROM event_outbox_late`); n != 0 {
			t.Errorf("%d rows wait that are gone", n)
		}
	})
}

// The sequence is replaced. What failed, is dead or discarded, or was set aside, is what its entry says,
// and keeps its number. What was published ahead of the cursor's place may be sent again.
func TestLogEntriesCountAfterTheSequenceIsReplaced(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		var all []int64
		for _, key := range []string{"first", "published", "failed", "dead", "discarded", "aside", "late", "new"} {
			all = append(all, insert(t, pg.Pool, key))
		}
		first, published, failed, dead, discarded, aside, late := all[0], all[1], all[2], all[3], all[4], all[5], all[6]
		s, lease, _, _ := begins(t, pg)
		must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{published}, Failed: []relay.Failure{
			{Seq: failed, Err: "bad", RetryCount: 1, RetryIn: time.Hour},
			{Seq: dead, Err: "bad", RetryCount: 1, Dead: true},
			{Seq: discarded, Err: "bad", RetryCount: 1, Dead: true},
		}}))
		exec(t, pg.Pool, `WITH gone AS (DELETE FROM event_outbox_failed WHERE seq = $1 RETURNING *) INSERT INTO event_outbox_late (id, tx, seq, topic, event_key, published_at, discarded)
			SELECT id, tx, seq, topic, event_key, now(), true FROM gone`, discarded)
		_, err := s.Tidy(t.Context(), lease, late)
		must(t, err)
		must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{late, first}}))
		exec(t, pg.Pool, `ALTER SEQUENCE event_outbox_seq_seq RESTART WITH 100`)
		insert(t, pg.Pool, "after")

		want := []string{"failed", "aside", "new", "after"}
		for _, limit := range []relay.Limit{wide, {Rows: 1, Bytes: 1 << 20}, {Rows: 3, Bytes: 1 << 20}} {
			next := newLog(t, pg)
			lead(t, next)
			snap := snapshot(t, next)
			again, err := next.ReadAgain(t.Context(), snap, relay.Selection{Topic: "orders"}, 0, 200, wide)
			must(t, err)
			rows := backlog(t, next, snap, limit)
			if d := cmp.Diff([][]string{want, want}, [][]string{keys(again.Rows), keys(rows)}); d != "" {
				t.Errorf("read again, and by the next term in pages of %d (-want +got): %s", limit.Rows, d)
			}
			for _, r := range append(rows, again.Rows...) {
				if wrong := r.RetryCount != 0; wrong != (r.Seq == failed) || *r.Key == "aside" && r.Seq != aside {
					t.Errorf("row %d is read with %d failures", r.Seq, r.RetryCount)
				}
			}
		}
		s, lease, _, rows := begins(t, pg)
		settle(t, s, lease, rows)
		_, _, _, rows = begins(t, pg)
		if d := cmp.Diff([]int64{}, seqs(rows)); d != "" {
			t.Errorf("after all were settled (-want +got): %s", d)
		}
		states := ask[string](t, pg.Pool, `SELECT string_agg(event_key || ' ' || state, ', ' ORDER BY seq) FROM event_outbox_history`)
		if d := cmp.Diff("first published, published published, failed published, dead dead, discarded discarded, aside published, late published, new published, after published", states); d != "" {
			t.Errorf("in the end (-want +got): %s", d)
		}
	})
}

// The sequence was set back, so a new row has the number of one that is published. If the new one
// fails, that one is not sent again in its place.
func TestLogARowFailsThatHasTheNumberOfAnother(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		for range 4 {
			insert(t, pg.Pool, "published")
		}
		s, lease, _, rows := begins(t, pg)
		settle(t, s, lease, rows)
		exec(t, pg.Pool, `SELECT setval('event_outbox_seq_seq', 3)`)
		seq := insert(t, pg.Pool, "fails")
		exec(t, pg.Pool, `SELECT setval('event_outbox_seq_seq', 10)`) // and nobody has noticed
		exec(t, pg.Pool, `UPDATE event_outbox_cursor SET floor = 0`)
		s, lease, _, _ = begins(t, pg)
		must(t, s.Settle(t.Context(), lease, relay.Settlement{Failed: []relay.Failure{{Seq: seq, Err: "bad", RetryCount: 1, RetryIn: time.Hour}}}))
		_, _, _, rows = begins(t, pg)
		if d := cmp.Diff([]string{"fails"}, keys(rows)); d != "" {
			t.Errorf("the next term reads (-want +got): %s", d)
		}
	})
}

// The retention counts from the publication of an event: one that waited for long, or was inserted
// with an old id, is kept as long as any other.
func TestLogKeepsEventsAfterTheirPublication(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		exec(t, pg.Pool, oldDay) // seq 1
		waits := insert(t, pg.Pool, "waits")
		exec(t, pg.Pool, `UPDATE event_outbox SET id = event_outbox_id_at('2020-01-01 13:00Z') WHERE seq = $1`, waits)
		insertOnce(t, pg, uuid.New(), "other")
		exec(t, pg.Pool, `UPDATE event_outbox SET created_at = '2020-01-01 12:00Z'`)
		s, lease, snap, rows := begins(t, pg)
		settle(t, s, lease, []relay.Row{rows[0], rows[2]})
		_, err := s.Tidy(t.Context(), lease, waits)
		must(t, err)
		left := func() int {
			t.Helper()
			must(t, s.Maintain(t.Context(), lease, time.Hour))
			return ask[int](t, pg.Pool, `SELECT count(*) FROM event_outbox WHERE seq <= 2`)
		}
		sweep := func() int {
			t.Helper()
			n, err := s.Sweep(t.Context(), lease, time.Hour, 100)
			must(t, err)
			return n
		}
		got := []int{left(), sweep()} // published just now
		if d := cmp.Diff([]int{2, 0}, got); d != "" {
			t.Fatalf("at first old events are left, and swept (-want +got): %s", d)
		}
		exec(t, pg.Pool, publishedLongAgo)
		got = append(got, left()) // one waits
		settle(t, s, lease, rows[1:2])
		// Rows stay as long as a transaction is open anywhere in the cluster that may be older.
		for swept := 0; swept == 0; swept = sweep() {
			insert(t, pg.Pool, "new")
			next := snapshot(t, s)
			settle(t, s, lease, tick(t, s, snap, next, wide))
			_, err := s.Tidy(t.Context(), lease, 0)
			must(t, err)
			snap = next
			exec(t, pg.Pool, `UPDATE event_outbox_tick SET published_at = published_at - interval '2 hours' WHERE published_at > now() - interval '1 hour'`)
		}
		got = append(got, left()) // the one that waited was published just now
		exec(t, pg.Pool, publishedLongAgo)
		got = append(got, left())
		if d := cmp.Diff([]int{2, 0, 2, 2, 0}, got); d != "" {
			t.Errorf("old events that are left, swept, and left (-want +got): %s", d)
		}
	})
}

// A transaction that was open for long has a lower id than others that were published long ago. Its
// event is kept from its own publication on.
func TestLogKeepsEventsOfLongTransactions(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		const again = `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
			VALUES (event_outbox_id_at('2020-01-01 13:00Z'), 'b', 'order', 'order.paid.v1', 'orders', 'b', '{}')`
		exec(t, pg.Pool, oldDay)
		exec(t, pg.Pool, `DELETE FROM event_outbox`)
		open := begin(t, pg)
		exec(t, open, again)
		exec(t, pg.Pool, strings.Replace(again, "13:00", "14:00", 1))
		s, lease, snap, rows := begins(t, pg)
		settle(t, s, lease, rows)
		_, err := s.Tidy(t.Context(), lease, 0)
		must(t, err)
		exec(t, pg.Pool, publishedLongAgo)
		must(t, open.Commit(t.Context()))
		next := snapshot(t, s)
		late := tick(t, s, snap, next, wide)
		settle(t, s, lease, late)
		_, err = s.Tidy(t.Context(), lease, 0)
		must(t, err)
		left := func() int {
			t.Helper()
			must(t, s.Maintain(t.Context(), lease, time.Hour))
			return ask[int](t, pg.Pool, `SELECT count(*) FROM event_outbox`)
		}
		got := []int{len(rows), len(late), left()}
		exec(t, pg.Pool, publishedLongAgo)
		got = append(got, left())
		if d := cmp.Diff([]int{1, 1, 2, 0}, got); d != "" {
			t.Errorf("events of the first term, of the long transaction, and those that are left (-want +got): %s", d)
		}
	})
}

// The first failure makes a row dead, the leader does not learn that it is recorded, and an operator
// discards the row. The leader records the failure again: the row stays discarded.
func TestLogADiscardedRowStaysDiscarded(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		seq := insert(t, pg.Pool, "k")
		s, lease, _, _ := begins(t, pg)
		failure := relay.Settlement{Failed: []relay.Failure{{Seq: seq, Err: "bad", RetryCount: 1, Dead: true}}}
		must(t, s.Settle(t.Context(), lease, failure))
		exec(t, pg.Pool, `WITH gone AS (DELETE FROM event_outbox_failed RETURNING *) INSERT INTO event_outbox_late (id, tx, seq, topic, event_key, published_at, discarded)
			SELECT id, tx, seq, topic, event_key, now(), true FROM gone`)
		must(t, s.Settle(t.Context(), lease, failure))
		if state := ask[string](t, pg.Pool, `SELECT state FROM event_outbox_history`); state != "discarded" {
			t.Errorf("the row is %s", state)
		}
	})
}

// A row that failed is sent again before it is read in its turn: by the next term, while that has not
// read its backlog, or after it was read out of its turn. It is not taken for another row of its number.
func TestLogACopyIsSentBeforeItsRowIsRead(t *testing.T) {
	orders := relay.Selection{Topic: "orders"}
	failed := func(seq int64, dead bool) relay.Settlement {
		return relay.Settlement{Failed: []relay.Failure{{Seq: seq, Err: "bad", RetryCount: 1, Dead: dead}}}
	}
	for name, fails := range map[string]func(t *testing.T, pg *services.PG, use func(*pgstore.Config)) (*pgstore.LogStore, relay.Lease, relay.Snapshot){
		"in the next term": func(t *testing.T, pg *services.PG, use func(*pgstore.Config)) (*pgstore.LogStore, relay.Lease, relay.Snapshot) {
			s, lease, _, _ := begins(t, pg, use)
			must(t, s.Settle(t.Context(), lease, failed(2, false)))
			s = newLog(t, pg, use)
			lease = lead(t, s)
			return s, lease, snapshot(t, s)
		},
		"after an operator has replayed it": func(t *testing.T, pg *services.PG, use func(*pgstore.Config)) (*pgstore.LogStore, relay.Lease, relay.Snapshot) {
			s, lease, _, _ := begins(t, pg, use)
			must(t, s.Settle(t.Context(), lease, failed(2, true)))
			s = newLog(t, pg, use)
			lease = lead(t, s)
			snap := snapshot(t, s)
			exec(t, pg.Pool, `UPDATE event_outbox_failed SET dead_at = NULL`)
			return s, lease, snap
		},
		"after it was read out of its turn": func(t *testing.T, pg *services.PG, use func(*pgstore.Config)) (*pgstore.LogStore, relay.Lease, relay.Snapshot) {
			s := newLog(t, pg, use)
			lease := lead(t, s)
			snap := snapshot(t, s)
			page, err := s.ReadAgain(t.Context(), snap, orders, 1, 3, wide)
			must(t, err)
			if d := cmp.Diff([]string{"b", "c"}, keys(page.Rows)); d != "" {
				t.Fatalf("read out of turn (-want +got): %s", d)
			}
			must(t, s.Settle(t.Context(), lease, failed(2, false)))
			must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{3}}))
			return s, lease, snap
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachLog(t, func(t *testing.T, pg *services.PG) {
				insertAll(t, pg, "a", "b", "c")
				var repairs repairCount
				s, lease, snap := fails(t, pg, repairs.use)
				page, err := s.ReadAgain(t.Context(), snap, orders, 1, 2, wide)
				must(t, err)
				if d := cmp.Diff([]string{"b"}, keys(page.Rows)); d != "" {
					t.Fatalf("the copy is read (-want +got): %s", d)
				}
				must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{2}}))
				read := keys(backlog(t, s, snap, wide))
				if !slices.Contains(read, "a") || slices.Contains(read, "b") {
					t.Errorf("the backlog is %q", read)
				}
				repairs.want(t, 0)
			})
		})
	}
}
