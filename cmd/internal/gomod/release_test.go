package gomod_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/internal/gomod"
)

// The repository itself can be released at any time.
func TestTheModulesAgree(t *testing.T) {
	t.Parallel()
	root, err := gomod.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		t.Skip("not a git work tree")
	}
	if err := gomod.CheckRelease(t.Context(), root, ""); err != nil {
		t.Error(err)
	}
}

// sound returns a repository whose modules can be released as v0.2.0.
func sound() map[string]string {
	return map[string]string{
		"go.mod":               "module github.com/outboxgen/outboxgen\n\nrequire (\n\tgithub.com/outboxgen/outboxgen/migrations v0.2.0\n\tgithub.com/outboxgen/outboxgen/runtime v0.2.0\n)\n",
		"runtime/go.mod":       "module github.com/outboxgen/outboxgen/runtime\n\nrequire github.com/outboxgen/outboxgen/migrations v0.2.0\n",
		"migrations/go.mod":    "module github.com/outboxgen/outboxgen/migrations\n",
		"testdata/orms/go.mod": "module github.com/outboxgen/outboxgen/testdata/orms\n",
		"go.work": "go 1.26.0\n\nuse (\n\t.\n\t./migrations\n\t./runtime\n\t./testdata/orms\n)\n\nreplace (\n" +
			"\tgithub.com/outboxgen/outboxgen/migrations v0.2.0 => ./migrations\n\tgithub.com/outboxgen/outboxgen/runtime v0.2.0 => ./runtime\n)\n",
		"CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n",
	}
}

// repository writes files into a git repository with one commit and these tags. A "+"
// among the tags makes one more commit.
func repository(t *testing.T, files map[string]string, tags ...string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) {
		t.Helper()
		args = append([]string{"-C", dir, "-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"}, args...)
		if out, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q")
	git("add", "-A")
	git("commit", "-q", "-m", "first")
	for _, tag := range tags {
		if tag == "+" {
			git("commit", "-q", "--allow-empty", "-m", "next")
			continue
		}
		git("tag", tag)
	}
	return dir
}

func TestCheckRelease(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		version string
		change  func(map[string]string)
		tags    []string
		want    string
	}{
		"ready":      {version: "v0.2.0"},
		"tagged":     {version: "v0.2.0", tags: []string{"migrations/v0.2.0", "runtime/v0.2.0", "v0.2.0"}},
		"no version": {version: "0.2.0", want: `release: the version "0.2.0" does not have the form v1.2.3`},
		"of an older state": {version: "v0.3.0", want: "release: runtime/go.mod requires github.com/outboxgen/outboxgen/migrations v0.2.0: run go run ./cmd/internal/modules require v0.3.0\n" +
			"release: go.mod requires github.com/outboxgen/outboxgen/migrations v0.2.0: run go run ./cmd/internal/modules require v0.3.0\n" +
			"release: go.mod requires github.com/outboxgen/outboxgen/runtime v0.2.0: run go run ./cmd/internal/modules require v0.3.0\n" +
			"release: CHANGELOG.md has no heading ## [0.3.0]"},
		"two versions": {change: func(f map[string]string) {
			f["runtime/go.mod"] = "module github.com/outboxgen/outboxgen/runtime\n\nrequire github.com/outboxgen/outboxgen/migrations v0.1.0\n"
			f["go.work"] += "\nreplace github.com/outboxgen/outboxgen/migrations v0.1.0 => ./migrations\n"
		}, want: "release: go.mod requires github.com/outboxgen/outboxgen/migrations v0.2.0, and runtime/go.mod requires github.com/outboxgen/outboxgen/migrations v0.1.0: the modules are released together, at one version\n" +
			"release: go.mod requires github.com/outboxgen/outboxgen/runtime v0.2.0, and runtime/go.mod requires github.com/outboxgen/outboxgen/migrations v0.1.0: the modules are released together, at one version"},
		"replace": {change: func(f map[string]string) { f["go.mod"] += "\nreplace example.com/a => ../a\n" },
			want: "release: go.mod replaces example.com/a: users of the module get another version than you test"},
		"a module is not tagged": {tags: []string{"runtime/v0.2.0", "v0.2.0"},
			want: "release: the tags migrations/v0.2.0, runtime/v0.2.0, v0.2.0 must be on one commit, but migrations/v0.2.0 is not: git tag -f migrations/v0.2.0 v0.2.0^{commit}"},
		"two commits": {tags: []string{"migrations/v0.2.0", "runtime/v0.2.0", "+", "v0.2.0"},
			want: "release: the tags migrations/v0.2.0, runtime/v0.2.0, v0.2.0 must be on one commit, but migrations/v0.2.0 is not: git tag -f migrations/v0.2.0 v0.2.0^{commit}\n" +
				"release: the tags migrations/v0.2.0, runtime/v0.2.0, v0.2.0 must be on one commit, but runtime/v0.2.0 is not: git tag -f runtime/v0.2.0 v0.2.0^{commit}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := sound()
			if c.change != nil {
				c.change(files)
			}
			root := repository(t, files, c.tags...)
			got := ""
			if err := gomod.CheckRelease(t.Context(), root, c.version); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Require changes every file that names the version. After that only the changelog is
// missing for the next release.
func TestRequire(t *testing.T) {
	t.Parallel()
	root := repository(t, sound())
	if err := gomod.Require(root, "v0.3.0"); err != nil {
		t.Fatal(err)
	}
	err := gomod.CheckRelease(t.Context(), root, "v0.3.0")
	if want := "release: CHANGELOG.md has no heading ## [0.3.0]"; err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}
