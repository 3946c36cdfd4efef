package storeadmin_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/runtime/relay/storeadmin"
)

// leads begins a term and returns the store, the lease, and the seqs of the backlog.
func leads(t *testing.T, pg *services.PG) (*pgstore.LogStore, relay.Lease, []int64) {
	t.Helper()
	conn, err := pgx.ParseConfig(pg.URL)
	ok(t, err)
	s, err := pgstore.NewLogStore(pgstore.Config{Conn: conn, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	ok(t, err)
	t.Cleanup(s.Close)
	ok(t, s.Check(t.Context()))
	seen, err := s.Observe(t.Context())
	ok(t, err)
	lease, err := s.TakeOver(t.Context(), seen, uuid.New())
	ok(t, err)
	snap, err := s.Snapshot(t.Context())
	ok(t, err)
	page, err := s.ReadBacklog(t.Context(), snap, 0, relay.Limit{Rows: 1000, Bytes: 1 << 20})
	if errors.Is(err, relay.ErrLeaseLost) { // the numbers of rows were repaired
		return leads(t, pg)
	}
	ok(t, err)
	var seqs []int64
	for _, r := range page.Rows {
		seqs = append(seqs, r.Seq)
	}
	return s, lease, seqs
}

// After a dump was restored, a relay refuses to start until the log is adopted. Then it sends
// what the cursor does not say is published.
func TestAdopt(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		ok(t, migrations.UpLog(t.Context(), owner))
		exec(t, owner, someRows)
		s, lease, read := leads(t, pg)
		ok(t, s.Settle(t.Context(), lease, relay.Settlement{
			Published: []int64{1, 2, 6},
			Failed: []relay.Failure{
				{Seq: 3, Err: "large", RetryCount: 1, RetryIn: time.Hour}, {Seq: 4, Err: "bad", RetryCount: 1, Dead: true},
			},
		}))
		if diff := cmp.Diff([]int64{1, 2, 3, 4, 5, 6}, read); diff != "" {
			t.Fatalf("at first (-want +got):\n%s", diff)
		}
		for _, c := range []struct {
			name        string
			floor, from int64
			want        []int64 // 3 failed
		}{
			{"from a seq", 2, 6, []int64{3, 6}},
			{"from the first that is not known to be published", 2, 0, []int64{3, 5, 6}},
			{"everything", 2, 1, []int64{1, 2, 3, 5, 6}},
			{"a sequence that started over, nothing", 1000, 1001, []int64{3}},
			{"a sequence that started over, everything", 1000, 1, []int64{1, 2, 3, 5, 6}},
		} {
			t.Run(c.name, func(t *testing.T) {
				exec(t, owner, `UPDATE event_outbox_cursor SET floor = $1`, c.floor)
				exec(t, owner, `INSERT INTO event_outbox_tick (n, shown, below) VALUES (1000, '3:3:', '3')`)
				exec(t, owner, `UPDATE event_outbox_cursor SET system = 7, base = '99999999:99999999:'`)
				exec(t, owner, `UPDATE event_outbox SET tx = '88888888' WHERE seq <> 5`)
				exec(t, owner, `UPDATE event_outbox_failed SET tx = '88888888'`)
				conn, err := pgx.ParseConfig(pg.URL)
				ok(t, err)
				refusing, err := pgstore.NewLogStore(pgstore.Config{Conn: conn, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
				ok(t, err)
				defer refusing.Close()
				var setup *relay.SetupError
				if err := refusing.Check(t.Context()); !errors.As(err, &setup) || !strings.Contains(setup.Remedy, "outboxrelay store adopt") {
					t.Errorf("a relay says %v", err)
				}
				if c.floor == 1000 {
					exec(t, owner, `ALTER SEQUENCE event_outbox_seq_seq RESTART`)
					_, err := storeadmin.Adopt(t.Context(), owner, 0)
					refusedBecause(t, err, "it stands at 0, and the cursor says that all events up to seq 1000 are published; "+
						"the log has 6 of them: with --from-seq 1 all are sent again, with --from-seq 1001 none")
				}
				done, err := storeadmin.Adopt(t.Context(), owner, c.from)
				ok(t, err)
				if done.Foreign != 5 {
					t.Errorf("%d rows were of another cluster, want 5", done.Foreign)
				}
				if left := lines(t, owner, `SELECT n::text FROM event_outbox_cursor WHERE system = 0 OR database = 0 OR sequence_file = 0
						UNION ALL SELECT n::text FROM event_outbox_tick`); len(left) > 0 {
					t.Errorf("the cursor does not say where it belongs, or ticks are left: %v", left)
				}
				exec(t, owner, `SELECT setval('event_outbox_seq_seq', 6)`)
				_, _, read := leads(t, pg)
				if diff := cmp.Diff(c.want, read); diff != "" {
					t.Errorf("sent again (-want +got):\n%s", diff)
				}
				if dead := lines(t, owner, `SELECT seq::text FROM event_outbox_failed WHERE dead_at IS NOT NULL`); !slices.Equal(dead, []string{"4"}) {
					t.Errorf("dead are %v", dead)
				}
			})
		}
	})
}

// Logical replication copies the rows and the cursor, and no sequence. Rows that were inserted
// in the new cluster have numbers that the cursor has passed, so nobody knows from where to send.
func TestAdoptAfterLogicalReplication(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		ok(t, migrations.UpLog(t.Context(), owner))
		exec(t, owner, someRows)
		s, lease, read := leads(t, pg)
		ok(t, s.Settle(t.Context(), lease, relay.Settlement{Published: read}))
		exec(t, owner, `UPDATE event_outbox_cursor SET system = 7, floor = 6`)
		exec(t, owner, `UPDATE event_outbox_tick SET published_at = clock_timestamp()`)
		exec(t, owner, `DELETE FROM event_outbox WHERE seq <= 3`) // as with their partition
		exec(t, owner, `SELECT setval('event_outbox_seq_seq', 3)`)
		exec(t, owner, `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data) SELECT 'a', 'a', 't', 'topic', 'new', '{}' FROM generate_series(1, 5)`)
		for range 2 {
			if _, err := storeadmin.Adopt(t.Context(), owner, 0); err == nil || !strings.Contains(err.Error(), "the row with seq 4 was inserted after the last time of the cursor: it was not yet noted as published") {
				t.Errorf("Adopt says %v; want that a row is younger", err)
			}
		}
		for _, from := range []int64{5, 100} {
			_, err := storeadmin.Adopt(t.Context(), owner, from)
			refusedBecause(t, err, "give at most 4")
		}
		_, err := storeadmin.Adopt(t.Context(), owner, 4)
		ok(t, err)
		_, _, read = leads(t, pg)
		// The new rows have the numbers of former ones, so they get other ones.
		if diff := cmp.Diff([]int64{4, 5, 6, 9, 10, 11, 12, 13}, read); diff != "" {
			t.Errorf("sent again (-want +got):\n%s", diff)
		}
	})
}

