// Package rules turns the part of a form that needs a validator into data for the
// runtime's package rule.
package rules

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/runtime/format"
)

// Of returns the rules for residues, or nil if there are none. more are other rules,
// for what a Go type does not check. It adds a finding to list for what Go cannot
// check.
func Of(graph *normal.Graph, list *finding.List, residues []normal.Residue, more ...*ir.Rule) *ir.Rules {
	m := &maker{graph: graph, list: list, defs: map[string]*ir.Rule{}}
	rules := &ir.Rules{}
	for _, r := range residues {
		if rule := m.residue(r); len(rule.Words) > 0 {
			rules.Rules = append(rules.Rules, rule)
		}
	}
	own := len(rules.Rules)
	for _, r := range more {
		switch last := len(rules.Rules) - 1; {
		case r == nil || len(r.Words) == 0:
		case last >= own && rules.Rules[last].Place == r.Place && !sharesWord(rules.Rules[last], r):
			rules.Rules[last].Words = append(rules.Rules[last].Words, r.Words...)
		default:
			rules.Rules = append(rules.Rules, r)
		}
	}
	if len(rules.Rules) == 0 {
		return nil
	}
	if m.evaluates {
		for _, r := range m.counting {
			r.true("containsCounts")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m.defs)) {
		rules.Defs = append(rules.Defs, m.defs[key])
	}
	return rules
}

// sharesWord reports whether two rules have a keyword in common.
func sharesWord(x, y *ir.Rule) bool {
	return slices.ContainsFunc(x.Words, func(w ir.Word) bool {
		return slices.ContainsFunc(y.Words, func(o ir.Word) bool { return o.Keyword == w.Keyword })
	})
}

// Only returns a rule with those keywords of s that are set in only: keywords of
// numbers and strings.
func Only(graph *normal.Graph, list *finding.List, s *schema.Schema, only schema.Schema) *ir.Rule {
	r := builder{&ir.Rule{Place: Place(s)}}
	(&maker{graph: graph, list: list}).scalars(r, &only)
	return r.Rule
}

// Listed returns the rule that a value is one of those that s lists. values are the
// valid ones of them.
func Listed(s *schema.Schema, values []*schema.Value) *ir.Rule {
	r := builder{&ir.Rule{Place: Place(s)}}
	if s.Const != nil && len(values) == 1 {
		r.constant(values[0])
	} else {
		r.enum(values)
	}
	return r.Rule
}

// Place returns the place of a schema, as in a violation.
func Place(s *schema.Schema) string { return s.Doc.Path + "#" + s.Pointer }

// maker makes rules that share definitions.
type maker struct {
	graph *normal.Graph
	list  *finding.List
	defs  map[string]*ir.Rule

	evaluates bool      // a rule depends on the items that others evaluate
	counting  []builder // rules whose contains evaluates no items
}

// builder adds words to a rule.
type builder struct{ *ir.Rule }

func (r builder) add(keyword string, value any) {
	r.Words = append(r.Words, ir.Word{Keyword: keyword, Value: value})
}

func (r builder) part(keyword string, part *ir.Rule) {
	if part != nil {
		r.add(keyword, part)
	}
}

func (r builder) list(keyword string, parts []*ir.Rule) {
	if len(parts) > 0 {
		r.add(keyword, parts)
	}
}

func (r builder) entries(keyword string, entries []ir.Entry) {
	if len(entries) > 0 {
		r.add(keyword, entries)
	}
}

func (r builder) count(keyword string, n *int) {
	if n != nil && *n > 0 {
		r.add(keyword, ir.Literal{Kind: ir.CountLiteral, Text: []string{strconv.Itoa(*n)}})
	}
}

func (r builder) limit(keyword string, n *int) {
	if n != nil {
		r.add(keyword, ir.Literal{Kind: ir.LimitLiteral, Text: []string{strconv.Itoa(*n)}})
	}
}

