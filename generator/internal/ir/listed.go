package ir

import (
	"slices"
	"strconv"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// listed is the type of a schema that lists its values: a constant where there
// is one, an enum where there are several.
func (b *builder) listed(s *schema.Schema, kind string, at context) *Type {
	values := b.fitting(s, kind)
	var t *Type
	switch {
	case len(values) == 0:
		return &Type{}
	case len(values) == 1:
		t = b.constant(s, kind, values[0])
	default:
		t = b.enum(s, kind, values, at)
	}
	t.Rules = b.rulesOf(s, b.unlisted(s, values)...)
	return t
}

// fitting is the values that a schema lists and its type allows, null left
// out.
func (b *builder) fitting(s *schema.Schema, kind string) []*schema.Value {
	listed := s.Enum
	if s.Const != nil {
		listed = []*schema.Value{s.Const}
		if s.Enum != nil && !slices.ContainsFunc(s.Enum, func(v *schema.Value) bool { return v.Canonical() == s.Const.Canonical() }) {
			b.list.Errorf(s.Const.Pos, "never-valid", "the enum does not list %s, so no value is valid", s.Const.Describe())
			return nil
		}
	}
	var values []*schema.Value
	null := false
	for _, v := range listed {
		switch {
		case v.Kind == schema.Null && (len(s.Types) == 0 || slices.Contains(s.Types, "null")):
			null = true
		case v.Kind == schema.Null && len(listed) > 1: // left over where a type stopped being nullable
			b.list.Warnf(v.Pos, "value-type", "null is not of type %s, so it is never valid", kind)
		case !fits(v, kind) && len(listed) > 1:
			b.list.Errorf(v.Pos, "value-type", "%s is listed, and is not of type %s, so it is never valid", v.Describe(), kind)
		case !fits(v, kind):
			b.list.Errorf(v.Pos, "never-valid", "%s is not of type %s, so no value is valid", v.Describe(), kind)
			return nil
		default:
			values = append(values, v)
		}
	}
	switch {
	case len(values) > 0:
	case null:
		b.unsupported(s, keywordOf(s), "a value that is always null")
	default:
		b.list.Errorf(s.Pos, "never-valid", "none of the values listed is of type %s, so no value is valid", kind)
	}
	return values
}

// keywordOf is the keyword that lists the values of a schema.
func keywordOf(s *schema.Schema) string {
	if s.Const != nil {
		return "const"
	}
	return "enum"
}

// fits reports whether a value is of a JSON type.
func fits(v *schema.Value, kind string) bool {
	if kind == "integer" {
		_, ok := wholeNumber(v.Text)
		return v.Kind == schema.NumberKind && ok
	}
	return v.Kind.String() == kind
}

// constant is the type of a schema with one value. A format gives no type of
// its own then: the value is compared as it is written.
func (b *builder) constant(s *schema.Schema, kind string, v *schema.Value) *Type {
	t := &Type{Const: v, Nullable: len(s.Enum) > 1 && listsNull(s)}
	switch kind {
	case "string":
		t.Kind = String
	case "boolean":
		t.Kind = Bool
	case "integer":
		t.Kind = Int
	case "number":
		t.Kind = Float
	}
	if t.Kind == Any || t.Kind == Float && NumberLiteral(v.Text, Float) == "" {
		b.unsupported(s, keywordOf(s), v.Describe()+" as the only value")
		return &Type{}
	}
	return t
}

// enum is a named type with one constant for each value.
func (b *builder) enum(s *schema.Schema, kind string, values []*schema.Value, at context) *Type {
	base := String
	switch {
	case kind == "string":
	case !slices.ContainsFunc(values, func(v *schema.Value) bool { return !fits(v, "integer") }):
		base = Int
	default:
		b.unsupported(s, "enum", "an enum of "+kind+"s")
		return &Type{}
	}
	t := &Type{Kind: Enum, Nullable: listsNull(s)}
	if t.Named = b.named[s]; t.Named != nil {
		return t
	}
	key := b.key(s, at)
	if t.Named = b.byKey[key]; t.Named != nil {
		b.named[s] = t.Named
		return t
	}
	n := &Named{Schema: s, Doc: s.Description, Deprecated: s.Deprecated, Base: base}
	seen := map[string]bool{}
	for _, v := range values {
		literal := strconv.Quote(v.Text)
		if base == Int {
			literal, _ = wholeNumber(v.Text)
		}
		if !seen[literal] {
			seen[literal] = true
			n.Enum = append(n.Enum, EnumValue{Name: v.Text, Literal: literal})
		}
	}
	t.Named, b.named[s], b.byKey[key] = n, n, n
	b.order = append(b.order, b.request(n, at))
	return t
}

// valuesOf is the values that a schema lists, null left out.
func valuesOf(s *schema.Schema) []*schema.Value {
	if s.Const != nil {
		return []*schema.Value{s.Const}
	}
	return slices.DeleteFunc(slices.Clone(s.Enum), func(v *schema.Value) bool { return v.Kind == schema.Null })
}

// kindOfValues is the JSON type of the values that a schema without a type
// lists.
func (b *builder) kindOfValues(s *schema.Schema, values []*schema.Value) (string, bool) {
	kind := values[0].Kind
	for _, v := range values {
		if v.Kind != kind {
			b.unsupported(s, "enum", "an enum of mixed types")
			return "", false
		}
	}
	if kind != schema.NumberKind {
		return kind.String(), true
	}
	if slices.ContainsFunc(values, func(v *schema.Value) bool { return !fits(v, "integer") }) {
		return "number", true
	}
	return "integer", true
}
