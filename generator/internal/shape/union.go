package shape

import (
	"cmp"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// branch is what is known of a union's branch besides its Go type.
type branch struct {
	*ir.Branch

	node   *normal.Node
	form   *normal.Form
	from   *schema.Schema // as it is written
	ref    *schema.Schema // the definition that it refers to
	kind   string         // of a schema that is split into its types
	inside []string       // the keywords of the inner unions that it comes from
	joined bool           // includes the schemas around the union
	// together means that a schema inside the union depends on what several of its
	// branches evaluate.
	together bool
	tagged   bool // by a discriminator, whose property its schema does not require
}

// union returns the type of a form that is a union.
func (b *builder) union(f *normal.Form, at naming.Context) *ir.Type {
	if t := b.unions[f.Node]; t != nil {
		clone := *t
		return &clone
	}
	branches := b.branchesOf(f.Union.Branches, f.Union.Keyword)
	if f.Union.Keyword == "anyOf" && counted("anyOf", branches) {
		branches = withoutListed(branches)
	}
	if t := b.listOf(f, branches, at); t != nil {
		return t
	}
	if t := b.openEnum(f, branches, at); t != nil {
		return t
	}
	if len(branches) == 1 {
		return b.ofNode(branches[0].node, at)
	}
	s := f.Node.Primary()
	key := "union " + b.scheme.Key(f.Node, s, at)
	if n := b.byKey[key]; n != nil {
		return b.unionType(f, n)
	}
	n := newNamed(s, at)
	n.Union = &ir.Union{Keyword: f.Union.Keyword}
	b.byKey[key], b.inside[n] = n, f.Node
	b.claim(n, at)
	o := b.originsOf(f.Node)
	o.note(f.Union.Keyword, f.Union.Of)
	n.Origins = o.all
	u := &union{of: f, ir: n.Union, branches: branches}
	why := b.apart(u)
	if why == "" && b.graph.Full() {
		why = "the schemas combine in too many ways"
	}
	if n.Union.Raw = why != ""; n.Union.Raw {
		if f.Union.Keyword == "oneOf" && b.uncounted(f.Union) {
			n.Union.Keyword = "anyOf" // at least one branch has to match
			o.noteAt("anyOf", f.Union.Of, "oneOf")
			n.Origins = o.all
		}
		if !counted(f.Union.Keyword, branches) || slices.ContainsFunc(branches, func(br *branch) bool { return br.joined || br.together }) {
			u.branches = b.branchesOf(f.Union.Direct, f.Union.Keyword)
		}
	}
	for _, br := range u.branches {
		n.Union.Branches = append(n.Union.Branches, br.Branch)
		b.branches[br.Branch] = br
	}
	t := b.unionType(f, n)
	for _, br := range u.branches {
		b.branchType(n, u, br)
	}
	if n.Union.Raw {
		b.list.Warnf(position(f.Union.Of, f.Union.Keyword), "union-kept-raw",
			"the branches of this %s cannot be told apart: %s; the value is kept as raw JSON, with a method for each branch", f.Union.Keyword, why).
			SetHint(cmp.Or(u.hint, apartHint(u.branches)))
		for _, br := range u.branches {
			if br.Word = br.titled(); br.Word == "" {
				br.Word = u.word(br)
			}
		}
		if f.Union.Keyword == "oneOf" && numbersDiffer(n.Union.Branches) {
			n.Rules = b.rulesOf(append(f.Residues(), normal.Residue{Of: f.Union.Of, Keywords: []string{"oneOf"}}))
		}
	}
	return t
}

// apartHint returns a hint how to write a union whose branches can be distinguished.
func apartHint(branches []*branch) string {
	const objects = "a required property with its own const, such as kind"
	seen := map[string]bool{}
	for _, br := range branches {
		kind := br.JSON
		if kind == "integer" {
			kind = "number"
		}
		switch {
		case kind == "":
			return "give every branch a type, or make the branches objects, each with " + objects
		case kind != "object" && seen[kind]:
			return "merge the branches of one type, or make them objects, each with " + objects
		}
		seen[kind] = true
	}
	return "give every branch " + objects
}

// numbersDiffer reports whether two branches are numbers of different Go types: a value
// that is too large for one Go type may be valid for it, and so for both branches.
func numbersDiffer(branches []*ir.Branch) bool {
	first := ir.Any
	for _, br := range branches {
		if br.JSON != "integer" && br.JSON != "number" {
			continue
		}
		if kind := br.Type.Kind; first == ir.Any {
			first = kind
		} else if kind != first {
			return true
		}
	}
	return false
}

// apart distinguishes the branches of a union, and returns why it cannot. If what they
// evaluate counts together, they have to be distinct before that: a value that only two
// branches together describe is valid for both in an anyOf, and for none in a oneOf.
func (b *builder) apart(u *union) (why string) {
	if i := slices.IndexFunc(u.branches, func(br *branch) bool { return br.together }); i >= 0 {
		return "what " + u.describe(u.branches[i]) + " leaves unevaluated depends on others"
	}
	if len(u.of.Residues()) > 0 {
		loose := &union{of: u.of, ir: &ir.Union{}, branches: b.branchesOf(u.of.Union.Direct, u.of.Union.Keyword)}
		if why := b.tellApart(loose); why != "" && !exclusive(u, loose) {
			u.hint = loose.hint
			return why
		}
	}
	return b.tellApart(u)
}

// exclusive reports whether no value can match two branches of a oneOf, whatever is
// evaluated: each requires a property that the other forbids.
func exclusive(u, loose *union) bool {
	if u.ir.Keyword != "oneOf" || len(u.branches) != len(loose.branches) {
		return false
	}
	for i, one := range u.branches {
		for j, other := range loose.branches {
			if i == j || one.JSON != other.JSON {
				continue
			}
			if one.JSON != "object" || !slices.ContainsFunc(requiredOf(other.form), one.form.Object().Forbids) {
				return false
			}
		}
	}
	return true
}

// union is a union whose branches are being distinguished.
type union struct {
	of       *normal.Form
	ir       *ir.Union
	branches []*branch
	hint     string // what to do if the branches cannot be told apart; "": see apartHint
}

func (b *builder) unionType(f *normal.Form, n *ir.Named) *ir.Type {
	t := &ir.Type{Kind: ir.UnionKind, Named: n, Place: b.place(f.Node)}
	if n.Union.Raw {
		t.Kind = ir.Struct
		n.Rules = b.rulesOf(f.Residues())
	}
	b.unions[f.Node] = t
	clone := *t
	return &clone
}

// branchesOf returns the branches of a form.
func (b *builder) branchesOf(all []normal.Branch, keyword string) []*branch {
	var branches []*branch
	for _, one := range all {
		form, _ := one.Node.Settled()
		br := &branch{
			Branch: &ir.Branch{JSON: one.Kinds.One()}, node: one.Node, form: form, from: one.From, inside: one.Inside, joined: one.Joined && keyword != "type",
			together: one.Together,
		}
		if keyword == "type" || one.Node.Restricted() {
			br.kind = br.JSON
		}
		if keyword != "type" {
			br.ref = naming.Branch(one.From)
		}
		branches = append(branches, br)
	}
	return branches
}

// withoutListed returns the branches of an anyOf without those that list strings, if
// another branch allows every string, unless that leaves none: see openEnum.
func withoutListed(branches []*branch) []*branch {
	free := slices.ContainsFunc(branches, func(o *branch) bool { return o.JSON == "string" && !o.form.Listed && plainText(o.form) })
	if !free || !slices.ContainsFunc(branches, func(o *branch) bool { return o.JSON != "string" }) {
		return branches
	}
	return slices.DeleteFunc(slices.Clone(branches), func(o *branch) bool { return o.JSON == "string" && o.form.Listed })
}

// plainText reports whether a form allows every string.
func plainText(f *normal.Form) bool {
	t := f.Text
	return t != nil && t.MinLength == nil && t.MaxLength == nil && len(t.Patterns)+len(t.Formats) == 0 && t.Encoding == "" && len(f.Residues()) == 0
}

// counted reports whether the number of matching branches is the same as in the unions
// that they come from. It does not matter for anyOf, nor without inner unions.
func counted(keyword string, branches []*branch) bool {
	return !slices.ContainsFunc(branches, func(br *branch) bool {
		return len(br.inside) > 0 && (keyword != "anyOf" || slices.Contains(br.inside, "oneOf"))
	})
}

// uncounted reports whether a branch of a union has a pattern that Go cannot match, so
// that the number of matching branches is unknown.
func (b *builder) uncounted(u *normal.Union) bool {
	return slices.ContainsFunc(u.Direct, func(br normal.Branch) bool { return b.graph.Unmatched(br.From) != nil })
}

// listOf returns the enum for a union whose branches list values of one type; nil for
// other unions.
func (b *builder) listOf(f *normal.Form, branches []*branch, at naming.Context) *ir.Type {
	if f.Union.Keyword == "type" {
		return nil
	}
	var values []*schema.Value
	seen, called := map[string]bool{}, map[string]string{}
	for _, br := range branches {
		if !br.form.Listed || br.JSON == "" || br.JSON == "object" || br.JSON == "array" || br.JSON != branches[0].JSON || len(br.form.Residues()) > 0 {
			return nil
		}
		if listed := br.form.Values; len(listed) == 1 {
			if title := br.form.Node.Primary().Title; title != "" {
				called[listed[0].Canonical()] = title
			}
		}
		for _, v := range br.form.Values {
			if seen[v.Canonical()] {
				if f.Union.Keyword == "oneOf" || !counted(f.Union.Keyword, branches) {
					return nil // no value may be null
				}
				continue
			}
			seen[v.Canonical()] = true
			values = append(values, v)
		}
	}
	t := b.enum(f, branches[0].JSON, values, at)
	given := map[string]string{} // by literal
	for _, value := range values {
		if name := called[value.Canonical()]; name != "" {
			given[enumValue(t.Named.Base, value).Literal] = name
		}
	}
	for i, v := range t.Named.Enum {
		if name := given[v.Literal]; name != "" {
			t.Named.Enum[i].Given = name
		}
	}
	o := b.originsOf(f.Node)
	o.noteAt("enum", f.Union.Of, f.Union.Keyword)
	t.Place, t.Origins = b.place(f.Node), o.all
	return t
}

// openEnum returns the enum for a union of listed strings and other strings that a
// second branch allows: the list is open. It returns nil for other unions.
func (b *builder) openEnum(f *normal.Form, branches []*branch, at naming.Context) *ir.Type {
	if f.Union.Keyword != "anyOf" || len(branches) != 2 || branches[0].JSON != "string" || branches[1].JSON != "string" {
		return nil
	}
	listed, free := branches[0].form, branches[1].form
	if !listed.Listed {
		listed, free = free, listed
	}
	if !listed.Listed || free.Listed || len(listed.Residues())+len(free.Residues()) > 0 || len(free.Text.Formats) > 0 || free.Text.Encoding != "" || len(free.Text.Patterns) > 1 {
		return nil
	}
	t := b.enum(f, "string", listed.Values, at)
	if t.Named.Open == nil {
		open, _ := b.text(free)
		open.Place = b.place(free.Node)
		t.Named.Open = open
	}
	t.Place = b.place(f.Node)
	return t
}

// branchType sets the Go type of a branch.
func (b *builder) branchType(n *ir.Named, u *union, br *branch) {
	at := naming.Context{Parent: n, Property: u.word(br), Ref: br.ref, Kind: br.kind}
	if br.joined || br.tagged {
		at.Joins = n
	}
	t := *b.branchTypeOf(br, at)
	t.Nullable = t.Kind == ir.Any
	br.Type = &t
	switch {
	case u.ir.Raw || t.Kind == ir.Any:
		return
	case t.Named != nil:
		br.Named = t.Named
		joins(n, br.Named)
		return
	}
	s := br.form.Node.Primary()
	key := "declared " + b.scheme.Key(br.form.Node, s, at)
	declared := b.byKey[key]
	if declared == nil {
		declared = newNamed(s, at)
		declared.Of, b.byKey[key] = &t, declared
		b.claim(declared, at)
	}
	br.Named = declared
	joins(n, declared)
}

// branchTypeOf returns the type of a branch, from the config if it sets one.
func (b *builder) branchTypeOf(br *branch, at naming.Context) *ir.Type {
	if !br.joined && !br.tagged && br.kind == "" {
		if _, t := b.follow(br.from, nil); t != nil {
			return t
		}
	}
	return b.ofNode(br.node, at)
}

// joins records that a type is a branch of a union. For a type that is written inline
// this is its description.
func joins(union, n *ir.Named) {
	if n.Parent == union {
		n.Parent, n.Role = nil, ""
	}
	if !slices.Contains(n.Unions, union) {
		n.Unions = append(n.Unions, union)
	}
}
