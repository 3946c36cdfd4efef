package pgstore_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// rolledBack draws numbers that no row has.
func rolledBack(t *testing.T, pg *services.PG, n int) {
	t.Helper()
	tx := begin(t, pg)
	for range n {
		insert(t, tx, "x")
	}
	must(t, tx.Rollback(t.Context()))
}

// The order of rows whose numbers came again, and that the repair ends.
func TestLogRepairOrder(t *testing.T) {
	// discarded notes that a row was discarded, so it is settled whatever the cursor says.
	const discarded = `INSERT INTO event_outbox_late (id, tx, seq, topic, event_key, published_at, discarded)
		SELECT id, tx, seq, topic, event_key, now(), true FROM event_outbox WHERE event_key = $1`
	var tied []string
	for n := range 30 {
		tied = append(tied, fmt.Sprintf("tied %02d", n))
	}
	for name, c := range map[string]struct {
		play func(t *testing.T, pg *services.PG)
		want []string
	}{
		"a row about which nothing is known, and one whose number came again": {func(t *testing.T, pg *services.PG) {
			insertAll(t, pg, "a", "b")
			rolledBack(t, pg, 2)
			insertAll(t, pg, "m")
			setval(t, pg, 1)
			insertAll(t, pg, "e")
			rolledBack(t, pg, 3) // the sequence stands at the number of m
		}, []string{"a", "b", "m", "e"}},
		"two settled rows of one number, and one with a lower number": {func(t *testing.T, pg *services.PG) {
			setval(t, pg, 2)
			insertAll(t, pg, "x")
			exec(t, pg.Pool, discarded, "x")
			setval(t, pg, 1)
			insertAll(t, pg, "m", "y")
			exec(t, pg.Pool, discarded, "y")
		}, []string{"m"}},
		"rows of one number and one transaction": {func(t *testing.T, pg *services.PG) {
			tx := begin(t, pg)
			for _, n := range rand.Perm(len(tied)) {
				exec(t, tx, `SELECT setval('event_outbox_seq_seq', 1)`)
				exec(t, tx, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
					VALUES ($1, 'a', 'order', 'order.paid.v1', 'orders', $2, '{}')`, uuid.UUID{15: byte(n + 1)}, tied[n])
			}
			must(t, tx.Commit(t.Context()))
		}, tied},
		"a row has a number above the place of the sequence": {func(t *testing.T, pg *services.PG) {
			insertAll(t, pg, "a")
			s, lease, _, rows := begins(t, pg)
			settle(t, s, lease, rows)
			rolledBack(t, pg, 1)
			insertAll(t, pg, "b", "c")
			setval(t, pg, 1)
			insertAll(t, pg, "d") // has a number that no row had
			_, err := s.Snapshot(t.Context())
			ends(t, err)
		}, []string{"b", "c", "d"}},
	} {
		for _, limit := range []relay.Limit{wide, {Rows: 1, Bytes: 1 << 20}} {
			t.Run(name, func(t *testing.T) {
				eachLog(t, func(t *testing.T, pg *services.PG) {
					c.play(t, pg)
					if d := cmp.Diff(c.want, drained(t, pg, limit)); d != "" {
						t.Errorf("in pages of %d rows, the next terms read (-want +got): %s", limit.Rows, d)
					}
				})
			})
		}
	}
}
