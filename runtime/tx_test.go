package outbox_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

var errBusiness = errors.New("business")

// Every way to end a transaction, and what is left of the business row and the
// events.
func TestInTxIsAtomic(t *testing.T) {
	t.Parallel()
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		type fn = func(ctx context.Context, tx *outbox.Tx) error
		insert := func(ctx context.Context, tx outbox.Transaction, grades ...int) error {
			for _, g := range grades {
				if err := InsertGraded(ctx, tx, event(g)); err != nil {
					return err
				}
			}
			return nil
		}
		// nested runs do in a nested transaction and ends that.
		nested := func(ctx context.Context, tx pgx.Tx, commit bool, do func(tx pgx.Tx) error) error {
			inner, err := tx.Begin(ctx)
			if err != nil {
				return err
			}
			if err := do(inner); err != nil {
				return err
			}
			if commit {
				return inner.Commit(ctx)
			}
			return inner.Rollback(ctx)
		}
		exec := func(ctx context.Context, tx outbox.DBTX, sql string) error {
			_, err := tx.Exec(ctx, sql)
			return err
		}
		steps := errors.Join

		for name, test := range map[string]struct {
			run  fn
			err  error
			want state
		}{
			"commit": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					_, err := raise(ctx, tx, "e1")
					return steps(err, insert(ctx, tx, 1, 2))
				},
				want: state{1, []int{1, 2}},
			},
			"commit without events": {
				run:  func(ctx context.Context, tx *outbox.Tx) error { _, err := raise(ctx, tx, "e1"); return err },
				want: state{1, nil},
			},
			"the function fails": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					_, err := raise(ctx, tx, "e1")
					return steps(err, insert(ctx, tx, 1), errBusiness)
				},
				err: errBusiness,
			},
			"a nested transaction commits": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					return steps(insert(ctx, tx, 1),
						nested(ctx, tx, true, func(tx pgx.Tx) error { return insert(ctx, tx, 2) }),
						insert(ctx, tx, 3))
				},
				want: state{0, []int{1, 2, 3}},
			},
			"a nested transaction rolls back": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					return steps(insert(ctx, tx, 1),
						nested(ctx, tx, false, func(tx pgx.Tx) error {
							_, err := raise(ctx, tx, "e1")
							return steps(err, insert(ctx, tx, 2))
						}),
						insert(ctx, tx, 3))
				},
				want: state{0, []int{1, 3}},
			},
			"nested twice, the outer one rolls back": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					return steps(insert(ctx, tx, 1), nested(ctx, tx, false, func(tx pgx.Tx) error {
						return steps(insert(ctx, tx, 2),
							nested(ctx, tx, true, func(tx pgx.Tx) error { return insert(ctx, tx, 3) }))
					}))
				},
				want: state{0, []int{1}},
			},
			"nested twice, the inner one rolls back": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					return steps(nested(ctx, tx, true, func(tx pgx.Tx) error {
						return steps(insert(ctx, tx, 2),
							nested(ctx, tx, false, func(tx pgx.Tx) error { return insert(ctx, tx, 3) }),
							insert(ctx, tx, 4))
					}))
				},
				want: state{0, []int{2, 4}},
			},
			"an event on the outer Tx belongs to the open savepoint": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					return nested(ctx, tx, false, func(pgx.Tx) error { return insert(ctx, tx, 1) })
				},
			},
			"a failed statement in a nested transaction that rolls back": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					return steps(insert(ctx, tx, 1), nested(ctx, tx, false, func(tx pgx.Tx) error {
						_ = exec(ctx, tx, `select 1/0`)
						return insert(ctx, tx, 2)
					}))
				},
				want: state{0, []int{1}},
			},
			"pgx.BeginFunc, one commits and one fails": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					failed := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return steps(insert(ctx, tx, 1), errBusiness) })
					if !errors.Is(failed, errBusiness) {
						return failed
					}
					return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return insert(ctx, tx, 2) })
				},
				want: state{0, []int{2}},
			},
			"a nested transaction that is left open": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					inner, err := tx.Begin(ctx)
					return steps(err, insert(ctx, inner, 1))
				},
				want: state{0, []int{1}},
			},
			"a raw savepoint is rolled back": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					return steps(insert(ctx, tx, 1), exec(ctx, tx, `SAVEPOINT a`), insert(ctx, tx, 2),
						exec(ctx, tx, `/* away */ rollback to savepoint A`), insert(ctx, tx, 3))
				},
				want: state{0, []int{1, 3}},
			},
			"RELEASE is refused after a failure, and the savepoint rolled back to": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					err := steps(exec(ctx, tx, `savepoint s`), insert(ctx, tx, 1))
					_ = exec(ctx, tx, `select 1/0`)
					if exec(ctx, tx, `release s`) == nil {
						return errors.New("released")
					}
					return steps(err, exec(ctx, tx, `rollback to s`), insert(ctx, tx, 2))
				},
				want: state{0, []int{2}},
			},
			"SAVEPOINT is refused after a failure, and the outer one of its name rolled back to": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					err := steps(exec(ctx, tx, `savepoint s`), insert(ctx, tx, 1))
					_ = exec(ctx, tx, `select 1/0`)
					if exec(ctx, tx, `savepoint s`) == nil {
						return errors.New("opened")
					}
					return steps(err, exec(ctx, tx, `rollback to s`), insert(ctx, tx, 2))
				},
				want: state{0, []int{2}},
			},
			"a raw savepoint is released": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					return steps(insert(ctx, tx, 1), exec(ctx, tx, `savepoint a`), insert(ctx, tx, 2),
						exec(ctx, tx, `release a`), insert(ctx, tx, 3))
				},
				want: state{0, []int{1, 2, 3}},
			},
			"a raw savepoint in a batch": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					var batch pgx.Batch
					batch.Queue(`update essay set grade = grade + 1`)
					batch.Queue(`savepoint a`)
					return steps(insert(ctx, tx, 1), tx.SendBatch(ctx, &batch).Close(), insert(ctx, tx, 2),
						exec(ctx, tx, `rollback to a`))
				},
				want: state{1, []int{1}},
			},
			"a raw savepoint within a nested transaction that rolls back": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					return steps(insert(ctx, tx, 1), nested(ctx, tx, false, func(tx pgx.Tx) error {
						return steps(insert(ctx, tx, 2), exec(ctx, tx, `savepoint a`), insert(ctx, tx, 3))
					}), insert(ctx, tx, 4))
				},
				want: state{0, []int{1, 4}},
			},
			"COMMIT as SQL":          {run: func(ctx context.Context, tx *outbox.Tx) error { return exec(ctx, tx, "commit") }, err: outbox.ErrTransactionControl},
			"ROLLBACK hidden in SQL": {run: func(ctx context.Context, tx *outbox.Tx) error { return exec(ctx, tx, "select ';'; -- ;\n ABORT") }, err: outbox.ErrTransactionControl},
			"Commit whose error is dropped": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					_ = tx.Commit(ctx)
					return insert(ctx, tx, 1)
				},
				err: outbox.ErrTransactionControl,
			},
			"Rollback whose error is dropped": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					_ = tx.Rollback(ctx)
					return insert(ctx, tx, 1)
				},
				err: outbox.ErrTransactionControl,
			},
			"COMMIT past the Tx": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					return steps(insert(ctx, tx, 1), func() error { _, err := tx.Conn().Exec(ctx, "commit"); return err }())
				},
				err: outbox.ErrTransactionControl,
			},
			"a failed statement whose error is dropped": {
				run: func(ctx context.Context, tx *outbox.Tx) error {
					_ = exec(ctx, tx, `select 1/0`)
					return insert(ctx, tx, 1)
				},
				err: pgx.ErrTxCommitRollback,
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				pg := open(t)
				ob := newOutbox(t, pg.Pool, outbox.Options{})
				err := ob.InTx(t.Context(), test.run)
				if !errors.Is(err, test.err) {
					t.Errorf("InTx = %v, want %v", err, test.err)
				}
				if diff := cmp.Diff(test.want, readState(t, pg.Pool)); diff != "" {
					t.Errorf("what is left (-want +got):\n%s", diff)
				}
			})
		}
	})
}

