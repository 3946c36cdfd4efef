// Package shape turns the normal forms of schemas into Go types without names: structs,
// unions, enums, maps, tuples, and raw values.
//
// There are three levels. A value has the precise Go type; or a looser one, with rules
// that check the rest; or it is kept as JSON text, with rules that check the whole
// schema. The second and third level cause a warning.
package shape

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
	"github.com/outboxgen/outboxgen/generator/internal/rules"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Types has the types of a project.
type Types struct {
	Package *ir.Package
	Claims  []*naming.Claim // every type that needs a name, in the order of discovery
}

// Of computes the types of a project. It adds a finding to list for what Go types
// cannot express.
func Of(p *schema.Project, scheme *naming.Scheme, list *finding.List) *Types {
	options := normal.Options{Specification: p.Config.Validation == schema.SpecValidation}
	b := &builder{
		project: p, graph: normal.New(options), scheme: scheme, list: list,
		named: map[*normal.Node]*ir.Named{}, unions: map[*normal.Node]*ir.Type{}, byKey: map[string]*ir.Named{},
		claimOf: map[*ir.Named]*naming.Claim{}, reported: map[*normal.Form]bool{}, bared: map[*schema.Schema]*schema.Schema{},
		mappings: make([]bool, len(p.Config.Types)), mappedTo: make([][]*schema.Schema, len(p.Config.Types)),
		inside: map[*ir.Named]*normal.Node{}, joins: map[*ir.Named]*ir.Named{}, branches: map[*ir.Branch]*branch{},
	}
	pkg := &ir.Package{Name: p.Config.Package, Service: p.Config.Service}
	for _, e := range p.Events {
		pkg.Events = append(pkg.Events, &ir.Event{Event: e, Data: b.event(e)})
	}
	b.indirect()
	b.endless()
	for _, e := range pkg.Events {
		b.paths(e)
	}
	b.reportMappings()
	return &Types{Package: pkg, Claims: b.claims}
}

type builder struct {
	project *schema.Project
	graph   *normal.Graph
	scheme  *naming.Scheme
	list    *finding.List

	mappings []bool             // the types of the config that are used
	mappedTo [][]*schema.Schema // the definitions that each replaces

	named   map[*normal.Node]*ir.Named
	unions  map[*normal.Node]*ir.Type
	byKey   map[string]*ir.Named
	claims  []*naming.Claim
	claimOf map[*ir.Named]*naming.Claim
	inside  map[*ir.Named]*normal.Node // the node of each declared type
	joins   map[*ir.Named]*ir.Named    // the union of each branch that includes the schemas around the union

	branches    map[*ir.Branch]*branch
	collections []*collection // being built, outermost first
	depth       int           // of declared types that are being built
	combined    int           // number of types of several schemas that are being built
	reported    map[*normal.Form]bool
	bared       map[*schema.Schema]*schema.Schema // without constraints
}

// claim registers a type that needs a name.
func (b *builder) claim(n *ir.Named, at naming.Context) {
	c := b.scheme.Claim(n, at)
	b.claimOf[n] = c
	b.claims = append(b.claims, c)
}

// report adds the findings of the normal form, once.
func (b *builder) report(f *normal.Form) {
	if b.reported[f] {
		return
	}
	b.reported[f] = true
	b.list.Add(f.Findings()...)
}

// rulesOf returns the rules for residues and more.
func (b *builder) rulesOf(residues []normal.Residue, more ...*ir.Rule) *ir.Rules {
	return rules.Of(b.graph, b.list, residues, more...)
}

// typeOf returns the type for all schemas together; node is their normal form. schemas
// are as written, so that a reference gives a name.
func (b *builder) typeOf(schemas []*schema.Schema, node *normal.Node, at naming.Context) *ir.Type {
	if len(schemas) == 1 {
		ref, t := b.follow(schemas[0], at.Ref)
		if t != nil {
			return t
		}
		at.Ref = ref
	}
	return b.ofNode(node, at)
}

