package ir

import (
	"fmt"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// mention is a member that only conditional parts of a schema describe.
type mention struct {
	name    string
	pos     diag.Pos
	schemas []*schema.Schema // what they say of it
}

// mentions is the members of s that its conditional parts describe and its
// properties do not, in source order. A schema that types its other members, or
// forbids them, has none.
func (b *builder) mentions(s *schema.Schema) []*mention {
	if s.AdditionalProperties != nil && !isTrue(s.AdditionalProperties) {
		return nil
	}
	g := &gatherer{seen: map[*schema.Schema]bool{}, byName: map[string]*mention{}}
	for _, p := range s.Properties {
		g.byName[p.Name] = nil
	}
	for _, part := range b.partsOf(s) {
		g.conditions(part)
		for _, u := range unionsOf(part) {
			if b.ruled[part] == u.keyword {
				for _, branch := range u.branches {
					g.schema(branch)
				}
			}
		}
	}
	return g.found
}

type gatherer struct {
	seen   map[*schema.Schema]bool
	byName map[string]*mention // nil: described by the schema itself
	found  []*mention
}

// conditions looks into the conditional parts of a schema.
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

// mentioned is the field of a member that only conditions describe. Where they
// agree on a type it has that one; their constraints are rules. A value of
// another type is kept among the unknown members, unless the member is required:
// then there is no field that could lack it.
func (b *builder) mentioned(n *Named, m *mention, required bool) *Type {
	at := context{parent: n, property: m.name}
	var shaped []*schema.Schema
	for _, s := range m.schemas {
		if s.Bool == nil && b.shape(s) != "" {
			shaped = append(shaped, s)
		}
	}
	anything := &Type{Kind: Any, Nullable: true}
	if len(shaped) == 0 {
		return anything
	}
	first := shaped[0]
	kind := b.shape(first)
	if slices.ContainsFunc(shaped, func(s *schema.Schema) bool { return b.shape(s) != kind }) {
		b.list.Add(diag.Finding{
			Pos: m.pos, Severity: diag.Warning, ID: "conditional-member",
			Message: fmt.Sprintf("the conditions disagree on the type of %s, so it is a value of any type", diag.Quote(m.name)),
			Hint:    "describe it under properties",
		})
		return anything
	}
	message := "only a condition describes %s; where it is not %s, the value is kept among the unknown members"
	if required {
		message = "only a condition describes %s, which is required; it is taken as %s whether the condition is met or not"
	}
	b.list.Add(diag.Finding{
		Pos: m.pos, Severity: diag.Warning, ID: "conditional-member",
		Message: fmt.Sprintf(message, diag.Quote(m.name), kind),
		Hint:    "give its type under properties",
	})
	return b.typeOf(b.bare(first), at)
}

// shape is the type of a member as a message names it, "" where its schema
// says nothing of that.
func (b *builder) shape(s *schema.Schema) string {
	r := s.Resolved()
	if r == nil || r.Bool != nil || len(r.AllOf)+len(r.AnyOf)+len(r.OneOf) > 0 || r.Ref != nil {
		return ""
	}
	types := slices.DeleteFunc(slices.Clone(r.Types), func(t string) bool { return t == "null" })
	kind := ""
	switch values := valuesOf(r); {
	case len(types) == 1:
		kind = types[0]
	case len(types) > 1:
		return ""
	case len(values) > 0:
		if kind = values[0].Kind.String(); slices.ContainsFunc(values, func(v *schema.Value) bool { return v.Kind.String() != kind }) {
			return ""
		}
		if kind == "number" && !slices.ContainsFunc(values, func(v *schema.Value) bool { return !fits(v, "integer") }) {
			kind = "integer"
		}
	case len(r.Properties) > 0:
		kind = "object"
	default:
		return ""
	}
	switch kind {
	case "null":
		return ""
	case "object":
		return "the object of this schema"
	case "string":
		switch r.Format {
		case "date-time", "date", "time", "duration", "uuid", "guid", "byte":
			return "a " + r.Format
		}
	}
	return schema.TypeText(kind)
}

// bare is the shape of a schema without its constraints, which hold only where
// its condition does. An object keeps its own, which make its type.
func (b *builder) bare(s *schema.Schema) *schema.Schema {
	r := s.Resolved()
	if len(r.Properties) > 0 {
		return s
	}
	if bare := b.bared[r]; bare != nil {
		return bare
	}
	bare := &schema.Schema{Pos: r.Pos, Doc: r.Doc, Pointer: r.Pointer, Types: r.Types, Format: r.Format, ContentEncoding: r.ContentEncoding, At: map[string]diag.Pos{}}
	if len(bare.Types) == 0 {
		kind := valuesOf(r)[0].Kind.String()
		if kind == "number" && b.shape(r) == schema.TypeText("integer") {
			kind = "integer"
		}
		bare.Types = []string{kind}
	}
	switch {
	case slices.Contains(bare.Types, "array"):
		bare.Items, bare.PrefixItems = r.Items, r.PrefixItems
	case slices.Contains(bare.Types, "object"):
		bare.AdditionalProperties, bare.PatternProperties = r.AdditionalProperties, r.PatternProperties
	}
	b.bared[r] = bare
	return bare
}
