package history

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// Sequences and indexes share their names with tables, and ALTER TABLE renames them too.
// So a statement with the name of the table may be about one of them.

// createOther follows CREATE SEQUENCE, without what is before the name.
func (f *follower) createOther(n sqltext.Name) {
	r := relation{f.schemaOf(n), n.Name}
	if !slices.Contains(f.others, r) {
		f.others = append(f.others, r)
	}
}

// other returns the sequence or index that a name means; nil if there is none.
func (f *follower) other(n sqltext.Name) *relation {
	for i := range f.others {
		if r := &f.others[i]; r.name == n.Name && (n.AnySchema || n.Schema == r.schema || n.Schema == "" && slices.Contains(f.path, r.schema)) {
			return r
		}
	}
	return nil
}

// alterOther follows a new name of a sequence or an index, or another schema of a
// sequence. It returns false if there is none of that name.
func (f *follower) alterOther(n sqltext.Name, ifExists bool, c *sqltext.Cursor) bool {
	if x := f.indexNamed(n); x != nil && !(ifExists && n.Schema == "" && !n.AnySchema && !f.inPath(x.in())) {
		if c.Take("rename", "to") {
			if to, ok := c.Name(); ok {
				x.Name = to.Name
			}
			if x.table != nil {
				x.table.plain = x.table.plain && !f.doubtful()
			}
		}
		return true
	}
	r := f.other(n)
	if r == nil {
		return false
	}
	r.alter(c)
	return true
}

// alter follows a new name or another schema, if one is next.
func (r *relation) alter(c *sqltext.Cursor) {
	switch {
	case c.Take("rename", "to"):
		if to, ok := c.Name(); ok {
			r.name = to.Name
		}
	case c.Take("set", "schema"):
		if to, ok := c.Name(); ok {
			r.schema = to.Name
		}
	}
}

// dropOther follows DROP SEQUENCE.
func (f *follower) dropOther(n sqltext.Name) {
	if r := f.other(n); r != nil {
		gone := *r
		f.others = slices.DeleteFunc(f.others, func(r relation) bool { return r == gone })
	}
}
