package generator

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/outboxgen/outboxgen/testdata/manyevents"
)

// The steps of a run on 1,000 events, without sqlc, which takes the same time for any
// number of events. outboxbench -scenario generate measures the whole.
func BenchmarkStep(b *testing.B) {
	dir := b.TempDir()
	files := manyevents.Project(manyevents.Most)
	files["go.mod"] = []byte("module example.com/service\n")
	for name, content := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(name, content, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	cfg := Config{Dir: dir}.withDefaults()
	read := func(b *testing.B) *loaded {
		b.Helper()
		l, err := load(cfg)
		if err != nil || l.list.HasErrors() {
			b.Fatal(err, l.list.Sorted())
		}
		return l
	}
	write := func(b *testing.B, l *loaded) []File {
		b.Helper()
		files, err := l.emit()
		if err != nil || len(files) < manyevents.Most {
			b.Fatal(err, len(files))
		}
		return files
	}
	b.Run("load", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			read(b)
		}
	})
	l := read(b)
	b.Run("build-emit-format", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			write(b, l)
		}
	})
	b.Run("compare", func(b *testing.B) {
		result := &Result{Dir: dir, Files: write(b, l)}
		for _, f := range result.Files {
			if err := os.MkdirAll(filepath.Dir(result.abs(f.Path)), 0o755); err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(result.abs(f.Path), f.Content, 0o600); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
		for b.Loop() {
			orphans, err := l.claim(result.Files)
			differences, compareErr := result.Compare()
			if err != nil || compareErr != nil || len(orphans)+len(differences) > 0 {
				b.Fatal(err, compareErr, len(orphans), len(differences))
			}
		}
	})
}
