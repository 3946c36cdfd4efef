package schema

import (
	"fmt"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// The dialects in the order of their age; 0 in a keyword's first and last
// stands for the oldest and the newest.
const (
	level4 = iota
	level6
	level7
	level2019
	level2020
)

var dialects = []Dialect{Draft4, Draft6, Draft7, Draft201909, Draft202012}

func (d Dialect) level() int { return slices.Index(dialects, d) }

// older collects what a dialect writes in another form than 2020-12 while one schema is
// read. translate converts it at the end.
type older struct {
	tuple           bool // items was an array
	additionalItems *Schema
	exclusiveMin    bool
	exclusiveMax    bool
	nullable        *Member
	second          *Member // a second reference in the same schema
	secondRef       *Ref
}

// olderWords adds the keywords that 2020-12 no longer has.
func olderWords(words map[string]keyword) {
	words["id"] = keyword{read: needs(String, uriReference, (*builder).id), last: level4, annotation: true}
	words["additionalItems"] = keyword{read: func(b *builder, s *Schema, m Member) {
		b.older.additionalItems = b.schema(m.Value, join(s.Pointer, m.Name))
	}, last: level2019}
	words["dependencies"] = keyword{read: needs(Object, "an object whose members are arrays of names or schemas", dependencies), last: level2019}
	words["$recursiveRef"] = keyword{read: needs(String, uriReference, (*builder).ref), first: level2019, last: level2019}
	words["$recursiveAnchor"] = keyword{read: needs(Bool, "true or false", func(b *builder, s *Schema, m Member) {
		if s == b.within.root {
			b.within.recursive = m.Value.Bool
		}
	}), first: level2019, last: level2019, annotation: true}
	nullable := keyword{read: func(b *builder, s *Schema, m Member) {
		switch {
		case b.load.spec && !openAPI3(b.unit.value):
			delete(s.At, m.Name)
			b.list.Warnf(m.Pos, "other-dialect", "%s is ignored: it is an OpenAPI keyword, and validation: spec uses JSON Schema only", m.Name).
				SetHint(`list "null" in type`)
		case m.Value.Kind != Bool:
			b.wrong(m, "true or false")
		default:
			b.older.nullable = &m
		}
	}, last: level2020}
	words["nullable"], words["x-nullable"] = nullable, nullable // the second is Swagger 2.0's
}

// otherDialect returns what to write instead of a keyword that the current dialect does
// not have.
func otherDialect(name string, level int) string {
	switch name {
	case "id":
		return "use $id"
	case "additionalItems":
		return "use prefixItems for the tuple and items for the rest"
	case "dependencies":
		return "use dependentRequired for names and dependentSchemas for schemas"
	case "$recursiveRef":
		return "use $ref"
	case "prefixItems":
		if level < level2020 {
			return "use the array form of items, or set $schema: https://json-schema.org/draft/2020-12/schema"
		}
	case "dependentRequired", "dependentSchemas":
		if level < level2019 {
			return "use dependencies, or set $schema: https://json-schema.org/draft/2020-12/schema"
		}
	case "$id":
		return "use id, or set $schema: https://json-schema.org/draft/2020-12/schema"
	case "const":
		return "use an enum of one value, or set $schema: https://json-schema.org/draft/2020-12/schema"
	}
	return "set $schema: https://json-schema.org/draft/2020-12/schema to use it"
}

// items reads one schema for every item or, before 2020-12, one for each position.
func items(b *builder, s *Schema, m Member) {
	switch {
	case m.Value.Kind != Array:
		if s.Items = b.schema(m.Value, join(s.Pointer, m.Name)); s.Items == nil {
			b.ignore(m)
		}
	case b.level == level2020:
		b.ignore(m)
		b.list.Errorf(m.Value.Pos, "other-dialect", "items must be a schema, not an array, which was the tuple form of older drafts").
			SetHint("use prefixItems")
	case len(m.Value.Items) == 0:
		b.older.tuple = true
	default:
		b.older.tuple = true
		s.PrefixItems = b.schemas(s, m)
	}
}

// exclusive reads a number or, in draft-04, a boolean that makes minimum or maximum
// exclusive.
func exclusive(field func(*Schema) **Number) func(*builder, *Schema, Member) {
	return func(b *builder, s *Schema, m Member) {
		plain := "minimum"
		side := &b.older.exclusiveMin
		if m.Name == "exclusiveMaximum" {
			plain, side = "maximum", &b.older.exclusiveMax
		}
		switch {
		case b.level == level4 && m.Value.Kind == Bool:
			*side = m.Value.Bool
		case b.level == level4:
			b.wrong(m, "true or false in draft-04")
		case m.Value.Kind == Bool:
			hint := "remove it"
			if m.Value.Bool {
				hint = fmt.Sprintf("move the number from %s here", plain)
			}
			b.ignore(m)
			b.list.Errorf(m.Value.Pos, "other-dialect", "%s must be a number, not %s, the form of draft-04", m.Name, m.Value.Describe()).SetHint(hint)
		default:
			*field(s) = b.number(m)
		}
	}
}

// dependencies reads the older form of dependentRequired and dependentSchemas.
func dependencies(b *builder, s *Schema, m Member) {
	at := join(s.Pointer, m.Name)
	for _, p := range m.Value.Members {
		if p.Value.Kind == Array {
			s.DependentRequired = append(s.DependentRequired, Dependent{
				Name: Name{Text: p.Name, Pos: p.Pos}, Required: b.names(quoted(p)),
			})
			continue
		}
		if sub := b.schema(p.Value, join(at, p.Name)); sub != nil {
			s.DependentSchemas = append(s.DependentSchemas, Property{Name: p.Name, Pos: p.Pos, Schema: sub})
		}
	}
}

// translate finishes s in the terms of 2020-12.
func (b *builder) translate(s *Schema) {
	o := b.older
	s.ContainsCounts = s.Contains != nil && b.level < level2020
	if o.tuple {
		s.Items = o.additionalItems
	}
	if o.exclusiveMin && s.Minimum != nil {
		s.ExclusiveMinimum, s.Minimum = s.Minimum, nil
	}
	if o.exclusiveMax && s.Maximum != nil {
		s.ExclusiveMaximum, s.Maximum = s.Maximum, nil
	}
	if o.second != nil {
		s.At["allOf"] = o.second.Pos
		s.AllOf = append(s.AllOf, &Schema{
			Pos: s.Pos, Doc: s.Doc, Pointer: join(s.Pointer, o.second.Name), Ref: o.secondRef,
			At: map[string]finding.Pos{o.second.Name: o.second.Pos},
		})
	}
	if o.nullable != nil && o.nullable.Value.Bool {
		b.nullable(s, o.nullable)
	}
}

// nullable reads OpenAPI 3.0's nullable. With type it adds null to the types. Otherwise
// OpenAPI gives it no meaning; with a combination or a reference it is read as its
// author meant it: a further branch for null.
func (b *builder) nullable(s *Schema, m *Member) {
	switch {
	case len(s.Types) > 0:
		if slices.Contains(s.Types, "null") {
			return
		}
		s.Types = append(s.Types, "null")
		b.nullableValues(s, m)
	case s.Enum != nil || s.Const != nil:
		b.nullableValues(s, m)
	case s.Ref != nil || len(s.AllOf) > 0 || len(s.AnyOf)+len(s.OneOf) > 0 && !slices.ContainsFunc(slices.Concat(s.AnyOf, s.OneOf), isNull):
		b.list.Warnf(m.Pos, "nullable-without-type",
			"%s has no type beside it, so it has no meaning in OpenAPI; it is taken to mean that null is valid", m.Name).
			SetHint(`use anyOf with {type: "null"} as one branch`)
		orNull(s, m)
	}
}

// nullableValues reports a nullable that contradicts the enum.
func (b *builder) nullableValues(s *Schema, m *Member) {
	switch {
	case s.Const != nil && s.Const.Kind != Null:
		b.list.Warnf(m.Pos, "nullable-enum", "%s has no effect: const is not null", m.Name).SetHint("use an enum of the value and null")
	case s.Const == nil && len(s.Enum) > 0 && !slices.ContainsFunc(s.Enum, func(v *Value) bool { return v.Kind == Null }):
		b.list.Warnf(m.Pos, "nullable-enum", "%s has no effect: enum does not list null", m.Name).SetHint("add null to enum")
	}
}

// orNull makes s the union of itself and null.
func orNull(s *Schema, m *Member) {
	inner := *s
	inner.ID, inner.Anchor, inner.DynamicAnchor, inner.Outbox, inner.Defs = "", "", "", nil, nil
	inner.At = map[string]finding.Pos{}
	outer := Schema{
		Pos: s.Pos, Doc: s.Doc, Pointer: s.Pointer, ID: s.ID, Anchor: s.Anchor, DynamicAnchor: s.DynamicAnchor,
		Title: s.Title, Description: s.Description, Deprecated: s.Deprecated, ReadOnly: s.ReadOnly, WriteOnly: s.WriteOnly,
		Default: s.Default, Examples: s.Examples, Defs: s.Defs, Outbox: s.Outbox,
		At: map[string]finding.Pos{"anyOf": m.Pos},
	}
	inner.Description, inner.Default, inner.Examples = "", nil, nil
	for name, pos := range s.At {
		switch {
		case name == "title":
			outer.At[name], inner.At[name] = pos, pos // a type made from it still has its name
		case name == m.Name:
		case besideRef(name) && name != "$ref" && name != "$dynamicRef" && name != "$recursiveRef" && name != "discriminator":
			outer.At[name] = pos
		default:
			inner.At[name] = pos
		}
	}
	null := &Schema{Pos: m.Pos, Doc: s.Doc, Pointer: s.Pointer, Types: []string{"null"}, At: map[string]finding.Pos{"type": m.Pos}}
	outer.AnyOf = []*Schema{&inner, null}
	*s = outer
}
