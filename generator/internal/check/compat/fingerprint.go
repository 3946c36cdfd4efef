package compat

import (
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// fingerprint is equal for schemas with the same content, annotations included.
// References are compared by their text.
type fingerprint [sha256.Size]byte

func (c *comparison) fingerprint(s *schema.Schema) fingerprint {
	if known, ok := c.prints[s]; ok {
		return known
	}
	c.work++
	h := sha256.New()
	if s.Bool != nil {
		fmt.Fprintln(h, "bool", *s.Bool)
	}
	if s.Ref != nil {
		fmt.Fprintf(h, "ref %q\n", s.Ref.Text)
	}
	fmt.Fprintf(h, "%q %q %q %q %q %q\n", s.Title, s.Description, s.Format, s.Types, s.ContentEncoding, s.ContentMediaType)
	for _, n := range []*schema.Number{
		s.MinProperties, s.MaxProperties, s.MinContains, s.MaxContains, s.MinItems, s.MaxItems, s.MinLength, s.MaxLength,
		s.Minimum, s.Maximum, s.ExclusiveMinimum, s.ExclusiveMaximum, s.MultipleOf,
	} {
		if n == nil {
			fmt.Fprint(h, "- ")
		} else {
			fmt.Fprint(h, jsonvalue.CanonicalNumber(n.Text), " ")
		}
	}
	for _, v := range []*schema.Value{s.Default, s.Const} {
		if v != nil {
			fmt.Fprint(h, v.Canonical())
		}
		fmt.Fprintln(h)
	}
	fmt.Fprintln(h, s.UniqueItems, s.Enum != nil, len(s.Enum))
	for _, v := range s.Enum {
		fmt.Fprintln(h, v.Canonical())
	}
	if s.Pattern != nil {
		fmt.Fprintf(h, "pattern %q\n", s.Pattern.Text)
	}
	fmt.Fprintf(h, "discriminator %q\n", discriminatorText(s))
	c.printNames(h, s.Required)
	for _, d := range s.DependentRequired {
		fmt.Fprintf(h, "%q\n", d.Name.Text)
		c.printNames(h, d.Required)
	}
	c.printSubs(h, s)
	var sum fingerprint
	h.Sum(sum[:0])
	c.prints[s] = sum
	return sum
}

func (c *comparison) printNames(w io.Writer, names []schema.Name) {
	fmt.Fprint(w, len(names))
	for _, n := range names {
		fmt.Fprintf(w, " %q", n.Text)
	}
	fmt.Fprintln(w)
}

func (c *comparison) printSubs(w io.Writer, s *schema.Schema) {
	for _, properties := range [][]schema.Property{s.Properties, s.PatternProperties, s.DependentSchemas} {
		fmt.Fprintln(w, len(properties))
		for _, p := range properties {
			fmt.Fprintf(w, "%q %x\n", p.Name, c.fingerprint(p.Schema))
		}
	}
	for _, list := range [][]*schema.Schema{
		{
			s.AdditionalProperties, s.UnevaluatedProperties, s.PropertyNames, s.Items, s.Contains, s.UnevaluatedItems,
			s.Not, s.If, s.Then, s.Else,
		},
		s.PrefixItems, s.AllOf, s.AnyOf, s.OneOf,
	} {
		fmt.Fprintln(w, len(list))
		for _, sub := range list {
			if sub == nil {
				fmt.Fprintln(w, "-")
			} else {
				fmt.Fprintf(w, "%x\n", c.fingerprint(sub))
			}
		}
	}
}

// distinct returns subs without repeated ones.
func (c *comparison) distinct(subs []*schema.Schema) []*schema.Schema {
	if len(subs) < 2 {
		return subs
	}
	seen := make(map[fingerprint]bool, len(subs))
	var out []*schema.Schema
	for _, s := range subs {
		if f := c.fingerprint(s); !seen[f] {
			seen[f] = true
			out = append(out, s)
		}
	}
	return out
}
