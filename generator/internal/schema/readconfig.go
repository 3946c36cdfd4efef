package schema

import (
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
)

// configReader fills a Config from the file's value.
type configReader struct {
	reader

	load *loader
	c    *Config
}

// readConfig reads the members of the config v into c and fills in defaults.
func readConfig(l *loader, c *Config, v *Value) {
	r := &configReader{reader: reader{list: l.list, at: c.At}, load: l, c: c}
	c.Envelope, c.Nullable, c.Unknown, c.Validation, c.CorrelationID, c.Zero = "outbox", "strict", "keep", StrictValidation, "text", "refuse"
	c.Compat = CompatConfig{CompatRule: CompatRule{Level: "BACKWARD", Policy: "generated"}, Versions: "apart", Subjects: "topic"}
	c.SQLC = SQLCConfig{Mode: "embedded", Schema: "public", At: map[string]finding.Pos{}}
	ok := r.object(v.Pos, v, "the project file", []field{
		{name: "version", required: true, read: r.version},
		{name: "service", required: true, read: func(v *Value) { storeText(&c.Service, r.label(v, "service", maxEventType)) }},
		{name: "owner", read: func(v *Value) {
			storeText(&c.About.Owner, r.text(v, "owner", "a text such as the name of a team", notEmpty))
		}},
		{name: "description", read: func(v *Value) {
			storeText(&c.About.Description, r.text(v, "description", "a text about the service", notEmpty))
		}},
		{name: "source_url", read: func(v *Value) {
			c.About.SourceURL = r.text(v, "source_url", "an address with {path} and {line}", notEmpty)
		}},
		{name: "schemas", read: r.schemas},
		{name: "out", required: true, read: func(v *Value) { c.Out = r.path(v, "out") }},
		{name: "package", read: func(v *Value) { c.Package = r.goPackage(v, "package") }},
		{name: "envelope", read: func(v *Value) { storeText(&c.Envelope, r.oneOf(v, "envelope", envelopes)) }},
		{name: "nullable", read: func(v *Value) { storeText(&c.Nullable, r.oneOf(v, "nullable", []string{"strict", "pointer"})) }},
		{name: "correlation_id", read: func(v *Value) { storeText(&c.CorrelationID, r.oneOf(v, "correlation_id", []string{"text", "uuid"})) }},
		{name: "unknown", read: func(v *Value) { storeText(&c.Unknown, r.oneOf(v, "unknown", []string{"keep", "drop"})) }},
		{name: "zero", read: func(v *Value) { storeText(&c.Zero, r.oneOf(v, "zero", []string{"refuse", "allow"})) }},
		{name: "validation", read: func(v *Value) {
			storeText((*string)(&c.Validation), r.oneOf(v, "validation", []string{string(StrictValidation), string(SpecValidation)}))
		}},
		{name: "sqlc", read: r.sqlc},
		{name: "types", read: r.types},
		{name: "events", read: r.events},
		{name: "dialects", read: r.dialects},
		{name: "asyncapi", read: r.asyncapi},
		{name: "lint", read: r.lint},
		{name: "compat", read: r.compat},
	})
	if !ok {
		return
	}
	switch {
	case r.seen("schemas") && v.Member("schemas").Kind == Array && len(v.Member("schemas").Items) == 0 && !r.seen("events"):
		r.list.Errorf(v.Member("schemas").Pos, "empty-list", "schemas needs at least one pattern")
	case !r.seen("schemas") && !r.seen("events"):
		r.list.Errorf(v.Pos, "missing-member", "the project file needs schemas, events, or both")
	}
	if !r.seen("package") && c.Out != "" {
		r.defaultPackage(v)
	}
}

func (r *configReader) version(v *Value) {
	if v.Kind == NumberKind {
		if whole, ok := jsonvalue.Whole(v.Text); ok && whole == "1" {
			return
		}
	}
	r.list.Errorf(v.Pos, "bad-version", "version must be 1, the only version of the project file, not %s", v.Describe())
}

