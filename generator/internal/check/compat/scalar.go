package compat

import (
	"math/big"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// limit checks one bound. The rule's id begins with subject.
func (c *comparison) limit(p *pair, subject, keyword string, before, after *schema.Number) {
	w, r := at(p.writer.s, keyword), at(p.reader.s, keyword)
	switch {
	case before == nil && after == nil:
	case before == nil:
		p.add(subject+"-added", w, r, after.Text)
	case after == nil:
		p.add(subject+"-removed", w, r, before.Text)
	default:
		switch jsonvalue.Compare(before.Text, after.Text) {
		case -1:
			p.add(subject+"-increased", w, r, before.Text, after.Text)
		case 1:
			p.add(subject+"-decreased", w, r, before.Text, after.Text)
		}
	}
}

func (c *comparison) strings(p *pair) {
	w, r := p.writer.s, p.reader.s
	c.limit(p, "max-length", "maxLength", w.MaxLength, r.MaxLength)
	c.limit(p, "min-length", "minLength", w.MinLength, r.MinLength)
	from, to := at(w, "pattern"), at(r, "pattern")
	switch {
	case w.Pattern == nil && r.Pattern == nil:
	case w.Pattern == nil:
		p.add("pattern-added", from, to, quote(r.Pattern.Text))
	case r.Pattern == nil:
		p.add("pattern-removed", from, to, quote(w.Pattern.Text))
	case w.Pattern.Text != r.Pattern.Text:
		p.add("pattern-changed", from, to, quote(w.Pattern.Text), quote(r.Pattern.Text))
	}
}

// bounds are minimum and maximum as written: draft-04 has exclusive flags, later drafts
// have separate numbers.
type bounds struct {
	minimum, maximum           *schema.Number
	exclusiveMin, exclusiveMax *schema.Number
	minFlag, maxFlag           bool
}

func boundsOf(s *schema.Schema) bounds {
	b := bounds{minimum: s.Minimum, maximum: s.Maximum, exclusiveMin: s.ExclusiveMinimum, exclusiveMax: s.ExclusiveMaximum}
	if s.Doc.Dialect != schema.Draft4 {
		return b
	}
	if b.exclusiveMin != nil {
		b.minimum, b.exclusiveMin, b.minFlag = b.exclusiveMin, nil, true
	}
	if b.exclusiveMax != nil {
		b.maximum, b.exclusiveMax, b.maxFlag = b.exclusiveMax, nil, true
	}
	return b
}

func (c *comparison) numbers(p *pair) {
	w, r := boundsOf(p.writer.s), boundsOf(p.reader.s)
	c.limit(p, "maximum", "maximum", w.maximum, r.maximum)
	c.limit(p, "minimum", "minimum", w.minimum, r.minimum)
	c.limit(p, "exclusive-maximum", "exclusiveMaximum", w.exclusiveMax, r.exclusiveMax)
	c.limit(p, "exclusive-minimum", "exclusiveMinimum", w.exclusiveMin, r.exclusiveMin)
	if w.maximum != nil && r.maximum != nil {
		c.flag(p, "exclusive-maximum", "exclusiveMaximum", w.maxFlag, r.maxFlag)
	}
	if w.minimum != nil && r.minimum != nil {
		c.flag(p, "exclusive-minimum", "exclusiveMinimum", w.minFlag, r.minFlag)
	}
	c.multiple(p)
	switch {
	case p.writer.integer && !p.reader.integer:
		p.add("type-widened", p.writer.at, p.reader.at, "an integer", "a number")
	case !p.writer.integer && p.reader.integer:
		p.add("type-narrowed", p.writer.at, p.reader.at, "a number", "an integer")
	}
}

func (c *comparison) flag(p *pair, subject, keyword string, before, after bool) {
	w, r := at(p.writer.s, keyword), at(p.reader.s, keyword)
	switch {
	case !before && after:
		p.add(subject+"-added", w, r, "true")
	case before && !after:
		p.add(subject+"-removed", w, r, "true")
	}
}

func (c *comparison) multiple(p *pair) {
	before, after := p.writer.s.MultipleOf, p.reader.s.MultipleOf
	w, r := at(p.writer.s, "multipleOf"), at(p.reader.s, "multipleOf")
	switch {
	case before == nil && after == nil:
	case before == nil:
		p.add("multiple-of-added", w, r, after.Text)
	case after == nil:
		p.add("multiple-of-removed", w, r, before.Text)
	default:
		from, to := jsonvalue.Rational(before.Text), jsonvalue.Rational(after.Text)
		if jsonvalue.Compare(before.Text, after.Text) == 0 {
			return
		}
		if from == nil || to == nil || from.Sign() == 0 || to.Sign() == 0 {
			p.add("multiple-of-changed", w, r, before.Text, after.Text) // an exponent beyond those of a float64
			return
		}
		ratio := new(big.Rat).Quo(to, from)
		switch {
		case ratio.IsInt():
			p.add("multiple-of-increased", w, r, before.Text, after.Text)
		case ratio.Inv(ratio).IsInt():
			p.add("multiple-of-reduced", w, r, before.Text, after.Text)
		default:
			p.add("multiple-of-changed", w, r, before.Text, after.Text)
		}
	}
}

func (c *comparison) enums(p *pair) {
	w, r := p.writer.s, p.reader.s
	c.work += len(w.Enum) + len(r.Enum)
	if gone := missing(w.Enum, r.Enum); len(gone) > 0 {
		from := place{pos: gone[0].Pos, pointer: at(w, "enum").pointer, s: w, keyword: "enum"}
		p.add("enum-value-removed", from, at(r, "enum"), list(gone))
		if c.direction == OldReadsNew && r.Marks != nil && r.Marks.Grows != nil && *r.Marks.Grows {
			d := &p.differences[len(p.differences)-1]
			d.rule, d.edit, d.stricter = rule("enum-value-added"), "enum-value-added", true
		}
	}
	if more := missing(r.Enum, w.Enum); len(more) > 0 {
		p.add("enum-value-added", at(w, "enum"), place{pos: more[0].Pos, pointer: at(r, "enum").pointer, s: r, keyword: "enum"}, list(more))
	}
}

// missing returns the values that others does not have.
func missing(values, others []*schema.Value) []*schema.Value {
	has := make(map[string]bool, len(others))
	for _, v := range others {
		has[v.Canonical()] = true
	}
	var out []*schema.Value
	for _, v := range values {
		if !has[v.Canonical()] {
			out = append(out, v)
		}
	}
	return out
}

// list returns the first of some values, for a message.
func list(values []*schema.Value) string {
	const most = 5
	var b strings.Builder
	for i, v := range values {
		if i == most {
			b.WriteString(" and others")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(v.Short())
	}
	return b.String()
}