// The service of the example works.
func TestServiceOfTheExample(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	s := &service{newOutbox(t, pg.Pool, outbox.Options{})}
	for want := 1; want <= 2; want++ {
		if grade, err := s.raise(t.Context(), "e1"); err != nil || grade != want {
			t.Fatalf("raise = %d, %v, want %d", grade, err, want)
		}
	}
	if diff := cmp.Diff(state{2, []int{1, 2}}, readState(t, pg.Pool)); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
}

func TestInTxPanicRollsBackAndGoesOn(t *testing.T) {
	t.Parallel()
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		pg := open(t)
		ob := newOutbox(t, pg.Pool, outbox.Options{})
		defer func() {
			if r := recover(); r != "oh" {
				t.Errorf("recovered %v, want the panic of the function", r)
			}
			if diff := cmp.Diff(state{}, readState(t, pg.Pool)); diff != "" {
				t.Errorf("what is left (-want +got):\n%s", diff)
			}
		}()
		_ = ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
			if _, err := raise(ctx, tx, "e1"); err != nil {
				return err
			}
			if err := InsertGraded(ctx, tx, event(1)); err != nil {
				return err
			}
			panic("oh")
		})
	})
}

func TestTxIsClosedAfterItsFunction(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	ob := newOutbox(t, pg.Pool, outbox.Options{})
	var leaked *outbox.Tx
	if err := ob.InTx(t.Context(), func(_ context.Context, tx *outbox.Tx) error { leaked = tx; return nil }); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	_, execErr := leaked.Exec(ctx, "select 1")
	rows, queryErr := leaked.Query(ctx, "select 1")
	rows.Close()
	_, beginErr := leaked.Begin(ctx)
	_, copyErr := leaked.CopyFrom(ctx, pgx.Identifier{"essay"}, nil, nil)
	_, prepareErr := leaked.Prepare(ctx, "a", "select 1")
	for name, err := range map[string]error{
		"Exec": execErr, "Query": queryErr, "QueryRow": leaked.QueryRow(ctx, "select 1").Scan(), "Begin": beginErr, "CopyFrom": copyErr,
		"Prepare": prepareErr, "Commit": leaked.Commit(ctx), "Rollback": leaked.Rollback(ctx),
		"SendBatch": leaked.SendBatch(ctx, &pgx.Batch{}).Close(), "Insert": InsertGraded(ctx, leaked, event(1)),
	} {
		if !errors.Is(err, pgx.ErrTxClosed) || !strings.Contains(err.Error(), "use it only inside the function given to InTx") {
			t.Errorf("%s = %v, want pgx.ErrTxClosed and where to use a Tx", name, err)
		}
	}
}

