package emit

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/rules"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// given returns the check that a writer has set a field: of a required UUID or time,
// whose zero value is a valid document and almost always a forgotten field. It is
// empty for every other field, and where the schema names the zero value itself.
func (p *printer) given(f *ir.Field, at string) []string {
	if !p.refuseZero || f.Conditional || !f.Required || p.shape(f) != plain || namesZero(f) {
		return nil
	}
	switch f.Type.Kind {
	case ir.UUID:
		return []string{"c.GivenUUID(v." + f.Name + behind(at) + ")"}
	case ir.DateTime:
		return []string{"c.GivenTime(v." + f.Name + behind(at) + ")"}
	}
	return nil
}

// namesZero reports whether the default of a field is the zero value of its type:
// then a field that was not set is what the schema asks for.
func namesZero(f *ir.Field) bool {
	if f.Default == nil || f.Default.Kind != schema.String {
		return false
	}
	if f.Type.Kind == ir.UUID {
		id, err := uuid.Parse(f.Default.Text)
		return err == nil && id == uuid.Nil
	}
	t, err := time.Parse(time.RFC3339Nano, f.Default.Text)
	return err == nil && t.IsZero()
}

// givenFields reports whether a writer must set a field of n.
func (p *printer) givenFields(n *ir.Named) bool {
	return slices.ContainsFunc(n.Fields, func(f *ir.Field) bool { return len(p.given(f, "")) > 0 })
}

// requiredAt returns where the keyword stands that requires a member: in the schema, what
// it refers to, or a part of its allOf; "" if it is in none of them.
func requiredAt(s *schema.Schema, name string, seen map[*schema.Schema]bool) string {
	if s == nil || seen[s] {
		return ""
	}
	seen[s] = true
	if s.Requires(name) {
		return rules.Place(s) + "/required"
	}
	parts := s.AllOf
	if s.Ref != nil {
		parts = append([]*schema.Schema{s.Ref.Target}, parts...)
	}
	for _, part := range parts {
		if at := requiredAt(part, name, seen); at != "" {
			return at
		}
	}
	return ""
}

// asksForValues reports whether the check of n, or of a value that it holds, asks
// whether a writer has set a field. A raw union keeps what was decoded.
func (p *printer) asksForValues(n *ir.Named) bool {
	known := func(n *ir.Named) bool { return n.Union == nil || !n.Union.Raw }
	asks := func(n *ir.Named) bool { return p.givenFields(n) || n.Holds != nil && len(p.given(held(n), "")) > 0 }
	if !known(n) {
		return false
	}
	if asks(n) {
		return true
	}
	for t := range n.Within(known) {
		if t.Named != nil && known(t.Named) && asks(t.Named) {
			return true
		}
	}
	return false
}
