package chromium

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
)

// script returns a program that a test starts instead of a browser.
func script(t *testing.T, text string) string {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh")
	}
	name := filepath.Join(t.TempDir(), "browser")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

// If a browser ends, the error has what it said.
func TestABrowserThatEnds(t *testing.T) {
	t.Parallel()
	p := start(t, script(t, "echo no display >&2\n"))
	if err := p.call("Target.createTarget", nil, nil); err == nil || !strings.Contains(err.Error(), "no display") {
		t.Errorf("the error is %v", err)
	}
}

// A browser that reads nothing, or does not answer, is an error in time.
func TestABrowserThatHangs(t *testing.T) {
	t.Parallel()
	const size = 1 << 20 // more than a pipe holds
	for what, params := range map[string]any{"no answer": "x", "send to the browser": strings.Repeat("x", size)} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			p := start(t, script(t, "echo stuck >&2\nexec sleep 1000\n")) // its own: a full pipe takes nothing more
			until(t, "it has started", func() bool {
				said, err := os.ReadFile(p.stderr)
				return err == nil && strings.Contains(string(said), "stuck")
			})
			p.patience = 100 * time.Millisecond
			ended := make(chan error, 1)
			go func() { ended <- p.call("Page.navigate", params, nil) }()
			select {
			case err := <-ended:
				if err == nil || !strings.HasPrefix(err.Error(), what) || !strings.Contains(err.Error(), "stuck") {
					t.Errorf("the error is %v", err)
				}
			case <-time.After(patience):
				t.Fatal("it hangs")
			}
		})
	}
}

// The helpers of a browser end with it, and its profile is removed.
func TestHelpersEnd(t *testing.T) {
	t.Parallel()
	pids := filepath.Join(t.TempDir(), "pid")
	program := script(t, `for arg; do case "$arg" in --user-data-dir=*) profile=${arg#*=};; esac; done
mkdir "$profile"
(while :; do echo x > "$profile/$$.$(date +%N)"; done) &
echo $! "$profile" > "`+pids+`.new"
mv "`+pids+`.new" "`+pids+`"
`)
	t.Run("browser", func(t *testing.T) {
		start(t, program)
		until(t, "it starts", func() bool {
			_, err := os.Stat(pids)
			return err == nil
		})
	})
	text, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	pid, profile, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if _, err := os.Stat(profile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the profile %s is there: %v", profile, err)
	}
	until(t, "the helper "+pid+" has ended", func() bool { return !running(t, pid) })
}

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const pause = 10 * time.Millisecond
	if err := wait.Until(ctx, pause, func() (bool, error) { return holds(), nil }); err != nil {
		t.Fatalf("not within %s: %s", patience, what)
	}
}

// running reports whether a process has not ended.
func running(t *testing.T, pid string) bool {
	t.Helper()
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}
