package outboxsql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/outboxsql"
)

var errBusiness = errors.New("business")

// order stores an order and its event.
func order(ctx context.Context, tx *outboxsql.Tx, id string) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO orders VALUES ($1, 1)`, id); err != nil {
		return err
	}
	return insert(ctx, tx, id)
}

func exec(ctx context.Context, tx *outboxsql.Tx, query string) error {
	_, err := tx.ExecContext(ctx, query)
	return err
}

// Every way to end a transaction: what remains, what is logged, and whether the relay
// is woken.
func TestHowATransactionEnds(t *testing.T) {
	t.Parallel()
	steps := errors.Join
	for name, test := range map[string]struct {
		run  func(ctx context.Context, tx *outboxsql.Tx) error
		is   error // what the error is
		want kept
	}{
		"commit": {
			run: func(ctx context.Context, tx *outboxsql.Tx) error {
				return steps(order(ctx, tx, "a"), order(ctx, tx, "b"))
			},
			want: kept{[]string{"a", "b"}, []string{"a", "b"}},
		},
		"the function fails": {
			run: func(ctx context.Context, tx *outboxsql.Tx) error { return steps(order(ctx, tx, "a"), errBusiness) },
			is:  errBusiness,
		},
		"a statement fails and the function returns nil": {
			run: func(ctx context.Context, tx *outboxsql.Tx) error {
				err := order(ctx, tx, "a")
				_ = exec(ctx, tx, `SELECT 1/0`)
				return err
			},
			is: pgx.ErrTxCommitRollback,
		},
		"COMMIT as SQL": {
			run: func(ctx context.Context, tx *outboxsql.Tx) error {
				return steps(order(ctx, tx, "a"), exec(ctx, tx, `COMMIT`))
			},
			is: outbox.ErrTransactionControl,
		},
		"ROLLBACK as a query, its error ignored": {
			run: func(ctx context.Context, tx *outboxsql.Tx) error {
				err := order(ctx, tx, "a")
				_ = tx.QueryRowContext(ctx, `ROLLBACK`).Scan(new(string))
				return err
			},
			is: outbox.ErrTransactionControl,
		},
		"Rollback": {
			run: func(ctx context.Context, tx *outboxsql.Tx) error { return steps(order(ctx, tx, "a"), tx.Rollback(ctx)) },
			is:  outbox.ErrTransactionControl,
		},
		"a prepared COMMIT": {
			run: func(ctx context.Context, tx *outboxsql.Tx) error {
				statement, err := tx.PrepareContext(ctx, `COMMIT`)
				if err == nil {
					defer func() { _ = statement.Close() }()
				}
				return err
			},
			is: outbox.ErrTransactionControl,
		},
		"the function rolls back by itself": {
			run: func(ctx context.Context, tx *outboxsql.Tx) error {
				return steps(order(ctx, tx, "a"), tx.SQL().Rollback())
			},
			is: outbox.ErrTransactionControl,
		},
		"a deferred constraint fails": {
			run: func(ctx context.Context, tx *outboxsql.Tx) error {
				return steps(exec(ctx, tx, `CREATE TABLE later (id text REFERENCES orders DEFERRABLE INITIALLY DEFERRED)`),
					exec(ctx, tx, `INSERT INTO later VALUES ('none')`), order(ctx, tx, "a"))
			},
			is: errState("23503"),
		},
		"a savepoint is kept": {
			run: func(ctx context.Context, tx *outboxsql.Tx) error {
				return steps(order(ctx, tx, "a"), tx.Savepoint(ctx, func(ctx context.Context, tx *outboxsql.Tx) error {
					return order(ctx, tx, "b")
				}))
			},
			want: kept{[]string{"a", "b"}, []string{"a", "b"}},
		},
		"RELEASE is refused after a failure, and the savepoint rolled back to": {
			run: func(ctx context.Context, tx *outboxsql.Tx) error {
				err := steps(exec(ctx, tx, `SAVEPOINT s`), order(ctx, tx, "b"))
				_ = exec(ctx, tx, `SELECT 1/0`)
				if exec(ctx, tx, `RELEASE s`) == nil {
					return errors.New("released")
				}
				return steps(err, exec(ctx, tx, `ROLLBACK TO s`), order(ctx, tx, "a"))
			},
			want: kept{[]string{"a"}, []string{"a"}},
		},
		"SAVEPOINT is refused after a failure, and the outer one of its name rolled back to": {
			run: func(ctx context.Context, tx *outboxsql.Tx) error {
				err := steps(exec(ctx, tx, `SAVEPOINT s`), order(ctx, tx, "b"))
				_ = exec(ctx, tx, `SELECT 1/0`)
				if exec(ctx, tx, `SAVEPOINT s`) == nil {
					return errors.New("opened")
				}
				return steps(err, exec(ctx, tx, `ROLLBACK TO s`), order(ctx, tx, "a"))
			},
			want: kept{[]string{"a"}, []string{"a"}},
		},
		"a savepoint is dropped": {
			run: func(ctx context.Context, tx *outboxsql.Tx) error {
				err := tx.Savepoint(ctx, func(ctx context.Context, tx *outboxsql.Tx) error {
					return steps(order(ctx, tx, "b"), errBusiness)
				})
				if !errors.Is(err, errBusiness) {
					return fmt.Errorf("Savepoint returned %w", err)
				}
				return order(ctx, tx, "a")
			},
			want: kept{[]string{"a"}, []string{"a"}},
		},
		"a statement fails in a savepoint": {
			run: func(ctx context.Context, tx *outboxsql.Tx) error {
				_ = tx.Savepoint(ctx, func(ctx context.Context, tx *outboxsql.Tx) error {
					return steps(order(ctx, tx, "b"), exec(ctx, tx, `SELECT 1/0`))
				})
				return order(ctx, tx, "a")
			},
			want: kept{[]string{"a"}, []string{"a"}},
		},
		"a statement fails in a savepoint whose function returns nil": {
			run: func(ctx context.Context, tx *outboxsql.Tx) error {
				err := tx.Savepoint(ctx, func(ctx context.Context, tx *outboxsql.Tx) error {
					err := order(ctx, tx, "b")
					_ = exec(ctx, tx, `SELECT 1/0`)
					return err
				})
				if state := errState("25P02"); !state.is(err) {
					return fmt.Errorf("Savepoint returned %w", err)
				}
				return order(ctx, tx, "a")
			},
			want: kept{[]string{"a"}, []string{"a"}},
		},
		"the inner one of two savepoints is dropped": {
			run: func(ctx context.Context, tx *outboxsql.Tx) error {
				return tx.Savepoint(ctx, func(ctx context.Context, tx *outboxsql.Tx) error {
					_ = tx.Savepoint(ctx, func(ctx context.Context, tx *outboxsql.Tx) error {
						return steps(order(ctx, tx, "b"), errBusiness)
					})
					return order(ctx, tx, "a")
				})
			},
			want: kept{[]string{"a"}, []string{"a"}},
		},
		"the outer one of two savepoints is dropped": {
			run: func(ctx context.Context, tx *outboxsql.Tx) error {
				_ = tx.Savepoint(ctx, func(ctx context.Context, tx *outboxsql.Tx) error {
					return steps(tx.Savepoint(ctx, func(ctx context.Context, tx *outboxsql.Tx) error { return order(ctx, tx, "b") }), errBusiness)
				})
				return order(ctx, tx, "a")
			},
			want: kept{[]string{"a"}, []string{"a"}},
		},
		"a savepoint as SQL": {
			run: func(ctx context.Context, tx *outboxsql.Tx) error {
				return steps(order(ctx, tx, "a"), exec(ctx, tx, `SAVEPOINT s`), order(ctx, tx, "b"),
					exec(ctx, tx, `ROLLBACK TO s`), order(ctx, tx, "c"))
			},
			want: kept{[]string{"a", "c"}, []string{"a", "c"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			ob, seen := newOutbox(t, s.db, outbox.Options{})
			err := ob.InTx(t.Context(), test.run)
			var state errState
			isState := errors.As(test.is, &state)
			if isState && !state.is(err) || !isState && !errors.Is(err, test.is) || outbox.IsCommitUnknown(err) {
				t.Errorf("InTx = %v, want %v", err, test.is)
			}
			ob.Close()
			if diff := cmp.Diff(test.want, s.kept(t)); diff != "" {
				t.Errorf("left behind (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.want.Events, seen.committed()); diff != "" {
				t.Errorf("logged (-want +got):\n%s", diff)
			}
			wakes := 0
			if len(test.want.Events) > 0 {
				wakes = 1
			}
			if seen.wakes != wakes {
				t.Errorf("the relay was woken %d times, want %d", seen.wakes, wakes)
			}
			if n := s.db.Stats().InUse; n != 0 {
				t.Errorf("%d connections are still in use", n)
			}
		})
	}
}

// errState is an error with an SQLSTATE.
type errState string

func (e errState) Error() string { return "an error with SQLSTATE " + string(e) }

func (e errState) is(err error) bool {
	reported, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err)
	return ok && reported.SQLState() == string(e)
}

// After a panic or runtime.Goexit the transaction is rolled back, the connection is
// free, and the panic continues.
func TestAPanicRollsBack(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.db.SetMaxOpenConns(1)
	ob, _ := newOutbox(t, s.db, outbox.Options{})
	for name, run := range map[string]func(ctx context.Context, tx *outboxsql.Tx) error{
		"in the transaction": func(ctx context.Context, tx *outboxsql.Tx) error {
			panic(errors.Join(order(ctx, tx, "a"), errBusiness))
		},
		"in a savepoint": func(ctx context.Context, tx *outboxsql.Tx) error {
			return tx.Savepoint(ctx, func(ctx context.Context, tx *outboxsql.Tx) error {
				panic(errors.Join(order(ctx, tx, "a"), errBusiness))
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			func() {
				defer func() {
					if err, ok := recover().(error); !ok || !errors.Is(err, errBusiness) {
						t.Errorf("recovered %v", err)
					}
				}()
				t.Errorf("InTx returned %v", ob.InTx(t.Context(), run))
			}()
			if diff := cmp.Diff(kept{}, s.kept(t)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if err := ob.InTx(t.Context(), func(ctx context.Context, tx *outboxsql.Tx) error { return order(ctx, tx, "b") }); err != nil {
		t.Error(err)
	}
}

// The caller's context can end a transaction before COMMIT, and not after it.
func TestTheContextEnds(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	ob, _ := newOutbox(t, s.db, outbox.Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	err := ob.InTx(ctx, func(ctx context.Context, tx *outboxsql.Tx) error {
		err := order(ctx, tx, "a")
		cancel(errBusiness)
		return err
	})
	if !errors.Is(err, errBusiness) || outbox.IsCommitUnknown(err) {
		t.Errorf("InTx = %v", err)
	}
	if err := ob.InTx(ctx, func(context.Context, *outboxsql.Tx) error { t.Error("it ran"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("InTx = %v", err)
	}
	if diff := cmp.Diff(kept{}, s.kept(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A trigger that runs at COMMIT ends the session, so the server never answers. A COMMIT
// that takes too long has the same result.
func TestTheOutcomeOfCommitIsUnknown(t *testing.T) {
	t.Parallel()
	for name, atCommit := range map[string]string{
		"the session ends":     `PERFORM pg_terminate_backend(pg_backend_pid())`,
		"the server is silent": `PERFORM pg_advisory_xact_lock(7)`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			s.exec(t, `CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN `+atCommit+`; RETURN NULL; END'`)
			s.exec(t, `CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()`)
			holder := s.Connect(t.Context())
			if _, err := holder.Exec(t.Context(), `SELECT pg_advisory_lock(7)`); err != nil {
				t.Fatal(err)
			}
			ob, seen := newOutbox(t, s.db, outbox.Options{CommitTimeout: 500 * time.Millisecond, MaxRetries: 3})
			runs := 0
			err := ob.InTx(t.Context(), func(ctx context.Context, tx *outboxsql.Tx) error { runs++; return order(ctx, tx, "a") })
			unknown, ok := errors.AsType[*outbox.CommitUnknownError](err)
			if !ok || unknown.Events != 1 || runs != 1 {
				t.Errorf("InTx = %v after %d runs, want a CommitUnknownError after one", err, runs)
			}
			ob.Close()
			if seen.wakes != 1 || len(seen.committed()) != 0 {
				t.Errorf("%d wake-ups, %q logged; want one and nothing", seen.wakes, seen.committed())
			}
			if n := s.db.Stats().InUse; n != 0 {
				t.Errorf("%d connections are still in use", n)
			}
		})
	}
}

