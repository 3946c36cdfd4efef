package outboxsql_test

import (
	"context"
	"database/sql"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/inbox"
	"github.com/outboxgen/outboxgen/runtime/outboxsql"
)

// InsertPaid stands for a function that outboxgen generates.
func InsertPaid(ctx context.Context, tx outbox.Transaction, data Paid, opts ...outbox.Option) error {
	return gen.Insert(ctx, tx, insertRows, data, opts...)
}

// A service that begins and commits its transactions by itself.
func ExampleOn() {
	_ = func(ctx context.Context, db *sql.DB, id string) error { // needs a database
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // does nothing after Commit
		// The update locks the order, so its events are in the order of its changes.
		if _, err := tx.ExecContext(ctx, `UPDATE orders SET paid = paid + 1 WHERE id = $1`, id); err != nil {
			return err
		}
		if err := InsertPaid(ctx, outboxsql.On(tx), Paid{Order: id}); err != nil {
			return err
		}
		return tx.Commit()
	}
}

// A service that leaves the transaction to an Outbox.
func ExampleOutbox_InTx() {
	_ = func(ctx context.Context, db *sql.DB, id string) error { // needs a database
		ob := outboxsql.New(db, outbox.Options{MaxRetries: 3}) // once, when the service starts
		defer ob.Close()

		return ob.InTx(ctx, func(ctx context.Context, tx *outboxsql.Tx) error {
			if _, err := tx.ExecContext(ctx, `UPDATE orders SET paid = paid + 1 WHERE id = $1`, id); err != nil {
				return err
			}
			return InsertPaid(ctx, tx, Paid{Order: id})
		})
	}
}

// A consumer whose effects are rows. A generated On… function takes the handler.
func ExampleOutbox_InTx_consumer() {
	_ = func(ob *outboxsql.Outbox) func(context.Context, outbox.Envelope[Paid]) error { // needs a database
		return inbox.InTx(ob.InTx, "bookkeeping", func(ctx context.Context, tx *outboxsql.Tx, e outbox.Envelope[Paid]) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO payment (order_id) VALUES ($1)`, e.Data.Order)
			return err
		})
	}
}
