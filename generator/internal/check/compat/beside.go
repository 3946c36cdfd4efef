package compat

import (
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
	b := &beside{always: map[string][]*schema.Schema{}, required: map[string]bool{}, names: map[string]bool{}}
	c.besides[s] = b
	seen := map[*schema.Schema]bool{s: true} // whether it applies to all values
	var add func(of *schema.Schema, always bool)
	parts := func(of *schema.Schema, always bool) {
		if of.Ref != nil {
			add(of.Ref.Target, always)
		}
		for _, sub := range of.AllOf {
			add(sub, always)
		}
		for _, sub := range slices.Concat(of.AnyOf, of.OneOf, []*schema.Schema{of.If, of.Then, of.Else}) {
			add(sub, false)
		}
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
			b.add(of)
		}
		if always {
			b.addAlways(of)
		}
		parts(of, always)
	}
	parts(s, true)
	return b
}

// add adds what a schema says, whether it applies to all values or not.
func (b *beside) add(of *schema.Schema) {
	b.schemas = append(b.schemas, of)
	for _, property := range of.Properties {
		b.declared = append(b.declared, declaredProperty{property, of})
		b.names[property.Name] = true
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

// itemsBeside reports the first item that the writer describes, beside its own items, and
// that the reader's unevaluatedItems does not allow.
func (c *comparison) itemsBeside(p *pair) {
	w, r := p.writer.s, p.reader.s
	if r.UnevaluatedItems == nil || !isFalse(r.UnevaluatedItems) || r.Items != nil || r.Contains != nil {
		return
	}
	before, after := c.besideOf(w), c.besideOf(r)
	known := max(len(r.PrefixItems), len(after.items))
	if after.allItems || len(before.items) <= max(known, len(w.PrefixItems)) {
		return // its own items are compared elsewhere
	}
	p.add("item-removed-from-closed-model", whole(before.items[known]), at(r, "unevaluatedItems"), known)
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
	own := byName(r.Properties)
	patterns := slices.Clone(after.patterns)
	for _, pattern := range r.PatternProperties {
		patterns = append(patterns, pattern.Name)
	}
	reported := map[string]bool{}
	for _, property := range before.declared {
		name := property.Name
		if _, is := own[name]; is || after.names[name] || reported[name] || isFalse(property.Schema) ||
			slices.ContainsFunc(patterns, func(pattern string) bool { return c.matches(pattern, name) }) {
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
