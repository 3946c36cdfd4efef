package compat

import (
	"math/big"
	"path"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
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
		if said := grows(r); c.direction == OldReadsNew && said != nil && *said {
			d := &p.differences[len(p.differences)-1]
			d.rule, d.edit, d.stricter = rule("enum-value-added"), "enum-value-added", true
		}
	}
	c.moreValues(p, w.Enum, r.Enum)
}

// moreValues reports the values that only the reader lists.
func (c *comparison) moreValues(p *pair, before, after []*schema.Value) {
	w, r := p.writer.s, p.reader.s
	if more := missing(after, before); len(more) > 0 {
		p.add("enum-value-added", p.writer.at, place{pos: more[0].Pos, pointer: at(r, "enum").pointer, s: r, keyword: "enum"}, list(more))
		if c.direction == NewReadsOld {
			p.differences[len(p.differences)-1].advice = enumAdvice(w, r)
		}
	}
}

// enumAdvice returns what the author of a new enum value should know about consumers
// that have the old schema; nil if the enum said, and says, that it grows.
func enumAdvice(old, now *schema.Schema) *advice {
	said, says := grows(old), grows(now)
	here, grow := at(now, "enum"), "{grows: true}"
	if path.Ext(here.pos.File) == ".json" {
		grow = `{"grows": true}`
	}
	mark := ": " + write(here, "x-outbox", grow)
	switch {
	case said != nil && *said && says != nil && *says:
		return nil
	case said != nil && *said:
		return &advice{
			finding.Note, "consumers with the old schema expect it, because of grows: true, which the new schema does not have",
			"if more values will follow, keep the mark at the enum" + mark,
		}
	case said != nil:
		return &advice{
			finding.Warning, "consumers with the old schema may reject it, because grows: false told them that the list is final",
			"update all consumers first, and if more values will follow, say so at the enum" + mark + "; or " + finding.NewVersion,
		}
	}
	hint := "update the consumers before the service that inserts it"
	if says == nil {
		hint += "; if more values will follow, say so at the enum" + mark
	}
	return &advice{finding.Note, "consumers with the old schema may reject it", hint}
}

// grows returns the mark that says whether an enum gets more values; nil: there is none.
func grows(s *schema.Schema) *bool {
	if s.Marks == nil {
		return nil
	}
	return s.Marks.Grows
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
