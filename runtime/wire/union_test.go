package wire_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/wire"
)

// tags is what the look-ahead of a decoder finds, and the value that it reads
// afterwards.
type tags struct {
	Text   string
	Int    int64
	IsInt  bool
	Bool   bool
	IsBool bool
	Deep   string
	First  string
	Value  any
}

func look(d *wire.Decoder) tags {
	var t tags
	t.Text = d.StringAt("tag")
	t.Int, t.IsInt = d.IntAt("tag")
	t.Bool, t.IsBool = d.BoolAt("tag")
	t.Deep = d.StringAt("a", "b")
	t.First = d.FirstOf("y", "x")
	t.Value = d.Any()
	return t
}

// Looking ahead consumes nothing, and finds exactly the members of the value.
func TestLookAhead(t *testing.T) {
	t.Parallel()
	object := func(members ...any) any {
		m := map[string]any{}
		for i := 0; i < len(members); i += 2 {
			m[members[i].(string)] = members[i+1]
		}
		return m
	}
	for document, want := range map[string]tags{
		`{ "x":1,"tag":"one"}`:         {Text: "one", First: "x", Value: object("x", json.Number("1"), "tag", "one")},
		`{"t\u0061g":"\u00e5"}`:        {Text: "å", Value: object("tag", "å")},
		`{"tag":2}`:                    {Int: 2, IsInt: true, Value: object("tag", json.Number("2"))},
		`{"tag":2.5}`:                  {Int: 0, Value: object("tag", json.Number("2.5"))},
		`{"tag":false}`:                {IsBool: true, Value: object("tag", false)},
		`{"a":{"c":[{}],"b":"deep"}}`:  {Deep: "deep", Value: object("a", object("c", []any{object()}, "b", "deep"))},
		`{"a":["b"],"x":0,"y":{}}`:     {First: "y", Value: object("a", []any{"b"}, "x", json.Number("0"), "y", object())},
		`{"tag":null}`:                 {Value: object("tag", nil)},
		`["tag"]`:                      {Value: []any{"tag"}},
		`"tag"`:                        {Value: "tag"},
		`{"tag":"first","tag":"last"}`: {Text: "last", Value: object("tag", "last")},
	} {
		var got tags
		if err := wire.Unmarshal([]byte(document), &got, "tags", look); err != nil {
			t.Errorf("%s: %v", document, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", document, diff)
		}
	}
}

// Invalid JSON is reported once, by the reading and not by the look-ahead.
func TestLookAheadInBrokenDocuments(t *testing.T) {
	t.Parallel()
	for _, document := range []string{``, `{`, `{"tag"`, `{"tag":`, `{"tag":"a`, `{"tag":"a",}`, `{"x":[}`, `{"tag":tru}`, `{"a":{"b":"c"`} {
		var got tags
		var decode *wire.DecodeError
		if err := wire.Unmarshal([]byte(document), &got, "tags", look); !errors.As(err, &decode) || len(decode.Violations) != 1 {
			t.Errorf("%s: %v, want one violation", document, err)
		}
	}
}

// number is a union with one branch, which stands for all.
type number int64

func (v number) MarshalJSON() ([]byte, error)  { return wire.Encode(&v, v.encode) }
func (v number) Validate() error               { return wire.Validate(&v, v.check) }
func (v number) encode(e *wire.Encoder)        { e.Int(int64(v)) }
func (v number) check(c *wire.Checker)         { wire.Minimum(c, v, 1) }
func (v *number) UnmarshalJSON(b []byte) error { return wire.DecodeInt(b, v) }

type numeric interface {
	wire.Value
	encode(*wire.Encoder)
	check(*wire.Checker)
}

// maybe is a value that may be absent.
type maybe struct {
	value numeric
	there bool
}

func (m maybe) Get() (numeric, bool) { return m.value, m.there }

// Every item, member and value is checked with its own pointer.
func TestChecksOfParts(t *testing.T) {
	t.Parallel()
	union := wire.NewUnion(numeric.encode, numeric.check, "s.json#/u", "oneOf", "a number")
	check := func(checks func(c *wire.Checker)) []string {
		var c wire.Checker
		checks(c.Schema("s.json#"))
		var invalid *wire.ValidationError
		var found []string
		if errors.As(c.Err("T"), &invalid) {
			for _, v := range invalid.Violations {
				found = append(found, v.Pointer+" "+v.Schema)
			}
		}
		return found
	}
	got := map[string][]string{
		"union, items":    check(func(c *wire.Checker) { union.CheckItems(c, []numeric{number(1), number(0), nil}, "a") }),
		"union, values":   check(func(c *wire.Checker) { union.CheckValues(c, map[string]numeric{"x": number(0), "y": number(2)}) }),
		"union, nullable": check(func(c *wire.Checker) { union.CheckNullable(c, maybe{number(0), true}, "a") }),
		"union, null":     check(func(c *wire.Checker) { union.CheckNullable(c, maybe{}, "a") }),
		"items":           check(func(c *wire.Checker) { wire.CheckItems(c, []number{0, 1, -1}, (*number).check, "a", "b") }),
		"values":          check(func(c *wire.Checker) { wire.CheckValues(c, map[string]number{"x": 0}, (*number).check) }),
		"none":            check(func(c *wire.Checker) { wire.CheckItems(c, nil, (*number).check); union.CheckValues(c, nil) }),
	}
	want := map[string][]string{
		"union, items":    {"/a/1 s.json#/u/minimum", "/a/2 s.json#/u/oneOf"},
		"union, values":   {"/x s.json#/u/minimum"},
		"union, nullable": {"/a s.json#/u/minimum"},
		"union, null":     nil,
		"items":           {"/a/b/0 s.json#/properties/a/properties/b/items/minimum", "/a/b/2 s.json#/properties/a/properties/b/items/minimum"},
		"values":          {"/x s.json#/properties/x/minimum"},
		"none":            nil,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}