// All methods of pgx.Tx work on a Tx.
func TestTxPassesThrough(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	ob := newOutbox(t, pg.Pool, outbox.Options{})
	err := ob.InTxOptions(t.Context(), pgx.TxOptions{IsoLevel: pgx.Serializable}, func(ctx context.Context, tx *outbox.Tx) error {
		n, err := tx.CopyFrom(ctx, pgx.Identifier{"essay"}, []string{"id", "grade"}, pgx.CopyFromRows([][]any{{"e2", 5}, {"e3", 6}}))
		if err != nil || n != 2 {
			return fmt.Errorf("CopyFrom: %d, %w", n, err)
		}
		if _, err := tx.Prepare(ctx, "sum", "select sum(grade)::int, current_setting('transaction_isolation') from essay"); err != nil {
			return err
		}
		var sum int
		var isolation string
		if err := tx.QueryRow(ctx, "sum").Scan(&sum, &isolation); err != nil {
			return err
		}
		objects := tx.LargeObjects()
		if _, err := objects.Create(ctx, 0); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "select id from essay order by id")
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if diff := cmp.Diff([]string{"e1", "e2", "e3"}, ids); diff != "" || sum != 11 || isolation != "serializable" {
			return fmt.Errorf("ids %s sum %d isolation %s", diff, sum, isolation)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPrepareOfTransactionControlIsRefused(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	err := newOutbox(t, pg.Pool, outbox.Options{}).InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
		_, err := tx.Prepare(ctx, "sp", "savepoint a")
		return err
	})
	if !errors.Is(err, outbox.ErrTransactionControl) {
		t.Errorf("InTx = %v", err)
	}
}

func TestInTxRetriesWithAnEmptyList(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		retries int
		code    string
		tries   int
		want    state
	}{
		"serialization failure":   {retries: 2, code: "40001", tries: 2, want: state{1, []int{2}}},
		"deadlock":                {retries: 1, code: "40P01", tries: 2, want: state{1, []int{2}}},
		"not by default":          {retries: 0, code: "40001", tries: 1},
		"not for any other error": {retries: 2, code: "23505", tries: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pg := newDatabase(t)
			ob := newOutbox(t, pg.Pool, outbox.Options{MaxRetries: test.retries})
			tries := 0
			err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
				tries++
				if _, err := raise(ctx, tx, "e1"); err != nil {
					return err
				}
				if err := InsertGraded(ctx, tx, event(tries)); err != nil {
					return err
				}
				if tries == 1 {
					_, err := tx.Exec(ctx, fmt.Sprintf(`do $$ begin raise exception 'x' using errcode = '%s'; end $$`, test.code))
					return fmt.Errorf("wrapped: %w", err)
				}
				return nil
			})
			if failed := test.tries == 1; (err != nil) != failed {
				t.Errorf("InTx = %v", err)
			}
			if tries != test.tries {
				t.Errorf("%d tries, want %d", tries, test.tries)
			}
			if diff := cmp.Diff(test.want, readState(t, pg.Pool)); diff != "" {
				t.Errorf("what is left (-want +got):\n%s", diff)
			}
		})
	}
}

