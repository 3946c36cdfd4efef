package orms_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/lib/pq"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/outboxsql"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
	"github.com/outboxgen/outboxgen/testdata/orms/events"
)

// hard is texts that go wrong in arrays, in JSON and in SQL.
var hard = []string{`plain`, `a"b`, `a\b`, `\`, `"`, `{}`, `{"a",NULL}`, `NULL`, `a,b`, ` a `, "a\nb\tc", `é ☃ 𝄞`, `'; --`, `$1 ? :a @b`}

// Many events at once, and so arrays, store with lib/pq the same rows as with pgx.
func TestBothDriversStoreTheSameRows(t *testing.T) {
	t.Parallel()
	stored := map[string][]outbox.Row{}
	for name, open := range map[string]func() *sql.DB{
		"pgx":            func() *sql.DB { return newDatabase(t, "pgx") },
		"lib/pq":         func() *sql.DB { return newDatabase(t, "postgres") },
		"lib/pq, binary": func() *sql.DB { return newDatabase(t, "postgres", "binary_parameters=yes") },
	} {
		db := open()
		ob := outboxsql.New(db, outbox.Options{Logger: slog.New(slog.DiscardHandler)})
		t.Cleanup(ob.Close)
		err := ob.InTx(t.Context(), func(ctx context.Context, tx *outboxsql.Tx) error {
			n := byte(0)
			ids := outbox.WithNewID(func() (uuid.UUID, error) { n++; return uuid.UUID{15: n}, nil })
			at := outbox.WithTime(placed("").PlacedAt)
			var list []outbox.Event
			for _, text := range hard {
				list = append(list, outbox.With(placed(text), ids, at, outbox.WithHeader("note", text), outbox.WithMetadata("note", text)))
			}
			list = append(list, outbox.With(placed("alone"), at, outbox.WithID(uuid.Max), outbox.WithKey(`{"k"}`)))
			return events.InsertAll(ctx, tx, list...)
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, r := range outboxtest.Pending(t, outboxsql.DB(db)) {
			stored[name] = append(stored[name], outbox.Row{ID: r.ID, AggregateType: r.AggregateType, AggregateID: r.AggregateID,
				EventType: r.EventType, Topic: r.Topic, Key: r.Key, Data: r.Data, Headers: r.Headers})
		}
	}
	if n := len(stored["pgx"]); n != len(hard)+1 {
		t.Errorf("%d rows", n)
	}
	for _, name := range []string{"lib/pq", "lib/pq, binary"} {
		if diff := cmp.Diff(stored["pgx"], stored[name]); diff != "" {
			t.Errorf("(-pgx +%s):\n%s", name, diff)
		}
	}
}

// Delayed events, which are arrays too, are inserted, found and cancelled with lib/pq.
func TestDelayedEventsWithLibPQ(t *testing.T) {
	t.Parallel()
	for _, parameters := range [][]string{nil, {"binary_parameters=yes"}} {
		db := newDatabase(t, "postgres", parameters...)
		ob := outboxsql.New(db, outbox.Options{Logger: slog.New(slog.DiscardHandler)})
		t.Cleanup(ob.Close)
		at := time.Date(2999, 1, 2, 3, 4, 5, 678_000, time.UTC)
		var outcomes [2]outbox.Outcome
		insert := func(outcome *outbox.Outcome) {
			t.Helper()
			err := ob.InTx(t.Context(), func(ctx context.Context, tx *outboxsql.Tx) error {
				return events.InsertOrderPlacedV1(ctx, tx, placed("o-1"), outbox.WithID(uuid.Max), outbox.WithDeliverAt(at), outbox.WithOutcome(outcome))
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		insert(&outcomes[0])
		insert(&outcomes[1])
		if !outcomes[0].Inserted || outcomes[1].Inserted {
			t.Errorf("outcomes %+v, want that only the first event was inserted", outcomes)
		}
		if got := outboxtest.RequireInserted(t, outboxsql.DB(db), "shop.order_placed.v1"); got.DeliverAt == nil || !got.DeliverAt.Equal(at) {
			t.Errorf("%+v", got)
		}
		err := ob.InTx(t.Context(), func(ctx context.Context, tx *outboxsql.Tx) error {
			found, err := outbox.CancelDelayed(ctx, tx, uuid.Max)
			if err == nil && !found {
				err = errors.New("not found")
			}
			return err
		})
		if left := outboxtest.Delayed(t, outboxsql.DB(db)); err != nil || len(left) > 0 {
			t.Errorf("cancel: %v; left %+v", err, left)
		}
	}
}

// The errors of lib/pq are understood as those of pgx are.
func TestErrorsOfLibPQ(t *testing.T) {
	t.Parallel()
	newOutbox := func(t *testing.T, options outbox.Options) (*sql.DB, *outboxsql.Outbox) {
		t.Helper()
		options.Logger = slog.New(slog.DiscardHandler)
		db := newDatabase(t, "postgres")
		ob := outboxsql.New(db, options)
		t.Cleanup(ob.Close)
		return db, ob
	}
	exec := func(ctx context.Context, tx *outboxsql.Tx, queries ...string) error {
		for _, query := range queries {
			if _, err := tx.ExecContext(ctx, query); err != nil {
				return err
			}
		}
		return nil
	}
	t.Run("a missing table", func(t *testing.T) {
		t.Parallel()
		_, ob := newOutbox(t, outbox.Options{})
		err := ob.InTx(t.Context(), func(ctx context.Context, tx *outboxsql.Tx) error {
			return errors.Join(exec(ctx, tx, `DROP TABLE event_outbox`), events.InsertOrderPlacedV1(ctx, tx, placed("o-1")))
		})
		refused, ok := errors.AsType[*outbox.InsertError](err)
		if !ok || !strings.Contains(err.Error(), "is the outbox table migrated?") {
			t.Errorf("%v", err)
		}
		if _, ok := errors.AsType[*pq.Error](refused); !ok {
			t.Errorf("the cause is not an error of lib/pq: %v", err)
		}
	})
	t.Run("a missing privilege", func(t *testing.T) {
		t.Parallel()
		db, ob := newOutbox(t, outbox.Options{})
		role := pq.QuoteIdentifier("r" + uuid.NewString())
		if _, err := db.ExecContext(t.Context(), `CREATE ROLE `+role); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if _, err := db.ExecContext(context.WithoutCancel(t.Context()), `DROP ROLE `+role); err != nil {
				t.Error(err)
			}
		}()
		err := ob.InTx(t.Context(), func(ctx context.Context, tx *outboxsql.Tx) error {
			return errors.Join(exec(ctx, tx, `SET LOCAL ROLE `+role), events.InsertOrderPlacedV1(ctx, tx, placed("o-1")))
		})
		wantError(t, err, "GRANT INSERT, SELECT (id) ON event_outbox TO")
	})
	t.Run("a serialization failure", func(t *testing.T) {
		t.Parallel()
		db, ob := newOutbox(t, outbox.Options{MaxRetries: 1})
		runs := 0
		err := ob.InTxOptions(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead}, func(ctx context.Context, tx *outboxsql.Tx) error {
			runs++
			if err := exec(ctx, tx, `SELECT count(*) FROM orders`); err != nil {
				return err
			}
			if runs == 1 { // another session is faster
				if _, err := db.ExecContext(ctx, `INSERT INTO orders VALUES ('o-1', 1, 0)`); err != nil {
					return err
				}
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO orders VALUES ('o-1', 2, 0) ON CONFLICT (id) DO UPDATE SET quantity = 2`)
			return err
		})
		if err != nil || runs != 2 {
			t.Errorf("%v after %d runs", err, runs)
		}
	})
	t.Run("a statement failed", func(t *testing.T) {
		t.Parallel()
		_, ob := newOutbox(t, outbox.Options{})
		err := ob.InTx(t.Context(), func(ctx context.Context, tx *outboxsql.Tx) error {
			_ = exec(ctx, tx, `SELECT 1/0`)
			return nil
		})
		if _, ok := errors.AsType[*outbox.RolledBackError](err); !ok || !errors.Is(err, pq.ErrInFailedTransaction) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a deferred constraint", func(t *testing.T) {
		t.Parallel()
		_, ob := newOutbox(t, outbox.Options{})
		err := ob.InTx(t.Context(), func(ctx context.Context, tx *outboxsql.Tx) error {
			return exec(ctx, tx, `CREATE TABLE later (id text REFERENCES orders DEFERRABLE INITIALLY DEFERRED)`, `INSERT INTO later VALUES ('none')`)
		})
		if e, ok := errors.AsType[*pq.Error](err); !ok || e.SQLState() != "23503" || outbox.IsCommitUnknown(err) {
			t.Errorf("%v", err)
		}
	})
	t.Run("the session ends at COMMIT", func(t *testing.T) {
		t.Parallel()
		_, ob := newOutbox(t, outbox.Options{})
		err := ob.InTx(t.Context(), func(ctx context.Context, tx *outboxsql.Tx) error {
			return exec(ctx, tx,
				`CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'`,
				`CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()`,
				`INSERT INTO orders VALUES ('o-1', 1, 0)`)
		})
		if !outbox.IsCommitUnknown(err) {
			t.Errorf("%v", err)
		}
	})
	t.Run("the server is silent at COMMIT", func(t *testing.T) {
		t.Parallel()
		db, ob := newOutbox(t, outbox.Options{CommitTimeout: 500 * time.Millisecond})
		holder, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = holder.Close() }()
		if _, err := holder.ExecContext(t.Context(), `SELECT pg_advisory_lock(7)`); err != nil {
			t.Fatal(err)
		}
		err = ob.InTx(t.Context(), func(ctx context.Context, tx *outboxsql.Tx) error {
			return exec(ctx, tx,
				`CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END'`,
				`CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()`,
				`INSERT INTO orders VALUES ('o-1', 1, 0)`)
		})
		if !outbox.IsCommitUnknown(err) {
			t.Errorf("%v", err)
		}
	})
}

func wantError(t *testing.T, err error, part string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Errorf("the error is %v; it does not say %q", err, part)
	}
}