func (r *configReader) schemas(v *Value) {
	if v.Kind != Array {
		r.wrong(v, "schemas", "an array of patterns such as schemas/**/*.yaml")
		return
	}
	for _, item := range v.Items {
		if item.Kind != String {
			r.list.Errorf(item.Pos, "wrong-type", "schemas must list patterns such as schemas/**/*.yaml, not %s", item.Describe())
			continue
		}
		r.c.Schemas = append(r.c.Schemas, item.Text)
		r.c.schemas = append(r.c.schemas, Name{Text: item.Text, Pos: item.Pos})
	}
}

func (r *reader) path(v *Value, name string) string {
	if r.text(v, name, "a path relative to the project file", notEmpty) == nil {
		return ""
	}
	clean := path.Clean(v.Text)
	switch {
	case strings.Contains(v.Text, `\`):
		r.list.Errorf(v.Pos, "bad-path", "%s %s: a backslash in a path; use forward slashes", name, finding.Quote(v.Text))
		return ""
	case path.IsAbs(clean), !fs.ValidPath(clean), strings.Contains(strings.SplitN(clean, "/", 2)[0], ":"),
		strings.ContainsFunc(clean, func(c rune) bool { return c < ' ' || c == 0x7F }):
		r.list.Errorf(v.Pos, "outside-project", "%s %s is not a path inside the folder of the project file", name, finding.Quote(v.Text))
		return ""
	}
	return clean
}

func (r *reader) goPackage(v *Value, name string) string {
	switch {
	case v.Kind != String:
		r.wrong(v, name, "the name of a Go package")
		return ""
	case !token.IsIdentifier(v.Text) || goname.Reserved(v.Text) && v.Text != "main":
		r.list.Errorf(v.Pos, "bad-package", "%s %s is not a valid Go package name", name, finding.Quote(v.Text)).
			SetHint("write " + goname.Package(v.Text))
		return ""
	case v.Text == "main":
		r.list.Errorf(v.Pos, "bad-package", "package main cannot be imported")
		return ""
	}
	return v.Text
}

func (r *configReader) defaultPackage(v *Value) {
	base := path.Base(r.c.Out)
	if token.IsIdentifier(base) && !goname.Reserved(base) {
		r.c.Package = base
		return
	}
	r.list.Errorf(v.Member("out").Pos, "bad-package", "the folder name %s is not a valid Go package name", finding.Quote(base)).
		SetHint("add package: " + goname.Package(base))
}

var (
	postgresName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$]{0,62}$`)
	importPath   = regexp.MustCompile(`^[A-Za-z0-9_~.-]+(/[A-Za-z0-9_~.-]+)*$`)
)

func (r *configReader) sqlc(v *Value) {
	c := &r.c.SQLC
	c.Pos = v.Pos
	c.At = r.inner(v, "sqlc", []field{
		{name: "mode", read: func(v *Value) { storeText(&c.Mode, r.oneOf(v, "sqlc.mode", []string{"embedded", "queries"})) }},
		{name: "migrations", read: func(v *Value) { c.Migrations = r.migrations(v) }},
		{name: "schema", read: func(v *Value) {
			storeText(&c.Schema, r.text(v, "sqlc.schema", "the name of a Postgres schema", postgresName.MatchString))
		}},
		{name: "package", read: func(v *Value) {
			storeText(&c.Package, r.text(v, "sqlc.package", "the import path of a Go package", importPath.MatchString))
		}},
		{name: "queries", read: func(v *Value) { c.Queries = r.path(v, "sqlc.queries") }},
	})
	for name, needed := range map[string]string{
		"package": "the import path of the Go package that your sqlc generates, such as example.com/shop/internal/db",
		"queries": "the .sql file to generate for your sqlc, such as db/queries/outbox.sql; its first lines list what your sqlc.yaml needs",
	} {
		switch at, seen := c.At[name]; {
		case c.Mode == "queries" && !seen:
			r.list.Errorf(v.Pos, "missing-member", "the mode queries needs sqlc.%s: %s", name, needed)
		case c.Mode == "embedded" && seen:
			r.list.Errorf(at, "unused-member", "sqlc.%s is for mode queries, but the mode is embedded", name)
		}
	}
}

func (r *configReader) migrations(v *Value) string {
	name := r.path(v, "sqlc.migrations")
	if name == "" {
		return ""
	}
	if _, err := fs.Stat(r.load.fsys, name); err != nil {
		r.list.Errorf(v.Pos, "unknown-file", "sqlc.migrations %s: %s", finding.Quote(v.Text), readProblem(err)).
			SetHint("give the folder or file relative to the project file, or remove sqlc.migrations")
		return ""
	}
	return name
}

func (r *configReader) types(v *Value) {
	if v.Kind != Object {
		r.wrong(v, "types", "an object that maps formats or references to Go types")
		return
	}
	for _, m := range v.Members {
		if m.Value.Kind != String || !isGoType(m.Value.Text) {
			r.list.Errorf(m.Value.Pos, "bad-type", "a Go type must be import/path.Name or a built-in type, not %s", m.Value.Describe())
			continue
		}
		r.c.Types = append(r.c.Types, TypeMapping{Match: m.Name, Type: m.Value.Text, Pos: m.Pos})
	}
}

// isGoType checks import/path.Name and the names of basic types.
func isGoType(text string) bool {
	dot := strings.LastIndexByte(text, '.')
	if dot < 0 {
		return slices.Contains([]string{
			"string", "bool", "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "any",
		}, text)
	}
	return importPath.MatchString(text[:dot]) && token.IsExported(text[dot+1:]) && token.IsIdentifier(text[dot+1:])
}

// asyncapi reads how operations of AsyncAPI are read.
func (r *configReader) asyncapi(v *Value) {
	at := r.inner(v, "asyncapi", []field{
		{name: "publish", read: func(v *Value) {
			if is := r.oneOf(v, "asyncapi.publish", []string{"receives", "sends"}); is != nil {
				r.c.AsyncAPI.PublishSends = is.Text == "sends"
			}
		}},
		{name: "received", read: func(v *Value) {
			if is := r.oneOf(v, "asyncapi.received", []string{"consume", "omit"}); is != nil {
				r.c.AsyncAPI.OmitReceived = is.Text == "omit"
			}
		}},
	})
	_, r.c.AsyncAPI.PublishSet = at["publish"]
}

func (r *configReader) events(v *Value) {
	if v.Kind != Array {
		r.wrong(v, "events", "an array of events")
		return
	}
	for _, item := range v.Items {
		var e EventConfig
		named := field{name: "schema", required: true, read: func(v *Value) {
			store(&e.Schema, r.text(v, "schema", "the path of a schema file, with an optional #fragment", notEmpty))
		}}
		if is := item.Member("event"); is != nil {
			e.Extension = Extension{Pos: item.Pos, At: r.inner(item, "an entry with event: false", []field{named, {name: "event", read: func(v *Value) {
				if e.Left = refusing(v); !e.Left {
					r.list.Errorf(v.Pos, "bad-choice", "event can only be false, for a message of AsyncAPI that is no event, not %s", v.Describe()).
						SetHint("remove event:, and describe the event with version, type and aggregate")
				}
			}}})}
			r.c.Events = append(r.c.Events, e)
			continue
		}
		x := readExtension(r.list, item.Pos, item, "the event", entryEvent, []field{
			named,
			{name: "dialect", read: func(v *Value) { e.Dialect = r.dialect(v, "dialect") }},
		})
		if x != nil {
			e.Name, x.GoName = x.GoName, Name{}
			e.Extension = *x
			r.c.Events = append(r.c.Events, e)
		}
	}
}
