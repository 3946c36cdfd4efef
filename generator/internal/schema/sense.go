package schema

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
)

// kinds has the types of values that a keyword applies to. For other types it is
// allowed and has no effect.
var kinds = []struct {
	plural   string
	types    []string
	keywords []string
}{
	{"strings", []string{"string"}, []string{"minLength", "maxLength", "pattern", "contentEncoding", "contentMediaType", "contentSchema"}},
	{"numbers", []string{"integer", "number"}, []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}},
	{"arrays", []string{"array"}, []string{
		"items", "prefixItems", "additionalItems", "unevaluatedItems", "contains", "minContains", "maxContains",
		"minItems", "maxItems", "uniqueItems",
	}},
	{"objects", []string{"object"}, []string{
		"properties", "patternProperties", "additionalProperties", "unevaluatedProperties", "propertyNames", "required",
		"minProperties", "maxProperties", "dependentRequired", "dependentSchemas", "dependencies",
	}},
}

// sense reports keywords that contradict the schema's own type: keywords for values of
// another type, and impossible values in default and examples.
func (b *builder) sense(s *Schema) {
	if len(s.Types) == 0 {
		return
	}
	for _, kind := range kinds {
		if slices.ContainsFunc(kind.types, func(t string) bool { return slices.Contains(s.Types, t) }) {
			continue
		}
		for _, keyword := range kind.keywords {
			if pos, ok := s.At[keyword]; ok {
				b.list.Warnf(pos, "ignored-keyword", "ignored: %s is for %s, but this is %s", keyword, kind.plural, TypeText(s.Types...))
			}
		}
	}
	if v := s.Default; v != nil && v.Kind != Null && !v.Is(s.Types) {
		b.list.Warnf(v.Pos, "value-type", "default %s is not %s; it is not applied", v.Short(), TypeText(s.Types...))
	}
	for _, v := range s.Examples {
		if !v.Is(s.Types) {
			b.list.Warnf(v.Pos, "value-type", "the example %s is not %s", v.Short(), TypeText(s.Types...))
		}
	}
}

// TypeText returns types of JSON Schema for a sentence: "an integer or null".
func TypeText(types ...string) string {
	var names []string
	for _, t := range types {
		switch t {
		case "null":
			names = append(names, "null")
		case "integer", "object", "array":
			names = append(names, "an "+t)
		default:
			names = append(names, "a "+t)
		}
	}
	return strings.Join(names, " or ")
}

// Is reports whether v is of one of the types of JSON Schema.
func (v *Value) Is(types []string) bool {
	if slices.Contains(types, v.Kind.String()) {
		return true
	}
	return v.Kind == NumberKind && slices.Contains(types, "integer") && jsonvalue.IsWhole(v.Text)
}

// Short returns the value, cut to fit into a message.
func (v *Value) Short() string {
	switch v.Kind {
	case NumberKind:
		return v.Text
	case String:
		return finding.Quote(v.Text)
	case Array:
		return "[…]"
	case Object:
		return "{…}"
	default:
		return v.Describe()
	}
}
