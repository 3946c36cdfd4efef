package schema

import (
	"maps"
	"slices"
)

// bases handles OpenAPI's base types: a schema with a discriminator lists its subtypes
// as branches, and each branch refers back to it. Literally that is a circle. For a
// branch, the base is the schema without its union.
func (l *loader) bases() {
	bare := map[*Schema]*Schema{}
	extending := map[*Schema]map[*Schema]bool{}
	ends := chains{}
	for _, u := range l.sortedUnits() {
		for _, s := range u.sortedSchemas() {
			for _, part := range append(slices.Clone(s.AllOf), s) {
				base := ends.of(part)
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
					l.list.Warnf(base.Pos, "discriminator-base",
						"the targets of this discriminator refer back to it, at %s: it is read as in OpenAPI, as the properties that they share, although a JSON Schema validator never finishes here", part.Ref.Pos).
						SetHint("move the shared properties into their own definition")
				}
				part.Ref = &Ref{Text: part.Ref.Text, Pos: part.Ref.Pos, Target: bare[base]}
			}
		}
	}
}

// chains are the ends of chains of references.
type chains map[*Schema]*Schema

// of returns what s refers to through references alone; nil if there is none, or they
// lead in a circle.
func (c chains) of(s *Schema) *Schema {
	if s.Ref == nil {
		return nil
	}
	var way []*Schema
	end := s.Ref.Target
	for end != nil && end.OnlyRef() {
		known, ok := c[end]
		if ok {
			end = known
			break
		}
		c[end] = nil // while it is followed
		way = append(way, end)
		end = end.Ref.Target
	}
	for _, on := range way {
		c[on] = end
	}
	return end
}

// extends marks s and all schemas that it consists of, up to base.
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

func withoutBranches(base *Schema) *Schema {
	bare := *base
	bare.OneOf, bare.AnyOf, bare.Discriminator, bare.BaseOf = nil, nil, nil, base
	bare.At = maps.Clone(base.At)
	for _, keyword := range []string{"oneOf", "anyOf", "discriminator"} {
		delete(bare.At, keyword)
	}
	return &bare
}
