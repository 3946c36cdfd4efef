package verdict

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing/fstest"

	"github.com/outboxgen/outboxgen/generator/internal/emit"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// Case is a project, and documents for its events.
type Case struct {
	// Name is unique among the cases of a run.
	Name string
	// Files is the project: outboxgen.yaml and its schemas.
	Files map[string][]byte
	// Documents are decoded by the generated types, in this order.
	Documents []Document
}

// Document is one JSON text.
type Document struct {
	// Event is the Go name of the event that the document belongs to, such as ThingV1.
	// Default: the first event of the project.
	Event string
	// JSON is the document itself, without an envelope.
	JSON []byte
}

// SchemaFile is where ForSchema puts the schema, in the project of projectFile.
const (
	SchemaFile  = "thing.json"
	projectFile = "outboxgen.yaml"
)

// ForSchema returns a case with one schema, which is the event ThingV1 through an entry
// of events: in the project file. settings are more lines for that file.
func ForSchema(name string, schema []byte, settings ...string) Case {
	config := "version: 1\nservice: verdicts\nschemas: []\nout: events\nenvelope: none\n" + strings.Join(append(settings, ""), "\n") +
		eventsLine + eventEntry(SchemaFile, "Thing")
	return Case{Name: name, Files: map[string][]byte{projectFile: []byte(config), SchemaFile: schema}}
}

// eventsLine begins the events of a project file.
const eventsLine = "events:\n"

// eventEntry returns the entry of an event under events:.
func eventEntry(file, name string) string {
	return fmt.Sprintf("  - {schema: %s, name: %s, version: 1, type: verdicts.%s.v1, aggregate: {type: thing}}\n", file, name, strings.ToLower(name))
}

// fsys returns the project as a file system.
func (c Case) fsys() fstest.MapFS {
	files := fstest.MapFS{}
	for name, content := range c.Files {
		files[name] = &fstest.MapFile{Data: content}
	}
	return files
}

// Outcome is the result of a case.
type Outcome struct {
	// Findings are all findings of generating, sorted by place.
	Findings []finding.Finding
	// Internal is an error or a panic that is a bug of the generator.
	Internal string
	// Files is the generated package; empty if there are errors.
	Files []emit.File
	// Compile is the compiler's output; empty if the package compiles.
	Compile []string
	// Vet is the output of go vet for a package that compiles.
	Vet []string
	// Answers are the answers to the documents, one for each; nil if the package was
	// not generated or does not compile.
	Answers []Answer

	events []string // their Go names, in the project's order
}

// Refused returns the ids of the errors among the findings, sorted, each once; empty if
// the project was generated.
func (o Outcome) Refused() []string {
	ids := map[string]bool{}
	for _, f := range o.Findings {
		if f.Severity == finding.Error {
			ids[f.ID] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// NoEvent reports whether a document is a null that a warning about the event declares
// invalid. event is as in Document.
func (o Outcome) NoEvent(event string, document []byte) bool {
	if event == "" && len(o.events) > 0 {
		event = o.events[0]
	}
	return string(document) == "null" && slices.ContainsFunc(o.Findings, func(f finding.Finding) bool {
		return f.ID == "event-may-be-null" && strings.Contains(f.Message, " "+event+" ")
	})
}

// Answer is the result of a generated type for a document.
type Answer struct {
	// Decode is the error of decoding, Validate that of validating the decoded value,
	// and Encode that of encoding it again. A panic counts as an error.
	Decode   string `json:"decode,omitempty"`
	Validate string `json:"validate,omitempty"`
	Encode   string `json:"encode,omitempty"`
	// Encoded is the document encoded again.
	Encoded json.RawMessage `json:"encoded,omitempty"`
	// Crashed says that the program ended at this document.
	Crashed string `json:"crashed,omitempty"`
}

// Refusal returns why the document is invalid; empty if it is valid.
func (a Answer) Refusal() string {
	switch {
	case a.Crashed != "":
		return "crashed: " + a.Crashed
	case a.Decode != "":
		return "decode: " + a.Decode
	case a.Validate != "":
		return "validate: " + a.Validate
	}
	return ""
}

// batch is how many packages are compiled and linked together: enough to share the
// start of the tools, and few enough for the linker's memory.
const batch = 400

// Run runs cases through all steps, and returns their outcomes in order. It creates the
// modules under dir. It returns an error only if it could not run; problems of a case
// are in its Outcome.
func Run(ctx context.Context, dir string, cases []Case) ([]Outcome, error) {
	if name, twice := repeated(cases); twice {
		return nil, fmt.Errorf("two cases are called %q", name)
	}
	outcomes := make([]Outcome, 0, len(cases))
	for part := range slices.Chunk(cases, batch) {
		generated, err := Generate(part)
		if err != nil {
			return nil, err
		}
		if err := compileAndRun(ctx, dir, part, generated); err != nil {
			return nil, err
		}
		outcomes = append(outcomes, generated...)
	}
	return outcomes, nil
}

// repeated returns a name that two cases have.
func repeated(cases []Case) (string, bool) {
	seen := map[string]bool{}
	for _, c := range cases {
		if seen[c.Name] {
			return c.Name, true
		}
		seen[c.Name] = true
	}
	return "", false
}
