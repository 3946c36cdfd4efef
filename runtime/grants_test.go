package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/internal/pgroles"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// Every way to insert works with the privileges that `outboxgen migration --grants`
// gives a service. Without either of the two, the error says what is missing.
func TestTheServiceRoleMayInsert(t *testing.T) {
	t.Parallel()
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		pg := open(t)
		roles := pgroles.Create(t, pg)
		pool, err := pgxpool.New(t.Context(), roles.Service.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		ob := newOutbox(t, pool, outbox.Options{})
		ways := map[string]func() error{
			"riding": func() error {
				return ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
					return InsertGraded(ctx, tx, Graded{EssayID: "a"}, outbox.WithID(uuid.New()))
				})
			},
			"many": func() error {
				return ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
					return gen.InsertAll(ctx, tx, insertRows, Graded{EssayID: "b"}, Graded{EssayID: "c"})
				})
			},
			"plain": func() error {
				return pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error { return InsertGraded(t.Context(), tx, Graded{EssayID: "d"}) })
			},
			"queued": func() error {
				return pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
					var batch pgx.Batch
					if err := gen.Queue(t.Context(), &batch, insertRows, Graded{EssayID: "e"}); err != nil {
						return err
					}
					return tx.SendBatch(t.Context(), &batch).Close()
				})
			},
		}
		for name, insert := range ways {
			if err := insert(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := len(outboxtest.Pending(t, pg.Pool)); n != 5 {
			t.Errorf("%d events, want 5", n)
		}
		for _, forbidden := range []string{
			`INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, event_data, topic, tx) VALUES ('a', 'a', 'a', '{}', 'a', '1')`,
			`SELECT event_data FROM event_outbox`, `UPDATE event_outbox SET published_at = now()`, `DELETE FROM event_outbox`,
			`SELECT * FROM event_outbox_lease`, `SELECT * FROM event_outbox_audit`, `SELECT * FROM event_inbox`,
		} {
			if _, err := pool.Exec(t.Context(), forbidden); err == nil {
				t.Errorf("the service may %s", forbidden)
			}
		}
		name := pgx.Identifier{roles.Service.Name}.Sanitize()
		for _, privilege := range []string{"SELECT (id)", "INSERT (headers)"} {
			if _, err := pg.Pool.Exec(t.Context(), fmt.Sprintf(`REVOKE %s ON event_outbox FROM %s`, privilege, name)); err != nil {
				t.Fatal(err)
			}
			err := ways["riding"]()
			if _, ok := errors.AsType[*outbox.InsertError](err); !ok || !strings.Contains(err.Error(), "GRANT INSERT, SELECT (id) ON event_outbox TO") {
				t.Errorf("without %s: %v", privilege, err)
			}
			if _, err := pg.Pool.Exec(t.Context(), fmt.Sprintf(`GRANT %s ON event_outbox TO %s`, privilege, name)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
