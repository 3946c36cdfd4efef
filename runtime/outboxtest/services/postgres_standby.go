package services

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
)

// Standby starts a physical standby of a private server, with the same settings. It
// returns once the standby follows and has everything that the server has. The caller
// closes it.
func (s *PostgresServer) Standby(ctx context.Context) (_ *PostgresServer, err error) {
	if !s.control {
		return nil, errShared("Postgres", "services.Postgres(t, services.Private())")
	}
	dir, err := newFolder("standby", s.own.user)
	if err != nil {
		return nil, err
	}
	c := &cluster{install: s.own.install, user: s.own.user, folder: dir, settings: maps.Clone(s.own.settings)}
	c.settings["unix_socket_directories"] = dir.path
	defer func() {
		if err != nil {
			err = errors.Join(err, c.process.kill(), dir.remove())
		}
	}()
	err = c.run(ctx, "pg_basebackup", "-D", c.data(), "-h", s.own.folder.path, "-U", "postgres", "-R", "-X", "stream", "-c", "fast")
	if err != nil {
		return nil, err
	}
	standby, err := c.serve(ctx)
	if err != nil {
		return nil, err
	}
	const limit = time.Minute
	err = c.process.poll(limit, func() error {
		return s.holds(ctx, `SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'`)
	})
	if err != nil {
		return nil, err
	}
	var position string
	err = s.asAdmin(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT pg_current_wal_lsn()::text`).Scan(&position)
	})
	if err != nil {
		return nil, err
	}
	return standby, c.process.poll(limit, func() error {
		return standby.holds(ctx, `SELECT pg_last_wal_replay_lsn() >= '`+position+`'`)
	})
}

// Promote makes a standby accept writes, and returns once it does.
func (s *PostgresServer) Promote(ctx context.Context) error {
	if err := s.holds(ctx, "SELECT pg_promote()"); err != nil {
		return fmt.Errorf("promote the standby: %w", err)
	}
	return nil
}

// holds returns an error unless the query returns true.
func (s *PostgresServer) holds(ctx context.Context, query string) error {
	return s.asAdmin(ctx, func(conn *pgx.Conn) error {
		var yes bool
		if err := conn.QueryRow(ctx, query).Scan(&yes); err != nil {
			return err
		}
		if !yes {
			return fmt.Errorf("it is not true: %s", query)
		}
		return nil
	})
}