// follow returns the definition that a schema refers to, for a name, or the type that
// the config sets for it.
func (b *builder) follow(s, ref *schema.Schema) (*schema.Schema, *ir.Type) {
	var last *schema.Schema // of the chain that contains s
	for s != nil {
		if t := b.override(s); t != nil {
			return nil, t
		}
		part := normal.Sole(s)
		switch {
		case s.OnlyRef():
			if last == nil {
				last = lastRef(s)
			}
			if !naming.Anonymous(last) {
				ref = last
			}
			s = s.Ref.Target
		case part != nil:
			s, last = part, nil
		default:
			return ref, nil
		}
	}
	return ref, nil
}

// lastRef returns the target of the last reference in a chain of bare ones.
func lastRef(s *schema.Schema) *schema.Schema {
	for s.Ref != nil && s.OnlyRef() && s.Ref.Target != nil {
		s = s.Ref.Target
	}
	return s
}

// ofNode returns the type of a node. It is never nil.
func (b *builder) ofNode(node *normal.Node, at naming.Context) *ir.Type {
	form := node.Form()
	b.report(form)
	nullable := form.Nullable
	for form.Same != nil {
		if form.SameAs != nil {
			var t *ir.Type
			if at.Ref, t = b.follow(form.SameAs, at.Ref); t != nil {
				clone := *t
				clone.Nullable = nullable
				return &clone
			}
		}
		form = form.Same.Form()
		b.report(form)
	}
	t := *b.ofForm(form, at)
	if t.Kind == ir.Any && nullable != form.Nullable {
		return b.raw(node) // the rules of the branch alone treat null differently
	}
	t.Nullable = nullable && t.Kind != ir.Null || t.Kind == ir.Any
	return &t
}

// tooDeep is how deep types of several schemas may be nested before the rest is kept
// raw: intersections of recursive schemas may never end.
const tooDeep = 100

// ofForm returns the type of a form, null left out.
func (b *builder) ofForm(f *normal.Form, at naming.Context) *ir.Type {
	node := f.Node
	if len(node.Parts()) > 1 {
		b.combined++
		defer func() { b.combined-- }()
	}
	if node.Never() != nil {
		b.warnNeverValid(node)
		return b.raw(node)
	}
	b.warnImplied(f)
	switch {
	case b.combined > tooDeep || b.graph.Full():
		b.list.Warnf(node.Primary().Pos, "too-many-combinations",
			"the parts of an allOf describe the same recursive properties and combine in too many ways for Go types; the value is kept as raw JSON").
			SetHint("describe each of these properties in one part only")
		return b.raw(node)
	case f.Union != nil:
		return b.union(f, at)
	case f.Kinds&^normal.Null == normal.None:
		return &ir.Type{Kind: ir.Null, Place: b.place(node)}
	case f.Listed:
		return b.listed(f, at)
	case f.Kinds|normal.Null == normal.All:
		return &ir.Type{Kind: ir.Any, Nullable: true, Rules: b.rulesOf(f.Residues()), Place: b.place(node)}
	case f.Kinds.One() == "":
		b.list.Warnf(node.Primary().Pos, "value-kept-raw",
			"no type keyword names the types of this value; the Go type accepts any value, and Validate checks it").
			SetHint("name the types")
		return b.raw(node)
	}
	return b.ofKind(f, at)
}

// warnNeverValid warns that no value is valid for a node, and says why. It is silent
// for the schema false.
func (b *builder) warnNeverValid(node *normal.Node) {
	never := node.Never()
	if never == nil || slices.ContainsFunc(node.Parts(), func(s *schema.Schema) bool { return s.Bool != nil }) {
		return
	}
	b.list.Warnf(never.Pos, "never-valid", "no value is valid here: %s; Validate rejects every value", never.Message).
		SetHint("correct the wrong part")
	b.warnImplied(node.Form()) // without the type, values of other types would be valid
}

// warnImplied warns of a type that other keywords imply.
func (b *builder) warnImplied(f *normal.Form) {
	if missing := f.TypeMissing(); missing != nil {
		b.list.Add(*missing)
	}
}

// raw returns the type of a value that is kept as JSON text and checked against its
// whole schema.
func (b *builder) raw(node *normal.Node) *ir.Type {
	return &ir.Type{Kind: ir.Any, Nullable: true, Rules: b.rulesOf(node.Whole()), Place: b.place(node)}
}

