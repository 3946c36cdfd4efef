package normal

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Branch is one alternative of a union.
type Branch struct {
	Node  *Node          // with the schemas around the union
	From  *schema.Schema // as written
	Kinds Kinds          // without null
	// Inside has the keywords of the inner unions that the branch comes from.
	Inside []string
	Joined bool // more applies than the branch alone
	// Together means that a schema inside the union depends on what this branch and
	// others evaluate together, so that it is not a branch alone.
	Together bool
}

// Union is the alternatives of a form: the basis of its types.
type Union struct {
	Keyword string         // oneOf, anyOf or type
	Of      *schema.Schema // that has the keyword
	// Branches has every branch except null; an inner union is replaced by its
	// branches.
	Branches []Branch
	// Direct has the branches as written, with unions inside them. Several of them may
	// apply.
	Direct []Branch
}

// alternatives resolves the unions of a form: it removes those with only one possible
// branch and those without effect. The first union that determines types is the union
// of the form; the others are residues.
func (f *Form) alternatives() {
	n, g := f.Node, f.Node.graph
	var main *union
	var shaping []*schema.Schema
	listed := slices.ContainsFunc(f.Atoms, func(a *schema.Schema) bool { return a.Const != nil || a.Enum != nil })
	for _, u := range n.unresolved() {
		alive := f.alive(u)
		shapes := slices.DeleteFunc(slices.Clone(alive), func(b *schema.Schema) bool { return f.kindsOf(u, b) == Null })
		if u.keyword == "anyOf" {
			shapes = g.distinct(shapes)
		}
		switch {
		case u.keyword == "anyOf" && slices.ContainsFunc(alive, g.anything):
			f.Same = n.choose(choice{union: u})
			return
		case len(shapes) == 0:
			f.Kinds &= Null
			return
		case len(shapes) == 1:
			f.Same = f.only(u, shapes[0])
			if f.Same.Single() {
				f.SameAs = shapes[0]
			}
			return
		case f.constrains(u, shapes), listed && typesOnly(u.branches()) && differ(u.branches()):
		case main == nil:
			main, shaping = &u, shapes
		default:
			f.warn(at(u.schema, u.keyword), "second-union",
				"the value is also a branch of another union, which gives it its Go type; this "+u.keyword+" is checked by Validate, and its properties are optional fields",
				"write one union whose branches satisfy both")
		}
	}
	if main != nil {
		f.unite(*main, shaping)
		return
	}
	f.split()
}

// distinct returns the branches of an anyOf without repeated targets.
func (g *Graph) distinct(branches []*schema.Schema) []*schema.Schema {
	seen := map[*schema.Schema]bool{}
	return slices.DeleteFunc(branches, func(b *schema.Schema) bool {
		target := g.resolve(b)
		again := seen[target]
		seen[target] = true
		return again
	})
}

// alive returns the branches of a union that some value can take here, including null.
func (f *Form) alive(u union) []*schema.Schema {
	n, g := f.Node, f.Node.graph
	var alive []*schema.Schema
	for _, branch := range u.branches() {
		kinds := f.kindsOf(u, branch)
		never := kinds == None || kinds == Null && !g.acceptsNull(branch)
		if kinds&^Null == None {
			f.add(g.Node(branch).formAt(f.depth).TypeMissing())
		} else {
			node := n.settle(u).taking(u, branch, f.Kinds)
			if never = f.impossible(node); never {
				f.add(node.formAt(f.depth).TypeMissing())
			}
		}
		if never {
			f.warn(branch.Pos, "branch-never-valid", "no value can satisfy this branch of the "+u.keyword+": it contradicts itself or another part of the schema", "remove the branch, or the part that it contradicts")
			continue
		}
		alive = append(alive, branch)
	}
	return alive
}

// kindsOf returns the kinds that a branch of a union allows here, including null.
func (f *Form) kindsOf(u union, branch *schema.Schema) Kinds {
	within := f.Kinds | Null
	each, known := f.each[u]
	if !known {
		each = f.Node.each(u)
		f.each[u] = each
	}
	switch {
	case each:
		return f.Node.graph.kindsOf(branch, All) & within
	case within == All:
		return f.Node.graph.statedBy(branch)
	}
	return f.Node.graph.kindsOf(branch, within)
}

