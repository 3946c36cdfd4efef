package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// packed is a file of an archive.
type packed struct {
	Name, Content, Owner string
	Mode                 fs.FileMode
	Time                 time.Time
}

func readArchive(t *testing.T, name string) []packed {
	t.Helper()
	if filepath.Ext(name) == ".zip" {
		return readZip(t, name)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if unpacked.Name != "" || !unpacked.ModTime.IsZero() {
		t.Errorf("%s: the header has the name %q and the time %s", name, unpacked.Name, unpacked.ModTime)
	}
	var files []packed
	for r := tar.NewReader(unpacked); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, packed{header.Name, string(text), header.Uname + ":" + header.Gname, header.FileInfo().Mode(), header.ModTime.UTC()})
	}
}

func readZip(t *testing.T, name string) []packed {
	t.Helper()
	r, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // it was only read
	var files []packed
	for _, f := range r.File {
		text, err := fs.ReadFile(r, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, packed{f.Name, string(text), "", f.Mode(), f.Modified.UTC()})
	}
	return files
}

// An archive has the same bytes whenever it is written, and in whatever order its files
// come.
func TestArchives(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 1, 10, 20, 30, 0, time.UTC)
	members := []member{
		{name: "outboxrelay", content: []byte("\x7fELF"), program: true},
		{name: "LICENSE", content: []byte("Apache")},
		{name: "deployment/Containerfile", content: []byte("FROM scratch\n")},
		{name: "empty", content: nil},
	}
	backward := slices.Clone(members)
	slices.Reverse(backward)
	for format, owner := range map[string]string{".tar.gz": "root:root", ".zip": ""} {
		dir := t.TempDir()
		first, second := filepath.Join(dir, "first"+format), filepath.Join(dir, "second"+format)
		for name, list := range map[string][]member{first: members, second: backward} {
			if err := writeArchive(name, list, at); err != nil {
				t.Fatal(err)
			}
		}
		want := []packed{
			{"LICENSE", "Apache", owner, 0o644, at},
			{"deployment/Containerfile", "FROM scratch\n", owner, 0o644, at},
			{"empty", "", owner, 0o644, at},
			{"outboxrelay", "\x7fELF", owner, 0o755, at},
		}
		if diff := cmp.Diff(want, readArchive(t, first)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
		one, err := os.ReadFile(first)
		if err != nil {
			t.Fatal(err)
		}
		other, err := os.ReadFile(second)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(one, other) {
			t.Errorf("%s: the same files give other bytes in another order", format)
		}
	}
}