// ofKind returns the type of a form with one kind.
func (b *builder) ofKind(f *normal.Form, at naming.Context) *ir.Type {
	var t *ir.Type
	var more []*ir.Rule
	switch f.Kinds.One() {
	case "object":
		t = b.object(f, at)
	case "array":
		t = b.array(f, at)
	case "string":
		t, more = b.text(f)
	case "integer":
		t, more = b.integer(f)
	case "number":
		t, more = b.float(f)
	default:
		t = &ir.Type{Kind: ir.Bool}
	}
	if t.Kind != ir.Struct && t.Kind != ir.Collection {
		t.Rules = b.rulesOf(f.Residues(), more...)
	}
	t.Place = b.place(f.Node)
	return t
}

// place returns where a node stands.
func (b *builder) place(node *normal.Node) string {
	if s := node.Primary(); s != nil {
		return rules.Place(s)
	}
	return ""
}

// origins has the places of keywords that are not in the node's own schema.
type origins struct {
	of  *schema.Schema
	all map[string]string
}

func (b *builder) originsOf(node *normal.Node) *origins { return &origins{of: node.Primary()} }

// note records the schema that contains a keyword.
func (o *origins) note(keyword string, at *schema.Schema) { o.noteAt(keyword, at, keyword) }

// noteAt records the schema that contains a keyword under another name than the check
// uses.
func (o *origins) noteAt(keyword string, at *schema.Schema, name string) {
	if at == nil || at == o.of && keyword == name {
		return
	}
	if o.all == nil {
		o.all = map[string]string{}
	}
	o.all[keyword] = rules.Place(at) + "/" + name
}

func (o *origins) limit(keyword string, l *normal.Limit) {
	if l != nil {
		o.note(keyword, l.Of)
	}
}

// count returns a limit that counts something, and records the schema that sets it.
func (o *origins) count(keyword string, l *normal.Limit) *int {
	o.limit(keyword, l)
	if l == nil {
		return nil
	}
	return l.Number.Count()
}

// newNamed returns a type that is declared for a schema, with its description unless it
// is only one of the schema's types.
func newNamed(s *schema.Schema, at naming.Context) *ir.Named {
	if at.Kind != "" {
		return &ir.Named{Schema: s}
	}
	return &ir.Named{Schema: s, Doc: s.Description, Deprecated: s.Deprecated}
}

// indirect marks the fields through which a struct would contain itself.
func (b *builder) indirect() {
	cycles := cyclesOf(b.claims)
	for _, c := range b.claims {
		for _, f := range c.Named.Fields {
			if byValue(f) && cycles.reaches(f.Type.Named, c.Named) {
				clone := *f.Type
				clone.Indirect = true
				f.Type = &clone
			}
		}
		cycles.leave(c.Named)
	}
}

// byValue reports whether the field's Go type may contain its struct, not a pointer to
// it.
func byValue(f *ir.Field) bool {
	return f.Type.Kind == ir.Struct && !f.Type.Indirect && f.Required != f.Type.Nullable
}

// endless warns of types that no value can have, because each value would have to
// contain another one.
func (b *builder) endless() {
	finite := map[*ir.Named]bool{}
	has := func(t *ir.Type) bool { return t == nil || t.Nullable || t.Named == nil || finite[t.Named] }
	ends := func(n *ir.Named) bool {
		if n.Union != nil || n.Enum != nil {
			return true
		}
		if slices.ContainsFunc(n.Fields, func(f *ir.Field) bool { return f.Required && !has(f.Type) }) {
			return false
		}
		return n.Of == nil || !atLeastOne(n.Of.MinItems) && !atLeastOne(n.Of.MinProperties) || has(n.Of.Elem)
	}
	ir.Mark(func(yield func(*ir.Named) bool) {
		for _, c := range b.claims {
			if !yield(c.Named) {
				return
			}
		}
	}, finite, ends)
	for _, c := range b.claims {
		if n := c.Named; !finite[n] {
			b.list.Warnf(n.Schema.Pos, "endless-type", "no value is valid: each one would have to contain another one, without end").
				SetHint("allow the recursive property to be absent or null")
		}
	}
}

func atLeastOne(n *int) bool { return n != nil && *n > 0 }
