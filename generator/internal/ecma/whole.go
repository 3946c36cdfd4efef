package ecma

import (
	"fmt"
	"strings"

	"github.com/outboxgen/outboxgen/runtime/ecma"
)

// writeWhole is n in the syntax of package ecma of the runtime; ok is false for an
// expression that is too large for it.
func writeWhole(n *node) (text string, ok bool) {
	var b strings.Builder
	whole(&b, n)
	if b.Len() > maxText {
		return "", false
	}
	_, err := ecma.Compile(b.String())
	return b.String(), err == nil
}

func whole(b *strings.Builder, n *node) {
	between := ""
	switch n.kind {
	case begin:
		b.WriteByte('^')
	case end:
		b.WriteByte('$')
	case word:
		b.WriteString(n.text)
	case set:
		if n.text == anything {
			b.WriteString(`[\x00-\x{10FFFF}]`)
		} else {
			b.WriteString(n.text)
		}
	case flags:
		b.WriteString(caseFlag(n.text, ")"))
	case group:
		b.WriteString(caseFlag(n.text, ":"))
	case look:
		b.WriteString("(?")
		if n.behind {
			b.WriteByte('<')
		}
		if n.not {
			b.WriteByte('!')
		} else {
			b.WriteByte('=')
		}
	case alt:
		between = "|"
	case seq, repeat:
	}
	for i, sub := range n.subs {
		if i > 0 {
			b.WriteString(between)
		}
		if sub.kind == alt && n.kind == seq || n.kind == repeat && sub.kind != set && sub.kind != group {
			sub = &node{kind: group, text: "(?:", subs: []*node{sub}}
		}
		whole(b, sub)
	}
	switch n.kind {
	case group, look:
		b.WriteByte(')')
	case repeat:
		fmt.Fprintf(b, "{%d,", n.min)
		if n.max >= 0 {
			fmt.Fprint(b, n.max)
		}
		b.WriteByte('}')
	case set, begin, end, word, flags, seq, alt:
	}
}

// caseFlag is how a group begins, or flags that stand alone, with the flag i
// alone: the parser has done what s says.
func caseFlag(opened, closing string) string {
	on, off, _ := strings.Cut(opened, "-")
	switch {
	case strings.Contains(on, "i"):
		return "(?i" + closing
	case strings.Contains(off, "i"):
		return "(?-i" + closing
	default:
		return "(?:" + strings.TrimPrefix(closing, ":")
	}
}
