package schema

import (
	"fmt"
)

// enumNameWords are annotations in which tools name the values of an enum: those of
// OpenAPI's generators and of NJsonSchema.
var enumNameWords = []string{"x-enum-varnames", "x-enumNames"}

// enumNames reads the names of the enum's values from v, the source of s.
func (b *builder) enumNames(s *Schema, v *Value) {
	enum := v.member("enum")
	for _, word := range enumNameWords {
		m := v.member(word)
		switch {
		case m == nil:
			continue
		case m.Value.Kind != Array, enum == nil, enum.Value.Kind != Array, len(enum.Value.Items) != len(m.Value.Items):
			what := fmt.Sprintf("%s must be an array with one name for each value of the enum", word)
			b.list.Warnf(m.Pos, "enum-names", "%s; without it the constants are named after the values", what).
				SetHint("list one name for each value, in the same order")
			continue
		}
		for i, name := range m.Value.Items {
			if name.Kind != String {
				b.list.Warnf(name.Pos, "enum-names", "%s must list names, not %s; the constant is named after the value", word, name.Describe()).
					SetHint("quote the name")
				continue
			}
			if s.EnumNames == nil {
				s.EnumNames = map[string]string{}
			}
			if value := enum.Value.Items[i].Canonical(); s.EnumNames[value] == "" {
				s.EnumNames[value] = name.Text
			}
		}
	}
}
