package compat

import (
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// items is what a schema says about the items of an array: about all of them, or about
// the first ones and the rest.
type items struct {
	all   *schema.Schema
	first []*schema.Schema
	rest  *schema.Schema
	at    place // of rest
}

func itemsOf(s *schema.Schema) items {
	keyword := "items"
	if has(s, "additionalItems") {
		keyword = "additionalItems"
	}
	switch {
	case len(s.PrefixItems) > 0:
		return items{first: s.PrefixItems, rest: s.Items, at: at(s, keyword)}
	case s.Items != nil && modern(s) && s.Items.Bool != nil:
		// The registry's newer parser reads true and false as additional items, the
		// older one as a schema for all items.
		return items{rest: s.Items, at: at(s, keyword)}
	}
	return items{all: s.Items, at: at(s, keyword)}
}

func (c *comparison) arrays(p *pair) {
	w, r := p.writer.s, p.reader.s
	before, after := itemsOf(w), itemsOf(r)
	switch {
	case before.all == nil && after.all == nil:
	case before.all == nil:
		p.add("items-added", at(w, "items"), at(r, "items"))
	case after.all == nil:
		p.add("items-removed", at(w, "items"), at(r, "items"))
	default:
		c.sub(p, before.all, after.all)
	}
	c.tuples(p, before, after)
	c.remainder(p, "additional-items", before.at, after.at, before.rest, after.rest)
	c.unevaluated(p, "unevaluated-items", "unevaluatedItems", w.UnevaluatedItems, r.UnevaluatedItems)
	if c.generated() {
		c.itemsBeside(p)
	}
	c.limit(p, "max-items", "maxItems", w.MaxItems, r.MaxItems)
	c.limit(p, "min-items", "minItems", w.MinItems, r.MinItems)
	switch {
	case w.UniqueItems && !r.UniqueItems:
		p.add("unique-items-removed", at(w, "uniqueItems"), at(r, "uniqueItems"))
	case !w.UniqueItems && r.UniqueItems:
		p.add("unique-items-added", at(w, "uniqueItems"), at(r, "uniqueItems"))
	}
	c.contains(p)
}

// contains checks how many items have to match contains. Its schema is not compared;
// before 2019-09 nothing is.
func (c *comparison) contains(p *pair) {
	count := func(s *schema.Schema) (least, most *schema.Number) {
		if s.Contains == nil || !modern(s) {
			return nil, nil
		}
		if least = s.MinContains; least == nil {
			least = &schema.Number{Text: "1", Pos: s.At["contains"]}
		}
		return least, s.MaxContains
	}
	leastBefore, mostBefore := count(p.writer.s)
	leastAfter, mostAfter := count(p.reader.s)
	c.limit(p, "max-contains", "maxContains", mostBefore, mostAfter)
	keyword := "minContains"
	if p.reader.s.MinContains == nil && p.writer.s.MinContains == nil {
		keyword = "contains"
	}
	c.limit(p, "min-contains", keyword, leastBefore, leastAfter)
}

// openItems reports whether an array allows anything after its first items.
func (c *comparison) openItems(s *schema.Schema, i items) bool {
	allowed, restricted := rest(i.rest)
	return allowed && restricted == nil && (s.UnevaluatedItems == nil || c.empty(s.UnevaluatedItems))
}

// coveringItems returns the schema for items after the first ones; nil if none are
// allowed, according to the rules.
func (c *comparison) coveringItems(s *schema.Schema, i items) *schema.Schema {
	allowed, restricted := rest(i.rest)
	if restricted != nil {
		return restricted
	}
	if u := s.UnevaluatedItems; allowed && u != nil && !isFalse(u) && !c.empty(u) {
		return u
	}
	return nil
}

func (c *comparison) tuples(p *pair, before, after items) {
	w, r := p.writer.s, p.reader.s
	both := min(len(before.first), len(after.first))
	for i := range both {
		c.sub(p, before.first[i], after.first[i])
	}
	for i, gone := range before.first[both:] {
		p.add(c.itemRemoved(p, gone, after), whole(gone), whole(r), both+i)
	}
	for i, more := range after.first[both:] {
		p.add(c.itemAdded(p, more, before), whole(w), whole(more), both+i)
	}
}

func (c *comparison) itemRemoved(p *pair, gone *schema.Schema, after items) string {
	if c.openItems(p.reader.s, after) {
		return "item-removed-from-open-model"
	}
	if there := c.coveringItems(p.reader.s, after); there != nil {
		return c.covered(p, gone, there) + "-item-removed-from-partially-open-model"
	}
	if isFalse(gone) {
		return "false-item-removed-from-closed-model"
	}
	return "item-removed-from-closed-model"
}

func (c *comparison) itemAdded(p *pair, more *schema.Schema, before items) string {
	if c.openItems(p.writer.s, before) {
		if c.empty(more) {
			return "empty-item-added-to-open-model"
		}
		return "item-added-to-open-model"
	}
	if there := c.coveringItems(p.writer.s, before); there != nil {
		return c.covered(p, there, more) + "-item-added-to-partially-open-model"
	}
	return "item-added-to-closed-model"
}
