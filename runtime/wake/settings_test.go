package wake_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

// A database that ends idle sessions does not end the one that listens.
func TestPostgresSourceOutlivesIdleSessionTimeout(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		ctx := t.Context()
		_, err := pg.Pool.Exec(ctx, `ALTER DATABASE `+pgx.Identifier{pg.Database}.Sanitize()+` SET idle_session_timeout = '5s'`)
		if err != nil {
			t.Fatal(err)
		}
		var log lines
		source, err := wake.PostgresSource(pg.URL, "svc", wake.SourceOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		defer source.Close()
		if err := source.Check(ctx); err != nil {
			t.Fatal(err)
		}
		// A later session has been ended, so the listening one would have been ended
		// too.
		if _, err := pg.Connect(ctx).WaitForNotification(ctx); err == nil {
			t.Fatal("a notification for nobody")
		}
		if err := postgresWaker(t, pg.URL, time.Millisecond).Wake(ctx); err != nil {
			t.Fatal(err)
		}
		if err := source.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		if log.String() != "" {
			t.Errorf("the session was lost:\n%s", &log)
		}
	})
}
