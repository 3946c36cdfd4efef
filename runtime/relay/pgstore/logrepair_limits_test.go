package pgstore_test

import (
	"errors"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// Another session holds a lock on the log, so the numbers cannot be repaired for now. When it is gone,
// they are.
func TestLogRepairWaitsForWriters(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		insertAll(t, pg, "a", "b", "c")
		s, lease, _, rows := begins(t, pg)
		settle(t, s, lease, rows)
		setval(t, pg, 1)
		writer := begin(t, pg)
		insert(t, writer, "d")
		for range 2 {
			_, err := s.Snapshot(t.Context())
			if err == nil || errors.Is(err, relay.ErrLeaseLost) || !strings.Contains(err.Error(), "is locked") {
				t.Fatalf("while a writer is open the store says %v", err)
			}
		}
		insert(t, writer, "e")
		insert(t, writer, "f")
		must(t, writer.Commit(t.Context())) // the sequence has passed its former place
		_, err := s.Snapshot(t.Context())
		for err != nil && strings.Contains(err.Error(), "is locked") { // the store tries again after a pause
			_, err = s.Snapshot(t.Context())
		}
		ends(t, err)
		if d := cmp.Diff([]string{"d", "e", "f"}, drained(t, pg, wide)); d != "" {
			t.Errorf("the next terms read (-want +got): %s", d)
		}
	})
}

// The role may not call the function. The error says what to do, in a term and when one begins.
func TestLogRepairIsNotAllowed(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		role := pgx.Identifier{relayOf(pg).Name}.Sanitize()
		insertAll(t, pg, "a", "b", "c")
		s, lease, _, rows := begins(t, pg)
		settle(t, s, lease, rows)
		setval(t, pg, 1)
		exec(t, pg.Pool, `REVOKE EXECUTE ON FUNCTION event_outbox_renumber FROM `+role)
		next := newLog(t, pg)
		_, err := s.Snapshot(t.Context())
		lead(t, next)
		_, second := next.Snapshot(t.Context())
		for _, err := range []error{err, second} {
			var setup *relay.SetupError
			if !errors.As(err, &setup) || !strings.Contains(setup.Remedy, "GRANT EXECUTE ON FUNCTION") {
				t.Errorf("the store says %v", err)
			}
		}
		exec(t, pg.Pool, `GRANT EXECUTE ON FUNCTION event_outbox_renumber TO `+role)
		must(t, func() error { _, err := next.Snapshot(t.Context()); return err }())
	})
}

// A function that the function calls is missing, or its owner may not call it. The error names that one.
func TestLogRepairLacksAFunction(t *testing.T) {
	for name, c := range map[string]struct{ spoil, want string }{
		"missing":   {`ALTER FUNCTION event_outbox_await_locks RENAME TO gone`, "a function is missing"},
		"forbidden": {`ALTER FUNCTION event_outbox_renumber OWNER TO pg_signal_backend`, "a role lacks a privilege"},
	} {
		t.Run(name, func(t *testing.T) {
			eachLog(t, func(t *testing.T, pg *services.PG) {
				exec(t, pg.Pool, `GRANT SELECT, UPDATE ON event_outbox_lease TO pg_signal_backend`)
				insertAll(t, pg, "a", "b", "c")
				s, lease, _, rows := begins(t, pg)
				settle(t, s, lease, rows)
				setval(t, pg, 1)
				exec(t, pg.Pool, c.spoil)
				_, err := s.Snapshot(t.Context())
				var setup *relay.SetupError
				if !errors.As(err, &setup) || !strings.Contains(setup.Problem, c.want) || !strings.Contains(setup.Problem, "event_outbox_await_locks") {
					t.Errorf("the store says %v", err)
				}
			})
		})
	}
}