// The numbers start over in the new cluster, and the former relay publishes for some seconds more, or
// its clock is ahead. So the times of the new events do not say that they are new.
func TestAdoptTrustsNoClock(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		ok(t, migrations.UpLog(t.Context(), owner))
		exec(t, owner, `SELECT setval('event_outbox_seq_seq', 1000)`)
		exec(t, owner, someRows) // with the numbers 1001 to 1006
		s, lease, read := leads(t, pg)
		ok(t, s.Settle(t.Context(), lease, relay.Settlement{Published: read}))
		exec(t, owner, `UPDATE event_outbox_cursor SET system = 7, floor = 1006`)
		exec(t, owner, `ALTER SEQUENCE event_outbox_seq_seq RESTART`)
		exec(t, owner, someRows) // with the numbers 1 to 6
		exec(t, owner, `UPDATE event_outbox_tick SET published_at = clock_timestamp() + interval '5 s'`)
		refused := func(want string) {
			t.Helper()
			for _, from := range []int64{0, 2, 7, 1007} {
				_, err := storeadmin.Adopt(t.Context(), owner, from)
				refusedBecause(t, err, want)
			}
		}
		refused("it stands at 6, so the row with seq 1 may have been inserted here")
		exec(t, owner, `UPDATE event_outbox SET created_at = created_at + interval '1 hour' WHERE seq = 5`)
		refused("give at most 1 as")
		exec(t, owner, `UPDATE event_outbox_cursor SET floor = 3`) // which the new numbers have passed
		refused("give at most 1 as")
		_, err := storeadmin.Adopt(t.Context(), owner, 1)
		ok(t, err)
		if _, _, read := leads(t, pg); len(read) != 12 {
			t.Errorf("a leader reads %v, want all", read)
		}
	})
}

