//go:build unix

package relay_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// server is a cluster of package services for the tests of fail-over and restore, with
// the folder of its files and their owner.
type server struct {
	*services.PG
	data, bin string
	owner     *syscall.SysProcAttr
}

// newServer returns a new cluster, and skips the test if there are no programs for
// dumps and backups.
func newServer(t *testing.T) *server {
	t.Helper()
	pg := services.Postgres(t, services.Private())
	s := &server{PG: pg}
	err := pg.Pool.QueryRow(t.Context(), `SELECT current_setting('data_directory'), (SELECT setting FROM pg_config() WHERE name = 'BINDIR')`).
		Scan(&s.data, &s.bin)
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"pg_basebackup", "pg_dump", "pg_restore"} { // some installations have only a server
		services.Program(t, "postgres", filepath.Join(s.bin, program))
	}
	info, err := os.Stat(s.data)
	if err != nil {
		t.Fatal(err)
	}
	if files, ok := info.Sys().(*syscall.Stat_t); ok && os.Getuid() == 0 {
		s.owner = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: files.Uid, Gid: files.Gid}}
	}
	return s
}

// socket returns the folder of the server's socket.
func (s *server) socket() string { return filepath.Dir(s.data) }

// command returns one of Postgres's programs, run by the owner of the cluster.
func (s *server) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...)
	cmd.Dir = s.socket()
	cmd.SysProcAttr = s.owner
	return cmd
}

func (s *server) run(t *testing.T, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if out, err := s.command(ctx, name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// standby is a physical standby of a server.
type standby struct {
	primary *server
	data    string
	process *exec.Cmd // nil: it does not run
}

const (
	primaryPort = 5432
	standbyPort = 5433
)

// newStandby makes a standby of the server and starts it.
func newStandby(t *testing.T, primary *server) *standby {
	t.Helper()
	s := &standby{primary: primary, data: filepath.Join(primary.socket(), "standby")}
	primary.run(t, "pg_basebackup", "--pgdata", s.data, "--write-recovery-conf", "--checkpoint", "fast", "--no-sync",
		"--host", primary.socket(), "--username", "postgres")
	t.Cleanup(func() { s.stop(t) })
	s.start(t)
	return s
}

func (s *standby) start(t *testing.T) {
	t.Helper()
	args := []string{"-D", s.data}
	for name, value := range map[string]string{
		"port": strconv.Itoa(standbyPort), "unix_socket_directories": s.primary.socket(), "listen_addresses": "",
		"max_connections": "300", "shared_buffers": "64MB", "fsync": "off",
	} {
		args = append(args, "-c", name+"="+value)
	}
	// Its folder is removed at the end of the test in any case. A server without its
	// folder ends.
	s.process = s.primary.command(context.Background(), "postgres", args...)
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	s.admin(t, "SELECT 1")
}

// stop ends the standby cleanly.
func (s *standby) stop(t *testing.T) {
	t.Helper()
	if s.process == nil {
		return
	}
	if err := s.process.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	_ = s.process.Wait() // how it ended does not matter
	s.process = nil
}

// promote makes it the primary.
func (s *standby) promote(t *testing.T) {
	t.Helper()
	s.admin(t, "SELECT pg_promote(true, 60)")
}

// admin runs a statement on the standby, waiting until it takes connections.
func (s *standby) admin(t *testing.T, sql string) {
	t.Helper()
	address := url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/postgres", RawQuery: url.Values{
		"host": {s.primary.socket()}, "port": {strconv.Itoa(standbyPort)},
	}.Encode()}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, address.String())
		if err == nil {
			_, err = conn.Exec(ctx, sql)
			_ = conn.Close(ctx) // it has done its work
			if err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the standby takes no connections: %v", err)
		}
	}
}

// eitherURL leads to the one of primary and standby that accepts writes.
func (s *standby) eitherURL() string {
	socket := s.primary.socket()
	address := url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/" + s.primary.Database, RawQuery: url.Values{
		"host": {socket + "," + socket}, "port": {strconv.Itoa(primaryPort) + "," + strconv.Itoa(standbyPort)},
		"target_session_attrs": {"read-write"},
	}.Encode()}
	return address.String()
}
