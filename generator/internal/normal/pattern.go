package normal

import (
	"errors"

	"github.com/outboxgen/outboxgen/generator/internal/ecma"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Pattern is a regular expression of a schema. Go may be able to match it.
type Pattern struct {
	Text    string // as in the schema
	Source  string // in the syntax of package ecma of the runtime, or ""
	Missing string // the feature that Go lacks
	Loose   string // if there is no Source: a weaker pattern, which matches whenever this one does; "" for none
	Broken  string // why it is not a regular expression

	matcher *ecma.Matcher
}

// Pattern returns the regular expression of a schema. It is compiled once, however many
// properties it describes.
func (g *Graph) Pattern(text string) Pattern {
	p, known := g.patterns[text]
	if !known {
		p = readPattern(text)
		g.patterns[text] = p
	}
	return p
}

func readPattern(text string) Pattern {
	p := Pattern{Text: text}
	translated, err := ecma.Translate(text)
	var wrong *ecma.Error
	switch {
	case errors.As(err, &wrong) && wrong.Broken:
		p.Broken = wrong.Reason
	case errors.As(err, &wrong):
		p.Missing = wrong.Reason
		if loose, ok := ecma.Loosely(text); ok {
			p.Loose = loose.String()
		}
	default:
		p.Source, p.matcher = translated.String(), translated.Matcher()
	}
	return p
}

// Known reports whether Go can match the pattern.
func (p Pattern) Known() bool { return p.matcher != nil }

// Match reports whether a part of text matches the pattern, which must be Known.
func (p Pattern) Match(text string) bool { return p.matcher.MatchString(text) }

// Unmatched returns a pattern of s, or of a schema that it leads to, that Go cannot
// match; nil if there is none. With one, rules for s allow more values than s, so
// nothing follows from a value that they allow.
func (g *Graph) Unmatched(s *schema.Schema) *schema.Name {
	if s == nil || g.matched[s] {
		return nil
	}
	seen := map[*schema.Schema]bool{s: true}
	for open := []*schema.Schema{s}; len(open) > 0; {
		s, open = open[len(open)-1], open[:len(open)-1]
		if found := g.unmatched(s); found != nil {
			return found
		}
		for _, part := range s.Parts() {
			if part != nil && !seen[part] && !g.matched[part] {
				seen[part] = true
				open = append(open, part)
			}
		}
	}
	for one := range seen {
		g.matched[one] = true
	}
	return nil
}

// unmatched returns a pattern of s itself that Go cannot match.
func (g *Graph) unmatched(s *schema.Schema) *schema.Name {
	if s.Pattern != nil && !g.Pattern(s.Pattern.Text).Known() {
		return s.Pattern
	}
	for _, p := range s.PatternProperties {
		if !g.Pattern(p.Name).Known() {
			return &schema.Name{Text: p.Name, Pos: p.Pos}
		}
	}
	return nil
}
