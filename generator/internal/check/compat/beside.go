package compat

import (
	"maps"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// beside is what the schemas of an object say about properties that are no part of its
// own properties: its reference, and the branches of its combinations and conditions.
// unevaluatedProperties sees these properties too.
type beside struct {
	schemas  []*schema.Schema
	declared []declaredProperty
	// always is what the schemas that apply to all values say about a property, and
	// required the names that they require.
	always   map[string][]*schema.Schema
	required map[string]bool
	// said is what all of the schemas say about a property, except those that only an if
	// tests: they restrict no data.
	said     map[string][]*schema.Schema
	names    map[string]bool
	patterns []string
	all      bool // one of them is about all properties
	// items are the first items of an array, and allItems is true if one of them is about
	// all items.
	items    []*schema.Schema
	allItems bool
}

type declaredProperty struct {
	schema.Property

	in *schema.Schema
}

func (c *comparison) besideOf(s *schema.Schema) *beside {
	if known := c.besides[s]; known != nil {
		return known
	}
	b := &beside{
		always: map[string][]*schema.Schema{}, required: map[string]bool{},
		said: map[string][]*schema.Schema{}, names: map[string]bool{},
	}
	c.besides[s] = b
	seen := map[*schema.Schema]bool{s: true} // whether it applies to all values
	var tests []*schema.Schema
	tested := false
	var add func(of *schema.Schema, always bool)
	parts := func(of *schema.Schema, always bool) {
		if of.Ref != nil {
			add(of.Ref.Target, always)
		}
		for _, sub := range of.AllOf {
			add(sub, always)
		}
		for _, sub := range slices.Concat(of.AnyOf, of.OneOf, []*schema.Schema{of.Then, of.Else}) {
			add(sub, false)
		}
		tests = append(tests, of.If)
		for _, d := range of.DependentSchemas {
			add(d.Schema, false)
		}
	}
	add = func(of *schema.Schema, always bool) {
		if of == nil {
			return
		}
		applies, twice := seen[of]
		if twice && (applies || !always) {
			return
		}
		c.work++
		seen[of] = always
		if !twice {
			b.add(of, tested)
		}
		if always {
			b.addAlways(of)
		}
		parts(of, always)
	}
	parts(s, true)
	tested = true // after all else: what it refers to may apply as well
	for i := 0; i < len(tests); i++ {
		add(tests[i], false)
	}
	return b
}

// add adds what a schema says, whether it applies to all values or not. tested is true if
// only an if tests it.
func (b *beside) add(of *schema.Schema, tested bool) {
	b.schemas = append(b.schemas, of)
	for _, property := range of.Properties {
		b.declared = append(b.declared, declaredProperty{property, of})
		b.names[property.Name] = true
		if !tested && !isFalse(property.Schema) {
			b.said[property.Name] = append(b.said[property.Name], property.Schema)
		}
	}
	for _, pattern := range of.PatternProperties {
		b.patterns = append(b.patterns, pattern.Name)
	}
	b.all = b.all || of.AdditionalProperties != nil || of.UnevaluatedProperties != nil
	if len(of.PrefixItems) > len(b.items) {
		b.items = of.PrefixItems
	}
	b.allItems = b.allItems || of.Items != nil || of.UnevaluatedItems != nil || of.Contains != nil
}

// addAlways adds what a schema says that applies to all values.
func (b *beside) addAlways(of *schema.Schema) {
	for _, property := range of.Properties {
		b.always[property.Name] = append(b.always[property.Name], property.Schema)
	}
	for _, name := range of.Required {
		b.required[name.Text] = true
	}
}

// whole returns the schema that s is a part of, with all that it refers to: its base, and
// the branches of its allOf. All of it applies to the same value, so generated readers
// look at it together. A registry compares each part alone.
func (c *comparison) whole(s *shape) *schema.Schema {
	if s.of != nil {
		return s.of
	}
	return s.s
}

// elsewhere returns what the other parts of the whole say about a property that s does not
// declare itself.
func (c *comparison) elsewhere(s *shape, name string) []*schema.Schema {
	if !c.generated() {
		return nil
	}
	whole := c.whole(s)
	said := c.besideOf(whole).always[name]
	if whole != s.s {
		if i := slices.IndexFunc(whole.Properties, func(p schema.Property) bool { return p.Name == name }); i >= 0 {
			said = append(slices.Clip(said), whole.Properties[i].Schema)
		}
	}
	return said
}

// movedFrom compares what the reader says about a property with what the writer says in the
// parts that apply to some data only, such as a variant. Each of them has to fit. The values
// that one lists are checked, because a const is not compared with a type.
func (c *comparison) movedFrom(p *pair, writers []*schema.Schema, reader *schema.Schema) {
	for _, writer := range writers {
		from, to := c.shape(writer), c.shape(reader)
		values := valuesOf(from)
		if values != nil && c.scalar(from) &&
			!slices.ContainsFunc(values, func(v *schema.Value) bool { return !c.fits([]*schema.Value{v}, from, to) }) {
			continue
		}
		c.sub(p, writer, reader)
	}
}

// movedInto compares a property that only the reader's variant declares with what the object
// around the writer's variant says about it, if the reader's says nothing any more. A value
// that the variant lists may be what selects it, so it is not compared.
func (c *comparison) movedInto(p *pair, property schema.Property) {
	said := func(s *schema.Schema) []*schema.Schema {
		if s == nil {
			return nil
		}
		all := c.besideOf(s).always[property.Name]
		if own, ok := byName(s.Properties)[property.Name]; ok {
			all = append(slices.Clip(all), own.Schema)
		}
		return all
	}
	before := said(p.writer.around)
	if len(before) > 0 && len(said(p.reader.around)) == 0 && valuesOf(c.shape(property.Schema)) == nil {
		c.moved(p, before, property.Schema)
	}
}

// required reports whether another part of the whole requires a property.
func (c *comparison) required(s *shape, name string) bool {
	if !c.generated() {
		return false
	}
	whole := c.whole(s)
	return c.besideOf(whole).required[name] || whole != s.s && whole.Requires(name)
}

// moved compares what the reader says about a property with what the writer says at other
// places. Data fits all of it, so it is enough if the reader accepts one of them.
func (c *comparison) moved(p *pair, writers []*schema.Schema, reader *schema.Schema) {
	for _, writer := range writers {
		if q := c.pair(c.shape(writer), c.shape(reader)); c.holds(p, q) {
			p.include(q)
			return
		}
	}
	c.sub(p, writers[0], reader)
}

// itemsBeside reports the items that the writer describes, beside its own items, and that
// fall under the reader's unevaluatedItems: the first one, if it allows none, or each.
func (c *comparison) itemsBeside(p *pair) {
	w, r := p.writer.s, p.reader.s
	u := r.UnevaluatedItems
	if u == nil || c.empty(u) || r.Items != nil || r.Contains != nil {
		return
	}
	before, after := c.besideOf(w), c.besideOf(r)
	known := max(len(r.PrefixItems), len(after.items))
	if after.allItems || len(before.items) <= max(known, len(w.PrefixItems)) {
		return // its own items are compared elsewhere
	}
	if isFalse(u) {
		p.add("item-removed-from-closed-model", whole(before.items[known]), at(r, "unevaluatedItems"), known)
		return
	}
	for i := max(known, len(w.PrefixItems)); i < len(before.items); i++ {
		item := before.items[i]
		p.add(c.covered(p, item, u)+"-item-removed-from-partially-open-model", whole(item), at(r, "unevaluatedItems"), i)
	}
}

// declaredBeside reports properties of the writer, beside its own, that the reader's
// unevaluatedProperties does not allow.
func (c *comparison) declaredBeside(p *pair) {
	w, r := p.writer.s, p.reader.s
	u := r.UnevaluatedProperties
	if u == nil || c.empty(u) || r.AdditionalProperties != nil {
		return
	}
	before, after := c.besideOf(w), c.besideOf(r)
	c.work += len(before.declared) + len(after.declared)
	if after.all {
		return
	}
	seen := c.surely(r, map[*schema.Schema]map[evaluated]bool{})
	var patterns []string
	for e := range seen {
		if e.pattern {
			patterns = append(patterns, e.text)
		}
	}
	slices.Sort(patterns)
	reported := map[string]bool{}
	for _, property := range before.declared {
		name := property.Name
		matches := func(pattern string) bool { return c.matches(pattern, name) }
		if seen[evaluated{name, false}] || reported[name] || isFalse(property.Schema) || slices.ContainsFunc(patterns, matches) {
			continue
		}
		// What applies only to some values on both sides may apply to the same values.
		if len(before.always[name]) == 0 && (after.names[name] || slices.ContainsFunc(after.patterns, matches)) {
			continue
		}
		reported[name] = true
		from, to := under(property.in, "properties", name, property.Pos), at(r, "unevaluatedProperties")
		if isFalse(u) {
			p.add("property-removed-from-closed-model", from, to, quote(name))
		} else {
			p.add(c.covered(p, property.Schema, u)+"-property-removed-from-partially-open-model", from, to, quote(name))
		}
	}
}

// evaluated is a name, or a pattern for names, that a schema declares.
type evaluated struct {
	text    string
	pattern bool
}

// surely returns what unevaluatedProperties of s sees in every object, whichever variants
// and conditions apply: what s declares itself, what its parts declare, and what all of its
// variants do. known has the earlier results.
func (c *comparison) surely(s *schema.Schema, known map[*schema.Schema]map[evaluated]bool) map[evaluated]bool {
	if s == nil {
		return nil
	}
	if all, ok := known[s]; ok {
		return all
	}
	all := map[evaluated]bool{}
	known[s] = all
	for _, property := range s.Properties {
		all[evaluated{property.Name, false}] = true
	}
	for _, pattern := range s.PatternProperties {
		all[evaluated{pattern.Name, true}] = true
	}
	if s.Ref != nil {
		maps.Copy(all, c.surely(s.Ref.Target, known))
	}
	for _, sub := range s.AllOf {
		maps.Copy(all, c.surely(sub, known))
	}
	for _, variants := range [][]*schema.Schema{s.AnyOf, s.OneOf} {
		var each []map[evaluated]bool
		for _, sub := range variants {
			if to := sub.Resolved(); to != nil && !isFalse(to) && (len(to.Types) == 0 || slices.Contains(to.Types, "object")) {
				each = append(each, c.surely(sub, known))
			}
		}
		maps.Copy(all, inEach(each))
	}
	if s.If != nil {
		yes := maps.Clone(c.surely(s.If, known))
		maps.Copy(yes, c.surely(s.Then, known))
		maps.Copy(all, inEach([]map[evaluated]bool{yes, c.surely(s.Else, known)}))
	}
	for _, d := range s.DependentSchemas {
		if e := (evaluated{d.Name, false}); c.surely(d.Schema, known)[e] {
			all[e] = true // it applies where the property is
		}
	}
	c.work += 1 + len(all)
	return all
}

// inEach returns what is in each of the sets.
func inEach(sets []map[evaluated]bool) map[evaluated]bool {
	all := map[evaluated]bool{}
	if len(sets) == 0 {
		return all
	}
	for e := range sets[0] {
		if !slices.ContainsFunc(sets, func(set map[evaluated]bool) bool { return !set[e] }) {
			all[e] = true
		}
	}
	return all
}
