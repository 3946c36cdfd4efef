package ir

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Rules is what a schema says of a value and no Go type can: a set of package
// rule.
type Rules struct {
	Var   string  // Go name of the variable that holds them
	Rules []*Rule // each holds for the value
	Defs  []*Rule // that references lead to, by place
}

// Rule is one schema of package rule.
type Rule struct {
	Place string // path of the file, # and JSON Pointer
	Words []Word
}

// Word is a field of a rule: the keyword, and a Literal, a *Rule, a []*Rule, a
// []Entry or a []string.
type Word struct {
	Keyword string
	Value   any
}

// Entry is a named part of a rule: a *Rule or a []string.
type Entry struct {
	Name  string
	Value any
}

// Literal is a number, true, a string or JSON documents as a rule holds them.
type Literal struct {
	Kind LiteralKind
	Text []string
}

// LiteralKind tells literals apart.
type LiteralKind int

// The kinds of literals.
const (
	CountLiteral LiteralKind = iota // an int
	LimitLiteral                    // a *int
	TrueLiteral
	TextLiteral
	JSONLiteral
	JSONListLiteral
)

// rulesOf is the rules for values of s, nil where there are none. more is what
// the Go type of s leaves unchecked besides.
func (b *builder) rulesOf(s *schema.Schema, more ...*Rule) *Rules {
	m := &ruleMaker{builder: b, defs: map[string]*Rule{}}
	rules := &Rules{}
	for _, part := range b.partsOf(s) {
		if r := m.dynamic(s, part); len(r.Words) > 0 {
			rules.Rules = append(rules.Rules, r)
		}
	}
	rules.Rules = append(rules.Rules, more...)
	if len(rules.Rules) == 0 {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(m.defs)) {
		rules.Defs = append(rules.Defs, m.defs[key])
	}
	return rules
}

// partsOf is the schemas that s was merged from, or s alone.
func (b *builder) partsOf(s *schema.Schema) []*schema.Schema {
	if parts := b.parts[s]; parts != nil {
		return parts
	}
	return []*schema.Schema{s}
}

// isRule reports whether the alternatives of a part of s only constrain it.
func (b *builder) isRule(s, part *schema.Schema, branches []*schema.Schema) bool {
	if keyword := b.ruled[part]; keyword != "" && slices.ContainsFunc(unionsOf(part), func(u union) bool { return u.keyword == keyword && &u.branches[0] == &branches[0] }) {
		return true
	}
	return b.constraintOnly(part, branches) || b.constraintOnly(s, branches)
}

// conditional reports whether a part of s describes members or items of s that
// only some values have.
func (b *builder) conditional(s *schema.Schema) bool {
	return slices.ContainsFunc(b.partsOf(s), func(p *schema.Schema) bool {
		return p.If != nil || len(p.DependentSchemas) > 0 || len(p.AnyOf)+len(p.OneOf) > 0
	})
}

// restMembers is the schema of the members that nothing else describes, where
// they are the same ones for every value of s.
func (b *builder) restMembers(s *schema.Schema) *schema.Schema {
	if s.AdditionalProperties != nil || s.UnevaluatedProperties == nil {
		return s.AdditionalProperties
	}
	parts := b.partsOf(s)
	if b.conditional(s) || slices.ContainsFunc(parts[1:], func(p *schema.Schema) bool { return p.UnevaluatedProperties != nil }) {
		return nil
	}
	return s.UnevaluatedProperties
}

// narrower reports whether additionalProperties of a part of s bears on members
// that other parts describe, or gave way to that of another: a part sees its own
// properties alone, and the Go type has those of all of them.
func (b *builder) narrower(s, part *schema.Schema) bool {
	_, written := part.At["additionalProperties"]
	if extra := part.AdditionalProperties; extra == nil || isTrue(extra) || !written || len(b.matchers(part)) < len(part.PatternProperties) {
		return false
	}
	return part.AdditionalProperties != s.AdditionalProperties ||
		len(s.Properties) > len(part.Properties) || len(s.PatternProperties) > len(part.PatternProperties)
}

// restItems is the schema of an array's items.
func (b *builder) restItems(s *schema.Schema) *schema.Schema {
	if s.Items != nil || s.UnevaluatedItems == nil || b.conditionalItems(s) {
		return s.Items
	}
	return s.UnevaluatedItems
}

