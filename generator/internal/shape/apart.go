package shape

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// maxTagDepth is how deep in its object a tag may be.
const maxTagDepth = 4

// tellApart finds what distinguishes the branches of a union: it must guarantee that no
// value is valid for two of them. If there is nothing, why says so.
func (b *builder) tellApart(u *union) (why string) {
	kinds := map[string][]*branch{}
	for _, br := range u.branches {
		kind := br.JSON
		if kind == "integer" {
			kind = "number"
		}
		if kind == "" {
			return u.describe(br) + " may have any type"
		}
		kinds[kind] = append(kinds[kind], br)
	}
	for _, kind := range []string{"string", "number", "boolean", "array"} {
		if same := kinds[kind]; len(same) > 1 {
			return fmt.Sprintf("%s are both of type %s", u.describe(same[:2]...), kind)
		}
	}
	objects := kinds["object"]
	if len(objects) < 2 {
		return ""
	}
	if slices.ContainsFunc(objects, func(br *branch) bool { return br.form.Listed || br.form.Union != nil }) {
		return u.describe(objects[:2]...) + " are objects, and one value may be valid for both"
	}
	if b.byDiscriminator(u, objects) || byTag(u, objects) || byMembers(objects) {
		return ""
	}
	if why, u.hint = unlikeTags(objects); why != "" {
		return why
	}
	return u.describe(objects[:2]...) + " are objects, and one value may be valid for both"
}

// byDiscriminator uses the property in OpenAPI's discriminator as the tag. A branch
// that does not declare the constant itself gets it.
func (b *builder) byDiscriminator(u *union, objects []*branch) bool {
	d := u.of.Union.Of.Discriminator
	if d == nil || d.PropertyName.Text == "" {
		return false
	}
	path := []string{d.PropertyName.Text}
	var tags [][]*schema.Value
	seen := map[string]bool{}
	for _, br := range objects {
		values, _ := valuesAt(br.form, path)
		if len(values) == 0 {
			values = naming.Tags(d, br.ref)
		}
		if len(values) == 0 {
			return false
		}
		for _, v := range values {
			if v.Kind != schema.String || seen[v.Text] {
				return false
			}
			seen[v.Text] = true
		}
		tags = append(tags, values)
	}
	trusted := false
	for i, br := range objects {
		own, required := valuesAt(br.form, path)
		if br.Tags = tags[i]; len(own) == 0 || !required {
			trusted = true
			br.node = br.node.Require(d.PropertyName, tags[i], d.PropertyName.Pos)
			br.form, _ = br.node.Settled()
			br.tagged = true
		}
	}
	u.ir.Tag, u.ir.Base = path, ir.String
	if trusted {
		b.list.Warnf(d.PropertyName.Pos, "discriminator-trusted",
			"as in OpenAPI, %s alone decides the branch; a validator that ignores discriminator may choose another one", strconv.Quote(path[0])).
			SetHint("in every branch, require it and give it a const")
	}
	return true
}

// byTag looks for a property that every branch requires, with different values in each.
func byTag(u *union, objects []*branch) bool {
	for _, path := range tagPaths(objects[0].form) {
		if tags, base, ok := tagsAt(objects, path); ok {
			u.ir.Tag, u.ir.Base = path, base
			for i, br := range objects {
				br.Tags = tags[i]
			}
			return true
		}
	}
	return false
}

// tagsAt returns the values of the property at a path in each branch, if they
// distinguish the branches.
func tagsAt(objects []*branch, path []string) (tags [][]*schema.Value, base ir.Kind, ok bool) {
	seen := map[string]bool{}
	for _, br := range objects {
		values, required := valuesAt(br.form, path)
		if len(values) == 0 || !required {
			return nil, ir.Any, false
		}
		for _, v := range values {
			kind := tagKind(v)
			if kind == ir.Any || base != ir.Any && kind != base || seen[v.Canonical()] {
				return nil, ir.Any, false
			}
			base, seen[v.Canonical()] = kind, true
		}
		tags = append(tags, values)
	}
	return tags, base, true
}

func tagKind(v *schema.Value) ir.Kind {
	switch v.Kind {
	case schema.String:
		return ir.String
	case schema.Bool:
		return ir.Bool
	case schema.NumberKind:
		if v.IsInt64() {
			return ir.Int
		}
	}
	return ir.Any
}

// tagPaths lists the required properties of a form with listed values, at any depth,
// the nearest first.
func tagPaths(f *normal.Form) [][]string {
	type place struct {
		form *normal.Form
		path []string
	}
	var found [][]string
	level := []place{{form: f}}
	for depth := 0; depth < maxTagDepth && len(level) > 0; depth++ {
		var next []place
		for _, here := range level {
			for _, m := range here.form.Object().Members {
				if !m.Required {
					continue
				}
				inner, nullable := m.Node.Settled()
				path := append(slices.Clone(here.path), m.Name)
				switch {
				case nullable:
				case inner.Listed:
					found = append(found, path)
				case inner.Union == nil && inner.Kinds == normal.Object:
					next = append(next, place{inner, path})
				}
			}
		}
		level = next
	}
	return found
}

// valuesAt returns the values that a form lists for the property at path. required is
// true if every object on the path requires it.
func valuesAt(f *normal.Form, path []string) (values []*schema.Value, required bool) {
	required = true
	for _, name := range path {
		if f.Kinds&^normal.Null != normal.Object || f.Union != nil || f.Listed {
			return nil, false
		}
		m := f.Object().Member(name)
		if m == nil || m.Never {
			return nil, false
		}
		required = required && m.Required
		inner, nullable := m.Node.Settled()
		if nullable {
			return nil, false
		}
		f = inner
	}
	if !f.Listed {
		return nil, false
	}
	return f.Values, required
}

// byMembers looks for an order of the branches in which each requires a property that
// all later ones forbid. Then the first of these properties that an object has selects
// its branch.
func byMembers(objects []*branch) bool {
	left := slices.Clone(objects)
	type choice struct {
		br     *branch
		member string
	}
	var choices []choice
	for len(left) > 1 {
		i, member := deciding(left)
		if i < 0 {
			return false
		}
		choices = append(choices, choice{left[i], member})
		left = slices.Delete(left, i, i+1)
	}
	for i, c := range choices {
		c.br.Member, c.br.Order = c.member, i+1
	}
	left[0].Order = len(objects)
	if r := requiredOf(left[0].form); len(r) > 0 {
		left[0].Member = r[0]
	}
	return true
}

func deciding(branches []*branch) (index int, member string) {
	for i, br := range branches {
		for _, name := range requiredOf(br.form) {
			if !slices.ContainsFunc(branches, func(o *branch) bool { return o != br && !o.form.Object().Forbids(name) }) {
				return i, name
			}
		}
	}
	return -1, ""
}
