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

// Load reads the config at configPath, relative to dir unless it is absolute, and every
// schema that it names. All findings are in the list. Load returns an error only if it
// cannot start, because the config is missing or its folder cannot be opened. If the
// list has no errors, the project is complete; otherwise it has what could be read,
// with nil where an error was reported. It always has Sources.
//
// Load reads nothing outside the folder of the config, through symbolic links either.
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

// LoadFS is Load for a file system whose root is the project, such as one commit of a
// repository. Config.Dir is empty then.
func LoadFS(fsys fs.FS, config string) (*Project, *finding.List, error) {
	return LoadPart(fsys, config, nil)
}

// LoadPart is LoadFS for those files of schemas: that want selects, and the files that
// they refer to. The others are in LeftOut, and their events are missing, unless a
// reference leads to them. A nil want selects all.
func LoadPart(fsys fs.FS, config string, want func(file string) bool) (*Project, *finding.List, error) {
	l := newLoader(fsys)
	l.want = want
	project, list, err := l.load(config)
	if err != nil {
		return nil, nil, unreadable(config, err)
	}
	return project, list, nil
}

// unreadable returns the error for a project file that cannot be read.
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
		l.api = c.AsyncAPI
		l.describes = c.described()
		l.configuredDialects(c)
		l.listing = true
		l.globs(c)
		l.listing = false
		l.described(c)
		l.apiPayloads(c)
		l.apiAbout(c)
	}
	l.finish()
	project := l.project(c)
	project.Events = l.events(c)
	project.subjects = l.subjects()
	l.reportBroken()
	used := leadTo(project.Events)
	l.misfits(used)
	l.list = l.unused(used)
	if len(project.Events) == 0 && !l.list.HasErrors() {
		l.list.Warnf(c.At["schemas"], "no-events", "no schema file describes an event").
			SetHint("add x-outbox to a schema, or describe the event under events:")
	}
	return project, l.list, nil
}

// LoadFile loads one schema file and the files that it refers to, without a config, for
// comparisons: unknown keywords are warnings. References cannot leave fsys. The dialect
// is that of files without $schema. The schema is Project.Document(file).Root.
func LoadFile(fsys fs.FS, file string, dialect Dialect) (*Project, *finding.List, error) {
	return newLoader(fsys).loadFile(file, dialect)
}

// LoadGuessing loads a schema of unknown origin with load, which gets the dialect for
// files without $schema: 2020-12, unless the files have keywords of an older one.
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

// foreignWords returns the number of keywords of another dialect.
func foreignWords(list *finding.List) int {
	n := 0
	for _, f := range list.Sorted() {
		if f.ID == "other-dialect" {
			n++
		}
	}
	return n
}

// LoadRegistered is LoadFile for a schema in a registry. libraries maps the URIs with
// which it refers to other schemas to their files.
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

type loader struct {
	fsys     fs.FS
	list     *finding.List
	alone    bool    // without a config, no file counts as owned
	listing  bool    // the current files match schemas:
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
	variants []*Schema // made by unroll
	strange  []*Value  // each $schema with an unknown dialect

	api      AsyncAPIConfig
	apis     []*apiDocument
	messages map[messageKey]*apiMessage
	merges   map[merging]*Value
	followed map[following]*followed
	// undescribed is the message that is read, if nothing describes its event: it is left
	// out if it is not JSON.
	undescribed *apiMessage

	reading  reading // for what the next file is read
	reaching int     // how many references on the way of pointers are being followed
	needed   bool    // a message of an event depends on what is read
	broken   map[*Value]*brokenPart
	marks    []placedMarks
	warned   map[warning]*apiMessage // the message that a warning is about
	peeked   map[string][]byte       // files that were read to find documents of AsyncAPI
	written  map[string]bool         // documents of AsyncAPI that the project itself exported

	dialects   dialectSettings
	configFile string
	idFiles    map[string]string // the result of index, nil until it is needed
	nameFiles  map[string][]string
	names      map[string][]*resource // the files with a relative $id; see byName

	entry          *Document       // the file of LoadFile
	matched        []*unit         // the files that match schemas:
	describes      map[string]bool // the files named by entries of events:
	discriminators []*Discriminator
	misfit         []misfit
	eventRefs      []*Ref // for each entry of events: in the config; nil without a schema

	hints           bool // search for what a dangling reference may mean
	values, schemas int
	pointers        int // bytes of the pointers of schemas
	want            func(file string) bool
	leftOut         []string
	full            bool // a limit was reached and reported
}

