package outbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// in returns the statements that outboxgen generates for a table in the schema.
func in(schema string) gen.SQL {
	qualified := pgx.Identifier{schema, "event_outbox"}.Sanitize()
	return gen.SQL{
		One:  strings.ReplaceAll(insertEvent, "event_outbox", qualified),
		Many: strings.ReplaceAll(insertEvents, "event_outbox", qualified),
	}
}

// The generated CancelDelayed deletes from the table of the insert functions, not from the
// one that the search_path leads to.
func TestCancelDelayedInTheSchemaOfTheInserts(t *testing.T) {
	t.Parallel()
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		pg := open(t)
		const schema = `the "app"`
		_, err := pg.Pool.Exec(t.Context(), fmt.Sprintf(`ALTER SCHEMA public RENAME TO %[1]s; CREATE SCHEMA public;
			CREATE TABLE public.event_outbox_delayed (LIKE %[1]s.event_outbox_delayed INCLUDING ALL);
			GRANT USAGE ON SCHEMA public, %[1]s TO public`, pgx.Identifier{schema}.Sanitize()))
		if err != nil {
			t.Fatal(err)
		}
		ob := newOutbox(t, pg.Pool, outbox.Options{})
		before, same := uuid.New(), uuid.New()
		insert := func(ctx context.Context, tx outbox.Transaction, id uuid.UUID) error {
			return gen.Insert(ctx, tx, in(schema), Graded{EssayID: "e1"}, outbox.WithID(id), outbox.WithDeliverAt(distant))
		}
		var got []bool
		note := func(found bool, err error) error {
			got = append(got, found)
			return err
		}
		cancel := func(ctx context.Context, tx outbox.Transaction, id uuid.UUID) error {
			return errors.Join(
				note(outbox.CancelDelayed(ctx, tx, id)), // the table of the search_path
				note(gen.CancelDelayed(ctx, tx, in(schema), id)),
				note(gen.CancelDelayed(ctx, tx, in(schema), id)),
			)
		}
		for _, step := range []func(context.Context, *outbox.Tx) error{
			func(ctx context.Context, tx *outbox.Tx) error { return insert(ctx, tx, before) },
			func(ctx context.Context, tx *outbox.Tx) error { return cancel(ctx, tx, before) },
			func(ctx context.Context, tx *outbox.Tx) error {
				return errors.Join(insert(ctx, tx, same), cancel(ctx, tx, same))
			},
		} {
			if err := ob.InTx(t.Context(), step); err != nil {
				t.Fatal(err)
			}
		}
		err = pgx.BeginFunc(t.Context(), pg.Pool, func(tx pgx.Tx) error {
			return errors.Join(insert(t.Context(), tx, same), cancel(t.Context(), tx, same))
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []bool{false, true, false, false, true, false, false, true, false}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("cancelled (-want +got):\n%s", diff)
		}
	})
	r := outboxtest.NewRecorder(t)
	if err := InsertGraded(t.Context(), r, Graded{EssayID: "e1"}, outbox.WithDeliverAt(distant)); err != nil {
		t.Fatal(err)
	}
	if found, err := gen.CancelDelayed(t.Context(), r, in("app"), outboxtest.One[Graded](t, r).Row.ID); !found || err != nil {
		t.Errorf("on a Recorder: %t, %v", found, err)
	}
}

