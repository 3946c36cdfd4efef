package naming

import "github.com/outboxgen/outboxgen/generator/internal/ir"

// spellingName returns the Go name of the field in which a struct keeps how a document
// wrote values that Go stores in one form, such as UUIDs; "" if there are none. Inner
// structs keep their own values.
func spellingName(n *ir.Named, names fieldNames) string {
	if !keepsTexts(n) {
		return ""
	}
	inner := func(n *ir.Named) bool { // a raw union keeps its JSON text
		return !keepsTexts(n) && (n.Union == nil || !n.Union.Raw)
	}
	for t := range n.Within(inner) {
		switch t.Kind {
		case ir.UUID, ir.Base16, ir.Base64URL:
			return names.field("spelling", false)
		}
	}
	return ""
}

// keepsTexts reports whether a type can have a field for texts.
func keepsTexts(n *ir.Named) bool {
	return n.Union == nil && n.Of == nil && len(n.Enum) == 0
}
