package normal

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// ArrayForm is what holds for arrays.
type ArrayForm struct {
	// Positions is the first items, if a schema says what each is.
	Positions []Position
	// Rest is what holds for the items behind them; nil: anything.
	Rest *Node
	// RestSchemas is Rest as it is written.
	RestSchemas []*schema.Schema
	// Closed says that there are no such items. ClosedBy is the schema false, or
	// what else allows none.
	Closed   bool
	ClosedBy *schema.Schema

	MinItems, MaxItems *Limit
	UniqueItems        bool
	UniqueOf           *schema.Schema
}

// Position is what holds for the item at a position.
type Position struct {
	Node    *Node
	Schemas []*schema.Schema // as they are written; more than one if several say it
	Schema  *schema.Schema   // the first of them, nil if there are none
	Never   bool             // no value is valid, so that arrays end before it
}

// arrayForm works out what holds for arrays.
func (n *Node) arrayForm(f *Form) *ArrayForm {
	r := &ArrayForm{}
	longest := 0
	for _, a := range f.Atoms {
		longest = max(longest, len(a.PrefixItems))
		r.MinItems = tighter(r.MinItems, a.MinItems, a, true)
		r.MaxItems = tighter(r.MaxItems, a.MaxItems, a, false)
		if a.UniqueItems && !r.UniqueItems {
			r.UniqueItems, r.UniqueOf = true, a
		}
	}
	for i := range longest {
		schemas := f.itemSchemas(i)
		p := Position{Node: n.graph.Node(schemas...), Schemas: schemas}
		if len(schemas) > 0 {
			p.Schema = schemas[0]
		}
		p.Never = impossible(p.Node, maxDepth-1)
		r.Positions = append(r.Positions, p)
	}
	if rest := f.itemSchemas(longest); len(rest) > 0 {
		r.Rest, r.RestSchemas = n.graph.Node(rest...), rest
		if r.Closed = impossible(r.Rest, maxDepth-1); r.Closed {
			r.ClosedBy = rest[0]
		}
	}
	return r
}

// itemSchemas returns what the schemas of a form say of the item at a position.
func (f *Form) itemSchemas(i int) []*schema.Schema {
	var all []*schema.Schema
	add := func(s *schema.Schema) {
		if s != nil && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	for _, a := range f.Atoms {
		if i < len(a.PrefixItems) {
			add(a.PrefixItems[i])
		} else {
			add(a.Items)
		}
		if a.UnevaluatedItems == nil || f.dynamicItems(a) {
			continue
		}
		if below := f.Node.belowOf(a); !slices.ContainsFunc(below, func(s *schema.Schema) bool {
			return i < len(s.PrefixItems) || s.Items != nil || s != a && s.UnevaluatedItems != nil
		}) {
			add(a.UnevaluatedItems)
		}
	}
	return all
}

// dynamicItems reports whether it depends on the value which items the schemas
// below a evaluate.
func (f *Form) dynamicItems(a *schema.Schema) bool {
	return slices.ContainsFunc(f.Node.belowOf(a), func(s *schema.Schema) bool {
		return f.Node.conditional(s) || s.Contains != nil && !s.ContainsCounts
	})
}
