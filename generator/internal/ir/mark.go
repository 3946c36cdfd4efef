package ir

import "iter"

// Mark marks the types that have something. What a type has may depend on the marks of
// its parts alone, so only the types with a marked part are looked at again.
func Mark(all iter.Seq[*Named], marked map[*Named]bool, has func(*Named) bool) {
	users := map[*Named][]*Named{}
	var pending []*Named
	for n := range all {
		pending = append(pending, n)
		for _, t := range n.Parts() {
			if t.Named != nil {
				users[t.Named] = append(users[t.Named], n)
			}
		}
	}
	for len(pending) > 0 {
		n := pending[0]
		pending = pending[1:]
		if !marked[n] && has(n) {
			marked[n] = true
			pending = append(pending, users[n]...)
		}
	}
}
