package emit

import "github.com/outboxgen/outboxgen/generator/internal/ir"

// comparesTexts reports whether checks of a struct compare the texts of its values,
// except in inner structs, whose own checks set the texts: rules, and uniqueItems.
func comparesTexts(n *ir.Named) bool {
	plain := func(n *ir.Named) bool { return n.SpellingName == "" }
	for t := range n.Within(plain) {
		if t.Rules != nil || t.UniqueItems {
			return true
		}
		if inner := t.Named; inner != nil && plain(inner) && (inner.Rules != nil || inner.UniqueItems) {
			return true
		}
	}
	return false
}
