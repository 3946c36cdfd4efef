package history

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// Expression stands for an expression among the columns of a key.
const Expression = "expr"

// Key is a unique index of the table, or the constraint that it serves.
type Key struct {
	Name string
	// Constraint means that it serves a constraint, and Primary that this is the primary
	// key.
	Constraint, Primary bool
	Columns             []string // of its key, with Expression for what is no column
	// Partial means that it has only some of the rows, by a WHERE. Deferrable means that
	// it may be checked later than the statement. ON CONFLICT can use neither.
	Partial, Deferrable bool
	// Unsure means that ON CONFLICT may or may not be able to use it.
	Unsure bool
	// Place is that of its name or, if it has none, of what makes it unique.
	Place
}

// Of reports whether it is a key of that column alone.
func (k Key) Of(column string) bool {
	return len(k.Columns) > 0 && !slices.ContainsFunc(k.Columns, func(c string) bool { return c != column })
}

// index is an index under its current name.
type index struct {
	Key
	unique  bool
	table   *table // nil if the migrations do not create it
	schema  string // that it is in, if table is nil
	parts   []string
	include []string
	uses    []string // every name in its definition, including columns in a WHERE
	label   string   // at the end of the name that Postgres makes for it
	options string   // what else distinguishes it from an equal constraint
	of      string   // the name of the index that becomes this constraint
}

func (x *index) in() string {
	if x.table != nil {
		return x.table.schema
	}
	return x.schema
}

// keys returns the unique indexes of a table, in the order of their creation.
func (f *follower) keys(t *table) []Key {
	var all []Key
	for _, x := range f.indexes {
		if x.table == t && x.unique {
			all = append(all, x.Key)
		}
	}
	return all
}

// addIndexes adds the indexes that a CREATE TABLE, or one action of an ALTER TABLE, gives
// to a table. Of equal constraints, Postgres makes only one.
func (f *follower) addIndexes(t *table, added []*index) {
	slices.SortStableFunc(added, func(a, b *index) int { // the primary key is first
		rank := func(x *index) int {
			if x.Primary {
				return 0
			}
			return 1
		}
		return cmp.Compare(rank(a), rank(b))
	})
	for i, x := range added {
		if x.of == "" && x.Constraint {
			if first := last(added[:i], x.same); first != nil {
				first.Name = cmp.Or(first.Name, x.Name)
				x.table = nil
				continue
			}
		}
		x.table = t
	}
	for _, x := range added {
		switch {
		case x.table == nil:
			continue
		case x.of != "":
			x = f.promote(t, x)
		default:
			if x.Name == "" {
				x.Name = f.unusedName(t, x)
			}
			f.indexes = append(f.indexes, x)
		}
		if x != nil && x.Primary {
			for _, column := range x.Columns {
				t.mustNotBeNull(column, "")
			}
		}
	}
}

// same reports whether another constraint of the statement needs the same index.
func (x *index) same(other *index) bool {
	return x.Constraint && other.Constraint && x.of == "" && other.of == "" && x.Deferrable == other.Deferrable && x.options == other.options &&
		slices.Equal(x.Columns, other.Columns) && slices.Equal(x.include, other.include)
}

// promote makes an index of the table a constraint, which gives it the constraint's
// name. It returns nil if that index is not known.
func (f *follower) promote(t *table, to *index) *index {
	x := last(f.indexes, func(x *index) bool { return x.table == t && x.Name == to.of })
	if x == nil {
		t.plain = false
		return nil
	}
	x.Constraint, x.Primary, x.Deferrable = true, to.Primary, to.Deferrable
	x.Name = cmp.Or(to.Name, x.Name)
	return x
}

// indexNamed returns the index that a name currently means, or nil.
func (f *follower) indexNamed(n sqltext.Name) *index {
	f.dropStrayIndexes()
	in := func(fits func(x *index) bool) *index {
		return last(f.indexes, func(x *index) bool { return x.Name == n.Name && fits(x) })
	}
	ofTemporary := func(x *index) bool { return x.table != nil && x.table.temporary }
	inSchema := func(schema string) func(x *index) bool {
		return func(x *index) bool { return x.in() == schema && !ofTemporary(x) }
	}
	switch {
	case n.Schema == "pg_temp":
		return in(ofTemporary)
	case n.Schema != "":
		return in(inSchema(n.Schema))
	case n.AnySchema:
		if x := in(inSchema(f.want.schema)); x != nil {
			return x
		}
	default:
		if x := in(ofTemporary); x != nil {
			return x
		}
		for _, schema := range f.path {
			if x := in(inSchema(schema)); x != nil {
				return x
			}
			if f.taken(schema, n.Name) {
				return nil // by a table or a sequence
			}
		}
	}
	return only(f.indexes, func(x *index) bool { return x.Name == n.Name }) // the path may be set elsewhere
}

