package schema

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// subtypes warns about schemas with a discriminator that list no branches, while others
// extend them with allOf, as AsyncAPI and OpenAPI allow it. For a JSON Schema validator a
// value of such a schema has no other properties than those of the base.
func (l *loader) subtypes() {
	parts := map[*Schema]bool{} // of an allOf: there, the base is only a base
	targets := map[*Schema]bool{}
	for _, u := range l.sortedUnits() {
		for _, s := range u.byPointer {
			for _, part := range s.AllOf {
				parts[part] = true
			}
		}
	}
	for _, u := range l.sortedUnits() {
		for _, s := range u.byPointer {
			if s.Ref != nil && !parts[s] {
				targets[s.Ref.Target] = true
			}
		}
	}
	for _, u := range l.sortedUnits() {
		for _, s := range u.sortedSchemas() {
			if s.Discriminator == nil || len(s.OneOf)+len(s.AnyOf) > 0 || s.BaseOf != nil || !targets[s] {
				continue
			}
			if names := u.extending(s.Pointer); len(names) > 0 {
				u.found.Warnf(s.At["discriminator"], "discriminator-subtypes",
					"the discriminator of %s has no oneOf, so the properties of what extends it with allOf are unknown ones here: %s",
					finding.Quote("#"+s.Pointer), quotedList(names, maxListed)).
					SetHint("refer to a schema that has the discriminator and lists them in oneOf")
			}
		}
	}
}

// extending returns the definitions of a file whose allOf refers to a pointer in it.
func (u *unit) extending(pointer string) []string {
	var names []string
	for _, path := range [][]string{{"components", "schemas"}, {"definitions"}, {"$defs"}} {
		all, _, _ := u.value.at(path)
		if all == nil || all.Kind != Object {
			continue
		}
		for _, m := range all.Members {
			parts := m.Value.Member("allOf")
			if parts != nil && parts.Kind == Array && slices.ContainsFunc(parts.Items, func(part *Value) bool {
				ref := part.Member("$ref")
				return ref != nil && ref.Kind == String && ref.Text == "#"+pointer
			}) {
				names = append(names, "#"+joinTokens(append(slices.Clone(path), m.Name)))
			}
		}
	}
	return names
}
