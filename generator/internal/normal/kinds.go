package normal

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Kinds is a set of JSON types. A number is an Integer or a Fraction, so the type
// number is both.
type Kinds uint8

// The JSON types.
const (
	Null Kinds = 1 << iota
	Boolean
	Integer
	Fraction
	String
	Array
	Object

	None   Kinds = 0
	Number       = Integer | Fraction
	All          = Null | Boolean | Number | String | Array | Object
)

// Types returns the type keywords of k, without null: number for both of its kinds.
func (k Kinds) Types() []string {
	var names []string
	for _, t := range []struct {
		kinds Kinds
		name  string
	}{{Boolean, "boolean"}, {Number, "number"}, {String, "string"}, {Array, "array"}, {Object, "object"}} {
		switch {
		case k&t.kinds == Integer:
			names = append(names, "integer")
		case k&t.kinds != 0:
			names = append(names, t.name)
		}
	}
	return names
}

// One returns the single type of k, null left out; "" if there are several or none.
func (k Kinds) One() string {
	if names := k.Types(); len(names) == 1 {
		return names[0]
	}
	return ""
}

// Has reports whether every kind of other is in k.
func (k Kinds) Has(other Kinds) bool { return k&other == other }

// kindsOfTypes returns the kinds of a type keyword; without one, all kinds.
func kindsOfTypes(types []string) Kinds {
	if len(types) == 0 {
		return All
	}
	var k Kinds
	for _, t := range types {
		k |= KindsOfType(t)
	}
	return k
}

var kindsOfType = map[string]Kinds{
	"null": Null, "boolean": Boolean, "integer": Integer, "number": Number, "string": String, "array": Array, "object": Object,
}

// KindsOfType returns the kinds of one type of JSON Schema.
func KindsOfType(name string) Kinds { return kindsOfType[name] }

// KindOf returns the kind of a value.
func KindOf(v *schema.Value) Kinds {
	switch {
	case v.Kind != schema.NumberKind:
		return KindsOfType(v.Kind.String())
	case jsonvalue.IsWhole(v.Text):
		return Integer
	}
	return Fraction
}

// kindsOfValues returns the kinds of a schema's listed values; without a list, all
// kinds.
func kindsOfValues(s *schema.Schema) Kinds {
	k := All
	if s.Const != nil {
		k &= KindOf(s.Const)
	}
	if s.Enum != nil {
		var listed Kinds
		for _, v := range s.Enum {
			listed |= KindOf(v)
		}
		k &= listed
	}
	return k
}

// kindsOf returns the kinds within that values of s may have. It is an upper bound:
// other keywords may exclude more.
func (g *Graph) kindsOf(s *schema.Schema, within Kinds) Kinds {
	key := kindsKey{s, within}
	if k, known := g.kinds[key]; known {
		return k
	}
	n := *g.Node(s)
	n.within = within
	k := g.context(&n).kinds
	g.kinds[key] = k
	return k
}

type kindsKey struct {
	schema *schema.Schema
	within Kinds
}

// context is what the schemas of a node say about types, before a branch of their
// unions is chosen.
type context struct {
	kinds Kinds
	// implied is the keyword that implies the kinds; "" if the schemas name types, or
	// if there is nothing that implies any.
	implied string
	// each says that each branch of the only union implies a type of its own, because
	// nothing else says anything about types. Several unions imply only a type that
	// all of their branches imply, so that their order does not matter.
	each bool
}

// context returns the context of a node of which no branch is chosen.
func (g *Graph) context(n *Node) context {
	atoms, unions := n.atoms(), n.open()
	k := g.stated(atoms, unions, n.within)
	if k != All {
		return context{kinds: k}
	}
	unions = slices.DeleteFunc(unions, func(u union) bool { return u.keyword == "anyOf" && slices.ContainsFunc(u.branches(), g.anything) })
	if len(unions) == 1 {
		if k = g.commonTo(unions); k != All {
			return context{kinds: k, each: true}
		}
	} else {
		if k = g.agreed(unions); k.One() != "" {
			return context{kinds: k, implied: unions[0].keyword}
		}
		unions = nil
	}
	if kind, keyword := g.implied(atoms, unions); kind != "" {
		return context{kinds: KindsOfType(kind), implied: keyword}
	}
	return context{kinds: All, each: len(unions) == 1}
}

// agreed returns the kinds that each of several unions allows, if all allow the same.
func (g *Graph) agreed(unions []union) Kinds {
	k := g.commonTo(unions)
	if slices.ContainsFunc(unions, func(u union) bool { return g.commonTo([]union{u}) != k }) {
		return All
	}
	return k
}

// commonTo returns the kinds that all unions allow, with those that branches imply.
func (g *Graph) commonTo(unions []union) Kinds {
	k := All
	for _, u := range unions {
		k &= anyOf(u, func(b *schema.Schema) Kinds { return g.kindsOf(b, All) })
	}
	return k
}

// base returns n before a branch of its unions was chosen.
func (n *Node) base() *Node {
	if !slices.ContainsFunc(n.choices, func(c choice) bool { return c.branch != nil }) {
		return n
	}
	base := *n
	base.choices = slices.DeleteFunc(slices.Clone(n.choices), func(c choice) bool { return c.branch != nil })
	return &base
}

