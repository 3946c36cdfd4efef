package generator

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/check/compat"
	"github.com/outboxgen/outboxgen/generator/internal/check/contract"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/site"
)

// DocsConfig configures Docs.
type DocsConfig struct {
	// Projects are the projects whose events are in the catalogue. At least one.
	// SQLCCommand is not used.
	Projects []Config
	// Dir is the folder of the site, for Orphans; "" and a missing folder count as
	// empty.
	Dir string
	// Title is the name of the site. Default: "Event catalogue".
	Title string
	// SourceURL is the address of a file in the repository, with {path} for its path
	// from the root and {line} for a line: files in the site become links. It begins
	// with http:// or https://. Default: files have no links.
	// A project file with source_url has its own address.
	SourceURL string
	// Revision says on each page from which state of the sources the site is, such as a
	// commit. Default: the pages do not say it.
	Revision string
}

// PagePolicy is the content security policy that the pages of a site have.
const PagePolicy = site.Policy

// Site is the outcome of Docs.
type Site struct {
	// Result has the files of the site. Its Orphans are the files of an earlier run that
	// are no longer written. Its Dir is the folder of the site. Findings of several
	// projects have file names with the projects' folders.
	Result
	// Events is the number of events in the projects.
	Events int
	// Watch are the files and folders whose changes can change the site.
	Watch []string
}

// Docs writes the event catalogue of some projects: a static site. The result depends
// only on the projects' files and on their place in the git repository, if they are in
// one. It returns an error if it cannot run: there is no project file, SourceURL is
// invalid, or another file is in the place of one of the site.
func Docs(cfg DocsConfig) (*Site, error) {
	changes := versionChanges{}
	opts := site.Options{Title: cmp.Or(cfg.Title, "Event catalogue"), Revision: cfg.Revision, Changes: changes.between}
	var err error
	if opts.Source, err = sourceLinks(cfg.SourceURL); err != nil {
		return nil, err
	}
	result := &Site{Result: Result{Dir: cfg.Dir, sources: finding.Sources{}}}
	var projects []site.Project
	for _, c := range cfg.Projects {
		c = c.withDefaults()
		l, err := load(c)
		if err != nil {
			return nil, err
		}
		l.shown = true
		files, err := l.emit()
		if err != nil {
			return nil, err
		}
		result.include(l, len(cfg.Projects) > 1)
		if l.list.HasErrors() {
			continue
		}
		p, err := l.documented(files)
		if err != nil {
			return nil, err
		}
		projects = append(projects, p)
		for _, e := range p.Events {
			changes[e] = !p.Formats
		}
		result.Events += len(p.Events)
	}
	var all finding.List
	all.Add(result.Findings...)
	result.Findings = all.Sorted()
	if result.Failed() {
		return result, nil
	}
	pages, err := site.Pages(projects, opts)
	if err != nil {
		return nil, fmt.Errorf("write the catalogue: %w", err)
	}
	for _, p := range pages {
		result.Files = append(result.Files, File{Path: p.Path, Content: p.Content})
	}
	return result, result.claim(claim{command: "docs", folders: site.Folders(), ours: site.Ours})
}

// include adds the findings and the files of a project.
func (r *Site) include(l *loaded, several bool) {
	prefix := ""
	if several {
		prefix = filepath.ToSlash(l.dir)
	}
	for _, f := range l.findings() {
		if f.Pos.File != "" {
			f.Pos.File = path.Join(prefix, f.Pos.File)
		}
		r.Findings = append(r.Findings, f)
	}
	for name, source := range l.sources() {
		r.sources[path.Join(prefix, name)] = source
	}
	r.Watch = append(r.Watch, l.watched()...)
	slices.Sort(r.Watch)
	r.Watch = slices.Compact(r.Watch)
}

// watched returns the files of a project, and the folders in which others may appear.
func (l *loaded) watched() []string {
	all := []string{filepath.Join(l.dir, l.project.Config.File())}
	for name := range l.project.Sources {
		if !schema.IsMetaSchema(name) {
			file := filepath.Join(l.dir, filepath.FromSlash(name))
			all = append(all, file, filepath.Dir(file))
		}
	}
	for _, name := range l.project.Missing {
		all = append(all, filepath.Join(l.dir, filepath.FromSlash(name)))
	}
	for _, glob := range l.project.Config.Schemas {
		fixed := filepath.ToSlash(glob)
		if i := strings.IndexAny(fixed, "*?["); i >= 0 {
			fixed = fixed[:i]
		}
		top := filepath.Join(l.dir, filepath.FromSlash(path.Dir(fixed+"x")))
		_ = filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil: // a folder that is not there yet, or cannot be read, has no schemas
				all = append(all, name)
				return filepath.SkipDir
			case !entry.IsDir():
				return nil
			case name != top && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules"):
				return filepath.SkipDir
			}
			all = append(all, name)
			return nil
		})
	}
	return all
}

