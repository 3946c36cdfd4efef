package baseline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/check/contract"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Baseline is the earlier state of a project's events.
type Baseline struct {
	// Name is its name in reports: a commit, a folder, the address of a registry
	// without its user.
	Name string
	// Unchanged has the unchanged events of the project, found without reading their
	// earlier schemas.
	Unchanged map[*schema.Event]bool
	// Before has the other earlier events.
	Before []contract.Before
	// Reading is how the readers of the earlier project check its events; nil: unknown.
	Reading *contract.Reading
	// Registered has the registered versions of each event, the oldest first; nil if
	// the baseline is not a registry.
	Registered map[*schema.Event][]contract.Before
	// Findings are problems while reading it.
	Findings []finding.Finding

	earlier map[string][]contract.Before // by type, the oldest first; without the one in Before
}

// Earlier lists the versions of an event before the one in Before, the oldest first.
// Only the versions for transitive levels were read.
func (b *Baseline) Earlier(was *schema.Event) []contract.Before { return b.earlier[was.Type] }

// Folder reads the project in another folder. config is its project file.
func Folder(now *schema.Project, dir, config string) (*Baseline, error) {
	name := filepath.ToSlash(filepath.Clean(dir))
	if _, err := os.Stat(filepath.Join(dir, config)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the folder %s has no project file %s to compare with; name a folder with an earlier version of the project", name, config)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("compare with %s: %w", name, err)
	}
	defer root.Close() //nolint:errcheck // nothing was written
	old, list, err := schema.LoadFS(root.FS(), config)
	if err != nil {
		return nil, fmt.Errorf("compare with %s: %w", name, err)
	}
	b := &Baseline{Name: name}
	in := func(file string) string { return path.Join(name, file) }
	broken := unreadable(old, list)
	b.Findings = tell(now, broken, in)
	b.Before = sound(old, broken, in)
	b.Reading = reading(old.Config, broken, in)
	return b, nil
}

// reading returns how the readers of an earlier project check its events; nil if its
// project file has an error.
func reading(old *schema.Config, broken map[string]finding.Finding, name func(string) string) *contract.Reading {
	if _, bad := broken[old.File()]; bad {
		return nil
	}
	r := &contract.Reading{Validation: old.Validation, Pos: old.At["validation"]}
	if r.Pos != (finding.Pos{}) {
		r.Pos.File = name(r.Pos.File)
	}
	return r
}

// unreadable returns the first error in each file that is about schemas.
func unreadable(old *schema.Project, list *finding.List) map[string]finding.Finding {
	broken := map[string]finding.Finding{}
	for _, f := range list.Sorted() {
		// A file that the project file names and that does not exist was no event.
		missing := f.Pos.File == old.Config.File() && slices.Contains([]string{"bad-glob", "unknown-file", "outside-project", "empty-list"}, f.ID)
		if _, told := broken[f.Pos.File]; f.Severity == finding.Error && !told && !missing {
			broken[f.Pos.File] = f
		}
	}
	return broken
}

// sound lists the events without errors, by Go name.
func sound(old *schema.Project, broken map[string]finding.Finding, name func(string) string) []contract.Before {
	var events []contract.Before
	for _, e := range old.Events {
		if e == nil || e.Schema == nil || slices.ContainsFunc(e.Schema.Doc.Reached(), func(d *schema.Document) bool {
			_, bad := broken[d.Path]
			return bad
		}) {
			continue
		}
		events = append(events, contract.Before{Schema: e.Schema, Event: e, Name: name})
	}
	return events
}

// tell warns of events that cannot be checked, at the current files.
func tell(now *schema.Project, broken map[string]finding.Finding, name func(string) string) []finding.Finding {
	var findings []finding.Finding
	for file, f := range broken {
		pos := finding.Pos{File: now.Config.File(), Line: 1, Col: 1}
		if now.Document(file) != nil {
			pos.File = file
		}
		f.Pos.File = name(f.Pos.File)
		findings = append(findings, contract.Found("earlier-unreadable", "", pos,
			"the earlier version cannot be read, so changes against it are not checked: "+f.String()))
	}
	slices.SortFunc(findings, func(a, b finding.Finding) int { return strings.Compare(a.Message, b.Message) })
	return findings
}
