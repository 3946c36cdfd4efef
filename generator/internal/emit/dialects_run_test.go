package emit_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/outboxgen/outboxgen/generator/internal/emit"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// trip is a program that decodes every example with the packages of all dialects,
// validates it, and encodes it again.
const trip = `package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

IMPORTS)

type data interface {
	json.Marshaler
	Validate() error
}

func read[T data](text []byte) (data, error) {
	var v T
	err := json.Unmarshal(text, &v)
	return v, err
}

var events = map[string]func([]byte) (data, error){
EVENTS}

func main() {
	trips := 0
	for name, read := range events {
		files, err := filepath.Glob(filepath.Join(os.Args[1], name[strings.LastIndexByte(name, ' ')+1:]+"*.json"))
		if err != nil || len(files) == 0 {
			fmt.Println(name, "has no examples", err)
		}
		for _, file := range files {
			if problem := check(read, file); problem != nil {
				fmt.Println(name, file, problem)
			}
			trips++
		}
	}
	fmt.Println(trips, "trips")
}

func check(read func([]byte) (data, error), file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var envelope struct{ Data json.RawMessage }
	if err := json.Unmarshal(text, &envelope); err != nil {
		return err
	}
	v, err := read(envelope.Data)
	if err != nil {
		return err
	}
	if err := v.Validate(); err != nil {
		return err
	}
	again, err := v.MarshalJSON()
	if err != nil {
		return err
	}
	var before, after any
	if err := json.Unmarshal(envelope.Data, &before); err != nil {
		return err
	}
	if err := json.Unmarshal(again, &after); err != nil {
		return err
	}
	if !reflect.DeepEqual(before, after) {
		return fmt.Errorf("it came back as %s", again)
	}
	if broken, err := read([]byte("{}")); err == nil && broken.Validate() == nil {
		return fmt.Errorf("an empty object is valid")
	}
	return nil
}
`

// The sample events in every older dialect give code that compiles, and that decodes
// and encodes every example without a change.
func TestOlderDialectsTakeEveryExample(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles what is generated")
	}
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	const parent = "testdata/overlaydialects"
	dir, replace := t.TempDir(), map[string]string{}
	add := func(name, content string) {
		file := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(top, parent, name)] = file
	}
	project, imports, events, want := sampleProject(t), "", "", 0
	examples := filepath.Join(top, "schemas/huleedu/examples")
	for _, dialect := range []schema.Dialect{schema.Draft201909, schema.Draft7, schema.Draft6, schema.Draft4} {
		older := fstest.MapFS{"outboxgen.yaml": project["outboxgen.yaml"]}
		for name, file := range project {
			if name != "outboxgen.yaml" {
				older[name] = &fstest.MapFile{Data: translated(t, file.Data, dialect)}
			}
		}
		pkg := "d" + strings.NewReplacer("-", "", "draft", "").Replace(string(dialect))
		imports += "\t" + pkg + " \"" + module + "/" + parent + "/" + pkg + "\"\n"
		loaded, findings, err := schema.LoadFS(older, "outboxgen.yaml")
		if err != nil || findings.HasErrors() {
			t.Fatal(err, findings.Sorted())
		}
		files, list, err := emit.Package(loaded, emit.Options{OutboxDB: module + "/testdata/golden/huleedu/events/outboxdb"})
		if err != nil || list.HasErrors() {
			t.Fatal(err, list.Sorted())
		}
		for _, f := range files {
			add(pkg+"/"+f.Path, string(f.Content))
		}
		for _, e := range loaded.Events {
			name := strings.TrimSuffix(e.Schema.Doc.Path, ".yaml")
			events += "\t\"" + pkg + " " + name + "\": read[" + pkg + "." + e.GoName + "],\n"
			matches, err := filepath.Glob(filepath.Join(examples, name+"*.json"))
			if err != nil {
				t.Fatal(err)
			}
			want += len(matches)
		}
	}
	add("main.go", strings.NewReplacer("IMPORTS", imports, "EVENTS", events).Replace(trip))
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "go", "run", "-overlay", file, "./"+parent, examples)
	command.Dir = top
	out, err := command.CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || want < 4*7 || !slices.Equal(lines, []string{strconv.Itoa(want) + " trips"}) {
		t.Errorf("want %d trips: %v\n%s\nfiles: %d", want, err, out, len(slices.Collect(maps.Keys(replace))))
	}
}
