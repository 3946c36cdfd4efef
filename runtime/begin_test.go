package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// trips records what a pool sends: a line for each query alone and for each batch.
type trips struct {
	mu   sync.Mutex
	sent []string
}

func (s *trips) add(sql ...string) {
	for i := range sql {
		words := strings.Fields(sql[i])
		sql[i] = strings.ToLower(words[0])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, strings.Join(sql, " + "))
}

// take returns what was sent since the last call.
func (s *trips) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent := s.sent
	s.sent = nil
	return sent
}

// queryTrips is a tracer that sees no batches.
type queryTrips struct{ *trips }

func (s queryTrips) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.add(data.SQL)
	return ctx
}

func (queryTrips) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// allTrips is a tracer that sees everything.
type allTrips struct{ queryTrips }

func (s allTrips) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	var sql []string
	for _, q := range data.Batch.QueuedQueries {
		sql = append(sql, q.SQL)
	}
	s.add(sql...)
	return ctx
}

func (allTrips) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (allTrips) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// traced returns a pool with one connection and a tracer.
func traced(t *testing.T, pg *services.PG, tracer pgx.QueryTracer, mode pgx.QueryExecMode) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(pg.URL)
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 1
	config.ConnConfig.Tracer, config.ConnConfig.DefaultQueryExecMode = tracer, mode
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// BEGIN goes with the first statement, whatever that is, unless pgx would send the
// statement differently.
func TestBeginJoinsTheFirstStatement(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	sent := &trips{}
	ob := newOutbox(t, traced(t, pg, allTrips{queryTrips{sent}}, pgx.QueryExecModeCacheStatement), outbox.Options{})
	const number = "select $1::int"
	again := func(ctx context.Context, tx *outbox.Tx) error { // the connection is free for it
		var n int
		return tx.QueryRow(ctx, number, 2).Scan(&n)
	}
	for name, test := range map[string]struct {
		run  func(ctx context.Context, tx *outbox.Tx) error
		want []string
	}{
		"nothing": {func(context.Context, *outbox.Tx) error { return nil }, []string{"begin", "commit"}},
		"an event alone": {
			func(ctx context.Context, tx *outbox.Tx) error { return InsertGraded(ctx, tx, event(1)) },
			[]string{"begin", "insert + commit"},
		},
		"an event after a statement": {raiseAndInsert(1), []string{"begin + update", "insert + commit"}},
		"Flush": {
			func(ctx context.Context, tx *outbox.Tx) error {
				return errors.Join(InsertGraded(ctx, tx, event(1)), tx.Flush(ctx))
			},
			[]string{"begin + insert", "commit"},
		},
		"Exec": {
			func(ctx context.Context, tx *outbox.Tx) error {
				_, err := tx.Exec(ctx, number, 1)
				return errors.Join(err, again(ctx, tx))
			},
			[]string{"begin + select", "select", "commit"},
		},
		"Exec without arguments": {
			func(ctx context.Context, tx *outbox.Tx) error {
				_, err := tx.Exec(ctx, "select 1; select 2")
				return err
			},
			[]string{"begin", "select", "commit"},
		},
		"Exec with named arguments": {
			func(ctx context.Context, tx *outbox.Tx) error {
				_, err := tx.Exec(ctx, "select @n::int", pgx.NamedArgs{"n": 1})
				return err
			},
			[]string{"begin + select", "commit"},
		},
		"Exec with an option": {
			func(ctx context.Context, tx *outbox.Tx) error {
				_, err := tx.Exec(ctx, number, pgx.QueryExecModeExec, 1)
				return err
			},
			[]string{"begin", "select", "commit"},
		},
		"QueryRow": {
			func(ctx context.Context, tx *outbox.Tx) error { return errors.Join(again(ctx, tx), again(ctx, tx)) },
			[]string{"begin + select", "select", "commit"},
		},
		"QueryRow without a row": {
			func(ctx context.Context, tx *outbox.Tx) error {
				var n int
				if err := tx.QueryRow(ctx, "select 1 where $1", false).Scan(&n); !errors.Is(err, pgx.ErrNoRows) {
					return fmt.Errorf("got %w", err)
				}
				return again(ctx, tx)
			},
			[]string{"begin + select", "select", "commit"},
		},
		"Query, read to the end": {
			func(ctx context.Context, tx *outbox.Tx) error {
				rows, err := tx.Query(ctx, "select generate_series(1, $1::int)", 3)
				if err != nil {
					return err
				}
				sum := 0
				for rows.Next() {
					var n int
					if err := rows.Scan(&n); err != nil {
						return err
					}
					sum += n
				}
				if sum != 6 || rows.Err() != nil || rows.CommandTag().RowsAffected() != 3 {
					return fmt.Errorf("sum %d, %w, %s", sum, rows.Err(), rows.CommandTag())
				}
				return again(ctx, tx)
			},
			[]string{"begin + select", "select", "commit"},
		},
		"Query, closed early": {
			func(ctx context.Context, tx *outbox.Tx) error {
				rows, err := tx.Query(ctx, "select generate_series(1, $1::int)", 3)
				if err != nil {
					return err
				}
				rows.Next()
				rows.Close()
				return errors.Join(rows.Err(), again(ctx, tx))
			},
			[]string{"begin + select", "select", "commit"},
		},
		"Query, a failed Scan": {
			func(ctx context.Context, tx *outbox.Tx) error {
				rows, err := tx.Query(ctx, number, 1)
				if err != nil {
					return err
				}
				var n, more int
				if rows.Next(); rows.Scan(&n, &more) == nil || rows.Err() == nil {
					return errors.New("the Scan of a column that is not there succeeded")
				}
				return again(ctx, tx)
			},
			[]string{"begin + select", "select", "commit"},
		},
		"SendBatch": {
			func(ctx context.Context, tx *outbox.Tx) error {
				var batch pgx.Batch
				var n int
				batch.Queue(number, 1)
				batch.Queue(number, 2).QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
				err := gen.Queue(ctx, &batch, insertRows, event(1))
				if err := errors.Join(err, tx.SendBatch(ctx, &batch).Close()); err != nil || n != 2 {
					return fmt.Errorf("got %d, %w", n, err)
				}
				return again(ctx, tx)
			},
			[]string{"begin + select + select + insert", "select", "commit"},
		},
		"CopyFrom": {
			func(ctx context.Context, tx *outbox.Tx) error {
				_, err := tx.CopyFrom(ctx, pgx.Identifier{"essay"}, []string{"id", "grade"}, pgx.CopyFromRows([][]any{{"copied", 1}}))
				return err
			},
			[]string{"begin", "commit"},
		},
		"a savepoint": {
			func(ctx context.Context, tx *outbox.Tx) error {
				return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { _, err := tx.Exec(ctx, number, 1); return err })
			},
			[]string{"begin", "savepoint", "select", "release", "commit"},
		},
		"Conn": {
			func(ctx context.Context, tx *outbox.Tx) error {
				_, err := tx.Conn().Exec(ctx, number, 1)
				return err
			},
			[]string{"begin", "select", "commit"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			sent.take()
			if err := ob.InTx(t.Context(), test.run); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, sent.take()); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
		})
	}
}

