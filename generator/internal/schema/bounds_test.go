package schema_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Hostile input gives one message about it, soon and with little memory.
func TestHostileInputIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads very large documents")
	}
	deep := func(open, inner, closing string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(closing, n)
	}
	// Nine levels of nine aliases each: 9^9 values when written out.
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 9; i++ {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	// Each level refers twice to the next: 2^60 ways down.
	var refs strings.Builder
	refs.WriteString("$defs:\n")
	for i := range 60 {
		fmt.Fprintf(&refs, "  d%d: {allOf: [{$ref: '#/$defs/d%d'}, {$ref: '#/$defs/d%d'}]}\n", i, i+1, i+1)
	}
	refs.WriteString("  d60: {properties: {id: {type: string}}}\n")
	pointer := "title: A\nx-outbox: {version: 1, type: a, aggregate: {type: a, id: /id}}\n$ref: '#/$defs/d0'\n" + refs.String()

	const noEvents = "outboxgen.yaml:3:1: warning: no schema file describes an event; add x-outbox to a schema, or describe the event under events:\n"

	tests := []struct {
		name, file, text, want string
	}{
		{"JSON nested deeper than any schema", "a.json", deep(`{"items":`, "true", "}", 100_000), "a.json:1:1801: values are nested more than 200 deep; move the inner schemas into $defs and refer to them\n"},
		{"JSON arrays nested without end", "a.json", strings.Repeat("[", 4_000_000), "a.json:1:201: values are nested more than 200 deep; move the inner schemas into $defs and refer to them\n"},
		{"YAML flow nested", "a.yaml", deep(`{items: `, "true", "}", 9000), "a.yaml:1:1601: values are nested more than 200 deep; move the inner schemas into $defs and refer to them\n"},
		{"YAML flow nested beyond the library", "a.yaml", strings.Repeat("[", 3_000_000), "a.yaml:1:10001: exceeded max depth of 10000\n"},
		{"YAML block nested", "a.yaml", strings.Repeat("- ", 9000) + "a\n", "a.yaml:1:401: values are nested more than 200 deep; move the inner schemas into $defs and refer to them\n"},
		{"aliases that multiply", "a.yaml", bomb.String(),
			"a.yaml:6:40: the file holds more than 500000 values, counting aliases at each use\n"},
		{"aliases that nest", "a.yaml", aliasTower(150), "a.yaml:101:15: values are nested more than 200 deep; move the inner schemas into $defs and refer to them\n"},
		{"an enum without end", "a.json", `{"enum":[` + strings.Repeat("0,", 3_000_000) + "0]}", "a.json:1:1000006: the file holds more than 500000 values\n"},
		{"schemas without end", "a.json", `{"allOf":[` + strings.Repeat("true,", 300_000) + "true]}", "a.json:1:1000006: the project holds more than 200000 schemas\n"},
		{"a file beyond reason", "a.json", strings.Repeat(" ", 9<<20), "outboxgen.yaml:3:11: \"a.json\" cannot be read: it has more than 8388608 bytes\n"},
		{"a number with a huge exponent", "a.json", `{"minimum":1e999999999,"maximum":-1e999999999999999999999,"multipleOf":1e-999999999,"minLength":1e999999999,"enum":[1e999999999,10e999999998]}`, "a.json:1:129: warning: the enum lists the number 10e999999998 twice; the first is at line 1, column 117\n" + noEvents},
		{"a number with many digits", "a.yaml", "minimum: 0x" + strings.Repeat("f", 1_000_000), "a.yaml:1:10: the number has 1000000 characters; the maximum is 10000\n"},
		{"names that multiply with their depth", "a.json", `{"properties":{"` + strings.Repeat("n", 1_000_000) + `":{"allOf":[` + strings.Repeat("true,", 1000) + "true]}}}",
			"a.json:1:1000189: the names on the paths to schemas have more than 33554432 bytes together\n"},
		{"references that multiply", "a.yaml", refs.String(), noEvents},
		{"references that multiply under a pointer", "a.yaml", pointer, ""},
		{"a chain of references", "a.json", refChain(50_000), noEvents},
		{"unknown keywords without end", "a.json", `{` + manyNames(200_000) + `"x-z":1}`, "some"},
		{"dangling references without end", "a.json", `{"allOf":[` + strings.Repeat(`{"$ref":"x.json"},`, 50_000) + "true]}", "many"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			project := fstest.MapFS{
				"outboxgen.yaml": {Data: []byte(strings.Replace(plainConfig, `["*.yaml", "*.json"]`, `["`+test.file+`"]`, 1))},
				test.file:        {Data: []byte(test.text)},
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := load(t, project)

			runtime.ReadMemStats(&after)
			if test.want == "some" {
				if n := strings.Count(got, "\n"); n != 1002 {
					t.Errorf("%d diagnostics, want the first thousand, one that ends them, and the one for no event", n)
				}
			} else if test.want == "many" {
				if n := strings.Count(got, "\n"); n != 50_000 {
					t.Errorf("%d diagnostics, want one for each reference", n)
				}
			} else if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("diagnostics (-want +got):\n%.600s", diff)
			}
			allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
			t.Logf("%d MiB allocated", allocated)
			if allocated > 1024 {
				t.Errorf("it took %d MiB", allocated)
			}
		})
	}
}

