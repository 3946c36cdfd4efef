package generator

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/printer"
	"go/token"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Explanation says what is generated for one schema file.
type Explanation struct {
	// Result has the findings in the file. Its Files are those with the file's events.
	Result
	// Events are the events that the file describes, sorted by Go name. It is empty for
	// a library that other files refer to.
	Events []ExplainedEvent
	// Library is set if the file has no events, else nil.
	Library *ExplainedLibrary
	// Elsewhere is the number of errors in other files of the project. If it is not 0,
	// nothing is generated.
	Elsewhere int
}

// ExplainedEvent is one event version.
type ExplainedEvent struct {
	// Name is the Go type of the event data.
	Name string
	// At is the place of the event's description.
	At Pos
	// Dialect is the JSON Schema dialect of the file.
	Dialect string
	// Type, Topic, Envelope and SchemaURI are the event's properties in Kafka.
	// SchemaURI is "" if the schema has no $id.
	Type, Topic, Envelope, SchemaURI string
	// Aggregate, Key and Correlation say where each value comes from.
	Aggregate, Key, Correlation string
	// Role is "publish" or, if another service publishes the event, "consume".
	Role string
	// Tombstone is true if the event has functions for tombstones.
	Tombstone bool
	// File is the generated file, relative to the project; "" if there are errors.
	File string
	// Go is the file's exported types and functions, without methods and function
	// bodies.
	Go string
}

// ExplainedLibrary is a file that describes no event.
type ExplainedLibrary struct {
	// File is the generated file with the types of the library, relative to the
	// project; "" if there are errors, or if no event uses its types.
	File string
	// Go is the file's exported types, without methods.
	Go string
}

// Explain says what is generated for a schema file. file is relative to the project.
// The errors are those of Generate, and one for a file that the project does not have.
func Explain(cfg Config, file string) (*Explanation, error) {
	cfg = cfg.withDefaults()
	l, err := load(cfg)
	if err != nil {
		return nil, err
	}
	file = path.Clean(filepath.ToSlash(file))
	index := slices.IndexFunc(l.project.Documents, func(d *schema.Document) bool { return d.Path == file })
	if index < 0 {
		return nil, fmt.Errorf("%s is not a schema of %s, and no schema refers to it", file, cfg.File)
	}
	document := l.project.Documents[index]
	l.shown = true
	files, err := l.emit()
	if err != nil {
		return nil, err
	}
	e := &Explanation{Result: *l.result()}
	for _, event := range l.project.Events {
		if event == nil || event.Schema == nil || !event.In(document) {
			continue
		}
		explained := explainEvent(event)
		if i := slices.IndexFunc(files, func(f File) bool { return l.emitted[f.Path].Event == event.GoName }); i >= 0 {
			f := files[i]
			explained.File = f.Path
			if explained.Go, err = outline(f.Content); err != nil {
				return nil, fmt.Errorf("read %s: %w", f.Path, err)
			}
			e.Files = append(e.Files, f)
		}
		e.Events = append(e.Events, explained)
	}
	if len(e.Events) == 0 {
		if err := l.explainLibrary(e, file, files); err != nil {
			return nil, err
		}
	}
	var here []Finding
	for _, f := range e.Findings {
		switch {
		case f.Pos.File == file:
			here = append(here, f)
		case f.Severity == Error:
			e.Elsewhere++
		}
	}
	e.Findings = here
	return e, nil
}

func (l *loaded) explainLibrary(e *Explanation, file string, files []File) error {
	e.Library = &ExplainedLibrary{}
	for _, f := range files {
		if l.emitted[f.Path].Source != file {
			continue
		}
		text, err := outline(f.Content)
		if err != nil {
			return fmt.Errorf("read %s: %w", f.Path, err)
		}
		e.Library.File, e.Library.Go = f.Path, text
		e.Files = append(e.Files, f)
	}
	return nil
}