func (r builder) text(keyword, text string) {
	if text != "" {
		r.add(keyword, ir.Literal{Kind: ir.TextLiteral, Text: []string{text}})
	}
}

func (r builder) true(keyword string) { r.add(keyword, ir.Literal{Kind: ir.TrueLiteral}) }

func (r builder) constant(v *schema.Value) {
	r.add("const", ir.Literal{Kind: ir.JSONLiteral, Text: []string{v.JSON()}})
}

func (r builder) enum(values []*schema.Value) {
	var all []string
	for _, v := range values {
		all = append(all, v.JSON())
	}
	r.add("enum", ir.Literal{Kind: ir.JSONListLiteral, Text: all})
}

// residue returns the keywords of a residue as a rule.
func (m *maker) residue(of normal.Residue) *ir.Rule {
	if of.Whole {
		return m.rule(without(of.Of, of.Without))
	}
	s, r := of.Of, builder{&ir.Rule{Place: Place(of.Of)}}
	if of.Describes {
		m.described(r, s)
	}
	if of.Describes || of.DescribesMembers {
		m.describedMembers(r, s, of.Members)
	} else {
		m.members(r, s, of.Members)
	}
	for _, keyword := range of.Keywords {
		switch keyword {
		case "patternProperties":
			if !of.Describes && !of.DescribesMembers {
				r.entries(keyword, m.patterns(s))
			}
		case "additionalProperties":
			m.additional(r, s)
		case "required":
			m.required(r, s)
		case "dependentRequired":
			m.dependentRequired(r, s)
		case "dependentSchemas":
			r.entries(keyword, m.properties(s.DependentSchemas))
		case "propertyNames":
			r.part(keyword, m.rule(s.PropertyNames))
		case "contains":
			m.contains(r, s)
		case "format":
			m.formats(r, s)
		case "not":
			m.not(r, s)
		case "if":
			m.conditions(r, s)
		case "anyOf":
			r.add(keyword, m.all(s.AnyOf))
		case "oneOf":
			m.oneOf(r, s)
		case "unevaluatedProperties":
			m.unevaluated(r, s, keyword, s.UnevaluatedProperties)
		case "unevaluatedItems":
			m.unevaluated(r, s, keyword, s.UnevaluatedItems)
		}
	}
	return r.Rule
}

// without returns s without some of its combining keywords.
func without(s *schema.Schema, keywords []string) *schema.Schema {
	if len(keywords) == 0 {
		return s
	}
	rest := *s
	for _, keyword := range keywords {
		switch keyword {
		case "$ref":
			rest.Ref = nil
		case "allOf":
			rest.AllOf = nil
		case "anyOf":
			rest.AnyOf = nil
		case "oneOf":
			rest.OneOf = nil
		case "unevaluatedProperties":
			rest.UnevaluatedProperties = nil
		case "unevaluatedItems":
			rest.UnevaluatedItems = nil
		}
	}
	return &rest
}

// members adds the properties of s in names.
func (m *maker) members(r builder, s *schema.Schema, names []string) {
	r.entries("properties", m.properties(slices.DeleteFunc(slices.Clone(s.Properties), func(p schema.Property) bool { return !slices.Contains(names, p.Name) })))
}

// described adds the properties and items that s describes for any value; other rules
// check that they are valid.
func (m *maker) described(r builder, s *schema.Schema) {
	m.reference(r, s)
	r.list("allOf", m.all(s.AllOf))
	var prefix []*ir.Rule
	for _, item := range s.PrefixItems {
		prefix = append(prefix, anything(item))
	}
	r.list("prefixItems", prefix)
	if s.Items != nil {
		r.add("items", anything(s.Items))
	}
}

// anything returns a rule with only a place.
func anything(s *schema.Schema) *ir.Rule { return &ir.Rule{Place: Place(s)} }

