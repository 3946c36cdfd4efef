package normal

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// ObjectForm is what applies to objects.
type ObjectForm struct {
	// Members has every property that a schema describes by name, in the order of the
	// schemas, followed by those that are only required.
	Members []Member
	// Patterns describe properties by their names.
	Patterns []MemberPattern
	// Rest is what applies to the properties that nothing describes; nil: anything.
	Rest *Node
	// RestSchemas is Rest as written; several if several schemas have it.
	RestSchemas []*schema.Schema
	// Closed means that there are no such properties.
	Closed bool

	MinProperties, MaxProperties *Limit
}

// Member is a member of objects.
type Member struct {
	Name      string
	Pos       finding.Pos
	Node      *Node            // what all schemas say about it
	Schemas   []*schema.Schema // as written; several if several describe it
	Of        *schema.Schema   // the first schema that describes it
	Required  bool
	Described bool // by a property or a pattern
	Never     bool // no value is valid
}

// MemberPattern describes the members whose names match a pattern.
type MemberPattern struct {
	Pattern Pattern
	Pos     finding.Pos
	Node    *Node
	Schemas []*schema.Schema // as written; several if several have it
	Of      *schema.Schema
	Never   bool // no property may have such a name
}

// Member returns the member of a name, nil if no schema mentions it.
func (o *ObjectForm) Member(name string) *Member {
	for i := range o.Members {
		if o.Members[i].Name == name {
			return &o.Members[i]
		}
	}
	return nil
}

// Forbids reports whether no object has a member.
func (o *ObjectForm) Forbids(name string) bool {
	if m := o.Member(name); m != nil {
		return m.Never
	}
	return o.Closed && len(o.Patterns) == 0
}

// scope is a schema that describes properties, and what it says about all others. For
// unevaluatedProperties the others are those that no schema below it describes.
type scope struct {
	graph     *Graph
	of        *schema.Schema
	describes []*schema.Schema
	rest      *schema.Schema
}

// scopes returns the scopes of a form: each atom, and again each whose
// unevaluatedProperties does not depend on the value.
func (f *Form) scopes() []scope {
	var all []scope
	for _, a := range f.Atoms {
		all = append(all, scope{graph: f.Node.graph, of: a, describes: []*schema.Schema{a}, rest: a.AdditionalProperties})
		if a.UnevaluatedProperties != nil && !f.dynamicProperties(a) {
			all = append(all, scope{graph: f.Node.graph, of: a, describes: f.Node.belowOf(a), rest: a.UnevaluatedProperties})
		}
	}
	return all
}

// belowOf returns s and every schema that applies with it.
func (n *Node) belowOf(s *schema.Schema) []*schema.Schema {
	var all []*schema.Schema
	n.below(s, map[*schema.Schema]bool{}, &all)
	return all
}

// dynamicProperties reports whether the properties that the schemas below a evaluate
// depend on the value.
func (f *Form) dynamicProperties(a *schema.Schema) bool {
	return slices.ContainsFunc(f.Node.belowOf(a), func(s *schema.Schema) bool {
		return f.Node.conditional(s)
	})
}

// conditional reports whether a schema has parts that apply only to some values.
func (n *Node) conditional(s *schema.Schema) bool {
	if s.If != nil || len(s.DependentSchemas) > 0 {
		return true
	}
	for _, keyword := range unionKeywords {
		u := union{s, keyword}
		if len(u.branches()) == 0 {
			continue
		}
		if c, ok := n.settled(u); !ok || c.branch == nil || c.loose {
			return true
		}
	}
	return false
}

// describe returns what a scope says about a property: the schemas of its properties
// and patterns, or what it says about all others.
func (s scope) describe(name string) (schemas []*schema.Schema, described bool) {
	unsure := false
	for _, d := range s.describes {
		for _, of := range s.graph.properties(d, name) {
			schemas, described = append(schemas, of), true
		}
		for _, p := range d.PatternProperties {
			switch pattern := s.graph.Pattern(p.Name); {
			case !pattern.Known():
				unsure = true
			case pattern.Match(name):
				schemas, described = append(schemas, p.Schema), true
			}
		}
		if d != s.of && (d.AdditionalProperties != nil || d.UnevaluatedProperties != nil) {
			described = true // which evaluates every remaining property
		}
	}
	if s.of.AdditionalProperties != nil && s.rest != s.of.AdditionalProperties {
		described = true
	}
	if !described && !unsure && s.rest != nil {
		schemas = append(schemas, s.rest)
	}
	return schemas, described
}

