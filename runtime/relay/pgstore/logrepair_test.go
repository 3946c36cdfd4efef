package pgstore_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// drained reads what is not settled, in pages, and settles each page. When a term ends, the next one
// does the same. It returns the keys of what was read.
func drained(t *testing.T, pg *services.PG, limit relay.Limit) (read []string) {
	t.Helper()
terms:
	for range 5 {
		s := newLog(t, pg)
		lease := lead(t, s)
		snap, err := s.Snapshot(t.Context())
		for after, more := int64(0), true; more && err == nil; {
			var page relay.Page
			if page, err = s.ReadBacklog(t.Context(), snap, after, limit); err != nil {
				break
			}
			read = append(read, keys(page.Rows)...)
			if len(page.Rows) > 0 {
				after = page.Rows[len(page.Rows)-1].Seq
			}
			if more = page.More; more {
				after = max(after, page.End)
			}
			err = s.Settle(t.Context(), lease, relay.Settlement{Published: seqs(page.Rows)})
		}
		switch {
		case errors.Is(err, relay.ErrLeaseLost):
			continue terms
		case err != nil:
			t.Fatal(err)
		}
		if highest, standing := ask[int64](t, pg.Pool, `SELECT max(seq) FROM event_outbox`), ask[int64](t, pg.Pool, `SELECT last_value FROM event_outbox_seq_seq`); standing < highest {
			t.Errorf("in the end the sequence stands at %d, below %d", standing, highest)
		}
		return read
	}
	t.Fatal("no term reads all")
	return nil
}

func setval(t *testing.T, pg *services.PG, to int64) {
	t.Helper()
	exec(t, pg.Pool, `SELECT setval('event_outbox_seq_seq', $1)`, to)
}

func insertAll(t *testing.T, pg *services.PG, keys ...string) (seqs []int64) {
	t.Helper()
	for _, k := range keys {
		seqs = append(seqs, insert(t, pg.Pool, k))
	}
	return seqs
}

// ends wants the term to be over.
func ends(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, relay.ErrLeaseLost) {
		t.Errorf("the store says %v; want that the term is over", err)
	}
}