// A function that met a serialization failure runs again, with no events of the run
// before.
func TestRetries(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.exec(t, `INSERT INTO orders VALUES ('a', 0)`)
	ob, seen := newOutbox(t, s.db, outbox.Options{MaxRetries: 1})
	runs := 0
	serializable := &sql.TxOptions{Isolation: sql.LevelSerializable}
	err := ob.InTxOptions(t.Context(), serializable, func(ctx context.Context, tx *outboxsql.Tx) error {
		runs++
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT paid FROM orders WHERE id = 'a'`).Scan(&n); err != nil {
			return err
		}
		if runs == 1 { // another session was faster
			s.exec(t, `UPDATE orders SET paid = paid + 1`)
		}
		if err := insert(ctx, tx, fmt.Sprintf("run %d", runs)); err != nil {
			return err
		}
		return exec(ctx, tx, `UPDATE orders SET paid = paid + 1`)
	})
	if err != nil || runs != 2 {
		t.Errorf("InTx = %v after %d runs", err, runs)
	}
	want := kept{[]string{"a"}, []string{"run 2"}}
	if diff := cmp.Diff(want, s.kept(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Events, seen.committed()); diff != "" {
		t.Errorf("logged (-want +got):\n%s", diff)
	}
}

// Connections of the pool that died are replaced before anything runs on them.
func TestDeadConnectionsAreReplaced(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	ob, _ := newOutbox(t, s.db, outbox.Options{})
	if err := ob.InTx(t.Context(), func(ctx context.Context, tx *outboxsql.Tx) error { return order(ctx, tx, "a") }); err != nil {
		t.Fatal(err)
	}
	const others = `FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database() AND backend_type = 'client backend'`
	conn := s.Connect(t.Context())
	for left := 1; left > 0; {
		if _, err := conn.Exec(t.Context(), `SELECT pg_terminate_backend(pid) `+others); err != nil {
			t.Fatal(err)
		}
		if err := conn.QueryRow(t.Context(), `SELECT count(*) `+others).Scan(&left); err != nil {
			t.Fatal(err)
		}
	}
	if err := ob.InTx(t.Context(), func(ctx context.Context, tx *outboxsql.Tx) error { return order(ctx, tx, "b") }); err != nil {
		t.Error(err)
	}
}

// A connection to a server that accepts no writes does not go back to the pool.
func TestAReadOnlyConnectionIsClosed(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.db.SetMaxOpenConns(1)
	ob, _ := newOutbox(t, s.db, outbox.Options{})
	pid := func() (n int) {
		t.Helper()
		if err := s.db.QueryRowContext(t.Context(), `SELECT pg_backend_pid()`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := pid()
	err := ob.InTx(t.Context(), func(ctx context.Context, tx *outboxsql.Tx) error {
		if err := exec(ctx, tx, `SET TRANSACTION READ ONLY`); err != nil {
			return err
		}
		_ = order(ctx, tx, "a") // its error is hidden
		return errBusiness
	})
	if !errors.Is(err, errBusiness) {
		t.Errorf("InTx = %v", err)
	}
	if pid() == before {
		t.Error("the connection went back to the pool")
	}
	before = pid()
	err = ob.InTxOptions(t.Context(), &sql.TxOptions{ReadOnly: true}, func(ctx context.Context, tx *outboxsql.Tx) error { return order(ctx, tx, "a") })
	if !outbox.IsReadOnly(err) {
		t.Errorf("InTx = %v", err)
	}
	if pid() != before {
		t.Error("the caller wanted a read-only transaction, and the connection was closed")
	}
}

// A Tx ends with its function.
func TestATxAfterItsFunction(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	ob, _ := newOutbox(t, s.db, outbox.Options{})
	var left *outboxsql.Tx
	if err := ob.InTx(t.Context(), func(_ context.Context, tx *outboxsql.Tx) error { left = tx; return nil }); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"an insert":   insert(t.Context(), left, "a"),
		"a statement": exec(t.Context(), left, `SELECT 1`),
		"a savepoint": left.Savepoint(t.Context(), func(context.Context, *outboxsql.Tx) error { return nil }),
		"Rollback":    left.Rollback(t.Context()),
	} {
		if !errors.Is(err, pgx.ErrTxClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
