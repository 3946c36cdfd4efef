package gomod_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/cmd/internal/gomod"
)

// service is a module with a generated package, like a user's. It gets outboxgen's
// modules from a proxy.
type service struct {
	t   *testing.T
	dir string
	env []string
}

func newService(t *testing.T) *service {
	t.Helper()
	root, err := gomod.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	served, err := gomod.Proxy(t.Context(), root, t.TempDir())
	if errors.Is(err, gomod.ErrNoWorkTree) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, dir: t.TempDir()}
	s.env = append(os.Environ(), served.Env(s.run("env", "GOPROXY"))...)
	cache := s.run("env", "GOMODCACHE")
	t.Cleanup(func() {
		if err := served.Forget(cache); err != nil {
			t.Errorf("left in the module cache: %v", err)
		}
	})
	s.write("go.mod", "module example.com/grading\n\ngo 1.26\n")
	generated := filepath.Join(root, "testdata", "service", "events")
	err = filepath.WalkDir(generated, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(filepath.Dir(generated), path)
		s.write(name, strings.ReplaceAll(string(text), gomod.Path+"/testdata/service", "example.com/grading"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *service) write(name, text string) {
	s.t.Helper()
	name = filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// run runs go in the service, and returns what it prints.
func (s *service) run(args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "go", args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// A service gets nothing that the generator or the tests need.
func TestModulesOfAService(t *testing.T) {
	if testing.Short() {
		t.Skip("it asks a module proxy")
	}
	s := newService(t)
	s.run("mod", "tidy")
	s.run("build", "./...")
	list := strings.Split(s.run("list", "-m", "all"), "\n")
	sums, err := os.ReadFile(filepath.Join(s.dir, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the module graph has %d modules, go.sum has %d lines", len(list), strings.Count(string(sums), "\n"))
	for _, line := range list {
		path, _, _ := strings.Cut(line, " ")
		for _, never := range []string{"sqlc", "pingcap", "grpc", "cel-go", "cel.dev", "wazero", "kfake", "cobra", "genproto"} {
			if strings.Contains(path, never) {
				t.Errorf("the module graph has %s", line)
			}
		}
		if path == gomod.Path {
			t.Errorf("the module graph has the root module: %s", line)
		}
	}
	if !slices.ContainsFunc(list, func(line string) bool { return strings.HasPrefix(line, gomod.Path+"/runtime ") }) {
		t.Errorf("the module graph has no runtime:\n%s", strings.Join(list, "\n"))
	}
}

// A service that pins an older gRPC than the generator's keeps it.
func TestAnOlderGRPCStays(t *testing.T) {
	if testing.Short() {
		t.Skip("it asks a module proxy")
	}
	s := newService(t)
	const grpc, pinned = "google.golang.org/grpc", "v1.75.1"
	s.run("mod", "edit", "-require="+grpc+"@"+pinned)
	s.run("get", gomod.Path+"/runtime@latest")
	if got, want := s.run("list", "-m", grpc), grpc+" "+pinned; got != want {
		t.Errorf("the service has %s, want %s", got, want)
	}
}
