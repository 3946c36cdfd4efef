package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/internal/pgroles"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// distant is a time that no test lives to see.
var distant = time.Date(2999, 12, 31, 23, 59, 59, 999_999_001, time.UTC)

// waiting describes the delayed events, in their order.
func waiting(t *testing.T, pg *services.PG) []string {
	t.Helper()
	var list []string
	for _, r := range outboxtest.Delayed(t, pg.Pool) {
		list = append(list, fmt.Sprintf("%s at %s", r.AggregateID, r.DeliverAt.UTC().Format(time.RFC3339Nano)))
	}
	return list
}

// A delayed event is inserted wherever any other one is, into its own table, and an
// event whose time has come, or that has none, is not delayed.
func TestDelayedEvents(t *testing.T) {
	t.Parallel()
	at := func(id string, at time.Time) outbox.Event {
		return outbox.With(Graded{EssayID: id}, outbox.WithDeliverAt(at))
	}
	events := []outbox.Event{
		Graded{EssayID: "a"}, at("b", distant.Add(time.Second)), at("c", distant), at("d", distant),
		at("e", time.Now().Add(-time.Hour)), at("f", time.Time{}), at("g", distant), Graded{EssayID: "h"},
	}
	wantWaiting := []string{
		"c at 3000-01-01T00:00:00Z", "d at 3000-01-01T00:00:00Z", "g at 3000-01-01T00:00:00Z", "b at 3000-01-01T00:00:01Z",
	}
	wantPending := []string{"a", "e", "f", "h"}
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		for name, run := range map[string]func(t *testing.T, pg *services.PG) error{
			"riding with COMMIT": func(t *testing.T, pg *services.PG) error {
				return newOutbox(t, pg.Pool, outbox.Options{}).InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
					return gen.InsertAll(ctx, tx, insertRows, events...)
				})
			},
			"one by one": func(t *testing.T, pg *services.PG) error {
				return newOutbox(t, pg.Pool, outbox.Options{}).InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
					for _, e := range events {
						if err := gen.Insert(ctx, tx, insertRows, e); err != nil {
							return err
						}
					}
					return nil
				})
			},
			"plain": func(t *testing.T, pg *services.PG) error {
				return pgx.BeginFunc(t.Context(), pg.Pool, func(tx pgx.Tx) error {
					return gen.InsertAll(t.Context(), tx, insertRows, events...)
				})
			},
			"queued": func(t *testing.T, pg *services.PG) error {
				return pgx.BeginFunc(t.Context(), pg.Pool, func(tx pgx.Tx) error {
					var batch pgx.Batch
					for _, e := range events {
						if err := gen.Queue(t.Context(), &batch, insertRows, e); err != nil {
							return err
						}
					}
					return tx.SendBatch(t.Context(), &batch).Close()
				})
			},
			"in a schema": func(t *testing.T, pg *services.PG) error {
				if _, err := pg.Pool.Exec(t.Context(), `ALTER SCHEMA public RENAME TO app`); err != nil {
					return err
				}
				inApp := gen.SQL{
					One:  strings.ReplaceAll(insertEvent, "event_outbox", `"app".event_outbox`),
					Many: strings.ReplaceAll(insertEvents, "event_outbox", `"app".event_outbox`),
				}
				err := pgx.BeginFunc(t.Context(), pg.Pool, func(tx pgx.Tx) error {
					return gen.InsertAll(t.Context(), tx, inApp, events...)
				})
				_, renamed := pg.Pool.Exec(t.Context(), `ALTER SCHEMA app RENAME TO public`)
				return errors.Join(err, renamed)
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				pg := open(t)
				if err := run(t, pg); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(wantWaiting, waiting(t, pg)); diff != "" {
					t.Errorf("delayed (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(wantPending, aggregateIDs(outboxtest.Pending(t, pg.Pool))); diff != "" {
					t.Errorf("not delayed (-want +got):\n%s", diff)
				}
			})
		}
	})
}

