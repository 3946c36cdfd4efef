package compat

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/validator"
)

// overlaps adds the variants of each oneOf that accept data of another variant as well:
// a reader rejects data that fits two variants of oneOf. It needs the final verdicts,
// because here a compatible pair is the problem, so it runs after all pairs are judged.
// The pairs that it adds say nothing about the earlier ones. It stops after most looks.
func (c *comparison) overlaps(root *pair, most int) {
	for _, p := range reachable(root) {
		r := p.reader
		if r.kind != combined || r.madeUp || r.op != oneOf {
			continue
		}
		c.repeated(p, most)
		if len(c.branches(r)) < 2 {
			continue
		}
		w := p.writer
		switch {
		case w.kind == combined && !w.madeUp && w.op != allOf:
			if p.partner != nil {
				c.overlapping(p, most)
			}
		case w.kind != nothing:
			c.twice(p, most)
		}
	}
}

// repeated reports the variants that the reader's oneOf lists twice, if data of the writer
// fits them. For all other rules, each of them counts once.
func (c *comparison) repeated(p *pair, most int) {
	w, r := p.writer, p.reader
	parts := c.branches(r)
	if len(parts) == len(r.s.OneOf) {
		return
	}
	branch := map[fingerprint]int{}
	for j, sub := range r.subs {
		branch[c.fingerprint(sub)] = j
	}
	for _, sub := range r.s.OneOf {
		j := branch[c.fingerprint(sub)]
		if sub == r.subs[j] {
			continue
		}
		from := w.at
		if w.kind == combined && !w.madeUp && w.op != allOf {
			i := slices.Index(p.partner, j)
			if i < 0 || c.repeats(w, i) {
				continue
			}
			from = branchPlace(w, i)
		} else if w.kind == nothing || !c.accepts(c.shape(w.s), parts[j], most) {
			continue
		}
		p.add("variant-overlaps", from, whole(sub), c.variant(r, j), c.describeVariant(sub, parts[j]))
	}
}

// repeats reports whether oneOf lists its variant i twice.
func (c *comparison) repeats(s *shape, i int) bool {
	count := 0
	if s.op == oneOf {
		for _, sub := range s.s.OneOf {
			c.work++
			if c.fingerprint(sub) == c.fingerprint(s.subs[i]) {
				count++
			}
		}
	}
	return count > 1
}

// overlapping compares the writer's variants with the reader's, except with their
// partners.
func (c *comparison) overlapping(p *pair, most int) {
	w, r := p.writer, p.reader
	known := map[[2]int]bool{}
	former := slices.Repeat([]int{-1}, len(r.parts))
	for i, j := range p.partner {
		if j >= 0 {
			former[j] = i
		}
	}
	near := c.neighbours(r)
	for i, j := range p.partner {
		if j < 0 {
			continue
		}
		for _, k := range near.of(c, j, w.parts[i]) {
			if c.work > most {
				return
			}
			if k == j || known[[2]int{k, j}] || !c.overlap(w.parts[i], r.parts[k], most) {
				continue
			}
			if f := former[k]; f >= 0 && (c.overlap(w.parts[i], w.parts[f], most) || c.overlap(w.parts[f], w.parts[i], most)) {
				continue // they did before
			}
			known[[2]int{j, k}] = true
			c.work += costOfValue
			p.add("variant-overlaps", branchPlace(w, i), branchPlace(r, k), c.variant(r, j), c.variant(r, k))
		}
	}
}

// neighbours finds the variants of a union that may overlap with another one.
type neighbours struct {
	tags     *tags
	all      []int
	loose    []int // those that the tags do not separate from others
	unlisted []int
	byValue  map[string][]int // those that list a value, and nothing else
	index    *branchIndex
}

func (c *comparison) neighbours(s *shape) *neighbours {
	n := &neighbours{tags: c.tagsOf(s), byValue: map[string][]int{}, index: c.indexed(s.parts)}
	for k, part := range s.parts {
		n.all = append(n.all, k)
		if n.tags == nil || n.tags.of[k] == nil {
			n.loose = append(n.loose, k)
		}
		values := listing(part)
		if values == nil {
			n.unlisted = append(n.unlisted, k)
		}
		for _, v := range values {
			c.work++
			n.byValue[v.Canonical()] = append(n.byValue[v.Canonical()], k)
		}
	}
	return n
}

