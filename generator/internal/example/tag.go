package example

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Tags returns the values by which a discriminator chooses a branch, as generated code
// reads it. None without a discriminator, and if the branch lists the values itself.
func Tags(d *schema.Discriminator, branch *schema.Schema) []*schema.Value {
	if d == nil || d.PropertyName.Text == "" {
		return nil
	}
	lists := func(s *schema.Schema) bool { return s.Const != nil || s.Enum != nil }
	for _, part := range conjunction(nil, branch, 0) {
		for _, p := range part.Properties {
			if p.Name == d.PropertyName.Text && slices.ContainsFunc(conjunction(nil, p.Schema, 0), lists) {
				return nil
			}
		}
	}
	return naming.Tags(d, naming.Branch(branch))
}

// tagged returns a schema that requires one of the values of a discriminator.
func tagged(d *schema.Discriminator, values []*schema.Value) *schema.Schema {
	is := &schema.Schema{Enum: values}
	return &schema.Schema{Properties: []schema.Property{{Name: d.PropertyName.Text, Schema: is}}, Required: []schema.Name{d.PropertyName}}
}
