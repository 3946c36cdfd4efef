package crossing

import (
	"reflect"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Large makes documents for the schemas of large sets, which refer to one
// another and to themselves. It makes the values of each schema once.
type Large struct{ maker *maker }

// NewLarge takes the root that references of all schemas lead into: each is a
// "#" with a JSON pointer.
func NewLarge(root any) *Large {
	return &Large{&maker{root: root, known: &known{made: map[uintptr][]any{}}}}
}

// How large documents get, in values.
const (
	lightest   = 40   // a member's value
	changeable = 1500 // a document that changes are made of
	changes    = 80   // of each such document
)

// Documents makes documents for one of the schemas, as the function of that name
// does.
func (l *Large) Documents(schema any, validator *jsonschema.Schema) ([][]byte, error) {
	c := &chosen{validator: validator, seen: map[string]bool{}}
	for _, v := range slices.Concat(l.maker.values(schema, 0), anything) {
		if err := c.add(v); err != nil {
			return nil, err
		}
	}
	return c.withChanges(func(v any) []any {
		if weight(v, changeable) >= changeable {
			return nil
		}
		return spread(mutations(v), changes)
	})
}

// known is the values that were made for each schema.
type known struct{ made map[uintptr][]any }

// values returns those of a schema, which makes makes. A schema within itself has
// none, so that members with it are left out.
func (k *known) values(schema any, makes func() []any) []any {
	s, ok := schema.(map[string]any)
	if !ok {
		return makes()
	}
	key := reflect.ValueOf(s).Pointer()
	if values, ok := k.made[key]; ok {
		return values
	}
	k.made[key] = nil
	values := makes()
	k.made[key] = values
	return values
}

// light returns the values that are small enough to be a member's, or the first one.
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

// weight returns how many values v consists of, or most when they are more.
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
