package naming

import "github.com/outboxgen/outboxgen/generator/internal/ir"

// spellingName returns the Go name of the field in which a struct keeps how a document
// wrote values that Go stores in one form, such as UUIDs; "" if there are none. Inner
// structs keep their own values.
func spellingName(n *ir.Named, names fieldNames) string {
	if !keepsTexts(n) || !(textSearch{}).named(n) {
		return ""
	}
	return names.field("spelling", false)
}

// keepsTexts reports whether a type can have a field for texts.
func keepsTexts(n *ir.Named) bool {
	return n.Union == nil && n.Of == nil && len(n.Enum) == 0
}

// textSearch has the types that were checked.
type textSearch map[*ir.Named]bool

func (s textSearch) named(n *ir.Named) bool {
	if s[n] {
		return false
	}
	s[n] = true
	for _, t := range n.Parts() {
		if s.in(t) {
			return true
		}
	}
	if n.Union != nil && !n.Union.Raw {
		for _, branch := range n.Union.Branches {
			if s.in(branch.Type) {
				return true
			}
		}
	}
	return false
}

func (s textSearch) in(t *ir.Type) bool {
	for ; t != nil; t = t.Elem {
		switch t.Kind {
		case ir.UUID, ir.Base16, ir.Base64URL:
			return true
		}
		if n := t.Named; n != nil && !keepsTexts(n) && (n.Union == nil || !n.Union.Raw) && s.named(n) {
			return true // a raw union keeps its JSON text
		}
	}
	return false
}
