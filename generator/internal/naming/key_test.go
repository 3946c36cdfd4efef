package naming

import (
	"reflect"
	"testing"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// saysNothing are the fields in which two schemas of one type may differ: their places,
// and what no Go type shows.
var saysNothing = map[string]string{
	"Pos": "a place", "Doc": "a place", "Pointer": "a place", "Variant": "a place", "ID": "a place", "Anchor": "a place", "DynamicAnchor": "a place",
	"At": "places", "Defs": "what is used is referred to", "BaseOf": "its branches are written",
	"ReadOnly": "an annotation", "WriteOnly": "an annotation", "Examples": "an annotation", "ContentMediaType": "an annotation",
	"ContentSchema": "an annotation", "EnumNames": "said of each value",
	"Outbox": "of events", "Marks": "of reviews",
}

// Two schemas that differ in something that the type shows are two types.
func TestEveryKeywordTellsTypesApart(t *testing.T) {
	t.Parallel()
	plain := &schema.Schema{}
	fields := reflect.TypeFor[schema.Schema]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		if saysNothing[name] != "" {
			continue
		}
		s := &schema.Schema{}
		fill(reflect.ValueOf(s).Elem().Field(i))
		if written(s) == written(plain) {
			t.Errorf("%s makes no difference", name)
		}
	}
}

// fill sets a field to something that is not zero.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Struct:
		if schema := v.FieldByName("Schema"); schema.IsValid() {
			fill(schema)
		}
	}
}

// Without enum is not the same as an empty enum. Another mapping of a discriminator
// makes another type.
func TestSmallDifferencesTellTypesApart(t *testing.T) {
	t.Parallel()
	cat, dog := &schema.Schema{Title: "Cat"}, &schema.Schema{Title: "Dog"}
	mapped := func(property, value string, target *schema.Schema) *schema.Schema {
		return &schema.Schema{OneOf: []*schema.Schema{cat, dog}, Discriminator: &schema.Discriminator{
			PropertyName: schema.Name{Text: property}, Mapping: []schema.Name{{Text: value}}, Targets: []*schema.Schema{target},
		}}
	}
	called := func(name string) *schema.Schema { // a branch without a mapping is identified by the name of its definition
		definition := &schema.Schema{Title: "Cat", Pointer: "/$defs/" + name}
		inner := &schema.Schema{OneOf: []*schema.Schema{{Ref: &schema.Ref{Target: definition}}}}
		return &schema.Schema{AnyOf: []*schema.Schema{inner}, Discriminator: &schema.Discriminator{PropertyName: schema.Name{Text: "kind"}}}
	}
	all := map[string]*schema.Schema{
		"no enum": {}, "an empty enum": {Enum: []*schema.Value{}},
		"an enum":   {Enum: []*schema.Value{{Text: "1", Kind: schema.NumberKind}}},
		"names":     {Enum: []*schema.Value{{Text: "1", Kind: schema.NumberKind}}, EnumNames: map[string]string{"1": "One"}},
		"an object": {At: map[string]finding.Pos{"properties": {}}}, "an array": {At: map[string]finding.Pos{"uniqueItems": {}}},
		"no discriminator": {OneOf: []*schema.Schema{cat, dog}},
		"a cat by kind":    mapped("kind", "x", cat), "a dog by kind": mapped("kind", "x", dog),
		"a cat by type": mapped("type", "x", cat), "another cat by kind": mapped("kind", "y", cat),
		"a cat by its name": called("Cat"), "a cat by another name": called("Kitty"), "a cat by its name, inside": {AnyOf: []*schema.Schema{called("Cat")}},
	}
	seen := map[string]string{}
	for name, s := range all {
		text := written(s)
		if other := seen[text]; other != "" {
			t.Errorf("%s is as %s", name, other)
		}
		seen[text] = name
	}
}

func written(s *schema.Schema) string {
	w := writer{most: maxKeyed}
	w.schema(s)
	return w.String()
}
