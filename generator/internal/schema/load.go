package schema

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// Load reads the config at configPath, relative to dir unless it is absolute,
// and every schema that it names. Everything wrong with them is in the list;
// the error says only that the run could not begin, when the config is missing
// or its folder cannot be opened. The project is complete when the list has no
// errors; otherwise it holds what could be read, with nil where something was
// reported, and always Sources.
//
// Nothing outside the folder of the config is read, symbolic links included.
func Load(dir, configPath string) (*Project, *finding.List, error) {
	file := configPath
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return nil, nil, unreadable(file, err)
	}
	defer root.Close() //nolint:errcheck // nothing was written
	project, list, err := newLoader(root.FS()).load(filepath.Base(file))
	if err != nil {
		return nil, nil, unreadable(file, err)
	}
	project.Config.Path = configPath
	project.Config.Dir = filepath.Dir(file)
	return project, list, nil
}

// LoadFS is Load on a file system whose root is the project, such as one
// commit of a repository. Config.Dir is empty then.
func LoadFS(fsys fs.FS, config string) (*Project, *finding.List, error) {
	return LoadPart(fsys, config, nil)
}

// LoadPart is LoadFS for those of the files that schemas: matches that want
// asks for, and what they refer to; the others are in LeftOut, and their events
// nowhere, unless a reference leads to them. A nil want asks for all.
func LoadPart(fsys fs.FS, config string, want func(file string) bool) (*Project, *finding.List, error) {
	l := newLoader(fsys)
	l.want = want
	project, list, err := l.load(config)
	if err != nil {
		return nil, nil, unreadable(config, err)
	}
	return project, list, nil
}

// unreadable is why there is no project file to begin with.
func unreadable(config string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the project file %s: %w; outboxgen init creates one", config, fs.ErrNotExist)
	}
	return fmt.Errorf("read the project file %s: %w", config, err)
}

func (l *loader) load(config string) (*Project, *finding.List, error) {
	src, err := l.readFile(config)
	if err != nil {
		return nil, nil, err
	}
	l.sources[config] = src
	l.configFile = config
	c := &Config{Path: config, At: map[string]finding.Pos{}}
	if v, _ := readValue(config, src, l.list); v != nil {
		readConfig(l, c, v)
		l.spec = c.Validation == SpecValidation
		l.describes = c.described()
		l.configuredDialects(c)
		l.listing = true
		l.globs(c)
		l.listing = false
		l.described(c)
	}
	l.finish()
	project := l.project(c)
	project.Events = l.events(c)
	used := leadTo(project.Events)
	l.misfits(used)
	l.list = l.unused(used)
	if len(project.Events) == 0 && !l.list.HasErrors() {
		l.list.Add(finding.Finding{
			Pos: c.At["schemas"], Severity: finding.Warning, ID: "no-events", Message: "no schema file describes an event",
			Hint: "add x-outbox to a schema, or describe the event under events:",
		})
	}
	return project, l.list, nil
}

// LoadFile loads one schema file and what it refers to, without a config, to
// look at and compare: keywords that nobody knows are warnings. fsys bounds
// what references can reach. The schema is Project.Document(file).Root.
func LoadFile(fsys fs.FS, file string) (*Project, *finding.List, error) {
	return LoadFileAs(fsys, file, Draft202012)
}

// LoadGuessing loads a schema that may come from anywhere by load, which takes
// the dialect of files that do not say theirs: 2020-12, unless there are words
// that only an older one knows.
func LoadGuessing(load func(Dialect) (*Project, *finding.List, error)) (*Project, *finding.List, error) {
	project, list, err := load(Draft202012)
	for _, dialect := range []Dialect{Draft7, Draft4} {
		if err != nil || foreignWords(list) == 0 {
			break
		}
		older, found, err := load(dialect)
		if err != nil {
			return nil, nil, err
		}
		if foreignWords(found) < foreignWords(list) {
			project, list = older, found
		}
	}
	return project, list, err
}

