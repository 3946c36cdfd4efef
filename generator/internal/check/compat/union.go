package compat

import (
	"cmp"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// tags is how generated code selects the variant of a union: by the values that a
// property has in each variant. They come from the variants or, if it is trusted, from
// the discriminator.
type tags struct {
	property string
	at       place
	of       [][]string // the values of each branch; nil: it is no object
	text     map[string]string
	branch   map[string]int
	trusted  bool
}

// tagsOf returns how generated code selects the variant; nil if it does not use a
// property, or if only one variant is an object.
func (c *comparison) tagsOf(s *shape) *tags {
	if s.kind != combined || s.madeUp || s.op == allOf {
		return nil
	}
	if s.tagsKnown {
		return s.tags
	}
	s.tagsKnown = true
	var leaves [][]*schema.Schema
	objects := 0
	c.branches(s)
	for _, sub := range s.subs {
		of := c.objectsOf(sub, map[*schema.Schema]bool{})
		leaves = append(leaves, of)
		objects += len(of)
	}
	if objects < 2 {
		return nil
	}
	if d := s.s.Discriminator; d != nil {
		s.tags = c.tagsBy(s, d.PropertyName.Text, leaves, d)
	}
	if s.tags == nil {
		first := slices.IndexFunc(leaves, func(of []*schema.Schema) bool { return len(of) > 0 })
		for _, property := range properties(leaves[first][0], map[*schema.Schema]bool{}) {
			if s.tags = c.tagsBy(s, property, leaves, nil); s.tags != nil {
				break
			}
		}
	}
	return s.tags
}

// objectsOf returns the objects among the schemas that a branch stands for: those of a
// union inside it, or itself, without the references to them.
func (c *comparison) objectsOf(s *schema.Schema, seen map[*schema.Schema]bool) []*schema.Schema {
	c.work++
	to := s.Resolved()
	if to == nil || seen[to] {
		return nil
	}
	seen[to] = true
	if inner := append(slices.Clone(to.OneOf), to.AnyOf...); len(inner) > 0 {
		var all []*schema.Schema
		for _, sub := range inner {
			all = append(all, c.objectsOf(sub, seen)...)
		}
		return all
	}
	if !objectLike(to, map[*schema.Schema]bool{}) {
		return nil
	}
	return []*schema.Schema{s}
}

// parts returns s and what it consists of: its reference and its allOf.
func partsOf(s *schema.Schema, seen map[*schema.Schema]bool) []*schema.Schema {
	if s == nil || seen[s] {
		return nil
	}
	seen[s] = true
	all := []*schema.Schema{s}
	if s.Ref != nil {
		all = append(all, partsOf(s.Ref.Target, seen)...)
	}
	for _, sub := range s.AllOf {
		all = append(all, partsOf(sub, seen)...)
	}
	return all
}

func objectLike(s *schema.Schema, seen map[*schema.Schema]bool) bool {
	return slices.ContainsFunc(partsOf(s, seen), func(part *schema.Schema) bool {
		return slices.Contains(part.Types, "object") || len(part.Types) == 0 && len(part.Properties)+len(part.Required) > 0
	})
}

// properties lists the names that s declares.
func properties(s *schema.Schema, seen map[*schema.Schema]bool) []string {
	var all []string
	for _, part := range partsOf(s, seen) {
		for _, property := range part.Properties {
			all = append(all, property.Name)
		}
	}
	return all
}

// listedValues returns the values that an object lists for a property, and whether it
// requires the property.
func listedValues(s *schema.Schema, property string) (values []*schema.Value, required bool) {
	for _, part := range partsOf(s, map[*schema.Schema]bool{}) {
		required = required || part.Requires(property)
		i := slices.IndexFunc(part.Properties, func(p schema.Property) bool { return p.Name == property })
		if i < 0 {
			continue
		}
		for _, of := range partsOf(part.Properties[i].Schema, map[*schema.Schema]bool{}) {
			switch {
			case of.Const != nil:
				values = []*schema.Value{of.Const}
			case len(of.Enum) > 0 && (values == nil || len(of.Enum) < len(values)):
				values = of.Enum
			}
		}
	}
	return values, required
}

// tagsBy returns the tags by one property; nil if it does not select one variant. The
// discriminator, if there is one, completes what the variants do not say.
func (c *comparison) tagsBy(s *shape, property string, leaves [][]*schema.Schema, d *schema.Discriminator) *tags {
	t := &tags{property: property, at: s.at, text: map[string]string{}, branch: map[string]int{}, of: make([][]string, len(leaves))}
	if d != nil {
		t.at = at(s.s, "discriminator")
	}
	for i, objects := range leaves {
		for _, object := range objects {
			c.work++
			values, required := listedValues(object, property)
			if d != nil && (len(values) == 0 || !required) {
				t.trusted = true
			} else if !required {
				return nil
			}
			if len(values) == 0 && d != nil {
				values = naming.Tags(d, naming.Branch(object))
			}
			if len(values) == 0 {
				return nil
			}
			for _, v := range values {
				key := v.Canonical()
				if _, twice := t.branch[key]; twice || d != nil && v.Kind != schema.String {
					return nil
				}
				t.of[i] = append(t.of[i], key)
				t.text[key], t.branch[key] = v.Short(), i
			}
		}
	}
	return t
}

// selection compares how generated code selects the variant of a union. partner is the
// reader's branch that was found for each of the writer's; nil if the writer has no
// union.
func (c *comparison) selection(p *pair, partner []int) {
	w, r := p.writer, p.reader
	if !c.generated() {
		c.noticeDiscriminator(p)
		return
	}
	before, after := c.tagsOf(w), c.tagsOf(r)
	switch {
	case after == nil:
		if before != nil && before.trusted && r.kind == combined && r.op == oneOf && len(c.branches(r)) > 1 {
			p.add("discriminator-removed", before.at, r.at)
		}
		return
	case before == nil || before.property != after.property:
		if !after.trusted {
			return // the variants themselves are compared
		}
		if known := c.tagsFor(w, after); known != nil {
			before = known
			break
		}
		if before == nil {
			p.add("discriminator-added", w.at, after.at)
		} else {
			p.add("discriminator-property-changed", before.at, after.at, quote(before.property), quote(after.property))
		}
		return
	}
	c.sameTags(p, before, after, partner)
}

// tagsFor returns the values that the writer's variants, or its only object, list for
// the property that the reader selects by; nil if they list none.
func (c *comparison) tagsFor(w *shape, after *tags) *tags {
	subs := []*schema.Schema{w.s}
	if w.kind == combined && !w.madeUp && w.op != allOf {
		c.branches(w)
		subs = w.subs
	}
	var leaves [][]*schema.Schema
	for _, sub := range subs {
		leaves = append(leaves, c.objectsOf(sub, map[*schema.Schema]bool{}))
	}
	return c.tagsBy(w, after.property, leaves, nil)
}

// sameTags compares the values of the property that both sides select by.
func (c *comparison) sameTags(p *pair, before, after *tags, partner []int) {
	w, r := p.writer, p.reader
	variants := map[string]bool{}
	for j := range c.branches(r) {
		variants[named(r, j)] = true
	}
	for i, values := range before.of {
		if partner != nil && partner[i] < 0 {
			continue // reported as a removed or changed variant
		}
		for _, value := range values {
			j, known := after.branch[value]
			name := ""
			if partner != nil {
				name = named(w, i)
			}
			what := before.text[value] + " in " + quote(before.property)
			switch {
			case !known:
				p.add("variant-tag-removed", before.at, after.at, what)
			case name != "" && name != named(r, j) && variants[name], partner != nil && partner[i] != j && !c.readableBranch(p, i, j):
				p.add("variant-tag-moved", before.at, after.at, what)
			}
		}
	}
	for j, values := range after.of {
		i := slices.Index(partner, j)
		if i < 0 || before.of[i] == nil {
			continue // a new variant
		}
		for _, value := range values {
			if _, known := before.branch[value]; !known {
				p.add("variant-tag-added", before.at, after.at, after.text[value]+" in "+quote(after.property))
			}
		}
	}
}

func (c *comparison) readableBranch(p *pair, i, j int) bool {
	_, ok := c.readable(p, c.branches(p.writer)[i], c.branches(p.reader)[j])
	return ok
}

// noticeDiscriminator reports a changed discriminator, which no rule of the registry
// compares.
func (c *comparison) noticeDiscriminator(p *pair) {
	w, r := p.writer.s, p.reader.s
	if discriminatorText(w) != discriminatorText(r) {
		p.add("uncompared-keyword-changed", at(w, "discriminator"), at(r, "discriminator"), "discriminator")
	}
}

// discriminatorText is equal for equal discriminators.
func discriminatorText(s *schema.Schema) string {
	d := s.Discriminator
	if d == nil {
		return ""
	}
	lines := make([]string, len(d.Mapping))
	for i, name := range d.Mapping {
		lines[i] = quote(name.Text) + " " + quote(d.Refs[i].Text)
	}
	slices.SortFunc(lines, cmp.Compare)
	text := quote(d.PropertyName.Text)
	for _, line := range lines {
		text += "\n" + line
	}
	return text
}
