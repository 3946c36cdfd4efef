package shape

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// mention is a property that only conditional parts of a schema describe.
type mention struct {
	name    string
	pos     finding.Pos
	schemas []*schema.Schema // their descriptions
}

// mentions returns the properties that the conditional parts of a form describe and its
// properties and patterns do not, in source order. A form that restricts its other
// properties has none.
func (b *builder) mentions(f *normal.Form) []*mention {
	o := f.Object()
	if o.Rest != nil || o.Closed {
		return nil
	}
	g := &gatherer{seen: map[*schema.Schema]bool{}, byName: map[string]*mention{}}
	for _, m := range o.Members {
		if m.Described || m.Never {
			g.byName[m.Name] = nil
		}
	}
	for _, a := range f.Atoms {
		g.conditions(a)
	}
	for _, branch := range f.Node.Undecided() {
		g.schema(branch)
	}
	return slices.DeleteFunc(g.found, func(m *mention) bool { // described by a pattern
		return slices.ContainsFunc(o.Patterns, func(p normal.MemberPattern) bool { return p.Pattern.Known() && p.Pattern.Match(m.name) })
	})
}

type gatherer struct {
	seen   map[*schema.Schema]bool
	byName map[string]*mention // nil: described by the schema itself
	found  []*mention
}

// conditions collects from the conditional parts of a schema.
func (g *gatherer) conditions(s *schema.Schema) {
	for _, part := range []*schema.Schema{s.If, s.Then, s.Else} {
		g.schema(part)
	}
	for _, p := range s.DependentSchemas {
		g.schema(p.Schema)
	}
}

func (g *gatherer) schema(s *schema.Schema) {
	if s == nil || g.seen[s] {
		return
	}
	g.seen[s] = true
	for _, p := range s.Properties {
		m, known := g.byName[p.Name]
		if !known {
			m = &mention{name: p.Name, pos: p.Pos}
			g.byName[p.Name] = m
			g.found = append(g.found, m)
		}
		if m != nil {
			m.schemas = append(m.schemas, p.Schema)
		}
	}
	if s.Ref != nil {
		g.schema(s.Ref.Target)
	}
	for _, parts := range [][]*schema.Schema{s.AllOf, s.AnyOf, s.OneOf} {
		for _, part := range parts {
			g.schema(part)
		}
	}
	g.conditions(s)
}

// mentioned returns the type of a property that only conditions describe. If they agree
// on a type, it is that type; their constraints are rules. A value of another type is
// kept among the unknown properties.
func (b *builder) mentioned(n *ir.Named, m *mention) *ir.Type {
	var first *schema.Schema
	kind := ""
	for _, s := range m.schemas {
		switch k := b.kindName(s); {
		case k == "":
		case first == nil:
			first, kind = s, k
		case k != kind:
			b.list.Warnf(m.pos, "conditional-member", "the conditions disagree on the type of %s, so its Go type is any", finding.Quote(m.name)).
				SetHint("describe it under properties")
			return anything()
		}
	}
	if first == nil {
		return anything()
	}
	b.list.Warnf(m.pos, "conditional-member",
		"only a condition describes %s; if it is not %s, the value is kept among the unknown properties", finding.Quote(m.name), kind).
		SetHint("give its type under properties")
	bare := b.bare(first)
	t := b.typeOf([]*schema.Schema{bare}, b.graph.Node(bare), naming.Context{Parent: n, Property: m.name})
	if t.Kind == ir.Any {
		return anything() // its rules hold only where the condition does, which checks them
	}
	return t
}

// anyMember returns the type of a required property that only conditions describe: it
// is present whether they are met or not, so its type is any.
func (b *builder) anyMember(m *mention) *ir.Type {
	b.list.Warnf(m.pos, "conditional-member", "only a condition describes %s, which is always required, so its Go type is any", finding.Quote(m.name)).
		SetHint("give its type under properties")
	return anything()
}

func anything() *ir.Type { return &ir.Type{Kind: ir.Any, Nullable: true} }

// kindName returns the type of a property for a message, or "" if its schema has none.
func (b *builder) kindName(s *schema.Schema) string {
	form, _ := b.graph.Node(s).Settled()
	kind := form.Kinds.One()
	switch {
	case s.Bool != nil || kind == "" || form.Union != nil || len(form.Atoms) != 1:
		return ""
	case kind == "object" && len(form.Object().Members) > 0:
		return "the object of this schema"
	case kind == "string" && form.Text != nil && len(form.Text.Formats) == 1:
		if name := form.Text.Formats[0].Name; kindsOfFormats[name] != ir.Any {
			return "a " + name
		}
	}
	return schema.TypeText(kind)
}

// bare returns a schema without its constraints, which apply only if its condition
// does. An object keeps its constraints, which determine its type.
func (b *builder) bare(s *schema.Schema) *schema.Schema {
	form, _ := b.graph.Node(s).Settled()
	r := form.Atoms[0]
	if len(r.Properties) > 0 {
		return s
	}
	if bare := b.bared[r]; bare != nil {
		return bare
	}
	kind := form.Kinds.One()
	bare := &schema.Schema{
		Pos: r.Pos, Doc: r.Doc, Pointer: r.Pointer, Types: []string{kind}, Format: r.Format, ContentEncoding: r.ContentEncoding,
		At: map[string]finding.Pos{"type": r.Pos},
	}
	if form.Nullable {
		bare.Types = append(bare.Types, "null")
	}
	switch kind {
	case "array":
		bare.Items, bare.PrefixItems = r.Items, r.PrefixItems
	case "object":
		bare.AdditionalProperties, bare.PatternProperties = r.AdditionalProperties, r.PatternProperties
	}
	b.bared[r] = bare
	return bare
}
