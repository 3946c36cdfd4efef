package compat

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/outboxgen/outboxgen/generator/internal/ecma"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// requiredEntry returns the place of the entry i of required.
func requiredEntry(s *schema.Schema, i int, pos finding.Pos) place {
	return under(s, "required", strconv.Itoa(i), pos)
}

// quote returns a name or a pattern for a message.
func quote(text string) string { return finding.Quote(text) }

func (c *comparison) objects(p *pair) {
	w, r := p.writer.s, p.reader.s
	c.properties(p)
	c.additionalProperties(p)
	c.dependencies(p)
	c.unevaluated(p, "unevaluated-properties", "unevaluatedProperties", w.UnevaluatedProperties, r.UnevaluatedProperties)
	if c.generated() {
		c.declaredBeside(p)
	}
	c.limit(p, "max-properties", "maxProperties", w.MaxProperties, r.MaxProperties)
	c.limit(p, "min-properties", "minProperties", w.MinProperties, r.MinProperties)
}

// others returns what an object allows for undeclared names.
func others(s *schema.Schema) (allowed bool, restricted *schema.Schema) {
	return rest(s.AdditionalProperties)
}

// rest reads additionalProperties, or the equivalent for additionalItems: absent and
// true are the same, and {} is the same in neither.
func rest(s *schema.Schema) (allowed bool, restricted *schema.Schema) {
	switch {
	case s == nil, isTrue(s):
		return true, nil
	case isFalse(s):
		return false, nil
	}
	return true, s
}

// open reports whether an object allows anything for undeclared names.
func (c *comparison) open(s *schema.Schema) bool {
	allowed, restricted := others(s)
	return allowed && restricted == nil && len(s.PatternProperties) == 0 &&
		(s.UnevaluatedProperties == nil || c.empty(s.UnevaluatedProperties))
}

// covering returns the schema of an object for an undeclared property with the name;
// nil if it allows none, according to the rules.
func (c *comparison) covering(s *schema.Schema, name string) *schema.Schema {
	for _, p := range s.PatternProperties {
		if c.matches(p.Name, name) {
			return p.Schema
		}
	}
	allowed, restricted := others(s)
	if restricted != nil {
		return restricted
	}
	if u := s.UnevaluatedProperties; allowed && u != nil && !isFalse(u) && !c.empty(u) {
		return u
	}
	return nil
}

// matchesPattern reports whether a pattern of s matches a name.
func (c *comparison) matchesPattern(s *schema.Schema, name string) bool {
	return slices.ContainsFunc(s.PatternProperties, func(p schema.Property) bool { return c.matches(p.Name, name) })
}

// matches reports whether the pattern matches name. A pattern that Go cannot run counts
// as a match, so that its schema is checked.
func (c *comparison) matches(pattern, name string) bool {
	c.work++
	re, known := c.patterns[pattern]
	if !known {
		if p, err := ecma.Translate(pattern); err == nil {
			re = p.Matcher()
		}
		c.patterns[pattern] = re
	}
	return re == nil || re.MatchString(name)
}

func (c *comparison) properties(p *pair) {
	w, r := p.writer.s, p.reader.s
	before, after := byName(w.Properties), byName(r.Properties)
	neededBefore, neededAfter := names(w.Required), names(r.Required)
	renamed := c.renamed(p, before, after)
	for _, property := range r.Properties {
		i, was := neededBefore[property.Name]
		j, is := neededAfter[property.Name]
		if former, ok := renamed[property.Name]; ok {
			c.propertyRenamed(p, before[former], property, is)
			continue
		}
		old, ok := before[property.Name]
		if !ok {
			c.propertyAdded(p, property, is)
			continue
		}
		c.sub(p, old.Schema, property.Schema)
		from, to := at(w, "required"), at(r, "required")
		if was {
			from = requiredEntry(w, i, w.Required[i].Pos)
		}
		if is {
			to = requiredEntry(r, j, r.Required[j].Pos)
		}
		switch {
		case was && !is && c.required(p.reader, property.Name), !was && is && c.required(p.writer, property.Name):
		case was && !is:
			p.add("property-became-optional", from, to, quote(property.Name))
		case !was && is && property.Schema.Default != nil:
			p.add("property-with-default-became-required", from, to, quote(property.Name))
		case !was && is:
			p.add("property-became-required", from, to, quote(property.Name))
		}
	}
	former := slices.Collect(maps.Values(renamed))
	for _, property := range w.Properties {
		if _, ok := after[property.Name]; !ok && !slices.Contains(former, property.Name) {
			c.propertyRemoved(p, property)
		}
	}
}