// A writer inserts an event with a low seq while a log is adopted. It is sent.
func TestAdoptWhileEventsAreInserted(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		ok(t, migrations.UpLog(t.Context(), owner))
		exec(t, owner, someRows)
		s, lease, read := leads(t, pg)
		ok(t, s.Settle(t.Context(), lease, relay.Settlement{Published: read}))
		exec(t, owner, `UPDATE event_outbox_cursor SET system = 7, floor = 6`)
		exec(t, owner, `UPDATE event_outbox_tick SET published_at = clock_timestamp()`)
		exec(t, owner, `DELETE FROM event_outbox WHERE seq <= 3`) // as with their partition
		exec(t, owner, `SELECT setval('event_outbox_seq_seq', 3)`)
		config, err := pgx.ParseConfig(pg.URL)
		ok(t, err)
		config.Tracer = before{"-- name: ForgetTimes": func(*pgx.Conn) { exec(t, owner, strings.Replace(someRows, "6)", "1)", 1)) }}
		conn, err := pgx.ConnectConfig(t.Context(), config)
		ok(t, err)
		defer conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // nothing is at stake on it
		_, err = storeadmin.Adopt(t.Context(), conn, 7)
		ok(t, err)
		if _, _, read := leads(t, pg); len(read) != 1 {
			t.Errorf("a leader reads %v, want the new event", read)
		}
	})
}

// The answer of Adopt was lost. Calling it again changes nothing, and no event that was inserted in
// between is lost.
func TestAdoptAgain(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		ok(t, migrations.UpLog(t.Context(), owner))
		exec(t, owner, someRows)
		s, lease, read := leads(t, pg)
		ok(t, s.Settle(t.Context(), lease, relay.Settlement{Published: read}))
		exec(t, owner, `UPDATE event_outbox_cursor SET system = 7, floor = 6`)
		exec(t, owner, `UPDATE event_outbox_tick SET published_at = clock_timestamp()`)
		exec(t, owner, `DELETE FROM event_outbox WHERE seq <= 3`) // as with their partition
		exec(t, owner, `SELECT setval('event_outbox_seq_seq', 3)`)
		for _, from := range []int64{6, 0, 5, 0} {
			done, err := storeadmin.Adopt(t.Context(), owner, from)
			ok(t, err)
			if want := map[int64]bool{6: true, 5: true}; !want[done.From] || from > 0 && done.From != from {
				t.Errorf("adopted from %d, it says %d", from, done.From)
			}
		}
		exec(t, owner, strings.Replace(someRows, "6)", "1)", 1)) // with seq 4
		for _, from := range []int64{0, 5, 100} {
			_, err := storeadmin.Adopt(t.Context(), owner, from)
			refusedBecause(t, err, "give at most 4")
		}
		if _, _, read := leads(t, pg); len(read) != 3 {
			t.Errorf("a leader reads %v, want 5, 6 and the new event", read)
		}
	})
}

// The cursor is about this database, and the sequence was set back: new events have numbers up to floor,
// also some that the cursor's place has passed before they were read. They do not count as published.
func TestAdoptAgainAfterTheSequenceWasSetBack(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		settled(t, pg, owner)
		exec(t, owner, `UPDATE event_outbox_cursor SET base = pg_current_snapshot(), shown = NULL, ahead = '', floor = 6`)
		exec(t, owner, `INSERT INTO event_outbox_tick (n, shown, below, published_at) VALUES (1000, '3:3:', '3', now() + interval '1 hour')`)
		exec(t, owner, `DELETE FROM event_outbox WHERE seq = 4`)
		exec(t, owner, `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data, seq) OVERRIDING SYSTEM VALUE
			VALUES ('a', '4', 't', 'topic', 'k4', '{}', 4), ('a', '5', 't', 'topic', 'k5', '{}', 5)`)
		exec(t, owner, `INSERT INTO event_outbox_late (id, tx, seq, topic, event_key) SELECT id, tx, seq, topic, event_key FROM event_outbox WHERE seq = 4`)
		exec(t, owner, `UPDATE event_outbox_cursor SET shown = pg_current_snapshot(), seq = 6`)
		for _, from := range []int64{0, 6} {
			_, err := storeadmin.Adopt(t.Context(), owner, from)
			refusedBecause(t, err, "the row with seq 5 was inserted after")
		}
		_, err := storeadmin.Adopt(t.Context(), owner, 5)
		ok(t, err)
	})
}