// The sequence is set back while events are not published, in each way that a relay can notice. No
// event is lost, each is sent after those that were inserted before it, and what waits, failed or is
// dead keeps its entry.
func TestLogNumbersComeAgain(t *testing.T) {
	failed := func(seq int64) relay.Settlement {
		return relay.Settlement{Failed: []relay.Failure{{Seq: seq, Err: "bad", RetryCount: 1, RetryIn: time.Hour}}}
	}
	for name, c := range map[string]struct {
		play func(t *testing.T, pg *services.PG)
		want []string
	}{
		"between a look at the floor and a snapshot": {func(t *testing.T, pg *services.PG) {
			insertAll(t, pg, "a", "b")
			s, lease, _, rows := begins(t, pg)
			settle(t, s, lease, rows)
			setval(t, pg, 10) // numbers of transactions that were rolled back
			_, err := s.Tidy(t.Context(), lease, 0)
			must(t, err)
			setval(t, pg, 2)
			insertAll(t, pg, "c", "d")
			_, err = s.Snapshot(t.Context())
			ends(t, err)
		}, []string{"c", "d"}},
		"to above the last place that was read, but below a row": {func(t *testing.T, pg *services.PG) {
			insertAll(t, pg, "a")
			s, lease, _, rows := begins(t, pg)
			settle(t, s, lease, rows)
			open := begin(t, pg)
			insert(t, open, "x")
			must(t, open.Rollback(t.Context()))
			insertAll(t, pg, "b", "c")
			setval(t, pg, 1)
			insertAll(t, pg, "d")
			_, err := s.Snapshot(t.Context())
			ends(t, err)
		}, []string{"b", "c", "d"}},
		"and the floor is to move": {func(t *testing.T, pg *services.PG) {
			insertAll(t, pg, "a", "b", "c")
			s, lease, _, rows := begins(t, pg)
			settle(t, s, lease, rows)
			setval(t, pg, 1)
			insertAll(t, pg, "d")
			_, err := s.Tidy(t.Context(), lease, 0)
			ends(t, err)
		}, []string{"d"}},
		"and the floor is passed again before a small tick": {func(t *testing.T, pg *services.PG) {
			insertAll(t, pg, "a", "b", "c", "d")
			s, lease, snap, rows := begins(t, pg)
			settle(t, s, lease, rows)
			_, err := s.Tidy(t.Context(), lease, 0)
			must(t, err)
			middle := snapshot(t, s)
			tick(t, s, snap, middle, wide)
			setval(t, pg, 2)
			insertAll(t, pg, "e", "f", "g")
			next := snapshot(t, s)
			_, err = s.ReadTick(t.Context(), middle, next, 0, wide)
			ends(t, err)
		}, []string{"e", "f", "g"}},
		"and the floor is passed again before a large tick": {func(t *testing.T, pg *services.PG) {
			insertAll(t, pg, "a", "b", "c", "d")
			s, lease, snap, rows := begins(t, pg)
			settle(t, s, lease, rows)
			_, err := s.Tidy(t.Context(), lease, 0)
			must(t, err)
			middle := snapshot(t, s)
			tick(t, s, snap, middle, wide)
			setval(t, pg, 2)
			insertAll(t, pg, "e")
			setval(t, pg, 1_000_000)
			insertAll(t, pg, "f")
			next := snapshot(t, s)
			_, err = s.ReadTick(t.Context(), middle, next, 0, wide)
			ends(t, err)
		}, []string{"e", "f"}},
		"and a copy has the number of a row that fails": {func(t *testing.T, pg *services.PG) {
			insertAll(t, pg, "a", "b")
			s := newLog(t, pg)
			lease := lead(t, s)
			backlog(t, s, snapshot(t, s), wide)
			exec(t, pg.Pool, `INSERT INTO event_outbox_failed (id, aggregate_id, aggregate_type, event_type, created_at, tx, seq, topic, event_key, headers, dead_at)
				VALUES (gen_random_uuid(), 'a', 'a', 't', now(), '3', 2, 'orders', 'k', '[]', now())`)
			ends(t, s.Settle(t.Context(), lease, failed(2)))
		}, []string{"a", "b"}},
		"and the floor is passed again before a term begins": {func(t *testing.T, pg *services.PG) {
			insertAll(t, pg, "a", "b", "c", "d")
			s, lease, snap, rows := begins(t, pg)
			settle(t, s, lease, rows)
			_, err := s.Tidy(t.Context(), lease, 0)
			must(t, err)
			insertAll(t, pg, "e")
			settle(t, s, lease, tick(t, s, snap, snapshot(t, s), wide))
			setval(t, pg, 2)
			insertAll(t, pg, "f", "g", "h", "i", "j")
		}, []string{"f", "g", "h", "i", "j"}},
		"and two rows of one number are in a page": {func(t *testing.T, pg *services.PG) {
			insertAll(t, pg, "a", "b", "c")
			setval(t, pg, 1)
			insertAll(t, pg, "d", "e", "f")
		}, []string{"a", "b", "c", "d", "e", "f"}},
		"and a free number is used before one comes again": {func(t *testing.T, pg *services.PG) {
			insertAll(t, pg, "a")
			open := begin(t, pg)
			insert(t, open, "x")
			must(t, open.Rollback(t.Context()))
			insertAll(t, pg, "b", "c")
			setval(t, pg, 1)
			insertAll(t, pg, "d", "e")
		}, []string{"a", "b", "c", "d", "e"}},
		"and a snapshot shows later rows, without the first one": {func(t *testing.T, pg *services.PG) {
			insertAll(t, pg, "a", "b", "c", "d")
			setval(t, pg, 1)
			open := begin(t, pg)
			insert(t, open, "e")
			insertAll(t, pg, "f", "g")
			s := newLog(t, pg)
			lead(t, s)
			snap := snapshot(t, s)
			must(t, open.Commit(t.Context()))
			_, err := s.ReadBacklog(t.Context(), snap, 0, wide)
			ends(t, err)
		}, []string{"a", "b", "c", "d", "e", "f", "g"}},
		"and an earlier row is in the window": {func(t *testing.T, pg *services.PG) {
			insertAll(t, pg, "a", "b", "c")
			s := newLog(t, pg)
			lead(t, s)
			snap := snapshot(t, s)
			backlog(t, s, snap, wide)
			setval(t, pg, 1)
			insertAll(t, pg, "d", "e", "f")
			next := snapshot(t, s)
			_, err := s.ReadTick(t.Context(), snap, next, 0, wide)
			ends(t, err)
		}, []string{"a", "b", "c", "d", "e", "f"}},
		"and an earlier row is in the window of a cursor that was written": {func(t *testing.T, pg *services.PG) {
			insertAll(t, pg, "x", "a", "b", "c")
			s, lease, snap, _ := begins(t, pg)
			must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{1}}))
			setval(t, pg, 1)
			insertAll(t, pg, "d", "e", "f")
			next := snapshot(t, s)
			_, err := s.ReadTick(t.Context(), snap, next, 0, wide)
			ends(t, err)
		}, []string{"a", "b", "c", "d", "e", "f"}},
		"and the earlier row and another one are settled before the page is read": {func(t *testing.T, pg *services.PG) {
			insertAll(t, pg, "a", "b")
			s, lease, snap, _ := begins(t, pg)
			setval(t, pg, 1)
			insertAll(t, pg, "c", "d") // c has the number of b
			next := snapshot(t, s)
			must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{2}}))
			must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{1}}))
			_, err := s.ReadTick(t.Context(), snap, next, 0, wide) // the relay would take c for b
			ends(t, err)
		}, []string{"c", "d"}},
		"and an earlier row failed": {func(t *testing.T, pg *services.PG) {
			insertAll(t, pg, "a", "b")
			s, lease, snap, _ := begins(t, pg)
			must(t, s.Settle(t.Context(), lease, failed(2)))
			must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{1}}))
			setval(t, pg, 1)
			insertAll(t, pg, "c", "d")
			next := snapshot(t, s)
			_, err := s.ReadTick(t.Context(), snap, next, 0, wide)
			ends(t, err)
		}, []string{"b", "c", "d"}},
		"and an earlier row is dead": {func(t *testing.T, pg *services.PG) {
			insertAll(t, pg, "a", "b")
			s, lease, snap, _ := begins(t, pg)
			must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{1}, Failed: []relay.Failure{{Seq: 2, Err: "bad", RetryCount: 1, Dead: true}}}))
			setval(t, pg, 1)
			insertAll(t, pg, "c", "d")
			next := snapshot(t, s)
			_, err := s.ReadTick(t.Context(), snap, next, 0, wide)
			ends(t, err)
		}, []string{"c", "d"}},
		"and an earlier row was set aside": {func(t *testing.T, pg *services.PG) {
			insertAll(t, pg, "x", "a", "b")
			s, lease, snap, _ := begins(t, pg)
			must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{1, 3}}))
			_, err := s.Tidy(t.Context(), lease, 2)
			must(t, err)
			setval(t, pg, 1)
			insertAll(t, pg, "c", "d", "e")
			next := snapshot(t, s)
			_, err = s.ReadTick(t.Context(), snap, next, 0, wide)
			ends(t, err)
		}, []string{"a", "c", "d", "e"}},
		"and the same rows are inserted again": {func(t *testing.T, pg *services.PG) {
			again := func() {
				for n := range 3 {
					insertOnce(t, pg, uuid.UUID{15: byte(n + 1)}, string(rune('a'+n)))
				}
			}
			again()
			s, lease, _, _ := begins(t, pg)
			must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{3}, Failed: []relay.Failure{
				{Seq: 1, Err: "bad", RetryCount: 1, Dead: true}, {Seq: 2, Err: "bad", RetryCount: 1, Dead: true},
			}}))
			exec(t, pg.Pool, `WITH gone AS (DELETE FROM event_outbox_failed WHERE seq = 1 RETURNING *) INSERT INTO event_outbox_late (id, tx, seq, topic, event_key, published_at, discarded)
				SELECT id, tx, seq, topic, event_key, now(), true FROM gone`)
			exec(t, pg.Connect(t.Context()), `TRUNCATE event_outbox RESTART IDENTITY`)
			again()
			_, err := s.Snapshot(t.Context())
			ends(t, err)
		}, []string{"a", "b", "c"}},
		"to below events of the cursor's snapshot, and passes some of them again": {func(t *testing.T, pg *services.PG) {
			insertAll(t, pg, "x", "a", "b", "c", "d")
			s, lease, _, _ := begins(t, pg)
			must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{1}}))
			insertAll(t, pg, "e", "f", "g") // 6 to 8
			setval(t, pg, 2)
			insertAll(t, pg, "h", "i", "j", "k") // 3 to 6
			_, err := s.Snapshot(t.Context())
			ends(t, err) // it stands below g
		}, []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}},
	} {
		for _, limit := range []relay.Limit{wide, {Rows: 1, Bytes: 1 << 20}} {
			t.Run(name, func(t *testing.T) {
				eachLog(t, func(t *testing.T, pg *services.PG) {
					c.play(t, pg)
					if d := cmp.Diff(c.want, drained(t, pg, limit)); d != "" {
						t.Errorf("in pages of %d rows, the next terms read (-want +got): %s", limit.Rows, d)
					}
					if d := cmp.Diff([]string(nil), drained(t, pg, limit)); d != "" {
						t.Errorf("and then (-want +got): %s", d)
					}
				})
			})
		}
	}
}

