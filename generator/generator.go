package generator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/emit"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/sqlc"
)

// DefaultFile is the name of the project file.
const DefaultFile = "outboxgen.yaml"

// SQLCVersion is the sqlc version of the generated code.
const SQLCVersion = sqlc.Version

// Header is the first line of every Go file that the generator writes itself.
const Header = emit.Header

// Config says what to generate from. The zero value uses the current folder.
type Config struct {
	// Dir is the folder that File is relative to. Default: the current folder. Findings
	// have file names relative to it.
	Dir string
	// File is the project file. Default: outboxgen.yaml.
	File string
	// SQLCCommand is the program, with its leading arguments, that runs as sqlc of
	// version SQLCVersion; the command outboxgen uses itself. It runs as a child
	// process. Default: sqlc from PATH. A project with sqlc mode "queries" does not use
	// it.
	SQLCCommand []string
}

func (c Config) withDefaults() Config {
	c.Dir, c.File = cmp.Or(c.Dir, "."), cmp.Or(c.File, DefaultFile)
	if len(c.SQLCCommand) == 0 {
		c.SQLCCommand = []string{"sqlc"}
	}
	return c
}

// Finding is one problem at one place of a schema, the config or a migration. String
// returns file:line:col: message, and Line adds the id.
type Finding = finding.Finding

// Pos is the place of a Finding.
type Pos = finding.Pos

// The severities of a Finding.
const (
	Error   = finding.Error   // nothing is generated
	Warning = finding.Warning // generating continues
	Note    = finding.Note    // no problem
)

// File is one generated file.
type File struct {
	// Path is relative to the project, with forward slashes.
	Path string
	// Content is the whole content of the file.
	Content []byte
}

// Result is the outcome of a run.
type Result struct {
	// Dir is the folder of the project file. Paths of Files and Orphans are relative to
	// it.
	Dir string
	// Out is the place in the project file that sets the folder of the generated
	// package, for errors about writing it.
	Out Pos
	// Files are the generated files, sorted by path; empty if Findings has an error.
	Files []File
	// Orphans are the files of an earlier run that are no longer generated, sorted;
	// empty if Findings has an error.
	Orphans []string
	// Findings are all findings, sorted by place.
	Findings []Finding

	sources finding.Sources
}

// Failed reports whether an error among the findings prevented generating.
func (r *Result) Failed() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == Error })
}

