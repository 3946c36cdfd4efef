package shape_test

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/shape"
)

// With validation: spec a Go type accepts every number that the schema allows, with any
// size and digits. A format or an encoding gives no type, and a constraint implies
// none.
func TestTypesBySpecification(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]ir.Kind{ // strict, spec
		`{"type": "integer"}`:                                                {ir.Int, ir.BigInt},
		`{"type": "integer", "minimum": 0}`:                                  {ir.Int, ir.BigInt},
		`{"type": "integer", "minimum": 0, "maximum": 100}`:                  {ir.Int, ir.Int},
		`{"type": "integer", "minimum": -10, "exclusiveMaximum": 10}`:        {ir.Int, ir.Int},
		`{"type": "integer", "minimum": 0, "maximum": 18446744073709551615}`: {ir.Uint, ir.Uint},
		`{"type": "integer", "minimum": 0, "maximum": 18446744073709551616}`: {ir.BigInt, ir.BigInt},
		`{"type": "integer", "format": "int32"}`:                             {ir.Int, ir.BigInt},
		`{"type": "number"}`:                                                 {ir.Float, ir.Number},
		`{"type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.1}`:  {ir.Float, ir.Number},
		`{"type": "string", "format": "date-time"}`:                          {ir.DateTime, ir.String},
		`{"type": "string", "format": "email"}`:                              {ir.String, ir.String},
		`{"type": "string", "contentEncoding": "base64"}`:                    {ir.Bytes, ir.String},
		`{"minimum": 1}`:        {ir.Float, ir.Any},
		`{"maxLength": 1}`:      {ir.String, ir.Any},
		`{"format": "date"}`:    {ir.Date, ir.Any},
		`{"uniqueItems": true}`: {ir.Slice, ir.Any},
		`{"minProperties": 1}`:  {ir.Object, ir.Any},
		`{"allOf": [{"type": "integer"}, {"minimum": 0}, {"maximum": 3}]}`:       {ir.Int, ir.Int},
		`{"type": ["integer", "null"], "description": "beside null as without"}`: {ir.Int, ir.BigInt},
	} {
		got := [2]ir.Kind{kindOf(t, "strict", text), kindOf(t, "spec", text)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// A number has the type that the project file gives it, although the schema allows
// numbers that this type cannot hold.
func TestTypesOfTheProjectFile(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text     string
		settings []string
		want     ir.Kind
	}{
		{`{"type": "integer"}`, []string{"validation: spec", "types: {integer: int64}"}, ir.Int},
		{`{"type": "number"}`, []string{"validation: spec", "types: {number: float64}"}, ir.Float},
		{`{"type": "number", "minimum": 0.1}`, []string{"validation: spec", "types: {number: float64}"}, ir.Float},
		{`{"type": "integer", "format": "uint64", "minimum": 0, "maximum": 18446744073709551615}`, []string{"types: {uint64: int64}"}, ir.Int},
		{`{"type": "integer", "format": "big", "minimum": 0, "maximum": 18446744073709551616}`, []string{"types: {big: int64}"}, ir.Int},
	} {
		if got, _ := typesOf(t, tc.text, tc.settings...); got.Kind != tc.want {
			t.Errorf("%s with %v has the kind %v, want %v", tc.text, tc.settings, got.Kind, tc.want)
		}
	}
}

// kindOf returns the kind of the property a with this schema.
func kindOf(t *testing.T, validation, text string) ir.Kind {
	t.Helper()
	p, list, err := schema.LoadFS(fstest.MapFS{
		"outboxgen.yaml": {Data: []byte("version: 1\nservice: a\nout: events\nvalidation: " + validation + "\nevents:\n  - {schema: a.json, name: A, version: 1, type: a.v1, aggregate: {type: a}}\n")},
		"a.json":         {Data: []byte(`{"type": "object", "properties": {"a": ` + text + `}}`)},
	}, "outboxgen.yaml")
	if err != nil || list.HasErrors() {
		t.Fatal(text, err, list.Sorted())
	}
	types := shape.Of(p, naming.NewScheme(p), &finding.List{})
	return types.Package.Events[0].Data.Fields[0].Type.Kind
}
