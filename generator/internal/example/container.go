package example

import (
	"slices"
	"strconv"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// object makes an object: the declared properties in their order, then those that are
// required and not declared.
func (m *maker) object(all []*schema.Schema, depth int) *schema.Value {
	value := &schema.Value{Kind: schema.Object}
	required := func(name string) bool {
		return slices.ContainsFunc(all, func(s *schema.Schema) bool { return s.Requires(name) })
	}
	add := func(name string) bool {
		if value.Member(name) != nil {
			return true
		}
		member := m.value(m.property(all, name), name, depth+1)
		if member != nil {
			value.Members = append(value.Members, schema.Member{Name: name, Value: member})
		}
		return member != nil || !required(name)
	}
	for _, s := range all {
		for _, p := range s.Properties {
			if !required(p.Name) && depth >= m.optional {
				continue
			}
			if !add(p.Name) {
				return nil
			}
		}
	}
	for _, s := range all {
		for _, name := range s.Required {
			if !add(name.Text) {
				return nil
			}
		}
	}
	for _, name := range m.others(all, len(value.Members), depth < m.optional) {
		add(name)
	}
	return value
}

// property returns what a property of an object has to match.
func (m *maker) property(all []*schema.Schema, name string) []*schema.Schema {
	var out []*schema.Schema
	for _, s := range all {
		declared := false
		for _, p := range s.Properties {
			if p.Name == name {
				declared = true
				out = conjunction(out, p.Schema, m.turn)
			}
		}
		for _, p := range s.PatternProperties {
			if m.patterns.match(p.Name, name) {
				declared = true
				out = conjunction(out, p.Schema, m.turn)
			}
		}
		if !declared {
			out = conjunction(out, s.AdditionalProperties, m.turn)
		}
	}
	return out
}

// others returns names for properties that are not declared: for the entries of a map,
// if optional is set, and as many as the object needs.
func (m *maker) others(all []*schema.Schema, have int, optional bool) []string {
	var names []string
	least, declared, open := 0, false, false
	for _, s := range all {
		if n := s.MinProperties.Count(); n != nil {
			least = max(least, *n)
		}
		declared = declared || len(s.Properties) > 0
		for _, p := range s.PatternProperties {
			if text := m.patterns.fitting(p.Name, m.turn, 0, -1); text != "" && optional && m.patterns.match(p.Name, text) {
				names = append(names, text)
			}
		}
		open = open || s.AdditionalProperties != nil && s.AdditionalProperties.Bool == nil
	}
	want := 0
	if open && !declared && optional && len(names) == 0 {
		want = 1 // a map
	}
	const most = 100
	want = min(max(want, least-have-len(names)), most)
	for i := range want {
		names = append(names, "key"+strconv.Itoa(i+1))
	}
	return names
}

// array makes an array: the items of the tuple, those that the array must contain, and
// as many as it needs.
func (m *maker) array(all []*schema.Schema, name string, depth int) *schema.Value {
	value := &schema.Value{Kind: schema.Array}
	least, most, tuple, unique := 0, -1, 0, false
	var contains []*schema.Schema
	for _, s := range all {
		if n := s.MinItems.Count(); n != nil {
			least = max(least, *n)
		}
		if n := s.MaxItems.Count(); n != nil && (most < 0 || *n < most) {
			most = *n
		}
		if s.Contains != nil {
			count := 1
			if n := s.MinContains.Count(); n != nil {
				count = *n
			}
			for range min(count, mostValues) {
				contains = append(contains, s.Contains)
			}
		}
		tuple = max(tuple, len(s.PrefixItems))
		unique = unique || s.UniqueItems
	}
	want := max(least, tuple+len(contains), 1)
	if most >= 0 {
		want = min(want, most)
	}
	for i := 0; i < want && m.budget > 0; i++ {
		item := m.item(all, i, tuple, contains)
		turn := m.turn
		if unique {
			m.turn += i
		}
		made := m.value(item, name, depth+1)
		m.turn = turn
		if made == nil {
			break
		}
		value.Items = append(value.Items, made)
	}
	if len(value.Items) < least {
		return nil
	}
	return value
}

// item returns what one item of an array has to match.
func (m *maker) item(all []*schema.Schema, i, tuple int, contains []*schema.Schema) []*schema.Schema {
	var out []*schema.Schema
	turn := m.turn
	for _, s := range all {
		if s.UniqueItems {
			turn = m.turn + i
		}
	}
	if at := i - tuple; at >= 0 && at < len(contains) {
		out = conjunction(out, contains[at], turn)
	}
	for _, s := range all {
		if i < len(s.PrefixItems) {
			out = conjunction(out, s.PrefixItems[i], turn)
		} else {
			out = conjunction(out, s.Items, turn)
		}
	}
	return out
}
