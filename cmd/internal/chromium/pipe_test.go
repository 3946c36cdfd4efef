package chromium

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// script returns a program that a test starts instead of a browser.
func script(t *testing.T, text string) string {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh")
	}
	name := filepath.Join(t.TempDir(), "browser")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+text), 0o700); err != nil { //nolint:gosec // it is run
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
	p := start(t, script(t, "echo stuck >&2\nexec sleep 1000\n"))
	p.patience = 100 * time.Millisecond
	const size = 1 << 20 // more than a pipe holds
	for what, params := range map[string]any{"no answer": "x", "send to the browser": strings.Repeat("x", size)} {
		ended := make(chan error, 1)
		go func() { ended <- p.call("Page.navigate", params, nil) }()
		select {
		case err := <-ended:
			if err == nil || !strings.HasPrefix(err.Error(), what) || !strings.Contains(err.Error(), "stuck") {
				t.Errorf("%s: the error is %v", what, err)
			}
		case <-time.After(patience):
			t.Fatalf("%s: it hangs", what)
		}
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
		for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(pids); err == nil {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("it does not start")
			}
		}
	})
	text, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	pid, profile, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if _, err := os.Stat(profile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the profile %s is there: %v", profile, err)
	}
	for deadline := time.Now().Add(patience); running(t, pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the helper %s is running", pid)
		}
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
