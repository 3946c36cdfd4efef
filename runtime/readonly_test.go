package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/inbox"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

// demoted returns a database whose server was a primary and is now a standby.
func demoted(t *testing.T) *services.PG {
	t.Helper()
	pg := services.Postgres(t, services.Private())
	fill(t, pg)
	var data string
	if err := pg.Pool.QueryRow(t.Context(), `show data_directory`).Scan(&data); err != nil {
		t.Fatal(err)
	}
	if err := pg.Stop(t.Context(), services.Fast); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "standby.signal"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := pg.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return pg
}

// readOnly returns a database that its owner has made read-only. Sessions that begin
// then stay read-only.
func readOnly(t *testing.T) *services.PG {
	t.Helper()
	pg := newDatabase(t)
	if _, err := pg.Pool.Exec(t.Context(), fmt.Sprintf(`alter database %s set default_transaction_read_only = on`, pg.Database)); err != nil {
		t.Fatal(err)
	}
	pg.Pool.Reset()
	return pg
}

// moving is an address that leads to one database, and to another after move.
type moving struct {
	from, to *pgx.ConnConfig
	moved    atomic.Bool
}

func newMoving(t *testing.T, from, to *services.PG) *moving {
	t.Helper()
	m := &moving{}
	for _, end := range []struct {
		config **pgx.ConnConfig
		url    string
	}{{&m.from, from.URL}, {&m.to, to.URL}} {
		config, err := pgx.ParseConfig(end.url)
		if err != nil {
			t.Fatal(err)
		}
		*end.config = config
	}
	return m
}

// pool returns a pool with one connection, to the current target of the address.
func (m *moving) pool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(m.from.ConnString())
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 1
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		target := m.from
		if m.moved.Load() {
			target = m.to
		}
		c.Host, c.Port, c.Database, c.User = target.Host, target.Port, target.Database, target.User
		return nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// A pool with a connection to a demoted primary connects to the new primary once its