// The row of a delayed event is that of the same event without a delay, and its log line
// says when it is due.
func TestDelayedEventIsTheSameRow(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	var log bytes.Buffer
	ob := newOutbox(t, pg.Pool, outbox.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	same := []outbox.Option{outbox.WithTime(time.Unix(1, 0)), outbox.WithHeader("a", "b"), outbox.WithCorrelationID("c"), outbox.WithPartition(5)}
	row := map[bool]outboxtest.StoredRow{}
	for _, delayed := range []bool{true, false} {
		options := append([]outbox.Option{outbox.WithID(uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, "x")))}, same...)
		if delayed {
			options = append(options, outbox.WithDeliverAt(distant))
		}
		err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
			return InsertGraded(ctx, tx, Graded{EssayID: "e1", Grade: 3}, options...)
		})
		if err != nil {
			t.Fatal(err)
		}
		row[delayed] = outboxtest.RequireInserted(t, pg.Pool, graded.Type)
		if _, err := pg.Pool.Exec(t.Context(), `TRUNCATE event_outbox, event_outbox_delayed`); err != nil {
			t.Fatal(err)
		}
	}
	waits := row[true]
	if waits.DeliverAt == nil || !waits.DeliverAt.Equal(distant.Truncate(time.Second).Add(time.Second)) || row[false].DeliverAt != nil {
		t.Errorf("DeliverAt is %v with and %v without a delay", waits.DeliverAt, row[false].DeliverAt)
	}
	waits.DeliverAt, waits.Seq, waits.CreatedAt = nil, row[false].Seq, row[false].CreatedAt
	if diff := cmp.Diff(row[false], waits); diff != "" {
		t.Errorf("row (-without +with a delay):\n%s", diff)
	}
	if n := strings.Count(log.String(), "deliver_at=3000-01-01T00:00:00.000Z"); n != 1 {
		t.Errorf("%d log lines with the time, want 1:\n%s", n, &log)
	}
}

// An id is inserted once, whether the event waits, is delayed, or is due already.
func TestDelayedEventWithAnID(t *testing.T) {
	t.Parallel()
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		pg := open(t)
		ob := newOutbox(t, pg.Pool, outbox.Options{})
		insert := func(options ...outbox.Option) bool {
			t.Helper()
			var outcome outbox.Outcome
			err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
				return InsertGraded(ctx, tx, Graded{EssayID: "e1"}, append(options, outbox.WithOutcome(&outcome))...)
			})
			if err != nil || !outcome.Known {
				t.Fatalf("outcome %+v, error %v", outcome, err)
			}
			return outcome.Inserted
		}
		past := time.Now().Add(-time.Hour)
		waits, published := outbox.WithID(uuid.New()), outbox.WithID(uuid.New())
		got := []bool{
			insert(waits, outbox.WithDeliverAt(distant)), insert(waits, outbox.WithDeliverAt(distant)), insert(waits, outbox.WithDeliverAt(past)),
			insert(published), insert(published, outbox.WithDeliverAt(distant)), insert(published, outbox.WithDeliverAt(past)),
			insert(outbox.WithID(uuid.New()), outbox.WithDeliverAt(past)),
		}
		if diff := cmp.Diff([]bool{true, false, false, true, false, false, true}, got); diff != "" {
			t.Errorf("inserted (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]int{1, 2}, []int{len(outboxtest.Delayed(t, pg.Pool)), len(outboxtest.Pending(t, pg.Pool))}); diff != "" {
			t.Errorf("delayed and pending events (-want +got):\n%s", diff)
		}
	})
}

// A delayed event belongs to its savepoint, as any other one does.
func TestDelayedEventsOfASavepoint(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	err := newOutbox(t, pg.Pool, outbox.Options{}).InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
		insert := func(tx pgx.Tx, id string) error {
			return InsertGraded(ctx, tx.(outbox.Transaction), Graded{EssayID: id}, outbox.WithDeliverAt(distant))
		}
		if err := insert(tx, "a"); err != nil {
			return err
		}
		inner, err := tx.Begin(ctx)
		if err != nil {
			return err
		}
		err = errors.Join(insert(inner, "b"), inner.Rollback(ctx), insert(tx, "c"))
		for _, sql := range []string{"savepoint s", "", "rollback to s"} {
			if sql == "" {
				err = errors.Join(err, insert(tx, "d"))
				continue
			}
			_, execErr := tx.Exec(ctx, sql)
			err = errors.Join(err, execErr)
		}
		return errors.Join(err, insert(tx, "e"))
	})
	if err != nil {
		t.Fatal(err)
	}
	at := " at 3000-01-01T00:00:00Z"
	if diff := cmp.Diff([]string{"a" + at, "c" + at, "e" + at}, waiting(t, pg)); diff != "" {
		t.Errorf("delayed (-want +got):\n%s", diff)
	}
}

