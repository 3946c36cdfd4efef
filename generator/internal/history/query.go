package history

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// createView follows the part after CREATE VIEW.
func (f *follower) createView(c *sqltext.Cursor, temporary bool, start int) {
	if c.Take("if", "not", "exists") {
		rest := *c
		if n, ok := rest.Name(); ok && f.find(relation{f.schemaOf(n), n.Name}) != nil {
			return
		}
	}
	name, ok := c.Name()
	if !ok {
		return
	}
	old := f.find(relation{f.schemaOf(name), name.Name})
	if !f.isQuery(c, name, temporary, start) {
		return
	}
	view := f.tables[len(f.tables)-1]
	view.isView, view.plain = true, false
	if !temporary && old != nil && old.isView {
		f.tables = slices.DeleteFunc(f.tables, func(t *table) bool { return t == old })
	}
}

// isQuery reads the part after the name of a table or a view that is created from a
// query, and reports whether it is one.
func (f *follower) isQuery(c *sqltext.Cursor, name sqltext.Name, temporary bool, start int) bool {
	_, query, ok := cut(c.Rest(), "as")
	if !ok {
		return false
	}
	var names []string
	if c.Take("(") {
		for _, item := range c.Items() {
			names = append(names, sqltext.NewCursor(item).Peek().Text)
		}
	}
	f.createAs(name, names, temporary, start, query)
	return true
}

// createAs follows a statement that creates a table or a view from a query. names are
// those of its first columns; they replace the query's names.
func (f *follower) createAs(name sqltext.Name, names []string, temporary bool, start int, query []sqltext.Token) {
	t := f.newTable(name, temporary)
	t.ofQuery, t.plain = true, !f.doubtful()
	query = withoutOptions(query)
	pieces := append([]piece{literal("CREATE TABLE", start), {table: t, source: name.At}, literal("AS", name.At)}, f.queryPieces(t, query)...)
	f.add(t, pieces...)
	f.tables = append(f.tables, t)
	outputs, known := t.outputs(query)
	if !known || len(names) > len(outputs) {
		t.opaque = t.opaque || len(names) > 0
		return
	}
	a := action{follower: f, table: t, start: start, at: name.At}
	given := slices.Clone(outputs)
	for i, name := range names {
		given[i].name = name
	}
	for _, pass := range []func(i int) (from, to string){
		func(i int) (from, to string) { return outputs[i].name, "outboxgen " + given[i].name }, // two names may be swapped
		func(i int) (from, to string) { return "outboxgen " + given[i].name, given[i].name },
	} {
		for i := range given {
			if from, to := pass(i); given[i].name != outputs[i].name {
				a.keep([]piece{literal("RENAME "+quoted(from)+" TO "+quoted(to), name.At)})
			}
		}
	}
	for _, o := range given {
		t.gets(column{name: o.name, valued: valued{place: f.place(name.At), unsure: o.unsure}}, true)
	}
}

// output is a column of a query. It is unsure if its type may be a domain.
type output struct {
	name   string
	unsure bool
}

// output returns the column of a query that has the value of a column with that name.
func (t *table) output(name string) output {
	if len(t.needs) != 1 {
		return output{name, true}
	}
	own := t.needs[0].find(name)
	return output{name, own == nil || own.unsure || own.kind != nil && own.kind.made != ""}
}

// withoutOptions returns a query without the options that may follow it in CREATE TABLE
// or VIEW.
func withoutOptions(query []sqltext.Token) []sqltext.Token {
	last := len(query) - 1
	switch {
	case last > 1 && query[last].Is("data") && query[last-1].Is("with"):
		return query[:last-1]
	case last > 2 && query[last].Is("data") && query[last-1].Is("no"):
		return query[:last-2]
	case last > 2 && query[last].Is("option") && query[last-1].Is("check"):
		for i := last; i > last-4 && i > 0; i-- {
			if query[i].Is("with") {
				return query[:i]
			}
		}
	}
	return query
}

