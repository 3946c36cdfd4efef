package shape

import (
	"fmt"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
)

// unlikeTags looks for a property that every branch requires, with constants of its own,
// and that is no tag only because of the types of these constants. It returns why that
// is so, and what to do; "" if there is none.
func unlikeTags(objects []*branch) (why, hint string) {
	for _, name := range requiredOf(objects[0].form) {
		distinct, kinds := constantsOf(objects, name)
		property := finding.Quote(name)
		switch {
		case !distinct:
			continue
		case kinds[ir.Any]:
			why = fmt.Sprintf("some constants of the property %s are not strings, booleans or integers of 64 bits", property)
		default:
			why = fmt.Sprintf("the constants of the property %s are of different types", property)
		}
		return why, fmt.Sprintf("give %s constants of one type in all branches: strings, booleans or integers", property)
	}
	return "", ""
}

// constantsOf returns the kinds of the constants of a property, Any for null and for what
// can be no tag. distinct is true if every branch requires the property and lists other
// values for it.
func constantsOf(objects []*branch, name string) (distinct bool, kinds map[ir.Kind]bool) {
	kinds = map[ir.Kind]bool{}
	seen := map[string]bool{}
	for _, br := range objects {
		m := br.form.Object().Member(name)
		if m == nil || m.Never || !m.Required {
			return false, nil
		}
		inner, nullable := m.Node.Settled()
		if !inner.Listed && inner.Kinds&^normal.Null != 0 {
			return false, nil
		}
		var values []string
		for _, v := range inner.Values {
			values = append(values, v.Canonical())
			kinds[tagKind(v)] = true
		}
		if nullable {
			values = append(values, "null")
			kinds[ir.Any] = true
		}
		for _, value := range values {
			if seen[value] {
				return false, nil
			}
			seen[value] = true
		}
	}
	return true, kinds
}
