package compat

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// notice reports a keyword that changed and that the rules do not compare.
func (c *comparison) notice(p *pair, keyword string, same bool) {
	if _, ok := p.reader.s.At[keyword]; ok && !same {
		p.add(finding.Uncompared, at(p.writer.s, keyword), at(p.reader.s, keyword), keyword)
	}
}

// sameWords reports whether two schemas have the same text, or are both missing.
func (c *comparison) sameWords(a, b *schema.Schema) bool {
	if a == nil || b == nil {
		return a == b
	}
	return c.fingerprint(a) == c.fingerprint(b)
}

// contents compares format and the encoding of strings. With validation: spec, generated
// code ignores them.
func (c *comparison) contents(p *pair) {
	if c.policy == Generated {
		c.formats(p)
		return
	}
	w, r := p.writer.s, p.reader.s
	c.notice(p, "format", w.Format == r.Format)
	c.notice(p, "contentEncoding", w.ContentEncoding == r.ContentEncoding)
	c.notice(p, "contentMediaType", w.ContentMediaType == r.ContentMediaType)
}

// numberTypes compares which numbers the Go types hold.
func (c *comparison) numberTypes(p *pair) {
	if c.generated() {
		c.goNumbers(p)
		return
	}
	c.notice(p, "format", p.writer.s.Format == p.reader.s.Format)
}

// names compares patterns for names, and required names that are not declared.
func (c *comparison) names(p *pair) {
	if c.generated() {
		c.propertyNames(p)
		c.patternProperties(p)
		c.undeclaredRequired(p)
		return
	}
	w, r := p.writer.s, p.reader.s
	c.notice(p, "propertyNames", c.sameWords(w.PropertyNames, r.PropertyNames))
	before := byName(w.PatternProperties)
	c.notice(p, "patternProperties", !slices.ContainsFunc(r.PatternProperties, func(property schema.Property) bool {
		return !c.sameWords(before[property.Name].Schema, property.Schema)
	}))
	needed, declared := names(w.Required), byName(r.Properties)
	for i, name := range r.Required {
		_, was := needed[name.Text]
		if _, ok := declared[name.Text]; !was && !ok {
			p.add(finding.Uncompared, at(w, "required"), requiredEntry(r, i, name.Pos), "required entry for the undeclared "+quote(name.Text))
		}
	}
}

// contained compares the schemas of contains.
func (c *comparison) contained(p *pair) {
	if c.generated() {
		c.containedItems(p)
		return
	}
	c.notice(p, "contains", p.writer.s.Contains == nil && modern(p.reader.s) || c.sameWords(p.writer.s.Contains, p.reader.s.Contains))
}

// condition compares if, then and else.
func (c *comparison) condition(p *pair) {
	if c.generated() {
		c.conditions(p)
		return
	}
	w, r := p.writer.s, p.reader.s
	c.notice(p, "if", c.sameWords(w.If, r.If) && c.sameWords(w.Then, r.Then) && c.sameWords(w.Else, r.Else))
}