// While a transaction stays open that writes to the log, a repair does not ask for the lock, so others
// write meanwhile. When it has ended, the numbers are repaired.
func TestLogRepairLetsOthersWrite(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		setval(t, pg, 1_000_000) // more than the other writer inserts
		insertAll(t, pg, "a", "b", "c")
		s, lease, _, rows := begins(t, pg)
		settle(t, s, lease, rows)
		setval(t, pg, 1)
		writer := begin(t, pg)
		insert(t, writer, "d")
		other := begin(t, pg)
		exec(t, other, `SET LOCAL lock_timeout = '1ms'`)
		called := make(chan error, 1)
		go func() {
			_, err := s.Snapshot(t.Context())
			called <- err
		}()
		for done := false; !done; {
			insert(t, other, "e")
			select {
			case err := <-called:
				if err == nil || !strings.Contains(err.Error(), "is locked") {
					t.Errorf("while a writer is open the store says %v", err)
				}
				done = true
			default:
			}
		}
		must(t, other.Rollback(t.Context()))
		must(t, writer.Commit(t.Context()))
		_, err := s.Snapshot(t.Context())
		for err != nil && strings.Contains(err.Error(), "is locked") {
			_, err = s.Snapshot(t.Context())
		}
		ends(t, err)
	})
}

// If there are more rows than a repair may look at, writers do not wait, and the error says what to do.
func TestLogRepairOfTooManyRows(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		insertAll(t, pg, "a", "b", "c")
		s, lease, _, rows := begins(t, pg)
		settle(t, s, lease, rows[:1])
		setval(t, pg, 1)
		insertAll(t, pg, "d")
		s.RepairRows(3)
		_, err := s.Snapshot(t.Context())
		setup, ok := errors.AsType[*relay.SetupError](err)
		if !ok || !strings.Contains(setup.Problem, "more than 3 rows") {
			t.Fatalf("the store says %v", err)
		}
		_, statement, _ := strings.Cut(setup.Remedy, ": ")
		statement, _, _ = strings.Cut(statement, ". ")
		if outcome := ask[string](t, pg.Pool, statement); outcome != "1" {
			t.Errorf("the function returns %q; want that one row has another number", outcome)
		}
		if d := cmp.Diff([]string{"b", "c", "d"}, drained(t, pg, wide)); d != "" {
			t.Errorf("the next terms read (-want +got): %s", d)
		}
	})
}

var repairRows = flag.Int("log.repair", 10_000, "how many rows TestLogRepairOfManyRows gives another number")

// Many rows get other numbers, in the order of the former ones, whatever partitions they are in. The log
// says how long it takes, while writers wait.
func TestLogRepairOfManyRows(t *testing.T) {
	// Row n is in the partition of one of four days, so rows of different days follow each other.
	const many = `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
		SELECT overlay(gen_random_uuid()::text PLACING left(event_outbox_id_at(now() + (3 - n % 4) * interval '1 day')::text, 13) FROM 1)::uuid,
		       'a', 'order', 'order.paid.v1', 'orders', $1 || n, '{}' FROM generate_series(1, $2::integer) AS n`
	eachLog(t, func(t *testing.T, pg *services.PG) {
		insertAll(t, pg, "a", "b")
		s, lease, _, rows := begins(t, pg)
		settle(t, s, lease, rows)
		exec(t, pg.Pool, many, "early ", *repairRows)
		snapshot(t, s) // reads where the sequence stands
		setval(t, pg, 1)
		exec(t, pg.Pool, many, "late ", *repairRows)
		begin := time.Now()
		_, err := s.Snapshot(t.Context())
		t.Logf("%d rows got other numbers within %s", ask[int64](t, pg.Pool, `SELECT count(*) FROM event_outbox WHERE seq > $1`, *repairRows+2), time.Since(begin))
		ends(t, err)
		if wrong := ask[int64](t, pg.Pool, `
			SELECT count(*) FROM (SELECT seq, lag(seq) OVER (ORDER BY event_key LIKE 'late%', substring(event_key FROM '\d+')::integer) AS former
			                      FROM event_outbox WHERE event_key LIKE '% %') AS o
			WHERE former >= seq`); wrong > 0 {
			t.Errorf("%d rows have numbers in another order", wrong)
		}
		if partitions := ask[int64](t, pg.Pool, `SELECT count(DISTINCT tableoid) FROM event_outbox`); partitions != 4 {
			t.Errorf("the rows are in %d partitions; want 4", partitions)
		}
		if highest, standing := ask[int64](t, pg.Pool, `SELECT max(seq) FROM event_outbox`), ask[int64](t, pg.Pool, `SELECT last_value FROM event_outbox_seq_seq`); standing != highest {
			t.Errorf("the sequence stands at %d; want %d", standing, highest)
		}
	})
}