// foreignWords is how many words of another dialect were found.
func foreignWords(list *finding.List) int {
	n := 0
	for _, f := range list.Sorted() {
		if f.ID == "other-dialect" {
			n++
		}
	}
	return n
}

// LoadRegistered is LoadFile for a schema that stands in a registry: libraries
// are the URIs by which it refers to others, with the files that hold those.
func LoadRegistered(fsys fs.FS, file string, dialect Dialect, libraries map[string]string) (*Project, *finding.List, error) {
	l := newLoader(fsys)
	for _, uri := range slices.Sorted(maps.Keys(libraries)) {
		u, err := url.Parse(uri)
		if err != nil {
			continue // no reference can name it
		}
		library, problem := l.file(libraries[uri])
		if problem != "" {
			return nil, nil, fmt.Errorf("read the schema %s: %s", libraries[uri], problem)
		}
		id := projectBase(file).ResolveReference(u).String()
		if l.ids[id] == nil {
			l.ids[id] = library.resources[0]
		}
	}
	return l.loadFile(file, dialect)
}

// LoadFileAs is LoadFile that takes files without $schema to be of another
// dialect than 2020-12.
func LoadFileAs(fsys fs.FS, file string, dialect Dialect) (*Project, *finding.List, error) {
	return newLoader(fsys).loadFile(file, dialect)
}

func (l *loader) loadFile(file string, dialect Dialect) (*Project, *finding.List, error) {
	l.dialect = dialect
	l.alone = true
	if _, err := fs.Stat(l.fsys, file); err != nil {
		return nil, nil, fmt.Errorf("read the schema %s: %w", file, err)
	}
	u, problem := l.file(file)
	if problem != "" {
		return nil, nil, fmt.Errorf("read the schema %s: %s", file, problem)
	}
	u.doc.Listed = true
	l.entry = u.doc
	l.finish()
	l.misfits(nil)
	return l.project(nil), l.list, nil
}

// unit is one file while a project is being loaded.
type unit struct {
	doc       *Document
	value     *Value
	byPointer map[string]*Schema
	resources []*resource // the file's own first
	unknown   int         // keywords reported that nobody knows
	owned     bool        // it describes an event
	// foreign is a file that you cannot edit: no pattern of schemas: names
	// it, or an entry of events: describes what it holds, and it describes no
	// event itself. What is wrong with it is a warning, as far as it can be read.
	foreign     bool
	annotations map[finding.Pos]bool // values of annotations that are of the wrong type
	// mayDescribe is a file whose x-outbox seems to be misspelled.
	mayDescribe bool

	found *finding.List // what is wrong with it; the loader's own list where it is not foreign
}

type loader struct {
	fsys     fs.FS
	list     *finding.List
	alone    bool    // files are looked at without a config: none counts as owned
	listing  bool    // the files at hand are those that schemas: names
	spec     bool    // the config says validation: spec
	dialect  Dialect // of files without $schema
	words    map[string]keyword
	sources  finding.Sources
	units    map[string]*unit  // by path
	missing  map[string]string // path -> why it cannot be read
	ids      map[string]*resource
	idPos    map[string]finding.Pos
	pending  []pendingRef
	dynamic  []dynamicRef
	variants []*Schema // that unroll made
	strange  []*Value  // each $schema that names no dialect that is known

	dialects   dialectSettings
	configFile string
	idFiles    map[string]string // index's, nil until it is asked for

	entry          *Document       // what LoadFile was asked for
	matched        []*unit         // the files that schemas: names
	describes      map[string]bool // the files that entries of events: name
	discriminators []*Discriminator
	misfit         []misfit
	eventRefs      []*Ref // for each entry of events: in the config; nil without a schema

	hints           bool // look for what a dangling reference may have meant
	values, schemas int
	want            func(file string) bool
	leftOut         []string
	full            bool // a bound was reached and reported
}

func newLoader(fsys fs.FS) *loader {
	return &loader{
		fsys: fsys, list: &finding.List{}, dialect: Draft202012, words: vocabulary(), sources: finding.Sources{},
		units: map[string]*unit{}, missing: map[string]string{},
		ids: map[string]*resource{}, idPos: map[string]finding.Pos{},
	}
}

