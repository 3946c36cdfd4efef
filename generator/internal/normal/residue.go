package normal

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Residue is the part of one schema that a form does not express: the keywords that a
// validator still has to check.
type Residue struct {
	Of *schema.Schema
	// Whole means that every keyword has to be checked. Then only Without is set: the
	// keywords that are left out.
	Whole   bool
	Without []string
	// Keywords are the keywords of Of to check.
	Keywords []string
	// Members are the properties of Of to check.
	Members []string
	// Describes is set if unevaluatedProperties or unevaluatedItems is among the
	// Keywords: then what Of evaluates has to be known. DescribesMembers is the same
	// for additionalProperties.
	Describes, DescribesMembers bool
}

func (r *Residue) add(keyword string, present bool) {
	if present {
		r.Keywords = append(r.Keywords, keyword)
	}
}

// Residues returns what a validator still has to check for a value with this form. The
// residues of a union are at its branches, except those that cannot be assigned to one
// branch.
func (f *Form) Residues() []Residue {
	n := f.Node
	if f.Kinds&^Null == None {
		return nil
	}
	if f.Kinds|Null == All && f.Union == nil && !f.Listed {
		return n.Whole()
	}
	var all []Residue
	for _, a := range f.Atoms {
		r := Residue{Of: a}
		if f.Union != nil {
			f.together(&r)
		} else {
			f.residue(&r)
		}
		if r.Whole || len(r.Keywords)+len(r.Members) > 0 {
			all = append(all, r)
		}
	}
	return all
}

// Whole returns n as residues that leave nothing out: one for each of its parts. A part
// whose branch was chosen together with others is split into its schemas.
func (n *Node) Whole() []Residue {
	var all []Residue
	seen := map[*schema.Schema]bool{}
	for _, part := range n.parts {
		n.wholly(part, seen, &all)
	}
	return all
}

func (n *Node) wholly(s *schema.Schema, seen map[*schema.Schema]bool, all *[]Residue) {
	if s == nil || seen[s] || annotates(s) || n.void(s) {
		return
	}
	seen[s] = true
	without := n.without(s)
	*all = append(*all, Residue{Of: s, Whole: true, Without: without})
	if without == nil {
		return
	}
	if s.Ref != nil {
		n.wholly(s.Ref.Target, seen, all)
	}
	for _, part := range s.AllOf {
		n.wholly(part, seen, all)
	}
	for _, keyword := range unionKeywords {
		if c, ok := n.settled(union{s, keyword}); ok {
			n.wholly(c.branch, seen, all)
		}
	}
}

// without returns what a residue of all of s leaves out if a branch below s was chosen
// together with others: what refers to other schemas of n, and what depends on the
// other branches, which is checked for all branches together. Otherwise it returns nil.
func (n *Node) without(s *schema.Schema) []string {
	if !n.loose(s) {
		return nil
	}
	keywords := []string{"$ref", "allOf", "unevaluatedProperties", "unevaluatedItems"}
	for _, keyword := range unionKeywords {
		if c, ok := n.settled(union{s, keyword}); ok && c.branch != nil {
			keywords = append(keywords, keyword)
		}
	}
	return keywords
}

// void reports whether a part of n is only an anyOf that every value satisfies.
func (n *Node) void(part *schema.Schema) bool {
	c, settled := n.settled(union{part, "anyOf"})
	return settled && c.branch == nil && !c.rule && part.Ref == nil && !part.SaysMore("anyOf")
}

// together computes what applies to all branches of a union together: what none of the
// matching ones evaluates.
func (f *Form) together(r *Residue) {
	a := r.Of
	below := f.Node.belowOf(a)
	if !slices.Contains(below, f.Union.Of) || f.Union.Keyword == "type" {
		return
	}
	members := a.UnevaluatedProperties != nil && !isTrue(a.UnevaluatedProperties)
	items := a.UnevaluatedItems != nil && !isTrue(a.UnevaluatedItems)
	if r.Describes = members || items; !r.Describes {
		return
	}
	r.add("additionalProperties", a.AdditionalProperties != nil)
	r.add("dependentSchemas", len(a.DependentSchemas) > 0)
	r.add("contains", a.Contains != nil)
	r.add("if", a.If != nil)
	r.add("anyOf", len(a.AnyOf) > 0)
	r.add("oneOf", len(a.OneOf) > 0)
	r.add("unevaluatedProperties", members)
	r.add("unevaluatedItems", items)
}

