// Package indexes follows the unique indexes and constraints of tables through a
// service's migrations: what is created, renamed and dropped. It reads only the text,
// and skips what it does not know.
package indexes

import (
	"cmp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/script"
	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// Expression stands for an expression among the columns of a key.
const Expression = "expr"

// Index is a unique index, or the constraint that it serves.
type Index struct {
	Name       string
	Constraint bool
	Columns    []string // of its key, with Expression for what is no column
	// Partial means that it has only some of the rows, by a WHERE. Deferrable means that
	// it may be checked later than the statement. ON CONFLICT can use neither.
	Partial, Deferrable bool
	// File is the index of the file that creates it. Offset is the position in that
	// file of its name or, if it has none, of what makes it unique.
	File, Offset int

	table table
	uses  []string // every name in its definition, including columns in a WHERE
}

// table is a table by its schema and name.
type table struct{ schema, name string }

// Unique returns the unique indexes and constraints that exist after all files, on the
// table with that name in that schema, in the order of their creation. A name without a
// schema means that schema. The primary key is included, unless it is one of the
// columns in besides. An index with one of these columns in its key is left out,
// because it can hardly refuse a row.
func Unique(files script.Files, schema, name string, besides ...string) []Index {
	t := tracker{schema: schema}
	for i := range files.Count {
		for _, s := range script.Statements(files, i) {
			if t.file = s.File; len(s.Tokens) > 1 {
				t.statement(newCursor(s.Tokens, files.Text(s.File), 0))
			}
		}
	}
	return slices.DeleteFunc(t.indexes, func(x Index) bool {
		return x.table != table{schema, name} || slices.ContainsFunc(besides, func(column string) bool { return slices.Contains(x.Columns, column) })
	})
}

// tracker is the state after the statements read so far.
type tracker struct {
	schema  string
	file    int
	indexes []Index
}

func (t *tracker) statement(c *cursor) {
	switch {
	case c.Take("create"):
		t.create(c)
	case c.Take("alter", "table"):
		t.alterTable(c)
	case c.Take("alter", "index"):
		c.Take("if", "exists")
		_, name, ok := c.name()
		if ok && c.Take("rename", "to") {
			if _, to, ok := c.name(); ok {
				t.rename(name, to)
			}
		}
	case c.Take("drop", "index"):
		c.Take("concurrently")
		c.Take("if", "exists")
		t.eachName(c, func(schema, name string) {
			t.drop(func(x Index) bool { return x.Name == name && (schema == "" || schema == x.table.schema) })
		})
	case c.Take("drop", "table"):
		c.Take("if", "exists")
		t.eachName(c, func(schema, name string) {
			gone := t.table(schema, name)
			t.drop(func(x Index) bool { return x.table == gone })
		})
	case c.Take("do"):
		t.block(c)
	}
}

// block follows the body of a DO: it may not run, but usually it runs once.
func (t *tracker) block(c *cursor) {
	for _, token := range c.Rest() {
		if token.Kind != sqltext.Dollar {
			continue
		}
		body := c.sql[token.Start:token.End]
		open := strings.IndexByte(string(body[1:]), '$') + 2
		body = body[open : len(body)-min(open, len(body)-open)]
		for _, s := range sqltext.Split(body) {
			for i, word := range s.Tokens { // behind BEGIN, THEN and the like
				if word.Is("create") || word.Is("alter") || word.Is("drop") {
					t.statement(newCursor(s.Tokens[i:], body, c.offset+token.Start+open))
					break
				}
			}
		}
	}
}

func (t *tracker) create(c *cursor) {
	if c.Take("unique", "index") {
		t.createIndex(c)
		return
	}
	if c.Take("schema") {
		t.createSchema(c)
		return
	}
	c.Take("unlogged")
	if !c.Take("table") { // a temporary one is another table
		return
	}
	c.Take("if", "not", "exists")
	schema, name, ok := c.name()
	if !ok || !c.Take("(") {
		return
	}
	for _, element := range c.list() {
		t.element(element, t.table(schema, name))
	}
}

// createSchema follows what CREATE SCHEMA creates in the new schema.
func (t *tracker) createSchema(c *cursor) {
	c.Take("if", "not", "exists")
	c.Take("authorization")
	_, name, ok := c.name()
	if !ok {
		return
	}
	outer := t.schema
	t.schema = name
	for _, element := range c.elements() {
		if element.Take("create") {
			t.create(element)
		}
	}
	t.schema = outer
}

func (t *tracker) createIndex(c *cursor) {
	x := Index{File: t.file, Offset: c.before()}
	c.Take("concurrently")
	ifNotExists := c.Take("if", "not", "exists")
	if !c.Is("on") {
		x.Offset = c.here()
		_, name, ok := c.name()
		if !ok {
			return
		}
		x.Name = name
	}
	if !c.Take("on") {
		return
	}
	c.Take("only")
	schema, name, ok := c.name()
	if !ok {
		return
	}
	x.table = t.table(schema, name)
	if c.Take("using") {
		c.Next()
	}
	rest := c.Rest()
	var parts []string
	if x.Columns, parts, ok = c.key(); !ok {
		return
	}
	x.Partial = slices.ContainsFunc(c.Rest(), func(t sqltext.Token) bool { return t.Is("where") })
	x.uses = names(rest)
	if x.Name == "" {
		x.Name = t.unused(name, parts, "idx")
	}
	if ifNotExists && slices.ContainsFunc(t.indexes, func(other Index) bool { return other.Name == x.Name && other.table.schema == x.table.schema }) {
		return
	}
	t.indexes = append(t.indexes, x)
}

// element reads a column or a constraint of a table.
func (t *tracker) element(c *cursor, of table) {
	x := Index{Constraint: true, File: t.file, table: of, Offset: -1}
	column := ""
	if first := c.Peek(); first.Kind == sqltext.Quoted || !isConstraint(first.Text) {
		column = c.Next().Text
	}
	for !c.Done() {
		switch {
		case c.Take("constraint"):
			x.Offset = c.here()
			x.Name = c.Next().Text
		case c.Is("unique"), c.Is("primary"):
			t.constraint(c, x, column)
			x.Name, x.Offset = "", -1
		case c.Take("("): // of a type, a default or a check
			c.list()
		default:
			c.Next()
		}
	}
}

// isConstraint reports whether an element of a table that begins with this word is not
// a column.
func isConstraint(word string) bool {
	return slices.Contains([]string{"constraint", "unique", "primary", "check", "foreign", "exclude", "like"}, word)
}

// constraint reads UNIQUE or PRIMARY KEY, of a column or of those that it lists.
func (t *tracker) constraint(c *cursor, x Index, column string) {
	label := "key"
	if x.Offset < 0 {
		x.Offset = c.here()
	}
	primary := c.Take("primary", "key")
	if primary {
		label = "pkey"
	} else {
		c.Next()
	}
	_ = c.Take("nulls", "distinct") || c.Take("nulls", "not", "distinct")
	if column == "" && c.Take("using", "index") { // that of a column may say USING INDEX TABLESPACE
		index := c.Next().Text
		x.Deferrable = c.deferrable()
		t.promote(index, x)
		return
	}
	parts := []string{column}
	x.Columns = parts
	if column == "" {
		var ok bool
		if x.Columns, parts, ok = c.key(); !ok {
			return
		}
	}
	x.uses = parts
	x.Deferrable = c.deferrable()
	if x.Name == "" {
		if primary {
			parts = nil
		}
		x.Name = t.unused(x.table.name, parts, label)
	}
	t.indexes = append(t.indexes, x)
}

// promote makes an index a constraint, which gives it the constraint's name.
func (t *tracker) promote(index string, x Index) {
	for i := range t.indexes {
		if t.indexes[i].Name == index {
			t.indexes[i].Constraint, t.indexes[i].Deferrable = true, x.Deferrable
			if x.Name != "" {
				t.indexes[i].Name = x.Name
			}
		}
	}
}

func (t *tracker) alterTable(c *cursor) {
	c.Take("if", "exists")
	c.Take("only")
	schema, name, ok := c.name()
	if !ok {
		return
	}
	c.Take("*")
	of := t.table(schema, name)
	actions := c.list()
	// Postgres drops first.
	slices.SortStableFunc(actions, func(a, b *cursor) int { return cmp.Compare(later(a), later(b)) })
	for _, action := range actions {
		t.action(action, of)
	}
}

// later is 0 for an action that drops something, and 1 for others.
func later(action *cursor) int {
	if action.Is("drop") {
		return 0
	}
	return 1
}

func (t *tracker) action(c *cursor, of table) {
	switch {
	case c.Take("add"):
		if c.Take("column") {
			c.Take("if", "not", "exists")
		}
		c.Take("if", "not", "exists")
		t.element(c, of)
	case c.Take("drop", "constraint"):
		c.Take("if", "exists")
		name := c.Next().Text
		t.drop(func(x Index) bool { return x.table == of && x.Name == name })
	case c.Take("drop"):
		c.Take("column")
		c.Take("if", "exists")
		column := c.Next().Text
		t.drop(func(x Index) bool { return x.table == of && slices.Contains(x.uses, column) })
	case c.Take("rename", "constraint"):
		from := c.Next().Text
		if c.Take("to") {
			t.rename(from, c.Next().Text)
		}
	case c.Take("rename", "to"):
		t.move(of, table{of.schema, c.Next().Text})
	case c.Take("rename"):
		c.Take("column")
		from := c.Next().Text
		if c.Take("to") {
			t.renameColumn(of, from, c.Next().Text)
		}
	case c.Take("set", "schema"):
		t.move(of, table{c.Next().Text, of.name})
	}
}

func (t *tracker) table(schema, name string) table {
	if schema == "" {
		schema = t.schema
	}
	return table{schema, name}
}

func (t *tracker) drop(gone func(x Index) bool) { t.indexes = slices.DeleteFunc(t.indexes, gone) }

func (t *tracker) rename(from, to string) {
	for i := range t.indexes {
		if t.indexes[i].Name == from {
			t.indexes[i].Name = to
		}
	}
}

func (t *tracker) move(from, to table) {
	for i := range t.indexes {
		if t.indexes[i].table == from {
			t.indexes[i].table = to
		}
	}
}

func (t *tracker) renameColumn(of table, from, to string) {
	for i := range t.indexes {
		if x := &t.indexes[i]; x.table == of {
			x.Columns, x.uses = replaced(x.Columns, from, to), replaced(x.uses, from, to)
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

func (t *tracker) eachName(c *cursor, do func(schema, name string)) {
	for {
		schema, name, ok := c.name()
		if !ok {
			return
		}
		do(schema, name)
		if !c.Take(",") {
			return
		}
	}
}

// unused returns the name that Postgres gives to an unnamed index.
func (t *tracker) unused(table string, columns []string, label string) string {
	for n := 0; ; n++ {
		name := made(table, strings.Join(columns, "_"), label, n)
		if !slices.ContainsFunc(t.indexes, func(x Index) bool { return x.Name == name }) {
			return name
		}
	}
}