// queryPieces returns a query with the followed tables in it, which the new table
// needs.
func (f *follower) queryPieces(t *table, query []sqltext.Token) []piece {
	var pieces []piece
	for i := 0; i < len(query); i++ {
		c := sqltext.NewCursor(query[i:])
		if i == 0 || !query[i-1].Is(".") {
			if n, ok := c.Name(); ok && !c.Is("(") {
				if other := f.lookup(n); other != nil {
					t.needs = append(t.needs, other)
					t.opaque = t.opaque || other.opaque
					pieces = append(pieces, piece{table: other, source: n.At})
					i += len(query[i:]) - len(c.Rest()) - 1
					continue
				}
			}
		}
		next := f.verbatim(query[i : i+1])
		if i > 0 && query[i-1].End == query[i].Start && len(pieces) > 0 && pieces[len(pieces)-1].table == nil {
			next[0].glued = query[i-1].Kind != sqltext.Placeholder && query[i].Kind != sqltext.Placeholder
		}
		pieces = append(pieces, next...)
	}
	return pieces
}

// outputs returns the columns of a simple query for the table, if its text shows them:
// those of one table, and those that the query names.
func (t *table) outputs(query []sqltext.Token) (columns []output, ok bool) {
	c := sqltext.NewCursor(query)
	if c.Take("(") {
		items := c.Items()
		if len(items) == 0 || !c.Done() {
			return nil, false
		}
		return t.outputs(query[1 : len(query)-1])
	}
	all := func() ([]output, bool) {
		if len(t.needs) != 1 || t.needs[0].ofQuery && len(t.needs[0].columns) == 0 {
			return nil, false
		}
		var columns []output
		for _, c := range t.needs[0].columns {
			columns = append(columns, t.output(c.name))
		}
		return columns, true
	}
	if c.Take("table") {
		return all()
	}
	if !c.Take("select") || c.Take("distinct", "on") {
		return nil, false
	}
	_ = c.Take("all") || c.Take("distinct")
	targets := c.Rest()
	for _, end := range []string{"from", "where", "limit", "order", "union", "intersect", "except"} {
		targets, _, _ = cut(targets, end)
	}
	for _, item := range sqltext.NewCursor(targets).Items() {
		last := len(item) - 1
		switch {
		case last < 0:
			return nil, false
		case item[last].Is("*"):
			more, ok := all()
			if !ok {
				return nil, false
			}
			columns = append(columns, more...)
		case item[last].Kind != sqltext.Word && item[last].Kind != sqltext.Quoted:
			return nil, false
		case last == 0, last == 2 && item[1].Is("."):
			columns = append(columns, t.output(item[last].Text))
		case item[last-1].Is("."), item[last-1].Is("as"):
			columns = append(columns, output{item[last].Text, true})
		default:
			return nil, false
		}
	}
	return columns, true
}

// query follows a SELECT, or a statement that begins with WITH, that creates a table,
// sets the search_path, or calls a function.
func (f *follower) query(tokens []sqltext.Token) {
	if value, local, ok := (&block{follower: f}).setConfig(tokens); ok {
		f.setPath(strings.Split(value, ","), local)
		return
	}
	before, _, into := cut(tokens, "into")
	_, _, selects := cut(before, "select")
	switch {
	case into && selects:
		f.selectInto(tokens, len(before))
		return
	case into: // WITH … INSERT INTO or MERGE INTO
	default:
		f.look(tokens)
	}
	f.call(tokens)
}

// selectInto follows a query that creates a table, with INTO at an index.
func (f *follower) selectInto(tokens []sqltext.Token, at int) {
	c := sqltext.NewCursor(tokens[at+1:])
	temporary := false
	for c.Is("temp") || c.Is("temporary") || c.Is("unlogged") {
		temporary = c.Next().Text != "unlogged" || temporary
	}
	c.Take("table")
	if name, ok := c.Name(); ok {
		f.createAs(name, nil, temporary, tokens[0].Start, slices.Concat(tokens[:at], c.Rest()))
	}
}

// setConfig returns the value that SELECT set_config('search_path', …) sets, if it is
// known, and whether it is only for the transaction.
func (b *block) setConfig(tokens []sqltext.Token) (value string, local, ok bool) {
	for i, t := range tokens {
		c := sqltext.NewCursor(tokens[i:])
		if !t.Is("set_config") || !c.Take("set_config", "(") {
			continue
		}
		items := c.Items()
		if len(items) != 3 {
			continue
		}
		setting, known := b.constant(items[0])
		if !known || string(setting.text) != "search_path" {
			continue
		}
		to, known := b.constant(items[1])
		return string(to.text), len(items[2]) == 1 && items[2][0].Is("true"), known
	}
	return "", false, false
}
