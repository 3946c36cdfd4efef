package shape

import (
	"slices"
	"strconv"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// mixed is the kind of values of several JSON types.
const mixed = "mixed"

// listed returns the type of a form that lists its values: a constant for one value, an
// enum for several.
func (b *builder) listed(f *normal.Form, at naming.Context) *ir.Type {
	kind := f.Kinds.One()
	if kind == "" {
		kind = mixed
	}
	var t *ir.Type
	switch {
	case kind == "boolean" && len(f.Values) == 2:
		t = &ir.Type{Kind: ir.Bool}
	case len(f.Values) == 1:
		t = b.constant(f, kind, f.Values[0], at)
	default:
		t = b.enum(f, kind, f.Values, at)
	}
	t.Rules, t.Place = b.rulesOf(f.Residues()), b.place(f.Node)
	t.Origins = b.listOrigins(f, t)
	return t
}

// listOrigins returns the places of the keywords that list the values.
func (b *builder) listOrigins(f *normal.Form, t *ir.Type) map[string]string {
	o := b.originsOf(f.Node)
	keyword := "enum"
	if t.Const != nil {
		keyword = "const"
	}
	for _, a := range f.Atoms {
		switch {
		case a.Const != nil:
			o.noteAt(keyword, a, "const")
			return o.all
		case a.Enum != nil:
			o.noteAt(keyword, a, "enum")
			return o.all
		}
	}
	return o.all
}

// constant returns the type of a form with one value. A format has no effect on it,
// because the value is compared as written.
func (b *builder) constant(f *normal.Form, kind string, v *schema.Value, at naming.Context) *ir.Type {
	t := &ir.Type{}
	switch {
	case kind == "string":
		t.Kind = ir.String
	case kind == "boolean":
		t.Kind = ir.Bool
	case kind == "integer" && v.IsInt64() && !saysNumber(f):
		t.Kind = ir.Int
	case kind == "number" && jsonvalue.ExactFloat64(v.Text), kind == "integer" && saysNumber(f) && jsonvalue.ExactFloat64(v.Text):
		t.Kind = ir.Float
	default:
		t = b.enum(f, kind, []*schema.Value{v}, at)
	}
	t.Const = v
	return t
}

// saysNumber reports whether a schema has the type number, which integer values keep.
func saysNumber(f *normal.Form) bool {
	return slices.ContainsFunc(f.Atoms, func(a *schema.Schema) bool { return slices.Contains(a.Types, "number") }) &&
		!slices.ContainsFunc(f.Atoms, func(a *schema.Schema) bool { return slices.Contains(a.Types, "integer") })
}

// enum returns a named type with one constant for each value.
func (b *builder) enum(f *normal.Form, kind string, values []*schema.Value, at naming.Context) *ir.Type {
	node, s := f.Node, f.Node.Primary()
	t := &ir.Type{Kind: ir.Enum}
	if t.Named = b.named[node]; t.Named != nil {
		return t
	}
	key := b.scheme.Key(node, s, at)
	if t.Named = b.byKey[key]; t.Named != nil && t.Named.Enum != nil {
		b.named[node] = t.Named
		return t
	}
	n := newNamed(s, at)
	n.Base = baseOf(kind, values)
	if n.Doc == "An enumeration." {
		n.Doc = "" // Python's text for an enum without a description
	}
	names := namesOfValues(f)
	seen := map[string]bool{}
	for _, v := range values {
		value := enumValue(n.Base, v)
		value.Given = names[v.Canonical()]
		if len(values) == 1 && (v.Kind == schema.Object || v.Kind == schema.Array) {
			value.Name = "value"
		}
		if !seen[value.Literal] {
			seen[value.Literal] = true
			n.Enum = append(n.Enum, value)
		}
	}
	t.Named, b.named[node], b.byKey[key], b.inside[n] = n, n, n, node
	b.claim(n, at)
	return t
}

// namesOfValues returns the names that schemas give to values.
func namesOfValues(f *normal.Form) map[string]string {
	for _, a := range f.Atoms {
		if len(a.EnumNames) > 0 {
			return a.EnumNames
		}
	}
	return nil
}

// baseOf returns the base type of an enum: strings, integers, numbers, or JSON if none
// of these fits all values.
func baseOf(kind string, values []*schema.Value) ir.Kind {
	every := func(holds func(*schema.Value) bool) bool {
		return !slices.ContainsFunc(values, func(v *schema.Value) bool { return !holds(v) })
	}
	switch {
	case kind == "string":
		return ir.String
	case every((*schema.Value).IsInt64):
		return ir.Int
	case every(func(v *schema.Value) bool { return v.Kind == schema.NumberKind && jsonvalue.ExactFloat64(v.Text) }):
		return ir.Float
	}
	return ir.JSON
}

// enumValue returns the constant for a value. Its Name is the source of the constant's
// name.
func enumValue(base ir.Kind, v *schema.Value) ir.EnumValue {
	switch base {
	case ir.Int:
		literal, _ := jsonvalue.Int64(v.Text)
		return ir.EnumValue{Name: v.Text, Literal: literal}
	case ir.Float:
		return ir.EnumValue{Name: v.Text, Literal: jsonvalue.Float64(v.Text)}
	case ir.JSON:
		value := ir.EnumValue{Name: v.Text, Literal: strconv.Quote(v.Canonical())}
		switch v.Kind {
		case schema.Bool:
			value.Name = strconv.FormatBool(v.Bool)
		case schema.Array, schema.Object:
			value.Name = v.Canonical()
			if len(v.Items)+len(v.Members) == 0 {
				value.Name = "no " + v.Kind.String() // an empty one contains no word
			}
		case schema.NumberKind:
			value.Name = ir.NumberWord(v.Text)
		}
		return value
	}
	return ir.EnumValue{Name: v.Text, Literal: strconv.Quote(v.Text)}
}