// A tracer that sees no batches sees every statement; a failed function that sent
// nothing sends no ROLLBACK.
func TestBeginAlone(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	sent := &trips{}
	for name, tracer := range map[string]pgx.QueryTracer{"alone": queryTrips{sent}, "of several": multitracer.New(queryTrips{sent})} {
		ob := newOutbox(t, traced(t, pg, tracer, pgx.QueryExecModeCacheStatement), outbox.Options{})
		if err := ob.InTx(t.Context(), raiseAndInsert(1)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"begin", "update"}, sent.take()); diff != "" {
			t.Errorf("%s: sent (-want +got):\n%s", name, diff)
		}
	}
	ob := newOutbox(t, traced(t, pg, queryTrips{sent}, pgx.QueryExecModeCacheStatement), outbox.Options{})
	if err := ob.InTx(t.Context(), func(context.Context, *outbox.Tx) error { return errBusiness }); !errors.Is(err, errBusiness) {
		t.Error(err)
	}
	if sent := sent.take(); len(sent) > 0 {
		t.Errorf("a function that did nothing sent %q", sent)
	}
}

// A first statement that fails leaves the transaction as any failed statement does,
// whether the server, the preparation or pgx refuses it.
func TestTheFirstStatementFails(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]pgx.QueryExecMode{
		"cache statement": pgx.QueryExecModeCacheStatement, "cache describe": pgx.QueryExecModeCacheDescribe,
		"describe exec": pgx.QueryExecModeDescribeExec, "exec": pgx.QueryExecModeExec, "simple protocol": pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pg := newDatabase(t)
			pool := traced(t, pg, nil, mode)
			ob := newOutbox(t, pool, outbox.Options{})
			for name, sql := range map[string]string{
				"when it runs":        "select 1 / $1::int",
				"when it is prepared": "select $1::int from nowhere",
			} {
				for how, run := range map[string]func(ctx context.Context, tx *outbox.Tx) error{
					"Exec":     func(ctx context.Context, tx *outbox.Tx) error { _, err := tx.Exec(ctx, sql, 0); return err },
					"QueryRow": func(ctx context.Context, tx *outbox.Tx) error { var n int; return tx.QueryRow(ctx, sql, 0).Scan(&n) },
					"Query": func(ctx context.Context, tx *outbox.Tx) error {
						rows, err := tx.Query(ctx, sql, 0)
						if err != nil {
							return err
						}
						_, err = pgx.CollectRows(rows, pgx.RowTo[int])
						return err
					},
					"SendBatch": func(ctx context.Context, tx *outbox.Tx) error {
						var batch pgx.Batch
						batch.Queue(sql, 0)
						return tx.SendBatch(ctx, &batch).Close()
					},
				} {
					err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
						wantError[*pgconn.PgError](t, run(ctx, tx))
						_, err := tx.Exec(ctx, "select 1")
						if err := isError[*pgconn.PgError](t, err); err.Code != "25P02" {
							t.Errorf("%s %s: the next statement: %v", how, name, err)
						}
						return nil
					})
					if _, ok := errors.AsType[*outbox.RolledBackError](err); !ok {
						t.Errorf("%s %s: %v", how, name, err)
					}
				}
			}
			if err := ob.InTx(t.Context(), raiseAndInsert(1)); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(state{1, []int{1}}, readState(t, pool)); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
		})
	}
}

