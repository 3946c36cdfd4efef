package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/outboxgen/outboxgen/cmd/outboxbench/internal/report"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// lab has what the scenarios need: a database with the tables of an outbox and of a
// business, and functions that start the rest.
type lab struct {
	options
	url string // of the database
	// application is the application_name of relays; empty: their default.
	application string
	admin       *pgx.Conn              // for setting up; one user at a time
	redis       *services.RedisServer  // nil: there is none
	broker      *services.KafkaCluster // the real one; nil: not started yet
	log         *slog.Logger
	cleanup     []func() error // what to do at the end, the last one first
}

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
			services.Setting("fsync", "off"), services.Setting("max_connections", "600"),
			services.Setting("autovacuum_naptime", "5s"))
	}
	server, err := services.StartPostgres(ctx, settings...)
	if err != nil {
		return nil, err
	}
	l.cleanup = append(l.cleanup, server.Close)
	database := fmt.Sprintf("outboxbench_%d", os.Getpid())
	if l.url, err = server.CreateDatabase(ctx, database); err != nil {
		return nil, err
	}
	l.cleanup = append(l.cleanup, func() error { return server.DropDatabase(context.WithoutCancel(ctx), database) })
	if l.admin, err = pgx.Connect(ctx, l.url); err != nil {
		return nil, err
	}
	l.cleanup = append(l.cleanup, func() error { return l.admin.Close(context.WithoutCancel(ctx)) })
	if err = migrations.Up(ctx, l.admin); err != nil {
		return nil, err
	}
	if _, err = l.admin.Exec(ctx, "CREATE TABLE batches (id text PRIMARY KEY, graded bigint NOT NULL DEFAULT 0)"); err != nil {
		return nil, err
	}
	redis, err := services.StartRedis(ctx)
	if errors.Is(err, services.ErrNotFound) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	l.redis, l.cleanup = redis, append(l.cleanup, redis.Close)
	return l, nil
}

func (l *lab) close() error {
	var errs []error
	for _, clean := range slices.Backward(l.cleanup) {
		errs = append(errs, clean())
	}
	return errors.Join(errs...)
}

func (l *lab) machine(ctx context.Context) report.Machine {
	m := report.Machine{
		CPUs: runtime.GOMAXPROCS(0), CPU: processor(), MemoryMB: memoryMB(), System: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(), Redis: l.redis != nil,
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

// pool returns a pool with n open connections.
func (l *lab) pool(ctx context.Context, n int32) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(l.url)
	if err != nil {
		return nil, err
	}
	config.MinConns, config.MaxConns = n, n
	return pgxpool.NewWithConfig(ctx, config)
}
