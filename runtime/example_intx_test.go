package outbox_test

import (
	"context"
	"os"
	"os/signal"

	"github.com/jackc/pgx/v5/pgxpool"

	outbox "github.com/outboxgen/outboxgen/runtime"
)

// service raises grades. Graded and InsertGraded stand for what outboxgen
// generates.
type service struct{ outbox *outbox.Outbox }

// raise gives an essay the next grade and tells others about it.
func (s *service) raise(ctx context.Context, essay string) (grade int, err error) {
	err = s.outbox.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
		// The update locks the essay, so its events are in the order of its grades.
		err := tx.QueryRow(ctx, `update essay set grade = grade + 1 where id = $1 returning grade`, essay).Scan(&grade)
		if err != nil {
			return err
		}
		return InsertGraded(ctx, tx, Graded{EssayID: essay, Grade: grade})
	})
	return grade, err
}

// A service makes one Outbox at its start and closes it at its end.
func ExampleOutbox_InTx() {
	_ = func() error { // func main(), on the service's database
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
		if err != nil {
			return err
		}
		defer pool.Close()
		ob := outbox.New(pool, outbox.Options{})
		defer ob.Close()

		_, err = (&service{ob}).raise(ctx, "e1")
		return err
	}
}
