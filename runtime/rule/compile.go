package rule

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/runtime/ecma"
	"github.com/outboxgen/outboxgen/runtime/internal/decimal"
)

// compiler makes the nodes of a set, one for each schema, so that a schema may refer to
// itself.
type compiler struct {
	set   *Set
	nodes map[*Schema]*node
}

// prepare compiles the set. It panics on an invalid schema, because that is a bug of
// the generator, which tests the sets that it prints.
func (s *Set) prepare() {
	c := &compiler{set: s, nodes: map[*Schema]*node{}}
	for _, schema := range s.Rules {
		s.ready = append(s.ready, c.node(schema, ""))
	}
}

func (c *compiler) node(s *Schema, at string) *node {
	if s == nil {
		return nil
	}
	if n := c.nodes[s]; n != nil {
		return n
	}
	if s.At != "" {
		at = s.At
	}
	n := &node{Schema: s, at: at}
	c.nodes[s] = n
	if s.Ref != "" {
		target := c.set.Defs[s.Ref]
		if target == nil {
			panic("rule: " + at + " refers to " + s.Ref + ", which is not there")
		}
		n.ref = c.node(target, s.Ref)
	}
	c.values(n)
	c.members(n)
	n.prefix = c.list(s.PrefixItems, at+"/prefixItems")
	n.items = c.node(s.Items, at+"/items")
	n.contains = c.node(s.Contains, at+"/contains")
	c.set.annotates = c.set.annotates || s.UnevaluatedItems != nil || s.UnevaluatedProperties != nil
	n.remaining = c.node(s.UnevaluatedItems, at+"/unevaluatedItems")
	n.allOf = c.list(s.AllOf, at+"/allOf")
	n.anyOf = c.list(s.AnyOf, at+"/anyOf")
	n.oneOf = c.list(s.OneOf, at+"/oneOf")
	n.not = c.node(s.Not, at+"/not")
	n.when = c.node(s.If, at+"/if")
	n.then = c.node(s.Then, at+"/then")
	n.otherwise = c.node(s.Else, at+"/else")
	return n
}

func (c *compiler) values(n *node) {
	if n.Enum != nil {
		n.enum = map[string]bool{}
		for _, v := range n.Enum {
			n.enum[v.canonical()] = true
		}
	}
	if n.Const != "" {
		n.constant = n.Const.canonical()
	}
	if n.Pattern != "" {
		n.pattern = ecma.MustCompilePattern(n.Pattern)
	}
	for _, bound := range []struct {
		into **decimal.Number
		text string
	}{{&n.minimum, n.Minimum}, {&n.maximum, n.Maximum}, {&n.above, n.ExclusiveMinimum}, {&n.below, n.ExclusiveMaximum}, {&n.step, n.MultipleOf}} {
		if bound.text == "" {
			continue
		}
		value, ok := decimal.Parse(bound.text)
		if !ok {
			panic("rule: " + n.at + ": " + bound.text + " is not a number")
		}
		*bound.into = &value
	}
}

func (c *compiler) members(n *node) {
	n.properties = map[string]*node{}
	for name, s := range n.Properties {
		n.properties[name] = c.node(s, n.at+"/properties/"+escape(name))
	}
	for _, source := range slices.Sorted(maps.Keys(n.PatternProperties)) {
		n.patterns = append(n.patterns, pattern{
			expr: ecma.MustCompilePattern(source),
			node: c.node(n.PatternProperties[source], n.at+"/patternProperties/"+escape(source)),
		})
	}
	for _, name := range slices.Sorted(maps.Keys(n.DependentSchemas)) {
		n.dependents = append(n.dependents, member{name, c.node(n.DependentSchemas[name], n.at+"/dependentSchemas/"+escape(name))})
	}
	n.additional = c.node(n.AdditionalProperties, n.at+"/additionalProperties")
	n.rest = c.node(n.UnevaluatedProperties, n.at+"/unevaluatedProperties")
	n.names = c.node(n.PropertyNames, n.at+"/propertyNames")
}

func (c *compiler) list(schemas []*Schema, at string) []*node {
	var nodes []*node
	for i, s := range schemas {
		nodes = append(nodes, c.node(s, fmt.Sprintf("%s/%d", at, i)))
	}
	return nodes
}

var escaper = strings.NewReplacer("~", "~0", "/", "~1")

// escape returns a name as a reference token of a JSON Pointer.
func escape(name string) string { return escaper.Replace(name) }
