package compat

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// beside is what the schemas of an object say about properties that are no part of its
// own properties: its reference, and the branches of its combinations and conditions.
// unevaluatedProperties sees these properties too.
type beside struct {
	declared []declaredProperty
	always   map[string]*schema.Schema // what applies to all values says this about a property
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
	b := &beside{always: map[string]*schema.Schema{}, names: map[string]bool{}}
	c.besides[s] = b
	seen := map[*schema.Schema]bool{s: true}
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
		if of == nil || seen[of] {
			return
		}
		c.work++
		seen[of] = true
		for _, property := range of.Properties {
			b.declared = append(b.declared, declaredProperty{property, of})
			b.names[property.Name] = true
			if _, twice := b.always[property.Name]; always && !twice {
				b.always[property.Name] = property.Schema
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
		parts(of, always)
	}
	parts(s, true)
	return b
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
