package schema

import (
	"errors"
	"fmt"
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
