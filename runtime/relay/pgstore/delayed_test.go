package pgstore_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// delay writes a delayed event that is due in the time from now; a negative time is past.
// Its id has the number.
func delay(t *testing.T, db interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
}, n int, key string, in time.Duration) {
	t.Helper()
	exec(t, db, `INSERT INTO event_outbox_delayed (id, aggregate_id, aggregate_type, event_type, topic, event_key, event_data, headers, partition, deliver_at)
		VALUES ($1, 'a', 'order', 'order.paid.v1', 'orders', nullif($2, ''), json_build_object('n', $3::int), '{"h":"1"}', 7, now() + make_interval(secs => $4))`,
		number(n), key, n, in.Seconds())
}

func number(n int) uuid.UUID {
	id := uuid.UUID{}
	id[15] = byte(n)
	return id
}

func move(t *testing.T, s relay.Delayer, limit int) relay.Moved {
	t.Helper()
	moved, err := s.MoveDue(t.Context(), limit)
	must(t, err)
	return moved
}

// order returns the numbers of the events in event_outbox in the order of seq, and those
// that wait.
func order(t *testing.T, pg *services.PG) (there, wait []int32) {
	t.Helper()
	const numbers = `SELECT coalesce(array_agg((event_data ->> 'n')::int ORDER BY seq), '{}') FROM `
	return ask[[]int32](t, pg.Pool, numbers+`event_outbox`), ask[[]int32](t, pg.Pool, numbers+`event_outbox_delayed`)
}

// Events that are due are moved as they are, in the order of their times and then of
// their inserts, as many as the limit says; others stay.
func TestMoveDue(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		tx := begin(t, pg) // one transaction, so that equal times are equal
		for n, in := range []time.Duration{-time.Hour, -3 * time.Hour, -2 * time.Hour, time.Hour, -2 * time.Hour, -2 * time.Hour, 2 * time.Hour} {
			delay(t, tx, n, "k", in)
		}
		must(t, tx.Commit(t.Context()))
		about := cmp.Comparer(func(a, b time.Duration) bool { return (a - b).Abs() < time.Minute })
		next := relay.Due{Waiting: true, In: time.Hour}
		for _, step := range []struct {
			want        relay.Moved
			there, wait []int32
		}{
			{relay.Moved{Rows: 3, More: true, Next: next}, []int32{1, 2, 4}, []int32{0, 3, 5, 6}},
			{relay.Moved{Rows: 2, Next: next}, []int32{1, 2, 4, 5, 0}, []int32{3, 6}},
			{relay.Moved{Next: next}, []int32{1, 2, 4, 5, 0}, []int32{3, 6}},
		} {
			if diff := cmp.Diff(step.want, move(t, s, 3), about, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("moved (-want +got):\n%s", diff)
			}
			there, wait := order(t, pg)
			if diff := cmp.Diff([][]int32{step.there, step.wait}, [][]int32{there, wait}); diff != "" {
				t.Errorf("moved and waiting (-want +got):\n%s", diff)
			}
		}
		exec(t, pg.Pool, `DELETE FROM event_outbox_delayed`)
		if diff := cmp.Diff(relay.Moved{}, move(t, s, 3), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("with nothing that waits (-want +got):\n%s", diff)
		}
		const row = `SELECT format('%s %s %s %s %s %s %s %s %s', id, aggregate_id, aggregate_type, event_type, topic, event_key, event_data, headers, partition)
			FROM event_outbox WHERE seq = 1`
		const want = `00000000-0000-0000-0000-000000000001 a order order.paid.v1 orders k {"n" : 1} {"h":"1"} 7`
		if got := ask[string](t, pg.Pool, row); got != want {
			t.Errorf("row %s, want %s", got, want)
		}
	})
}

