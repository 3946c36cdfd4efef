package emit

import "github.com/outboxgen/outboxgen/generator/internal/ir"

// comparesTexts reports whether checks of a struct compare the texts of its values,
// except in inner structs: rules, and uniqueItems.
func comparesTexts(n *ir.Named) bool {
	return textUse{}.named(n)
}

// textUse has the types that were checked already.
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
			continue // its own checks set the texts
		}
		if n.Rules != nil || n.UniqueItems || u.named(n) {
			return true
		}
	}
	return false
}
