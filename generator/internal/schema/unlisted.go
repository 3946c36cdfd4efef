package schema

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// maxLooked limits the files that Unlisted reads, and their bytes.
const (
	maxLooked      = 5_000
	maxLookedBytes = 1 << 20
)

// Exported and Catalogued are the $comment of a schema that was exported from a project,
// and of one in an event catalogue. Such files are no sources of events.
const (
	Exported   = "Written by outboxgen export jsonschema. DO NOT EDIT."
	Catalogued = "Written by outboxgen docs. DO NOT EDIT."
)

// ExportedAsyncAPI is x-comment of a document of AsyncAPI that was exported. It is no
// source of events in the project that wrote it.
const ExportedAsyncAPI = "Written by outboxgen export asyncapi. DO NOT EDIT."

// Unlisted reports schemas in the folder of p that p does not use: each file, also of
// AsyncAPI, that describes an event but matches no pattern of schemas:; and, in one note, the files
// with a $schema of JSON Schema that nothing refers to. It does not look into hidden
// folders, vendor, testdata, the output, exported schemas, other modules, and projects that share their
// folder with another one.
func Unlisted(fsys fs.FS, p *Project) []finding.Finding {
	l := newLoader(fsys)
	l.configFile = path.Base(p.Config.Path)
	if l.sharesFolder() {
		return nil
	}
	loaded := map[string]*Document{}
	listed := map[string]bool{} // texts: a link may lead to a file by another path
	for _, d := range p.Documents {
		loaded[d.Path] = d
		listed[string(d.Source)] = listed[string(d.Source)] || d.Listed
	}
	var findings []finding.Finding
	var plain []string
	looked := 0
	for _, name := range l.projectFiles() {
		document := loaded[name]
		if document != nil && document.Listed || l.elsewhere(name, p.Config.Out) {
			continue
		}
		if looked++; looked > maxLooked {
			break
		}
		switch pos, event, schema := l.look(name, listed); {
		case event && !p.describes(document):
			findings = append(findings, finding.Finding{
				Pos: pos, Severity: finding.Warning, ID: "unlisted-event",
				Message: "this file describes an event, but no pattern of schemas: matches it, so the event is not generated",
				Hint:    "add " + finding.Quote(name) + ", or a pattern that matches it, to schemas:",
			})
		case schema && document == nil:
			plain = append(plain, name)
		}
	}
	if len(plain) > 0 {
		findings = append(findings, unlistedSchemas(p, plain))
	}
	return findings
}

// unlistedSchemas returns the note about unused schemas.
func unlistedSchemas(p *Project, names []string) finding.Finding {
	const most = 3
	what := "these schema files are"
	if len(names) == 1 {
		what = "this schema file is"
	}
	at, ok := p.Config.At["schemas"]
	if !ok {
		at = finding.Pos{File: path.Base(p.Config.Path), Line: 1, Col: 1}
	}
	return finding.Finding{
		Pos: at, Severity: finding.Note, ID: "unlisted-schemas",
		Message: fmt.Sprintf("%s not used: no pattern of schemas:, no entry of events: and no reference names %s", what, quotedList(names, most)),
	}
}

// describes reports whether an entry of events: describes an event of document.
func (p *Project) describes(document *Document) bool {
	return slices.ContainsFunc(p.Events, func(e *Event) bool {
		return document != nil && e.In(document)
	})
}

// look says what the file called name is: a file that describes an event, with the
// place of that, or a schema. A file with the text of a listed one is neither.
func (l *loader) look(name string, listed map[string]bool) (pos finding.Pos, event, schema bool) {
	info, err := fs.Stat(l.fsys, name)
	if err != nil || info.Size() > maxLookedBytes {
		return pos, false, false
	}
	src, err := l.readFile(name)
	if err != nil || listed[string(src)] || !strings.Contains(string(src), "x-outbox") && !strings.Contains(string(src), "json-schema.org/") {
		return pos, false, false
	}
	v, _ := readValue(name, src, &finding.List{})
	if v == nil || v.Kind != Object {
		return pos, false, false
	}
	if m := v.member("x-outbox"); m != nil && !marksAlone(m.Value, true) {
		return m.Pos, true, true
	}
	if m := messageOutbox(v); m != nil {
		return m.Pos, true, true
	}
	if m := v.Member("$comment"); m != nil && (m.Text == Exported || m.Text == Catalogued) {
		return pos, false, false
	}
	if m := v.Member("$schema"); m != nil && m.Kind == String {
		_, _, schema = standardDialect(m.Text)
	}
	return pos, false, schema
}

// messageOutbox returns the first x-outbox that describes an event in a document of
// AsyncAPI; nil if there is none, or if the document was exported.
func messageOutbox(v *Value) *Member {
	if v.Member("asyncapi") == nil || v.Member("x-comment") != nil && v.Member("x-comment").Text == ExportedAsyncAPI {
		return nil
	}
	var first *Member
	var search func(v *Value)
	search = func(v *Value) {
		for i := range v.Members {
			m := &v.Members[i]
			if m.Name == "x-outbox" && m.Value.Kind == Object && !marksAlone(m.Value, true) && first == nil {
				first = m
			}
			search(m.Value)
		}
		for _, item := range v.Items {
			search(item)
		}
	}
	search(v)
	return first
}

// elsewhere reports whether a file does not belong to the project: the output, a copy
// of other code, test data, or another module.
func (l *loader) elsewhere(name, out string) bool {
	for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
		if base := path.Base(folder); base == "vendor" || base == "testdata" || folder == path.Clean(out) || l.isModule(folder) {
			return true
		}
	}
	return false
}

// isModule reports whether a folder has its own go.mod or project file.
func (l *loader) isModule(folder string) bool {
	for _, name := range []string{"go.mod", l.configFile} {
		if _, err := fs.Stat(l.fsys, path.Join(folder, name)); err == nil {
			return true
		}
	}
	return false
}

// sharesFolder reports whether the folder has another project file.
func (l *loader) sharesFolder() bool {
	entries, err := fs.ReadDir(l.fsys, ".")
	if err != nil {
		return true
	}
	for _, e := range entries {
		if e.Name() == l.configFile || e.IsDir() || !isSchemaFile(e.Name()) {
			continue
		}
		src, err := l.readFile(e.Name())
		if err != nil || len(src) > maxLookedBytes || !strings.Contains(string(src), "service") {
			continue
		}
		v, _ := readValue(e.Name(), src, &finding.List{})
		if v != nil && v.Member("service") != nil && v.Member("out") != nil && v.Member("version") != nil {
			return true
		}
	}
	return false
}
