package services

import (
	"os"
	"path/filepath"
	"testing"
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
	if testing.Short() {
		t.Skip("it starts Postgres")
	}
	if owner, err := unprivileged(); err != nil || owner == nil {
		t.Skip("only root runs Postgres as another user")
	}
	// Given an installation in a folder that only root can enter
	found, err := findPostgres(t.Context(), 0)
	if err != nil {
		giveUp(t, "postgres", err)
	}
	if filepath.Dir(filepath.Dir(found.bin)) == "/usr/lib/postgresql" {
		found, err = findPostgres(t.Context(), 18) // Debian's binaries do not work when moved
		if err != nil {
			giveUp(t, "postgres", err)
		}
	}
	closed := t.TempDir()
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	in, err := found.copyTo(filepath.Join(closed, "native"))
	if err != nil {
		t.Fatal(err)
	}

	// When a cluster of it starts
	server, err := startCluster(t.Context(), in, postgresOptions{private: true})
	if err != nil {
		t.Fatal(err)
	}

	// Then it runs from a copy, which is removed with it
	bin := server.own.install.bin
	if filepath.Dir(filepath.Dir(bin)) != server.own.folder.path {
		t.Errorf("it runs from %s, want a folder in %s", bin, server.own.folder.path)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(bin); !os.IsNotExist(err) {
		t.Errorf("the copy in %s is left (%v)", bin, err)
	}
}
