package endtoend_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/wake"
	"github.com/outboxgen/outboxgen/testdata/service/events"
	"github.com/outboxgen/outboxgen/testdata/service/migrations"
)

// looker is a relay that looks at once when it is woken.
type looker struct {
	pool  *pgxpool.Pool
	found chan int
}

func (l looker) Wake(ctx context.Context) error {
	var n int
	if err := l.pool.QueryRow(ctx, `SELECT count(*) FROM event_outbox`).Scan(&n); err != nil {
		return err
	}
	l.found <- n
	return nil
}

// A relay that is woken finds the row.
func TestWakeUpComesAfterTheCommit(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		waker := looker{pg.Pool, make(chan int, 1)}
		p := newPath(t, pg, nil, waker)
		must(t, p.grade.CreateBatch(t.Context(), "b"))
		for i := range 20 {
			_, err := p.grade.Grade(t.Context(), "b", uuid.New(), 0.8)
			must(t, err)
			select {
			case n := <-waker.found:
				equal(t, "rows that a wake-up finds", i+1, n)
			case <-time.After(patience):
				t.Fatal("no wake-up")
			}
		}
	})
}

// overheard records the statements of a pool.
type overheard struct {
	mu  sync.Mutex
	sql []string
}

func (o *overheard) add(sql string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sql = append(o.sql, sql)
}

func (o *overheard) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	o.add(d.SQL)
	return ctx
}
func (o *overheard) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (o *overheard) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}
func (o *overheard) TraceBatchQuery(_ context.Context, _ *pgx.Conn, d pgx.TraceBatchQueryData) {
	o.add(d.SQL)
}
func (o *overheard) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// The commit of a transaction with NOTIFY waits for that of every other one with
// NOTIFY. The service's transactions have none, because the wake-up uses its own
// connection.
func TestNotifyStaysOutOfTheTransaction(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	must(t, migrations.Up(t.Context(), pg.Connect(t.Context())))
	cfg, err := pgxpool.ParseConfig(pg.URL)
	must(t, err)
	heard := &overheard{}
	cfg.ConnConfig.Tracer = heard
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	must(t, err)
	defer pool.Close()
	waker, err := wake.Postgres(pg.URL, events.Service, wake.PostgresOptions{})
	must(t, err)
	defer func() { must(t, waker.Close(context.WithoutCancel(t.Context()))) }()
	listener := pg.Connect(t.Context())
	_, err = listener.Exec(t.Context(), `LISTEN "outbox_wake:`+events.Service+`"`)
	must(t, err)

	ob := outbox.New(pool, outbox.Options{Waker: waker, Logger: quiet()})
	defer ob.Close()
	must(t, ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error { return insert(ctx, tx, "quiet") }))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = listener.WaitForNotification(ctx)
	must(t, err)
	heard.mu.Lock()
	defer heard.mu.Unlock()
	inserted := false
	for _, sql := range heard.sql {
		inserted = inserted || strings.Contains(sql, "event_outbox")
		if strings.Contains(strings.ToLower(sql), "notify") {
			t.Errorf("the service's own connection sent %s", sql)
		}
	}
	if !inserted {
		t.Errorf("the insert was not overheard: %q", heard.sql)
	}
}
