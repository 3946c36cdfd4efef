package normal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Options says how schemas are read.
type Options struct {
	// Specification takes schemas at their word: a constraint without a type
	// implies none, a format is an annotation, and numbers have any size.
	Specification bool
}

// Graph holds the nodes of a project. It is not safe for concurrent use.
type Graph struct {
	options Options
	nodes   map[string]*Node
	ids     map[*schema.Schema]int
	kinds   map[kindsKey]Kinds
	named   map[*schema.Schema]Kinds // see statedBy
	nulls   map[*schema.Schema]bool  // whether null is valid
	marks   map[string]*schema.Schema
	answers map[question]bool
	made    map[*schema.Schema]bool // by mark
	matched map[*schema.Schema]bool // without a pattern that Go cannot match

	patterns map[string]Pattern
	byName   map[*schema.Schema]map[string][]*schema.Schema // see properties
}

// New returns a graph without nodes.
func New(options Options) *Graph {
	return &Graph{
		options: options, nodes: map[string]*Node{}, ids: map[*schema.Schema]int{}, kinds: map[kindsKey]Kinds{}, named: map[*schema.Schema]Kinds{}, nulls: map[*schema.Schema]bool{},
		marks: map[string]*schema.Schema{}, answers: map[question]bool{}, made: map[*schema.Schema]bool{},
		matched: map[*schema.Schema]bool{}, patterns: map[string]Pattern{}, byName: map[*schema.Schema]map[string][]*schema.Schema{},
	}
}

// Options returns how the graph reads schemas.
func (g *Graph) Options() Options { return g.options }

// maxNodes bounds the intersections of a project. Recursive schemas that are
// intersected can have any number of them.
const maxNodes = 200_000

// Full reports whether the graph has as many nodes as it may have. What leads
// to more is better left to a validator.
func (g *Graph) Full() bool { return len(g.nodes) >= maxNodes }

// Node is what several schemas allow together, and of unions in them one branch
// each where choices says so.
type Node struct {
	graph   *Graph
	key     string
	parts   []*schema.Schema
	choices []choice
	within  Kinds // of which alone values are meant
	primary *schema.Schema
	// forms is the forms of the node by how deep they look into what is required,
	// once they are made: see impossible.
	forms [maxDepth + 1]*Form
}

// choice settles a union of a node.
type choice struct {
	union

	branch *schema.Schema // which one holds; nil: none is followed
	rule   bool           // without a branch: the union is a residue; else it says nothing
	loose  bool           // others may hold as well, so what is evaluated is not known
}

// union is a keyword of alternatives of a schema.
type union struct {
	schema  *schema.Schema
	keyword string
}

func (u union) branches() []*schema.Schema {
	if u.keyword == "anyOf" {
		return u.schema.AnyOf
	}
	return u.schema.OneOf
}

// Node returns what parts allow together. Parts that are nil say nothing.
func (g *Graph) Node(parts ...*schema.Schema) *Node {
	return g.node(parts, nil, All, nil)
}

func (g *Graph) node(parts []*schema.Schema, choices []choice, within Kinds, primary *schema.Schema) *Node {
	var resolved []*schema.Schema
	for _, part := range parts {
		if part = g.resolve(part); part != nil && !slices.Contains(resolved, part) {
			resolved = append(resolved, part)
		}
	}
	if len(resolved) > 1 {
		if said := slices.DeleteFunc(slices.Clone(resolved), annotates); len(said) > 0 {
			resolved = said
		}
		slices.SortFunc(resolved, g.order)
	}
	var key strings.Builder
	for _, part := range resolved {
		fmt.Fprintf(&key, "%d ", g.id(part))
	}
	choices = slices.Clone(choices)
	slices.SortFunc(choices, func(x, y choice) int {
		return cmp.Or(cmp.Compare(g.id(x.schema), g.id(y.schema)), cmp.Compare(x.keyword, y.keyword))
	})
	for _, c := range choices {
		fmt.Fprintf(&key, "%d%s", g.id(c.schema), c.keyword[:1])
		switch {
		case c.branch != nil:
			fmt.Fprintf(&key, "=%d ", g.id(c.branch))
		case c.rule:
			key.WriteString("- ")
		default:
			key.WriteString("0 ")
		}
		if c.loose {
			key.WriteString("~ ")
		}
	}
	if primary == nil && len(resolved) > 0 {
		primary = resolved[len(resolved)-1]
	}
	fmt.Fprintf(&key, "/%d", within)
	if primary != nil {
		fmt.Fprintf(&key, " %d", g.id(primary))
	}
	if n := g.nodes[key.String()]; n != nil {
		return n
	}
	n := &Node{graph: g, key: key.String(), parts: resolved, choices: choices, within: within, primary: primary}
	g.nodes[n.key] = n
	return n
}

