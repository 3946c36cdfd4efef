package ir

import (
	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// eventUnion makes the data of an event that is one of several objects, nil for
// any other: a struct that holds the union, which is an interface and so cannot
// have the methods of event data itself; or the union where it is kept raw.
func (b *builder) eventUnion(e *schema.Event) *Named {
	s := e.Schema.Resolved()
	for s != nil && sole(s) != nil && b.override(s) == nil {
		s = sole(s).Resolved()
	}
	if s == nil {
		return nil
	}
	holder := &Named{Schema: e.Schema, Doc: s.Description, Deprecated: s.Deprecated}
	where := context{parent: holder, property: "value", data: s == e.Schema}
	if s != e.Schema {
		where.ref = s
		holder.Doc = first(e.Schema.Description, s.Description)
	}
	before := len(b.order)
	t := b.union(s, where)
	if t == nil || t.Named == nil || t.Named.Union == nil {
		return nil
	}
	union := t.Named
	if t.Nullable {
		b.list.Add(diag.Finding{
			Pos: at(s, union.Union.Keyword), ID: "event-not-object",
			Message: "the data of event " + e.GoName + " may be null",
			Hint:    "leave null out of the branches",
		})
	}
	for _, branch := range union.Union.Branches {
		if branch.JSON != "object" {
			b.list.Add(diag.Finding{
				Pos: branch.from.Pos, ID: "event-not-object",
				Message: "this branch of the data of event " + e.GoName + " is not an object",
				Hint:    "give the branch type: object",
			})
		}
	}
	r := &request{named: holder, fixed: e.GoName, wanted: []string{e.GoName}, version: e.Version}
	own := b.requestOf(union)
	if union.Schema == e.Schema && own.fixed == "" {
		if union.Union.Raw {
			own.fixed, own.wanted, own.parent = e.GoName, []string{e.GoName}, nil
			return union
		}
		own.wanted, own.full, own.parent = []string{"Value"}, "", holder
		union.Doc, union.Deprecated = "", false // the event has them
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
	}
	holder.Holds = &Type{Kind: t.Kind, Named: union}
	b.order = append(b.order[:before:before], append([]*request{r}, b.order[before:]...)...)
	return holder
}
