package validator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// documents converts schemas of the model to documents of 2020-12, each with its own
// address and with references as the loader resolved them.
type documents struct {
	known map[*schema.Schema]int
	order []*schema.Schema
}

// address returns the address of a schema's document, which is written on first use.
func (d *documents) address(s *schema.Schema) string {
	n, ok := d.known[s]
	if !ok {
		n = len(d.order)
		d.known[s] = n
		d.order = append(d.order, s)
	}
	return fmt.Sprintf("schema:///%d", n)
}

// write returns s as a JSON value.
func (d *documents) write(s *schema.Schema) any {
	switch {
	case s == nil:
		return true // it was reported
	case s.Bool != nil:
		return *s.Bool
	}
	out := map[string]any{}
	if s.Ref != nil && s.Ref.Target != nil {
		out["$ref"] = d.address(s.Ref.Target)
	}
	d.scalars(out, s)
	d.subschemas(out, s)
	if encoding := strings.ToLower(s.ContentEncoding); encodings[encoding] != nil {
		all, _ := out["allOf"].([]any)
		out["allOf"] = append(all, map[string]any{"format": encoded + encoding})
	}
	return out
}

func (d *documents) scalars(out map[string]any, s *schema.Schema) {
	if len(s.Types) > 0 {
		out["type"] = list(s.Types, func(name string) any { return name })
	}
	if s.Enum != nil {
		out["enum"] = list(s.Enum, instance)
	}
	if s.Const != nil {
		out["const"] = instance(s.Const)
	}
	for keyword, n := range map[string]*schema.Number{
		"minProperties": s.MinProperties, "maxProperties": s.MaxProperties, "minItems": s.MinItems, "maxItems": s.MaxItems,
		"minContains": s.MinContains, "maxContains": s.MaxContains, "minLength": s.MinLength, "maxLength": s.MaxLength,
		"minimum": s.Minimum, "maximum": s.Maximum, "exclusiveMinimum": s.ExclusiveMinimum, "exclusiveMaximum": s.ExclusiveMaximum,
		"multipleOf": s.MultipleOf,
	} {
		if n != nil {
			out[keyword] = json.Number(jsonvalue.Bounded(n.Text))
		}
	}
	if s.UniqueItems {
		out["uniqueItems"] = true
	}
	if s.Pattern != nil {
		out["pattern"] = s.Pattern.Text
	}
	if s.Format != "" {
		out["format"] = cmp.Or(ownNames[s.Format], s.Format)
	}
	if len(s.Required) > 0 {
		out["required"] = list(s.Required, text)
	}
	if len(s.DependentRequired) > 0 {
		all := map[string]any{}
		for _, dependent := range s.DependentRequired {
			all[dependent.Name.Text] = list(dependent.Required, text)
		}
		out["dependentRequired"] = all
	}
}

func (d *documents) subschemas(out map[string]any, s *schema.Schema) {
	for keyword, properties := range map[string][]schema.Property{
		"properties": s.Properties, "patternProperties": s.PatternProperties, "dependentSchemas": s.DependentSchemas,
	} {
		if len(properties) > 0 {
			all := make(map[string]any, len(properties))
			for _, p := range properties {
				all[p.Name] = d.write(p.Schema)
			}
			out[keyword] = all
		}
	}
	for keyword, sub := range map[string]*schema.Schema{
		"additionalProperties": s.AdditionalProperties, "unevaluatedProperties": s.UnevaluatedProperties, "propertyNames": s.PropertyNames,
		"items": s.Items, "contains": s.Contains, "unevaluatedItems": s.UnevaluatedItems,
		"not": s.Not, "if": s.If, "then": s.Then, "else": s.Else,
	} {
		if sub != nil {
			out[keyword] = d.write(sub)
		}
	}
	for keyword, subs := range map[string][]*schema.Schema{
		"prefixItems": s.PrefixItems, "allOf": s.AllOf, "anyOf": s.AnyOf, "oneOf": s.OneOf,
	} {
		if len(subs) > 0 {
			out[keyword] = list(subs, d.write)
		}
	}
}

// list returns a JSON array: what write returns for each of some things.
func list[T any](things []T, write func(T) any) []any {
	out := make([]any, len(things))
	for i, thing := range things {
		out[i] = write(thing)
	}
	return out
}

func text(n schema.Name) any { return n.Text }

// instance returns v as encoding/json decodes it. A number whose exponent a validator
// would write out in zeros gets another exponent.
func instance(v *schema.Value) any {
	switch v.Kind {
	case schema.Bool:
		return v.Bool
	case schema.NumberKind:
		return json.Number(jsonvalue.Bounded(v.Text))
	case schema.String:
		return v.Text
	case schema.Array:
		return list(v.Items, instance)
	case schema.Object:
		out := make(map[string]any, len(v.Members))
		for _, m := range v.Members {
			out[m.Name] = instance(m.Value)
		}
		return out
	default:
		return nil
	}
}