// pgx refuses an argument before it sends anything. The transaction goes on, except that
// the first time in a process pgx closes the connection.
func TestTheFirstStatementIsNotSent(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	ob := newOutbox(t, pg.Pool, outbox.Options{})
	const tooLarge = 1 << 40
	for range 2 {
		err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
			_, err := tx.Exec(ctx, "select $1::int", tooLarge)
			if err == nil || !strings.Contains(err.Error(), "is greater than maximum value for int4") {
				t.Errorf("got %v", err)
			}
			return raiseAndInsert(1)(ctx, tx)
		})
		if err == nil {
			break
		}
		if !strings.HasPrefix(err.Error(), "outbox: pgx closed the connection, because it could not encode the arguments of the first statement: ") {
			t.Error(err)
		}
	}
	err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := tx.Exec(ended, "select $1::int", 1); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		return raiseAndInsert(1)(ctx, tx)
	})
	if diff := cmp.Diff(state{2, []int{1, 1}}, readState(t, pg.Pool)); err != nil || diff != "" {
		t.Errorf("%v, state (-want +got):\n%s", err, diff)
	}
}

// Several statements in one text, with a rewriter that leaves no arguments, run in mode
// exec as pgx runs them.
func TestARewriterThatLeavesNoArguments(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	ob := newOutbox(t, traced(t, pg, nil, pgx.QueryExecModeExec), outbox.Options{})
	err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
		_, err := tx.Exec(ctx, "create temp table a (i int); create temp table b (i int)", pgx.NamedArgs{})
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Results that the function left open are named.
func TestResultsAreLeftOpen(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	ob := newOutbox(t, pg.Pool, outbox.Options{})
	err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
		rows, err := tx.Query(ctx, "select generate_series(1, $1::int)", 3)
		if err == nil {
			rows.Next()
		}
		return err
	})
	const want = "outbox: not committed: the results of a query are still open; close them before the function returns"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// BEGIN that the server refuses is the error of InTx, even if the function ignores it,
// and nothing runs outside the transaction.
func TestBeginIsRefused(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]pgx.TxOptions{
		"together":     {IsoLevel: "nonsense"},
		"a BeginQuery": {BeginQuery: "begin nonsense"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pg := newDatabase(t)
			ob := newOutbox(t, pg.Pool, outbox.Options{})
			for name, run := range map[string]func(ctx context.Context, tx *outbox.Tx){
				"Exec":         func(ctx context.Context, tx *outbox.Tx) { _, _ = raise(ctx, tx, "e1") },
				"an event":     func(ctx context.Context, tx *outbox.Tx) { _ = InsertGraded(ctx, tx, event(1)) },
				"Conn":         func(ctx context.Context, tx *outbox.Tx) { _, _ = raise(ctx, tx.Conn(), "e1") },
				"LargeObjects": func(ctx context.Context, tx *outbox.Tx) { lo := tx.LargeObjects(); _, _ = lo.Create(ctx, 0) },
			} {
				err := ob.InTxOptions(t.Context(), options, func(ctx context.Context, tx *outbox.Tx) error { run(ctx, tx); return nil })
				if err == nil || !strings.HasPrefix(err.Error(), "outbox: begin: ") {
					t.Errorf("%s: %v", name, err)
				}
			}
			if diff := cmp.Diff(state{}, readState(t, pg.Pool)); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
		})
	}
}
