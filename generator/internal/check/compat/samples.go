package compat

import (
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/outboxgen/outboxgen/generator/internal/example"
	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/validator"
)

// Limits of the search for a value that fits two variants. checking.md has those that
// users may notice.
const (
	mostTrying   = 2_000_000 // looks at a pair, for all values of one comparison
	mostTries    = 20_000    // checks of a value against a variant of one oneOf
	mostSamples  = 1000      // values for one oneOf
	mostListed   = 200       // values of one enum among them
	mostObjects  = 40        // objects for one variant
	mostOfMember = 5         // values of one property of these objects
	mostSaid     = 20        // variants that say something about one property
	mostMade     = 50        // schemas for which an example is made
	longestText  = 1000
	costOfMade   = 5000
)

// changedPairs returns the pairs that have a difference, or a part that has one.
func changedPairs(all []*pair) map[*pair]bool {
	partOf := map[*pair][]*pair{}
	changed := map[*pair]bool{}
	var next []*pair
	for _, p := range all {
		for _, part := range p.parts {
			partOf[part] = append(partOf[part], p)
		}
		if len(p.differences) > 0 {
			changed[p] = true
			next = append(next, p)
		}
	}
	for len(next) > 0 {
		p := next[len(next)-1]
		next = next[:len(next)-1]
		for _, q := range partOf[p] {
			if !changed[q] {
				changed[q] = true
				next = append(next, q)
			}
		}
	}
	return changed
}

// tryAll tries values for each oneOf in which no overlap is known yet. Its work does not
// count as that of the comparison: if it is too much, the search ends.
func (c *comparison) tryAll(all []*pair, changed map[*pair]bool) {
	start := c.work
	defer func() { c.trying, c.work = c.work-start, start }()
	for _, p := range all {
		known := slices.ContainsFunc(p.differences, func(d difference) bool { return d.rule.ID == "variant-overlaps" })
		if known || !c.mayOverlap(p) {
			continue
		}
		if c.tried(p, changed, start+mostTrying); c.work > start+mostTrying {
			return
		}
	}
}

// tried looks for two variants of the reader's oneOf by trying values that the writer's
// schema allows. It finds variants of which only a part overlaps. changed are the pairs
// that differ: a value that fitted one variant fits two only if one of them has changed. It
// stops after most looks.
func (c *comparison) tried(p *pair, changed map[*pair]bool, most int) {
	w, r := p.writer, p.reader
	parts := c.branches(r)
	same := make([]int, len(parts)) // the writer's variant, if it is the same; else -1
	for k := range same {
		same[k] = -1
	}
	for i, k := range p.partner {
		if k < 0 {
			continue
		}
		if q := c.pairs[pairKey{w.parts[i], r.parts[k]}]; q != nil && !changed[q] {
			same[k] = i
		}
	}
	if !slices.Contains(same, -1) {
		return
	}
	whole := []*shape{c.shape(w.s)}
	if w.of != nil {
		whole = append(whole, c.shape(w.of))
	}
	near := c.neighbours(r)
	left := mostTries
	for _, sample := range c.samples(p, same, most) {
		if c.work > most {
			return
		}
		v := sample.value
		one, other := c.fitTwo(v, parts, near.trying(c, sample), same, &left)
		if left <= 0 {
			return
		}
		if other < 0 {
			continue
		}
		if left -= len(parts); slices.ContainsFunc(whole, func(of *shape) bool { return c.fit(v, of) != validator.Valid }) {
			continue
		}
		p.add("variant-overlaps", c.sender(w, v), branchPlace(r, other), c.variant(r, one), c.variant(r, other))
		return
	}
}

// trying returns the variants that may accept a sample.
func (n *neighbours) trying(c *comparison, s sample) []int {
	switch {
	case s.from == nil:
		return n.accepting(c, s.value)
	case s.from.kind != objectKind:
		return n.all
	case n.from != s.from: // objects of one variant follow each other
		n.from, n.ofFrom = s.from, n.index.candidates(c, s.from)
		c.work += len(n.ofFrom)
	}
	return n.ofFrom
}

// fitTwo returns two variants that accept a value, of which one has changed; -1 if there are
// none. left is how many checks are left.
func (c *comparison) fitTwo(v *schema.Value, parts []*shape, among, same []int, left *int) (one, other int) {
	first := -1
	for _, changed := range []bool{true, false} {
		if !changed && first < 0 {
			break
		}
		for _, k := range among {
			if (same[k] < 0) != changed || !c.mayFit(v, parts[k]) {
				continue
			}
			if *left--; *left < 0 {
				return -1, -1
			}
			switch {
			case c.fit(v, parts[k]) != validator.Valid:
			case first < 0:
				first = k
			default:
				return min(first, k), max(first, k)
			}
		}
	}
	return -1, -1
}

