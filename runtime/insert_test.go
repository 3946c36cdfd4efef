package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/internal/querymode"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// mixed makes n events of two types, some with the caller's id.
func mixed(n int) (events []outbox.Event, want []string) {
	for i := range n {
		var e outbox.Event = Graded{EssayID: key(i), Grade: i}
		id := key(i)
		switch {
		case i%100 == 7:
			e = outbox.With(e, outbox.WithID(outbox.DeterministicID(uuid.NameSpaceURL, id)))
		case i%3 == 1:
			e = outbox.With(Moved{To: id}, outbox.WithAggregateID(id))
		}
		events, want = append(events, e), append(want, id)
	}
	return events, want
}

func aggregateIDs(rows []outboxtest.StoredRow) []string {
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.AggregateID)
	}
	return ids
}

// Ten thousand events of two types keep their order, on every kind of
// transaction.
func TestInsertAllKeepsTheOrder(t *testing.T) {
	t.Parallel()
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		events, want := mixed(10_000)
		for name, run := range map[string]func(t *testing.T, pool *pgxpool.Pool) error{
			"riding": func(t *testing.T, pool *pgxpool.Pool) error {
				return newOutbox(t, pool, outbox.Options{}).InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
					return gen.InsertAll(ctx, tx, insertRows, events...)
				})
			},
			"riding, one by one": func(t *testing.T, pool *pgxpool.Pool) error {
				return newOutbox(t, pool, outbox.Options{}).InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
					for _, e := range events {
						if err := gen.Insert(ctx, tx, insertRows, e); err != nil {
							return err
						}
					}
					return nil
				})
			},
			"after a raw savepoint": func(t *testing.T, pool *pgxpool.Pool) error {
				return newOutbox(t, pool, outbox.Options{}).InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
					_, err := tx.Exec(ctx, "savepoint a")
					return errors.Join(err, gen.InsertAll(ctx, tx, insertRows, events...))
				})
			},
			"plain": func(t *testing.T, pool *pgxpool.Pool) error {
				return pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
					return gen.InsertAll(t.Context(), tx, insertRows, events...)
				})
			},
			"without batches": func(t *testing.T, pool *pgxpool.Pool) error {
				return pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
					return gen.InsertAll(t.Context(), bare{tx}, insertRows, events...)
				})
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				pg := open(t)
				if err := run(t, pg.Pool); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, aggregateIDs(outboxtest.Pending(t, pg.Pool))); diff != "" {
					t.Errorf("order (-want +got):\n%s", diff)
				}
			})
		}
	})
}

// bare is a Transaction that is not a pgx.Tx.
type bare struct{ outbox.Transaction }

// Every query mode of pgx, including those for poolers, inserts single and many events.
func TestEveryQueryExecMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			pg := newDatabase(t)
			ob := newOutbox(t, newProxy(t, pg.URL, mode).Pool, outbox.Options{})
			recorder := outboxtest.NewRecorder(t)
			id := 0
			opts := fixed(outbox.WithMetadata("hard", "<&> \u2028 \" \\ é"), outbox.WithNewID(func() (uuid.UUID, error) {
				id++
				return outbox.DeterministicID(uuid.NameSpaceURL, key(id)), nil
			}))
			insert := func(ctx context.Context, tx outbox.Transaction) error {
				id = 0
				return errors.Join(
					InsertGraded(ctx, tx, Graded{EssayID: "single"}, opts...),
					InsertGraded(ctx, tx, Graded{EssayID: "its partition"}, append(opts, outbox.WithPartition(0))...),
					gen.InsertAll(ctx, tx, insertRows, outbox.With(Graded{EssayID: "many"}, append(opts, outbox.WithPartition(3))...),
						outbox.With(Moved{To: "x"}, append(opts, outbox.WithAggregateID("unkeyed"))...)))
			}
			if err := errors.Join(insert(t.Context(), recorder),
				ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error { return insert(ctx, tx) })); err != nil {
				t.Fatal(err)
			}
			var want, got []any
			for _, r := range recorder.Rows() {
				want = append(want, printable(r))
			}
			for _, r := range outboxtest.Pending(t, pg.Pool) {
				got = append(got, printable(outbox.Row{
					ID: r.ID, AggregateType: r.AggregateType, AggregateID: r.AggregateID, EventType: r.EventType, Topic: r.Topic, Key: r.Key,
					Partition: r.Partition, Data: r.Data, Headers: r.Headers, CorrelationID: r.ID.String(),
				}))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A table without what only some events need takes all others.
func TestATableOfAnOlderShape(t *testing.T) {
	t.Parallel()
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		pg := open(t)
		drop := func(what string) {
			if _, err := pg.Pool.Exec(t.Context(), what); err != nil {
				t.Fatal(err)
			}
		}
		ob := newOutbox(t, pg.Pool, outbox.Options{})
		insert := func(opts ...outbox.Option) error {
			return ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
				return gen.InsertAll(ctx, tx, insertRows, outbox.With(event(1), opts...), event(2))
			})
		}
		drop("DROP TABLE event_outbox_delayed")
		if err := insert(outbox.WithDeliverAt(time.Now().Add(time.Hour))); err == nil || !strings.Contains(err.Error(), "(the table of delayed events is missing") {
			t.Errorf("with a time: %v", err)
		}
		drop("ALTER TABLE event_outbox DROP COLUMN partition")
		if err := insert(outbox.WithPartition(1)); err == nil || !strings.Contains(err.Error(), "(the outbox table has an older shape: apply the upgrade that `outboxgen migration") {
			t.Errorf("with a partition: %v", err)
		}
		if err := insert(); err != nil {
			t.Error(err)
		}
		var rows int
		if err := pg.Pool.QueryRow(t.Context(), "SELECT count(*) FROM event_outbox").Scan(&rows); err != nil || rows != 2 {
			t.Errorf("%d rows, %v", rows, err)
		}
	})
}