// renamed returns the former name of each property that has another name now: of what
// only one of the schemas declares, the only two with the same schema.
func (c *comparison) renamed(p *pair, before, after map[string]schema.Property) map[string]string {
	lone := func(list []schema.Property, other *shape, own map[string]schema.Property) []schema.Property {
		var alone []schema.Property
		for _, property := range list {
			if _, both := own[property.Name]; !both && len(c.elsewhere(other, property.Name)) == 0 {
				alone = append(alone, property)
			}
		}
		return alone
	}
	gone, added := lone(p.writer.s.Properties, p.reader, after), lone(p.reader.s.Properties, p.writer, before)
	if len(gone) == 0 || len(added) == 0 {
		return nil
	}
	byMark := func(list []schema.Property) map[fingerprint][]string {
		names := map[fingerprint][]string{}
		for _, property := range list {
			mark := c.fingerprint(property.Schema)
			names[mark] = append(names[mark], property.Name)
		}
		return names
	}
	names, former := map[string]string{}, byMark(gone)
	for mark, now := range byMark(added) {
		if old := former[mark]; len(old) == 1 && len(now) == 1 && !c.empty(after[now[0]].Schema) {
			names[now[0]] = old[0]
		}
	}
	return names
}

// propertyRenamed reports one difference in place of a removed and an added property.
// It is as compatible as these two.
func (c *comparison) propertyRenamed(p *pair, former, property schema.Property, needed bool) {
	start := len(p.differences)
	c.propertyRemoved(p, former)
	c.propertyAdded(p, property, needed)
	d := slices.MinFunc(p.differences[start:], func(a, b difference) int { return cmp.Compare(a.rule.Allowed, b.rule.Allowed) })
	d.edit, d.args = finding.Renamed, []any{quote(former.Name), quote(property.Name)}
	d.writer = under(p.writer.s, "properties", former.Name, former.Pos)
	d.reader = under(p.reader.s, "properties", property.Name, property.Pos)
	p.differences = append(p.differences[:start], d)
}

// propertyAdded reports a property that only the reader declares. The result depends on
// what the writer allows under its name.
func (c *comparison) propertyAdded(p *pair, property schema.Property, needed bool) {
	w, r := p.writer.s, p.reader.s
	from, to := at(w, "properties"), under(r, "properties", property.Name, property.Pos)
	add := func(id string) { p.add(id, from, to, quote(property.Name)) }
	if c.generated() && (w.Requires(property.Name) || c.required(p.writer, property.Name)) {
		needed = false // all data has it
	}
	allowed, restricted := others(w)
	said := c.elsewhere(p.writer, property.Name)
	switch {
	case !allowed:
	case len(said) > 0:
		if restricted != nil {
			said = append(slices.Clip(said), restricted)
		}
		c.moved(p, said, property.Schema)
		if !needed {
			return
		}
	case c.generated() && restricted == nil && !c.matchesPattern(w, property.Name):
		c.movedFrom(p, c.besideOf(c.whole(p.writer)).said[property.Name], property.Schema)
		if c.open(w) {
			c.movedInto(p, property)
		}
	}
	model := "closed"
	if c.open(w) {
		switch {
		case c.empty(property.Schema):
			add("empty-property-added-to-open-model")
			return
		case !needed:
			if u := c.unevaluatedElsewhere(p.writer, property.Name); u != nil {
				add(c.covered(p, u, property.Schema) + "-property-added-to-partially-open-model")
				return
			}
			add("property-added-to-open-model")
			c.limitedElsewhere(p, p.writer)
			return
		}
		model = "open"
	} else if schemaThere := c.covering(w, property.Name); schemaThere != nil {
		model = "partially-open"
		add(c.covered(p, schemaThere, property.Schema) + "-property-added-to-partially-open-model")
	}
	switch {
	case needed && property.Schema.Default != nil:
		add("required-property-with-default-added-to-" + model + "-model")
	case needed:
		add("required-property-added-to-" + model + "-model")
	case model == "closed":
		add("property-added-to-closed-model")
	}
}