// fewProperties is how many properties are searched without an index.
const fewProperties = 8

// properties returns the schemas of a property.
func (g *Graph) properties(s *schema.Schema, name string) []*schema.Schema {
	if len(s.Properties) > fewProperties {
		index := g.byName[s]
		if index == nil {
			index = map[string][]*schema.Schema{}
			for _, p := range s.Properties {
				index[p.Name] = append(index[p.Name], p.Schema)
			}
			g.byName[s] = index
		}
		return index[name]
	}
	var all []*schema.Schema
	for _, p := range s.Properties {
		if p.Name == name {
			all = append(all, p.Schema)
		}
	}
	return all
}

// describe returns what several scopes say of a member.
func describe(scopes []scope, name string) (schemas []*schema.Schema, described bool) {
	for _, s := range scopes {
		more, by := s.describe(name)
		for _, one := range more {
			if !slices.Contains(schemas, one) {
				schemas = append(schemas, one)
			}
		}
		described = described || by && len(more) > 0
	}
	return schemas, described
}

// objectForm works out what holds for objects.
func (n *Node) objectForm(f *Form) *ObjectForm {
	o := &ObjectForm{}
	scopes := f.scopes()
	required := map[string]finding.Pos{}
	for _, a := range f.Atoms {
		o.MinProperties = tighter(o.MinProperties, a.MinProperties, a, true)
		o.MaxProperties = tighter(o.MaxProperties, a.MaxProperties, a, false)
		for _, r := range a.Required {
			if _, ok := required[r.Text]; !ok {
				required[r.Text] = r.Pos
			}
		}
	}
	seen := map[string]bool{}
	add := func(name string, pos finding.Pos, of *schema.Schema) {
		if seen[name] {
			return
		}
		seen[name] = true
		m := Member{Name: name, Pos: pos, Of: of}
		_, m.Required = required[name]
		m.Schemas, m.Described = describe(scopes, name)
		m.Node = n.graph.Node(m.Schemas...)
		m.Never = impossible(m.Node, maxDepth-1)
		o.Members = append(o.Members, m)
	}
	for _, a := range f.Atoms {
		for _, p := range a.Properties {
			add(p.Name, p.Pos, a)
		}
	}
	for _, a := range f.Atoms {
		for _, r := range a.Required {
			add(r.Text, r.Pos, a)
		}
	}
	n.others(f, o, scopes)
	return o
}

// others computes what applies to the properties that no schema names.
func (n *Node) others(f *Form, o *ObjectForm, scopes []scope) {
	for _, a := range f.Atoms {
		for _, p := range a.PatternProperties {
			i := slices.IndexFunc(o.Patterns, func(other MemberPattern) bool { return other.Pattern.Text == p.Name })
			if i < 0 {
				o.Patterns = append(o.Patterns, MemberPattern{Pattern: n.graph.Pattern(p.Name), Pos: p.Pos, Of: a})
				i = len(o.Patterns) - 1
			}
			if one := &o.Patterns[i]; !slices.Contains(one.Schemas, p.Schema) {
				one.Schemas = append(one.Schemas, p.Schema)
				one.Node = n.graph.Node(one.Schemas...)
				one.Never = impossible(one.Node, maxDepth-1)
			}
		}
	}
	var rest []*schema.Schema
	for _, s := range scopes {
		if s.rest == nil || s.unsure() || s.coversAll() {
			continue
		}
		if !slices.Contains(rest, s.rest) {
			rest = append(rest, s.rest)
		}
	}
	if len(rest) == 0 {
		return
	}
	o.Rest, o.RestSchemas = n.graph.Node(rest...), rest
	o.Closed = impossible(o.Rest, maxDepth-1)
	if n.graph.anything(rest[0]) && len(rest) == 1 {
		o.Rest, o.RestSchemas = nil, nil
	}
}

// unsure reports whether Go cannot match a pattern of a scope, so that the remaining
// properties are unknown.
func (s scope) unsure() bool {
	return slices.ContainsFunc(s.describes, func(d *schema.Schema) bool {
		return slices.ContainsFunc(d.PatternProperties, func(p schema.Property) bool { return !s.graph.Pattern(p.Name).Known() })
	})
}

// coversAll reports whether a schema of a scope describes all properties, so that none
// is left for unevaluatedProperties.
func (s scope) coversAll() bool {
	return slices.ContainsFunc(s.describes, func(d *schema.Schema) bool {
		return d.AdditionalProperties != nil && d.AdditionalProperties != s.rest ||
			d != s.of && d.UnevaluatedProperties != nil
	})
}