// aliasTower returns a chain of n values, in which each contains the one before. It is
// a short text, and n levels deep when it is read.
func aliasTower(n int) string {
	var b strings.Builder
	b.WriteString("a0: &a0 x\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [[*a%d]]\n", i, i, i-1)
	}
	return b.String()
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"tytle%d":1,`, i)
	}
	return b.String()
}

func refChain(n int) string {
	var b strings.Builder
	b.WriteString(`{"$defs":{`)
	for i := range n {
		fmt.Fprintf(&b, `"d%d":{"$ref":"#/$defs/d%d"},`, i, i+1)
	}
	fmt.Fprintf(&b, `"d%d":true}}`, n)
	return b.String()
}

// On a real disk nothing outside the folder of the config is read, in whatever way a
// file refers to it, and only regular files are read. A file that a pattern matches is
// not left out in silence.
func TestNothingOutsideTheProjectIsRead(t *testing.T) {
	t.Parallel()
	outer := t.TempDir()
	project := filepath.Join(outer, "project")
	files := map[string]string{
		"secret.yaml":               "title: SECRET\n",
		"secrets/inside.yaml":       "title: SECRET\n",
		"project/real/lib.yaml":     "type: string\n",
		"project/schemas/good.yaml": "properties:\n  a: {$ref: link-inside.yaml}\n  b: {$ref: link-outside.yaml}\n  c: {$ref: folder/inside.yaml}\n  d: {$ref: ../../secret.yaml}\n  e: {$ref: loop.yaml}\n  f: {$ref: absolute.yaml}\n",
		"project/outboxgen.yaml":    "version: 1\nservice: a\nout: events\nschemas: [schemas/good.yaml, \"schemas/link*.yaml\", schemas/folder/*.yaml]\n",
	}
	for name, text := range files {
		write(t, filepath.Join(outer, name), text)
	}
	for link, to := range map[string]string{
		"link-inside.yaml":  "../real/lib.yaml",
		"link-outside.yaml": "../../secret.yaml",
		"link-nowhere.yaml": "gone.yaml",
		"link-nowhere.txt":  "gone.txt",
		"folder":            "../../secrets",
		"loop.yaml":         "loop.yaml",
		"absolute.yaml":     filepath.Join(outer, "secret.yaml"),
	} {
		if err := os.Symlink(to, filepath.Join(project, "schemas", link)); err != nil {
			t.Fatal(err)
		}
	}

	p, list, err := schema.Load(outer, "project/outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}

	var got strings.Builder
	for _, f := range list.Sorted() {
		got.WriteString(strings.TrimSuffix(f.String(), " ["+f.ID+"]") + "\n")
	}
	want := `outboxgen.yaml:4:30: "schemas/link-nowhere.yaml" cannot be read: it is a broken symbolic link
outboxgen.yaml:4:30: "schemas/link-outside.yaml" cannot be read: it points outside the project
outboxgen.yaml:4:52: "schemas/folder/*.yaml": the folder schemas/folder cannot be read: it points outside the project
schemas/good.yaml:3:13: "schemas/link-outside.yaml": it points outside the project; move the project file up to a folder that contains it, such as the root of the repository, or copy the file into the project
schemas/good.yaml:4:13: "schemas/folder/inside.yaml": it points outside the project; move the project file up to a folder that contains it, such as the root of the repository, or copy the file into the project
schemas/good.yaml:5:13: "../../secret.yaml" points outside the project; move the project file up to a folder that contains it, such as the root of the repository, or copy the file into the project
schemas/good.yaml:6:13: "schemas/loop.yaml": too many levels of symbolic links; refer to a readable file of the project
schemas/good.yaml:7:13: "schemas/absolute.yaml": it points outside the project; move the project file up to a folder that contains it, such as the root of the repository, or copy the file into the project
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("diagnostics (-want +got):\n%s", diff)
	}
	for file, source := range p.Sources {
		if strings.Contains(string(source), "SECRET") {
			t.Errorf("%s holds what lies outside the project", file)
		}
	}
	if diff := cmp.Diff(schema.Config{Path: "project/outboxgen.yaml", Dir: project}, schema.Config{Path: p.Config.Path, Dir: p.Config.Dir}, cmpopts.IgnoreUnexported(schema.Config{})); diff != "" {
		t.Errorf("places of the config (-want +got):\n%s", diff)
	}
}

func TestConfigThatIsNotThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, config := range []string{"outboxgen.yaml", "nowhere/outboxgen.yaml"} {
		_, _, err := schema.Load(dir, config)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v, want an error that is fs.ErrNotExist", config, err)
		}
		want := "read the project file " + filepath.Join(dir, config) + ": file does not exist; outboxgen init creates one"
		if err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
