package ecma

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/runtime/ecma/syntax"
)

// Loosely translates a pattern with back references into a weaker one, which matches
// whenever the pattern does: a back reference may be any text that its group could
// match. It returns false for a pattern without back references, and for one that
// cannot be translated this way.
func Loosely(pattern string) (Pattern, bool) {
	tree, err := syntax.Parse(pattern)
	if err != nil || len(tree.References) == 0 || tree.Flagged { // the flags of a group may differ from those of a reference to it
		return Pattern{}, false
	}
	l := loosener{pattern: pattern, captures: tree.Captures}
	if !l.write(tree.Root, false) {
		return Pattern{}, false
	}
	found, err := Translate(l.out.String())
	return found, err == nil
}

// maxCopied is how many nodes may be written again for back references.
const maxCopied = 2000

// loosener writes a pattern without back references.
type loosener struct {
	pattern  string
	captures []*node
	copied   int
	out      strings.Builder
}

// write writes n. In a copy it leaves out conditions on the surrounding text: they were
// true where n matched, and need not be true where it is found again.
func (l *loosener) write(n *node, isCopy bool) bool {
	if isCopy {
		l.copied++
	}
	switch n.Op {
	case syntax.Reference:
		return l.reference(n)
	case syntax.Begin, syntax.End, syntax.Word, syntax.Look:
		if isCopy {
			l.out.WriteString("(?:)")
			return true
		}
		// Making a back reference in a negative look-around weaker would make the
		// pattern stricter.
		if n.Not && refers(n) {
			return false
		}
	case syntax.Set, syntax.Flags, syntax.Sequence, syntax.Alternatives, syntax.Group, syntax.Repeat:
	}
	at := n.Pos
	for _, sub := range n.Subs {
		l.out.WriteString(l.pattern[at:sub.Pos])
		if !l.write(sub, isCopy) {
			return false
		}
		at = sub.End
	}
	l.out.WriteString(l.pattern[at:n.End])
	return l.copied <= maxCopied
}

// reference writes what the group of a reference could match, or nothing. It returns
// false for a reference to a group that is not closed, which matches nothing or, in a
// look-behind, something.
func (l *loosener) reference(n *node) bool {
	if n.Index >= len(l.captures) || l.captures[n.Index].End > n.Pos || l.copied > maxCopied {
		return false
	}
	l.out.WriteString("(?:")
	written := l.write(l.captures[n.Index], true)
	l.out.WriteString("?)")
	return written
}

// refers reports whether n contains a back reference.
func refers(n *node) bool {
	return n.Op == syntax.Reference || slices.ContainsFunc(n.Subs, refers)
}