// constrains reports whether the branches of a union only say which values of one type
// are valid, and nothing about their shape: for example a list of required properties
// for each branch, or a pattern for each. Such a union has no types.
func (f *Form) constrains(u union, branches []*schema.Schema) bool {
	n, g := f.Node, f.Node.graph
	others := slices.DeleteFunc(n.open(), func(o union) bool { return o == u })
	if f.Kinds|Null == All {
		return false
	}
	kinds := g.stated(f.Atoms, others, n.within)
	if kinds == All {
		kinds = g.commonTo(others)
	}
	if kinds == All {
		kind, _ := g.implied(f.Atoms, others)
		kinds = KindsOfType(kind)
	}
	if kinds &^= Null; kinds.One() == "" {
		return false
	}
	seen := map[*schema.Schema]bool{}
	return !slices.ContainsFunc(branches, func(b *schema.Schema) bool { return shapes(b, kinds, seen) })
}

// shapes reports whether a schema describes properties or items, or restricts kinds.
func shapes(s *schema.Schema, kinds Kinds, seen map[*schema.Schema]bool) bool {
	if s == nil || seen[s] {
		return false
	}
	seen[s] = true
	if len(s.Properties)+len(s.PatternProperties)+len(s.PrefixItems) > 0 || s.AdditionalProperties != nil || s.Items != nil {
		return true
	}
	if len(s.Types) > 0 && !kindsOfTypes(s.Types).Has(kinds) {
		return true
	}
	if s.Ref != nil && shapes(s.Ref.Target, kinds, seen) {
		return true
	}
	for _, parts := range [][]*schema.Schema{s.AllOf, s.AnyOf, s.OneOf} {
		if slices.ContainsFunc(parts, func(part *schema.Schema) bool { return shapes(part, kinds, seen) }) {
			return true
		}
	}
	return false
}

// open returns the unions of n of which no branch was chosen.
func (n *Node) open() []union {
	return slices.DeleteFunc(n.unions(), func(u union) bool {
		c, ok := n.settled(u)
		return ok && !c.rule
	})
}

// taking returns n for values that take one branch of a union. If there is nothing
// except types next to the union, and the branch has them too, that is the branch.
func (n *Node) taking(u union, branch *schema.Schema, kinds Kinds) *Node {
	if n.bare(u) && kinds.Has(n.graph.kindsOf(branch, All)&^Null) {
		return n.graph.Node(branch)
	}
	return n.choose(choice{union: u, branch: branch})
}

// only returns the node of the only possible branch of a union. If null is not valid,
// but would be for the branch alone, the union stays around it.
func (f *Form) only(u union, branch *schema.Schema) *Node {
	n := f.Node
	if !f.Nullable && n.graph.acceptsNull(branch) && n.graph.kindsOf(branch, All).One() == "" {
		return n.choose(choice{union: u, branch: branch})
	}
	return n.taking(u, branch, f.Kinds)
}

// bare reports whether there is nothing except types next to a union.
func (n *Node) bare(u union) bool {
	return len(n.parts) == 1 && n.parts[0] == u.schema && u.schema.Ref == nil && !u.schema.SaysMore(u.keyword, "type") &&
		!slices.ContainsFunc(n.choices, func(c choice) bool { return c.schema == u.schema && c.keyword != u.keyword })
}

// settle returns n with every union except one left to a validator.
func (n *Node) settle(but union) *Node {
	choices := slices.Clone(n.choices)
	for _, u := range n.unresolved() {
		if u != but {
			choices = append(choices, choice{union: u, rule: true})
		}
	}
	return n.graph.node(n.parts, choices, n.within, n.primary)
}

// anything reports whether a schema allows every value.
func (g *Graph) anything(s *schema.Schema) bool {
	target := g.resolve(s)
	return target == nil || annotates(target)
}