// documented returns what the site has of a project.
func (l *loaded) documented(files []File) (site.Project, error) {
	c := l.project.Config
	dir := repositoryFolder(l.dir)
	p := site.Project{
		Service: c.Service, File: path.Join(dir, c.File()), Dir: dir, Events: l.project.Events,
		Formats: c.Validation != schema.SpecValidation, Go: map[string]site.GoFile{},
		Owner: c.About.Owner, Description: c.About.Description,
	}
	if at := c.About.SourceURL; at != nil {
		var err error
		if p.Source, err = sourceLinks(at.Text); err != nil {
			return p, fmt.Errorf("%s: source_url: %w", at.Pos, err)
		}
	}
	for _, f := range files {
		event := l.emitted[f.Path].Event
		if event == "" {
			continue
		}
		names, err := goNames(f.Content, event)
		if err != nil {
			return p, fmt.Errorf("read %s: %w", f.Path, err)
		}
		p.Go[event] = site.GoFile{Path: path.Join(dir, f.Path), Names: names}
	}
	return p, nil
}

// repositoryFolder returns the path from the root of the git repository to a folder,
// with forward slashes. Without a repository it is the folder as it was given, or "" if
// that is not below the current one.
func repositoryFolder(dir string) string {
	given := ""
	if filepath.IsLocal(dir) {
		given = filepath.ToSlash(filepath.Clean(dir))
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return given
	}
	for root := abs; ; root = filepath.Dir(root) {
		if _, err := os.Lstat(filepath.Join(root, ".git")); err == nil {
			within, err := filepath.Rel(root, abs)
			if err != nil {
				return given
			}
			return filepath.ToSlash(within)
		}
		if root == filepath.Dir(root) {
			return given
		}
	}
}

// sourceLinks returns the function for addresses of files; nil without a template.
func sourceLinks(template string) (func(path string, line int) string, error) {
	if template == "" {
		return nil, nil
	}
	parsed, err := url.Parse(strings.NewReplacer("{path}", "path", "{line}", "1").Replace(template))
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" || parsed.User != nil || !strings.Contains(template, "{path}") {
		return nil, errors.New("the source URL needs the form https://host/…/{path}#L{line}, without a user, such as https://github.com/x/y/blob/main/{path}#L{line}")
	}
	before, query, asked := strings.Cut(template, "?")
	return func(name string, line int) string {
		parts := strings.Split(name, "/")
		for i, part := range parts {
			parts[i] = url.PathEscape(part)
		}
		escaped, number := strings.Join(parts, "/"), strconv.Itoa(max(line, 1))
		address := strings.NewReplacer("{path}", escaped, "{line}", number).Replace(before)
		if asked {
			// Here these characters separate parameters, or mean a space.
			escaped = strings.NewReplacer("&", "%26", "+", "%2B", "=", "%3D").Replace(escaped)
			address += "?" + strings.NewReplacer("{path}", escaped, "{line}", number).Replace(query)
		}
		return address
	}, nil
}

// ofNewVersion are the findings about what is always different in a new version, or
// has its own place in the catalogue.
var ofNewVersion = []string{"event-type-changed", "event-version-changed", "topic-changed", "service-renamed", "schema-uri-changed", "go-name-changed"}

// versionChanges compares versions of events. It has each event, and whether readers of
// its project have validation: spec.
type versionChanges map[*schema.Event]bool

// between returns what changed from one version of an event to another, by the rules of
// Check. A change that is found in both directions is there twice.
func (spec versionChanges) between(old, now *schema.Event) []Finding {
	changes := contract.Compare(now, contract.Before{Schema: old.Schema, Event: old})
	changes = slices.DeleteFunc(changes, func(f Finding) bool { return slices.Contains(ofNewVersion, f.ID) })
	var found []Finding
	policy := compat.Policy(now.Compat.Policy)
	for _, reads := range []struct {
		level  compat.Level
		reader *schema.Event
	}{{compat.Backward, now}, {compat.Forward, old}} {
		found = append(found, compat.Check(now.Schema, []*schema.Schema{old.Schema}, reads.level, policy.For(spec[reads.reader]))...)
	}
	compat.Sort(found)
	return append(changes, found...)
}
