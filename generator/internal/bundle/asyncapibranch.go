package bundle

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// branch is a branch of a schema with a discriminator, and a value that selects it.
type branch struct {
	target *schema.Schema
	value  string
	// mapped is true if mapping has the value; otherwise it is the name of the target.
	mapped bool
}

// branches returns the branches of a schema with a discriminator.
func branches(s *schema.Schema) []branch {
	var all []branch
	mapped := map[*schema.Schema]bool{}
	for i, value := range s.Discriminator.Mapping {
		if i < len(s.Discriminator.Targets) && s.Discriminator.Targets[i] != nil {
			target := s.Discriminator.Targets[i]
			all = append(all, branch{target, value.Text, true})
			mapped[target] = true
		}
	}
	for _, b := range slices.Concat(s.OneOf, s.AnyOf) {
		if b.Ref != nil && b.Ref.Target != nil && !mapped[b.Ref.Target] {
			all = append(all, branch{b.Ref.Target, ownName(b.Ref.Target), false})
		}
	}
	return all
}

// nameBranches names the branches of schemas with a discriminator by the values that
// select them, because AsyncAPI has no mapping.
func (a *asyncAPI) nameBranches() {
	taken := map[string]bool{}
	for _, name := range a.names {
		taken[strings.ToLower(name)] = true
	}
	for _, s := range a.discriminated {
		for _, b := range branches(s) {
			if a.names[b.target] == "" && b.nameable() && !taken[strings.ToLower(b.value)] {
				a.names[b.target] = b.value
				taken[strings.ToLower(b.value)] = true
			}
		}
	}
}

// titled returns a schema with its own name as the title, if its component is named by a
// value or cannot have its name, so that its Go name stays.
func (a *asyncAPI) titled(s *schema.Schema) *schema.Schema {
	named := func(of *schema.Schema) bool {
		return slices.ContainsFunc(branches(of), func(b branch) bool { return b.target == s && b.value == a.names[s] })
	}
	with := *s
	switch {
	case s.Title != "" || a.names[s] == ownName(s) || s.Bool != nil:
		return s
	case slices.ContainsFunc(a.discriminated, named):
		with.Title = ownName(s)
	case escaped(ownName(s)):
		with.Title = naming.RefName(s)
	default:
		return s
	}
	return &with
}

// nameable reports whether a component can have the value as its name. Of a name with
// dots only the last part is a value.
func (b branch) nameable() bool {
	return b.value != "" && !notInComponent.MatchString(b.value) && !(b.mapped && strings.Contains(b.value, "."))
}

// otherBranches reports whether a value of the discriminator of s is not the name under
// which the document has the branch.
func (a *asyncAPI) otherBranches(s *schema.Schema) bool {
	return slices.ContainsFunc(branches(s), func(b branch) bool { return !b.nameable() || a.names[b.target] != b.value })
}
