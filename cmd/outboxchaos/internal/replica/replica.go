// Package replica makes a physical standby of a Postgres server and promotes it.
package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/child"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// Standby is a physical standby that follows its primary over a Unix socket.
type Standby struct {
	// Dir is where its socket is.
	Dir string

	user string
	cmd  *exec.Cmd
	done <-chan struct{} // nil: it was never started
	said bytes.Buffer
}

// Program returns the command for one of the server's programs, such as pg_dump. It
// runs as the user of Postgres, in a folder that is given to this user.
func Program(ctx context.Context, s *services.PostgresServer, dir, name string, args ...string) (*exec.Cmd, error) {
	bin, err := ask(ctx, s.URL("postgres"), `SELECT setting FROM pg_config WHERE name = 'BINDIR'`)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(bin, name), args...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential, err = giveAway(dir)
	}
	return cmd, err
}

// Own gives a file or folder to the user of Postgres.
func Own(path string) error {
	if os.Geteuid() != 0 {
		return nil // it is the same user
	}
	_, err := giveAway(path)
	return err
}

// giveAway gives a file or folder to the user that Postgres runs as if the harness runs
// as root.
func giveAway(path string) (*syscall.Credential, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(path, uid, gid)
}

// ask returns the result of a query, one text.
func ask(ctx context.Context, address, query string) (answer string, err error) {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	return answer, conn.QueryRow(ctx, query).Scan(&answer)
}

// Start makes a standby of a server, and returns when it follows the server. The caller
// closes it.
func Start(ctx context.Context, primary *services.PostgresServer) (_ *Standby, err error) {
	dir, err := os.MkdirTemp("", "standby") // a socket's path must be short
	if err != nil {
		return nil, err
	}
	s := &Standby{Dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	conn, err := pgx.ParseConfig(primary.URL("postgres"))
	if err != nil {
		return nil, err
	}
	s.user = conn.User
	data := filepath.Join(dir, "data")
	backup, err := Program(ctx, primary, dir, "pg_basebackup", "-D", data, "-h", conn.Host, "-U", conn.User, "-R", "-X", "stream", "-c", "fast")
	if err != nil {
		return nil, err
	}
	if out, err := backup.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	cmd, err := Program(ctx, primary, dir, "postgres", "-D", data, "-c", "listen_addresses=", "-c", "unix_socket_directories="+dir,
		"-c", "max_connections=300", "-c", "hot_standby=on")
	if err != nil {
		return nil, err
	}
	cmd.Stderr = &s.said
	s.cmd = cmd
	if s.done, err = child.Start(cmd, syscall.SIGQUIT, nil); err != nil {
		return nil, err
	}
	return s, until(ctx, primary.URL("postgres"), `SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'`)
}

// until asks a server until the query returns true.
func until(ctx context.Context, address, query string) error {
	const every, limit = 20 * time.Millisecond, time.Minute
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing depends on the goodbye
	for {
		var holds bool
		if err := conn.QueryRow(ctx, query).Scan(&holds); err != nil {
			return fmt.Errorf("wait for %q: %w", query, err)
		}
		if holds {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %q: %w", query, ctx.Err())
		case <-time.After(every):
		}
	}
}

// URL returns the address of a database of the standby.
func (s *Standby) URL(database string) string {
	return (&url.URL{
		Scheme: "postgres", User: url.User(s.user), Path: "/" + database, RawQuery: url.Values{"host": {s.Dir}}.Encode(),
	}).String()
}

// CaughtUp waits until the standby has everything that the primary had at the call.
func (s *Standby) CaughtUp(ctx context.Context, primary *services.PostgresServer) error {
	lsn, err := ask(ctx, primary.URL("postgres"), `SELECT pg_current_wal_lsn()::text`)
	if err != nil {
		return err
	}
	return until(ctx, s.URL("postgres"), fmt.Sprintf(`SELECT pg_last_wal_replay_lsn() >= '%s'`, lsn))
}

// Promote makes the standby a primary, and returns when it accepts writes.
func (s *Standby) Promote(ctx context.Context) error {
	promoted, err := ask(ctx, s.URL("postgres"), "SELECT pg_promote()::text")
	if err == nil && promoted != "true" {
		err = errors.New("it did not become a primary in time")
	}
	if err != nil {
		return fmt.Errorf("promote the standby: %w", err)
	}
	return nil
}

// Said returns the server's log. Call it after Close.
func (s *Standby) Said() string { return s.said.String() }

// Close ends the server and removes its data.
func (s *Standby) Close() error {
	if s.done != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGQUIT) // it may have ended
		<-s.done
	}
	return os.RemoveAll(s.Dir)
}