// propertyRemoved reports a property that only the writer declares. The result depends
// on what the reader allows under its name.
func (c *comparison) propertyRemoved(p *pair, property schema.Property) {
	w, r := p.writer.s, p.reader.s
	from, to := under(w, "properties", property.Name, property.Pos), at(r, "properties")
	add := func(id string) { p.add(id, from, to, quote(property.Name)) }
	if said := c.elsewhere(p.reader, property.Name); len(said) > 0 {
		if len(c.besideOf(w).schemas) == 0 && p.writer.of == nil { // else its parts are compared
			for _, reader := range said {
				c.sub(p, property.Schema, reader)
			}
		}
		if c.passes(r, property.Name) {
			return
		}
	}
	if c.open(r) {
		add("property-removed-from-open-model")
		c.limitedElsewhere(p, p.reader)
		return
	}
	schemaThere := c.covering(r, property.Name)
	switch {
	case schemaThere != nil:
		add(c.covered(p, property.Schema, schemaThere) + "-property-removed-from-partially-open-model")
	case isFalse(property.Schema):
		add("false-property-removed-from-closed-model")
	default:
		add("property-removed-from-closed-model")
	}
}

// limitedElsewhere marks the latest difference, which says that an object allows any value
// under a name, if unevaluatedProperties of the whole does not.
func (c *comparison) limitedElsewhere(p *pair, s *shape) {
	u := c.whole(s).UnevaluatedProperties
	p.differences[len(p.differences)-1].limited = c.generated() && u != nil && !c.empty(u)
}

// unevaluatedElsewhere returns the schema under unevaluatedProperties of the whole, if it
// is all that the whole says about a property that s does not declare; nil if it is not, or
// if it allows no value or any.
func (c *comparison) unevaluatedElsewhere(s *shape, name string) *schema.Schema {
	whole := c.whole(s)
	u := whole.UnevaluatedProperties
	if !c.generated() || u == nil || isFalse(u) || c.empty(u) || whole.AdditionalProperties != nil {
		return nil
	}
	b := c.besideOf(whole)
	_, declared := byName(whole.Properties)[name]
	if declared || b.all || b.names[name] || c.matchesPattern(whole, name) ||
		slices.ContainsFunc(b.patterns, func(pattern string) bool { return c.matches(pattern, name) }) {
		return nil
	}
	return u
}

// passes reports whether an object accepts a property that it does not declare, and that
// another part of the whole does. additionalProperties sees no other part, and
// unevaluatedProperties only those beside it.
func (c *comparison) passes(s *schema.Schema, name string) bool {
	allowed, restricted := others(s)
	u := s.UnevaluatedProperties
	return allowed && restricted == nil && (u == nil || c.empty(u) || len(c.besideOf(s).always[name]) > 0)
}

func (c *comparison) additionalProperties(p *pair) {
	before, after := p.writer.s, p.reader.s
	c.remainder(p, "additional-properties", at(before, "additionalProperties"), at(after, "additionalProperties"),
		before.AdditionalProperties, after.AdditionalProperties)
}

// remainder checks what is allowed beyond the declared properties or items.
func (c *comparison) remainder(p *pair, subject string, from, to place, before, after *schema.Schema) {
	allowedBefore, restrictedBefore := rest(before)
	allowedAfter, restrictedAfter := rest(after)
	switch {
	case allowedBefore && !allowedAfter:
		p.add(subject+"-forbidden", from, to)
	case !allowedBefore && allowedAfter:
		p.add(subject+"-allowed", from, to)
	case restrictedBefore == nil && restrictedAfter != nil:
		p.add(subject+"-narrowed", from, to)
	case restrictedBefore != nil && restrictedAfter == nil:
		p.add(subject+"-widened", from, to)
	case restrictedBefore != nil:
		c.sub(p, restrictedBefore, restrictedAfter)
	}
}