// dropIndex follows DROP INDEX of one index.
func (f *follower) dropIndex(n sqltext.Name, ifExists bool) {
	x := f.indexNamed(n)
	if x == nil || ifExists && n.Schema == "" && !n.AnySchema && !f.inPath(x.in()) {
		return
	}
	if x.table != nil {
		x.table.plain = x.table.plain && !f.doubtful()
	}
	f.indexes = slices.DeleteFunc(f.indexes, func(other *index) bool { return other == x })
}

// dropIndexes drops the indexes of a table that a part of it takes with it.
func (f *follower) dropIndexes(t *table, gone func(x *index) bool) {
	f.indexes = slices.DeleteFunc(f.indexes, func(x *index) bool { return x.table == t && gone(x) })
}

// renameKeyColumn follows a new name of a column.
func (f *follower) renameKeyColumn(t *table, from, to string) {
	for _, x := range f.indexes {
		if x.table == t {
			x.Columns, x.include, x.uses = replaced(x.Columns, from, to), replaced(x.include, from, to), replaced(x.uses, from, to)
		}
	}
}

func replaced(names []string, from, to string) []string {
	names = slices.Clone(names)
	for i, name := range names {
		if name == from {
			names[i] = to
		}
	}
	return names
}

// copyIndexes returns copies of the indexes of another table, as LIKE makes them.
func (f *follower) copyIndexes(from *table, at Place) []*index {
	var all []*index
	for _, x := range f.indexes {
		if x.table != from {
			continue
		}
		same := *x
		same.Name, same.Place = "", at
		switch {
		case same.Primary:
			same.label = "pkey"
		case same.Constraint:
			same.label = "key"
		}
		all = append(all, &same)
	}
	return all
}

// dropStrayIndexes drops the indexes of tables that are gone.
func (f *follower) dropStrayIndexes() {
	f.indexes = slices.DeleteFunc(f.indexes, func(x *index) bool { return x.table != nil && !slices.Contains(f.tables, x.table) })
}

// taken reports whether a schema has something with the name of an index.
func (f *follower) taken(schema, name string) bool {
	f.dropStrayIndexes()
	r := relation{schema, name}
	return slices.ContainsFunc(f.indexes, func(x *index) bool { return x.Name == name && x.in() == schema }) ||
		slices.ContainsFunc(f.tables, func(t *table) bool { return t.relation == r && !t.temporary }) || slices.Contains(f.others, r)
}

// unusedName returns the name that Postgres gives to an unnamed index.
func (f *follower) unusedName(t *table, x *index) string {
	parts := x.parts
	if x.Primary {
		parts = nil
	}
	for n := 0; ; n++ {
		name := made(t.name, strings.Join(numbered(parts), "_"), x.label, n)
		if !f.taken(t.schema, name) && !(x.Constraint && f.names(t.schema, name)) {
			return name
		}
	}
}

// names reports whether a constraint of a table in that schema has a name.
func (f *follower) names(schema, name string) bool {
	return slices.ContainsFunc(f.tables, func(t *table) bool { return t.schema == schema && slices.Contains(t.named, name) })
}

// numbered is names, with a number behind each that was there before.
func numbered(names []string) []string {
	var all []string
	for _, name := range names {
		own := name
		for n := 1; slices.Contains(all, own); n++ {
			own = name + strconv.Itoa(n)
		}
		all = append(all, own)
	}
	return all
}

// made returns the name that Postgres makes of a table, its columns and a label, cut to
// what a name may have; n is how often it was taken.
func made(table, columns, label string, n int) string {
	if n > 0 {
		label += strconv.Itoa(n)
	}
	const most = 63
	room := most - len(label) - 1
	if columns != "" {
		room--
	}
	for len(table)+len(columns) > room {
		if len(table) > len(columns) {
			table = table[:len(table)-1]
		} else {
			columns = columns[:len(columns)-1]
		}
	}
	if columns != "" {
		table += "_" + columns
	}
	return table + "_" + label
}

// addPending adds the keys that the current statement has for a table.
func (f *follower) addPending(t *table) {
	added := t.added
	t.added = nil
	f.addIndexes(t, added)
	copied := t.copied
	t.copied = nil
	for _, x := range copied {
		f.addIndexes(t, []*index{x})
	}
}
