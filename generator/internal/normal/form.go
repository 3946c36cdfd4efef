package normal

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Form is what a node allows.
type Form struct {
	Node *Node
	// Same is another node with the same values, except for null and its place: the
	// only possible branch of a union. Then only Kinds, Nullable and Findings are set.
	Same *Node
	// SameAs is the branch as written, if Same is that branch alone.
	SameAs *schema.Schema
	// Kinds are the kinds that valid values may have; Null only if Nullable.
	Kinds    Kinds
	Nullable bool
	// Implied is the keyword that implies the type; "" if the schema has a type.
	Implied string

	// Atoms has every schema that applies to all valid values.
	Atoms []*schema.Schema

	// Values is the values that the schemas list and that may be valid, null left
	// out, if Listed.
	Listed bool
	Values []*schema.Value
	Union  *Union // nil: none, or all are residues

	Text   *TextForm // what strings are, if Kinds has String
	Number *NumberForm

	implied Kinds          // that Implied is about
	each    map[union]bool // see Node.each

	depth int  // how deep it looks into what is required: see impossible
	asked bool // whether another depth could have given another form

	object   *ObjectForm
	array    *ArrayForm
	findings []finding.Finding
}

// Limit is a bound and the schema that sets it.
type Limit struct {
	Number *schema.Number
	Of     *schema.Schema
}

// Form returns the form of n, worked out when it is first asked for.
func (n *Node) Form() *Form { return n.formAt(maxDepth) }

// formAt returns the form of n whose unions lose the branches that are found to be
// impossible at a depth. A form asks of what it requires at a smaller depth alone,
// and so never of one that is still being built.
func (n *Node) formAt(depth int) *Form {
	if f := n.forms[depth]; f != nil {
		return f
	}
	f := &Form{Node: n, Atoms: n.atoms(), depth: depth, each: map[union]bool{}}
	n.forms[depth] = f
	f.build()
	if f.asked {
		return f
	}
	for i := range n.forms {
		if n.forms[i] == nil {
			n.forms[i] = f
		}
	}
	return f
}

// Settled returns the form of n, or of the node that has the same values; the second
// result says whether null is valid for n.
func (n *Node) Settled() (*Form, bool) { return n.settledAt(maxDepth) }

// settledAt is Settled for the forms of a depth.
func (n *Node) settledAt(depth int) (*Form, bool) {
	f := n.formAt(depth)
	nullable := f.Nullable
	for f.Same != nil {
		f = f.Same.formAt(depth)
	}
	return f, nullable
}

func (f *Form) build() {
	n, g := f.Node, f.Node.graph
	if slices.ContainsFunc(f.Atoms, isFalse) {
		return
	}
	around := g.context(n.base())
	f.Implied, f.implied = around.implied, around.kinds
	kinds := g.stated(f.Atoms, n.open(), n.within) & around.kinds
	for _, c := range n.choices {
		if c.branch == nil || !n.each(c.union) {
			continue
		}
		inner := g.context(g.Node(c.branch))
		kinds &= inner.kinds
		if f.Implied == "" {
			f.Implied, f.implied = inner.implied, inner.kinds
		}
	}
	f.Kinds = kinds
	f.Nullable = kinds.Has(Null) && !slices.ContainsFunc(f.Atoms, func(a *schema.Schema) bool { return !g.acceptsNull(a) })
	if !f.Nullable {
		f.Kinds &^= Null
	}
	if f.alternatives(); f.Same != nil {
		return
	}
	f.values()
	f.numbers()
	f.texts()
}

// Object returns what holds for objects, which Kinds must have.
func (f *Form) Object() *ObjectForm {
	if f.object == nil {
		f.object = f.Node.objectForm(f)
	}
	return f.object
}

// Array returns what holds for arrays, which Kinds must have.
func (f *Form) Array() *ArrayForm {
	if f.array == nil {
		f.array = f.Node.arrayForm(f)
	}
	return f.array
}

// Findings returns what there is to say about a form.
func (f *Form) Findings() []finding.Finding { return f.findings }

// impossible reports whether no value is valid for n, as far as f looks.
func (f *Form) impossible(n *Node) bool {
	f.asked = true
	return impossible(n, f.depth)
}

// TypeMissing tells of a type that was concluded from other keywords; nil if it
// was not.
func (f *Form) TypeMissing() *finding.Finding {
	if f.Implied == "" {
		return nil
	}
	kind := f.implied.One()
	return &finding.Finding{
		Pos: f.Node.Primary().Pos, Severity: finding.Warning, ID: "type-missing",
		Message: f.Implied + " without a type allows every value of another type; outboxgen treats it as type: " + kind,
		Hint:    "add type: " + kind,
	}
}

// rank returns where a type stands among the types that a keyword names.
func rank(order []string, name string) int {
	if i := slices.Index(order, name); i >= 0 {
		return i
	}
	if name == "integer" {
		return rank(order, "number") // of which integers are left
	}
	return len(order)
}

// warn records what there is to say about a schema as it is written: not about one
// of its types or branches alone.
func (f *Form) warn(pos finding.Pos, id, message, hint string) {
	f.add(&finding.Finding{Pos: pos, Severity: finding.Warning, ID: id, Message: message, Hint: hint})
}

// add records a finding, nil for none, as warn does.
func (f *Form) add(found *finding.Finding) {
	if found != nil && f.Node.whole() {
		f.findings = append(f.findings, *found)
	}
}

// at returns the position of a keyword under any of its spellings.
func at(s *schema.Schema, keyword string) finding.Pos {
	for _, name := range append([]string{keyword}, spellings[keyword]...) {
		if pos, ok := s.At[name]; ok {
			return pos
		}
	}
	return s.Pos
}

var spellings = map[string][]string{
	"prefixItems":       {"items"},
	"dependentRequired": {"dependencies"},
	"dependentSchemas":  {"dependencies"},
}
