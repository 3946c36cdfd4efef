package schema

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// dynamicRef is a $dynamicRef or a $recursiveRef. First it is resolved like a $ref;
// unroll then sets the target that validation would find.
type dynamicRef struct {
	ref     *Ref
	keyword string
}

// scope has the meaning of dynamic anchors on the path to a schema: for each name the
// anchor of the outermost resource that has one. The name "" is that of
// $recursiveAnchor.
type scope map[string]*Schema

// unroll sets the targets that validation would find for dynamic references. If a
// target depends on the path from an event to the reference, the schemas on the path
// exist once for each target; all but the first are variants. So other code need not
// know about dynamic references.
func (l *loader) unroll() {
	u := &unroller{
		load: l, names: map[*Ref]string{}, reads: map[*Schema]map[string]bool{}, resources: map[*Schema]*resource{},
		made: map[string]*Schema{}, originals: map[*Schema]Schema{}, count: map[*Schema]int{}, ids: map[*Schema]int{},
	}
	for _, d := range l.dynamic {
		if name, dynamic := l.dynamicAnchor(d); dynamic {
			u.names[d.ref] = name
		}
	}
	if len(u.names) == 0 {
		return
	}
	roots := l.roots()
	u.dependencies(roots)
	for _, root := range roots { // each is its own first variant
		u.variant(root, scope{})
	}
	for len(u.work) > 0 {
		w := u.work[0]
		u.work = u.work[1:]
		u.fill(w)
	}
}

// roots returns the schemas where validation begins.
func (l *loader) roots() []*Schema {
	var roots []*Schema
	if l.entry != nil && l.entry.Root != nil {
		roots = append(roots, l.entry.Root)
	}
	for _, u := range l.matched {
		if s := u.doc.Root; s != nil && s.Outbox != nil {
			roots = append(roots, s)
		}
	}
	for _, d := range l.apis {
		for _, m := range d.messages {
			if m.payload != nil {
				roots = append(roots, m.payload)
			}
		}
	}
	for _, ref := range l.eventRefs {
		if ref != nil && ref.Target != nil {
			roots = append(roots, ref.Target)
		}
	}
	return roots
}

// dynamicAnchor returns the name of the dynamic anchor that d first leads to. If it
// leads to none, it is an ordinary reference.
func (l *loader) dynamicAnchor(d dynamicRef) (name string, dynamic bool) {
	target := d.ref.Target
	if target == nil {
		return "", false
	}
	if u, err := url.Parse(d.ref.Text); err == nil && d.keyword == "$dynamicRef" {
		if name = u.Fragment; name == "" || name != target.DynamicAnchor {
			return "", false
		}
	}
	return name, slices.ContainsFunc(l.units[target.Doc.Path].resources, func(r *resource) bool { return r.dynamicAnchor(name) == target })
}

func (r *resource) dynamicAnchor(name string) *Schema {
	if name == "" {
		if r.recursive {
			return r.root
		}
		return nil
	}
	if s := r.anchors[name]; s != nil && s.DynamicAnchor == name {
		return s
	}
	return nil
}

type unroller struct {
	load      *loader
	names     map[*Ref]string             // of the dynamic references
	reads     map[*Schema]map[string]bool // names of the anchors that a schema depends on
	resources map[*Schema]*resource
	made      map[string]*Schema // by schema and scope
	originals map[*Schema]Schema // as read
	count     map[*Schema]int    // of variants
	ids       map[*Schema]int
	work      []variant
}

// variant is a schema that has to be filled for a scope.
type variant struct {
	schema, of *Schema
	scope      scope
}

// dependencies finds the schemas that lead to dynamic references.
func (u *unroller) dependencies(roots []*Schema) {
	users := map[*Schema][]*Schema{} // the schemas that have a part
	asking := map[string][]*Schema{} // the schemas with a dynamic reference, by name
	anchors := u.anchors()
	seen := map[*Schema]bool{}
	open := slices.Clone(roots)
	for len(open) > 0 {
		s := open[len(open)-1]
		open = open[:len(open)-1]
		if seen[s] {
			continue
		}
		seen[s] = true
		parts := s.Parts()
		if name, dynamic := u.name(s); dynamic {
			asking[name] = append(asking[name], s)
			parts = slices.Concat(parts, anchors[name])
		}
		for _, part := range parts {
			if part != nil {
				users[part] = append(users[part], s)
				open = append(open, part)
			}
		}
	}
	for name, open := range asking {
		for len(open) > 0 {
			s := open[len(open)-1]
			open = open[:len(open)-1]
			if u.reads[s][name] {
				continue
			}
			if u.reads[s] == nil {
				u.reads[s] = map[string]bool{}
			}
			u.reads[s][name] = true
			open = append(open, users[s]...)
		}
	}
}