var (
	errFolder     = errors.New("it is a folder")
	errNotRegular = errors.New("it is not a regular file")
	errTooLarge   = fmt.Errorf("it has more than %d bytes", maxFileBytes)
)

// readFile reads a regular file, whatever its size claims to be.
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

// file loads the schema file at name once. problem says why it cannot be read
// at all; what is wrong inside is reported to the list, and the unit may then
// have no root.
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
	src, err := l.readFile(name)
	if err != nil {
		l.missing[name] = readProblem(err)
		return nil, l.missing[name]
	}
	u = l.newUnit(name, src, projectBase(name))
	l.read(u)
	return u, ""
}

// newUnit is a file that is about to be read.
func (l *loader) newUnit(name string, src []byte, base *url.URL) *unit {
	u := &unit{doc: &Document{Path: name, Dialect: l.dialect, Source: src}, byPointer: map[string]*Schema{}, found: &finding.List{}, annotations: map[finding.Pos]bool{}}
	u.resources = []*resource{{unit: u, base: base, level: l.dialect.level(), anchors: map[string]*Schema{}}}
	l.sources[name] = src
	l.units[name] = u
	return u
}

// read turns the text of u into schemas.
func (l *loader) read(u *unit) {
	name := u.doc.Path
	reading := &finding.List{}
	v, values := readValue(name, u.doc.Source, reading)
	if v != nil {
		x := v.Member("x-outbox")
		u.owned = x != nil && !l.alone && v.Kind == Object && !marksAlone(x, true)
		u.foreign = !u.owned && (!l.listing || l.describes[name])
	}
	if !u.foreign {
		u.found = l.list
	}
	u.add(reading)
	if v == nil || !l.countValues(values, v.Pos) {
		return
	}
	u.value = v
	if openAPI(u, v) {
		return
	}
	b := l.builder(u, u.resources[0])
	b.schema(v, "")
}

// openAPI recognizes a file that holds schemas but is none itself; its schemas
// are read when something refers to them.
func openAPI(u *unit, v *Value) bool {
	if v.Kind != Object {
		return false
	}
	for _, name := range []string{"openapi", "swagger", "asyncapi"} {
		if m := v.Member(name); m != nil && m.Kind == String {
			if openAPI3(v) {
				u.resources[0].level = level4
			}
			u.doc.Dialect = dialects[u.resources[0].level]
			return true
		}
	}
	return false
}

// openAPI3 recognizes a document of OpenAPI up to 3.0, whose schemas have words
// of their own.
func openAPI3(v *Value) bool {
	openapi, swagger := v.Member("openapi"), v.Member("swagger")
	return openapi != nil && openapi.Kind == String && strings.HasPrefix(openapi.Text, "3.0") || swagger != nil && swagger.Kind == String
}

func (l *loader) builder(u *unit, within *resource) *builder {
	return &builder{load: l, list: u.found, unit: u, level: within.level, within: within, ignored: map[finding.Pos]bool{}}
}

const (
	noSuchFile   = "there is no such file"
	leadsOutside = "it leads outside the project"
)

// readProblem says in a few words why a file could not be read.
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

func (l *loader) countValues(n int, pos finding.Pos) bool {
	l.values += n
	return l.bounded(l.values <= maxProjectValues, pos, "too-many-values", "the project holds more than %d values", maxProjectValues)
}

func (l *loader) countSchema(pos finding.Pos) bool {
	l.schemas++
	return l.bounded(l.schemas <= maxSchemas, pos, "too-many-schemas", "the project holds more than %d schemas", maxSchemas)
}

func (l *loader) bounded(ok bool, pos finding.Pos, id, format string, most int) bool {
	if !ok && !l.full {
		l.full = true
		l.list.Errorf(pos, id, format, most)
	}
	return ok
}

// identify registers a resource under its base URI.
func (l *loader) identify(r *resource, v *Value) {
	id := r.base.String()
	if pos, dup := l.idPos[id]; dup {
		if pos != v.Pos {
			r.unit.found.Errorf(v.Pos, "duplicate-id", "%s is also the id at %s", finding.Quote(v.Text), pos)
		}
		return
	}
	l.ids[id], l.idPos[id] = r, v.Pos
}

