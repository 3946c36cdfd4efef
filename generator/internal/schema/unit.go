package schema

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// unit is one file while a project is being loaded.
type unit struct {
	doc       *Document
	value     *Value
	byPointer map[string]*Schema
	resources []*resource // the file's own is first
	unknown   int         // number of unknown keywords reported
	owned     bool        // it describes an event
	// foreign is true for a file that users cannot edit: no pattern of schemas: matches
	// it, or an entry of events: names it; and it describes no event itself. Its
	// problems are warnings, as far as it can be read.
	foreign     bool
	annotations map[finding.Pos]bool // annotations with values of the wrong type
	// api is the major version of AsyncAPI, in its documents and in parts of them; 0 in
	// other files. described has the schemas whose x-outbox describes an event, by pointer.
	api int
	// handed is what a document of AsyncAPI says about a schema file without $schema.
	handed    reading
	scanned   bool // its messages were collected
	matches   bool // a pattern of schemas: matches it
	needed    bool // a message of AsyncAPI depends on it, so its errors stay errors
	described map[string]bool
	// mayDescribe is true if the file's x-outbox seems to be misspelled.
	mayDescribe bool

	found *finding.List // its findings; the loader's own list if it is not foreign
}

var (
	errFolder     = errors.New("it is a folder")
	errNotRegular = errors.New("it is not a regular file")
	errTooLarge   = fmt.Errorf("it has more than %d bytes", maxFileBytes)
)

