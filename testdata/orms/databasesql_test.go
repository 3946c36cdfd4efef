package orms_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"testing"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/inbox"
	"github.com/outboxgen/outboxgen/runtime/outboxsql"
	"github.com/outboxgen/outboxgen/testdata/orms/events"
)

// sqlShop uses database/sql and begins its transactions by itself.
type sqlShop struct{ db *sql.DB }

func (s sqlShop) place(ctx context.Context, order string, then func() error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if err := s.insert(ctx, tx, order); err != nil {
		return err
	}
	if err := then(); err != nil {
		return err
	}
	return tx.Commit()
}

func (s sqlShop) insert(ctx context.Context, tx *sql.Tx, order string) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO orders (id, quantity, shipped) VALUES ($1, 2, 0)`, order); err != nil {
		return err
	}
	return events.InsertOrderPlacedV1(ctx, outboxsql.On(tx), placed(order))
}

func (s sqlShop) placeOne(ctx context.Context, first, second string) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := s.insert(ctx, tx, first); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `SAVEPOINT second`); err != nil {
		return err
	}
	if err := s.insert(ctx, tx, second); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `ROLLBACK TO SAVEPOINT second`); err != nil {
		return err
	}
	return tx.Commit()
}

func (s sqlShop) ship(ctx context.Context, e outbox.Envelope[events.OrderPlacedV1]) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if first, err := inbox.Claim(ctx, outboxsql.On(tx), "shipping", e.EventID); err != nil || !first {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE orders SET shipped = shipped + 1 WHERE id = $1`, e.Data.OrderID); err != nil {
		return err
	}
	return tx.Commit()
}

func TestDatabaseSQL(t *testing.T) {
	t.Parallel()
	testShop(t, func(_ *testing.T, db *sql.DB) shop { return sqlShop{db} })
}

// outboxShop uses database/sql and leaves its transactions to an Outbox.
type outboxShop struct {
	ob     *outboxsql.Outbox
	handle func(context.Context, outbox.Envelope[events.OrderPlacedV1]) error
}

func newOutboxShop(db *sql.DB) outboxShop {
	ob := outboxsql.New(db, outbox.Options{MaxRetries: 3, Logger: slog.New(slog.DiscardHandler)})
	return outboxShop{ob, inbox.InTx(ob.InTx, "shipping",
		func(ctx context.Context, tx *outboxsql.Tx, e outbox.Envelope[events.OrderPlacedV1]) error {
			_, err := tx.ExecContext(ctx, `UPDATE orders SET shipped = shipped + 1 WHERE id = $1`, e.Data.OrderID)
			return err
		})}
}

func (s outboxShop) place(ctx context.Context, order string, then func() error) error {
	return s.ob.InTx(ctx, func(ctx context.Context, tx *outboxsql.Tx) error {
		if err := s.insert(ctx, tx, order); err != nil {
			return err
		}
		return then()
	})
}

func (s outboxShop) insert(ctx context.Context, tx *outboxsql.Tx, order string) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO orders (id, quantity, shipped) VALUES ($1, 2, 0)`, order); err != nil {
		return err
	}
	return events.InsertAll(ctx, tx, placed(order))
}

func (s outboxShop) placeOne(ctx context.Context, first, second string) error {
	return s.ob.InTx(ctx, func(ctx context.Context, tx *outboxsql.Tx) error {
		if err := s.insert(ctx, tx, first); err != nil {
			return err
		}
		err := tx.Savepoint(ctx, func(ctx context.Context, tx *outboxsql.Tx) error {
			return errors.Join(s.insert(ctx, tx, second), errTooLate)
		})
		if !errors.Is(err, errTooLate) {
			return err
		}
		return nil
	})
}

func (s outboxShop) ship(ctx context.Context, e outbox.Envelope[events.OrderPlacedV1]) error {
	return s.handle(ctx, e)
}

func TestOutboxOnDatabaseSQL(t *testing.T) {
	t.Parallel()
	testShop(t, func(t *testing.T, db *sql.DB) shop {
		t.Helper()
		s := newOutboxShop(db)
		t.Cleanup(s.ob.Close)
		return s
	})
}
