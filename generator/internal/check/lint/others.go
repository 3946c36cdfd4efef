package lint

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// others adds findings of the loader and the generator: a warning has the level that the
// config gives its rule, and belongs to the schema that it is about.
func (l *linter) others(found []finding.Finding) {
	var positions map[string][]keywordAt
	for _, f := range found {
		id := schema.Name{Text: f.ID}
		if _, settable := lookup(id); !settable || f.Severity != finding.Warning {
			l.findings = append(l.findings, located{Finding: f})
			continue
		}
		if l.off(f.ID) {
			continue
		}
		f.Severity = l.level(f.ID, f.Severity)
		if positions == nil {
			positions = l.keywords()
		}
		s, outside := l.project.About(f)
		if !outside {
			s = owner(positions[f.Pos.File], f.Pos)
		}
		if s != nil && !f.HasPointer {
			f.Pointer, f.HasPointer = s.Pointer, true
		}
		l.findings = append(l.findings, located{Finding: f, schema: s})
	}
}

// keywordAt is the place of a keyword, of a whole schema, or of its name.
type keywordAt struct {
	pos    finding.Pos
	schema *schema.Schema
}

// keywords lists the places of all keywords of the listed files, sorted, by file. The
// name of a property belongs to the schema of the property, as its keywords do.
func (l *linter) keywords() map[string][]keywordAt {
	all := map[string][]keywordAt{}
	for _, sp := range l.spots {
		file := sp.schema.Pos.File
		all[file] = append(all[file], keywordAt{sp.schema.Pos, sp.schema})
		for _, pos := range sp.schema.At {
			all[file] = append(all[file], keywordAt{pos, sp.schema})
		}
		for _, named := range [][]schema.Property{sp.schema.Properties, sp.schema.PatternProperties, sp.schema.DependentSchemas, sp.schema.Defs} {
			for _, p := range named {
				if p.Schema != nil {
					all[file] = append(all[file], keywordAt{p.Pos, p.Schema})
				}
			}
		}
	}
	for _, list := range all {
		slices.SortStableFunc(list, func(a, b keywordAt) int { return a.pos.Compare(b.pos) })
	}
	return all
}

// owner returns the schema of the last keyword at or before a place; nil if there is
// none.
func owner(list []keywordAt, pos finding.Pos) *schema.Schema {
	i, exact := slices.BinarySearchFunc(list, pos, func(k keywordAt, pos finding.Pos) int { return k.pos.Compare(pos) })
	if exact {
		for i+1 < len(list) && list[i+1].pos == pos {
			i++ // the innermost schema that begins there
		}
		return list[i].schema
	}
	if i == 0 {
		return nil
	}
	return list[i-1].schema
}