// A row that another session has locked is left alone, and so is what comes after it in
// the order of its key, and nothing else.
func TestMoveDueSkipsKeysOfLockedRows(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		for n, key := range []string{"a", "b", "a", "b", "a", "", ""} {
			delay(t, pg.Pool, n, key, time.Duration(n-100)*time.Second)
		}
		cancelling := begin(t, pg)
		exec(t, cancelling, `DELETE FROM event_outbox_delayed WHERE id = ANY ($1::uuid[])`, []string{number(2).String(), number(5).String()})
		if got := move(t, s, 10); got.Rows != 4 || got.More {
			t.Errorf("moved %+v, want 4 rows", got)
		}
		there, wait := order(t, pg)
		if diff := cmp.Diff([][]int32{{0, 1, 3, 6}, {2, 4, 5}}, [][]int32{there, wait}); diff != "" {
			t.Errorf("moved and waiting (-want +got):\n%s", diff)
		}
		must(t, cancelling.Rollback(t.Context()))
		move(t, s, 10)
		there, wait = order(t, pg)
		if diff := cmp.Diff([][]int32{{0, 1, 3, 6, 2, 4, 5}, {}}, [][]int32{there, wait}); diff != "" {
			t.Errorf("moved and waiting after the rollback (-want +got):\n%s", diff)
		}
	})
}

// Events that have to stay, more of them than one call looks at, do not keep other events
// from being moved: those of a key of which the first one is being cancelled, and those
// that a trigger keeps out. The next look begins with them again.
func TestMoveDueBehindRowsThatStay(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		for n, key := range []string{"a", "a", "a", "a", "", "", "b", "a", "b", ""} {
			delay(t, pg.Pool, n, key, time.Duration(n-100)*time.Second)
		}
		exec(t, pg.Pool, `CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
			CREATE TRIGGER t BEFORE INSERT ON event_outbox FOR EACH ROW WHEN ((NEW.event_data ->> 'n')::int IN (4, 5)) EXECUTE FUNCTION swallow()`)
		cancelling := begin(t, pg)
		exec(t, cancelling, `DELETE FROM event_outbox_delayed WHERE id = $1`, number(0))
		look := func() (calls, rows int) {
			t.Helper()
			for more := true; more; calls++ {
				moved := move(t, s, 2)
				more, rows = moved.More, rows+moved.Rows
			}
			return calls, rows
		}
		var got [][]int32
		for _, then := range []func(){
			func() { must(t, cancelling.Rollback(t.Context())) },
			func() { exec(t, pg.Pool, `DROP TRIGGER t ON event_outbox`) },
			func() {},
		} {
			calls, rows := look()
			there, wait := order(t, pg)
			got = append(got, []int32{int32(calls), int32(rows)}, there, wait)
			then()
		}
		want := [][]int32{
			{5, 3}, {6, 8, 9}, {0, 1, 2, 3, 4, 5, 7},
			{4, 5}, {6, 8, 9, 0, 1, 2, 3, 7}, {4, 5},
			{2, 2}, {6, 8, 9, 0, 1, 2, 3, 7, 4, 5}, {},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("calls and rows, moved, waiting (-want +got):\n%s", diff)
		}
	})
}