// A repair changes only the numbers of new rows, if those of former ones are still theirs alone.
func TestLogRepairKeepsNumbers(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		exec(t, pg.Pool, `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
			SELECT 'a', 'order', 'order.paid.v1', 'orders', 'old' || n, '{}' FROM generate_series(1, 300) AS n`)
		s, lease, _, rows := begins(t, pg)
		var published []int64
		for i := range rows {
			if i < 10 || i%7 == 0 {
				published = append(published, rows[i].Seq)
			}
		}
		failures := []relay.Failure{{Seq: 100, Err: "bad", RetryCount: 1, Dead: true}, {Seq: 300, Err: "bad", RetryCount: 1, RetryIn: time.Hour}}
		published = slices.DeleteFunc(published, func(seq int64) bool { return seq == 100 || seq == 300 })
		must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: published, Failed: failures}))
		setval(t, pg, 5)
		insertAll(t, pg, "new1", "new2")
		_, err := s.Snapshot(t.Context())
		ends(t, err)
		_, _, _, rows = begins(t, pg)
		var want []int64
		for seq := int64(11); seq <= 302; seq++ {
			if seq != 100 && !slices.Contains(published, seq) {
				want = append(want, seq)
			}
		}
		if d := cmp.Diff(want, seqs(rows)); d != "" {
			t.Errorf("the next term reads (-want +got): %s", d)
		}
	})
}