// sender returns the place of the writer's variant that allows a value.
func (c *comparison) sender(w *shape, v *schema.Value) place {
	if w.union() {
		for i, part := range c.branches(w) {
			if c.fit(v, part) == validator.Valid {
				return branchPlace(w, i)
			}
		}
	}
	return w.at
}

// samples returns values to try: those at the bounds of the changed variants first, then
// those of the others.
func (c *comparison) samples(p *pair, same []int, most int) []sample {
	w, r := p.writer, p.reader
	var now, before, rest []*schema.Schema
	for k, part := range r.parts {
		if same[k] < 0 {
			now = append(now, part.s)
		} else {
			rest = append(rest, part.s)
		}
	}
	if w.union() {
		for i, part := range c.branches(w) {
			if k := p.partner[i]; k < 0 || same[k] < 0 {
				before = append(before, part.s)
			}
		}
	}
	b := &sampler{c: c, most: most, seen: map[string]bool{}, walked: map[*schema.Schema]bool{}}
	for _, s := range slices.Concat(now, before, []*schema.Schema{w.s}, rest) {
		b.scalars(s)
	}
	// Objects that a property tells apart do not overlap.
	if c.tagsOf(r) == nil && slices.ContainsFunc(r.parts, func(part *shape) bool { return !c.scalar(part) }) {
		_, read, _ := declared(slices.Concat(now, rest))
		if w.union() {
			for _, part := range c.branches(w) {
				b.objects(part, []*schema.Schema{w.s, part.s}, read)
			}
		} else {
			b.objects(c.shape(w.s), []*schema.Schema{w.s}, read)
		}
	}
	return b.values
}

// sample is a value to try.
type sample struct {
	value *schema.Value
	from  *shape // of an object: the writer's variant that allows it
}

// sampler collects values, each once.
type sampler struct {
	c      *comparison
	values []sample
	seen   map[string]bool
	walked map[*schema.Schema]bool
	made   int
	most   int // looks
}

// full reports whether there are enough values, or whether looking for more takes too long.
func (b *sampler) full() bool { return len(b.values) >= mostSamples || b.c.work > b.most }

func (b *sampler) add(values ...*schema.Value) { b.addOf(nil, values...) }

func (b *sampler) addOf(from *shape, values ...*schema.Value) {
	for _, v := range values {
		if b.full() {
			return
		}
		b.c.work++
		if key := v.Canonical(); !b.seen[key] {
			b.seen[key] = true
			b.values = append(b.values, sample{v, from})
		}
	}
}

// scalars adds the values that a schema, and what it consists of, lists or names as bounds.
func (b *sampler) scalars(s *schema.Schema) {
	if s == nil || b.walked[s] || b.full() {
		return
	}
	b.walked[s] = true
	b.c.work++
	if s.Const != nil {
		b.add(s.Const)
	}
	b.add(s.Enum[:min(len(s.Enum), mostListed)]...)
	for _, n := range []*schema.Number{s.Minimum, s.Maximum, s.ExclusiveMinimum, s.ExclusiveMaximum, s.MultipleOf} {
		b.around(n)
	}
	for _, n := range []*schema.Number{s.MinLength, s.MaxLength} {
		if count := n.Count(); count != nil && *count <= longestText {
			for _, length := range []int{*count, *count - 1, *count + 1} {
				b.add(letters(max(0, length)))
			}
		}
	}
	if s.Pattern != nil || s.Format != "" || s.ContentEncoding != "" || s.MultipleOf != nil {
		b.make(s)
	}
	for _, name := range s.Types {
		switch name {
		case "string":
			b.add(letters(1), letters(0))
		case "integer":
			b.add(number("1"), number("0"))
		case "number":
			b.add(number("0.5"), number("1"), number("0"))
		case "boolean":
			b.add(&schema.Value{Kind: schema.Bool, Bool: true}, &schema.Value{Kind: schema.Bool})
		case "null":
			b.add(&schema.Value{Kind: schema.Null})
		}
	}
	for _, sub := range slices.Concat(s.AllOf, s.AnyOf, s.OneOf, []*schema.Schema{s.Not, s.If, s.Then, s.Else}) {
		b.scalars(sub)
	}
	if s.Ref != nil {
		b.scalars(s.Ref.Target)
	}
}

