package ir

import (
	"maps"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// placeOf is where a schema stands, as a violation names it.
func (b *builder) placeOf(s *schema.Schema) string {
	if from := b.copied[s]; from != nil {
		s = from
	}
	return s.Doc.Path + "#" + s.Pointer
}

// origin is where a keyword of s stands.
func (b *builder) origin(s *schema.Schema, keyword string) string {
	if at := b.origins[s][keyword]; at != "" {
		return at
	}
	return b.placeOf(s) + "/" + keyword
}

// renamed notes that s has a keyword from another one.
func (b *builder) renamed(s *schema.Schema, keyword, at string) {
	all := maps.Clone(b.origins[s])
	if all == nil {
		all = map[string]string{}
	}
	all[keyword] = at
	b.origins[s] = all
}

// trace notes which keywords m, which was before, has from part.
func (b *builder) trace(m, before, part *schema.Schema) {
	now, then := b.identities(m), b.identities(before)
	for keyword, value := range now {
		if value == then[keyword] {
			continue
		}
		if b.origins[m] == nil {
			b.origins[m] = map[string]string{}
		}
		b.origins[m][keyword] = b.origin(part, keyword)
	}
}

// identities is the values of the keywords that a value is checked against, so
// that a change shows.
func (b *builder) identities(s *schema.Schema) map[string]any {
	var enum any
	if len(s.Enum) > 0 {
		enum = s.Enum[0]
	}
	return map[string]any{
		"minProperties": s.MinProperties, "maxProperties": s.MaxProperties, "minItems": s.MinItems, "maxItems": s.MaxItems,
		"uniqueItems": s.UniqueItems, "minLength": s.MinLength, "maxLength": s.MaxLength, "pattern": s.Pattern, "format": s.Format,
		"minimum": s.Minimum, "maximum": s.Maximum, "exclusiveMinimum": s.ExclusiveMinimum, "exclusiveMaximum": s.ExclusiveMaximum,
		"multipleOf": s.MultipleOf, "const": s.Const, "enum": enum,
	}
}
