package schema_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// A thousand event schemas of two kilobytes each, from disk.
func BenchmarkLoad1000(b *testing.B) {
	for _, ending := range []string{"yaml", "json"} {
		b.Run(ending, func(b *testing.B) {
			dir := b.TempDir()
			var properties strings.Builder
			for i := range 20 {
				fmt.Fprintf(&properties, `, "field_%d": {"type": ["string", "null"], "description": "One of the fields.", "maxLength": 100}`, i)
			}
			files := map[string]string{
				"outboxgen.yaml":   "version: 1\nservice: bench\nschemas: [schemas/*." + ending + "]\nout: events\n",
				"common." + ending: `{"$defs": {"status": {"enum": ["a", "b"]}}}`,
			}
			for i := range 1000 {
				files[fmt.Sprintf("schemas/e%d.%s", i, ending)] = fmt.Sprintf(
					`{"$id": "https://example.com/e%d", "title": "Event%d", "x-outbox": {"version": 1, "type": "e%d.v1", "aggregate": {"type": "a", "id": "/id"}}, "type": "object", "properties": {"id": {"type": "string"}, "status": {"$ref": "../common.%s#/$defs/status"}%s}}`,
					i, i, i, ending, properties.String())
			}
			for name, text := range files {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
					b.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				p, list, err := schema.Load(dir, "outboxgen.yaml")
				if err != nil || list.HasErrors() || len(p.Events) != 1000 {
					b.Fatalf("loading: %v, %v", err, list.Sorted())
				}
			}
		})
	}
}
