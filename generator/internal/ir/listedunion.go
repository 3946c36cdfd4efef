package ir

import (
	"maps"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// typesOnly is a schema that lists values beside a union of nothing but types,
// as one with a list of types, or the schema itself. Tools write it so where a
// value may be given by its name or by its number.
func (b *builder) typesOnly(s *schema.Schema) *schema.Schema {
	if len(s.Types) > 0 || s.Ref != nil || len(s.AllOf) > 0 || len(s.Enum) == 0 && s.Const == nil {
		return s
	}
	if typed := b.typed[s]; typed != nil {
		return typed
	}
	unions := unionsOf(s)
	if len(unions) != 1 {
		return s
	}
	var types []string
	for _, branch := range unions[0].branches {
		if branch.Ref != nil || branch.Bool != nil || branch.SaysMore("type") || len(branch.Types) != 1 || slices.Contains(types, branch.Types[0]) {
			return s
		}
		types = append(types, branch.Types[0])
	}
	if slices.Contains(types, "integer") && slices.Contains(types, "number") {
		return s // oneOf would leave the integers out
	}
	typed := *s
	typed.Types, typed.AnyOf, typed.OneOf = types, nil, nil
	typed.At = maps.Clone(s.At)
	delete(typed.At, unions[0].keyword)
	typed.At["type"] = at(s, unions[0].keyword)
	b.copied[&typed] = s
	b.renamed(&typed, "type", b.origin(s, unions[0].keyword))
	b.typed[s] = &typed
	return &typed
}

// withoutListed leaves the branches of an anyOf out that list strings where
// another one allows every string, unless these are all: see openEnum.
func withoutListed(branches []*Branch) []*Branch {
	free := slices.ContainsFunc(branches, func(o *Branch) bool { return o.JSON == "string" && !o.said.SaysMore("type") })
	if !free || !slices.ContainsFunc(branches, func(o *Branch) bool { return o.JSON != "string" }) {
		return branches
	}
	return slices.DeleteFunc(branches, func(o *Branch) bool {
		return o.JSON == "string" && len(valuesOf(o.said)) > 0 && !o.said.SaysMore("type", "const", "enum")
	})
}

// sameTitle reports whether a branch bears the title of its union, which tells
// nothing of the branch.
func (c context) sameTitle(s *schema.Schema) bool {
	return c.parent != nil && c.parent.Union != nil && s != c.parent.Schema && s.Title == c.parent.Schema.Title
}
