package ruletest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/runtime/rule"
)

// parse makes a rule.Set from a schema in JSON. Its references are JSON Pointers to its
// own parts.
func parse(t testing.TB, text string) *rule.Set {
	t.Helper()
	p := parser{root: decode(t, text), set: &rule.Set{Defs: map[string]*rule.Schema{}}}
	p.set.Rules = []*rule.Schema{p.schema(p.root)}
	p.set.Rules[0].At = "s.json#"
	return p.set
}

func decode(t testing.TB, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

type parser struct {
	root any
	set  *rule.Set
}

func (p *parser) schema(v any) *rule.Schema {
	if valid, ok := v.(bool); ok {
		return &rule.Schema{Never: !valid}
	}
	s := &rule.Schema{}
	for keyword, v := range v.(map[string]any) {
		p.keyword(s, keyword, v)
	}
	return s
}

func (p *parser) keyword(s *rule.Schema, keyword string, v any) {
	if into := map[string]**rule.Schema{
		"additionalProperties": &s.AdditionalProperties, "unevaluatedProperties": &s.UnevaluatedProperties, "propertyNames": &s.PropertyNames,
		"items": &s.Items, "contains": &s.Contains, "unevaluatedItems": &s.UnevaluatedItems,
		"not": &s.Not, "if": &s.If, "then": &s.Then, "else": &s.Else,
	}[keyword]; into != nil {
		*into = p.schema(v)
		return
	}
	if into := map[string]*[]*rule.Schema{"prefixItems": &s.PrefixItems, "allOf": &s.AllOf, "anyOf": &s.AnyOf, "oneOf": &s.OneOf}[keyword]; into != nil {
		for _, item := range v.([]any) {
			*into = append(*into, p.schema(item))
		}
		return
	}
	if into := map[string]*map[string]*rule.Schema{
		"properties": &s.Properties, "patternProperties": &s.PatternProperties, "dependentSchemas": &s.DependentSchemas,
	}[keyword]; into != nil {
		*into = map[string]*rule.Schema{}
		for name, item := range v.(map[string]any) {
			(*into)[name] = p.schema(item)
		}
		return
	}
	if into := map[string]**int{
		"maxProperties": &s.MaxProperties, "minContains": &s.MinContains, "maxContains": &s.MaxContains, "maxItems": &s.MaxItems, "maxLength": &s.MaxLength,
	}[keyword]; into != nil {
		*into = new(whole(v))
		return
	}
	if into := map[string]*int{"minProperties": &s.MinProperties, "minItems": &s.MinItems, "minLength": &s.MinLength}[keyword]; into != nil {
		*into = whole(v)
		return
	}
	if into := map[string]*string{
		"minimum": &s.Minimum, "maximum": &s.Maximum, "exclusiveMinimum": &s.ExclusiveMinimum, "exclusiveMaximum": &s.ExclusiveMaximum,
		"multipleOf": &s.MultipleOf, "pattern": &s.Pattern, "format": &s.Format,
	}[keyword]; into != nil {
		*into = fmt.Sprint(v)
		return
	}
	switch keyword {
	case "$ref":
		s.Ref = v.(string)
		if _, there := p.set.Defs[s.Ref]; !there {
			p.set.Defs[s.Ref] = nil
			p.set.Defs[s.Ref] = p.schema(p.find(s.Ref))
		}
	case "type":
		s.Type = texts(v)
	case "required":
		s.Required = texts(v)
	case "dependentRequired":
		s.DependentRequired = map[string][]string{}
		for name, item := range v.(map[string]any) {
			s.DependentRequired[name] = texts(item)
		}
	case "enum":
		s.Enum = []rule.JSON{}
		for _, item := range v.([]any) {
			s.Enum = append(s.Enum, document(item))
		}
	case "const":
		s.Const = document(v)
	case "uniqueItems":
		s.UniqueItems = v.(bool)
	case "$defs", "$schema", "$comment", "title", "description", "default":
	default:
		panic("no keyword " + keyword)
	}
}

// find follows a JSON Pointer.
func (p *parser) find(ref string) any {
	v := p.root
	for token := range strings.SplitSeq(strings.TrimPrefix(ref, "#"), "/") {
		if token == "" {
			continue
		}
		token = strings.NewReplacer("~1", "/", "~0", "~", "%25", "%", "%22", `"`).Replace(token)
		switch parent := v.(type) {
		case map[string]any:
			v = parent[token]
		case []any:
			var i int
			_, _ = fmt.Sscan(token, &i)
			v = parent[i]
		}
	}
	return v
}

func document(v any) rule.JSON {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return rule.JSON(text)
}

func whole(v any) int {
	f, err := v.(json.Number).Float64()
	if err != nil {
		panic(err)
	}
	return int(f)
}

func texts(v any) []string {
	if text, ok := v.(string); ok {
		return []string{text}
	}
	all := []string{}
	for _, item := range v.([]any) {
		all = append(all, item.(string))
	}
	return all
}