// withoutEnding is a pattern without what it says of the ending of files: a
// project may list one for each ending, and have files of one only.
func withoutEnding(pattern string) string {
	return strings.TrimSuffix(pattern, path.Ext(pattern))
}

// globs loads the files that schemas: names. A pattern has to match one, or
// another pattern that differs from it in the ending alone.
func (l *loader) globs(c *Config) {
	matched := make([][]string, len(c.schemas))
	problems := make([]string, len(c.schemas))
	stems := map[string]bool{} // of patterns that match a file, or were reported
	for i, pattern := range c.schemas {
		matched[i], problems[i] = l.glob(pattern.Text)
		if len(matched[i]) > 0 {
			stems[withoutEnding(pattern.Text)] = true
		}
	}
	for i, pattern := range c.schemas {
		matches, problem := matched[i], problems[i]
		if stem := withoutEnding(pattern.Text); problem == "" && len(matches) == 0 && !stems[stem] {
			stems[stem] = true
			problem = "no file matches"
		}
		if problem != "" {
			l.list.Errorf(pattern.Pos, "bad-glob", "%s: %s", finding.Quote(pattern.Text), problem)
		}
		for _, name := range matches {
			if name == path.Base(c.Path) {
				continue // the config itself
			}
			if !isSchemaFile(name) {
				l.list.Add(finding.Finding{
					Pos: pattern.Pos, ID: "bad-glob", Message: fmt.Sprintf("%s matches %s, which is neither YAML nor JSON", finding.Quote(pattern.Text), finding.Quote(name)),
					Hint: "schema files end in .yaml, .yml or .json",
				})
				continue
			}
			if l.want != nil && !l.want(name) {
				l.leftOut = append(l.leftOut, name)
				continue
			}
			u, problem := l.file(name)
			if problem != "" {
				l.list.Errorf(pattern.Pos, "unreadable", "%s cannot be read: %s", finding.Quote(name), problem)
				continue
			}
			u.doc.Listed = true
			l.matched = appendUnit(l.matched, u)
		}
	}
}

func appendUnit(units []*unit, u *unit) []*unit {
	if slices.Contains(units, u) {
		return units
	}
	return append(units, u)
}

func isSchemaFile(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// finish resolves every reference, which may load more files.
func (l *loader) finish() {
	l.resolve()
	l.strangeDialects()
	l.bases()
	for _, d := range l.discriminators {
		d.bind()
	}
	l.unroll()
	l.cycles()
	l.foreignFindings()
}

// bind gives a discriminator the targets of its references, without those that
// lead nowhere, which were reported.
func (d *Discriminator) bind() {
	mapping, refs := d.Mapping, d.Refs
	d.Mapping, d.Refs = nil, nil
	for i, ref := range refs {
		if ref.Target != nil {
			d.Mapping, d.Refs, d.Targets = append(d.Mapping, mapping[i]), append(d.Refs, ref), append(d.Targets, ref.Target)
		}
	}
}

func (l *loader) project(c *Config) *Project {
	slices.Sort(l.leftOut)
	p := &Project{Config: c, LeftOut: slices.Compact(l.leftOut), Sources: l.sources}
	for _, u := range l.sortedUnits() {
		p.Documents = append(p.Documents, u.doc)
	}
	return p
}

func (l *loader) sortedUnits() []*unit {
	return slices.SortedFunc(maps.Values(l.units), func(a, b *unit) int { return strings.Compare(a.doc.Path, b.doc.Path) })
}

func (u *unit) sortedSchemas() []*Schema {
	return slices.SortedFunc(maps.Values(u.byPointer), func(a, b *Schema) int { return strings.Compare(a.Pointer, b.Pointer) })
}

// projectBase is the base URI of the file called name, before any $id.
func projectBase(name string) *url.URL {
	return &url.URL{Scheme: projectScheme, Path: "/" + name}
}