func (g *Graph) id(s *schema.Schema) int {
	if id, ok := g.ids[s]; ok {
		return id
	}
	g.ids[s] = len(g.ids)
	return g.ids[s]
}

// order returns the order of the schemas of a node: that of the files and of the
// places in them.
func (g *Graph) order(x, y *schema.Schema) int {
	if g.made[x] != g.made[y] {
		if g.made[x] {
			return 1 // behind what people wrote
		}
		return -1
	}
	return cmp.Or(
		cmp.Compare(x.Doc.Path, y.Doc.Path), cmp.Compare(x.Pos.Line, y.Pos.Line), cmp.Compare(x.Pos.Col, y.Pos.Col),
		cmp.Compare(x.Pointer, y.Pointer), cmp.Compare(g.id(x), g.id(y)),
	)
}

// resolve returns the schema that s stands for: references that stand alone are
// followed, and so is an allOf of one part.
func (g *Graph) resolve(s *schema.Schema) *schema.Schema {
	for s != nil {
		switch part := Sole(s); {
		case s.OnlyRef():
			s = s.Ref.Target
		case part != nil:
			s = part
		default:
			return s
		}
	}
	return nil
}

// Sole returns the only part of an allOf that says anything of values, if nothing but
// annotations stands beside it, or nil: such a schema is that part.
func Sole(s *schema.Schema) *schema.Schema {
	if len(s.AllOf) == 0 || s.Ref != nil {
		return nil
	}
	for keyword := range s.At {
		switch keyword {
		case "allOf", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment",
			"$schema", "$id", "id", "$defs", "definitions", "x-outbox":
		default:
			return nil
		}
	}
	var only *schema.Schema
	for _, part := range s.AllOf {
		if len(s.AllOf) > 1 && annotates(part) {
			continue
		}
		if only != nil {
			return nil
		}
		only = part
	}
	if only != nil && only.Ref != nil && only.Ref.Target != nil && only.Ref.Target.BaseOf != nil {
		return nil // it extends a base type, and is none
	}
	return only
}

// annotates reports whether a schema describes values, and allows them all.
func annotates(s *schema.Schema) bool {
	if s.Bool != nil {
		return *s.Bool
	}
	return s.Ref == nil && !s.SaysMore()
}

// Parts returns the schemas of a node; references that stand alone are followed.
func (n *Node) Parts() []*schema.Schema { return n.parts }

// Primary returns the schema that a node is named after: the branch that was chosen
// last, else its last part; nil for a node without parts, which allows all.
func (n *Node) Primary() *schema.Schema { return n.primary }

// Named returns the schema that n is named after, and every schema that holds with it.
func (n *Node) Named() []*schema.Schema { return n.belowOf(n.primary) }

// Key tells the nodes of a graph apart.
func (n *Node) Key() string { return n.key }

// Single reports whether the node is one schema as it is written, without a
// choice.
func (n *Node) Single() bool { return len(n.parts) == 1 && n.whole() }

// whole reports whether n is all that its schemas allow.
func (n *Node) whole() bool { return len(n.choices) == 0 && n.within == All }

// Within is n for values of some kinds alone.
func (n *Node) Within(kinds Kinds) *Node {
	return n.graph.node(n.parts, n.choices, n.within&kinds, n.primary)
}

