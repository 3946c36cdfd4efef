package shape

import (
	"regexp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
)

// known returns the patterns that Go can match.
func known(patterns []normal.MemberPattern) []normal.MemberPattern {
	return slices.DeleteFunc(slices.Clone(patterns), func(p normal.MemberPattern) bool { return !p.Pattern.Known() })
}

// warnPatterns warns of property patterns that Go cannot match, and reports whether
// there are any.
func (b *builder) warnPatterns(o *normal.ObjectForm) bool {
	found := false
	for _, p := range o.Patterns {
		if p.Pattern.Known() {
			continue
		}
		found = true
		if p.Pattern.Broken != "" {
			b.list.Warnf(p.Pos, "bad-pattern",
				"the pattern %s is not a valid regular expression: %s; properties that it may describe are kept as raw JSON, unchecked", finding.Quote(p.Pattern.Text), p.Pattern.Broken).
				SetHint("correct the pattern")
			continue
		}
		b.list.Warnf(p.Pos, "pattern-not-checked",
			"Go's regular expressions do not support this pattern (%s); properties that it may describe are kept as raw JSON, unchecked", p.Pattern.Missing).
			SetHint("rewrite it without " + p.Pattern.Missing + " if possible")
	}
	return found
}

// everything has the patterns that every name matches.
var everything = []string{"", "^", "^.*", ".*", "^.*$", ".*$", "$"}

// everyMemberMatches reports whether all properties of an object match one pattern, so
// that it is a map.
func everyMemberMatches(o *normal.ObjectForm) bool {
	if len(o.Patterns) != 1 || len(o.Members) > 0 || !o.Patterns[0].Pattern.Known() || o.Patterns[0].Never {
		return false
	}
	return o.Closed || slices.Contains(everything, o.Patterns[0].Pattern.Text)
}

// matchingMap returns the type of an object whose properties all match one pattern.
func (b *builder) matchingMap(f *normal.Form, at naming.Context) *ir.Type {
	form, o := f.Object(), b.originsOf(f.Node)
	p := form.Patterns[0]
	t := &ir.Type{
		Kind: ir.Map, MinProperties: o.count("minProperties", form.MinProperties), MaxProperties: o.count("maxProperties", form.MaxProperties),
		Elem: b.shallow(b.typeOf(p.Schemas, p.Node, at.Inside("value")), p.Node),
	}
	if !slices.Contains(everything, p.Pattern.Text) {
		t.Keys = &ir.Pattern{Source: p.Pattern.Source}
		o.note("patternProperties", p.Of)
	} else if t.Elem.Kind == ir.Any && t.Elem.Rules == nil {
		t.Kind, t.Elem = ir.Object, nil
	}
	t.Origins = o.all
	return t
}

// fillMatching builds a map for each pattern.
func (b *builder) fillMatching(n *ir.Named, f *normal.Form) {
	o := f.Object()
	if b.warnPatterns(o) {
		n.Closed, n.Extra = false, nil // nobody knows which members are additional
	}
	for _, p := range known(o.Patterns) {
		made := &ir.Matching{Pattern: &ir.Pattern{Source: p.Pattern.Source}, Source: p.Pattern.Text, Doc: p.Schemas[0].Description}
		if p.Never {
			n.Matching = append(n.Matching, made) // no member of this kind may be there
			continue
		}
		made.Word = matchingWord(p, len(o.Patterns))
		made.Type = b.typeOf(p.Schemas, p.Node, naming.Context{Parent: n, Property: made.Word, Part: "member"})
		n.Matching = append(n.Matching, made)
	}
	for _, one := range n.Matching {
		for _, other := range n.Matching {
			if one != other && one.Type != nil && other.Type != nil && !apart(one.Pattern.Source, other.Pattern.Source) {
				one.Overlaps = append(one.Overlaps, other)
			}
		}
	}
}

// apart reports whether no name matches both patterns, as far as their first
// letters tell.
func apart(a, b string) bool {
	x, y := prefix(a), prefix(b)
	n := min(len(x), len(y))
	return x[:n] != y[:n]
}

// prefix returns what every text that matches a pattern begins with.
func prefix(source string) string {
	literal, anchored := strings.CutPrefix(source, "^")
	if !anchored || strings.Contains(literal, "|") {
		return ""
	}
	return literalPrefix(literal)
}

// literalPrefix returns the common prefix of all texts that match a Go expression; ""
// for a pattern of several expressions.
func literalPrefix(source string) string {
	re, err := regexp.Compile(source)
	if err != nil {
		return ""
	}
	begin, _ := re.LiteralPrefix()
	return begin
}

// matchingWord returns the word for a pattern's map: from the title of its schema, or
// from the words with which every name begins, for example x-.
func matchingWord(p normal.MemberPattern, patterns int) string {
	if p.Schemas[0].Title != "" {
		return goname.Title(p.Schemas[0].Title)
	}
	begin := prefix(p.Pattern.Source)
	if begin == "" {
		begin = literalPrefix(p.Pattern.Source)
	}
	word := strings.TrimFunc(begin, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
	if len(word) > 0 {
		return word + "_members"
	}
	if last := lastRef(p.Schemas[0]); last != p.Schemas[0] && patterns > 1 {
		return naming.RefName(last) + "_members"
	}
	return "matching"
}
