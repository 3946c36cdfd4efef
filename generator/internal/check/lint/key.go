package lint

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// columnWidth is what the columns aggregate_id and event_key hold, in
// characters.
const columnWidth = 255

// keys applies the rules about what a key and an aggregate id may be.
func (l *linter) keys(e *schema.Event) {
	about := e.Schema
	if e.InConfig(l.project) {
		about = nil // found in the config
	}
	for _, k := range []struct {
		what    string
		pointer *schema.Name
	}{{"aggregate id", e.AggregateID}, {"key", e.Key}} {
		if k.pointer == nil || k.what == "key" && e.AggregateID != nil && e.AggregateID.Text == k.pointer.Text {
			continue
		}
		target, gap := follow(e.Schema, k.pointer.Text)
		if target == nil {
			continue // reported by the loader
		}
		name := finding.Quote(k.pointer.Text)
		if gap != "" {
			l.found("key-missable", about, k.pointer.Pos,
				fmt.Sprintf("the %s %s may be missing: %s, and inserting such an event fails", k.what, name, gap),
				"require it and do not allow null, or use another property")
		}
		switch longest := longest(target); {
		case longest < 0:
			l.found("key-unbounded", about, k.pointer.Pos,
				fmt.Sprintf("the %s %s is a string without a maximum length, but the column holds %d characters: inserting a longer one fails", k.what, name, columnWidth),
				fmt.Sprintf("add maxLength: %d or less", columnWidth))
		case longest > columnWidth:
			l.found("key-too-long", about, k.pointer.Pos,
				fmt.Sprintf("the %s %s may have %d characters, but the column holds %d: inserting a longer one fails", k.what, name, longest, columnWidth),
				fmt.Sprintf("lower maxLength to %d or less", columnWidth))
		}
	}
}

// follow goes where a JSON Pointer into the event data leads. gap says why
// there may be nothing, "" where there always is a value; target is nil where
// the pointer points to nothing.
func follow(s *schema.Schema, pointer string) (target *schema.Schema, gap string) {
	if pointer == "" {
		if traitsOf(s).null {
			gap = "the event data may be null"
		}
		return s, gap
	}
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		name := schema.UnescapeToken(token)
		next, required := step(s, name)
		if next == nil {
			return nil, ""
		}
		switch {
		case gap != "":
		case !required:
			gap = finding.Quote(name) + " is optional"
		case traitsOf(next).null:
			gap = finding.Quote(name) + " may be null"
		}
		s = next
	}
	return s, gap
}

// step returns the schema of a property, or of an item by its index, and whether it
// is always there; nil where s describes none.
func step(s *schema.Schema, name string) (next *schema.Schema, required bool) {
	var rest *schema.Schema
	index, err := strconv.Atoi(name)
	isIndex := err == nil && index >= 0
	for _, part := range place(s) {
		for _, p := range part.Properties {
			if p.Name == name && next == nil {
				next = p.Schema
			}
		}
		required = required || part.Requires(name)
		if rest == nil {
			rest = part.AdditionalProperties
		}
		if !isIndex {
			continue
		}
		if index < len(part.PrefixItems) {
			next = part.PrefixItems[index]
		} else if rest == nil {
			rest = part.Items
		}
		if part.MinItems != nil {
			least, err := strconv.Atoi(part.MinItems.Text)
			required = required || err == nil && least > index
		}
	}
	if next == nil && rest != nil && rest.Bool == nil {
		next = rest
	}
	return next, required
}

// longest returns how many characters the values of s have at most; -1: nothing
// bounds them.
func longest(s *schema.Schema) int {
	most := -1
	bound := func(n int) {
		if most < 0 || n < most {
			most = n
		}
	}
	t := traitsOf(s)
	if t.format && !t.only("string") || !slices.Contains(t.types, "string") {
		return 0
	}
	for _, part := range t.all {
		if part.MaxLength != nil {
			if n, err := strconv.Atoi(part.MaxLength.Text); err == nil {
				bound(n)
			}
		}
		if part.Format == "uuid" {
			bound(36)
		}
		if part.Const != nil {
			bound(len([]rune(part.Const.Text)))
		}
		if part.Enum != nil {
			n := 0
			for _, v := range part.Enum {
				n = max(n, len([]rune(v.Text)))
			}
			bound(n)
		}
		if part.Pattern != nil {
			if n := matched(part.Pattern.Text); n >= 0 {
				bound(n)
			}
		}
	}
	return most
}

// matched returns how many characters a string has at most that an anchored pattern
// matches; -1: any number, or that is not known.
func matched(pattern string) int {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || !strings.HasPrefix(pattern, "^") || !strings.HasSuffix(pattern, "$") {
		return -1
	}
	re = re.Simplify()
	if re.Op != syntax.OpConcat || re.Sub[0].Op != syntax.OpBeginText {
		return -1 // ^a|b$ is anchored nowhere
	}
	return width(re)
}

// width returns how many characters re matches at most, -1 for any number.
func width(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpStar, syntax.OpPlus, syntax.OpRepeat:
		return -1
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpCapture, syntax.OpQuest:
		return width(re.Sub[0])
	case syntax.OpConcat, syntax.OpAlternate:
		total := 0
		for _, sub := range re.Sub {
			n := width(sub)
			switch {
			case n < 0:
				return -1
			case re.Op == syntax.OpConcat:
				total += n
			default:
				total = max(total, n)
			}
		}
		return total
	default:
		return 0
	}
}