// An event that the database refuses to insert waits, and so do later events of its key.
// The others are moved. The log has the event and the error once.
func TestMoveDueOfRefusedRows(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		var log bytes.Buffer
		s := newStore(t, pg, withLog(&log))
		for n, key := range []string{"a", "b", "a", "b", "", "c", "a"} {
			delay(t, pg.Pool, n, key, time.Duration(n-100)*time.Second)
		}
		exec(t, pg.Pool, `ALTER TABLE event_outbox ADD CONSTRAINT own CHECK ((event_data ->> 'n')::int NOT IN (1, 4))`)
		for range 2 {
			for move(t, s, 4).More {
			}
		}
		there, wait := order(t, pg)
		if diff := cmp.Diff([][]int32{{0, 2, 5, 6}, {1, 3, 4}}, [][]int32{there, wait}); diff != "" {
			t.Errorf("moved and waiting (-want +got):\n%s", diff)
		}
		for _, n := range []int{1, 4} {
			if got := strings.Count(log.String(), number(n).String()); got != 1 {
				t.Errorf("event %d is %d times in the log, want once:\n%s", n, got, log.String())
			}
		}
		exec(t, pg.Pool, `ALTER TABLE event_outbox DROP CONSTRAINT own`)
		move(t, s, 4)
		there, wait = order(t, pg)
		if diff := cmp.Diff([][]int32{{0, 2, 5, 6, 1, 3, 4}, {}}, [][]int32{there, wait}); diff != "" {
			t.Errorf("moved and waiting without the constraint (-want +got):\n%s", diff)
		}

		// If every event is refused, the cause is elsewhere: the call fails, and the relay pauses.
		exec(t, pg.Pool, `INSERT INTO event_outbox_delayed (id, aggregate_id, aggregate_type, event_type, topic, event_data, deliver_at)
			SELECT gen_random_uuid(), 'a', 'order', 'order.paid.v1', 'orders', '{"n": 1}', now() FROM generate_series(1, 150)`)
		exec(t, pg.Pool, `ALTER TABLE event_outbox ADD CONSTRAINT own CHECK (topic <> 'orders') NOT VALID`)
		var err error
		for calls := 0; err == nil; calls++ {
			if _, err = s.MoveDue(t.Context(), 4); calls > 150 {
				t.Fatal("every event is refused, and no call fails")
			}
		}
		if !strings.Contains(err.Error(), `"own"`) {
			t.Errorf("error %v", err)
		}
		exec(t, pg.Pool, `ALTER TABLE event_outbox DROP CONSTRAINT own`)
		rows := 0
		for more := true; more; {
			moved := move(t, s, 100)
			more, rows = moved.More, rows+moved.Rows
		}
		if rows != 150 {
			t.Errorf("%d events were moved without the constraint, want 150", rows)
		}
	})
}

// Stores that move at once, with small limits, move each event once, and keep the order
// of each key.
func TestMoveDueAtOnce(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		const events, keys = 2000, 7
		exec(t, pg.Pool, `INSERT INTO event_outbox_delayed (id, aggregate_id, aggregate_type, event_type, topic, event_key, event_data, deliver_at)
			SELECT gen_random_uuid(), 'a', 'order', 'order.paid.v1', 'orders', 'k' || n % $2::int, json_build_object('n', n),
			       now() - make_interval(secs => ($1::int - n) / 3)
			FROM generate_series(1, $1::int) AS n`, events, keys)
		done := make(chan error, 4)
		for range cap(done) {
			s := newStore(t, pg)
			go func() {
				for {
					moved, err := s.MoveDue(t.Context(), 50)
					if err != nil || !moved.More {
						done <- err
						return
					}
				}
			}()
		}
		for range cap(done) {
			must(t, <-done)
		}
		s := newStore(t, pg)
		for move(t, s, 50).More {
		}
		there, wait := order(t, pg)
		if len(there) != events || len(wait) != 0 {
			t.Errorf("%d events are there and %d wait, want %d and 0", len(there), len(wait), events)
		}
		last := map[int32]int32{}
		for _, n := range there {
			if n <= last[n%keys] {
				t.Fatalf("key %d: %d after %d", n%keys, n, last[n%keys])
			}
			last[n%keys] = n
		}
	})
}