// each reports whether each branch of a union of n implies a type of its own.
func (n *Node) each(u union) bool {
	base := n.base()
	if base == n || slices.Contains(base.unions(), u) {
		return n.graph.context(base).each
	}
	for _, c := range n.choices { // the one whose branch has the union
		if c.branch == nil || c.union == u {
			continue
		}
		if inner := n.graph.Node(c.branch); slices.Contains(inner.unions(), u) {
			return n.each(c.union) && n.graph.context(inner).each
		}
	}
	return false
}

// stated returns the kinds of within that the keywords of atoms and unions allow which
// name types or values, without types that other keywords imply.
func (g *Graph) stated(atoms []*schema.Schema, unions []union, within Kinds) Kinds {
	k := within
	for _, a := range atoms {
		k &= kindsOfTypes(a.Types) & kindsOfValues(a)
		if a.Not != nil {
			k &^= g.refuses(a.Not)
		}
	}
	for _, u := range unions {
		k &= anyOf(u, g.statedBy)
	}
	return k
}

// statedBy is stated for a schema.
func (g *Graph) statedBy(s *schema.Schema) Kinds {
	k, known := g.named[s]
	if !known {
		n := g.Node(s)
		k = g.stated(n.atoms(), n.open(), All)
		g.named[s] = k
	}
	return k
}

// anyOf returns the kinds that one of a union's branches allows.
func anyOf(u union, kinds func(branch *schema.Schema) Kinds) Kinds {
	var some Kinds
	for _, branch := range u.branches() {
		some |= kinds(branch)
	}
	return some
}

// refuses returns the kinds that not: s excludes: those that s always accepts.
func (g *Graph) refuses(s *schema.Schema) Kinds {
	target := g.resolve(s)
	switch {
	case target == nil:
		return None
	case target.Bool != nil:
		if *target.Bool {
			return All
		}
		return None
	case target.Ref != nil || target.SaysMore("type"):
		return None
	}
	return kindsOfTypes(target.Types)
}

// implied returns the type that the keywords of schemas imply if neither these nor
// unions have a type, with the keyword that implies it. In JSON Schema every other type
// would be valid, which is rarely meant; Options.Specification follows the
// specification.
func (g *Graph) implied(atoms []*schema.Schema, unions []union) (kind, keyword string) {
	if g.options.Specification || g.saysTypes(atoms, unions) {
		return "", ""
	}
	for _, of := range []struct {
		kind     string
		keywords []string
	}{
		{"object", []string{"properties", "additionalProperties", "required", "minProperties", "maxProperties", "patternProperties", "propertyNames", "unevaluatedProperties"}},
		{"array", []string{"items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains", "unevaluatedItems"}},
		{"string", []string{"minLength", "maxLength", "pattern", "format", "contentEncoding"}},
		{"number", []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}},
	} {
		for _, keyword := range of.keywords {
			if slices.ContainsFunc(atoms, func(a *schema.Schema) bool { _, ok := a.At[keyword]; return ok }) {
				return of.kind, keyword
			}
		}
	}
	return "", ""
}

// saysTypes reports whether schemas or unions have types, even if these are all types.
func (g *Graph) saysTypes(atoms []*schema.Schema, unions []union) bool {
	return slices.ContainsFunc(atoms, func(a *schema.Schema) bool { return len(a.Types) > 0 }) ||
		slices.ContainsFunc(unions, func(u union) bool {
			return !slices.ContainsFunc(u.branches(), func(b *schema.Schema) bool { return g.kindsOf(b, All) == All })
		})
}

// acceptsNull reports exactly whether null is valid for a schema and what it refers to:
// most keywords have no effect on null. It visits each schema once, because many paths
// may lead to it.
func (g *Graph) acceptsNull(s *schema.Schema) bool {
	if s == nil {
		return true
	}
	accepts, known := g.nulls[s]
	if !known {
		accepts = g.nullIsValid(s)
		g.nulls[s] = accepts
	}
	return accepts
}

func (g *Graph) nullIsValid(s *schema.Schema) bool {
	switch {
	case s.Bool != nil:
		return *s.Bool
	case !kindsOfTypes(s.Types).Has(Null), !kindsOfValues(s).Has(Null):
		return false
	case s.Ref != nil && !g.acceptsNull(s.Ref.Target), s.Not != nil && g.acceptsNull(s.Not):
		return false
	case slices.ContainsFunc(s.AllOf, func(part *schema.Schema) bool { return !g.acceptsNull(part) }):
		return false
	case len(s.AnyOf) > 0 && !slices.ContainsFunc(s.AnyOf, g.acceptsNull), len(s.OneOf) > 0 && g.countNull(s.OneOf) != 1:
		return false
	case s.If == nil:
		return true
	case g.acceptsNull(s.If):
		return g.acceptsNull(s.Then)
	default:
		return g.acceptsNull(s.Else)
	}
}

func (g *Graph) countNull(branches []*schema.Schema) int {
	n := 0
	for _, branch := range branches {
		if g.acceptsNull(branch) {
			n++
		}
	}
	return n
}