// describedMembers adds the properties that s describes by name. Those in whole are
// also checked.
func (m *maker) describedMembers(r builder, s *schema.Schema, whole []string) {
	var entries []ir.Entry
	for _, p := range s.Properties {
		if slices.Contains(whole, p.Name) {
			entries = append(entries, ir.Entry{Name: p.Name, Value: m.rule(p.Schema)})
		} else {
			entries = append(entries, ir.Entry{Name: p.Name, Value: anything(p.Schema)})
		}
	}
	r.entries("properties", entries)
	r.entries("patternProperties", m.patterns(s))
}

// rule returns a whole schema as a rule.
func (m *maker) rule(s *schema.Schema) *ir.Rule {
	if s == nil {
		return nil
	}
	r := builder{&ir.Rule{Place: Place(s)}}
	if s.Bool != nil {
		if !*s.Bool {
			r.true("never")
		}
		return r.Rule
	}
	m.reference(r, s)
	if len(s.Types) > 0 {
		r.add("type", s.Types)
	}
	if s.Const != nil {
		r.constant(s.Const)
	}
	if s.Enum != nil {
		r.enum(s.Enum)
	}
	m.objects(r, s)
	m.items(r, s)
	m.scalars(r, s)
	m.combinations(r, s)
	m.unevaluated(r, s, "unevaluatedProperties", s.UnevaluatedProperties)
	m.unevaluated(r, s, "unevaluatedItems", s.UnevaluatedItems)
	return r.Rule
}

func (m *maker) reference(r builder, s *schema.Schema) {
	if s.Ref == nil || s.Ref.Target == nil {
		return
	}
	target := s.Ref.Target
	key := Place(target)
	if target.Variant > 0 {
		key += " " + strconv.Itoa(target.Variant+1)
	}
	r.text("ref", key)
	if _, there := m.defs[key]; !there {
		m.defs[key] = nil // while it is being made
		m.defs[key] = m.rule(target)
		if target.Variant > 0 {
			m.defs[key].Key = key
		}
	}
}

func (m *maker) objects(r builder, s *schema.Schema) {
	m.required(r, s)
	r.count("minProperties", s.MinProperties.Count())
	r.limit("maxProperties", s.MaxProperties.Count())
	r.entries("properties", m.properties(s.Properties))
	r.entries("patternProperties", m.patterns(s))
	m.additional(r, s)
	r.part("propertyNames", m.rule(s.PropertyNames))
	m.dependentRequired(r, s)
	r.entries("dependentSchemas", m.properties(s.DependentSchemas))
}

func (m *maker) required(r builder, s *schema.Schema) {
	if names := schema.Texts(s.Required); names != nil {
		r.add("required", names)
	}
}

func (m *maker) properties(properties []schema.Property) []ir.Entry {
	var entries []ir.Entry
	for _, p := range properties {
		entries = append(entries, ir.Entry{Name: p.Name, Value: m.rule(p.Schema)})
	}
	return entries
}

func (m *maker) dependentRequired(r builder, s *schema.Schema) {
	var needs []ir.Entry
	for _, d := range s.DependentRequired {
		if names := schema.Texts(d.Required); names != nil {
			needs = append(needs, ir.Entry{Name: d.Name.Text, Value: names})
		}
	}
	r.entries("dependentRequired", needs)
	if _, older := s.At["dependencies"]; older && len(needs) > 0 {
		r.true("dependencies")
	}
}

func (m *maker) items(r builder, s *schema.Schema) {
	r.list("prefixItems", m.all(s.PrefixItems))
	r.part("items", m.rule(s.Items))
	r.count("minItems", s.MinItems.Count())
	r.limit("maxItems", s.MaxItems.Count())
	if s.UniqueItems {
		r.true("uniqueItems")
	}
	m.contains(r, s)
}

func (m *maker) contains(r builder, s *schema.Schema) {
	if s.Contains == nil {
		return
	}
	r.add("contains", m.rule(s.Contains))
	if s.ContainsCounts {
		m.counting = append(m.counting, r)
	}
	r.limit("minContains", s.MinContains.Count())
	if s.MaxContains != nil && m.exact(s.Contains) {
		r.limit("maxContains", s.MaxContains.Count())
	}
}