func (b *builder) conditionalItems(s *schema.Schema) bool {
	parts := b.partsOf(s)
	return b.conditional(s) || slices.ContainsFunc(parts, func(p *schema.Schema) bool { return p.Contains != nil }) ||
		slices.ContainsFunc(parts[1:], func(p *schema.Schema) bool { return p.UnevaluatedItems == s.UnevaluatedItems })
}

// ruleMaker makes rules that share what they refer to.
type ruleMaker struct {
	*builder

	defs map[string]*Rule
}

// dynamic is what part, of which s is merged, says beyond the Go type.
func (m *ruleMaker) dynamic(s, part *schema.Schema) *Rule {
	r := &Rule{Place: m.placeOf(part)}
	rest := part.UnevaluatedProperties != nil && m.restMembers(s) != part.UnevaluatedProperties && !isTrue(part.UnevaluatedProperties)
	items := part.UnevaluatedItems != nil && m.restItems(s) != part.UnevaluatedItems && !isTrue(part.UnevaluatedItems)
	narrower := m.narrower(s, part)
	switch {
	case rest || items:
		m.described(r, part)
	case narrower:
		m.describedMembers(r, part)
	default:
		r.entries("properties", m.properties(forbidden(part)))
		r.entries("patternProperties", m.properties(m.forbiddenPatterns(part)))
	}
	switch {
	case narrower:
		r.add("additionalProperties", m.rule(part.AdditionalProperties))
	case (rest || items) && part.AdditionalProperties != nil:
		r.add("additionalProperties", m.anything(part.AdditionalProperties))
	}
	if part.Not != nil {
		r.add("not", m.rule(part.Not))
	}
	if part.If != nil && (part.Then != nil || part.Else != nil || rest || items) {
		m.conditions(r, part)
	}
	m.dependencies(r, part)
	m.contains(r, part)
	if !anyText(part.PropertyNames) {
		r.part("propertyNames", m.rule(part.PropertyNames))
	}
	if len(part.AnyOf) > 0 && m.isRule(s, part, part.AnyOf) {
		r.add("anyOf", m.list(part.AnyOf))
	}
	if len(part.OneOf) > 0 && m.isRule(s, part, part.OneOf) {
		r.add("oneOf", m.list(part.OneOf))
	}
	if rest {
		r.add("unevaluatedProperties", m.rule(part.UnevaluatedProperties))
	}
	if items {
		r.add("unevaluatedItems", m.rule(part.UnevaluatedItems))
	}
	return r
}

// forbidden is the properties of a schema that no value has.
func forbidden(s *schema.Schema) []schema.Property {
	var all []schema.Property
	for _, p := range s.Properties {
		if isFalse(p.Schema) {
			all = append(all, p)
		}
	}
	return all
}

// forbiddenPatterns is the patterns of names that no member has, where another
// pattern may match such a name too and have a place for the member.
func (b *builder) forbiddenPatterns(s *schema.Schema) []schema.Property {
	var all []schema.Property
	matchers := b.matchers(s)
	for _, m := range matchers {
		if isFalse(m.Schema) && slices.ContainsFunc(matchers, func(other matcher) bool { return !isFalse(other.Schema) && !apart(m.source, other.source) }) {
			all = append(all, schema.Property{Name: m.source, Pos: m.Pos, Schema: m.Schema})
		}
	}
	return all
}

func isTrue(s *schema.Schema) bool { return s.Bool != nil && *s.Bool }

// described says which members and items of a value s describes whatever it
// holds; that they are valid is checked elsewhere.
func (m *ruleMaker) described(r *Rule, s *schema.Schema) {
	m.reference(r, s)
	if len(s.AllOf) > 0 {
		r.add("allOf", m.list(s.AllOf))
	}
	m.describedMembers(r, s)
	var prefix []*Rule
	for _, item := range s.PrefixItems {
		prefix = append(prefix, m.anything(item))
	}
	if prefix != nil {
		r.add("prefixItems", prefix)
	}
	if s.Items != nil {
		r.add("items", m.anything(s.Items))
	}
}

// anything is a rule that only has a place.
func (m *ruleMaker) anything(s *schema.Schema) *Rule { return &Rule{Place: m.placeOf(s)} }