// Nothing is lost: an event whose id is taken is dropped and named, and one that a
// trigger keeps out of event_outbox waits.
func TestMoveDueOfRowsThatDoNotFit(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		var log bytes.Buffer
		s := newStore(t, pg, withLog(&log))
		for n := range 3 {
			delay(t, pg.Pool, n, "", -time.Hour)
		}
		exec(t, pg.Pool, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_data)
			SELECT id, aggregate_id, aggregate_type, event_type, topic, '{"n": 100}' FROM event_outbox_delayed WHERE id = $1`, number(1))
		exec(t, pg.Pool, `CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
			CREATE TRIGGER t BEFORE INSERT ON event_outbox FOR EACH ROW WHEN (NEW.event_data ->> 'n' = '2') EXECUTE FUNCTION swallow()`)
		want := relay.Moved{Rows: 1, Known: []uuid.UUID{number(1)}, More: false}
		if diff := cmp.Diff(want, move(t, s, 10)); diff != "" {
			t.Errorf("moved (-want +got):\n%s", diff)
		}
		for _, more := range []bool{true, false} { // the event that stays may be followed by others
			if got := move(t, s, 1); got.Rows != 0 || got.More != more {
				t.Errorf("moved %+v, want nothing, and more to come: %t", got, more)
			}
		}
		const text = "delayed events not moved: a trigger or a unique index of event_outbox keeps one out"
		if got := strings.Count(log.String(), text); got != 1 || !strings.Contains(log.String(), number(2).String()) {
			t.Errorf("the log says %d times what keeps the event, want once:\n%s", got, log.String())
		}
		exec(t, pg.Pool, `DROP TRIGGER t ON event_outbox`)
		move(t, s, 10)
		there, wait := order(t, pg)
		if diff := cmp.Diff([][]int32{{100, 0, 2}, {}}, [][]int32{there, wait}); diff != "" {
			t.Errorf("moved and waiting (-want +got):\n%s", diff)
		}
	})
}

// A renewal tells when the next event is due, and does not look at those that were due
// before the last look, except for a minute.
func TestRenewTellsWhenTheNextDelayedEventIsDue(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lease := lead(t, s)
		next := func() relay.Due {
			t.Helper()
			renewal, err := s.Renew(t.Context(), lease, relay.Progress{})
			must(t, err)
			renewal.Next.In = renewal.Next.In.Round(time.Minute)
			return renewal.Next
		}
		var got []relay.Due
		got = append(got, next())
		delay(t, pg.Pool, 1, "", time.Hour)
		got = append(got, next())
		delay(t, pg.Pool, 2, "", -time.Hour)
		got = append(got, next())
		move(t, s, 10)
		got = append(got, next())
		delay(t, pg.Pool, 3, "", -time.Hour) // its transaction took very long
		got = append(got, next())
		delay(t, pg.Pool, 4, "", -10*time.Second)
		got = append(got, next())
		move(t, s, 10)
		exec(t, pg.Pool, `DELETE FROM event_outbox_delayed`)
		exec(t, pg.Pool, `INSERT INTO event_outbox_delayed (id, aggregate_id, aggregate_type, event_type, topic, event_data, deliver_at)
			VALUES ($1, 'a', 'order', 'order.paid.v1', 'orders', '{}', '9999-12-31Z')`, number(5))
		got = append(got, next())
		none, hour, now := relay.Due{}, relay.Due{Waiting: true, In: time.Hour}, relay.Due{Waiting: true}
		want := []relay.Due{none, hour, now, hour, hour, now, {Waiting: true, In: 100 * 365 * 24 * time.Hour}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("next (-want +got):\n%s", diff)
		}
	})
}

// A lock on the table of delayed events, as VACUUM FULL takes it, does not end the term.
func TestRenewBesideALockedTable(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lease := lead(t, s)
		delay(t, pg.Pool, 1, "", -time.Hour)
		locking := begin(t, pg)
		exec(t, locking, `LOCK TABLE event_outbox_delayed, event_outbox_audit IN ACCESS EXCLUSIVE MODE`)
		before := ask[int64](t, pg.Pool, `SELECT beat FROM event_outbox_lease`)
		renewal, err := s.Renew(t.Context(), lease, relay.Progress{})
		must(t, err)
		if diff := cmp.Diff(relay.Renewal{}, renewal); diff != "" {
			t.Errorf("renewal (-want +got):\n%s", diff)
		}
		if beat := ask[int64](t, pg.Pool, `SELECT beat FROM event_outbox_lease`); beat != before+1 {
			t.Errorf("the beat is %d, want %d", beat, before+1)
		}
		must(t, locking.Rollback(t.Context()))
		renewal, err = s.Renew(t.Context(), lease, relay.Progress{})
		must(t, err)
		if !renewal.Next.Waiting {
			t.Errorf("renewal %+v, want one that announces an event", renewal)
		}
	})
}

func TestStatsOfDelayedEvents(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		stats := func() (int64, time.Duration) {
			t.Helper()
			stats, err := s.Stats(t.Context())
			must(t, err)
			return stats.Delayed, stats.DelayedIn.Round(time.Minute)
		}
		type found struct {
			Delayed int64
			In      time.Duration
		}
		var got []found
		look := func() {
			n, in := stats()
			got = append(got, found{n, in})
		}
		look()
		delay(t, pg.Pool, 1, "", time.Hour)
		look()
		delay(t, pg.Pool, 2, "", -2*time.Hour)
		look()
		if diff := cmp.Diff([]found{{0, 0}, {1, time.Hour}, {2, -2 * time.Hour}}, got); diff != "" {
			t.Errorf("delayed events (-want +got):\n%s", diff)
		}
	})
}

// A trigger that changes ids would insert an event again at each look. The event waits
// instead, with an error in the log, and others are moved.
func TestMoveDueBesideATriggerThatChangesIDs(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		var log bytes.Buffer
		s := newStore(t, pg, withLog(&log))
		for n, key := range []string{"a", "b", "a", "b", ""} {
			delay(t, pg.Pool, n, key, time.Duration(n-100)*time.Second)
		}
		exec(t, pg.Pool, `CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := gen_random_uuid(); RETURN NEW; END $$;
			CREATE TRIGGER t BEFORE INSERT ON event_outbox FOR EACH ROW WHEN ((NEW.event_data ->> 'n')::int = 1) EXECUTE FUNCTION change()`)
		for range 2 {
			for move(t, s, 4).More {
			}
		}
		there, wait := order(t, pg)
		if diff := cmp.Diff([][]int32{{0, 2, 4}, {1, 3}}, [][]int32{there, wait}); diff != "" {
			t.Errorf("moved and waiting (-want +got):\n%s", diff)
		}
		for _, text := range []string{number(1).String(), "a trigger of event_outbox changes the ids of delayed events"} {
			if got := strings.Count(log.String(), text); got != 1 {
				t.Errorf("%q is %d times in the log, want once:\n%s", text, got, log.String())
			}
		}
		exec(t, pg.Pool, `DROP TRIGGER t ON event_outbox`)
		move(t, s, 4)
		there, wait = order(t, pg)
		if diff := cmp.Diff([][]int32{{0, 2, 4, 1, 3}, {}}, [][]int32{there, wait}); diff != "" {
			t.Errorf("moved and waiting without the trigger (-want +got):\n%s", diff)
		}
	})
}

// An open transaction that inserts the id of a delayed event holds up that event and later
// ones of its key, and nothing else. In the end the event is there once.
func TestMoveDueBesideAnOpenInsertOfItsID(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		var log bytes.Buffer
		s := newStore(t, pg, withLog(&log))
		for n, key := range []string{"a", "b", "a", "b", ""} {
			delay(t, pg.Pool, n, key, time.Duration(n-100)*time.Second)
		}
		inserting := begin(t, pg)
		exec(t, inserting, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_data)
			SELECT id, aggregate_id, aggregate_type, event_type, topic, '{"n": 100}' FROM event_outbox_delayed WHERE id = ANY ($1::uuid[])`,
			[]string{number(1).String(), number(4).String()})
		for range 2 {
			for move(t, s, 4).More {
			}
		}
		there, wait := order(t, pg)
		if diff := cmp.Diff([][]int32{{0, 2}, {1, 3, 4}}, [][]int32{there, wait}); diff != "" {
			t.Errorf("moved and waiting (-want +got):\n%s", diff)
		}
		for _, n := range []int{1, 4} {
			if got := strings.Count(log.String(), number(n).String()); got != 1 {
				t.Errorf("event %d is %d times in the log, want once:\n%s", n, got, log.String())
			}
		}
		must(t, inserting.Commit(t.Context()))
		want := relay.Moved{Rows: 1, Known: []uuid.UUID{number(1), number(4)}}
		if diff := cmp.Diff(want, move(t, s, 4)); diff != "" {
			t.Errorf("moved after the commit (-want +got):\n%s", diff)
		}
		there, wait = order(t, pg)
		if diff := cmp.Diff([][]int32{{100, 100, 0, 2, 3}, {}}, [][]int32{there, wait}); diff != "" {
			t.Errorf("moved and waiting in the end (-want +got):\n%s", diff)
		}
	})
}
