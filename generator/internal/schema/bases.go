package schema

import (
	"fmt"
	"maps"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
)

// bases takes OpenAPI's base types as they are meant: a schema with a
// discriminator lists as its branches what extends it, and each branch refers
// back to it. Read by the letter that is a circle. For a branch, the base is
// what stands beside its own union.
func (l *loader) bases() {
	bare := map[*Schema]*Schema{}
	extending := map[*Schema]map[*Schema]bool{}
	for _, u := range l.sortedUnits() {
		for _, s := range u.sortedSchemas() {
			for _, part := range append(slices.Clone(s.AllOf), s) {
				base := target(part)
				if base == nil || base == s || base.Discriminator == nil || len(base.OneOf)+len(base.AnyOf) == 0 {
					continue
				}
				if extending[base] == nil {
					extending[base] = map[*Schema]bool{}
					for _, branch := range slices.Concat(base.OneOf, base.AnyOf) {
						extends(branch, base, extending[base])
					}
				}
				if !extending[base][s] {
					continue
				}
				if bare[base] == nil {
					bare[base] = withoutBranches(base)
					l.list.Add(diag.Finding{
						Pos: base.Pos, Severity: diag.Warning, ID: "discriminator-base",
						Message: fmt.Sprintf("what this discriminator chooses from refers back to it, at %s: it is taken as OpenAPI means it, as the members that they share, and no validator of JSON Schema comes to an end here", part.Ref.Pos),
						Hint:    "move what they share into a definition of its own",
					})
				}
				part.Ref = &Ref{Text: part.Ref.Text, Pos: part.Ref.Pos, Target: bare[base]}
			}
		}
	}
}

// target is what s refers to, through references alone; nil where it is none.
func target(s *Schema) *Schema {
	if s.Ref == nil {
		return nil
	}
	seen := map[*Schema]bool{}
	t := s.Ref.Target
	for t != nil && t.OnlyRef() && !seen[t] {
		seen[t] = true
		t = t.Ref.Target
	}
	return t
}

// extends notes s and all that it consists of, up to base.
func extends(s, base *Schema, seen map[*Schema]bool) {
	if s == nil || s == base || seen[s] {
		return
	}
	seen[s] = true
	if s.Ref != nil {
		extends(s.Ref.Target, base, seen)
	}
	for _, part := range s.AllOf {
		extends(part, base, seen)
	}
}

// withoutBranches is a schema without its union.
func withoutBranches(base *Schema) *Schema {
	bare := *base
	bare.OneOf, bare.AnyOf, bare.Discriminator, bare.BaseOf = nil, nil, nil, base
	bare.At = maps.Clone(base.At)
	for _, keyword := range []string{"oneOf", "anyOf", "discriminator"} {
		delete(bare.At, keyword)
	}
	return &bare
}
