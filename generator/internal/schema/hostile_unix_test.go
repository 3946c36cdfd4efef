//go:build unix

package schema_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// A file that is not regular, or is too large, is refused at once and without being
// read, wherever it is named.
func TestFilesThatAreNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "outboxgen.yaml"), "version: 1\nservice: a\nout: events\nschemas: [good.yaml, \"*.v1.json\"]\n")
	write(t, filepath.Join(dir, "good.yaml"), "properties:\n  a: {$ref: fifo.v1.json}\n  b: {$ref: sparse.v1.json}\n  c: {$ref: device.yaml}\n  d: {$ref: folder.yaml}\n")
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo.v1.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "sparse.v1.json"), "")
	if err := os.Truncate(filepath.Join(dir, "sparse.v1.json"), 1<<30); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "device.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, list, err := schema.Load(dir, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if read := (after.TotalAlloc - before.TotalAlloc) >> 20; read > 512 {
		t.Errorf("it took %d MiB", read)
	}

	var got strings.Builder
	for _, f := range list.Sorted() {
		got.WriteString(strings.TrimSuffix(f.String(), " ["+f.ID+"]") + "\n")
	}
	const want = `good.yaml:2:13: "fifo.v1.json": it is not a regular file; refer to a readable file of the project
good.yaml:3:13: "sparse.v1.json": it has more than 8388608 bytes; refer to a readable file of the project
good.yaml:4:13: "device.yaml": it points outside the project; move the project file up to a folder that contains it, such as the root of the repository, or copy the file into the project
good.yaml:5:13: "folder.yaml": it is a folder; refer to a file in it
outboxgen.yaml:4:22: "fifo.v1.json" cannot be read: it is not a regular file
outboxgen.yaml:4:22: "sparse.v1.json" cannot be read: it has more than 8388608 bytes
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("diagnostics (-want +got):\n%s", diff)
	}
}

// For a file in UTF-16, in either byte order, the message says so. A byte order mark
// before UTF-8 is ignored.
func TestEncodings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "outboxgen.yaml"), "\xEF\xBB\xBFversion: 1\nservice: a\nout: events\nschemas: [\"*.json\"]\n")
	write(t, filepath.Join(dir, "mark.json"), "\xEF\xBB\xBF{\"title\": \"A\", \"x-outbox\": {\"version\": 1, \"type\": \"a.v1\", \"aggregate\": {\"type\": \"a\"}}, \"type\": \"object\"}")
	for name, order := range map[string]binary.AppendByteOrder{"big.json": binary.BigEndian, "little.json": binary.LittleEndian} {
		var text []byte
		for _, unit := range utf16.Encode([]rune("\uFEFF{\"x-outbox\": {}}")) {
			text = order.AppendUint16(text, unit)
		}
		write(t, filepath.Join(dir, name), string(text))
	}
	_, list, err := schema.Load(dir, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range list.Sorted() {
		got = append(got, strings.TrimSuffix(f.String(), " ["+f.ID+"]"))
	}
	want := []string{
		"big.json:1:1: the file is not UTF-8 (it begins like UTF-16 or UTF-32); save it as UTF-8",
		"little.json:1:1: the file is not UTF-8 (it begins like UTF-16 or UTF-32); save it as UTF-8",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("diagnostics (-want +got):\n%s", diff)
	}
}