// anchors returns every dynamic anchor of the project, by its name.
func (u *unroller) anchors() map[string][]*Schema {
	all := map[string][]*Schema{}
	for _, name := range u.names {
		if all[name] != nil {
			continue
		}
		for _, unit := range u.load.sortedUnits() {
			for _, r := range unit.resources {
				if s := r.dynamicAnchor(name); s != nil {
					all[name] = append(all[name], s)
				}
			}
		}
	}
	return all
}

// name returns the name of a schema's dynamic reference.
func (u *unroller) name(s *Schema) (name string, dynamic bool) {
	if s.Ref == nil {
		return "", false
	}
	name, dynamic = u.names[s.Ref]
	return name, dynamic
}

// variant returns s as reached in a scope.
func (u *unroller) variant(s *Schema, outer scope) *Schema {
	if s == nil || len(u.reads[s]) == 0 {
		return s
	}
	within := scope{}
	var key strings.Builder
	fmt.Fprint(&key, u.id(s))
	for _, name := range slices.Sorted(maps.Keys(u.reads[s])) {
		anchor := outer[name]
		if anchor == nil {
			anchor = u.resource(s).dynamicAnchor(name)
		}
		if within[name] = anchor; anchor != nil {
			fmt.Fprintf(&key, " %d", u.id(anchor))
		} else {
			key.WriteString(" -")
		}
	}
	if made := u.made[key.String()]; made != nil {
		return made
	}
	made := s
	if u.count[s] == 0 {
		u.originals[s] = *s
	} else {
		made = &Schema{Variant: u.count[s]}
		u.load.variants = append(u.load.variants, made)
	}
	u.count[s]++
	u.made[key.String()] = made
	u.work = append(u.work, variant{made, s, within})
	return made
}

func (u *unroller) id(s *Schema) int {
	if _, known := u.ids[s]; !known {
		u.ids[s] = len(u.ids)
	}
	return u.ids[s]
}

// resource returns the innermost resource that holds s.
func (u *unroller) resource(s *Schema) *resource {
	if u.resources[s] == nil {
		u.resources[s] = u.load.units[s.Doc.Path].enclosing(s.Pointer)
	}
	return u.resources[s]
}

// fill makes a variant from its schema as read.
func (u *unroller) fill(v variant) {
	s, number := u.originals[v.of], v.schema.Variant
	of := func(part *Schema) *Schema { return u.variant(part, v.scope) }
	all := func(parts []*Schema) []*Schema {
		parts = slices.Clone(parts)
		for i, part := range parts {
			parts[i] = of(part)
		}
		return parts
	}
	named := func(parts []Property) []Property {
		parts = slices.Clone(parts)
		for i, part := range parts {
			parts[i].Schema = of(part.Schema)
		}
		return parts
	}
	s.AllOf, s.AnyOf, s.OneOf, s.PrefixItems = all(s.AllOf), all(s.AnyOf), all(s.OneOf), all(s.PrefixItems)
	s.Properties, s.PatternProperties, s.DependentSchemas = named(s.Properties), named(s.PatternProperties), named(s.DependentSchemas)
	for _, part := range []**Schema{
		&s.Not, &s.If, &s.Then, &s.Else, &s.AdditionalProperties, &s.UnevaluatedProperties, &s.PropertyNames,
		&s.Items, &s.Contains, &s.UnevaluatedItems, &s.ContentSchema, &s.BaseOf,
	} {
		*part = of(*part)
	}
	if s.Ref != nil {
		target := s.Ref.Target
		if name, dynamic := u.name(&s); dynamic && v.scope[name] != nil {
			target = v.scope[name]
		}
		s.Ref = &Ref{Text: s.Ref.Text, Pos: s.Ref.Pos, Target: of(target)}
	}
	if s.Discriminator != nil {
		d := *s.Discriminator
		d.Targets = all(d.Targets)
		s.Discriminator = &d
	}
	s.Variant = number
	*v.schema = s
}
