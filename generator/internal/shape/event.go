package shape

import (
	"cmp"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// event builds the data of an event, with its description.
func (b *builder) event(e *schema.Event) *ir.Named {
	n := b.eventData(e)
	n.Doc = cmp.Or(n.Doc, e.Description)
	return n
}

// eventData builds the data of an event: the struct of an object or a tuple, or a struct
// that holds another value.
func (b *builder) eventData(e *schema.Event) *ir.Named {
	if e.Schema.Resolved() == nil {
		return &ir.Named{Name: e.GoName, Schema: e.Schema}
	}
	ref, override := b.follow(e.Schema, nil)
	node := b.graph.Node(e.Schema)
	form, nullable := node.Settled()
	if override != nil || !isStruct(form, nullable) || node.Never() != nil {
		return b.holder(e, node, ref, override)
	}
	b.report(node.Form())
	b.report(form)
	if nullable {
		b.list.Warnf(e.Schema.Pos, "event-may-be-null",
			"the schema allows null, which is not an event: the Go type of %s is that of the object, and null is rejected", e.GoName).
			SetHint("remove null from the schema")
	}
	b.warnImplied(form)
	if n := b.named[form.Node]; n != nil && b.claimOf[n] != nil && b.claimOf[n].Fixed == "" {
		b.claimOf[n].BeData(e) // a definition that is also part of another event
		return n
	}
	n := &ir.Named{Schema: form.Node.Primary()}
	b.begin(n, form)
	c := b.scheme.Data(n, e)
	b.claimOf[n] = c
	b.claims = append(b.claims, c)
	b.fillStruct(n, form)
	return n
}

// isStruct reports whether event data of a form is the struct of an object or a
// tuple.
func isStruct(f *normal.Form, nullable bool) bool {
	if f.Union != nil || f.Listed {
		return false
	}
	kinds := f.Kinds &^ normal.Null
	return kinds == normal.Object || kinds == normal.Array && !nullable && len(f.Array().Positions) > 0
}

// holder builds the struct for event data that is not a struct: it holds the value. A
// union that is kept raw is a struct already, and becomes the event data.
func (b *builder) holder(e *schema.Event, node *normal.Node, ref *schema.Schema, t *ir.Type) *ir.Named {
	s := node.Primary()
	n := &ir.Named{Schema: e.Schema, Doc: e.Schema.Description, Deprecated: e.Schema.Deprecated}
	at := naming.Context{Parent: n, Property: "value", Data: s == e.Schema, Ref: ref}
	if s != nil && n.Doc == "" {
		n.Doc, n.Deprecated = s.Description, n.Deprecated || s.Deprecated
	}
	if isDefinition(e) {
		at.Ref, at.Data = e.Schema, false
	}
	before := len(b.claims)
	if t == nil {
		t = b.ofNode(node, at)
	}
	held := t.Named
	own := b.claimOf[held]
	if held != nil && own != nil && own.Fixed == "" && held.Schema == s && s == e.Schema {
		if held.Union != nil && held.Union.Raw && !t.Nullable {
			own.BeData(e)
			return held
		}
		if !isDefinition(e) {
			own.BeValue(n)
			held.Doc, held.Deprecated = "", false // the event has them
			held.Parent, held.Role = n, "the value"
			for _, c := range b.claims {
				if c != own {
					c.Move(held, n)
				}
			}
		}
	}
	n.Holds = t
	c := b.scheme.Data(n, e)
	b.claimOf[n] = c
	b.claims = append(b.claims[:before:before], append([]*naming.Claim{c}, b.claims[before:]...)...)
	return n
}

// isDefinition reports whether event data is a definition inside a file, which has its
// own name.
func isDefinition(e *schema.Event) bool { return e.Schema.Pointer != "" && e.Within == nil }