// What was settled before the sequence was replaced does not count as pending afterwards, and events
// with entries count once.
func TestLogStatsAfterARepair(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		insertAll(t, pg, "published", "failed", "late", "published")
		s, lease, _, _ := begins(t, pg)
		must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{1, 4}, Failed: []relay.Failure{{Seq: 2, Err: "bad", RetryCount: 1, RetryIn: time.Hour}}}))
		_, err := s.Tidy(t.Context(), lease, 3)
		must(t, err)
		exec(t, pg.Pool, `ALTER SEQUENCE event_outbox_seq_seq RESTART`)
		insertAll(t, pg, "new")
		s, _, _, _ = begins(t, pg)
		stats, err := s.Stats(t.Context())
		must(t, err)
		if d := cmp.Diff([]int64{3, 1, 5}, []int64{stats.Pending, stats.Held, stats.LastSeq}); d != "" {
			t.Errorf("pending and held events, and the last number (-want +got): %s", d)
		}
	})
}

// A settlement that was under way when the numbers were repaired is not carried out.
func TestLogNothingIsSettledByFormerNumbers(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		insertAll(t, pg, "a", "b", "c")
		s, lease, _, _ := begins(t, pg)
		setval(t, pg, 1)
		insertAll(t, pg, "d")
		_, err := s.Snapshot(t.Context())
		ends(t, err)
		ends(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{1, 2, 3}}))
		if d := cmp.Diff([]string{"a", "b", "c", "d"}, drained(t, pg, wide)); d != "" {
			t.Errorf("the next terms read (-want +got): %s", d)
		}
	})
}

