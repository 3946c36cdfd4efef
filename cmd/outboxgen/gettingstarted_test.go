package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	gomodule "golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// gettingStarted is the page whose steps build a service.
const gettingStarted = "docs/getting-started.md"

// TestDocsGettingStarted does what the page says, as it is written: each shell
// block in order, each Go file where its first line says. The module comes from a
// proxy made of this checkout.
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
	run.Env = append(os.Environ(),
		"DATABASE_URL="+pg.URL,
		"KAFKA_BROKERS="+strings.Join(kafka.Brokers, ","),
		"GOPROXY=file://"+moduleProxy(t, root)+","+goEnv(t, "GOPROXY"),
		"GONOSUMDB="+modulePath, "GONOSUMCHECK="+modulePath, "GOFLAGS=", "GOWORK=off",
	)
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var output bytes.Buffer
	run.Stdout, run.Stderr = &output, &output
	t.Cleanup(func() {
		if run.Process != nil {
			_ = syscall.Kill(-run.Process.Pid, syscall.SIGKILL) // the relay and the consumer go on otherwise
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

// moduleProxy serves this checkout as the latest version of the module. The
// version is named after the content, so that a cached one is never stale.
func moduleProxy(t *testing.T, root string) string {
	t.Helper()
	version, files := checkout(t, root)
	proxy := t.TempDir()
	dir := filepath.Join(proxy, modulePath, "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	info, err := json.Marshal(map[string]string{"Version": version, "Time": "2026-01-02T03:04:05Z"})
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := modzip.Create(&archive, gomodule.Version{Path: modulePath, Version: version}, files); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"list": []byte(version + "\n"), version + ".info": info, version + ".mod": mod, version + ".zip": archive.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cache := goEnv(t, "GOMODCACHE")
	t.Cleanup(func() {
		extracted := filepath.Join(cache, modulePath+"@"+version)
		makeWritable(extracted)
		downloads, _ := filepath.Glob(filepath.Join(cache, "cache", "download", modulePath, "@v", version+".*"))
		for _, path := range append(downloads, extracted) {
			if err := os.RemoveAll(path); err != nil {
				t.Errorf("left in the module cache: %v", err)
			}
		}
	})
	return proxy
}

// makeWritable lets the read-only folders of the module cache be removed.
func makeWritable(dir string) {
	_ = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			_ = os.Chmod(path, 0o755) // what cannot be changed is told when it is removed
		}
		return nil
	})
}

// checkout is the files that a commit of the work tree would hold.
func checkout(t *testing.T, root string) (version string, files []modzip.File) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		t.Skipf("the module is made of what git lists, and this is no work tree: %v", err)
	}
	list := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	names, err := list.Output()
	if err != nil {
		t.Fatalf("the module is made of what git lists: %v", err)
	}
	hash := sha256.New()
	for name := range strings.SplitSeq(strings.Trim(string(names), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(hash, "%s %d\n", name, len(content))
		hash.Write(content)
		files = append(files, sourceFile{root, name})
	}
	return "v0.1.0-test." + hex.EncodeToString(hash.Sum(nil))[:12], files
}

// sourceFile is a file of the checkout, as a module's archive wants it.
type sourceFile struct{ root, name string }

func (f sourceFile) Path() string                 { return f.name }
func (f sourceFile) Lstat() (os.FileInfo, error)  { return os.Lstat(filepath.Join(f.root, f.name)) }
func (f sourceFile) Open() (io.ReadCloser, error) { return os.Open(filepath.Join(f.root, f.name)) }

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
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(strings.TrimSpace(string(out)))
}
