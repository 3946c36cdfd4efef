package orms_test

import (
	"context"
	"database/sql"
	"log/slog"
	"testing"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/go-cmp/cmp"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/outboxsql"
	"github.com/outboxgen/outboxgen/testdata/orms/ent"
	"github.com/outboxgen/outboxgen/testdata/orms/events"
)

// DBTX is what sqlc's code for database/sql runs on.
type DBTX interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

var _ DBTX = (*outboxsql.Tx)(nil)

// A library can run its statements in a transaction of an Outbox, which then logs the
// events, wakes the relay and runs the function again.
func TestLibrariesInATransactionOfAnOutbox(t *testing.T) {
	t.Parallel()
	for name, insert := range map[string]func(ctx context.Context, db *sql.DB, tx *outboxsql.Tx, id string) error{
		"GORM": func(ctx context.Context, _ *sql.DB, tx *outboxsql.Tx, id string) error {
			g, err := gorm.Open(postgres.New(postgres.Config{Conn: tx}), &gorm.Config{SkipDefaultTransaction: true, Logger: logger.Discard})
			if err != nil {
				return err
			}
			return g.WithContext(ctx).Create(&order{ID: id, Quantity: 2}).Error
		},
		"bun": func(ctx context.Context, db *sql.DB, tx *outboxsql.Tx, id string) error {
			_, err := bun.NewDB(db, pgdialect.New()).NewInsert().Conn(tx).Model(&bunOrder{ID: id, Quantity: 2}).Exec(ctx)
			return err
		},
		"ent": func(ctx context.Context, _ *sql.DB, tx *outboxsql.Tx, id string) error {
			client := ent.NewClient(ent.Driver(entsql.NewDriver(dialect.Postgres, entsql.Conn{ExecQuerier: tx})))
			return client.Order.Create().SetID(id).SetQuantity(2).SetShipped(0).Exec(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, driver := range drivers {
				db := newDatabase(t, driver)
				woken := make(chan struct{}, 1)
				ob := outboxsql.New(db, outbox.Options{Logger: slog.New(slog.DiscardHandler), Waker: waker(woken)})
				place := func(id string, then error) error {
					return ob.InTx(t.Context(), func(ctx context.Context, tx *outboxsql.Tx) error {
						if err := insert(ctx, db, tx, id); err != nil {
							return err
						}
						if err := events.InsertOrderPlacedV1(ctx, tx, placed(id)); err != nil {
							return err
						}
						return then
					})
				}
				if err := place("o-1", nil); err != nil {
					t.Fatal(err)
				}
				<-woken
				if err := place("o-2", errTooLate); err == nil {
					t.Error("no error")
				}
				ob.Close()
				if diff := cmp.Diff([]order{{"o-1", 2, 0}}, orders(t, db)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// waker signals each wake-up to the channel.
type waker chan struct{}

func (w waker) Wake(context.Context) error {
	w <- struct{}{}
	return nil
}