// An event that is taken while a transaction with a snapshot runs cannot be cancelled in it.
// The transaction runs again, and then the answer is that nothing waits.
func TestCancelDelayedBesideTheRelay(t *testing.T) {
	t.Parallel()
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		for level, want := range map[pgx.TxIsoLevel][]string{
			pgx.ReadCommitted:  {"false"},
			pgx.RepeatableRead: {"retry", "false"},
			pgx.Serializable:   {"retry", "false"},
		} {
			for _, retries := range []int{0, 3} {
				t.Run(fmt.Sprintf("%s with %d retries", level, retries), func(t *testing.T) {
					pg := open(t)
					ob := newOutbox(t, pg.Pool, outbox.Options{MaxRetries: retries})
					id := uuid.New()
					err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
						return InsertGraded(ctx, tx, Graded{EssayID: "e1"}, outbox.WithID(id), outbox.WithDeliverAt(distant))
					})
					if err != nil {
						t.Fatal(err)
					}
					var got []string
					err = ob.InTxOptions(t.Context(), pgx.TxOptions{IsoLevel: level}, func(ctx context.Context, tx *outbox.Tx) error {
						var seen int
						if err := tx.QueryRow(ctx, `SELECT count(*) FROM event_outbox_delayed`).Scan(&seen); err != nil {
							return err
						}
						if len(got) == 0 { // what the relay does when the time has come
							if _, err := pg.Pool.Exec(ctx, `DELETE FROM event_outbox_delayed WHERE id = $1`, id); err != nil {
								return err
							}
						}
						found, err := outbox.CancelDelayed(ctx, tx, id)
						switch {
						case err == nil:
							got = append(got, fmt.Sprint(found))
						case outbox.SafeToRetry(err) && strings.Contains(err.Error(), "run the transaction again, as InTx does with Options.MaxRetries"):
							got = append(got, "retry")
						default:
							got = append(got, err.Error())
						}
						return err
					})
					want := want[:min(len(want), retries+1)]
					if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (want[len(want)-1] == "false") {
						t.Errorf("error %v; runs (-want +got):\n%s", err, diff)
					}
				})
			}
		}
	})
}

