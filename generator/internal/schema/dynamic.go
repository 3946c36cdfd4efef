package schema

import (
	"fmt"
	"net/url"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
)

// dynamicRef is a $dynamicRef or a $recursiveRef. It is resolved like a $ref at
// first; rebind then looks where validation would take it.
type dynamicRef struct {
	ref     *Ref
	keyword string
}

// rebind gives dynamic references the target that validation would find, where
// there is one for every way that leads to them: that of the only file that
// refers to theirs and has the same dynamic anchor. Where the way decides, the
// reference stays what a $ref would be, and a warning says so: a Go type cannot
// depend on who uses it.
func (l *loader) rebind() {
	for _, d := range l.dynamic {
		target := d.ref.Target
		if target == nil {
			continue
		}
		home, anchor := l.dynamicAnchor(target, d)
		if home == nil {
			continue // an ordinary anchor: as good as $ref
		}
		var others []*Schema
		for _, u := range l.sortedUnits() {
			for _, r := range u.resources {
				if s := r.dynamicAnchor(anchor); s != nil && r != home && (u == home.unit || u.doc.reaches(map[string]bool{home.unit.doc.Path: true}, map[*Document]bool{})) {
					others = append(others, s)
				}
			}
		}
		switch {
		case len(others) == 0:
		case len(others) == 1 && l.onlyWay(others[0].Doc, home.unit.doc):
			d.ref.Target = others[0]
		default:
			l.list.Add(diag.Finding{
				Pos: d.ref.Pos, Severity: diag.Warning, ID: "dynamic-reference",
				Message: fmt.Sprintf("%s %s is taken as a reference to the schema at %s; validation that comes from %s would go there",
					d.keyword, diag.Quote(d.ref.Text), target.Pos, others[0].Pos),
				Hint: "write $ref to the one that is meant",
			})
		}
	}
}

// dynamicAnchor is the resource and the name of the dynamic anchor that target
// is for d, nil where it is none. The root of a resource with $recursiveAnchor
// has the name "".
func (l *loader) dynamicAnchor(target *Schema, d dynamicRef) (*resource, string) {
	name := ""
	if u, err := url.Parse(d.ref.Text); err == nil && d.keyword == "$dynamicRef" {
		if name = u.Fragment; name == "" || name != target.DynamicAnchor {
			return nil, ""
		}
	}
	for _, r := range l.units[target.Doc.Path].resources {
		if r.dynamicAnchor(name) == target {
			return r, name
		}
	}
	return nil, ""
}

func (r *resource) dynamicAnchor(name string) *Schema {
	if name == "" {
		if r.recursive {
			return r.root
		}
		return nil
	}
	if s := r.anchors[name]; s != nil && s.DynamicAnchor == name {
		return s
	}
	return nil
}

// onlyWay reports whether every use of the schemas in to comes from the file
// from, whose root is where it begins.
func (l *loader) onlyWay(from, to *Document) bool {
	if from == to || l.entered(to) {
		return false
	}
	for _, u := range l.units {
		for _, doc := range u.doc.refers {
			if doc == to && u.doc != to && u.doc != from {
				return false
			}
		}
	}
	return true
}

// entered reports whether a file is used on its own account, not only through
// the references of others.
func (l *loader) entered(d *Document) bool {
	if l.entry == d {
		return true
	}
	for _, u := range l.matched {
		if u.doc == d && u.owned {
			return true
		}
	}
	for _, ref := range l.eventRefs {
		if ref != nil && ref.Target != nil && ref.Target.Doc == d {
			return true
		}
	}
	return false
}