// Everything that a writer does works in each of the modes.
func TestInEveryQueryExecMode(t *testing.T) {
	t.Parallel()
	querymode.Repeat(t, "^Test(PlainTransaction|TxPassesThrough|Queue|DelayedEvents|DelayedEventWithAnID|CancelDelayed|TombstonesAreStoredAsNull|DeterministicIDs|LeastPrivileges|EventsKeepTheirMeaning)$")
}

// An event on the caller's batch is inserted by the batch, and shares its fate.
func TestQueue(t *testing.T) {
	t.Parallel()
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		pg := open(t)
		var log text
		ob := newOutbox(t, pg.Pool, outbox.Options{Logger: log.logger()})
		run := func(end error) error {
			return ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
				var batch pgx.Batch
				batch.Queue("update essay set grade = grade + 1")
				if err := gen.Queue(ctx, &batch, insertRows, event(1), outbox.WithID(uuid.NameSpaceDNS), outbox.WithCorrelationID("c")); err != nil {
					return err
				}
				return errors.Join(tx.SendBatch(ctx, &batch).Close(), end)
			})
		}
		if err := run(errBusiness); !errors.Is(err, errBusiness) {
			t.Fatal(err)
		}
		if diff := cmp.Diff(state{}, readState(t, pg.Pool)); diff != "" || log.String() != "" {
			t.Errorf("rolled back (-want +got):\n%s\nlog:\n%s", diff, log.String())
		}
		if err := run(nil); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(state{1, []int{1}}, readState(t, pg.Pool)); diff != "" {
			t.Errorf("committed (-want +got):\n%s", diff)
		}
		want := `level=INFO msg="event committed" event_type=school.essay.graded.v1 event_id=6ba7b810-9dad-11d1-80b4-00c04fd430c8 ` +
			"aggregate_type=essay aggregate_id=e1 topic=school.essay.graded.v1 correlation_id=c\n"
		if diff := cmp.Diff(want, log.String()); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

// Nothing is inserted when one of the events cannot be.
func TestInsertAllIsAllOrNothing(t *testing.T) {
	t.Parallel()
	for name, tx := range map[string]outbox.Transaction{"recorder": outboxtest.NewRecorder(t), "plain": &statements{}} {
		err := gen.InsertAll(t.Context(), tx, insertRows, event(1), event(-1), event(2))
		violations := isError[*outbox.ValidationError](t, err).Violations
		want := []outbox.Violation{{Pointer: "/grade", Rule: "minimum", Message: "must be at least 0"}}
		if diff := cmp.Diff(want, violations); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	recorder := outboxtest.NewRecorder(t)
	if err := gen.InsertAll(t.Context(), recorder, insertRows, event(1), nil); err == nil || len(recorder.Rows()) != 0 {
		t.Errorf("a nil event: %v, %d rows", err, len(recorder.Rows()))
	}
}

// statements is a fake Transaction that counts, and reports every row as inserted.
type statements struct {
	outbox.Transaction
	rows []int
}

func (s *statements) Exec(_ context.Context, _ string, args ...any) (pgconn.CommandTag, error) {
	n := 1
	if ids, many := args[0].([]pgtype.UUID); many {
		n = len(ids)
	}
	s.rows = append(s.rows, n)
	return pgconn.NewCommandTag(fmt.Sprintf("INSERT 0 %d", n)), nil
}

// A statement takes up to a thousand rows, a few megabytes, and one event whose
// id was given.
func TestInsertAllChunks(t *testing.T) {
	t.Parallel()
	big := json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)
	given := outbox.With(event(1), outbox.WithID(uuid.NameSpaceDNS))
	for name, test := range map[string]struct {
		events []outbox.Event
		want   []int
	}{
		"by rows":  {events: repeat(event(1), 2001), want: []int{1000, 1000, 1}},
		"by bytes": {events: repeat(outbox.With(event(1), outbox.WithMetadata("big", big)), 7), want: []int{3, 3, 1}},
		"by given ids": {
			events: []outbox.Event{event(1), event(1), given, given, event(1)},
			want:   []int{2, 1, 1, 1},
		},
	} {
		var tx statements
		if err := gen.InsertAll(t.Context(), &tx, insertRows, test.events...); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, tx.rows); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func repeat(e outbox.Event, n int) []outbox.Event {
	events := make([]outbox.Event, n)
	for i := range events {
		events[i] = e
	}
	return events
}

func TestNilEvent(t *testing.T) {
	const want = "outbox: event 2 of 2 is nil"
	for name, event := range map[string]outbox.Event{"nil": nil, "nil with options": outbox.With(nil, outbox.WithKey("k"))} {
		for on, tx := range map[string]outbox.Transaction{
			"transaction": accepting{2}, "recorder": &outboxtest.Recorder{Options: []outbox.Option{outbox.WithKey("k")}},
		} {
			if err := gen.InsertAll(t.Context(), tx, insertRows, Graded{EssayID: "e1"}, event); err == nil || err.Error() != want {
				t.Errorf("%s on a %s: %v, not %q", name, on, err, want)
			}
		}
	}
}
