package record

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/outboxgen/outboxgen/generator/internal/ecma"
	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// spelled returns data with its numbers as generated code writes them: it reads 1.0 and 1e0
// into the same integer, and writes 1. strict is whether the project follows validation:
// strict; with spec, a number that may have a fraction keeps its text.
func spelled(s *schema.Schema, data *schema.Value, strict bool) *schema.Value {
	n := &numbers{strict: strict, of: map[*schema.Value]numberKind{}, seen: map[reached]bool{}}
	n.reach(s, data)
	return n.write(data)
}

// numbers collects which Go type each number of some data has.
type numbers struct {
	strict bool
	of     map[*schema.Value]numberKind
	seen   map[reached]bool
}

// numberKind says what schemas say of a number.
type numberKind struct{ integer, number, decimal bool }

// reached is a schema that applies to a value.
type reached struct {
	schema *schema.Schema
	value  *schema.Value
}

// reach notes what s and the schemas inside it say of the numbers in v.
func (n *numbers) reach(s *schema.Schema, v *schema.Value) {
	if s == nil || n.seen[reached{s, v}] {
		return
	}
	n.seen[reached{s, v}] = true
	if s.Ref != nil {
		n.reach(s.Ref.Target, v)
	}
	for _, list := range [][]*schema.Schema{s.AllOf, s.AnyOf, s.OneOf} {
		for _, part := range list {
			n.reach(part, v)
		}
	}
	switch v.Kind {
	case schema.NumberKind:
		n.note(s, v)
	case schema.Array:
		for i, item := range v.Items {
			if i < len(s.PrefixItems) {
				n.reach(s.PrefixItems[i], item)
			} else {
				n.reach(s.Items, item)
			}
		}
	case schema.Object:
		for _, m := range v.Members {
			for _, of := range ofMember(s, m.Name) {
				n.reach(of, m.Value)
			}
		}
	}
}

// ofMember returns what s says of a member with this name.
func ofMember(s *schema.Schema, name string) []*schema.Schema {
	var all []*schema.Schema
	for _, p := range s.Properties {
		if p.Name == name {
			all = append(all, p.Schema)
		}
	}
	for _, p := range s.PatternProperties {
		if pattern, err := ecma.Translate(p.Name); err == nil && pattern.Matcher().MatchString(name) {
			all = append(all, p.Schema)
		}
	}
	if len(all) == 0 {
		all = append(all, s.AdditionalProperties)
	}
	return all
}

func (n *numbers) note(s *schema.Schema, v *schema.Value) {
	listed := s.Enum
	if s.Const != nil {
		listed = []*schema.Value{s.Const}
	}
	bounded := s.Minimum != nil || s.Maximum != nil || s.ExclusiveMinimum != nil || s.ExclusiveMaximum != nil || s.MultipleOf != nil
	of := n.of[v]
	of.integer = of.integer || slices.Contains(s.Types, "integer") || len(listed) > 0 && !slices.ContainsFunc(listed, isFraction)
	of.number = of.number || slices.Contains(s.Types, "number") || len(s.Types) == 0 && bounded
	of.decimal = of.decimal || s.Format == "decimal" || s.Format == "decimal128"
	n.of[v] = of
}

// isFraction reports whether a value is no whole number.
func isFraction(v *schema.Value) bool {
	return v.Kind != schema.NumberKind || !jsonvalue.IsWhole(v.Text)
}

// write returns v with its numbers as they are written.
func (n *numbers) write(v *schema.Value) *schema.Value {
	out := *v
	if v.Kind == schema.NumberKind {
		out.Text = n.text(v)
	}
	out.Items = slices.Clone(v.Items)
	for i, item := range v.Items {
		out.Items[i] = n.write(item)
	}
	out.Members = slices.Clone(v.Members)
	for i, m := range v.Members {
		out.Members[i].Value = n.write(m.Value)
	}
	return &out
}

func (n *numbers) text(v *schema.Value) string {
	of := n.of[v]
	if of.integer {
		if text, ok := jsonvalue.Whole(v.Text); ok {
			return text
		}
	}
	if !of.number || of.decimal || !n.strict || !jsonvalue.ExactFloat64(v.Text) {
		return v.Text // a type that the project file chooses may keep all digits
	}
	number, err := strconv.ParseFloat(v.Text, 64)
	if err != nil {
		return v.Text
	}
	text, err := json.Marshal(number) // as package wire
	if err != nil {
		return v.Text
	}
	return string(text)
}
