package ir

import (
	"maps"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// merge is s with its allOf, and with a $ref that has other keywords beside
// it, folded into one schema. What cannot be folded is reported.
func (b *builder) merge(s *schema.Schema) *schema.Schema {
	if len(s.AllOf) == 0 && s.Ref == nil {
		return s
	}
	if m := b.merged[s]; m != nil {
		return m
	}
	m := *s
	m.AllOf, m.Ref = nil, nil
	m.At = maps.Clone(s.At)
	b.merged[s] = &m // a schema that is part of itself adds nothing
	if n := b.combined[s]; n > 0 {
		b.combined[&m] = n
	}
	parts := slices.Clone(s.AllOf)
	if s.Ref != nil && s.Ref.Target != nil {
		parts = append([]*schema.Schema{s.Ref.Target}, parts...)
	}
	open, folded, seen := 0, []*schema.Schema{s}, map[*schema.Schema]bool{s: true}
	for _, part := range parts {
		p := b.resolve(part)
		if p == nil || p == &m {
			continue
		}
		if p.Bool != nil {
			if !*p.Bool {
				b.list.Errorf(part.Pos, "never-valid", "no value is valid here, so there is no Go type for it")
			}
			continue
		}
		for _, u := range unionsOf(p) {
			if !b.isRule(&m, p, u.branches) {
				b.unsupported(part, "allOf", "a union inside allOf")
			}
		}
		if closes(p) && (len(parts) > 1 || len(m.Properties) > 0) {
			open++
		}
		for _, q := range b.partsOf(p) {
			if !seen[q] {
				seen[q] = true
				folded = append(folded, q)
			}
		}
		before := m
		b.fold(&m, p)
		b.trace(&m, &before, p)
	}
	b.parts[&m] = folded
	b.hidden(s, &m)
	if open > 0 {
		b.list.Add(diag.Finding{
			Pos: at(s, "allOf"), ID: "all-of-conflict",
			Message: "a part of this combination closes its object, so it forbids the members of the other parts",
			Hint:    "move additionalProperties: false out of the parts, and write unevaluatedProperties: false beside allOf",
		})
	}
	return &m
}

// hidden warns of the properties of parts that additionalProperties: false of s
// forbids: it sees those of s alone.
func (b *builder) hidden(s, m *schema.Schema) {
	pos, written := s.At["additionalProperties"]
	if !written || !isFalse(s.AdditionalProperties) || !b.narrower(m, s) {
		return
	}
	for _, p := range m.Properties {
		if property(s, p.Name) != nil || isFalse(p.Schema) || slices.ContainsFunc(b.matchers(s), func(m matcher) bool { return m.re.MatchString(p.Name) }) {
			continue
		}
		b.list.Add(diag.Finding{
			Pos: pos, Severity: diag.Warning, ID: "part-not-seen",
			Message: "additionalProperties: false forbids " + diag.Quote(p.Name) + ", which another part of this combination describes",
			Hint:    "write unevaluatedProperties: false, which sees the properties of all parts",
		})
		return
	}
}

// sole is the only part of an allOf that says anything of values, where nothing
// but annotations stands beside it, or nil: such a schema is that part.
func sole(s *schema.Schema) *schema.Schema {
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
	return s.Bool == nil && s.Ref == nil && !s.SaysMore()
}

// fold takes the keywords of part into m.
func (b *builder) fold(m, part *schema.Schema) {
	b.foldTypes(m, part)
	m.Description = first(m.Description, part.Description)
	m.Deprecated = m.Deprecated || part.Deprecated
	if m.Default == nil {
		m.Default = part.Default
	}
	b.foldValues(m, part)
	m.Properties = b.foldProperties(m.Properties, part.Properties)
	m.PatternProperties = b.foldProperties(m.PatternProperties, part.PatternProperties)
	m.Required = append(slices.Clip(m.Required), part.Required...)
	if m.AdditionalProperties == nil {
		m.AdditionalProperties = part.AdditionalProperties
	} else if part.AdditionalProperties != nil && part.AdditionalProperties.Bool == nil {
		m.AdditionalProperties = part.AdditionalProperties
	}
	if m.UnevaluatedProperties == nil {
		m.UnevaluatedProperties = part.UnevaluatedProperties
	}
	b.foldItems(m, part)
	m.UniqueItems = m.UniqueItems || part.UniqueItems
	m.Format = first(m.Format, part.Format)
	m.ContentEncoding = first(m.ContentEncoding, part.ContentEncoding)
	if m.Pattern == nil {
		m.Pattern = part.Pattern
	} else if part.Pattern != nil && part.Pattern.Text != m.Pattern.Text {
		b.list.Warnf(part.Pattern.Pos, "pattern-not-checked", "a second pattern on the same value is not checked")
	}
	for _, bound := range []struct {
		into  **schema.Number
		from  *schema.Number
		lower bool
	}{
		{&m.MinProperties, part.MinProperties, true}, {&m.MaxProperties, part.MaxProperties, false},
		{&m.MinItems, part.MinItems, true}, {&m.MaxItems, part.MaxItems, false},
		{&m.MinLength, part.MinLength, true}, {&m.MaxLength, part.MaxLength, false},
		{&m.Minimum, part.Minimum, true}, {&m.Maximum, part.Maximum, false},
		{&m.ExclusiveMinimum, part.ExclusiveMinimum, true}, {&m.ExclusiveMaximum, part.ExclusiveMaximum, false},
	} {
		*bound.into = tighter(*bound.into, bound.from, bound.lower)
	}
	switch {
	case m.MultipleOf == nil:
		m.MultipleOf = part.MultipleOf
	case part.MultipleOf != nil && part.MultipleOf.Text != m.MultipleOf.Text:
		b.list.Errorf(part.MultipleOf.Pos, "all-of-conflict", "two different multipleOf on the same value are not supported here yet")
	}
	for keyword, pos := range part.At {
		if _, ok := m.At[keyword]; !ok {
			m.At[keyword] = pos
		}
	}
}

// tooManyCombinations reports, once, that s would be one too many.
func (b *builder) tooManyCombinations(s *schema.Schema) {
	if b.tooMany {
		return
	}
	b.tooMany = true
	b.list.Add(diag.Finding{
		Pos: s.Pos, ID: "too-many-combinations",
		Message: "the parts of an allOf describe the same recursive properties, and combine in more ways than there can be Go types",
		Hint:    "describe each of these properties in one part only",
	})
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// tighter is the stricter of two bounds.
func tighter(a, b *schema.Number, lower bool) *schema.Number {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	x, y := rational(a.Text), rational(b.Text)
	if x == nil || y == nil || (x.Cmp(y) >= 0) == lower {
		return a
	}
	return b
}

// foldTypes leaves the types that both allow.
func (b *builder) foldTypes(m, part *schema.Schema) {
	if len(m.Types) == 0 {
		m.Types = part.Types
		return
	}
	if len(part.Types) == 0 {
		return
	}
	var both []string
	for _, t := range m.Types {
		switch {
		case slices.Contains(part.Types, t):
			both = append(both, t)
		case t == "number" && slices.Contains(part.Types, "integer"):
			both = append(both, "integer")
		case t == "integer" && slices.Contains(part.Types, "number"):
			both = append(both, "integer")
		}
	}
	if len(both) == 0 {
		b.list.Errorf(at(part, "type"), "all-of-conflict", "the parts of this combination want different types, so no value is valid")
		return
	}
	m.Types = both
}

// foldValues leaves the values that both allow.
func (b *builder) foldValues(m, part *schema.Schema) {
	if m.Const == nil {
		m.Const = part.Const
	} else if part.Const != nil && part.Const.Canonical() != m.Const.Canonical() {
		b.list.Errorf(part.Const.Pos, "all-of-conflict", "the parts of this combination want different constants, so no value is valid")
	}
	if m.Enum == nil {
		m.Enum, m.EnumNames = part.Enum, part.EnumNames
		return
	}
	if part.Enum == nil {
		return
	}
	var both []*schema.Value
	for _, v := range m.Enum {
		if slices.ContainsFunc(part.Enum, func(w *schema.Value) bool { return w.Canonical() == v.Canonical() }) {
			both = append(both, v)
		}
	}
	if len(both) == 0 {
		b.list.Errorf(at(part, "enum"), "all-of-conflict", "the parts of this combination share no value of their enums, so no value is valid")
		return
	}
	m.Enum = both
}