// An event that its own transaction cancelled was never there, so it is not logged.
func TestCancelledEventsAreNotLogged(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	a, b := uuid.New(), uuid.New()
	insert := func(ctx context.Context, tx pgx.Tx, ids ...uuid.UUID) error {
		var events []outbox.Event
		for i, id := range ids {
			events = append(events, outbox.With(Graded{EssayID: fmt.Sprint(i)}, outbox.WithID(id), outbox.WithDeliverAt(distant)))
		}
		return gen.InsertAll(ctx, tx.(outbox.Transaction), insertRows, events...)
	}
	cancel := func(ctx context.Context, tx pgx.Tx, ids ...uuid.UUID) error {
		for _, id := range ids {
			if found, err := outbox.CancelDelayed(ctx, tx.(outbox.Transaction), id); err != nil || !found {
				return fmt.Errorf("cancel: %t, %w", found, err)
			}
		}
		return nil
	}
	exec := func(ctx context.Context, tx *outbox.Tx, sql string) error {
		_, err := tx.Exec(ctx, sql)
		return err
	}
	nested := func(ctx context.Context, tx *outbox.Tx, commit bool, id uuid.UUID) error {
		inner, err := tx.Begin(ctx)
		if err != nil {
			return err
		}
		if err := cancel(ctx, inner, id); err != nil {
			return err
		}
		if commit {
			return inner.Commit(ctx)
		}
		return inner.Rollback(ctx)
	}
	for name, test := range map[string]struct {
		run  func(ctx context.Context, tx *outbox.Tx) error
		want []string
	}{
		"one of two": {func(ctx context.Context, tx *outbox.Tx) error {
			return errors.Join(insert(ctx, tx, a, b), cancel(ctx, tx, a))
		}, []string{"b"}},
		"both": {func(ctx context.Context, tx *outbox.Tx) error {
			return errors.Join(insert(ctx, tx, a, b), cancel(ctx, tx, b, a))
		}, nil},
		"inserted again": {func(ctx context.Context, tx *outbox.Tx) error {
			return errors.Join(insert(ctx, tx, a), cancel(ctx, tx, a), insert(ctx, tx, a))
		}, []string{"a"}},
		"in a savepoint that stays": {func(ctx context.Context, tx *outbox.Tx) error {
			return errors.Join(insert(ctx, tx, a, b), nested(ctx, tx, true, a))
		}, []string{"b"}},
		"in a savepoint that is rolled back": {func(ctx context.Context, tx *outbox.Tx) error {
			return errors.Join(insert(ctx, tx, a, b), nested(ctx, tx, false, a))
		}, []string{"a", "b"}},
		"before and after a SAVEPOINT": {func(ctx context.Context, tx *outbox.Tx) error {
			return errors.Join(insert(ctx, tx, a, b), cancel(ctx, tx, a), exec(ctx, tx, `SAVEPOINT s`), cancel(ctx, tx, b), exec(ctx, tx, `ROLLBACK TO s`))
		}, []string{"b"}},
		"in a batch": {func(ctx context.Context, tx *outbox.Tx) error {
			var batch pgx.Batch
			err := gen.Queue(ctx, &batch, insertRows, Graded{EssayID: "0"}, outbox.WithID(a), outbox.WithDeliverAt(distant))
			return errors.Join(err, tx.SendBatch(ctx, &batch).Close(), insert(ctx, tx, b), cancel(ctx, tx, a))
		}, []string{"b"}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := pg.Pool.Exec(t.Context(), `TRUNCATE event_outbox_delayed`); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			ob := newOutbox(t, pg.Pool, outbox.Options{Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
			if err := ob.InTx(t.Context(), test.run); err != nil {
				t.Fatal(err)
			}
			letters := map[string]string{a.String(): "a", b.String(): "b"}
			var logged, there []string
			for line := range strings.Lines(log.String()) {
				var entry struct {
					Msg string `json:"msg"`
					ID  string `json:"event_id"`
				}
				err := json.Unmarshal([]byte(line), &entry)
				if err == nil && entry.Msg == "events committed" { // their number
					continue
				}
				if err != nil || entry.Msg != "event committed" {
					t.Errorf("line %s: %v", line, err)
				}
				logged = append(logged, letters[entry.ID])
			}
			for _, r := range outboxtest.Delayed(t, pg.Pool) {
				there = append(there, letters[r.ID.String()])
			}
			if diff := cmp.Diff([][]string{test.want, test.want}, [][]string{logged, there}); diff != "" {
				t.Errorf("logged and there (-want +got):\n%s", diff)
			}
		})
	}
}

// What to do about a write in a read-only transaction depends on who made it so.
func TestReadOnlyTransactionsSayWhy(t *testing.T) {
	t.Parallel()
	const mine, servers = "the transaction is READ ONLY: remove this access mode", "the connection goes to a standby or to a read-only server"
	insert := func(ctx context.Context, tx *outbox.Tx) error {
		return errors.Join(InsertGraded(ctx, tx, event(1)), tx.Flush(ctx))
	}
	for name, test := range map[string]struct {
		open    func(*testing.T) *services.PG
		options pgx.TxOptions
		run     func(ctx context.Context, tx *outbox.Tx) error
		want    bool // the server is a possible cause
	}{
		"the option": {func(t *testing.T) *services.PG { return newDatabase(t) }, pgx.TxOptions{AccessMode: pgx.ReadOnly}, insert, false},
		"a cancellation": {func(t *testing.T) *services.PG { return newDatabase(t) }, pgx.TxOptions{AccessMode: pgx.ReadOnly},
			func(ctx context.Context, tx *outbox.Tx) error {
				_, err := outbox.CancelDelayed(ctx, tx, uuid.New())
				return err
			}, false},
		"SET TRANSACTION": {func(t *testing.T) *services.PG { return newDatabase(t) }, pgx.TxOptions{}, func(ctx context.Context, tx *outbox.Tx) error {
			_, err := tx.Exec(ctx, `SET TRANSACTION READ ONLY`)
			return errors.Join(err, insert(ctx, tx))
		}, false},
		"the database": {readOnly, pgx.TxOptions{}, insert, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := newOutbox(t, test.open(t).Pool, outbox.Options{}).InTxOptions(t.Context(), test.options, test.run)
			if !outbox.IsReadOnly(err) || !strings.Contains(err.Error(), mine) || strings.Contains(err.Error(), servers) != test.want {
				t.Errorf("error %v", err)
			}
		})
	}
}