// describedMembers says which members of an object s describes by name.
func (m *ruleMaker) describedMembers(r *Rule, s *schema.Schema) {
	for _, group := range []struct {
		keyword    string
		properties []schema.Property
	}{{"properties", s.Properties}, {"patternProperties", s.PatternProperties}} {
		var entries []Entry
		for _, p := range group.properties {
			name := p.Name
			if group.keyword == "patternProperties" {
				name = m.pattern(&schema.Name{Text: p.Name, Pos: p.Pos})
			}
			switch {
			case group.keyword == "properties" && isFalse(p.Schema):
				entries = append(entries, Entry{name, m.rule(p.Schema)})
			case name != "" || group.keyword == "properties":
				entries = append(entries, Entry{name, m.anything(p.Schema)})
			}
		}
		r.entries(group.keyword, entries)
	}
}

func (r *Rule) add(keyword string, value any) { r.Words = append(r.Words, Word{keyword, value}) }

func (r *Rule) part(keyword string, part *Rule) {
	if part != nil {
		r.add(keyword, part)
	}
}

func (r *Rule) entries(keyword string, entries []Entry) {
	if len(entries) > 0 {
		r.add(keyword, entries)
	}
}

func (r *Rule) count(keyword string, n *int) {
	if n != nil && *n > 0 {
		r.add(keyword, Literal{CountLiteral, []string{strconv.Itoa(*n)}})
	}
}

func (r *Rule) limit(keyword string, n *int) {
	if n != nil {
		r.add(keyword, Literal{LimitLiteral, []string{strconv.Itoa(*n)}})
	}
}

func (r *Rule) text(keyword, text string) {
	if text != "" {
		r.add(keyword, Literal{TextLiteral, []string{text}})
	}
}

func (m *ruleMaker) list(schemas []*schema.Schema) []*Rule {
	var rules []*Rule
	for _, s := range schemas {
		rules = append(rules, m.rule(s))
	}
	return rules
}

// rule is a whole schema as a rule.
func (m *ruleMaker) rule(s *schema.Schema) *Rule {
	if s == nil {
		return nil
	}
	r := &Rule{Place: m.placeOf(s)}
	if s.Bool != nil {
		if !*s.Bool {
			r.add("never", Literal{Kind: TrueLiteral})
		}
		return r
	}
	m.reference(r, s)
	if len(s.Types) > 0 {
		r.add("type", s.Types)
	}
	if s.Const != nil {
		r.add("const", Literal{JSONLiteral, []string{documentOf(s.Const)}})
	}
	if s.Enum != nil {
		var values []string
		for _, v := range s.Enum {
			values = append(values, documentOf(v))
		}
		r.add("enum", Literal{JSONListLiteral, values})
	}
	m.members(r, s)
	m.items(r, s)
	m.scalars(r, s)
	m.combinations(r, s)
	r.part("unevaluatedProperties", m.rule(s.UnevaluatedProperties))
	r.part("unevaluatedItems", m.rule(s.UnevaluatedItems))
	return r
}

func (m *ruleMaker) reference(r *Rule, s *schema.Schema) {
	if s.Ref == nil || s.Ref.Target == nil {
		return
	}
	target := s.Ref.Target
	key := m.placeOf(target)
	r.text("ref", key)
	if _, there := m.defs[key]; !there {
		m.defs[key] = nil // while it is made
		m.defs[key] = m.rule(target)
	}
}

func (m *ruleMaker) members(r *Rule, s *schema.Schema) {
	var required []string
	for _, name := range s.Required {
		required = append(required, name.Text)
	}
	if required != nil {
		r.add("required", required)
	}
	r.count("minProperties", m.builder.count(s.MinProperties))
	r.limit("maxProperties", m.builder.count(s.MaxProperties))
	r.entries("properties", m.properties(s.Properties))
	var patterns []Entry
	for _, p := range s.PatternProperties {
		if source := m.pattern(&schema.Name{Text: p.Name, Pos: p.Pos}); source != "" {
			patterns = append(patterns, Entry{source, m.rule(p.Schema)})
		}
	}
	r.entries("patternProperties", patterns)
	r.part("additionalProperties", m.rule(s.AdditionalProperties))
	if !anyText(s.PropertyNames) {
		r.part("propertyNames", m.rule(s.PropertyNames))
	}
	m.dependencies(r, s)
}

func (m *ruleMaker) properties(properties []schema.Property) []Entry {
	var entries []Entry
	for _, p := range properties {
		entries = append(entries, Entry{p.Name, m.rule(p.Schema)})
	}
	return entries
}