func explainEvent(event *schema.Event) ExplainedEvent {
	e := ExplainedEvent{
		Name: event.GoName, At: event.Pos, Dialect: string(event.Schema.Dialect()),
		Type: event.Type, Topic: event.Topic, Envelope: event.Envelope, SchemaURI: event.SchemaURI,
		Aggregate:   event.AggregateType + ", its id is a parameter of the insert function",
		Key:         "the aggregate id",
		Correlation: "not in the data",
		Tombstone:   event.Tombstone,
		Role:        "publish",
	}
	if event.Consumed {
		e.Role, e.Aggregate = "consume", event.AggregateType+", its id is not in the data"
	}
	if event.AggregateID != nil {
		e.Aggregate = event.AggregateType + ", its id " + pointed(event.AggregateID)
	}
	switch {
	case !event.Keyed:
		e.Key = "none, so the order is not guaranteed"
	case event.Key != nil:
		e.Key = pointed(event.Key)
	}
	if event.Correlation != nil {
		e.Correlation = pointed(event.Correlation)
	}
	if event.CorrelationUUID {
		e.Correlation += "; it must be a UUID"
	}
	return e
}

// pointed says where in the event data a value is.
func pointed(pointer *schema.Name) string {
	if pointer.Text == "" {
		return "the event data itself"
	}
	return "at " + pointer.Text
}

// Write writes the explanation for a person. It returns the writer's error.
func (e *Explanation) Write(w io.Writer) error {
	var b bytes.Buffer
	if e.Library != nil {
		e.writeLibrary(&b)
	}
	for i, event := range e.Events {
		if i > 0 {
			b.WriteString("\n")
		}
		event.write(&b)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write the explanation: %w", err)
	}
	return nil
}

func (e *Explanation) writeLibrary(b *bytes.Buffer) {
	b.WriteString("No event: the file has no x-outbox; it is a library for $ref.\n")
	if e.Library.Go == "" && !e.Failed() && e.Elsewhere == 0 {
		b.WriteString("No event uses a type from this file.\n")
	}
	writeGo(b, e.Library.File, e.Library.Go)
}

func (e ExplainedEvent) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "%s: %s\n", e.At, e.Name)
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	rows := [][2]string{
		{"type", e.Type}, {"topic", e.Topic}, {"envelope", e.Envelope}, {"schema URI", cmp.Or(e.SchemaURI, "none, the schema has no $id")},
		{"aggregate", e.Aggregate}, {"key", e.Key}, {"correlation", e.Correlation}, {"dialect", e.Dialect},
	}
	switch {
	case e.Role == "consume":
		rows = append(rows, [2]string{"role", "consume: another service publishes the event, so there is no insert function"})
	case e.Tombstone:
		rows = append(rows, [2]string{"tombstone", "Insert" + e.Name + "Tombstone deletes what was published under a key"})
	}
	for _, row := range rows {
		fmt.Fprintf(table, "  %s\t%s\n", row[0], row[1])
	}
	_ = table.Flush() // it writes to memory
	writeGo(b, e.File, e.Go)
}

// writeGo writes what a generated file holds, if anything.
func writeGo(b *bytes.Buffer, file, text string) {
	if text == "" {
		return
	}
	fmt.Fprintf(b, "\n%s:\n\n", file)
	for line := range strings.Lines(text) {
		if line != "\n" {
			b.WriteString("\t")
		}
		b.WriteString(line)
	}
}

// outline returns the exported types and constants of a file with their comments, and its
// functions without comments, without methods.
func outline(content []byte) (string, error) {
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, "", content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	var parts []string
	for _, decl := range parsed.Decls {
		var node any = decl
		switch d := decl.(type) {
		case *ast.GenDecl:
			if d.Tok != token.TYPE && d.Tok != token.CONST || !ast.FilterDecl(d, token.IsExported) {
				continue
			}
			node = &printer.CommentedNode{Node: decl, Comments: parsed.Comments}
		case *ast.FuncDecl:
			if d.Recv != nil || !d.Name.IsExported() {
				continue
			}
			d.Doc, d.Body = nil, nil
		default:
			continue
		}
		var b bytes.Buffer
		if err := format.Node(&b, fset, node); err != nil {
			return "", err
		}
		parts = append(parts, b.String()+"\n")
	}
	return strings.Join(parts, "\n"), nil
}
