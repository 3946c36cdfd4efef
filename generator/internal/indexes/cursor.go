package indexes

import (
	"slices"
	"strconv"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// cursor reads the tokens of a statement, or of a part of one.
type cursor struct {
	tokens []sqltext.Token
	at     int
	sql    []byte // the text that the tokens are of
	offset int    // of that text in the file
}

func (c *cursor) done() bool { return c.at >= len(c.tokens) }

// peek is the next token; one of no text at the end.
func (c *cursor) peek() sqltext.Token {
	if c.done() {
		return sqltext.Token{Kind: sqltext.Sign}
	}
	return c.tokens[c.at]
}

func (c *cursor) next() sqltext.Token {
	t := c.peek()
	c.at++
	return t
}

func (c *cursor) is(word string) bool { return c.peek().Is(word) }

// take goes over these words if they come next.
func (c *cursor) take(words ...string) bool {
	for i, word := range words {
		if c.at+i >= len(c.tokens) || !c.tokens[c.at+i].Is(word) {
			return false
		}
	}
	c.at += len(words)
	return true
}

// here is where the next token stands in the file, before where the last one
// does.
func (c *cursor) here() int { return c.offset + c.peek().Start }

func (c *cursor) before() int { return c.offset + c.tokens[max(c.at-1, 0)].Start }

// rest is the tokens that are left.
func (c *cursor) rest() []sqltext.Token { return c.tokens[min(c.at, len(c.tokens)):] }

// name reads a name that may have a schema, or a database and a schema, before it.
func (c *cursor) name() (schema, name string, ok bool) {
	for {
		t := c.peek()
		if t.Kind != sqltext.Word && t.Kind != sqltext.Quoted {
			return "", "", false
		}
		schema, name = name, t.Text
		c.next()
		if !c.take(".") {
			return schema, name, true
		}
	}
}

// list reads what commas separate, up to the parenthesis that closes, or to the
// end.
func (c *cursor) list() []*cursor {
	var items []*cursor
	depth, start := 0, c.at
	end := func(last int) {
		if last > start {
			items = append(items, &cursor{tokens: c.tokens[start:last], sql: c.sql, offset: c.offset})
		}
		start = c.at
	}
	for !c.done() {
		switch t := c.next(); {
		case t.Is("("), t.Is("["):
			depth++
		case depth == 0 && t.Is(")"):
			end(c.at - 1)
			return items
		case t.Is(")"), t.Is("]"):
			depth--
		case depth == 0 && t.Is(","):
			end(c.at - 1)
		}
	}
	end(c.at)
	return items
}

// key reads the columns of an index in parentheses, and those that it includes.
// Parts is what Postgres makes a name of.
func (c *cursor) key() (columns, parts []string, ok bool) {
	if !c.take("(") {
		return nil, nil, false
	}
	for _, element := range c.list() {
		_, name, ok := element.name()
		switch {
		case !ok:
			columns, parts = append(columns, Expression), append(parts, Expression)
		case element.is("("): // a call
			columns, parts = append(columns, Expression), append(parts, name)
		default:
			columns, parts = append(columns, name), append(parts, name)
		}
	}
	if c.take("include", "(") {
		for _, element := range c.list() {
			parts = append(parts, element.next().Text)
		}
	}
	return columns, numbered(parts), true
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

// names is every word and quoted name among the tokens.
func names(tokens []sqltext.Token) []string {
	var all []string
	for _, t := range tokens {
		if t.Kind == sqltext.Word || t.Kind == sqltext.Quoted {
			all = append(all, t.Text)
		}
	}
	return all
}

// made is the name that Postgres makes of a table, its columns and a label, cut to
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