func (m *ruleMaker) dependencies(r *Rule, s *schema.Schema) {
	var needs []Entry
	for _, d := range s.DependentRequired {
		var names []string
		for _, name := range d.Required {
			names = append(names, name.Text)
		}
		if names != nil {
			needs = append(needs, Entry{d.Name.Text, names})
		}
	}
	r.entries("dependentRequired", needs)
	if _, older := s.At["dependencies"]; older && len(needs) > 0 {
		r.add("dependencies", Literal{Kind: TrueLiteral})
	}
	r.entries("dependentSchemas", m.properties(s.DependentSchemas))
}

func (m *ruleMaker) items(r *Rule, s *schema.Schema) {
	if len(s.PrefixItems) > 0 {
		r.add("prefixItems", m.list(s.PrefixItems))
	}
	r.part("items", m.rule(s.Items))
	r.count("minItems", m.builder.count(s.MinItems))
	r.limit("maxItems", m.builder.count(s.MaxItems))
	if s.UniqueItems {
		r.add("uniqueItems", Literal{Kind: TrueLiteral})
	}
	m.contains(r, s)
}

func (m *ruleMaker) contains(r *Rule, s *schema.Schema) {
	if s.Contains == nil {
		return
	}
	r.add("contains", m.rule(s.Contains))
	r.limit("minContains", m.builder.count(s.MinContains))
	r.limit("maxContains", m.builder.count(s.MaxContains))
}

func (m *ruleMaker) scalars(r *Rule, s *schema.Schema) {
	m.lengths(r, s)
	switch s.Format {
	case "date-time", "date", "time", "duration", "uuid",
		"email", "hostname", "ipv4", "ipv6", "uri", "uri-reference", "json-pointer", "relative-json-pointer", "regex":
		r.text("format", s.Format)
	case "guid":
		r.text("format", "uuid")
	}
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

func (m *ruleMaker) lengths(r *Rule, s *schema.Schema) {
	r.count("minLength", m.builder.count(s.MinLength))
	r.limit("maxLength", m.builder.count(s.MaxLength))
	if s.Pattern != nil {
		r.text("pattern", m.pattern(s.Pattern))
	}
}

func (m *ruleMaker) combinations(r *Rule, s *schema.Schema) {
	for _, union := range []struct {
		keyword string
		parts   []*schema.Schema
	}{{"allOf", s.AllOf}, {"anyOf", s.AnyOf}, {"oneOf", s.OneOf}} {
		if len(union.parts) > 0 {
			r.add(union.keyword, m.list(union.parts))
		}
	}
	if s.Not != nil {
		r.add("not", m.rule(s.Not))
	}
	if s.If != nil {
		m.conditions(r, s)
	}
}

func (m *ruleMaker) conditions(r *Rule, s *schema.Schema) {
	r.add("if", m.rule(s.If))
	r.part("then", m.rule(s.Then))
	r.part("else", m.rule(s.Else))
}

// pattern is a pattern in Go's syntax, "" where Go has none.
func (m *ruleMaker) pattern(p *schema.Name) string {
	if problem := brokenPattern(p.Text); problem != "" {
		m.builder.list.Errorf(p.Pos, "bad-pattern", "the pattern %s is no regular expression: %s", diag.Quote(p.Text), problem)
		return ""
	}
	source, lack := goPattern(p.Text)
	if lack != "" {
		m.builder.list.Warnf(p.Pos, "pattern-not-checked", "Go's regular expressions cannot say this pattern (%s); Validate does not check it", lack)
		return ""
	}
	return source
}

// documentOf is a value as JSON.
func documentOf(v *schema.Value) string {
	var b strings.Builder
	writeDocument(&b, v)
	return b.String()
}

func writeDocument(b *strings.Builder, v *schema.Value) {
	switch v.Kind {
	case schema.Null:
		b.WriteString("null")
	case schema.Bool:
		fmt.Fprint(b, v.Bool)
	case schema.NumberKind:
		b.WriteString(v.Text)
	case schema.String:
		b.WriteString(quoted(v.Text))
	case schema.Array:
		b.WriteByte('[')
		for i, item := range v.Items {
			if i > 0 {
				b.WriteByte(',')
			}
			writeDocument(b, item)
		}
		b.WriteByte(']')
	case schema.Object:
		b.WriteByte('{')
		for i, m := range v.Members {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(quoted(m.Name) + ":")
			writeDocument(b, m.Value)
		}
		b.WriteByte('}')
	}
}

func quoted(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}

// anyText reports whether a schema allows every string, as every name of a
// member is.
func anyText(s *schema.Schema) bool {
	return s != nil && len(s.Types) == 1 && s.Types[0] == "string" && s.Ref == nil && !s.SaysMore("type")
}
