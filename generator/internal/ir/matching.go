package ir

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/ecma"
	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// matcher is one of the patterns under patternProperties that Go can match.
type matcher struct {
	schema.Property
	source string // as package rule of the runtime reads it
	re     *ecma.Matcher
}

// matchers is the patterns of a schema that Go can match.
func (b *builder) matchers(s *schema.Schema) []matcher {
	var all []matcher
	for _, p := range s.PatternProperties {
		pattern, err := ecma.Translate(p.Name)
		if err != nil {
			continue
		}
		all = append(all, matcher{p, pattern.String(), pattern.Matcher()})
	}
	return all
}

// unmatched reports the patterns of a schema that Go cannot match, and whether
// there are any.
func (b *builder) unmatched(s *schema.Schema) bool {
	found := false
	for _, p := range s.PatternProperties {
		if problem := brokenPattern(p.Name); problem != "" {
			b.list.Errorf(p.Pos, "bad-pattern", "the pattern %s is no regular expression: %s", diag.Quote(p.Name), problem)
			continue
		}
		_, missing := goPattern(p.Name)
		if missing == "" {
			continue
		}
		found = true
		b.list.Add(diag.Finding{
			Pos: p.Pos, Severity: diag.Warning, ID: "pattern-not-checked",
			Message: "Go's regular expressions cannot say this pattern (" + missing + "); members that it may describe are kept as they come, unchecked",
			Hint:    "write it without " + missing + " if it can be",
		})
	}
	return found
}

// described is the properties of a schema, each with what the patterns say of
// its name. A member that is required and that only patterns describe is one.
func (b *builder) described(s *schema.Schema) []schema.Property {
	all := slices.Clone(s.Properties)
	matchers := b.matchers(s)
	if len(matchers) == 0 {
		return all
	}
	for i, p := range all {
		for _, m := range matchers {
			if m.re.MatchString(p.Name) {
				all[i].Schema = b.intersect(all[i].Schema, m.Schema)
			}
		}
	}
	for _, r := range s.Required {
		if slices.ContainsFunc(all, func(p schema.Property) bool { return p.Name == r.Text }) {
			continue
		}
		var both *schema.Schema
		for _, m := range matchers {
			if m.re.MatchString(r.Text) {
				both = b.either(both, m.Schema)
			}
		}
		if both != nil {
			all = append(all, schema.Property{Name: r.Text, Pos: r.Pos, Schema: both})
		}
	}
	return all
}

// matchingMap is the type of an object all of whose members match one pattern:
// a map. It is nil for any other object.
func (b *builder) matchingMap(s *schema.Schema, at context) *Type {
	matchers := b.matchers(s)
	if len(matchers) != 1 || len(s.PatternProperties) != 1 || len(s.Properties)+len(s.Required) > 0 || isFalse(matchers[0].Schema) {
		return nil
	}
	m := matchers[0]
	everything := slices.Contains([]string{"", "^", "^.*", ".*", "^.*$", ".*$", "$"}, m.Name)
	if !everything && !closes(s) {
		return nil
	}
	t := &Type{
		Kind: Map, MinProperties: b.count(s.MinProperties), MaxProperties: b.count(s.MaxProperties),
		Elem: b.typeOf(m.Schema, at.inside("value")),
	}
	if !everything {
		t.Keys = &Pattern{Source: m.source}
	} else if t.Elem.Kind == Any {
		t.Kind, t.Elem = Object, nil
	}
	return t
}

// fillMatching makes a map for each pattern.
func (b *builder) fillMatching(n *Named, s *schema.Schema, names fieldNames) {
	if b.unmatched(s) {
		n.Closed, n.Extra = false, nil // nobody knows which members are additional
	}
	for _, m := range b.matchers(s) {
		word := matchingName(m, len(s.PatternProperties))
		made := &Matching{Pattern: &Pattern{Source: m.source}, Source: m.Name, Doc: m.Schema.Description}
		if isFalse(m.Schema) {
			n.Matching = append(n.Matching, made) // no member of this kind may be there
			continue
		}
		made.Type = b.typeOf(m.Schema, context{parent: n, property: word, part: "member"})
		made.Name = names.field(word, false)
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

// prefix is what every text that matches a pattern begins with.
func prefix(source string) string {
	literal, anchored := strings.CutPrefix(source, "^")
	if !anchored || strings.Contains(literal, "|") {
		return ""
	}
	return literalPrefix(literal)
}

// matchingName is what the map of a pattern is called: after the title of its
// schema, or the words that every name in it begins with, x- for one.
func matchingName(m matcher, patterns int) string {
	if m.Schema.Title != "" {
		return goname.Title(m.Schema.Title)
	}
	begin := prefix(m.source)
	if begin == "" {
		begin = literalPrefix(m.source)
	}
	word := strings.TrimFunc(begin, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
	if len(word) > 0 {
		return word + "_members"
	}
	if last := lastRef(m.Schema); last != m.Schema && patterns > 1 {
		return refName(last) + "_members"
	}
	return "matching"
}
