package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// lab has what the scenarios need: a database with the tables of an outbox and of a
// business, and functions that start the rest.
type lab struct {
	options
	server   *services.PostgresServer
	database string
	url      string
	admin    *pgx.Conn             // for setting up; one user at a time
	redis    *services.RedisServer // nil: there is none
	log      *slog.Logger
	cleanup  []func() error // what to undo at the end
}

// quiet logs nothing.
var quiet = slog.New(slog.DiscardHandler)

func openLab(ctx context.Context, o options) (_ *lab, err error) {
	l := &lab{options: o, log: quiet}
	if o.verbose {
		l.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	var settings []services.Option
	if os.Getenv("DATABASE_URL") == "" {
		// Large enough that no checkpoint happens during a measurement.
		settings = append(settings, services.Setting("shared_buffers", "512MB"),
			services.Setting("max_wal_size", "8GB"), services.Setting("checkpoint_timeout", "1h"),
			services.Setting("fsync", "off"), services.Setting("max_connections", "600"))
	}
	if l.server, err = services.StartPostgres(ctx, settings...); err != nil {
		return nil, err
	}
	l.database = fmt.Sprintf("outboxbench_%d", os.Getpid())
	if l.url, err = l.server.CreateDatabase(ctx, l.database); err != nil {
		l.database = ""
		return nil, err
	}
	if l.admin, err = pgx.Connect(ctx, l.url); err != nil {
		return nil, err
	}
	if err = migrations.Up(ctx, l.admin); err != nil {
		return nil, err
	}
	if _, err = l.admin.Exec(ctx, "CREATE TABLE batches (id text PRIMARY KEY, graded bigint NOT NULL DEFAULT 0)"); err != nil {
		return nil, err
	}
	l.redis, err = services.StartRedis(ctx)
	if errors.Is(err, services.ErrNotFound) {
		err = nil
	}
	return l, err
}

func (l *lab) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	for _, clean := range l.cleanup {
		errs = append(errs, clean())
	}
	if l.redis != nil {
		errs = append(errs, l.redis.Close())
	}
	if l.admin != nil {
		errs = append(errs, l.admin.Close(ctx))
	}
	if l.server != nil {
		if l.database != "" {
			errs = append(errs, l.server.DropDatabase(ctx, l.database))
		}
		errs = append(errs, l.server.Close())
	}
	return errors.Join(errs...)
}

func (l *lab) machine(ctx context.Context) machine {
	m := machine{
		CPUs: runtime.GOMAXPROCS(0), Go: runtime.Version(), Redis: l.redis != nil,
		Socket: strings.HasPrefix(l.admin.Config().Host, "/"),
	}
	for name, value := range map[string]*string{
		"server_version": &m.Postgres, "fsync": &m.Fsync, "synchronous_commit": &m.Commit,
	} {
		if err := l.admin.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(value); err != nil {
			*value = "unknown"
		}
	}
	return m
}

// reset empties the tables with TRUNCATE, which leaves no work for vacuum.
func (l *lab) reset(ctx context.Context) error {
	_, err := l.admin.Exec(ctx, "TRUNCATE event_outbox, event_outbox_lease, event_outbox_audit, batches")
	return err
}

func (l *lab) settleDown(ctx context.Context) error {
	for _, sql := range []string{"VACUUM ANALYZE event_outbox", "CHECKPOINT"} {
		if _, err := l.admin.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// pool returns a pool with n open connections.
func (l *lab) pool(ctx context.Context, n int32) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(l.url)
	if err != nil {
		return nil, err
	}
	config.MinConns, config.MaxConns = n, n
	return pgxpool.NewWithConfig(ctx, config)
}

// partitions is the number of partitions of the topic.
const partitions = 8

// kafka starts an empty Kafka that has the topic.
func (l *lab) kafka() (*kfake.Cluster, error) {
	return kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic))
}
