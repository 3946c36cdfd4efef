package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"go.yaml.in/yaml/v3"

	"github.com/outboxgen/outboxgen/cmd/internal/gomod"
)

var update = flag.Bool("update", false, "rewrite the expected output in the scripts")

// plainOutboxgen is the environment variable with the path of an outboxgen that runs
// sqlc. Without the race detector it is several times faster.
const plainOutboxgen = "OUTBOXGEN_TEST_PLAIN"

// The test binary acts as outboxgen when a script, or outboxgen itself, runs it under
// that name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"outboxgen": func() {
		if plain := os.Getenv(plainOutboxgen); plain != "" {
			ownFile = func() (string, error) { return plain, nil }
		}
		main()
	}})
}

// TestScript runs the scripts of testdata/script. They have what a user sees: exact
// messages, exit codes, files.
func TestScript(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the scripts run the command as a user does")
	}
	repo, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join(repo, "testdata", "script"),
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
				value, err := exec.Command("go", "env", name).Output()
				if err != nil {
					return fmt.Errorf("go env %s: %w", name, err)
				}
				env.Setenv(name, strings.TrimSpace(string(value)))
			}
			env.Setenv(plainOutboxgen, os.Getenv(plainOutboxgen))
			env.Setenv("REPO", repo)
			env.Setenv("GOPROXY", "off")
			env.Setenv("GOFLAGS", "-mod=mod")
			env.Setenv("GOTOOLCHAIN", "local")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"module":    module,
			"snapshot":  snapshot,
			"unchanged": unchanged,
			"edit":      edit,

			"actionstep": actionStep,
		},
	})
}

// exits CODE PROGRAM ARGS…: check that the program ends with exactly this code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("%s ended with %d, not %d", strings.Join(args[1:], " "), got, want)
	}
}

// module PATH: write a go.mod that uses outboxgen's runtime of this repository, and the
// module cache for everything else.
func module(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: module PATH")
	}
	repo := ts.Getenv("REPO")
	mod, sum, err := gomod.Scratch(repo, args[0])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("go.mod"), mod, 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("go.sum"), sum, 0o644))
}

// snapshot NAME PATHS…: remember files and folders.
func snapshot(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: snapshot NAME PATHS…")
	}
	ts.Check(os.MkdirAll(filepath.Dir(snapshotFile(ts, args[0])), 0o755))
	ts.Check(os.WriteFile(snapshotFile(ts, args[0]), []byte(contents(ts, args[1:])), 0o644))
}

func snapshotFile(ts *testscript.TestScript, name string) string {
	return filepath.Join(ts.Getenv("WORK"), ".snapshots", name)
}

// unchanged NAME PATHS…: check that they are as they were.
func unchanged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: unchanged NAME PATHS…")
	}
	before, err := os.ReadFile(snapshotFile(ts, args[0]))
	ts.Check(err)
	if diff := cmp.Diff(string(before), contents(ts, args[1:])); diff != "" {
		ts.Fatalf("changed (-before +after):\n%s", diff)
	}
}

// contents returns all files below some paths as one text, with their relative paths.
func contents(ts *testscript.TestScript, paths []string) string {
	var all strings.Builder
	for _, root := range paths {
		ts.Check(filepath.WalkDir(ts.MkAbs(root), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(ts.MkAbs(root), path)
			if err != nil || d.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			fmt.Fprintf(&all, "== %s\n%s", rel, content)
			return err
		}))
	}
	return all.String()
}

// actionstep FILE NAME: write the script of a step of the composite action.
func actionStep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: actionstep FILE NAME")
	}
	source, err := os.ReadFile(filepath.Join(ts.Getenv("REPO"), ".github", "actions", "check", "action.yml"))
	ts.Check(err)
	var action struct {
		Runs struct {
			Steps []struct {
				Name, Run string
			}
		}
	}
	ts.Check(yaml.Unmarshal(source, &action))
	for _, step := range action.Runs.Steps {
		if step.Name == args[1] {
			ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(step.Run), 0o600))
			return
		}
	}
	ts.Fatalf("the action has no step %s", args[1])
}

// edit FILE REGEXP REPLACEMENT: change a file in place. The expression must match.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE REGEXP REPLACEMENT")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	name := ts.MkAbs(args[0])
	old, err := os.ReadFile(name)
	ts.Check(err)
	changed := re.ReplaceAll(old, []byte(args[2]))
	if bytes.Equal(old, changed) {
		ts.Fatalf("%s does not match %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(name, changed, 0o644))
}
