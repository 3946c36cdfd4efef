package storeadmin_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/storeadmin"
)

// killer ends a session before its statement with a number.
type killer struct {
	t    *testing.T
	from *pgx.Conn
	at   int
}

func (k *killer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	if k.at--; k.at == 0 {
		exec(k.t, k.from, `SELECT pg_terminate_backend($1)`, conn.PgConn().PID())
	}
	return ctx
}

func (k *killer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Migrate is killed before each of its statements. Until the last one nothing has changed, and
// the next attempt works.
func TestMigrateKilled(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	owner := pg.Connect(t.Context())
	settled(t, pg, owner)
	everything := func() []string {
		return append(lines(t, owner, `SELECT format('%s %s', relkind, relname) FROM pg_class
					WHERE relnamespace = 'public'::regnamespace AND relname ~ '^event_outbox' ORDER BY relname`),
			lines(t, owner, `SELECT format('%s %s', seq, id) FROM event_outbox ORDER BY seq`)...)
	}
	for _, to := range []migrations.Store{migrations.StoreTable, migrations.StoreLog} {
		before := everything()
		for at := 1; ; at++ {
			config, err := pgx.ParseConfig(pg.URL)
			ok(t, err)
			k := &killer{t: t, from: owner, at: at}
			config.Tracer = k
			conn, err := pgx.ConnectConfig(t.Context(), config)
			ok(t, err)
			result, err := storeadmin.Migrate(t.Context(), conn, to, storeadmin.Config{MaxLock: time.Minute})
			conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // it was killed
			if k.at > 0 {
				ok(t, err)
				t.Logf("to a %s it takes %d statements and moves %d rows", to, at-1, result.Rows)
				break
			}
			if err == nil {
				t.Fatalf("killed before statement %d it says nothing", at)
			}
			if diff := cmp.Diff(before, everything()); diff != "" {
				t.Fatalf("killed before statement %d (-want +got):\n%s", at, diff)
			}
		}
		exec(t, owner, dropBefore)
	}
	if diff := cmp.Diff([]string{"2", "3", "4", "5", "6"}, lines(t, owner, `SELECT seq::text FROM event_outbox ORDER BY seq`)); diff != "" {
		t.Errorf("rows in the end (-want +got):\n%s", diff)
	}
}
