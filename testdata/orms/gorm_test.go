package orms_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/inbox"
	"github.com/outboxgen/outboxgen/runtime/outboxsql"
	"github.com/outboxgen/outboxgen/testdata/orms/events"
)

// gormShop uses GORM.
type gormShop struct{ db *gorm.DB }

func (s gormShop) place(ctx context.Context, order string, then func() error) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := s.insert(ctx, tx, order); err != nil {
			return err
		}
		return then()
	})
}

func (s gormShop) insert(ctx context.Context, tx *gorm.DB, id string) error {
	if err := tx.Create(&order{ID: id, Quantity: 2}).Error; err != nil {
		return err
	}
	return events.InsertOrderPlacedV1(ctx, outboxsql.OnConnPool(tx.Statement.ConnPool), placed(id))
}

func (s gormShop) placeOne(ctx context.Context, first, second string) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := s.insert(ctx, tx, first); err != nil {
			return err
		}
		err := tx.Transaction(func(tx *gorm.DB) error { // a savepoint
			return errors.Join(s.insert(ctx, tx, second), errTooLate)
		})
		if !errors.Is(err, errTooLate) {
			return err
		}
		return nil
	})
}

func (s gormShop) ship(ctx context.Context, e outbox.Envelope[events.OrderPlacedV1]) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		first, err := inbox.Claim(ctx, outboxsql.OnConnPool(tx.Statement.ConnPool), "shipping", e.EventID)
		if err != nil || !first {
			return err
		}
		return tx.Model(&order{ID: e.Data.OrderID}).Update("shipped", gorm.Expr("shipped + 1")).Error
	})
}

func openGORM(t *testing.T, db *sql.DB, config *gorm.Config) *gorm.DB {
	t.Helper()
	config.Logger = logger.Discard
	g, err := gorm.Open(postgres.New(postgres.Config{Conn: db}), config)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGORM(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]bool{"plain": false, "prepared statements": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testShop(t, func(t *testing.T, db *sql.DB) shop {
				t.Helper()
				return gormShop{openGORM(t, db, &gorm.Config{PrepareStmt: prepare})}
			})
		})
	}
}

// Outside a transaction an event is refused, with each type that GORM uses there.
func TestGORMOutsideATransaction(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]bool{
		"*sql.DB is not a transaction": false, "*gorm.PreparedStmtDB is not a transaction": true,
	} {
		db := newDatabase(t, "pgx")
		s := gormShop{openGORM(t, db, &gorm.Config{PrepareStmt: prepare})}
		wantError(t, s.insert(t.Context(), s.db, "o-1"), name)
		var n int
		if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM event_outbox`).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d events, %v", n, err)
		}
	}
}
