package orms_test

import (
	"context"
	"database/sql"
	"testing"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/inbox"
	"github.com/outboxgen/outboxgen/runtime/outboxsql"
	"github.com/outboxgen/outboxgen/testdata/orms/ent"
	"github.com/outboxgen/outboxgen/testdata/orms/events"
)

// entShop uses ent, whose client was generated with the feature sql/execquery.
type entShop struct{ client *ent.Client }

// inTx runs fn in a transaction.
func (s entShop) inTx(ctx context.Context, fn func(tx *ent.Tx) error) error {
	tx, err := s.client.Tx(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func (s entShop) place(ctx context.Context, order string, then func() error) error {
	return s.inTx(ctx, func(tx *ent.Tx) error {
		if err := s.insert(ctx, tx, order); err != nil {
			return err
		}
		return then()
	})
}

func (s entShop) insert(ctx context.Context, tx *ent.Tx, id string) error {
	if err := tx.Order.Create().SetID(id).SetQuantity(2).SetShipped(0).Exec(ctx); err != nil {
		return err
	}
	return events.InsertOrderPlacedV1(ctx, outboxsql.On(tx), placed(id))
}

// ent has no savepoints of its own; SQL does.
func (s entShop) placeOne(ctx context.Context, first, second string) error {
	return s.inTx(ctx, func(tx *ent.Tx) error {
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

func (s entShop) ship(ctx context.Context, e outbox.Envelope[events.OrderPlacedV1]) error {
	return s.inTx(ctx, func(tx *ent.Tx) error {
		first, err := inbox.Claim(ctx, outboxsql.On(tx), "shipping", e.EventID)
		if err != nil || !first {
			return err
		}
		return tx.Order.UpdateOneID(e.Data.OrderID).AddShipped(1).Exec(ctx)
	})
}

func TestEnt(t *testing.T) {
	t.Parallel()
	testShop(t, func(_ *testing.T, db *sql.DB) shop {
		return entShop{ent.NewClient(ent.Driver(entsql.OpenDB(dialect.Postgres, db)))}
	})
}
