package indexes

import (
	"slices"
	"strconv"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// cursor reads the tokens of a statement, or of a part of one.
type cursor struct {
	*sqltext.Cursor
	sql    []byte // the text that the tokens are of
	offset int    // of that text in the file
}

func newCursor(tokens []sqltext.Token, sql []byte, offset int) *cursor {
	return &cursor{sqltext.NewCursor(tokens), sql, offset}
}

// here returns where the next token stands in the file, before where the last one
// does.
func (c *cursor) here() int { return c.offset + c.Peek().Start }

func (c *cursor) before() int { return c.offset + c.Last().Start }

// name reads a name that may have a schema, or a database and a schema, before it.
func (c *cursor) name() (schema, name string, ok bool) {
	n, ok := c.Name()
	return n.Schema, n.Name, ok
}

// list reads what commas separate, up to the parenthesis that closes, or to the
// end.
func (c *cursor) list() []*cursor {
	var items []*cursor
	for _, item := range c.Items() {
		if len(item) > 0 {
			items = append(items, newCursor(item, c.sql, c.offset))
		}
	}
	return items
}

// elements reads what follows in CREATE SCHEMA: statements that begin with CREATE or
// GRANT.
func (c *cursor) elements() []*cursor {
	rest := c.Rest()
	var all []*cursor
	end := len(rest)
	depth := 0
	for i, token := range slices.Backward(rest) {
		switch {
		case token.Is(")"):
			depth++
		case token.Is("("):
			depth--
		case depth == 0 && (token.Is("create") || token.Is("grant")):
			all = append(all, newCursor(rest[i:end], c.sql, c.offset))
			end = i
		}
	}
	slices.Reverse(all)
	return all
}

// key reads the columns of an index in parentheses, and those that it includes.
// Parts is what Postgres makes a name of. ok is false if the columns are unknown.
func (c *cursor) key() (columns, parts []string, ok bool) {
	if !c.Take("(") {
		return nil, nil, false
	}
	for _, element := range c.list() {
		_, name, ok := element.name()
		switch {
		case !ok && element.Peek().Kind == sqltext.Placeholder:
			return nil, nil, false
		case !ok:
			columns, parts = append(columns, Expression), append(parts, Expression)
		case element.Is("("): // a call
			columns, parts = append(columns, Expression), append(parts, name)
		default:
			columns, parts = append(columns, name), append(parts, name)
		}
	}
	if c.Take("include", "(") {
		for _, element := range c.list() {
			parts = append(parts, element.Next().Text)
		}
	}
	return columns, numbered(parts), true
}

// deferrable reads the options of a constraint behind its key, and reports whether they
// allow a later check.
func (c *cursor) deferrable() bool {
	deferrable := false
	for {
		switch {
		case c.Take("include"), c.Take("with"):
			c.Group()
		case c.Take("using", "index", "tablespace"):
			c.Next()
		case c.Take("deferrable"), c.Take("initially", "deferred"):
			deferrable = true
		case c.Take("not", "deferrable"), c.Take("initially", "immediate"):
		default:
			return deferrable
		}
	}
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

// names returns every word and quoted name among the tokens.
func names(tokens []sqltext.Token) []string {
	var all []string
	for _, t := range tokens {
		if t.Kind == sqltext.Word || t.Kind == sqltext.Quoted {
			all = append(all, t.Text)
		}
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
