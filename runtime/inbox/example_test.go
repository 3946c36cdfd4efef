package inbox_test

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/inbox"
)

// The handler is what a generated On… function takes; db is the service's
// *pgxpool.Pool.
func ExampleTx() {
	db := &oneEvent{} // stands in for a pool
	handle := inbox.Tx(db, "grades", func(ctx context.Context, tx pgx.Tx, e outbox.Envelope[grade]) error {
		fmt.Println("grade", e.Data.Letter)
		_, err := tx.Exec(ctx, `INSERT INTO grade (letter) VALUES ($1)`, e.Data.Letter)
		return err
	})
	e := outbox.Envelope[grade]{EventID: uuid.MustParse("018fd0a0-0000-7000-8000-000000000001"), Data: grade{"B+"}}
	for range 3 { // delivered three times
		if err := handle(context.Background(), e); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// grade B+
}

// oneEvent answers like a database that has the event after the first statement.
type oneEvent struct {
	pgx.Tx
	seen bool
}

func (d *oneEvent) Begin(context.Context) (pgx.Tx, error) { return d, nil }
func (d *oneEvent) Commit(context.Context) error          { return nil }
func (d *oneEvent) Rollback(context.Context) error        { return nil }
func (d *oneEvent) Exec(context.Context, string, ...any) (pgconn.CommandTag, error) {
	tag := "INSERT 0 1"
	if d.seen {
		tag = "INSERT 0 0"
	}
	d.seen = true
	return pgconn.NewCommandTag(tag), nil
}
