// Package emit prints the Go package of a project: it takes the types and names of
// package ir, turns them into code fragments, and executes the templates.
//
// Text from a schema reaches the code only as a quoted Go string, as an identifier from
// package goname, or as comment text without line breaks and control characters.
package emit

import (
	"bytes"
	"cmp"
	"fmt"
	"go/format"
	"runtime"
	"slices"
	"strings"
	"text/template"

	"golang.org/x/sync/errgroup"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/plan"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/templates"
)

// Header is the first line of every file that outboxgen writes.
const Header = naming.Header

// Options says where the package will be.
type Options struct {
	// OutboxDB is the import path of the sqlc package with InsertEvent and
	// InsertEvents.
	OutboxDB string
	// Dir is the folder of the package on disk, whose hand-written files are read for
	// their declarations; "" reads none.
	Dir string
}

// File is one generated file.
type File struct {
	Path    string // base name, in the package's folder
	Source  string // path of the schema file that it comes from; "" for the package file
	Event   string // Go name of the event that it declares; "" for none
	Content []byte
}

// Package prints the Go package of p: its files sorted by path, without the sqlc
// package. Findings are about the schemas; if one is an error, there are no files.
// Package returns an error if Dir cannot be read, or for a bug of the generator.
func Package(p *schema.Project, opts Options) ([]File, *finding.List, error) {
	list := new(finding.List)
	var declared naming.Declared
	if opts.Dir != "" {
		var err error
		if declared, err = naming.ReadDeclared(opts.Dir); err != nil {
			return nil, list, err
		}
	}
	pkg := plan.Of(p, declared, list)
	if list.HasErrors() {
		return nil, list, nil
	}
	all, err := template.New("").Funcs(functions).ParseFS(templates.FS, "*.tmpl")
	if err != nil {
		return nil, list, fmt.Errorf("parse the templates: %w", err)
	}
	printer := &printer{
		pkg: pkg, opts: opts, templates: all, list: list,
		pointers:   p.Config.Nullable == "pointer",
		refuseZero: p.Config.Zero == "refuse", embedded: p.Config.SQLC.Mode != "queries",
	}
	files, err := printer.files()
	if err != nil || list.HasErrors() {
		return nil, list, err
	}
	return files, list, nil
}

// functions are the functions that templates call.
var functions = template.FuncMap{"doc": doc, "methods": methods, "body": body}

// outboxDB is the name of the sqlc package in generated code.
const outboxDB = "outboxdb"

// Findings returns the findings of Package for p, without reading hand-written files.
func Findings(p *schema.Project) *finding.List {
	list := new(finding.List)
	plan.Of(p, nil, list)
	return list
}

type printer struct {
	pkg        *ir.Package
	opts       Options
	templates  *template.Template
	pointers   bool // absent and null are one
	refuseZero bool // a writer must set every required UUID and time
	embedded   bool // the package of sqlc is outboxgen's
	list       *finding.List
	checked    map[*ir.Named]bool        // has something to check
	filled     map[*ir.Named]bool        // has a constructor
	branches   map[*ir.Named]bool        // is a branch of an interface
	unionsOf   map[*ir.Named][]*ir.Named // the interfaces that it is a branch of
	nullable   bool                      // some file reads a Nullable
}

