package ir

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// maxTagDepth is how deep in its object a tag may stand.
const maxTagDepth = 4

// tellApart finds what tells the branches of a union apart: that no value is
// valid for two of them must follow from it. Where nothing does, why says so.
func (b *builder) tellApart(s *schema.Schema, u *Union) (why string) {
	kinds := map[string][]*Branch{}
	for _, branch := range u.Branches {
		kind := branch.JSON
		if kind == "integer" {
			kind = "number"
		}
		if kind == "" {
			return u.describe(branch) + " may be of any type"
		}
		kinds[kind] = append(kinds[kind], branch)
	}
	for _, kind := range []string{"string", "number", "boolean", "array"} {
		if same := kinds[kind]; len(same) > 1 {
			return fmt.Sprintf("%s are both of type %s", u.describe(same[:2]...), kind)
		}
	}
	objects := kinds["object"]
	if len(objects) < 2 || b.byDiscriminator(s, u, objects) || b.byTag(u, objects) || b.byMembers(objects) {
		return ""
	}
	return u.describe(objects[:2]...) + " are objects, and one value may be valid for both"
}

// byDiscriminator takes OpenAPI's word for which member is the tag. A branch
// that does not say so itself is given the constant.
func (b *builder) byDiscriminator(s *schema.Schema, u *Union, objects []*Branch) bool {
	d := s.Discriminator
	if d == nil || d.PropertyName.Text == "" {
		return false
	}
	path := []string{d.PropertyName.Text}
	trusted := false
	seen := map[string]bool{}
	for _, branch := range objects {
		tags, required := b.valuesAt(branch.said, path)
		if len(tags) == 0 {
			tags = mapped(d, branch)
		}
		if len(tags) == 0 {
			return false
		}
		for _, v := range tags {
			if v.Kind != schema.String || seen[v.Text] {
				return false
			}
			seen[v.Text] = true
		}
		branch.Tags = tags
		if own, _ := b.valuesAt(branch.said, path); len(own) == 0 || !required {
			trusted = true
			b.addTag(branch, d.PropertyName, tags)
		}
	}
	u.Tag, u.Base = path, String
	if trusted {
		b.list.Add(diag.Finding{
			Pos: d.PropertyName.Pos, Severity: diag.Warning, ID: "discriminator-trusted",
			Message: fmt.Sprintf("%s alone decides the branch, because discriminator says so; a validator that does not know discriminator may find another", strconv.Quote(path[0])),
			Hint:    "in every branch, require it and give it a const",
		})
	}
	return true
}

// mapped is the values that stand for a branch by the mapping of a
// discriminator, or else by the name of its definition.
func mapped(d *schema.Discriminator, branch *Branch) []*schema.Value {
	var values []*schema.Value
	if branch.ref == nil {
		return nil
	}
	for i, target := range d.Targets {
		if target != nil && (target == branch.ref || lastRef(target) == branch.ref || target.Resolved() == branch.ref.Resolved()) {
			values = append(values, &schema.Value{Pos: d.Mapping[i].Pos, Kind: schema.String, Text: d.Mapping[i].Text})
		}
	}
	if len(values) == 0 {
		values = append(values, &schema.Value{Pos: d.PropertyName.Pos, Kind: schema.String, Text: refName(branch.ref)})
	}
	return values
}

// addTag requires the tag in a branch, with its values.
func (b *builder) addTag(branch *Branch, name schema.Name, tags []*schema.Value) {
	s := branch.from
	pos := name.Pos
	tag := &schema.Schema{Pos: pos, Doc: s.Doc, Pointer: branch.said.Pointer + "/properties/" + name.Text, Types: []string{"string"}, Enum: tags, At: map[string]diag.Pos{"type": pos, "enum": pos}}
	if len(tags) == 1 {
		tag.Const, tag.Enum = tags[0], nil
	}
	both := *branch.said
	both.AllOf = []*schema.Schema{{
		Pos: pos, Doc: s.Doc, Pointer: s.Pointer, Types: []string{"object"}, Required: []schema.Name{name},
		Properties: []schema.Property{{Name: name.Text, Pos: pos, Schema: tag}}, At: map[string]diag.Pos{"type": pos, "properties": pos, "required": pos},
	}}
	branch.said = b.merge(&both)
	branch.from, branch.tagged = branch.said, true
}

