package emit

import (
	"fmt"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
)

// matching adds the maps for property patterns to a struct.
func (c *coder) matching(n *ir.Named, view *structView) {
	written := map[*ir.Matching]bool{}
	for _, m := range n.Matching {
		if m.Type == nil {
			continue
		}
		doc := comment(m.Doc)
		if len(doc) > 0 {
			doc = append(doc, "")
		}
		doc = append(doc, comment(m.Name+" has the properties whose names match "+m.Source+", by name.")...)
		view.Fields = append(view.Fields, fieldView{Doc: doc, Name: m.Name, Type: "map[string]" + c.element(m.Type), Tag: hidden})
		put := "PutMembers"
		if slices.ContainsFunc(m.Overlaps, func(other *ir.Matching) bool { return written[other] }) {
			put = "PutMatching"
		}
		written[m] = true
		view.Encode = append(view.Encode, fmt.Sprintf("wire.%s(e, v.%s, %s)", put, m.Name, c.elementWriter(m.Type)))
	}
}

// match returns the statements that read a property which is not declared: into the
// maps whose patterns its name matches, or else with rest.
func (c *coder) match(n *ir.Named, rest string) []string {
	var calls []string
	overlaps := false
	for _, m := range n.Matching {
		overlaps = overlaps || len(m.Overlaps) > 0
		if m.Type == nil {
			calls = append(calls, fmt.Sprintf("o.Forbid(%s)", m.Pattern.Var))
		} else {
			calls = append(calls, fmt.Sprintf("wire.Match(&o, %s, &v.%s, %s)", m.Pattern.Var, m.Name, c.elementReader(m.Type)))
		}
	}
	switch {
	case len(calls) == 0:
		return []string{rest}
	case len(calls) == 1:
		return []string{"if !" + calls[0] + " {", rest, "}"}
	case !overlaps:
		lines := []string{"switch {"}
		for _, call := range calls {
			lines = append(lines, "case "+call+":")
		}
		return append(lines, "default:", rest, "}")
	}
	lines := []string{"known := " + calls[0]}
	for _, call := range calls[1:] {
		lines = append(lines, "known = "+call+" || known")
	}
	return append(lines, "if !known {", rest, "}")
}

// checkMatching returns the checks of the maps of a struct.
func (c *coder) checkMatching(n *ir.Named) []string {
	var lines []string
	for _, m := range n.Matching {
		if m.Type == nil {
			continue
		}
		inner := []string{fmt.Sprintf("wire.Name(c, key, %s, %s, key)", m.Pattern.Var, raw(m.Source))}
		for _, other := range m.Overlaps {
			inner = append(inner, fmt.Sprintf("wire.MatchesToo(c, key, %s, %s, v.%s, key)", other.Pattern.Var, raw(other.Source), other.Name))
		}
		header := "for key := range v." + m.Name + " {"
		if c.needsCheck(m.Type) {
			inner = append(inner, c.checkElement(m.Type, "value", "key", 1)...)
			header = "for key, value := range v." + m.Name + " {"
		}
		lines = append(append(append(lines, header), inner...), "}")
	}
	return lines
}

// typedMatching reports whether some map of a struct holds members.
func typedMatching(n *ir.Named) bool {
	return slices.ContainsFunc(n.Matching, func(m *ir.Matching) bool { return m.Type != nil })
}

// overlapping reports whether a property of a struct may be in two maps.
func overlapping(n *ir.Named) bool {
	return slices.ContainsFunc(n.Matching, func(m *ir.Matching) bool { return len(m.Overlaps) > 0 })
}
