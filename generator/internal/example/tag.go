package example

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Tag returns the value by which a discriminator chooses a branch, as generated code reads
// it: that of its mapping, or else the name of the definition. ok is false without a
// discriminator, and if the branch lists the values itself.
func Tag(d *schema.Discriminator, branch *schema.Schema) (value string, ok bool) {
	if d == nil || d.PropertyName.Text == "" || branch == nil || branch.Ref == nil || branch.Ref.Target == nil {
		return "", false
	}
	lists := func(s *schema.Schema) bool { return s.Const != nil || s.Enum != nil }
	for _, part := range conjunction(nil, branch, 0) {
		for _, p := range part.Properties {
			if p.Name == d.PropertyName.Text && slices.ContainsFunc(conjunction(nil, p.Schema, 0), lists) {
				return "", false
			}
		}
	}
	for i, target := range d.Targets {
		if target == branch.Ref.Target || target.Resolved() == branch.Resolved() {
			return d.Mapping[i].Text, true
		}
	}
	return naming.RefName(branch.Ref.Target), true
}

// tagged returns a schema that requires a value of a discriminator.
func tagged(d *schema.Discriminator, value string) *schema.Schema {
	is := &schema.Schema{Const: &schema.Value{Kind: schema.String, Text: value}}
	return &schema.Schema{Properties: []schema.Property{{Name: d.PropertyName.Text, Schema: is}}, Required: []schema.Name{d.PropertyName}}
}