// Adopt refuses what has no cursor.
func TestAdoptRefuses(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	owner := pg.Connect(t.Context())
	ok(t, migrations.Up(t.Context(), owner))
	if _, err := storeadmin.Adopt(t.Context(), owner, 0); err == nil || !strings.Contains(err.Error(), "event_outbox is a table") {
		t.Errorf("of a table it says %v", err)
	}
	ok(t, migrations.Down(t.Context(), owner))
	ok(t, migrations.UpLog(t.Context(), owner))
	exec(t, owner, `DELETE FROM event_outbox_cursor`)
	if _, err := storeadmin.Adopt(t.Context(), owner, 0); err == nil || !strings.Contains(err.Error(), "give the seq") {
		t.Errorf("without a cursor it says %v", err)
	}
	_, err := storeadmin.Adopt(t.Context(), owner, 1)
	ok(t, err)
	leads(t, pg)
}

// A restored row has the id of a transaction that is open in this cluster. It is not hidden until
// that one ends.
func TestAdoptRowsOfAnOpenTransaction(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner, other := pg.Connect(t.Context()), pg.Connect(t.Context())
		settled(t, pg, owner)
		exec(t, other, `BEGIN`)
		open := lines(t, other, `SELECT pg_current_xact_id()::text`)[0]
		exec(t, owner, `UPDATE event_outbox SET tx = $1::text::xid8 WHERE seq = 5`, open)
		exec(t, owner, `UPDATE event_outbox_failed SET tx = $1::text::xid8`, open)
		done, err := storeadmin.Adopt(t.Context(), owner, 4)
		ok(t, err)
		_, _, read := leads(t, pg)
		if diff := cmp.Diff([]int64{2, 4, 5, 6}, read); diff != "" || done.Foreign != 1 {
			t.Errorf("%d rows were of another cluster; sent again (-want +got):\n%s", done.Foreign, diff)
		}
		exec(t, other, `ROLLBACK`)
	})
}

// What operators have decided counts after an adoption: a discarded event is not sent, and an
// edited one is sent as it was edited, once.
func TestAdoptKeepsDecisions(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		settled(t, pg, owner)
		exec(t, owner, `UPDATE event_outbox_failed SET topic = 'edited' WHERE seq = 2`)
		exec(t, owner, `WITH gone AS (DELETE FROM event_outbox_failed WHERE seq = 3 RETURNING *)
			INSERT INTO event_outbox_late (id, tx, seq, topic, event_key, published_at, discarded) SELECT id, tx, seq, topic, event_key, now(), true FROM gone`)
		_, err := storeadmin.Adopt(t.Context(), owner, 1)
		ok(t, err)
		s, lease, read := leads(t, pg)
		if diff := cmp.Diff([]int64{1, 2, 4, 5, 6}, read); diff != "" {
			t.Errorf("sent again (-want +got):\n%s", diff)
		}
		want := []string{"2 edited failed 1", "3 topic discarded 0"}
		states := `SELECT concat_ws(' ', h.seq, coalesce(f.topic, h.topic), h.state, h.retry_count)
			FROM event_outbox_history AS h LEFT JOIN event_outbox_failed AS f ON f.seq = h.seq WHERE h.seq IN (2, 3) ORDER BY h.seq`
		if diff := cmp.Diff(want, lines(t, owner, states)); diff != "" {
			t.Errorf("after the adoption (-want +got):\n%s", diff)
		}
		ok(t, s.Settle(t.Context(), lease, relay.Settlement{Published: read}))
		if _, _, read = leads(t, pg); len(read) > 0 {
			t.Errorf("after all were published, the next leader reads %v", read)
		}
	})
}
