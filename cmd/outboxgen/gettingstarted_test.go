package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/cmd/internal/gomod"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// gettingStarted is the page whose steps build a service.
const gettingStarted = "docs/getting-started.md"

// TestDocsGettingStarted runs the page as it is written: each shell block in order,
// with each Go file in the place that its first line names. The modules come from a
// proxy that serves this checkout.
func TestDocsGettingStarted(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a service, the generator and the relay as a user would")
	}
	services.Program(t, "postgres", "psql") // the steps use it
	root := repositoryRoot(t)
	source := read(t, filepath.Join(root, gettingStarted))
	pg, kafka := services.Postgres(t), services.KFake(t)
	kafka.CreateTopic(t, "shop.order_placed.v1", 3)
	dir := t.TempDir()
	run := exec.CommandContext(t.Context(), "bash", "-c", stepsScript(t, source, dir))
	run.Dir = dir
	run.Env = append(os.Environ(), moduleProxy(t, root)...)
	run.Env = append(run.Env, "DATABASE_URL="+pg.URL, "KAFKA_BROKERS="+strings.Join(kafka.Brokers, ","))
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var output bytes.Buffer
	run.Stdout, run.Stderr = &output, &output
	t.Cleanup(func() {
		if run.Process != nil {
			_ = syscall.Kill(-run.Process.Pid, syscall.SIGKILL) // otherwise the relay and the consumer continue to run
		}
		if t.Failed() {
			t.Logf("the steps printed:\n%s%s", output.String(), backgroundLogs(dir))
		}
	})
	run.WaitDelay = time.Second
	if err := run.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatalf("a step failed: %v", err)
	}
	const line = `1 line(s), first "tea"`
	waitFor(t, 2*time.Minute, func() bool { return strings.Contains(backgroundLogs(dir), line) })
	if first := `"sku":"tea"`; !strings.Contains(output.String(), first) {
		t.Errorf("the first look printed no record with %s", first)
	}
}

// stepsScript turns the steps of a page into one shell script.
func stepsScript(t *testing.T, text, dir string) string {
	t.Helper()
	script := "set -euo pipefail\n"
	background := 0
	for part := range strings.SplitSeq(text, "\n```") {
		info, body, _ := strings.Cut(part, "\n")
		switch info {
		case "sh":
			script += body + "\n"
		case "sh background":
			background++
			script += fmt.Sprintf("( %s ) >%s/background-%d.log 2>&1 &\n", strings.TrimSpace(body), dir, background)
		case "go":
			first, _, _ := strings.Cut(body, "\n")
			name := strings.TrimPrefix(first, "// ")
			script += fmt.Sprintf("mkdir -p $(dirname %[1]s)\ncat >%[1]s <<'END_OF_FILE'\n%[2]s\nEND_OF_FILE\n", name, body)
		}
	}
	if background == 0 {
		t.Fatal("the page starts neither a relay nor a consumer")
	}
	return script
}

func backgroundLogs(dir string) string {
	var all strings.Builder
	names, _ := filepath.Glob(filepath.Join(dir, "background-*.log"))
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err == nil {
			fmt.Fprintf(&all, "%s:\n%s\n", filepath.Base(name), text)
		}
	}
	return all.String()
}

func waitFor(t *testing.T, limit time.Duration, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("it did not happen within %s", limit)
		case <-ticker.C:
		}
	}
}

// moduleProxy serves this checkout as the latest version of its modules. It returns the
// environment variables that make go use it.
func moduleProxy(t *testing.T, root string) []string {
	t.Helper()
	served, err := gomod.Proxy(t.Context(), root, t.TempDir())
	if errors.Is(err, gomod.ErrNoWorkTree) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	cache := goEnv(t, "GOMODCACHE")
	t.Cleanup(func() {
		if err := served.Forget(cache); err != nil {
			t.Errorf("left in the module cache: %v", err)
		}
	})
	return served.Env(goEnv(t, "GOPROXY"))
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func repositoryRoot(t *testing.T) string {
	t.Helper()
	root, err := gomod.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	return root
}
