package crossing

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The size of a set of documents: enough of both kinds to find a difference, and few
// enough to make them for thousands of schemas.
const (
	validDocuments   = 14
	invalidDocuments = 22
)

// Documents makes documents for a schema: values that it requires, values at its
// bounds, and changes of one thing at a time. The validator classifies them, so that
// valid and invalid ones are included, in an order that depends only on the schema.
func Documents(schema []byte, validator *jsonschema.Schema) ([][]byte, error) {
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, err
	}
	return (&maker{root: root}).documents(root, validator, mutations)
}

func (m *maker) documents(schema any, validator *jsonschema.Schema, changes func(v any) []any) ([][]byte, error) {
	c := &chosen{validator: validator, seen: map[string]bool{}}
	for _, v := range slices.Concat(m.values(schema, 0), anything) {
		if err := c.add(v); err != nil {
			return nil, err
		}
	}
	return c.withChanges(changes)
}

// chosen are documents that the validator has classified.
type chosen struct {
	validator      *jsonschema.Schema
	valid, invalid [][]byte
	seen           map[string]bool
}

func (c *chosen) add(v any) error {
	text, err := json.Marshal(v)
	if err != nil || c.seen[string(text)] {
		return err
	}
	c.seen[string(text)] = true
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	if c.validator.Validate(instance) == nil {
		c.valid = append(c.valid, text)
	} else {
		c.invalid = append(c.invalid, text)
	}
	return nil
}

// withChanges adds changes of some valid documents, and returns a choice of
// both kinds.
func (c *chosen) withChanges(changes func(v any) []any) ([][]byte, error) {
	for _, text := range spread(c.valid, 4) {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		for _, changed := range changes(v) {
			if err := c.add(changed); err != nil {
				return nil, err
			}
		}
	}
	return append(spread(c.valid, validDocuments), spread(c.invalid, invalidDocuments)...), nil
}

// spread returns at most n of the elements, evenly distributed.
func spread[T any](all []T, n int) []T {
	if len(all) <= n {
		return slices.Clone(all)
	}
	out := make([]T, n)
	for i := range out {
		out[i] = all[i*len(all)/n]
	}
	return out
}

// anything is a value of every JSON type, and some that implementations of JSON
// get wrong.
var anything = []any{
	nil, true, false, json.Number("0"), json.Number("1"), json.Number("1.0"), json.Number("-1"), json.Number("1.5"), json.Number("9007199254740993"),
	json.Number("18446744073709551616"), "", "a", "åäö", "é\u2028<&>", []any{}, []any{nil}, []any{"a", "a"}, map[string]any{}, map[string]any{"x": "y"},
}

// others are the replacements for a property's value.
var others = []any{nil, true, "zz", json.Number("7"), json.Number("-0.5"), []any{}, []any{"a"}, map[string]any{}, map[string]any{"x": json.Number("1")}}

// mutations returns changed copies of v, one for each change at every place: one
// property less, one more, another value, an array doubled or cut.
func mutations(v any) []any {
	var out []any
	var walk func(v any, put func(any))
	walk = func(v any, put func(any)) {
		for _, other := range others {
			put(other)
		}
		switch v := v.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				less := maps.Clone(v)
				delete(less, name)
				put(less)
				walk(v[name], func(other any) {
					changed := maps.Clone(v)
					changed[name] = other
					put(changed)
				})
			}
			for _, name := range []string{"added", "x-added"} {
				with := maps.Clone(v)
				with[name] = json.Number("1")
				put(with)
			}
		case []any:
			put(append(slices.Clone(v), v...))
			if len(v) > 0 {
				put(v[:len(v)-1])
			}
			put(append(slices.Clone(v), map[string]any{"deep": nil}))
			for i := range v {
				walk(v[i], func(other any) {
					changed := slices.Clone(v)
					changed[i] = other
					put(changed)
				})
			}
		case string:
			put(v + v)
			put(v + "å")
		}
	}
	walk(v, func(changed any) { out = append(out, changed) })
	return out
}