func (m *maker) scalars(r builder, s *schema.Schema) {
	m.lengths(r, s)
	m.formats(r, s)
	for _, bound := range []struct {
		keyword string
		number  *schema.Number
	}{
		{"minimum", s.Minimum}, {"maximum", s.Maximum}, {"exclusiveMinimum", s.ExclusiveMinimum}, {"exclusiveMaximum", s.ExclusiveMaximum},
		{"multipleOf", s.MultipleOf},
	} {
		if bound.number != nil {
			r.text(bound.keyword, bound.number.Text)
		}
	}
}

func (m *maker) formats(r builder, s *schema.Schema) { r.text("format", m.format(s)) }

func (m *maker) lengths(r builder, s *schema.Schema) {
	r.count("minLength", s.MinLength.Count())
	r.limit("maxLength", s.MaxLength.Count())
	if s.Pattern != nil {
		r.text("pattern", m.textPattern(*s.Pattern))
	}
}

func (m *maker) combinations(r builder, s *schema.Schema) {
	r.list("allOf", m.all(s.AllOf))
	r.list("anyOf", m.all(s.AnyOf))
	if len(s.OneOf) > 0 {
		m.oneOf(r, s)
	}
	m.not(r, s)
	m.conditions(r, s)
}

// patterns returns the patterns of the members of s.
func (m *maker) patterns(s *schema.Schema) []ir.Entry {
	var entries []ir.Entry
	for _, p := range s.PatternProperties {
		if source := m.pattern(schema.Name{Text: p.Name, Pos: p.Pos}); source != "" {
			entries = append(entries, ir.Entry{Name: source, Value: m.rule(p.Schema)})
		}
	}
	return entries
}

// pattern returns a pattern in Go's syntax, or "" if Go cannot express it.
func (m *maker) pattern(name schema.Name) string {
	p := m.graph.Pattern(name.Text)
	ReportPattern(m.list, p, name.Pos)
	return p.Source
}

// textPattern returns the pattern of a string, or a weaker one.
func (m *maker) textPattern(name schema.Name) string {
	p := m.graph.Pattern(name.Text)
	if p.Known() || p.Loose == "" {
		return m.pattern(name)
	}
	m.list.Warnf(name.Pos, "pattern-not-checked", "Go's regular expressions do not support this pattern (%s); Validate lets a back reference match any text that its group matches", p.Missing)
	return p.Loose
}

// ReportPattern reports a pattern that Go cannot match.
func ReportPattern(list *finding.List, p normal.Pattern, pos finding.Pos) {
	switch {
	case p.Known():
	case p.Broken != "":
		list.Warnf(pos, "bad-pattern", "the pattern %s is not a valid regular expression: %s; Validate does not check it", finding.Quote(p.Text), p.Broken).
			SetHint("correct the pattern")
	default:
		list.Warnf(pos, "pattern-not-checked", "Go's regular expressions do not support this pattern (%s); Validate does not check it", p.Missing)
	}
}

func (m *maker) all(schemas []*schema.Schema) []*ir.Rule {
	var rules []*ir.Rule
	for _, s := range schemas {
		rules = append(rules, m.rule(s))
	}
	return rules
}

// format returns the format of a schema for package rule, or else its encoding; "" if
// there is none, or if it is an annotation.
func (m *maker) format(s *schema.Schema) string {
	if m.graph.Options().Specification {
		return ""
	}
	if format.Known(s.Format) {
		return s.Format
	}
	switch s.Format {
	case "date-time", "date", "time", "duration", "uuid", "base64url":
		return s.Format
	case "guid":
		return "uuid"
	case "byte":
		return "base64"
	}
	switch encoding := strings.ToLower(s.ContentEncoding); encoding {
	case "base64", "base64url", "base32", "base16", "7bit", "quoted-printable":
		return encoding
	case "hex":
		return "base16"
	}
	return ""
}