// of returns the variants that may accept data that the writer's schema allows and the
// variant j accepts.
func (n *neighbours) of(c *comparison, j int, writer *shape) []int {
	values := listing(writer)
	switch {
	case n.tags != nil && n.tags.of[j] != nil:
		return n.loose
	case writer.kind == objectKind:
		return n.index.candidates(c, writer)
	case values == nil:
		return n.all
	}
	found := slices.Clone(n.unlisted)
	for _, v := range values {
		c.work++
		found = append(found, n.byValue[v.Canonical()]...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// twice looks for two variants that accept the same data of a writer without variants:
// all of it, or one of the values that it lists.
func (c *comparison) twice(p *pair, most int) {
	writer := c.shape(p.writer.s)
	values := valuesOf(writer)
	if values == nil || !c.scalar(writer) {
		c.twiceIf(p, func(part *shape) bool { return c.accepts(writer, part, most) })
		return
	}
	for _, v := range values {
		one := []*schema.Value{v}
		if c.work > most || c.twiceIf(p, func(part *shape) bool { return c.scalar(part) && c.fits(one, writer, part) }) {
			return
		}
	}
}

// twiceIf reports two variants that accept the same data, if there are two.
func (c *comparison) twiceIf(p *pair, accepts func(part *shape) bool) bool {
	r := p.reader
	after := c.tagsOf(r)
	first := -1
	for k, part := range r.parts {
		switch {
		case !accepts(part):
		case first < 0:
			first = k
		case !after.separate(first, k):
			p.add("variant-overlaps", p.writer.at, branchPlace(r, k), c.variant(r, first), c.variant(r, k))
			return true
		}
	}
	return false
}

// separate reports whether the tags separate two variants. They do so for objects.
func (t *tags) separate(i, j int) bool { return t != nil && t.of[i] != nil && t.of[j] != nil }

// overlap reports whether some data of the writer's variant surely fits the reader's: all
// of it, or all that the reader's accepts, or one of the values that one of them lists.
// Objects are compared in one direction only: data of an object may have the properties
// of any other one, but rarely has.
func (c *comparison) overlap(writer, reader *shape, most int) bool {
	c.work++
	if writer.kind == nothing || reader.kind == nothing {
		return false
	}
	if c.scalar(writer) && c.scalar(reader) {
		if values := valuesOf(writer); values != nil {
			return c.fits(values, writer, reader)
		}
		if values := valuesOf(reader); values != nil {
			return c.fits(values, reader, writer)
		}
	}
	return c.accepts(writer, reader, most) || c.scalar(reader) && c.accepts(reader, writer, most)
}

// scalar reports whether a shape is about no objects, arrays or combinations.
func (c *comparison) scalar(s *shape) bool {
	switch s.kind {
	case stringKind, numberKind, booleanKind, nullKind, enumKind, constKind:
		return true
	case combined:
		return s.madeUp && !slices.ContainsFunc(s.parts, func(part *shape) bool { return !c.scalar(part) })
	case anything, nothing, objectKind, arrayKind, notKind, conditionKind:
	}
	return false
}

// valuesOf returns the values that a shape lists, alone or beside other keywords; nil if
// it lists none.
func valuesOf(s *shape) []*schema.Value {
	parts := []*shape{s}
	if s.kind == combined && s.madeUp && s.op == allOf {
		parts = s.parts
	}
	for _, part := range parts {
		if values := listing(part); values != nil {
			return values
		}
	}
	return nil
}

// costOfValue is how many looks at a pair take as long as one check of a value.
const costOfValue = 100

// fits reports whether one of the values that a shape lists fits it and another shape.
func (c *comparison) fits(values []*schema.Value, of, other *shape) bool {
	if listed := listing(other); listed != nil && listing(of) != nil {
		c.work += len(values) + len(listed)
		return len(missing(values, listed)) < len(values)
	}
	if c.values == nil {
		c.values = validator.New(c.policy == Generated)
	}
	return slices.ContainsFunc(values, func(v *schema.Value) bool {
		c.work++
		if name, ok := jsonTypes[other.kind]; ok && !hasType(v, name) {
			return false
		}
		c.work += costOfValue
		return c.values.Check(other.s, v) == validator.Valid && (of.kind != combined || c.values.Check(of.s, v) == validator.Valid)
	})
}

// jsonTypes are the types of the shapes of one type. A constraint without a type is for
// that type alone.
var jsonTypes = map[kind]string{stringKind: "string", numberKind: "number", booleanKind: "boolean", nullKind: "null"}

// accepts reports whether a reader with one shape accepts all data of another one; false
// after most looks.
func (c *comparison) accepts(writer, reader *shape, most int) bool {
	if c.hopeless(writer, reader) {
		return false
	}
	p := c.pair(writer, reader)
	return c.judgeAll(most) && p.compatible
}

// variant returns a variant of a union, and where it is, for a sentence.
func (c *comparison) variant(s *shape, i int) string { return c.describeVariant(s.subs[i], s.parts[i]) }

func (c *comparison) describeVariant(sub *schema.Schema, s *shape) string {
	at := " (" + sub.Pointer + ")"
	if title := s.s.Title; title != "" {
		return quote(title) + at
	}
	if ref := sub.Ref; ref != nil {
		return quote(ref.Text) + at
	}
	return c.describe(s) + at
}

// reachable lists a pair, and the pairs whose differences belong to it.
func reachable(root *pair) []*pair {
	all, seen := []*pair{root}, map[*pair]bool{root: true}
	for i := 0; i < len(all); i++ {
		for _, part := range all[i].parts {
			if !seen[part] {
				seen[part] = true
				all = append(all, part)
			}
		}
	}
	return all
}
