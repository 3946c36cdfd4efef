package main

import (
	"context"
	"errors"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/chaos"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/lab"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/kafkasink"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// program returns the command for one of the server's programs.
func program(t *testing.T, pg *services.PG, name string, args ...string) *exec.Cmd {
	t.Helper()
	var folder string
	if err := pg.Pool.QueryRow(t.Context(), `SELECT setting FROM pg_config WHERE name = 'BINDIR'`).Scan(&folder); err != nil {
		t.Fatal(err)
	}
	return exec.Command(filepath.Join(folder, name), args...)
}

// newStandby makes a standby and waits until it follows its primary.
func newStandby(t *testing.T, s *services.PostgresServer) *services.PostgresServer {
	t.Helper()
	standby, err := s.Standby(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := standby.Close(); err != nil {
			t.Error(err)
		}
	})
	return standby
}

func execute(ctx context.Context, url string, statements ...string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	for _, s := range statements {
		_, e := conn.Exec(ctx, s)
		err = errors.Join(err, e)
	}
	return errors.Join(err, conn.Close(ctx))
}

// fallBehind cuts the standby off and waits until the primary has committed rows that
// the standby lacks, and a relay has published some of them.
func fallBehind(ctx context.Context, l *lab.Lab, standby *services.PostgresServer) error {
	if err := execute(ctx, standby.URL("postgres"), "ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	const look = 50 * time.Millisecond
	var cut bool
	err := wait.Until(ctx, look, func() (bool, error) {
		err := l.Pool.QueryRow(ctx, "SELECT NOT EXISTS (SELECT FROM pg_stat_replication)").Scan(&cut)
		return cut, err
	})
	if err != nil {
		return err
	}
	var after int64
	if err := l.Pool.QueryRow(ctx, "SELECT max(seq) FROM event_outbox").Scan(&after); err != nil {
		return err
	}
	var forgotten bool
	return wait.Until(ctx, look, func() (bool, error) {
		err := l.Pool.QueryRow(ctx, "SELECT count(*) >= 50 FROM event_outbox WHERE seq > $1 AND published_at IS NOT NULL", after).Scan(&forgotten)
		return forgotten, err
	})
}

// A standby is promoted under load. With synchronous replication nothing is lost.
// Without it, everything that the new primary has is delivered in order; transactions
// that it lacks may have been delivered before.
func TestFailOver(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	t.Parallel()
	for _, mode := range []string{"synchronous", "asynchronous"} {
		t.Run(mode, func(t *testing.T) {
			primary := services.Postgres(t, services.Private()).PostgresServer
			standby := newStandby(t, primary)
			if mode == "synchronous" {
				if err := execute(t.Context(), primary.URL("postgres"), "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"); err != nil {
					t.Fatal(err)
				}
			}
			result, err := chaos.Run(t.Context(), chaos.Options{
				Seed: 1, Duration: 16 * time.Second, Only: []string{"none"}, Dir: t.TempDir(), Command: self, Say: t.Logf,
				Servers: lab.Servers{Postgres: primary, Kafka: services.KFake(t, services.FakeBrokers(1)), Redis: services.Redis(t)},
				Midway: func(ctx context.Context, l *lab.Lab) error {
					if mode == "asynchronous" {
						if err := fallBehind(ctx, l, standby); err != nil {
							return err
						}
					}
					if err := primary.Stop(ctx, services.Immediate); err != nil {
						return err
					}
					t.Log("the primary is gone; the standby is promoted")
					if err := standby.Promote(ctx); err != nil {
						return err
					}
					return l.MovePostgres(standby)
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Log(result.Line())
			if mode == "synchronous" && !result.OK() {
				t.Error("with synchronous replication a fail-over must cost nothing")
			}
			if mode == "asynchronous" && result.Broken == 0 {
				t.Error("nothing was forgotten, so nothing was shown")
			}
			if result.Lost > 0 || result.Reordered > 0 || result.Corrupted > 0 || result.Committed == 0 {
				t.Error("what the new primary knows must be delivered, in order")
			}
		})
	}
}

// A table with waiting rows is dumped and restored in a new cluster, whose transaction
// ids are lower. The rows are delivered there, in order.
func TestADumpIsRestoredIntoANewCluster(t *testing.T) {
	t.Parallel()
	old, k := migrated(t), services.KFake(t)
	k.CreateTopic(t, "t", 1)
	fill := func(url string, n int) {
		t.Helper()
		statements := make([]string, n)
		for i := range statements { // each uses a transaction id
			statements[i] = `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data) VALUES ('a', 'a', 'e.v1', 't', 'blocked', '{}')`
		}
		if err := execute(t.Context(), url, statements...); err != nil {
			t.Fatal(err)
		}
	}
	fill(old.URL, 100)
	end := runRelay(t, old.URL, k, relay.Config{})
	eventually(t, old.Pool, `SELECT count(*) = count(published_at) FROM event_outbox`)
	end()
	fill(old.URL, 100)

	fresh := services.Postgres(t, services.Private())
	file := filepath.Join(t.TempDir(), "dump.sql")
	dump := program(t, old, "pg_dump", "--no-owner", "-f", file, old.URL)
	if out, err := dump.CombinedOutput(); err != nil {
		t.Fatalf("pg_dump: %v\n%s", err, out)
	}
	restore := program(t, fresh, "psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", file, fresh.URL)
	if out, err := restore.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
	runRelay(t, fresh.URL, k, relay.Config{})
	fill(fresh.URL, 100)
	eventually(t, fresh.Pool, `SELECT count(*) = 300 AND count(*) = count(published_at) FROM event_outbox`)
	if diff := cmp.Diff(seqs(t, fresh, "blocked"), offsets(t, fresh, k, "blocked")); diff != "" {
		t.Errorf("order over the restore (-want +got):\n%s", diff)
	}
}

// A sequence that was set back below the rows of the table cannot order new rows. The
// relay refuses to start, and says what to do.
func TestASequenceSetBackIsRefused(t *testing.T) {
	t.Parallel()
	pg := migrated(t)
	if _, err := pg.Pool.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_data)
		SELECT 'a', 'a', 'e.v1', 't', '{}' FROM generate_series(1, 20)`); err != nil {
		t.Fatal(err)
	}
	if _, err := pg.Pool.Exec(t.Context(), `SELECT setval('event_outbox_seq_seq', 5)`); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.ParseConfig(pg.URL)
	if err != nil {
		t.Fatal(err)
	}
	store, err := pgstore.New(pgstore.Config{Conn: conn, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	sink, err := kafkasink.New(kafkasink.Config{Opts: []kgo.Opt{kgo.SeedBrokers("localhost:1")}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := relay.New(relay.Config{Store: store, Sink: sink, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var setup *relay.SetupError
	if err := r.Run(t.Context()); !errors.As(err, &setup) || !strings.Contains(setup.Remedy, "setval") {
		t.Errorf("Run returned %v; want a SetupError whose remedy is setval", err)
	}
}
