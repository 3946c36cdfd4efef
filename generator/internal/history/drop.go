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
		n, ok := sqltext.NewCursor(item).Name()
		if !ok {
			continue
		}
		switch what {
		case "table", "view":
			f.dropTable(n, tokens, ifExists, what)
		case "schema":
			delete(f.schemas, n.Name)
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
		case "sequence", "index":
			f.dropOther(n)
			if f.tolerant || n.Schema == "" && !slices.Contains(f.path, f.want.schema) {
				f.mayChangeAny()
			}
		case "extension":
			f.dropExtension(n.At, n.Name)
		case "function", "procedure", "routine":
			delete(f.functions, n.Name)
		}
	}
}

func (f *follower) dropTable(n sqltext.Name, tokens []sqltext.Token, ifExists bool, what string) {
	t := f.lookupIf(ifExists, n)
	f.isMisread(n, t)
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