// Generate generates a project's Go package in memory. It returns an error if it cannot
// run (no project file, no go.mod, no sqlc). Problems of the project are in Findings.
// The result depends only on the project's files: not on the folder, the time, or
// chance.
func Generate(ctx context.Context, cfg Config) (*Result, error) {
	cfg = cfg.withDefaults()
	l, err := load(cfg)
	if err != nil {
		return nil, err
	}
	files, err := l.generate(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if l.list.HasErrors() {
		return l.result(), nil
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	orphans, err := l.claim(files)
	if err != nil {
		return nil, err
	}
	result := l.result()
	if !result.Failed() {
		result.Files, result.Orphans = files, orphans
	}
	return result, nil
}

// loaded is a loaded project with its findings so far.
type loaded struct {
	project *schema.Project
	dir     string // the project's folder, for the file system
	list    *finding.List
	emitted map[string]emit.File // by their paths in the project
	shown   bool                 // the package is shown and not written, so it needs no go.mod
}

func load(cfg Config) (*loaded, error) {
	project, list, err := schema.Load(cfg.Dir, cfg.File)
	if err != nil {
		return nil, err
	}
	l := &loaded{project: project, dir: project.Config.Dir, list: list}
	l.outputInside()
	l.outImportable()
	l.unlisted()
	return l, nil
}

// unlisted reports schemas that the project does not use.
func (l *loaded) unlisted() {
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		return // it was there when the project was loaded
	}
	defer root.Close() //nolint:errcheck // nothing was written
	l.list.Add(schema.Unlisted(root.FS(), l.project)...)
}

func (l *loaded) result() *Result {
	return &Result{
		Dir:      l.dir,
		Out:      l.project.Config.At["out"],
		Findings: l.findings(),
		sources:  l.sources(),
	}
}

// findings returns the findings, sorted, without those that no user can act on.
func (l *loaded) findings() []Finding { return slices.DeleteFunc(l.list.Sorted(), ofStandard) }

// ofStandard reports whether a finding is about the standard's own schemas.
func ofStandard(f Finding) bool { return f.Severity != Error && schema.IsMetaSchema(f.Pos.File) }

// generate runs the parts that produce files. It checks the migrations even if the
// schemas have errors, so that all findings come at once.
func (l *loaded) generate(ctx context.Context, cfg Config) ([]File, error) {
	files, err := l.emit()
	if err != nil {
		return nil, err
	}
	failed := l.list.HasErrors()
	if failed && l.project.Config.SQLC.Migrations == "" {
		return nil, nil // outboxgen's own schema has no errors
	}
	statements, err := l.compile(ctx, cfg)
	if failed {
		return nil, nil // findings are more important than an error of sqlc
	}
	return append(files, statements...), err
}

// compile writes the SQL, and sqlc's code where it is to be here.
func (l *loaded) compile(ctx context.Context, cfg Config) ([]File, error) {
	c := l.project.Config
	if c.SQLC.Mode == "queries" {
		return []File{{Path: path.Clean(c.SQLC.Queries), Content: []byte(sqlc.ServiceQueries(c.SQLC.Schema))}}, nil
	}
	written, list, err := sqlc.Generate(ctx, sqlc.Options{
		Dir:        l.dir,
		Migrations: c.SQLC.Migrations,
		Schema:     c.SQLC.Schema,
		Pos:        c.SQLC.Pos,
		Command:    cfg.SQLCCommand,
	})
	if err != nil {
		return nil, err
	}
	l.add(list)
	var files []File
	for _, f := range written {
		files = append(files, File{Path: path.Join(c.Out, sqlc.Package, f.Name), Content: f.Content})
	}
	return files, nil
}

// emit produces the Go package if there are no errors. Otherwise it only checks the
// events without errors, so that all findings come at once.
func (l *loaded) emit() ([]File, error) {
	if l.list.HasErrors() {
		l.add(emit.Findings(l.project.Sound(l.list)))
		return nil, nil
	}
	c := l.project.Config
	dir := join(l.dir, c.Out)
	out, err := importPath(dir)
	if _, none := errors.AsType[*noModuleError](err); none && l.shown {
		out, err = path.Join("example.com", c.Out), nil
	}
	db := out + "/" + sqlc.Package
	switch {
	case c.SQLC.Mode == "queries" && c.SQLC.Package == out:
		l.list.Errorf(c.SQLC.At["package"], "import-cycle", "sqlc.package is the generated package itself, which cannot import itself").
			SetHint("let sqlc generate into another package")
		return nil, nil
	case c.SQLC.Mode == "queries":
		db = c.SQLC.Package // its import path needs no go.mod here
		if err == nil && !l.importable(db) {
			return nil, nil
		}
	case err != nil:
		return nil, err
	}
	if err == nil && !l.typesElsewhere(out) {
		return nil, nil
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		dir = "" // nothing is there to look at
	}
	emitted, list, err := emit.Package(l.project, emit.Options{OutboxDB: db, Dir: dir})
	if err != nil {
		return nil, fmt.Errorf("write the Go package: %w", err)
	}
	l.add(list)
	var files []File
	l.emitted = map[string]emit.File{}
	for _, f := range emitted {
		name := path.Join(c.Out, f.Path)
		files = append(files, File{Path: name, Content: f.Content})
		l.emitted[name] = f
	}
	return files, nil
}

// typesElsewhere reports the types of the config that stand in the generated
// package, out, itself, and whether there are none.
func (l *loaded) typesElsewhere(out string) bool {
	elsewhere := true
	for _, m := range l.project.Config.Types {
		if dot := strings.LastIndexByte(m.Type, '.'); dot >= 0 && m.Type[:dot] == out {
			elsewhere = false
			l.list.Errorf(m.Pos, "import-cycle", "%s is declared in the generated package, which cannot import itself", m.Type).
				SetHint("move the type to another package")
		}
	}
	return elsewhere
}

func (l *loaded) add(list *finding.List) {
	if list != nil {
		l.list.Add(list.Sorted()...)
	}
}
