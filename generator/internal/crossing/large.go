package crossing

import (
	"reflect"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Large makes documents for large sets of schemas that refer to each other. It makes
// the values of each schema once.
type Large struct{ maker *maker }

// NewLarge takes the root for all references, each of which is "#" with a JSON Pointer.
func NewLarge(root any) *Large {
	return &Large{&maker{root: root, known: known{}}}
}

// The size of large documents, in values.
const (
	lightest   = 40   // a member's value
	changeable = 1500 // a document that changes are made of
	changes    = 80   // of each such document
)

// Documents makes documents for one of the schemas, like the function Documents.
func (l *Large) Documents(schema any, validator *jsonschema.Schema) ([][]byte, error) {
	return l.maker.documents(schema, validator, func(v any) []any {
		if weight(v, changeable) >= changeable {
			return nil
		}
		return spread(mutations(v), changes)
	})
}

// known is the values that were made for each schema.
type known map[uintptr][]any

// values returns the values of a schema, which makes makes. A schema within itself has
// none, so that properties with it are left out.
func (k known) values(schema any, makes func() []any) []any {
	s, ok := schema.(map[string]any)
	if !ok {
		return makes()
	}
	key := reflect.ValueOf(s).Pointer()
	values, ok := k[key]
	if !ok {
		k[key] = nil
		values = makes()
		k[key] = values
	}
	return values
}

// light returns the values that are small enough for a property, or the first one.
func (m *maker) light(values []any) []any {
	if m.known == nil {
		return values
	}
	var out []any
	for _, v := range values {
		if weight(v, lightest) < lightest {
			out = append(out, v)
		}
	}
	if len(out) == 0 && len(values) > 0 {
		return []any{slices.MinFunc(values, func(a, b any) int { return weight(a, changeable) - weight(b, changeable) })}
	}
	return spread(out, widest)
}

// weight returns the number of values in v, at most most.
func weight(v any, most int) int {
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for _, member := range v {
			if n += weight(member, most); n >= most {
				return most
			}
		}
	case []any:
		for _, item := range v {
			if n += weight(item, most); n >= most {
				return most
			}
		}
	}
	return n
}
