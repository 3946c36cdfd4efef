package sqlc

import (
	"regexp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/history"
)

// warnOfUnique reports the unique indexes of the outbox other than its primary key.
func (r *run) warnOfUnique() {
	for _, x := range r.keys {
		if slices.Contains(x.Columns, "id") || slices.Contains(x.Columns, "seq") {
			continue // it can hardly refuse a row
		}
		if !r.hasAll(x.Columns) {
			continue // a column may have been renamed where package history does not look
		}
		kind, drop := "index", "DROP INDEX "+identifier(r.opts.Schema, x.Name)
		if x.Constraint {
			kind, drop = "constraint", "ALTER TABLE "+identifier(r.opts.Schema, table)+" DROP CONSTRAINT "+identifier("", x.Name)
		}
		r.list.Warnf(r.pos(x.Place), "unique-index",
			"the unique %s %s of %s makes an insert fail with SQLSTATE 23505 while an earlier row has the same (%s); "+
				"if that row is dead-lettered, every later business transaction that inserts these values fails", kind, finding.Quote(x.Name), table, keyText(x.Columns)).
			SetHint("add a migration with " + drop + "; to insert an event at most once, give it an id made with outbox.DeterministicID")
	}
}

// hasAll reports whether the table has all columns of a key, as far as they are known.
func (r *run) hasAll(key []string) bool {
	for _, name := range key {
		if name != history.Expression && r.table.Columns != nil && !slices.ContainsFunc(r.table.Columns, func(c history.Column) bool { return c.Name == name }) {
			return false
		}
	}
	return true
}

// keyText returns the columns of a key in a sentence.
func keyText(columns []string) string {
	var all []string
	for _, column := range columns {
		if column == history.Expression {
			column = "an expression"
		}
		all = append(all, column)
	}
	return strings.Join(all, ", ")
}

// plain matches a name that needs no quotes, unless it is a key word, which no tool
// uses for an index or a schema.
var plain = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// identifier returns a name for a statement, with its schema unless that is public.
func identifier(schema, name string) string {
	if !plain.MatchString(name) {
		name = quote(name)
	}
	switch {
	case isDefault(schema):
		return name
	case plain.MatchString(schema):
		return schema + "." + name
	}
	return quote(schema) + "." + name
}
