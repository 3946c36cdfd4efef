package naming

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
)

// dropUnknown removes the fields for unknown properties from the structs whose
// validation does not depend on these properties.
func dropUnknown(pkg *ir.Package) {
	needed := map[*ir.Named]bool{}
	for n := range pkg.Types() {
		if n.Rules != nil || n.UniqueItems {
			needsUnknown(needed, n)
		}
		for _, t := range n.Parts() {
			if t.Rules != nil || t.UniqueItems {
				needsUnknownOf(needed, t)
			}
		}
	}
	for n := range pkg.Types() {
		if !n.Tuple && !needed[n] && !countsOrSorts(n) {
			n.UnknownName = ""
		}
	}
}

// countsOrSorts reports whether the type itself uses its unknown properties.
func countsOrSorts(n *ir.Named) bool {
	return n.MinProperties != nil || n.MaxProperties != nil || len(n.Matching) > 0 ||
		slices.ContainsFunc(n.Fields, func(f *ir.Field) bool { return f.Conditional })
}

// needsUnknown marks a type and all types of its parts, because a rule sees the whole
// value.
func needsUnknown(needed map[*ir.Named]bool, n *ir.Named) {
	if n == nil || needed[n] {
		return
	}
	needed[n] = true
	for _, t := range n.Parts() {
		needsUnknownOf(needed, t)
	}
	if n.Union != nil {
		for _, branch := range n.Union.Branches {
			needsUnknown(needed, branch.Named)
			needsUnknownOf(needed, branch.Type)
		}
	}
}

func needsUnknownOf(needed map[*ir.Named]bool, t *ir.Type) {
	for ; t != nil; t = t.Elem {
		needsUnknown(needed, t.Named)
	}
}
