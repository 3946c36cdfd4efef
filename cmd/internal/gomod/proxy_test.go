package gomod_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/cmd/internal/gomod"
)

// What ProxyAt makes of a commit is what go makes of its tags, to the byte. So a release
// that is built before the tags are public can be built again by anybody.
func TestProxyAtServesWhatGoMakesOfTags(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it clones the repository")
	}
	root, err := gomod.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		t.Skip("not a git work tree")
	}
	clone := filepath.Join(t.TempDir(), "clone")
	run := func(dir string, env []string, name string, args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr.String())
		}
		return out
	}
	run(root, nil, "git", "clone", "--quiet", "--no-tags", ".", clone)

	// The version that the modules require, so that the go.mod files stay as they are.
	var module struct {
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal(run(clone, nil, "go", "mod", "edit", "-json"), &module); err != nil {
		t.Fatal(err)
	}
	version := ""
	for _, r := range module.Require {
		if r.Path == gomod.Path+"/runtime" {
			version = r.Version
		}
	}
	for _, tag := range gomod.Tags(version) {
		run(clone, nil, "git", "tag", tag)
	}

	cache := t.TempDir()
	t.Cleanup(func() { // its files are read-only
		clean := exec.Command("go", "clean", "-modcache")
		clean.Env = append(os.Environ(), "GOMODCACHE="+cache, "GOFLAGS=")
		if out, err := clean.CombinedOutput(); err != nil {
			t.Errorf("go clean -modcache: %v\n%s", err, out)
		}
	})
	env := []string{
		"GOMODCACHE=" + cache, "GOPROXY=direct", "GONOSUMDB=" + gomod.Path, "GOFLAGS=", "GOWORK=off",
		// Go asks git for the address of the module; it gets the clone.
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url.file://" + filepath.ToSlash(clone) + ".insteadOf", "GIT_CONFIG_VALUE_0=https://" + gomod.Path,
		"GIT_ALLOW_PROTOCOL=file",
	}
	served, err := gomod.ProxyAt(t.Context(), clone, t.TempDir(), version)
	if errors.Is(err, gomod.ErrNoWorkTree) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range gomod.Released() {
		var made struct{ Sum, GoModSum string }
		if err := json.Unmarshal(run(t.TempDir(), env, "go", "mod", "download", "-json", m.Path+"@"+version), &made); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("%s %s %s\n%[1]s %[2]s/go.mod %[4]s\n", m.Path, version, made.Sum, made.GoModSum)
		if got := served.Sums[m.Path]; got != want {
			t.Errorf("ProxyAt serves\n%sgo makes\n%s", got, want)
		}
	}
}
