package outbox_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// prepares lists the calls of a tracer for one prepared statement.
type prepares struct {
	of   string
	seen []string
}

type preparing struct{}

func (p *prepares) TracePrepareStart(ctx context.Context, _ *pgx.Conn, data pgx.TracePrepareStartData) context.Context {
	return context.WithValue(ctx, preparing{}, data.Name)
}

func (p *prepares) TracePrepareEnd(ctx context.Context, _ *pgx.Conn, data pgx.TracePrepareEndData) {
	if ctx.Value(preparing{}) == p.of {
		p.seen = append(p.seen, fmt.Sprintf("already %v, cancelled %v", data.AlreadyPrepared, data.Err != nil && ctx.Err() != nil))
	}
}

func (*prepares) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (*prepares) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// The calls of an application's tracer when the Tx checks whether a name still stands
// for the same SQL, as docs/writing.md says.
func TestWhatATracerSeesOfPreparedStatements(t *testing.T) {
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		newTenants(t, pg)
		tracer := &prepares{of: "grade"}
		config := pg.Pool.Config()
		config.ConnConfig.Tracer = tracer
		pool, err := pgxpool.NewWithConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		err = newOutbox(t, pool, outbox.Options{}).InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
			if _, err := tx.Exec(ctx, `set local search_path to a`); err != nil {
				return err
			}
			if _, err := tx.Prepare(ctx, "grade", `select 1`); err != nil {
				return err
			}
			if err := InsertGraded(ctx, tx, event(1)); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `grade`); err != nil {
				return err
			}
			if err := tx.Conn().Deallocate(ctx, "grade"); err != nil {
				return err
			}
			if _, err := tx.Conn().Prepare(ctx, "grade", `select 2`); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `grade`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{
			"already false, cancelled false", // by the application
			"already true, cancelled false",  // the check
			"already false, cancelled false", // by the application, again
			"already false, cancelled true",  // the check
		}
		if diff := cmp.Diff(want, tracer.seen); diff != "" {
			t.Errorf("prepares (-want +got):\n%s", diff)
		}
	})
}
