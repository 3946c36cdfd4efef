package orms_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/jmoiron/sqlx"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/inbox"
	"github.com/outboxgen/outboxgen/runtime/outboxsql"
	"github.com/outboxgen/outboxgen/testdata/orms/events"
)

// sqlxShop uses sqlx.
type sqlxShop struct{ db *sqlx.DB }

// inTx runs fn in a transaction.
func (s sqlxShop) inTx(ctx context.Context, fn func(tx *sqlx.Tx) error) error {
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func (s sqlxShop) place(ctx context.Context, order string, then func() error) error {
	return s.inTx(ctx, func(tx *sqlx.Tx) error {
		if err := s.insert(ctx, tx, order); err != nil {
			return err
		}
		return then()
	})
}

func (s sqlxShop) insert(ctx context.Context, tx *sqlx.Tx, id string) error {
	_, err := tx.NamedExecContext(ctx, `INSERT INTO orders (id, quantity, shipped) VALUES (:id, :quantity, :shipped)`, order{ID: id, Quantity: 2})
	if err != nil {
		return err
	}
	return events.InsertOrderPlacedV1(ctx, outboxsql.On(tx), placed(id))
}

func (s sqlxShop) placeOne(ctx context.Context, first, second string) error {
	return s.inTx(ctx, func(tx *sqlx.Tx) error {
		if err := s.insert(ctx, tx, first); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `SAVEPOINT second`); err != nil {
			return err
		}
		if err := s.insert(ctx, tx, second); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `ROLLBACK TO SAVEPOINT second`)
		return err
	})
}

func (s sqlxShop) ship(ctx context.Context, e outbox.Envelope[events.OrderPlacedV1]) error {
	return s.inTx(ctx, func(tx *sqlx.Tx) error {
		first, err := inbox.Claim(ctx, outboxsql.On(tx), "shipping", e.EventID)
		if err != nil || !first {
			return err
		}
		_, err = tx.ExecContext(ctx, tx.Rebind(`UPDATE orders SET shipped = shipped + 1 WHERE id = ?`), e.Data.OrderID)
		return err
	})
}

func TestSQLX(t *testing.T) {
	t.Parallel()
	testShop(t, func(_ *testing.T, db *sql.DB) shop { return sqlxShop{sqlx.NewDb(db, "postgres")} })
}
