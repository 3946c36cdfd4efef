package orms_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/inbox"
	"github.com/outboxgen/outboxgen/runtime/outboxsql"
	"github.com/outboxgen/outboxgen/testdata/orms/events"
)

// bunShop uses bun.
type bunShop struct{ db *bun.DB }

// bunOrder is a row of the table orders.
type bunOrder struct {
	bun.BaseModel `bun:"table:orders"`

	ID                string `bun:",pk"`
	Quantity, Shipped int
}

func (s bunShop) place(ctx context.Context, order string, then func() error) error {
	return s.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if err := s.insert(ctx, tx, order); err != nil {
			return err
		}
		return then()
	})
}

func (s bunShop) insert(ctx context.Context, tx bun.Tx, id string) error {
	if _, err := tx.NewInsert().Model(&bunOrder{ID: id, Quantity: 2}).Exec(ctx); err != nil {
		return err
	}
	return events.InsertOrderPlacedV1(ctx, outboxsql.On(tx), placed(id))
}

func (s bunShop) placeOne(ctx context.Context, first, second string) error {
	return s.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if err := s.insert(ctx, tx, first); err != nil {
			return err
		}
		err := tx.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error { // a savepoint
			return errors.Join(s.insert(ctx, tx, second), errTooLate)
		})
		if !errors.Is(err, errTooLate) {
			return err
		}
		return nil
	})
}

func (s bunShop) ship(ctx context.Context, e outbox.Envelope[events.OrderPlacedV1]) error {
	return s.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		first, err := inbox.Claim(ctx, outboxsql.On(tx), "shipping", e.EventID)
		if err != nil || !first {
			return err
		}
		_, err = tx.NewUpdate().Model((*bunOrder)(nil)).Set("shipped = shipped + 1").Where("id = ?", e.Data.OrderID).Exec(ctx)
		return err
	})
}

func TestBun(t *testing.T) {
	t.Parallel()
	testShop(t, func(_ *testing.T, db *sql.DB) shop { return bunShop{bun.NewDB(db, pgdialect.New())} })
}
