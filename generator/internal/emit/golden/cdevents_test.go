package golden_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/outboxgen/outboxgen/generator/internal/emit"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// cdEvents is the folder of the CDEvents schemas, which are not part of this
// repository: below OUTBOXGEN_CORPORA, or else below ../shared/corpora.
func cdEvents(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("OUTBOXGEN_CORPORA")
	if dir == "" {
		dir = filepath.Join(root, "../shared/corpora")
	}
	dir = filepath.Join(dir, "cdevents")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the CDEvents schemas are not here; OUTBOXGEN_CORPORA names the folder of the corpora")
	}
	return dir
}

// The unchanged CDEvents schemas become a package. It passes go vet, decodes every
// conformance payload and encodes an equal one, and agrees with a validator on
// mutations of the payloads.
func TestCDEvents(t *testing.T) {
	t.Parallel()
	dir := cdEvents(t)
	project, names := cdEventsProject(t, dir)
	folder := newScratch("cdevents")
	cdEventsPackage(t, project, folder)
	folder.write(t, "ask/main.go", []byte(cdEventsProgram(project, folder.path("events"))))
	if !testing.Short() {
		folder.make(t, "events", "ask") // vet enters them
		folder.run(t, nil, "vet", "events", "ask")
	}

	validators := cdEventsValidators(t, dir, names)
	var questions bytes.Buffer
	var asked []question
	ask := json.NewEncoder(&questions)
	for _, name := range names {
		whole := document(t, conformance(t, dir, name))
		first := true
		for changed := range mutations(whole) {
			input, err := json.Marshal(changed)
			if err != nil {
				t.Fatal(err)
			}
			q := question{Event: name, Data: input, whole: first}
			first = false
			asked = append(asked, q)
			if err := ask.Encode(q); err != nil {
				t.Fatal(err)
			}
		}
	}
	answers := json.NewDecoder(bytes.NewReader(folder.run(t, &questions, "run", "ask")))
	valid := 0
	for _, q := range asked {
		var a answer
		if err := answers.Decode(&a); err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(q.Data))
		if err != nil {
			t.Fatal(err)
		}
		want := validators[q.Event].Validate(instance)
		if (want == nil) != (a.Error == "") {
			t.Errorf("%s: %s\nvalidator: %v\ngenerated: %s", q.Event, q.Data, want, a.Error)
		}
		if a.Error == "" {
			valid++
			if diff := cmp.Diff(document(t, q.Data), document(t, a.Data)); diff != "" {
				t.Errorf("%s changed (-in +out):\n%s", q.Event, diff)
			}
		} else if q.whole {
			t.Errorf("%s: the conformance payload is refused: %s", q.Event, a.Error)
		}
	}
	t.Logf("%d payloads, %d documents compared, %d of them valid", len(names), len(asked), valid)
}

type question struct {
	Event string
	Data  json.RawMessage

	whole bool // the payload as it is
}

type answer struct {
	Data  json.RawMessage
	Error string
}