// A plain pgx.Tx inserts at once, and is atomic too.
func TestPlainTransaction(t *testing.T) {
	t.Parallel()
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		for _, commit := range []bool{true, false} {
			pg := open(t)
			tx, err := pg.Pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var outcome outbox.Outcome
			if err := InsertGraded(t.Context(), tx, event(7), outbox.WithOutcome(&outcome)); err != nil {
				t.Fatal(err)
			}
			if !outcome.Known || !outcome.Inserted {
				t.Errorf("outcome %+v", outcome)
			}
			end, want := tx.Rollback, state{}
			if commit {
				end, want = tx.Commit, state{0, []int{7}}
			}
			if err := end(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, readState(t, pg.Pool)); diff != "" {
				t.Errorf("commit %v (-want +got):\n%s", commit, diff)
			}
		}
	})
}

// seq must follow the order in which transactions held the row's lock. A second
// transaction locks, and commits, between the first one's insert and its lock.
func TestSeqFollowsTheLockOrder(t *testing.T) {
	t.Parallel()
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		// late inserts the event of grade 2, lets early finish with grade 1, and only
		// then takes the lock.
		interleave := func(ctx context.Context, early func() error, late outbox.Transaction) error {
			if err := InsertGraded(ctx, late, event(2)); err != nil {
				return err
			}
			if err := early(); err != nil {
				return err
			}
			_, err := raise(ctx, late, "e1")
			return err
		}
		early := func(ctx context.Context, ob *outbox.Outbox) func() error {
			return func() error {
				return ob.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
					if _, err := raise(ctx, tx, "e1"); err != nil {
						return err
					}
					return InsertGraded(ctx, tx, event(1))
				})
			}
		}

		t.Run("riding with COMMIT", func(t *testing.T) {
			t.Parallel()
			pg := open(t)
			ob := newOutbox(t, pg.Pool, outbox.Options{})
			err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error { return interleave(ctx, early(ctx, ob), tx) })
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(state{2, []int{1, 2}}, readState(t, pg.Pool)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
		t.Run("at once, the naive way, it does not", func(t *testing.T) {
			t.Parallel()
			pg := open(t)
			ob := newOutbox(t, pg.Pool, outbox.Options{})
			err := pgx.BeginFunc(t.Context(), pg.Pool, func(tx pgx.Tx) error { return interleave(t.Context(), early(t.Context(), ob), tx) })
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(state{2, []int{2, 1}}, readState(t, pg.Pool)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	})
}

func TestSeqFollowsTheLockOrderUnderLoad(t *testing.T) {
	t.Parallel()
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		pg := open(t)
		ob := newOutbox(t, pg.Pool, outbox.Options{})
		const writers, each = 8, 40
		failed := make(chan error, writers)
		for range writers {
			go func() {
				failed <- func() error {
					for range each {
						err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
							grade, err := raise(ctx, tx, "e1")
							if err != nil {
								return err
							}
							return InsertGraded(ctx, tx, event(grade))
						})
						if err != nil {
							return err
						}
					}
					return nil
				}()
			}()
		}
		for range writers {
			if err := <-failed; err != nil {
				t.Fatal(err)
			}
		}
		want := state{Grade: writers * each}
		for i := range writers * each {
			want.Events = append(want.Events, i+1)
		}
		if diff := cmp.Diff(want, readState(t, pg.Pool)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestSafeToRetry(t *testing.T) {
	t.Parallel()
	serialization := &pgconn.PgError{Code: "40001"}
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"nil":                   {nil, false},
		"serialization failure": {fmt.Errorf("x: %w", serialization), true},
		"unknown commit":        {&outbox.CommitUnknownError{Err: serialization}, false},
		"business":              {errBusiness, false},
		// lib/pq returns it for EOF after COMMIT.
		"a connection of database/sql that broke": {driver.ErrBadConn, false},
	} {
		if got := outbox.SafeToRetry(test.err); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