// around adds a bound, and numbers on both sides of it.
func (b *sampler) around(n *schema.Number) {
	const longest = 40
	if n == nil || len(n.Text) > longest || strings.ContainsAny(n.Text, "eE") {
		return
	}
	r := jsonvalue.Rational(n.Text)
	if r == nil {
		return
	}
	for _, step := range []*big.Rat{new(big.Rat), big.NewRat(1, 1), big.NewRat(-1, 1), big.NewRat(1, 2), big.NewRat(-1, 2)} {
		x := new(big.Rat).Add(r, step)
		if places, exact := x.FloatPrec(); exact {
			b.add(number(x.FloatString(places)))
		}
	}
}

// make adds an example that is made for a schema.
func (b *sampler) make(s *schema.Schema) {
	if b.made++; b.made > mostMade {
		return
	}
	c := b.c
	if c.values == nil {
		c.values = validator.New(c.policy == Generated)
	}
	c.work += costOfMade
	if found := example.Of(s, c.values); found != nil && !found.Unchecked && utf8.RuneCountInString(found.Value.Text) <= longestText {
		b.add(found.Value)
	}
}

func number(text string) *schema.Value { return &schema.Value{Kind: schema.NumberKind, Text: text} }

func letters(length int) *schema.Value {
	return &schema.Value{Kind: schema.String, Text: strings.Repeat("a", length)}
}

// objects adds objects that a writer's variant allows: with what it requires, with all that
// it declares, and with other values of one property. They have no other properties,
// because data rarely has them. read is what the variants to try say about properties.
func (b *sampler) objects(from *shape, writers []*schema.Schema, read map[string][]*schema.Schema) {
	if b.full() {
		return
	}
	names, said, required := declared(writers)
	if !slices.ContainsFunc(writers, func(s *schema.Schema) bool { return objectLike(s, map[*schema.Schema]bool{}) }) {
		return
	}
	options := map[string][]*schema.Value{}
	var most, least []string
	for _, name := range names {
		options[name] = b.members(said[name], read[name])
		if len(options[name]) == 0 {
			continue
		}
		most = append(most, name)
		if required[name] {
			least = append(least, name)
		}
	}
	object := func(of []string, other string, value *schema.Value) *schema.Value {
		v := &schema.Value{Kind: schema.Object}
		for _, name := range of {
			member := options[name][0]
			if name == other {
				member = value
			}
			v.Members = append(v.Members, schema.Member{Name: name, Value: member})
		}
		return v
	}
	all := []*schema.Value{object(least, "", nil), object(most, "", nil)}
	for _, name := range most {
		if !required[name] {
			all = append(all, object(append(slices.Clone(least), name), "", nil))
		}
		for _, value := range options[name][1:] {
			all = append(all, object(most, name, value))
			if required[name] {
				all = append(all, object(least, name, value))
			}
		}
	}
	b.addOf(from, all[:min(len(all), mostObjects)]...)
}

// members returns values for a property that all schemas of the writer allow.
func (b *sampler) members(writers, readers []*schema.Schema) []*schema.Value {
	of := &sampler{c: b.c, most: b.most, seen: map[string]bool{}, walked: map[*schema.Schema]bool{}, made: b.made}
	for _, s := range slices.Concat(writers, readers[:min(len(readers), mostSaid)]) {
		of.scalars(s)
	}
	if len(writers) == 1 && len(of.values) == 0 {
		of.make(writers[0])
	}
	b.made = of.made
	var valid []*schema.Value
	for _, s := range of.values {
		v := s.value
		if len(valid) < mostOfMember && !slices.ContainsFunc(writers, func(s *schema.Schema) bool {
			return b.c.fit(v, b.c.shape(s)) != validator.Valid
		}) {
			valid = append(valid, v)
		}
	}
	return valid
}

// declared returns the properties that schemas declare, in their order, and those that they
// require.
func declared(all []*schema.Schema) (names []string, said map[string][]*schema.Schema, required map[string]bool) {
	said, required = map[string][]*schema.Schema{}, map[string]bool{}
	for _, s := range all {
		for _, part := range partsOf(s, map[*schema.Schema]bool{}) {
			for _, property := range part.Properties {
				if said[property.Name] == nil {
					names = append(names, property.Name)
				}
				said[property.Name] = append(said[property.Name], property.Schema)
			}
			for _, name := range part.Required {
				required[name.Text] = true
				if said[name.Text] == nil {
					names = append(names, name.Text)
					said[name.Text] = []*schema.Schema{}
				}
			}
		}
	}
	return names, said, required
}