// address leads there, in whatever way the refused write was noticed.
func TestReadOnlyConnectionsAreGivenUp(t *testing.T) {
	t.Parallel()
	if os.Getenv("DATABASE_URL") != "" {
		t.Skip("needs a server of its own")
	}
	primary := newDatabase(t)
	type run = func(ctx context.Context, ob *outbox.Outbox, pool *pgxpool.Pool) error
	type fn = func(ctx context.Context, tx *outbox.Tx) error
	inTx := func(options pgx.TxOptions, f fn) run {
		return func(ctx context.Context, ob *outbox.Outbox, _ *pgxpool.Pool) error {
			return ob.InTxOptions(ctx, options, f)
		}
	}
	errHidden := errors.New("try again later")
	handler := func(ctx context.Context, tx pgx.Tx, _ outbox.Envelope[Graded]) error {
		_, err := raise(ctx, tx, "e1")
		return err
	}
	writes := map[string]run{
		"a statement": inTx(pgx.TxOptions{}, raiseAndInsert(1)),
		"the event, at COMMIT": inTx(pgx.TxOptions{}, func(ctx context.Context, tx *outbox.Tx) error {
			return InsertGraded(ctx, tx, event(1))
		}),
		"an error that hides the cause": inTx(pgx.TxOptions{}, func(ctx context.Context, tx *outbox.Tx) error {
			if _, err := raise(ctx, tx, "e1"); err != nil {
				return errHidden
			}
			return nil
		}),
		"an error that is dropped": inTx(pgx.TxOptions{}, func(ctx context.Context, tx *outbox.Tx) error {
			_, _ = raise(ctx, tx, "e1")
			return nil
		}),
		"a lock": inTx(pgx.TxOptions{}, func(ctx context.Context, tx *outbox.Tx) error {
			_, err := tx.Exec(ctx, `select grade from essay for update`)
			return err
		}),
		"COPY": inTx(pgx.TxOptions{}, func(ctx context.Context, tx *outbox.Tx) error {
			_, err := tx.CopyFrom(ctx, pgx.Identifier{"essay"}, []string{"id", "grade"}, pgx.CopyFromRows([][]any{{uuid.NewString(), 5}}))
			return err
		}),
		"a nested transaction": inTx(pgx.TxOptions{}, func(ctx context.Context, tx *outbox.Tx) error {
			return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { _, err := raise(ctx, tx, "e1"); return err })
		}),
		"a panic": func(ctx context.Context, ob *outbox.Outbox, _ *pgxpool.Pool) (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = fmt.Errorf("%v", p)
				}
			}()
			return ob.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
				if _, err := raise(ctx, tx, "e1"); err != nil {
					panic(err)
				}
				return nil
			})
		},
		"serializable": inTx(pgx.TxOptions{IsoLevel: pgx.Serializable}, raiseAndInsert(1)),
		"inbox.Tx": func(ctx context.Context, _ *outbox.Outbox, pool *pgxpool.Pool) error {
			return inbox.Tx(pool, "grades", handler)(ctx, outbox.Envelope[Graded]{EventID: uuid.New()})
		},
		"inbox.InOutbox": func(ctx context.Context, ob *outbox.Outbox, _ *pgxpool.Pool) error {
			return inbox.InOutbox(ob, "grades", func(ctx context.Context, tx *outbox.Tx, e outbox.Envelope[Graded]) error { return handler(ctx, tx, e) })(
				ctx, outbox.Envelope[Graded]{EventID: uuid.New()})
		},
	}
	standby, closed := demoted(t), readOnly(t)
	for kind, old := range map[string]*services.PG{"a standby": standby, "a read-only database": closed} {
		for name, write := range writes {
			t.Run(kind+"/"+name, func(t *testing.T) {
				address := newMoving(t, old, primary)
				pool := address.pool(t)
				ob := newOutbox(t, pool, outbox.Options{})
				if err := write(t.Context(), ob, pool); err == nil || outbox.IsCommitUnknown(err) {
					t.Fatalf("the old primary: %v", err)
				}
				address.moved.Store(true)
				if err := write(t.Context(), ob, pool); err != nil {
					t.Errorf("the new primary: %v", err)
				}
			})
		}
	}

	t.Run("with retries nobody sees it", func(t *testing.T) {
		address := newMoving(t, standby, primary)
		ob := newOutbox(t, address.pool(t), outbox.Options{MaxRetries: 1})
		tries := 0
		err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
			tries++
			address.moved.Store(true)
			return raiseAndInsert(1)(ctx, tx)
		})
		if err != nil || tries != 2 {
			t.Errorf("InTx = %v after %d tries", err, tries)
		}
	})
	t.Run("a transaction that wants to be read-only keeps its connection", func(t *testing.T) {
		address := newMoving(t, standby, primary)
		pool := address.pool(t)
		ob := newOutbox(t, pool, outbox.Options{MaxRetries: 3})
		pids, tries := map[int]bool{}, 0
		for range 2 {
			_ = ob.InTxOptions(t.Context(), pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(ctx context.Context, tx *outbox.Tx) error {
				tries++
				pids[int(tx.Conn().PgConn().PID())] = true
				_, err := raise(ctx, tx, "e1")
				return err
			})
		}
		if len(pids) != 1 || tries != 2 {
			t.Errorf("%d connections, %d tries", len(pids), tries)
		}
	})
	t.Run("wake.Postgres", func(t *testing.T) {
		// In the database that both servers have.
		listener, err := pgx.Connect(t.Context(), primary.PostgresServer.URL("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listener.Close(context.WithoutCancel(t.Context())) }()
		if _, err := listener.Exec(t.Context(), fmt.Sprintf(`listen "outbox_wake:%s"`, primary.Database)); err != nil {
			t.Fatal(err)
		}
		address := newTwoSockets(t, standby, primary)
		waker, err := wake.Postgres(address.url(), primary.Database, wake.PostgresOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = waker.Close(context.WithoutCancel(t.Context())) }()
		if err := waker.Wake(t.Context()); !outbox.IsReadOnly(err) {
			t.Fatalf("a standby: %v", err)
		}
		address.move(t)
		if err := waker.Wake(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := listener.WaitForNotification(ctx); err != nil {
			t.Error(err)
		}
	})
}

// twoSockets is the folder of a socket that leads to one server first and then to
// another.
type twoSockets struct {
	folder string
	to     *pgx.ConnConfig
}

func newTwoSockets(t *testing.T, from, to *services.PG) *twoSockets {
	t.Helper()
	folder, err := os.MkdirTemp("", "sockets") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	m := newMoving(t, from, to)
	s := &twoSockets{folder, m.to}
	s.link(t, m.from)
	return s
}

func (s *twoSockets) link(t *testing.T, server *pgx.ConnConfig) {
	t.Helper()
	socket := filepath.Join(s.folder, ".s.PGSQL.5432")
	_ = os.Remove(socket)
	if err := os.Symlink(filepath.Join(server.Host, fmt.Sprintf(".s.PGSQL.%d", server.Port)), socket); err != nil {
		t.Fatal(err)
	}
}

func (s *twoSockets) move(t *testing.T) { t.Helper(); s.link(t, s.to) }

func (s *twoSockets) url() string {
	return fmt.Sprintf("postgres://%s@/%s?host=%s&port=5432", s.to.User, "postgres", s.folder)
}
