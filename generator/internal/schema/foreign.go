package schema

import (
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// described returns the files that entries of events: name. Users cannot edit them.
func (c *Config) described() map[string]bool {
	files := map[string]bool{}
	for _, e := range c.Events {
		if file := e.file(); file != "" && !e.Left {
			files[file] = true
		}
	}
	return files
}

// foreignFindings adds the findings in files that users cannot edit: as warnings,
// without advice on what to write.
func (l *loader) foreignFindings() {
	for _, u := range l.sortedUnits() {
		if !u.foreign {
			continue
		}
		for _, f := range u.found.Sorted() {
			if f.Severity == finding.Error && u.value != nil && !hard(f.ID) && (!l.alone || u.annotates(f)) {
				f.Severity = finding.Warning
				f.Hint = ""
				if consequence := consequences[f.ID]; consequence != "" {
					f.Message += consequence
				}
			}
			l.list.Add(f)
		}
	}
}

// annotates reports whether a finding cannot affect validation: it is about an
// annotation, or about how the file is written. A comparison of two schemas uses the
// others.
func (u *unit) annotates(f finding.Finding) bool {
	return u.annotations[f.Pos] || f.ID == "duplicate-member" || f.ID == "json-syntax"
}

// hard reports whether a finding stays an error in a file that users cannot edit,
// because the file cannot be read with it.
func hard(id string) bool {
	return strings.HasPrefix(id, "too-") || id == "yaml-tag" || id == "yaml-number"
}

// consequences says how the loader treats each problem.
var consequences = map[string]string{
	"wrong-type":       "; it is ignored",
	"unknown-type":     "; type is ignored",
	"empty-list":       "; it is ignored",
	"json-syntax":      "; it is skipped",
	"duplicate-member": "; the last one wins",
	"duplicate-anchor": "; the first one wins",
	"duplicate-id":     "; the first one wins",
	"bad-id":           "; it is ignored",
}
