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
func (c *coder) given(f *ir.Field, at string) []string {
	if !c.refuseZero || f.Conditional || !f.Required || c.shape(f) != plain || namesZero(f) {
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
func (c *coder) givenFields(n *ir.Named) bool {
	return slices.ContainsFunc(n.Fields, func(f *ir.Field) bool { return len(c.given(f, "")) > 0 })
}

// requiredAt returns where the keyword stands that requires a member: in the schema, what
// it refers to, or a part of its allOf; "" if it is in none of them.
func requiredAt(s *schema.Schema, name string, seen map[*schema.Schema]bool) string {
	if s == nil || seen[s] {
		return ""
	}
	seen[s] = true
	if slices.ContainsFunc(s.Required, func(n schema.Name) bool { return n.Text == name }) {
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
// whether a writer has set a field.
func (c *coder) asksForValues(n *ir.Named, seen map[*ir.Named]bool) bool {
	if n == nil || seen[n] {
		return false
	}
	seen[n] = true
	if n.Union != nil {
		for _, branch := range n.Union.Branches {
			if !n.Union.Raw && c.asksForValues(branch.Named, seen) {
				return true
			}
		}
		return false
	}
	if c.givenFields(n) || n.Holds != nil && len(c.given(held(n), "")) > 0 {
		return true
	}
	for _, t := range n.Parts() {
		for ; t != nil; t = t.Elem {
			if c.asksForValues(t.Named, seen) {
				return true
			}
		}
	}
	return false
}
