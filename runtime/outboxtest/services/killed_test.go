package services_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

func TestServersDieWithAKilledTestBinary(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ties the life of a child to that of its parent")
	}
	services.Postgres(t) // skips, or fails if Postgres is required
	tmp := reachableFolder(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), asChild+"=1", "TMPDIR="+tmp)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var server, session int
	if _, err := fmt.Fscan(out, &server, &session); err != nil {
		t.Fatalf("the child did not print process ids: %v", err)
	}

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed

	for _, pid := range []int{server, session} {
		waitForEnd(t, pid)
	}

	// The folder that the child left is removed by the next one who needs a folder.
	t.Setenv("TMPDIR", tmp)
	t.Run("next run", func(t *testing.T) { services.PrivateRedis(t) })
	requireEmpty(t, tmp)
}

// waitForEnd waits until the process has ended. It is not a child of this process, so
// this can only poll.
func waitForEnd(t *testing.T, pid int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for alive(pid) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d still runs", pid)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// alive reports whether a process with this id exists.
func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// reachableFolder returns a temporary folder that every user may enter, with a short
// path.
func reachableFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "services-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		t.Errorf("%s is left in %s", entry.Name(), dir)
	}
}

// openSession opens a session that nobody closes and returns the id of its
// process.
func openSession(ctx context.Context, url string) (int, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	return int(conn.PgConn().PID()), nil
}