// cdEventsProject describes an event for every schema that has a payload. names
// are the base names of these schemas.
func cdEventsProject(t *testing.T, dir string) (project *schema.Project, names []string) {
	t.Helper()
	files := fstest.MapFS{}
	var config strings.Builder
	config.WriteString("version: 1\nservice: ci\nout: events\nschemas: [schemas/links/*.json]\nevents:\n")
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".json" || strings.HasPrefix(name, "conformance/") || name == "custom/conformance.json" {
			return err
		}
		source, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		files[name] = &fstest.MapFile{Data: source}
		if path.Dir(name) == "schemas" || name == "custom/schema.json" {
			base := strings.TrimSuffix(path.Base(name), ".json")
			names = append(names, base)
			fmt.Fprintf(&config, "  - {schema: %s, version: 1, type: dev.cdevents.%s, aggregate: {type: subject, id: /subject/id}, correlation: /context/chainId}\n", name, base)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	files["outboxgen.yaml"] = &fstest.MapFile{Data: []byte(config.String())}
	project, findings, err := schema.LoadFS(files, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if findings.HasErrors() {
		t.Fatalf("findings: %v", findings.Sorted())
	}
	if len(names) != 49 {
		t.Errorf("%d events, want 49", len(names))
	}
	return project, names
}

// conformance returns the payload of the schema with this name: build_finished.json
// belongs to buildfinished.
func conformance(t *testing.T, dir, name string) []byte {
	t.Helper()
	found := filepath.Join(dir, "custom/conformance.json")
	if name != "schema" {
		files, err := filepath.Glob(filepath.Join(dir, "conformance/*.json"))
		if err != nil {
			t.Fatal(err)
		}
		found = ""
		for _, file := range files {
			if strings.ReplaceAll(strings.TrimSuffix(filepath.Base(file), ".json"), "_", "") == name {
				found = file
			}
		}
	}
	content, err := os.ReadFile(found)
	if err != nil {
		t.Fatalf("no payload for %s: %v", name, err)
	}
	return content
}

// scratch is a folder of packages inside the module, so that they can import the runtime.
// It is only an overlay of the go command. Its files are elsewhere, and its name is
// always the same, so that the go command does not compile again what did not change.
type scratch struct {
	name    string
	replace map[string]string // files by their names in the overlay
}

func newScratch(name string) scratch { return scratch{name, map[string]string{}} }

// path is the import path of a package in the folder.
func (s scratch) path(name string) string {
	return path.Join("github.com/outboxgen/outboxgen/testdata/scratch", s.name, name)
}

// dir is where the folder seems to be.
func (s scratch) dir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join(root, "testdata/scratch", s.name))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// make creates the folders of packages, without files, for the time of the test.
func (s scratch) make(t *testing.T, packages ...string) {
	t.Helper()
	dir := s.dir(t)
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
		_ = os.Remove(filepath.Dir(dir)) // if nothing else is in it
	})
	for _, p := range packages {
		if err := os.MkdirAll(filepath.Join(dir, p), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func (s scratch) write(t *testing.T, name string, content []byte) {
	t.Helper()
	dir := s.dir(t)
	file := filepath.Join(t.TempDir(), filepath.Base(name))
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s.replace[filepath.Join(dir, filepath.FromSlash(name))] = file
}

// run runs the go command on packages of the folder, and returns its output.
func (s scratch) run(t *testing.T, input *bytes.Buffer, verb string, packages ...string) []byte {
	t.Helper()
	overlay, err := json.Marshal(map[string]any{"Replace": s.replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{verb, "-overlay=" + file}
	for _, p := range packages {
		args = append(args, s.path(p))
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	if input != nil {
		cmd.Stdin = input
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return output
}

// cdEventsPackage generates the package.
func cdEventsPackage(t *testing.T, project *schema.Project, folder scratch) {
	t.Helper()
	files, findings, err := emit.Package(project, emit.Options{OutboxDB: "github.com/outboxgen/outboxgen/testdata/golden/huleedu/events/outboxdb"})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings.Sorted() {
		t.Error(f)
	}
	if t.Failed() {
		t.FailNow()
	}
	for _, f := range files {
		folder.write(t, "events/"+f.Path, f.Content)
	}
}

// cdEventsProgram is a program that reads documents and answers with what the
// generated package makes of each.
func cdEventsProgram(project *schema.Project, events string) string {
	var readers strings.Builder
	for _, e := range project.Events {
		base := strings.TrimSuffix(path.Base(e.Schema.Doc.Path), ".json")
		fmt.Fprintf(&readers, "\t%q: read[events.%s],\n", base, e.GoName)
	}
	return `package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"

	` + strconv.Quote(events) + `
)

var readers = map[string]func([]byte) (json.RawMessage, error){
` + readers.String() + `}

func read[T interface {
	json.Marshaler
	Validate() error
}](data []byte) (json.RawMessage, error) {
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, err
	}
	if err := v.Validate(); err != nil {
		return nil, err
	}
	return v.MarshalJSON()
}

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var q struct {
			Event string
			Data  json.RawMessage
		}
		if err := in.Decode(&q); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			panic(err)
		}
		var a struct {
			Data  json.RawMessage
			Error string
		}
		data, err := readers[q.Event](q.Data)
		if a.Data = data; err != nil {
			a.Error = err.Error()
		}
		if err := out.Encode(a); err != nil {
			panic(err)
		}
	}
}
`
}

// cdEventsValidators compiles the schemas for an independent validator.
func cdEventsValidators(t *testing.T, dir string, names []string) map[string]*jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.AssertContent()
	// RFC 3986 allows only ASCII, but the validator accepts other characters.
	c.RegisterFormat(&jsonschema.Format{Name: "uri-reference", Validate: func(v any) error {
		text, ok := v.(string)
		if ok && strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) {
			return errors.New("not ASCII")
		}
		_, err := url.Parse(text)
		return err
	}})
	ids := map[string]string{}
	for _, pattern := range []string{"schemas/*.json", "schemas/links/*.json", "custom/schema.json"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			resource, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			id, _ := resource.(map[string]any)["$id"].(string)
			ids[strings.TrimSuffix(filepath.Base(file), ".json")] = id
			if err := c.AddResource(id, resource); err != nil {
				t.Fatal(err)
			}
		}
	}
	compiled := map[string]*jsonschema.Schema{}
	for _, name := range names {
		s, err := c.Compile(ids[name])
		if err != nil {
			t.Fatal(err)
		}
		compiled[name] = s
	}
	return compiled
}
