package ir

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// listed is the type of a schema that lists its values: a constant where there
// is one, an enum where there are several.
func (b *builder) listed(s *schema.Schema, kind string, at context) *Type {
	values := b.fitting(s, kind)
	var t *Type
	switch {
	case len(values) == 0 && onlyNull(s):
		return &Type{Kind: Null}
	case len(values) == 0:
		return &Type{}
	case kind == "boolean" && len(values) == 2:
		t = &Type{Kind: Bool, Nullable: listsNull(s)} // each of them
	case len(values) == 1:
		t = b.constant(s, kind, values[0], at)
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
	case len(values) > 0 || null:
	default:
		b.list.Errorf(s.Pos, "never-valid", "none of the values listed is of type %s, so no value is valid", kind)
	}
	return values
}

// onlyNull reports whether null is the only value that a schema lists.
func onlyNull(s *schema.Schema) bool {
	if s.Const != nil {
		return s.Const.Kind == schema.Null
	}
	return len(s.Enum) > 0 && len(valuesOf(s)) == 0
}

// fits reports whether a value is of a JSON type.
func fits(v *schema.Value, kind string) bool {
	switch kind {
	case mixed:
		return true
	case "integer":
		return v.Kind == schema.NumberKind && isWhole(v.Text)
	}
	return v.Kind.String() == kind
}

// constant is the type of a schema with one value. A format gives no type of
// its own then: the value is compared as it is written.
func (b *builder) constant(s *schema.Schema, kind string, v *schema.Value, at context) *Type {
	t := &Type{}
	switch {
	case kind == "string":
		t.Kind = String
	case kind == "boolean":
		t.Kind = Bool
	case v.Kind == schema.NumberKind && kind == "integer" && isInt64(v):
		t.Kind = Int
	case v.Kind == schema.NumberKind && kind == "number" && exactFloat(v.Text):
		t.Kind = Float
	default:
		t = b.enum(s, kind, []*schema.Value{v}, at)
	}
	t.Const, t.Nullable = v, len(s.Enum) > 1 && listsNull(s)
	return t
}

// enum is a named type with one constant for each value.
func (b *builder) enum(s *schema.Schema, kind string, values []*schema.Value, at context) *Type {
	base := baseOf(kind, values)
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
	if n.Doc == "An enumeration." {
		n.Doc = "" // Python's words for an enum without any
	}
	seen := map[string]bool{}
	for _, v := range values {
		value := enumValue(base, v)
		value.Given = s.EnumNames[v.Canonical()]
		if len(values) == 1 && (v.Kind == schema.Object || v.Kind == schema.Array) {
			value.Name = "value"
		}
		if !seen[value.Literal] {
			seen[value.Literal] = true
			n.Enum = append(n.Enum, value)
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
func kindOfValues(values []*schema.Value) string {
	kind := values[0].Kind
	if slices.ContainsFunc(values, func(v *schema.Value) bool { return v.Kind != kind }) {
		return mixed
	}
	if kind != schema.NumberKind {
		return kind.String()
	}
	if slices.ContainsFunc(values, func(v *schema.Value) bool { return !fits(v, "integer") }) {
		return "number"
	}
	return "integer"
}