func TestCancelDelayed(t *testing.T) {
	t.Parallel()
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		pg := open(t)
		ob := newOutbox(t, pg.Pool, outbox.Options{})
		id, again := uuid.New(), uuid.New()
		var got []bool
		cancel := func(ctx context.Context, tx outbox.Transaction, id uuid.UUID) error {
			found, err := outbox.CancelDelayed(ctx, tx, id)
			got = append(got, found)
			return err
		}
		rollBack := errors.New("roll back")
		for _, step := range []func(ctx context.Context, tx *outbox.Tx) error{
			func(ctx context.Context, tx *outbox.Tx) error {
				return InsertGraded(ctx, tx, Graded{EssayID: "e1"}, outbox.WithID(id), outbox.WithDeliverAt(distant))
			},
			func(ctx context.Context, tx *outbox.Tx) error { return errors.Join(cancel(ctx, tx, id), rollBack) },
			func(ctx context.Context, tx *outbox.Tx) error { return cancel(ctx, tx, id) },
			func(ctx context.Context, tx *outbox.Tx) error { return cancel(ctx, tx, id) },
			func(ctx context.Context, tx *outbox.Tx) error { // an event of the same transaction
				return errors.Join(
					InsertGraded(ctx, tx, Graded{EssayID: "e2"}, outbox.WithID(again), outbox.WithDeliverAt(distant)), cancel(ctx, tx, again))
			},
		} {
			if err := ob.InTx(t.Context(), step); err != nil && !errors.Is(err, rollBack) {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]bool{true, true, false, true}, got); diff != "" {
			t.Errorf("cancelled (-want +got):\n%s", diff)
		}
		if left := waiting(t, pg); left != nil {
			t.Errorf("left: %q", left)
		}
	})
}

func TestARecorderHasDelayedEvents(t *testing.T) {
	t.Parallel()
	r := outboxtest.NewRecorder(t)
	if err := InsertGraded(t.Context(), r, Graded{EssayID: "e1"}, outbox.WithDeliverAt(distant)); err != nil {
		t.Fatal(err)
	}
	row := outboxtest.One[Graded](t, r).Row
	if want := distant.Truncate(time.Second).Add(time.Second); !row.DeliverAt.Equal(want) {
		t.Errorf("DeliverAt is %s, want %s", row.DeliverAt, want)
	}
	var got []bool
	for range 2 {
		found, err := outbox.CancelDelayed(t.Context(), r, row.ID)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, found)
	}
	if diff := cmp.Diff([]bool{true, false}, got); diff != "" {
		t.Errorf("cancelled (-want +got):\n%s", diff)
	}
}

func TestATimeThatCannotBeStored(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)} {
		_, err := Graded{EssayID: "e1"}.NewRow(t.Context(), outbox.WithDeliverAt(at))
		if err == nil || !strings.Contains(err.Error(), "the time given by WithDeliverAt is not in the years 1 to 9999") {
			t.Errorf("%s: error %v", at, err)
		}
	}
}

// What is missing for delayed events is named, with what to do.
func TestDelayedEventsThatAreRefused(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	roles := pgroles.Create(t, pg)
	conn, err := pgx.Connect(t.Context(), roles.Service.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	insert := func() error {
		return pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
			return InsertGraded(t.Context(), tx, Graded{EssayID: "e1"}, outbox.WithDeliverAt(distant))
		})
	}
	cancel := func() error {
		return pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
			_, err := outbox.CancelDelayed(t.Context(), tx, uuid.New())
			return err
		})
	}
	if err := errors.Join(insert(), cancel()); err != nil {
		t.Fatalf("with the privileges of a service: %v", err)
	}
	role := pgx.Identifier{roles.Service.Name}.Sanitize()
	grant := "GRANT INSERT, SELECT (id), DELETE ON event_outbox_delayed TO " + role
	const migration = "apply the statements about event_outbox_delayed that `outboxgen migration` and `outboxgen migration --grants` print"
	for _, step := range []struct {
		spoil string
		call  func() error
		want  string
	}{
		{"REVOKE DELETE ON event_outbox_delayed FROM " + role, cancel, grant},
		{"REVOKE INSERT (deliver_at) ON event_outbox_delayed FROM " + role, insert, grant},
		{"ALTER TABLE event_outbox_delayed RENAME TO gone", insert, migration},
		{"", cancel, migration},
	} {
		if _, err := pg.Pool.Exec(t.Context(), step.spoil); err != nil {
			t.Fatal(err)
		}
		if err := step.call(); err == nil || !strings.Contains(err.Error(), step.want) {
			t.Errorf("after %q: error %v, want one that says %q", step.spoil, err, step.want)
		}
	}
}
