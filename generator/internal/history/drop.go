package history

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// drop follows DROP of tables and of objects that columns depend on.
func (f *follower) drop(c *sqltext.Cursor, tokens []sqltext.Token) {
	if !known(c.Peek(), droppable) {
		f.unknown(tokens)
		return
	}
	c.TakeAny("foreign", "materialized")
	what := c.Next().Text
	c.Take("concurrently")
	ifExists := c.Take("if", "exists") || f.tolerant
	for _, item := range c.Items() {
		of := sqltext.NewCursor(item)
		n, ok := of.Name()
		if what == "index" && hasPlaceholder(item) {
			f.mayChangeAny()
			continue
		}
		if !ok {
			continue
		}
		switch what {
		case "table", "view":
			f.dropTable(n, tokens, ifExists, what)
		case "schema":
			delete(f.schemas, n.Name)
			f.functions = slices.DeleteFunc(f.functions, func(fn *function) bool { return fn.schema == n.Name })
			f.remove(n, func(t *table) bool { return t.schema == n.Name })
			f.dropKinds(n.At, func(k *kind) bool { return k.schema == n.Name })
		case "type", "domain":
			if k := f.kindOf(n); k != nil {
				f.dropKinds(n.At, func(other *kind) bool { return other == k })
			}
			if t := f.lookup(n); t != nil && t.isType {
				family := t.family()
				f.remove(n, func(other *table) bool { return slices.Contains(family, other) })
			}
		case "index":
			f.dropIndex(n, ifExists)
		case "sequence":
			f.dropOther(n)
		case "extension":
			f.dropExtension(n.At, n.Name)
		case "function", "procedure", "routine":
			f.dropFunction(n, of)
		}
	}
}

func (f *follower) dropTable(n sqltext.Name, tokens []sqltext.Token, ifExists bool, what string) {
	t := f.lookupIf(ifExists, n)
	switch {
	case t != nil:
		family := t.family()
		f.remove(n, func(other *table) bool { return slices.Contains(family, other) })
	case f.wanted(n) && !ifExists && what == "table":
		f.add(nil, f.verbatim(tokens)...)
	}
}

// remove removes the tables that a DROP names, and the views that use them.
func (f *follower) remove(by sqltext.Name, gone func(t *table) bool) {
	var removed []*table
	for _, t := range f.tables {
		if gone(t) || t.isView && slices.ContainsFunc(t.needs, func(other *table) bool { return slices.Contains(removed, other) }) {
			removed = append(removed, t)
		}
	}
	f.tables = slices.DeleteFunc(f.tables, func(t *table) bool {
		if !slices.Contains(removed, t) {
			return false
		}
		if t.relation == f.want && !t.temporary && !t.isType {
			f.dropped = new(f.place(by.At))
		}
		return true
	})
}
