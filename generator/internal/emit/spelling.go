package emit

import "github.com/outboxgen/outboxgen/generator/internal/ir"

// comparesTexts reports whether checks of a struct look at the texts of its values,
// those of structs inside it aside: rules, and uniqueItems.
func comparesTexts(n *ir.Named) bool {
	return textUse{}.named(n)
}

// textUse is the types that were looked into.
type textUse map[*ir.Named]bool

func (u textUse) named(n *ir.Named) bool {
	if u[n] {
		return false
	}
	u[n] = true
	for _, t := range n.Parts() {
		if u.in(t) {
			return true
		}
	}
	if n.Union != nil {
		for _, branch := range n.Union.Branches {
			if u.in(branch.Type) {
				return true
			}
		}
	}
	return false
}

func (u textUse) in(t *ir.Type) bool {
	for ; t != nil; t = t.Elem {
		if t.Rules != nil || t.UniqueItems {
			return true
		}
		n := t.Named
		if n == nil || n.SpellingName != "" {
			continue // its own checks say how it was written
		}
		if n.Rules != nil || n.UniqueItems || u.named(n) {
			return true
		}
	}
	return false
}
