package ir

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// event makes the data of an event: the struct of an object or a tuple, or a
// struct that holds any other value.
func (b *builder) event(e *schema.Event) *Named {
	if e.Schema.Resolved() == nil {
		return &Named{Name: e.GoName, Schema: e.Schema}
	}
	if n := b.eventUnion(e); n != nil {
		return n
	}
	s, kind, nullable := b.eventStruct(e.Schema)
	if s == nil {
		return b.eventValue(e)
	}
	if nullable {
		b.list.Add(diag.Finding{
			Pos: e.Schema.Pos, Severity: diag.Warning, ID: "event-may-be-null",
			Message: "the schema allows null, which is no event: the Go type of " + e.GoName + " is that of the object, and null is refused",
			Hint:    "leave null out of the schema",
		})
	}
	if n := b.named[s]; n != nil && b.requestOf(n).fixed == "" {
		// A definition that another event uses as a part is an event itself.
		r := b.requestOf(n)
		r.fixed, r.wanted = e.GoName, []string{e.GoName}
		return n
	}
	b.satisfiable(s, kind)
	n := &Named{Schema: s}
	b.named[s] = n
	b.order = append(b.order, &request{named: n, fixed: e.GoName, wanted: []string{e.GoName}, version: e.Version})
	if kind == "array" {
		b.fillTuple(n, s)
	} else {
		b.fill(n, s)
	}
	return n
}

// eventStruct is the schema whose struct is the event data itself, and its JSON
// type: that of an object, which may also be null, or of a tuple. It is nil for
// any other event data.
func (b *builder) eventStruct(s *schema.Schema) (_ *schema.Schema, kind string, nullable bool) {
	for {
		if b.override(s) != nil {
			return nil, "", false
		}
		if s = s.Resolved(); s == nil || b.override(s) != nil {
			return nil, "", false
		}
		if part := sole(s); part != nil {
			s = part
			continue
		}
		if len(b.optionsOf(s)) == 0 {
			break
		}
		inner, null := b.withoutNull(s)
		if nullable = nullable || null; inner == nil {
			return nil, "", false
		}
		if inner == s {
			break
		}
		s = inner
	}
	s = b.merge(s)
	if s.Bool != nil || s.Const != nil || len(s.Enum) > 0 {
		return nil, "", false
	}
	types := slices.DeleteFunc(slices.Clone(s.Types), func(t string) bool { return t == "null" })
	nullable = nullable || len(types) < len(s.Types)
	switch {
	case isObject(s), slices.Equal(types, []string{"object"}):
		return s, "object", nullable
	case len(s.Types) == 0:
		if guess, _ := guessed(s); guess == "object" || guess == "array" && len(s.PrefixItems) > 0 {
			b.kind(s) // which tells what it is taken for
			return s, guess, nullable
		}
	case slices.Equal(s.Types, []string{"array"}) && len(s.PrefixItems) > 0 && !nullable:
		return s, "array", false
	}
	return nil, "", false
}

// optionsOf is the unions of s that are no rules.
func (b *builder) optionsOf(s *schema.Schema) []union {
	return slices.DeleteFunc(unionsOf(s), func(u union) bool { return b.constraintOnly(s, u.branches) })
}

// eventUnion makes the data of an event that is one of several types, nil for
// any other: a struct that holds the union, which is an interface and so cannot
// have the methods of event data itself; or the union where it is kept raw.
func (b *builder) eventUnion(e *schema.Event) *Named {
	s := e.Schema.Resolved()
	for s != nil && sole(s) != nil && b.override(s) == nil {
		s = sole(s).Resolved()
	}
	if s == nil || b.override(e.Schema) != nil || b.override(s) != nil {
		return nil
	}
	holder, where := b.holder(e)
	if s != e.Schema {
		where.ref = s
		holder.Doc = first(e.Schema.Description, s.Description)
	}
	before := len(b.order)
	t := b.union(s, where)
	if t == nil {
		return nil
	}
	union := t.Named
	if union == nil || union.Union == nil || union.Schema != e.Schema || b.requestOf(union).fixed != "" {
		return b.hold(e, holder, t, before)
	}
	if union.Union.Raw && !t.Nullable {
		own := b.requestOf(union)
		own.fixed, own.wanted, own.parent = e.GoName, []string{e.GoName}, nil
		return union
	}
	if isDefinition(e.Schema) {
		return b.hold(e, holder, t, before)
	}
	for _, part := range b.order {
		if part.parent == union {
			part.parent = holder
		}
		if part.named.Parent == union {
			part.named.Parent = holder
		}
		if part.joins == union {
			part.joins = holder
		}
	}
	return b.hold(e, holder, t, before)
}

// eventValue makes the data of an event that is neither a struct nor one of
// several types.
func (b *builder) eventValue(e *schema.Event) *Named {
	holder, where := b.holder(e)
	before := len(b.order)
	return b.hold(e, holder, b.typeOf(e.Schema, where), before)
}

// holder begins the struct of event data that is no struct itself, and says
// where the value stands.
func (b *builder) holder(e *schema.Event) (*Named, context) {
	holder := &Named{Schema: e.Schema, Doc: e.Schema.Description, Deprecated: e.Schema.Deprecated}
	where := context{parent: holder, property: "value", data: true}
	if isDefinition(e.Schema) {
		where.ref, where.data = e.Schema, false
	}
	return holder, where
}

// hold ends the struct of event data that holds a value of type t. The requests
// from before on came with t.
func (b *builder) hold(e *schema.Event, holder *Named, t *Type, before int) *Named {
	if n := t.Named; n != nil && n.Schema == e.Schema && !isDefinition(e.Schema) && b.requestOf(n).fixed == "" {
		own := b.requestOf(n)
		own.wanted, own.full, own.parent = []string{"Value"}, "", holder
		n.Doc, n.Deprecated = "", false // the event has them
		n.Parent, n.Role = holder, "the value"
	}
	holder.Holds = t
	r := &request{named: holder, fixed: e.GoName, wanted: []string{e.GoName}, version: e.Version}
	b.order = append(b.order[:before:before], append([]*request{r}, b.order[before:]...)...)
	return holder
}

// isDefinition reports whether event data is a definition inside a file, which
// has a name of its own.
func isDefinition(s *schema.Schema) bool { return s.Pointer != "" }

// whole reports whether c is about event data itself, not its items or values.
func (c context) whole() bool { return c.data && c.part == "" }