// unevaluated checks unevaluatedProperties or unevaluatedItems.
func (c *comparison) unevaluated(p *pair, subject, keyword string, before, after *schema.Schema) {
	from, to := at(p.writer.s, keyword), at(p.reader.s, keyword)
	closed := func(s *schema.Schema) bool { return s != nil && isFalse(s) }
	free := func(s *schema.Schema) bool { return s != nil && c.empty(s) }
	switch {
	case before == nil && after == nil:
	case closed(before) && !closed(after):
		p.add(subject+"-allowed", from, to)
	case !closed(before) && closed(after):
		p.add(subject+"-forbidden", from, to)
	case before == nil, after != nil && free(before) && !free(after):
		p.add(subject+"-narrowed", from, to)
	case after == nil, !free(before) && free(after):
		p.add(subject+"-widened", from, to)
	default:
		c.sub(p, before, after)
	}
}

func (c *comparison) dependencies(p *pair) {
	w, r := p.writer.s, p.reader.s
	c.dependentNames(p)
	before, after := byName(w.DependentSchemas), byName(r.DependentSchemas)
	for _, d := range r.DependentSchemas {
		if old, ok := before[d.Name]; ok {
			c.sub(p, old.Schema, d.Schema)
		} else {
			p.add("dependent-schema-added", whole(w), place{pos: d.Pos, pointer: d.Schema.Pointer}, quote(d.Name))
		}
	}
	for _, d := range w.DependentSchemas {
		if _, ok := after[d.Name]; !ok {
			p.add("dependent-schema-removed", place{pos: d.Pos, pointer: d.Schema.Pointer}, whole(r), quote(d.Name))
		}
	}
}

func (c *comparison) dependentNames(p *pair) {
	w, r := p.writer.s, p.reader.s
	find := func(s *schema.Schema, name string) *schema.Dependent {
		i := slices.IndexFunc(s.DependentRequired, func(d schema.Dependent) bool { return d.Name.Text == name })
		if i < 0 {
			return nil
		}
		return &s.DependentRequired[i]
	}
	for _, after := range r.DependentRequired {
		to := dependentPlace(r, after)
		before := find(w, after.Name.Text)
		if before == nil {
			p.add("dependent-required-added", whole(w), to, quote(after.Name.Text))
			continue
		}
		from := dependentPlace(w, *before)
		more, fewer := lacks(names(before.Required), after.Required), lacks(names(after.Required), before.Required)
		switch {
		case more && fewer:
			p.add("dependent-required-changed", from, to, quote(after.Name.Text))
		case more:
			p.add("dependent-required-extended", from, to, quote(after.Name.Text))
		case fewer:
			p.add("dependent-required-narrowed", from, to, quote(after.Name.Text))
		}
	}
	for _, before := range w.DependentRequired {
		if find(r, before.Name.Text) == nil {
			p.add("dependent-required-removed", dependentPlace(w, before), whole(r), quote(before.Name.Text))
		}
	}
}

func dependentPlace(s *schema.Schema, d schema.Dependent) place {
	keyword := "dependentRequired"
	if !has(s, keyword) {
		keyword = "dependencies"
	}
	return under(s, keyword, d.Name.Text, d.Name.Pos)
}

func byName(properties []schema.Property) map[string]schema.Property {
	out := make(map[string]schema.Property, len(properties))
	for _, p := range properties {
		out[p.Name] = p
	}
	return out
}

// names returns the index of each name.
func names(list []schema.Name) map[string]int {
	out := make(map[string]int, len(list))
	for i, n := range list {
		out[n.Text] = i
	}
	return out
}

// lacks reports whether set does not have all the names.
func lacks(set map[string]int, all []schema.Name) bool {
	return slices.ContainsFunc(all, func(n schema.Name) bool {
		_, ok := set[n.Text]
		return !ok
	})
}