// byTag looks for a member that every branch requires, and whose values are
// others in each.
func (b *builder) byTag(u *Union, objects []*Branch) bool {
	for _, path := range b.tagPaths(objects[0].said) {
		tags := make([][]*schema.Value, len(objects))
		seen := map[string]bool{}
		base := Any
		fits := func() bool {
			for i, branch := range objects {
				values, required := b.valuesAt(branch.said, path)
				if len(values) == 0 || !required {
					return false
				}
				for _, v := range values {
					kind := tagKind(v)
					if kind == Any || base != Any && kind != base || seen[v.Canonical()] {
						return false
					}
					base, seen[v.Canonical()] = kind, true
				}
				tags[i] = values
			}
			return true
		}
		if !fits() {
			continue
		}
		u.Tag, u.Base = path, base
		for i, branch := range objects {
			branch.Tags = tags[i]
		}
		return true
	}
	return false
}

func tagKind(v *schema.Value) Kind {
	switch v.Kind {
	case schema.String:
		return String
	case schema.Bool:
		return Bool
	case schema.NumberKind:
		if _, whole := wholeNumber(v.Text); whole {
			return Int
		}
	}
	return Any
}

// tagPaths lists the members that s requires and lists the values of, at any
// depth, the nearest first.
func (b *builder) tagPaths(s *schema.Schema) [][]string {
	type place struct {
		s    *schema.Schema
		path []string
	}
	var found [][]string
	level := []place{{s: s}}
	for depth := 0; depth < maxTagDepth && len(level) > 0; depth++ {
		var next []place
		for _, here := range level {
			for _, p := range here.s.Properties {
				inner := b.resolveQuietly(p.Schema)
				if inner == nil || !requires(here.s, p.Name) {
					continue
				}
				path := append(slices.Clone(here.path), p.Name)
				if inner.Const != nil || len(inner.Enum) > 0 {
					found = append(found, path)
				} else if len(inner.Properties) > 0 {
					next = append(next, place{inner, path})
				}
			}
		}
		level = next
	}
	return found
}

// resolveQuietly is resolve for a schema whose faults are reported where it
// becomes a type.
func (b *builder) resolveQuietly(s *schema.Schema) *schema.Schema {
	s = s.Resolved()
	if s == nil || s.Bool != nil || len(s.AnyOf)+len(s.OneOf) > 0 {
		return nil
	}
	return b.merge(s)
}

// valuesAt is the values that s lists for the member at path; required says
// that every object on the way requires it.
func (b *builder) valuesAt(s *schema.Schema, path []string) (values []*schema.Value, required bool) {
	required = true
	for _, name := range path {
		if jsonType(s) != "object" {
			return nil, false
		}
		required = required && requires(s, name)
		member := property(s, name)
		if member == nil {
			return nil, false
		}
		if s = b.resolveQuietly(member); s == nil {
			return nil, false
		}
	}
	if s.Const != nil {
		return []*schema.Value{s.Const}, required
	}
	if listsNull(s) && (len(s.Types) == 0 || slices.Contains(s.Types, "null")) {
		return nil, false // null is a value of every branch then
	}
	return s.Enum, required
}

func requires(s *schema.Schema, name string) bool {
	return slices.ContainsFunc(s.Required, func(r schema.Name) bool { return r.Text == name })
}

// byMembers looks for an order of the branches in which each requires a member
// that all after it forbid: then the first of these members that an object has
// chooses its branch.
func (b *builder) byMembers(objects []*Branch) bool {
	left := slices.Clone(objects)
	for order := 1; len(left) > 1; order++ {
		i, member := deciding(left)
		if i < 0 {
			return false
		}
		left[i].Member, left[i].Order = member, order
		left = slices.Delete(left, i, i+1)
	}
	left[0].Order = len(objects)
	if r := left[0].said.Required; len(r) > 0 {
		left[0].Member = r[0].Text
	}
	return true
}

func deciding(branches []*Branch) (index int, member string) {
	for i, branch := range branches {
		for _, r := range branch.said.Required {
			if !slices.ContainsFunc(branches, func(o *Branch) bool { return o != branch && !forbids(o.said, r.Text) }) {
				return i, r.Text
			}
		}
	}
	return -1, ""
}

// forbids reports whether no object that is valid for s has the member.
func forbids(s *schema.Schema, name string) bool {
	if member := property(s, name); member != nil {
		return member.Bool != nil && !*member.Bool
	}
	return closes(s) && len(s.PatternProperties) == 0
}