func (f *Form) residue(r *Residue) {
	a, n := r.Of, f.Node
	if f.Listed && (f.Kinds&(Object|Array) != None || slices.ContainsFunc(f.Values, beyondBounds)) {
		rest := a.SaysMore("type", "enum", "const")
		if r.Whole = rest; rest {
			r.Without = n.without(a)
			return
		}
	}
	object, array := f.Kinds.Has(Object) && !f.Listed, f.Kinds.Has(Array) && !f.Listed
	loose := n.loose(a)
	rest := object && !loose && a.UnevaluatedProperties != nil && !isTrue(a.UnevaluatedProperties) && (f.dynamicProperties(a) || f.patternsBeside(n.belowOf(a)))
	items := array && !loose && a.UnevaluatedItems != nil && !isTrue(a.UnevaluatedItems) && f.dynamicItems(a)
	r.Describes = rest || items
	if object {
		narrower := a.AdditionalProperties != nil && !isTrue(a.AdditionalProperties) && (f.patternsBeside([]*schema.Schema{a}) || f.neverByRest(a))
		r.DescribesMembers = narrower && !r.Describes
		r.add("additionalProperties", narrower || rest && a.AdditionalProperties != nil)
		r.Members = f.neverMembers(a)
		r.add("patternProperties", f.forbidsPattern(a))
		r.add("required", slices.ContainsFunc(a.Required, func(name schema.Name) bool { return f.Object().Member(name.Text).Never }))
		r.add("dependentRequired", len(a.DependentRequired) > 0)
		r.add("dependentSchemas", len(a.DependentSchemas) > 0)
		r.add("propertyNames", a.PropertyNames != nil && !anyText(a.PropertyNames))
	}
	if array {
		r.add("contains", a.Contains != nil)
	}
	r.add("format", f.Listed && f.Kinds.Has(String) && (a.Format != "" || a.ContentEncoding != ""))
	r.add("not", a.Not != nil && !f.told(a.Not))
	r.add("if", a.If != nil && (a.Then != nil || a.Else != nil || r.Describes))
	for _, keyword := range unionKeywords {
		u := union{a, keyword}
		if len(u.branches()) == 0 {
			continue
		}
		c, settled := n.settled(u)
		r.add(keyword, (!settled || c.rule || r.Describes) && !(typesOnly(u.branches()) && (keyword == "anyOf" || differ(u.branches()))))
	}
	r.add("unevaluatedProperties", rest)
	r.add("unevaluatedItems", items)
}

// differ reports whether no two branches, each with one type, allow the same value.
func differ(branches []*schema.Schema) bool {
	var seen Kinds
	for _, b := range branches {
		k := kindsOfTypes(b.Types)
		if seen&k != None {
			return false
		}
		seen |= k
	}
	return true
}

// loose reports whether what the schemas below a evaluate depends on branches other
// than the chosen ones.
func (n *Node) loose(a *schema.Schema) bool {
	if !slices.ContainsFunc(n.choices, func(c choice) bool { return c.loose }) {
		return false
	}
	below := n.belowOf(a)
	return slices.ContainsFunc(n.choices, func(c choice) bool { return c.loose && slices.Contains(below, c.schema) })
}

// told reports whether the kinds of a form express everything in not.
func (f *Form) told(not *schema.Schema) bool {
	if isFalse(not) {
		return true
	}
	refused := f.Node.graph.refuses(not)
	return refused != None && (refused&Number == None || refused&Number == Number)
}

// patternsBeside reports whether schemas other than some describe properties by
// patterns.
func (f *Form) patternsBeside(some []*schema.Schema) bool {
	return slices.ContainsFunc(f.Atoms, func(o *schema.Schema) bool {
		return !slices.Contains(some, o) && len(o.PatternProperties) > 0
	})
}

// neverMembers returns the properties of a for which no value is valid, in objects that
// may have other properties.
func (f *Form) neverMembers(a *schema.Schema) []string {
	var names []string
	o := f.Object()
	for _, m := range o.Members {
		if !m.Never || o.Closed && len(o.Patterns) == 0 {
			continue
		}
		if slices.ContainsFunc(a.Properties, func(p schema.Property) bool { return p.Name == m.Name }) {
			names = append(names, m.Name)
		}
	}
	return names
}

// neverByRest reports whether a forbids members that another schema describes,
// in objects that may have other members.
func (f *Form) neverByRest(a *schema.Schema) bool {
	o := f.Object()
	if o.Closed && len(o.Patterns) == 0 {
		return false
	}
	return slices.ContainsFunc(o.Members, func(m Member) bool {
		return m.Never && slices.Contains(m.Schemas, a.AdditionalProperties)
	})
}

// forbidsPattern reports whether a has patterns that a validator has to check: one that
// allows no property where another may match the same name, or one that makes a
// property impossible.
func (f *Form) forbidsPattern(a *schema.Schema) bool {
	o := f.Object()
	return slices.ContainsFunc(a.PatternProperties, func(p schema.Property) bool {
		pattern := f.Node.graph.Pattern(p.Name)
		if !pattern.Known() {
			return false
		}
		if impossible(f.Node.graph.Node(p.Schema), maxDepth-1) && len(o.Patterns) > 1 {
			return true
		}
		return slices.ContainsFunc(o.Members, func(m Member) bool { return m.Never && pattern.Match(m.Name) })
	})
}

func isTrue(s *schema.Schema) bool { return s != nil && s.Bool != nil && *s.Bool }

// anyText reports whether a schema allows every string, and so every property name.
func anyText(s *schema.Schema) bool {
	if s.Bool != nil {
		return *s.Bool
	}
	return len(s.Types) == 1 && s.Types[0] == "string" && s.Ref == nil && !s.SaysMore("type")
}
