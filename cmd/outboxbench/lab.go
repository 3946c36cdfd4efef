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
	isLog       bool                   // the outbox is a log
	redis       *services.RedisServer  // nil: there is none
	broker      *services.KafkaCluster // the real one; nil: not started yet
	notes       []string               // versions and settings of the scenario that is prepared
	log         *slog.Logger
	built       map[string]built // by the name of the command
	others      map[string]*lab  // with another value of fsync
	cleanup     []func() error   // what to do at the end, the last one first
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
		settings = append(ownServer(), services.Setting("fsync", "off"))
	}
	server, err := services.StartPostgres(ctx, settings...)
	if err != nil {
		return nil, err
	}
	l.cleanup = append(l.cleanup, server.Close)
	if err := l.open(ctx, server); err != nil {
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

// ownServer returns the settings of a server for measurements. It is large enough that no
// checkpoint happens during one.
func ownServer() []services.Option {
	return []services.Option{
		services.Setting("shared_buffers", "512MB"), services.Setting("max_wal_size", "8GB"), services.Setting("checkpoint_timeout", "1h"),
		services.Setting("max_connections", "600"), services.Setting("autovacuum_naptime", "5s"),
	}
}

// open makes the database on a server.
func (l *lab) open(ctx context.Context, server *services.PostgresServer) (err error) {
	database := fmt.Sprintf("outboxbench_%d", os.Getpid())
	if l.url, err = server.CreateDatabase(ctx, database); err != nil {
		return err
	}
	l.cleanup = append(l.cleanup, func() error { return server.DropDatabase(context.WithoutCancel(ctx), database) })
	if l.admin, err = pgx.Connect(ctx, l.url); err != nil {
		return err
	}
	admin := l.admin
	l.cleanup = append(l.cleanup, func() error { return admin.Close(context.WithoutCancel(ctx)) })
	if err = migrations.Up(ctx, l.admin); err != nil {
		return err
	}
	_, err = l.admin.Exec(ctx, "CREATE TABLE batches (id text PRIMARY KEY, graded bigint NOT NULL DEFAULT 0)")
	return err
}

// withFsync returns a lab whose server has this value of fsync: another server, unless it
// is the lab's own.
func (l *lab) withFsync(ctx context.Context, want string) (*lab, error) {
	if other := l.others[want]; other != nil {
		return other, nil
	}
	var now string
	if err := l.admin.QueryRow(ctx, "SELECT current_setting('fsync')").Scan(&now); err != nil || now == want {
		return l, err
	}
	if os.Getenv("DATABASE_URL") != "" {
		return nil, skip(fmt.Sprintf("the server that DATABASE_URL names has fsync %s", now))
	}
	server, err := services.StartPostgres(ctx, append(ownServer(), services.Setting("fsync", want))...)
	if err != nil {
		return nil, err
	}
	other := *l
	other.cleanup = nil
	err = other.open(ctx, server)
	l.cleanup = append(append(l.cleanup, server.Close), other.cleanup...)
	if err != nil {
		return nil, err
	}
	if l.others == nil {
		l.others = map[string]*lab{}
	}
	l.others[want] = &other
	return &other, nil
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
		*value = l.setting(ctx, name)
	}
	for _, name := range []string{
		"autovacuum_naptime", "checkpoint_timeout", "full_page_writes", "max_connections", "max_wal_size", "shared_buffers", "wal_compression", "wal_level",
	} {
		m.Settings = append(m.Settings, name+" "+l.setting(ctx, name))
	}
	m.Versions = l.versions(ctx)
	return m
}

// setting returns a setting of the server.
func (l *lab) setting(ctx context.Context, name string) (value string) {
	if err := l.admin.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value); err != nil {
		return "unknown"
	}
	return value
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