func (p *printer) files() ([]File, error) {
	p.findBranches()
	p.checked, p.filled = map[*ir.Named]bool{}, map[*ir.Named]bool{}
	ir.Mark(p.pkg.Types(), p.checked, p.hasChecks)
	c := &coder{printer: p, imports: importSet{}}
	ir.Mark(p.pkg.Types(), p.filled, func(n *ir.Named) bool { return len(c.constructor(n)) > 0 })
	var out []File
	for _, f := range p.pkg.Files {
		source, err := p.file(f)
		if err != nil {
			return nil, err
		}
		file := File{Path: f.Name, Source: f.Source, Content: source}
		if f.Event != nil {
			file.Event = f.Event.GoName
		}
		out = append(out, file)
	}
	source, err := p.packageFile()
	if err != nil {
		return nil, err
	}
	out = append(out, File{Path: p.pkg.File, Content: source})
	slices.SortFunc(out, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return out, formatAll(out)
}

// findBranches finds the types that are branches of interfaces.
func (p *printer) findBranches() {
	p.branches, p.unionsOf = map[*ir.Named]bool{}, map[*ir.Named][]*ir.Named{}
	for n := range p.pkg.Types() {
		if n.Union != nil && !n.Union.Raw {
			for _, branch := range n.Union.Branches {
				p.branches[branch.Named] = true
				if unions := p.unionsOf[branch.Named]; !slices.Contains(unions, n) {
					p.unionsOf[branch.Named] = append(unions, n)
				}
			}
		}
	}
}

// formatAll formats files in place, in parallel: it is the slowest part of the
// generator.
func formatAll(files []File) error {
	errs := make([]error, len(files))
	var workers errgroup.Group
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for i := range files {
		workers.Go(func() error {
			files[i].Content, errs[i] = formatted(files[i].Path, files[i].Content)
			return nil
		})
	}
	_ = workers.Wait()
	return cmp.Or(errs...) // the first by path
}

// fileView is what file.tmpl prints.
type fileView struct {
	Header  string
	Sources []string
	Doc     []string
	Package string
	Imports [][]string // at most one block
	Parts   []string
}

func (p *printer) file(f *ir.File) ([]byte, error) {
	c := &coder{printer: p, file: f, imports: importSet{}}
	view := fileView{Header: Header, Sources: comment(f.Source), Package: p.pkg.Name}
	for _, n := range f.Types {
		part, err := c.named(n)
		if err != nil {
			return nil, err
		}
		view.Parts = append(view.Parts, part)
		if f.Event != nil && f.Event.Data == n {
			if part, err = c.event(f.Event); err != nil {
				return nil, err
			}
			view.Parts = append(view.Parts, part)
		}
	}
	for _, variables := range []string{c.patterns(), c.placeTables(), c.rules()} {
		if variables != "" {
			view.Parts = append(view.Parts, variables)
		}
	}
	view.Imports = c.imports.block()
	return p.print(view)
}

func (p *printer) packageFile() ([]byte, error) {
	// A package of the service's own sqlc may have any name.
	set := importSet{"context": "", uuidPath: "", outboxPath: "outbox", genPath: "", p.opts.OutboxDB: outboxDB}
	if p.embedded {
		set[p.opts.OutboxDB] = ""
	}
	var helpers []string
	for _, h := range []struct {
		file string
		used bool
	}{{"nullable.tmpl", p.nullable}, {"union_branch.tmpl", len(p.branches) > 0}} {
		if !h.used {
			continue
		}
		set[wirePath] = ""
		helper, err := p.execute(h.file, nil)
		if err != nil {
			return nil, err
		}
		helpers = append(helpers, helper)
	}
	var settings []string
	if !p.embedded { // the compiler's error stands here, without a word about sqlc
		settings = []string{
			"", "If InsertEvent is undefined, the settings of your sqlc lack a line under gen: go:", "", "\temit_exported_queries: true", "",
			"No other setting matters: only the constants are used.",
		}
	}
	part, err := p.execute("package.tmpl", map[string]any{
		"Settings":  settings,
		"Handshake": "gen.SupportsGenerator1",
		"Service":   quote(p.pkg.Service),
		"DB":        outboxDB,
		"Helpers":   helpers,
	})
	if err != nil {
		return nil, err
	}
	return p.print(fileView{
		Header: Header,
		Doc: comment("Package " + p.pkg.Name + " holds the events that " + p.pkg.Service + " " + p.does() + ": their types, and the functions that insert, register and decode them.\n\n" +
			"Validate of a type reports every violation of its schema, as a *outbox.ValidationError. UnmarshalJSON reports every mismatch, and does not change the value if there is one."),
		Package: p.pkg.Name,
		Imports: set.block(),
		Parts:   []string{part},
	})
}

// does says what the service does with its events.
func (p *printer) does() string {
	if slices.ContainsFunc(p.pkg.Events, func(e *ir.Event) bool { return e.Consumed }) {
		return "publishes and consumes"
	}
	return "publishes"
}

func (p *printer) execute(name string, view any) (string, error) {
	var b strings.Builder
	if err := p.templates.ExecuteTemplate(&b, name, view); err != nil {
		return "", fmt.Errorf("fill template %s: %w", name, err)
	}
	return b.String(), nil
}

// print returns the source of a file, not formatted yet.
func (p *printer) print(view fileView) ([]byte, error) {
	text, err := p.execute("file.tmpl", view)
	return []byte(text), err
}

// formatted returns a file as gofmt formats it. Code that does not parse is a bug of
// the generator, reported with the code.
func formatted(name string, source []byte) ([]byte, error) {
	out, err := format.Source(source)
	if err != nil {
		return nil, fmt.Errorf("internal error: the generated %s does not parse: %w; please report it with this:\n%s", name, err, numbered(source))
	}
	return out, nil
}

func numbered(source []byte) []byte {
	var b bytes.Buffer
	for i, line := range strings.Split(string(source), "\n") {
		fmt.Fprintf(&b, "%5d  %s\n", i+1, line)
	}
	return b.Bytes()
}