// readFile reads a regular file, whatever size it reports.
func (l *loader) readFile(name string) ([]byte, error) {
	info, err := fs.Stat(l.fsys, name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errFolder
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := l.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	src, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(src) > maxFileBytes {
		return nil, errTooLarge
	}
	return src, nil
}

// file loads the schema file at name once. problem says why it cannot be read at all.
// Problems inside the file are reported to the list; then the unit may have no root.
func (l *loader) file(name string) (u *unit, problem string) {
	if problem, ok := l.missing[name]; ok {
		return nil, problem
	}
	if u, ok := l.units[name]; ok {
		return u, ""
	}
	if len(l.units) >= maxFiles {
		return nil, fmt.Sprintf("the project has more than %d schema files", maxFiles)
	}
	src, peeked := l.peeked[name]
	delete(l.peeked, name)
	if !peeked {
		var err error
		if src, err = l.readFile(name); err != nil {
			l.missing[name] = readProblem(err)
			return nil, l.missing[name]
		}
	}
	u = l.newUnit(name, src, projectBase(name))
	l.read(u)
	return u, ""
}

// newUnit returns a file that is about to be read.
func (l *loader) newUnit(name string, src []byte, base *url.URL) *unit {
	u := &unit{doc: &Document{Path: name, Dialect: l.dialect, Source: src}, byPointer: map[string]*Schema{}, found: &finding.List{}, annotations: map[finding.Pos]bool{}}
	u.resources = []*resource{{unit: u, base: base, name: projectBase(""), level: l.dialect.level(), anchors: map[string]*Schema{}}}
	l.sources[name] = src
	l.units[name] = u
	return u
}

// read turns the text of u into schemas.
func (l *loader) read(u *unit) {
	name := u.doc.Path
	reading := &finding.List{}
	v, values := readValue(name, u.doc.Source, reading)
	u.matches = l.listing
	if v != nil {
		x := v.Member("x-outbox")
		u.owned = x != nil && !l.alone && v.Kind == Object && !marksAlone(x, true) ||
			v.Member("asyncapi") != nil && l.listing && !l.describes[name]
		u.foreign = !u.owned && (!l.listing || l.describes[name])
	}
	if !u.foreign {
		u.found = l.list
	}
	u.found.Add(reading.Sorted()...)
	if v == nil || !l.countValues(values, v.Pos) {
		return
	}
	u.value = v
	if u.api = l.asyncAPI(u, v); u.api == 0 && l.isPart(v) {
		u.api = l.reading.api
	}
	if u.api != 0 {
		u.resources[0].level = level7 // AsyncAPI's schemas are a superset of draft-07
		if as := l.reading; as.given && !as.part && v.Member("asyncapi") == nil {
			u.resources[0].level = as.dialect.level()
		}
		u.doc.Dialect = dialects[u.resources[0].level]
		return
	}
	if openAPI(u, v) {
		return
	}
	l.hand(u, v)
	b := l.builder(u, u.resources[0])
	b.schema(v, "")
}

// hand gives a schema file that says no dialect itself the dialect of the document of
// AsyncAPI that refers to it. Without a schemaFormat, that is only a better guess, so
// that keywords which it does not have are not lost.
func (l *loader) hand(u *unit, v *Value) {
	as := l.reading
	if as.dialect == "" || !u.foreign || v.Kind != Object || v.Member("$schema") != nil {
		return
	}
	if _, set := l.configured(u, "", true); set || !as.given && !l.hasAllWords(as.dialect, v) {
		return
	}
	u.handed = as
	u.resources[0].level = as.dialect.level()
	u.doc.Dialect = as.dialect
}

// openAPI recognises a file that contains schemas but is not one. Its schemas are read
// when something refers to them.
func openAPI(u *unit, v *Value) bool {
	if v.Kind != Object {
		return false
	}
	for _, name := range []string{"openapi", "swagger"} {
		if version(v, name) != "" {
			if openAPI3(v) {
				u.resources[0].level = level4
			}
			if m := v.Member("jsonSchemaDialect"); m != nil && m.Kind == String {
				if d, _, ok := standardDialect(m.Text); ok {
					u.resources[0].level = d.level()
				}
			}
			u.doc.Dialect = dialects[u.resources[0].level]
			return true
		}
	}
	return false
}

// openAPI3 recognises a document of OpenAPI up to 3.0, whose schemas have their own
// keywords.
func openAPI3(v *Value) bool {
	return strings.HasPrefix(version(v, "openapi"), "3.0") || version(v, "swagger") != ""
}

// version returns the version of OpenAPI or Swagger that a file names. In YAML it is
// often a number: swagger: 2.0. "": the file names none.
func version(v *Value, name string) string {
	if m := v.Member(name); m != nil && (m.Kind == String || m.Kind == NumberKind) {
		return m.Text
	}
	return ""
}

func (l *loader) builder(u *unit, within *resource) *builder {
	return &builder{load: l, list: u.found, unit: u, level: within.level, within: within, ignored: map[finding.Pos]bool{}}
}

const (
	noSuchFile   = "there is no such file"
	leadsOutside = "it points outside the project"
)

// readProblem returns a short reason why a file could not be read.
func readProblem(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return noSuchFile
	case errors.Is(err, fs.ErrPermission):
		return "its permissions forbid reading"
	case errors.Is(err, fs.ErrInvalid):
		return "it is not a path inside the project"
	case errors.Is(err, errFolder), errors.Is(err, errNotRegular), errors.Is(err, errTooLarge):
		return err.Error()
	case strings.Contains(err.Error(), "escapes"):
		return leadsOutside
	}
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return err.Error()
}

// isPart reports whether a file is a part of a document of AsyncAPI that refers to it,
// or has such parts by name, and is no schema itself.
func (l *loader) isPart(v *Value) bool {
	if l.reading.api == 0 || v.Kind != Object {
		return false
	}
	return l.reading.part || !slices.ContainsFunc(v.Members, func(m Member) bool {
		_, known := l.words[m.Name]
		return known
	})
}

func (u *unit) sortedSchemas() []*Schema {
	return slices.SortedFunc(maps.Values(u.byPointer), func(a, b *Schema) int { return strings.Compare(a.Pointer, b.Pointer) })
}

// projectBase returns the base URI of the file called name, without $id.
func projectBase(name string) *url.URL {
	return &url.URL{Scheme: projectScheme, Path: "/" + name}
}
