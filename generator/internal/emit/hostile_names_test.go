package emit_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/generator/internal/emit"
)

// adversarial are names that are hard to distinguish, that Go or generated code uses,
// or that lose most characters in Go.
var adversarial = []string{
	"foo_bar", "fooBar", "FooBar", "foo-bar", "foo bar", "FOO_BAR", "foo.bar", "Foo[Bar]", "Foo<Bar>", "pkg/foo.Bar", "foo__bar", "foobar", "Foobar",
	"func", "type", "range", "chan", "map", "string", "error", "any", "nil", "len", "new", "init", "main", "_", "iota",
	"time", "wire", "outbox", "context", "gen", "consume", "uuid", "json", "pgx", "outboxdb", "slices", "regexp", "events",
	"Validate", "MarshalJSON", "UnmarshalJSON", "NewRow", "Unknown", "Additional", "String", "Error", "Valid", "Service", "InsertAll", "CancelDelayed", "insertRows", "nullable",
	"InsertThingV1", "QueueThingV1", "OnThingV1", "DecodeThingV1", "NewThingV1", "thingV1Event", "ThingV1", "ThingV1Event", "encodeThingV1", "EncodeThingV1", "New", "NewNew",
	"validate_or_default", "ValidateOrDefault", "e", "v", "d", "o", "ok", "err", "data", "opts", "ctx",
	"", " ", "-", "--", "+", "*", "#/$defs/x", "~", "~1", "%", "%41", "\\", "\"", "`", "'", "\x00", "\n", "*/", "//", "\u2028", "\u202e", "\ufeff",
	"🎉", "👨‍👩‍👧", "日本", "日本語", "שלום", "مرحبا", "नमस्ते", "e\u0301", "é", "ß", "ẞ", "ǆ", "ǅ", "İ", "ı", "ſ", "K",
	"1st", "1", "-1", "01", "1.0", "3d_model", "x", "X", "X1", "x1",
}

// Properties, definitions and enum values with names that are hard for Go: the code
// compiles, and declares nothing twice.
func TestHardNamesCompile(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles what is generated")
	}
	properties, definitions, values := map[string]any{"id": map[string]any{"type": "string"}}, map[string]any{}, []any{}
	for i, name := range adversarial {
		kinds := []map[string]any{
			{"type": "string", "default": "x"}, {"type": "object", "properties": map[string]any{name: map[string]any{"type": "string"}}},
			{"type": "array", "items": map[string]any{"type": "string", "enum": []any{name, "other"}}}, {"type": "string", "pattern": "^a"},
		}
		properties[name] = kinds[i%len(kinds)]
		definitions[name] = map[string]any{"type": "object", "required": []string{name}, "properties": map[string]any{name: map[string]any{"type": "integer", "default": 1}}}
		pointer := strings.NewReplacer("~", "~0", "/", "~1", "%", "%25").Replace(name)
		properties[name+" of its own"] = map[string]any{"$ref": "#/$defs/" + strings.Map(func(r rune) rune {
			if r < ' ' {
				return -1
			}
			return r
		}, pointer)}
		if strings.ContainsAny(name, "\x00\n") {
			delete(properties, name+" of its own") // a URI reference cannot have these unescaped
		}
		values = append(values, name)
	}
	properties["hard"] = map[string]any{"type": "string", "enum": values}
	generated := thing(t, properties, definitions)
	compile(t, generated)
}

// Each of hundreds of definitions in one file has its own type, without a number if the
// names differ.
func TestHundredsOfDefinitions(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles what it generates")
	}
	properties, definitions := map[string]any{"id": map[string]any{"type": "string"}}, map[string]any{}
	for i := range 208 {
		name := fmt.Sprintf("com.acme.%s.%s%s", []string{"orders", "billing"}[i%2], string(rune('A'+i/2%26)), strings.Repeat("x", 1+i/52))
		definitions[name] = map[string]any{"type": "object", "properties": map[string]any{"n": map[string]any{"type": "integer", "maximum": i}}}
		properties[fmt.Sprintf("p%d", i)] = map[string]any{"$ref": "#/$defs/" + name}
	}
	generated := thing(t, properties, definitions)
	for _, name := range []string{"type ComAcmeOrdersAx struct", "type ComAcmeBillingAx struct"} {
		if !strings.Contains(generated["thing_v1.go"], name) {
			t.Errorf("no %s", name)
		}
	}
	compile(t, generated)
}

// thing generates an event of these properties and definitions.
func thing(t *testing.T, properties, definitions map[string]any) map[string]string {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"title": "Thing", "x-outbox": map[string]any{"version": 1, "type": "thing.v1", "aggregate": map[string]any{"type": "thing", "id": "/id"}},
		"type": "object", "required": []string{"id"}, "properties": properties, "$defs": definitions,
	})
	if err != nil {
		t.Fatal(err)
	}
	generated, found := run(t, "", map[string]string{"thing.yaml": string(text)})
	for _, f := range found {
		if !strings.Contains(f, "warning:") {
			t.Errorf("unexpected: %s", f)
		}
	}
	return generated
}

// compile compiles generated files as a package of this module, without writing them to
// disk.
func compile(t *testing.T, generated map[string]string) {
	t.Helper()
	if len(generated) == 0 {
		t.Fatal("nothing was generated")
	}
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	dir, pkg, replace := t.TempDir(), strings.ToLower(filepath.Base(t.Name())), map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(generated)) {
		file := filepath.Join(dir, name)
		content := strings.ReplaceAll(generated[name], "example.com/events/outboxdb", module+"/testdata/golden/huleedu/events/outboxdb")
		if !strings.HasPrefix(content, emit.Header) {
			t.Errorf("%s does not begin with the header", name)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(top, "testdata/overlay", pkg, name)] = file
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "go", "build", "-overlay", file, "./testdata/overlay/"+pkg)
	command.Dir = top
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("go build: %v\n%s", err, out)
	}
}
