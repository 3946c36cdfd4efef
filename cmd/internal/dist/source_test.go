package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// repository is a git repository whose modules can be released as v0.2.0.
func repository(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	const path = "github.com/outboxgen/outboxgen"
	for name, text := range map[string]string{
		"go.mod":               "module " + path + "\n\nrequire (\n\t" + path + "/migrations v0.2.0\n\t" + path + "/runtime v0.2.0\n)\n",
		"runtime/go.mod":       "module " + path + "/runtime\n\nrequire " + path + "/migrations v0.2.0\n",
		"migrations/go.mod":    "module " + path + "/migrations\n",
		"testdata/orms/go.mod": "module " + path + "/testdata/orms\n",
		"go.work": "go 1.26.0\n\nuse (\n\t.\n\t./migrations\n\t./runtime\n\t./testdata/orms\n)\n\nreplace (\n" +
			"\t" + path + "/migrations v0.2.0 => ./migrations\n\t" + path + "/runtime v0.2.0 => ./runtime\n)\n",
		"CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n",
	} {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	inGit(t, root, "init", "-q")
	commit(t, root)
	return root
}

func commit(t *testing.T, root string) {
	t.Helper()
	inGit(t, root, "add", "-A")
	inGit(t, root, "commit", "-q", "--allow-empty", "-m", "change")
}

// inGit runs git, with one time for every commit.
func inGit(t *testing.T, root string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", root, "-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_DATE=2026-12-01T10:20:30Z", "GIT_COMMITTER_DATE=2026-12-01T10:20:30Z")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestReadSource(t *testing.T) {
	t.Parallel()
	allTags := func(t *testing.T, root string) {
		t.Helper()
		for _, tag := range []string{"migrations/v0.2.0", "runtime/v0.2.0", "v0.2.0"} {
			inGit(t, root, "tag", tag)
		}
	}
	change := func(t *testing.T, root string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, "new.go"), []byte("package main\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		prepare []func(*testing.T, string)
		version string // given
		want    string // COMMIT stands for the first characters of the commit's hash
		err     string
	}{
		"no tag":               {want: "v0.0.0-20261201102030-COMMIT"},
		"tagged":               {prepare: []func(*testing.T, string){allTags}, want: "v0.2.0"},
		"after a tag":          {prepare: []func(*testing.T, string){allTags, commit}, want: "v0.2.1-0.20261201102030-COMMIT"},
		"with changes":         {prepare: []func(*testing.T, string){allTags, change}, want: ""},
		"given":                {version: "v0.2.0", want: "v0.2.0"},
		"given and tagged":     {prepare: []func(*testing.T, string){allTags}, version: "v0.2.0", want: "v0.2.0"},
		"given with changes":   {prepare: []func(*testing.T, string){change}, version: "v0.2.0", err: "the work tree has changes: commit or remove them before you build v0.2.0\n?? new.go"},
		"given, tag elsewhere": {prepare: []func(*testing.T, string){allTags, commit}, version: "v0.2.0", err: "the tag v0.2.0 is on another commit: check it out, or choose another version"},
		"given, not ready":     {version: "v0.3.0", err: "release: CHANGELOG.md has no heading ## [0.3.0]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := repository(t)
			for _, prepare := range c.prepare {
				prepare(t, root)
			}
			got, err := readSource(t.Context(), root, c.version)
			if c.err != "" {
				if err == nil || !strings.HasSuffix(err.Error(), c.err) {
					t.Fatalf("error %v\nwant %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := source{root, strings.ReplaceAll(c.want, "COMMIT", inGit(t, root, "rev-parse", "HEAD")[:12]), time.Date(2026, 12, 1, 10, 20, 30, 0, time.UTC)}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(source{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
