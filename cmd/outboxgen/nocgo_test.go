package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Without cgo, sqlc's parser is WebAssembly. It is slower, and its output has the same
// bytes.
func TestWithoutCgo(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles everything once more")
	}
	exe := filepath.Join(t.TempDir(), "outboxgen")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", exe, ".") // a test binary has no version either
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build without cgo: %v\n%s", err, out)
	}
	self, err := exec.LookPath("outboxgen") // the test binary, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(begin(t, self), begin(t, exe)); diff != "" {
		t.Errorf("the output differs (-with cgo +without):\n%s", diff)
	}
}

// begin runs init in an empty module and returns the files.
func begin(t *testing.T, outboxgen string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/grading\n\ngo 1.26\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	init := exec.Command(outboxgen, "init")
	init.Dir = dir
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("%s init: %v\n%s", outboxgen, err, out)
	}
	files := map[string]string{}
	for _, pattern := range []string{"*", "schemas/*", "events/*.go", "events/outboxdb/*"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if info, err := os.Stat(name); err != nil || info.IsDir() {
				continue
			}
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			rel, err := filepath.Rel(dir, name)
			if err != nil {
				t.Fatal(err)
			}
			files[rel] = string(content)
		}
	}
	return files
}