func newLoader(fsys fs.FS) *loader {
	return &loader{
		fsys: fsys, list: &finding.List{}, dialect: Draft202012, words: vocabulary(), sources: finding.Sources{},
		units: map[string]*unit{}, missing: map[string]string{}, warned: map[warning]*apiMessage{},
		ids: map[string]*resource{}, idPos: map[string]finding.Pos{}, names: map[string][]*resource{},
		messages: map[messageKey]*apiMessage{}, merges: map[merging]*Value{}, followed: map[following]*followed{},
		broken: map[*Value]*brokenPart{}, peeked: map[string][]byte{}, written: map[string]bool{},
	}
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

func (l *loader) countValues(n int, pos finding.Pos) bool {
	l.values += n
	return l.bounded(l.values <= maxProjectValues, pos, "too-many-values", "the project holds more than %d values", maxProjectValues)
}

func (l *loader) countSchema(pos finding.Pos, pointer string) bool {
	l.schemas++
	l.pointers += len(pointer)
	return l.bounded(l.pointers <= maxPointers, pos, "too-deep", "the names on the paths to schemas have more than %d bytes together", maxPointers) &&
		l.bounded(l.schemas <= maxSchemas, pos, "too-many-schemas", "the project holds more than %d schemas", maxSchemas)
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
		if first := l.ids[id]; pos != v.Pos && (first == nil || first.root == nil || !l.repeats(r.root, first.root)) {
			r.unit.found.Errorf(v.Pos, "duplicate-id", "%s is also the id at %s", finding.Quote(v.Text), pos)
		}
		return
	}
	l.ids[id], l.idPos[id] = r, v.Pos
}

// withoutEnding returns a pattern without its file extension: a project may list one
// pattern for each extension, and have files with only one of them.
func withoutEnding(pattern string) string {
	return strings.TrimSuffix(pattern, path.Ext(pattern))
}

// globs loads the files of schemas:. Each pattern has to match a file, or another
// pattern that differs only in the extension has to.
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
	l.peek(c, slices.Concat(matched...))
	for i, pattern := range c.schemas {
		matches, problem := matched[i], problems[i]
		if stem := withoutEnding(pattern.Text); problem == "" && len(matches) == 0 && !stems[stem] {
			stems[stem] = true
			problem = "no file matches"
		}
		if problem != "" {
			f := l.list.Errorf(pattern.Pos, "bad-glob", "%s: %s", finding.Quote(pattern.Text), problem)
			if problem == leadsOutside {
				f.SetHint(reachOutside)
			}
		}
		for _, name := range matches {
			if name == path.Base(c.Path) || l.written[name] {
				continue // the config itself, or what was made from the schemas
			}
			if !isSchemaFile(name) {
				l.list.Errorf(pattern.Pos, "bad-glob", "%s matches %s, which is neither YAML nor JSON", finding.Quote(pattern.Text), finding.Quote(name)).
					SetHint("schema files end in .yaml, .yml or .json")
				continue
			}
			if l.want != nil && !l.want(name) {
				l.leftOut = append(l.leftOut, name)
				continue
			}
			u, problem := l.file(name)
			if problem == noSuchFile { // and yet its folder lists it
				problem = "it is a broken symbolic link"
			}
			if problem != "" {
				l.list.Errorf(pattern.Pos, "unreadable", "%s cannot be read: %s", finding.Quote(name), problem)
				continue
			}
			u.doc.Listed = true
			if !slices.Contains(l.matched, u) {
				l.matched = append(l.matched, u)
			}
		}
	}
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

func isSchemaFile(name string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(path.Ext(name)))
}

// finish resolves every reference, which may load more files.
func (l *loader) finish() {
	l.resolve()
	l.strangeDialects()
	l.bases()
	l.subtypes()
	for _, d := range l.discriminators {
		d.bind()
	}
	l.unroll()
	l.cycles()
	l.foreignFindings()
}

// bind sets a discriminator's targets from its references, without those that do not
// resolve, which were reported.
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
	p := &Project{Config: c, LeftOut: slices.Compact(l.leftOut), Missing: slices.Sorted(maps.Keys(l.missing)), Sources: l.sources}
	for _, u := range l.sortedUnits() {
		p.Documents = append(p.Documents, u.doc)
		if u.doc.Roots = u.apiRoots(); u.doc.Root != nil {
			u.doc.Roots = []*Schema{u.doc.Root}
		}
	}
	return p
}

func (l *loader) sortedUnits() []*unit {
	return slices.SortedFunc(maps.Values(l.units), func(a, b *unit) int { return strings.Compare(a.doc.Path, b.doc.Path) })
}

func (u *unit) sortedSchemas() []*Schema {
	return slices.SortedFunc(maps.Values(u.byPointer), func(a, b *Schema) int { return strings.Compare(a.Pointer, b.Pointer) })
}

// projectBase returns the base URI of the file called name, without $id.
func projectBase(name string) *url.URL {
	return &url.URL{Scheme: projectScheme, Path: "/" + name}
}