// A repair that fails changes nothing, not even the sequence, so the next one sees what this one saw.
func TestLogRepairIsRolledBack(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		insertAll(t, pg, "a", "b", "c", "d")
		s, lease, _, rows := begins(t, pg)
		settle(t, s, lease, rows[:1])
		setval(t, pg, 1)
		insertAll(t, pg, "e")
		exec(t, pg.Pool, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'query_canceled'; END $$;
			CREATE TRIGGER refuse BEFORE UPDATE ON event_outbox FOR EACH ROW EXECUTE FUNCTION refuse()`)
		_, err := s.Snapshot(t.Context())
		if err == nil || errors.Is(err, relay.ErrLeaseLost) || !strings.Contains(err.Error(), "57014") {
			t.Errorf("the store says %v; want that the statement was canceled", err)
		}
		if standing := ask[int64](t, pg.Pool, `SELECT last_value FROM event_outbox_seq_seq`); standing != 2 {
			t.Errorf("the sequence stands at %d; want that it stays at 2", standing)
		}
		exec(t, pg.Pool, `DROP FUNCTION refuse CASCADE`)
		for err != nil && !errors.Is(err, relay.ErrLeaseLost) { // the store tries again after a pause
			err = s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{4}})
		}
		ends(t, err)
		if seq := ask[int64](t, pg.Pool, `SELECT seq FROM event_outbox WHERE event_key = 'e'`); seq <= 4 {
			t.Errorf("when the term is over, the new event has number %d still", seq)
		}
		if d := cmp.Diff([]string{"b", "c", "e"}, drained(t, pg, wide)); d != "" {
			t.Errorf("the next terms read (-want +got): %s", d)
		}
	})
}

// The sequence gets another file, and no number comes again. All rows keep theirs, and the sequence too.
func TestLogRepairWithoutNeed(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		insertAll(t, pg, "a")
		s, lease, snap, rows := begins(t, pg)
		settle(t, s, lease, rows)
		open := begin(t, pg)
		insert(t, open, "b")
		insertAll(t, pg, "c", "d")
		next := snapshot(t, s)
		settle(t, s, lease, tick(t, s, snap, next, wide)[:1])
		must(t, open.Commit(t.Context()))
		exec(t, pg.Connect(t.Context()), `ALTER SEQUENCE event_outbox_seq_seq CACHE 1 RESTART WITH 5`)
		insertAll(t, pg, "e")
		_, err := s.Snapshot(t.Context())
		ends(t, err)
		_, _, _, rows = begins(t, pg)
		if d := cmp.Diff([]int64{2, 4, 5}, seqs(rows)); d != "" {
			t.Errorf("the next term reads (-want +got): %s", d)
		}
	})
}

// A row below the floor is found behind any number of rows that were inserted before it, before the
// cursor passes it: in the backlog of a term and in a tick.
func TestLogFindsARowBelowTheFloorBehindManyOthers(t *testing.T) {
	const many = `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
		SELECT 'a', 'order', 'order.paid.v1', 'orders', 'many', '{}' FROM generate_series(1, 11000) AS n`
	for _, in := range []string{"backlog", "tick"} {
		t.Run(in, func(t *testing.T) {
			eachLog(t, func(t *testing.T, pg *services.PG) {
				insertAll(t, pg, "a", "b", "c", "d")
				s, lease, snap, rows := begins(t, pg)
				settle(t, s, lease, rows)
				_, err := s.Tidy(t.Context(), lease, 0)
				must(t, err)
				middle := snapshot(t, s)
				tick(t, s, snap, middle, wide)
				insertAll(t, pg, "e")
				last := snapshot(t, s)
				settle(t, s, lease, tick(t, s, middle, last, wide))
				_, err = s.Tidy(t.Context(), lease, 0)
				must(t, err)
				exec(t, pg.Pool, many)
				exec(t, pg.Pool, many)
				setval(t, pg, 1)
				insertAll(t, pg, "lost")
				setval(t, pg, 1_000_000)
				if in == "tick" {
					insertAll(t, pg, "f")
					next := snapshot(t, s)
					for after, more := int64(0), true; more && err == nil; {
						var page relay.Page
						page, err = s.ReadTick(t.Context(), last, next, after, relay.Limit{Rows: 9000, Bytes: 1 << 30})
						if more = page.More; more {
							after = page.End
						}
					}
					ends(t, err)
				}
				read := drained(t, pg, relay.Limit{Rows: 9000, Bytes: 1 << 30})
				if !slices.Contains(read, "lost") {
					t.Errorf("the next terms read %d rows, without the one below the floor", len(read))
				}
			})
		})
	}
}

// A row that was published ahead of the cursor's place is not sent again after a repair, although a row that
// was inserted since has its number.
func TestLogRepairKeepsWhatIsPublishedAhead(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		insertAll(t, pg, "a", "b", "c", "d")
		s, lease, _, rows := begins(t, pg)
		settle(t, s, lease, rows[1:]) // d would be before c then, if they have one key
		setval(t, pg, 2)
		insertAll(t, pg, "e") // has the number of c
		_, err := s.Snapshot(t.Context())
		ends(t, err)
		if d := cmp.Diff([]string{"a", "e"}, drained(t, pg, wide)); d != "" {
			t.Errorf("the next terms read (-want +got): %s", d)
		}
	})
}

// A violation of another unique index says nothing about the numbers.
func TestLogOtherViolations(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		insertAll(t, pg, "a")
		s, lease, _, _ := begins(t, pg)
		exec(t, pg.Pool, `CREATE UNIQUE INDEX one ON event_outbox_cursor ((true)) WHERE n > 0; INSERT INTO event_outbox_cursor (n, base) VALUES (-1, '3:3:')`)
		exec(t, pg.Pool, `CREATE TABLE refusal (one integer PRIMARY KEY); INSERT INTO refusal VALUES (1);
			CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO public.refusal VALUES (1); RETURN NEW; END $$;
			CREATE TRIGGER refuse BEFORE INSERT ON event_outbox_cursor FOR EACH ROW EXECUTE FUNCTION refuse()`)
		err := s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{1}})
		if err == nil || errors.Is(err, relay.ErrLeaseLost) || strings.Contains(err.Error(), "set back") {
			t.Errorf("the store says %v", err)
		}
	})
}