// choose is n with a union settled.
func (n *Node) choose(c choice) *Node {
	return n.graph.node(n.parts, append(slices.Clone(n.choices), c), n.within, n.primary)
}

// named is n, to be named after a schema.
func (n *Node) named(s *schema.Schema) *Node {
	if s = n.graph.resolve(s); s == nil {
		return n
	}
	return n.graph.node(n.parts, n.choices, n.within, s)
}

// settled returns the choice of a union, and whether there is one.
func (n *Node) settled(u union) (choice, bool) {
	for _, c := range n.choices {
		if c.union == u {
			return c, true
		}
	}
	return choice{}, false
}

// atoms returns every schema that holds for all values of n: its parts, what they
// refer to and combine, and the branches that were chosen, each once.
func (n *Node) atoms() []*schema.Schema {
	var all []*schema.Schema
	seen := map[*schema.Schema]bool{}
	for _, part := range n.parts {
		n.below(part, seen, &all)
	}
	return all
}

// below adds s and what holds with it to all.
func (n *Node) below(s *schema.Schema, seen map[*schema.Schema]bool, all *[]*schema.Schema) {
	if s == nil || seen[s] {
		return
	}
	seen[s] = true
	*all = append(*all, s)
	if s.Ref != nil {
		n.below(s.Ref.Target, seen, all)
	}
	for _, part := range s.AllOf {
		n.below(part, seen, all)
	}
	for _, keyword := range unionKeywords {
		if c, ok := n.settled(union{s, keyword}); ok {
			n.below(c.branch, seen, all)
		}
	}
}

var unionKeywords = []string{"anyOf", "oneOf"}

// unions returns the unions of the atoms of n, settled or not.
func (n *Node) unions() []union {
	var all []union
	for _, a := range n.atoms() {
		if len(a.AnyOf) > 0 {
			all = append(all, union{a, "anyOf"})
		}
		if len(a.OneOf) > 0 {
			all = append(all, union{a, "oneOf"})
		}
	}
	return all
}

// unresolved returns the unions of n that no choice settles.
func (n *Node) unresolved() []union {
	return slices.DeleteFunc(n.unions(), func(u union) bool { _, ok := n.settled(u); return ok })
}

// Undecided returns the branches of the unions of n of which none was chosen.
func (n *Node) Undecided() []*schema.Schema {
	var all []*schema.Schema
	for _, u := range n.open() {
		all = append(all, u.branches()...)
	}
	return all
}

// mark returns a schema that nobody wrote, made once for a name.
func (g *Graph) mark(name string, write func() *schema.Schema) *schema.Schema {
	if s := g.marks[name]; s != nil {
		return s
	}
	s := write()
	g.marks[name], g.made[s] = s, true
	return s
}

// Require is n with a member that its schemas leave out: required, and one of
// the values. pos is where that is said.
func (n *Node) Require(name schema.Name, values []*schema.Value, pos finding.Pos) *Node {
	home := n.primary
	s := n.graph.mark(fmt.Sprintf("tag %s %q %p", n.key, name.Text, values[0]), func() *schema.Schema {
		tag := &schema.Schema{
			Pos: pos, Doc: home.Doc, Pointer: home.Pointer + "/properties/" + name.Text, Types: []string{"string"}, Enum: values,
			At: map[string]finding.Pos{"type": pos, "enum": pos},
		}
		if len(values) == 1 {
			tag.Const, tag.Enum = values[0], nil
			delete(tag.At, "enum")
			tag.At["const"] = pos
		}
		return &schema.Schema{
			Pos: pos, Doc: home.Doc, Pointer: home.Pointer, Types: []string{"object"}, Required: []schema.Name{name},
			Properties: []schema.Property{{Name: name.Text, Pos: pos, Schema: tag}}, At: map[string]finding.Pos{"type": pos, "properties": pos, "required": pos},
		}
	})
	return n.graph.node(append(slices.Clone(n.parts), s), n.choices, n.within, n.primary)
}

// Restricted reports whether n is only some of the types of its schemas.
func (n *Node) Restricted() bool { return n.within != All }