// maxBranches limits the branches when inner unions are replaced by theirs. Beyond it
// the union keeps its branches as written.
const maxBranches = 4096

// unite makes the union of a form.
func (f *Form) unite(u union, branches []*schema.Schema) {
	n := f.Node
	rest := n.settle(u)
	f.asked = true // the unions inside it are those of this depth
	f.Union = &Union{Keyword: u.keyword, Of: u.schema}
	for _, branch := range branches {
		node := rest.taking(u, branch, f.Kinds)
		direct := node
		if !node.Single() {
			node = node.named(branch)
			direct = rest.choose(choice{union: u, branch: branch, loose: true}).named(branch)
		}
		form, _ := node.settledAt(f.depth)
		f.Union.Direct = append(f.Union.Direct, Branch{Node: direct, From: branch, Kinds: form.Kinds &^ Null, Joined: !node.Single()})
		f.Union.Branches = append(f.Union.Branches, flat(node, form, branch)...)
	}
	if u.keyword == "anyOf" {
		f.Union.Branches = once(f.Union.Branches)
	}
	if len(f.Union.Branches) > maxBranches {
		f.Union.Branches = f.Union.Direct
	}
}

// once returns the branches of an anyOf without equal ones. In a oneOf, how many
// branches match counts, so they stay.
func once(branches []Branch) []Branch {
	type same struct {
		node     *Node
		together bool
	}
	seen := map[same]bool{}
	return slices.DeleteFunc(branches, func(b Branch) bool {
		if slices.Contains(b.Inside, "oneOf") {
			return false
		}
		key := same{b.Node, b.Together}
		again := seen[key]
		seen[key] = true
		return again
	})
}

// flat returns the branches that a branch with a form consists of: those of an inner
// union, and one for each of several types.
func flat(node *Node, form *Form, from *schema.Schema) []Branch {
	if form.Union == nil {
		return []Branch{{Node: node, From: from, Kinds: form.Kinds &^ Null, Joined: !node.Single()}}
	}
	all, together := slices.Clone(form.Union.Branches), len(form.Residues()) > 0
	for i := range all {
		all[i].Together = all[i].Together || together
		if form.Union.Keyword != "type" {
			all[i].Inside = append(slices.Clone(all[i].Inside), form.Union.Keyword)
		} else {
			all[i].From = from
		}
	}
	return all
}

// statedTypes returns the types of a form that a keyword names, in its order.
func (f *Form) statedTypes() []string {
	for _, a := range f.Atoms {
		if len(a.Types) > 0 {
			return a.Types
		}
	}
	for _, u := range f.Node.unions() {
		if typesOnly(u.branches()) {
			var names []string
			for _, b := range u.branches() {
				names = append(names, b.Types...)
			}
			return names
		}
	}
	return nil
}

// typesOnly reports whether each branch has only one type.
func typesOnly(branches []*schema.Schema) bool {
	return !slices.ContainsFunc(branches, func(b *schema.Schema) bool {
		return b.Ref != nil || b.Bool != nil || b.SaysMore("type") || len(b.Types) != 1
	})
}

// split makes a union of a form with several types that a keyword names, one branch for
// each.
func (f *Form) split() {
	names, order := f.Kinds.Types(), f.statedTypes()
	if len(order) == 0 || len(names) < 2 || f.Kinds|Null == All {
		return
	}
	slices.SortStableFunc(names, func(x, y string) int { return rank(order, x) - rank(order, y) })
	f.Union = &Union{Keyword: "type", Of: f.Node.primary}
	for _, name := range names {
		kinds := KindsOfType(name) & f.Kinds
		node := f.Node.Within(kinds)
		if f.impossible(node) {
			continue
		}
		f.Union.Branches = append(f.Union.Branches, Branch{Node: node, From: f.Node.primary, Kinds: kinds})
	}
	f.Union.Direct = f.Union.Branches
	if len(f.Union.Branches) == 1 {
		f.Same = f.Union.Branches[0].Node
		f.Union = nil
	}
}
