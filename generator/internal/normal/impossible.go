package normal

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// maxDepth is how deep impossible looks into required members and items. A
// contradiction that lies deeper is found where it stands, and by Validate.
const maxDepth = 4

// question is one that impossible answers.
type question struct {
	node  *Node
	depth int
}

// impossible reports whether no value is valid for n, null included, as far as
// it looks: into what is required, and what that requires, to a depth. The forms
// of a depth decide on those of the depths below it, so the answer is the same in
// whatever order the schemas of a cycle are met.
func impossible(n *Node, depth int) bool {
	if slices.ContainsFunc(n.parts, isFalse) {
		return true
	}
	q := question{n, depth}
	if answer, known := n.graph.answers[q]; known {
		return answer
	}
	n.graph.answers[q] = n.impossible(depth)
	return n.graph.answers[q]
}

func (n *Node) impossible(depth int) bool {
	f, nullable := n.settledAt(depth)
	switch {
	case nullable:
		return false
	case f.Kinds&^Null == None:
		return true
	case depth == 0 || f.Listed:
		return false
	case f.Kinds&^Null == Object:
		return f.noObject(depth)
	case f.Kinds&^Null == Array:
		return f.noArray(depth)
	}
	return false // its union has branches that are possible
}

// noObject reports whether no object is valid for a form.
func (f *Form) noObject(depth int) bool {
	var least, most *Limit
	for _, a := range f.Atoms {
		least, most = tighter(least, a.MinProperties, a, true), tighter(most, a.MaxProperties, a, false)
	}
	if crossed(least, most) {
		return true
	}
	var scopes []scope
	for _, a := range f.Atoms {
		for _, r := range a.Required {
			if scopes == nil {
				scopes = f.scopes()
			}
			if schemas, _ := describe(scopes, r.Text); impossible(f.Node.graph.Node(schemas...), depth-1) {
				return true
			}
		}
	}
	return false
}

// noArray reports whether no array is valid for a form.
func (f *Form) noArray(depth int) bool {
	var least, most *Limit
	for _, a := range f.Atoms {
		least, most = tighter(least, a.MinItems, a, true), tighter(most, a.MaxItems, a, false)
	}
	if least == nil {
		return false
	}
	if crossed(least, most) {
		return true
	}
	count := least.Number.Count()
	if count == nil {
		return false
	}
	positions := 0
	for _, a := range f.Atoms {
		positions = max(positions, len(a.PrefixItems))
	}
	for i := range min(*count, positions+1) {
		if impossible(f.Node.graph.Node(f.itemSchemas(i)...), depth-1) {
			return true
		}
	}
	return false
}

func isFalse(s *schema.Schema) bool { return s != nil && s.Bool != nil && !*s.Bool }
