package services

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFreePortsLieBelowThoseOfOutgoingConnections(t *testing.T) {
	t.Parallel()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	if port < 20000 || port >= 32000 {
		t.Errorf("got port %d", port)
	}
}

func TestServicesFolderIsTheNearestAbove(t *testing.T) {
	t.Setenv("OUTBOXGEN_SERVICES", "")
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(root, "a", "b")
	for _, dir := range []string{below, filepath.Join(root, ".services")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(below)
	if got, want := servicesFolder(), filepath.Join(root, ".services"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	t.Setenv("OUTBOXGEN_SERVICES", "/elsewhere")
	if got, want := servicesFolder(), "/elsewhere"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBinariesThatOnlyRootReachesAreCopied(t *testing.T) {
	owner, err := unprivileged()
	if err != nil || owner == nil {
		t.Skip("only root runs Postgres as another user")
	}
	// Given an installation in a folder that only root may enter
	base, err := os.MkdirTemp("/tmp", "services-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(base); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(base, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", base)
	closed := filepath.Join(t.TempDir(), "native")
	for _, dir := range []string{"bin", "lib"} {
		if err := os.MkdirAll(filepath.Join(closed, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(closed, "bin", "postgres"), []byte("server"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("libpq.so.5.18", filepath.Join(closed, "lib", "libpq.so.5")); err != nil {
		t.Fatal(err)
	}
	in := installation{bin: filepath.Join(closed, "bin"), major: 18}

	// When it is made reachable twice
	first, err := in.reachableBy(owner)
	if err != nil {
		t.Fatal(err)
	}
	second, err := in.reachableBy(owner)
	if err != nil {
		t.Fatal(err)
	}

	// Then there is one copy, which everybody may run
	if first != second {
		t.Errorf("got %v, then %v", first, second)
	}
	if !reachable(first.bin) {
		t.Errorf("%s is not reachable", first.bin)
	}
	type entry struct {
		Mode os.FileMode
		Text string
	}
	got := map[string]entry{}
	for _, name := range []string{"bin/postgres", "lib/libpq.so.5"} {
		path := filepath.Join(filepath.Dir(first.bin), name)
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.Readlink(path)
		if err != nil {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text = string(content)
		}
		got[name] = entry{info.Mode(), text}
	}
	want := map[string]entry{
		"bin/postgres":   {0o755, "server"},
		"lib/libpq.so.5": {os.ModeSymlink | 0o777, "libpq.so.5.18"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the copy (-want +got):\n%s", diff)
	}
	left, err := filepath.Glob(filepath.Join(base, "outboxgen-copy-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
