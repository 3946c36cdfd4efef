package sqltext

import (
	"regexp"
	"strings"
)

// Cursor reads the tokens of a statement, or of a part of one, in order.
type Cursor struct {
	tokens []Token
	at     int
}

// NewCursor returns a cursor at the first of the tokens.
func NewCursor(tokens []Token) *Cursor { return &Cursor{tokens: tokens} }

// Done reports whether no token is left.
func (c *Cursor) Done() bool { return c.at >= len(c.tokens) }

// Peek returns the next token; one of no text at the end.
func (c *Cursor) Peek() Token {
	if c.Done() {
		return Token{Kind: Sign}
	}
	return c.tokens[c.at]
}

// Next returns the next token and moves past it.
func (c *Cursor) Next() Token {
	t := c.Peek()
	c.at++
	return t
}

// Last returns the token that the cursor is behind; one of no text at the beginning.
func (c *Cursor) Last() Token {
	if c.at == 0 || c.at > len(c.tokens) {
		return Token{Kind: Sign}
	}
	return c.tokens[c.at-1]
}

// Is reports whether the next token is this key word or sign.
func (c *Cursor) Is(word string) bool { return c.Peek().Is(word) }

// Take moves past these words if all of them are next.
func (c *Cursor) Take(words ...string) bool {
	for i, word := range words {
		if c.at+i >= len(c.tokens) || !c.tokens[c.at+i].Is(word) {
			return false
		}
	}
	c.at += len(words)
	return true
}

// TakeAny moves past all of these words that are next, and reports whether there was
// one.
func (c *Cursor) TakeAny(words ...string) bool {
	taken := false
	for again := true; again; {
		again = false
		for _, word := range words {
			if c.Take(word) {
				taken, again = true, true
			}
		}
	}
	return taken
}

// Group moves past parentheses and their content, if they are next.
func (c *Cursor) Group() {
	if c.Take("(") {
		c.Items()
	}
}

// Rest returns the tokens that are left.
func (c *Cursor) Rest() []Token { return c.tokens[min(c.at, len(c.tokens)):] }

// Items reads items separated by commas, up to and including the closing parenthesis,
// or to the end. An item may be empty; no tokens at all are no item.
func (c *Cursor) Items() [][]Token {
	var items [][]Token
	depth, start := 0, c.at
	for !c.Done() {
		switch t := c.Next(); {
		case t.Is("("), t.Is("["):
			depth++
		case depth == 0 && t.Is(")"):
			if last := c.at - 1; last > start || len(items) > 0 {
				items = append(items, c.tokens[start:last])
			}
			return items
		case t.Is(")"), t.Is("]"):
			depth--
		case depth == 0 && t.Is(","):
			items = append(items, c.tokens[start:c.at-1])
			start = c.at
		}
	}
	if c.at > start || len(items) > 0 {
		items = append(items, c.tokens[start:])
	}
	return items
}

// Name is the name of something in a schema.
type Name struct {
	Schema, Name string
	// AnySchema is true if the schema is a placeholder.
	AnySchema bool
	// Start and End are the offsets of the name, and At is that of its last part.
	Start, At, End int
}

// Name reads a name that may have a schema, or a database and a schema. A placeholder
// inside a part counts as empty.
func (c *Cursor) Name() (Name, bool) {
	from := c.at
	n := Name{Start: c.Peek().Start}
	for {
		n.At = c.Peek().Start
		part, held, ok := c.part()
		if !ok {
			c.at = from
			return Name{}, false
		}
		n.Schema, n.Name = n.Name, part
		n.End = c.tokens[c.at-1].End
		if !c.Take(".") {
			break
		}
		n.AnySchema = held && part == ""
	}
	if n.Name == "" {
		c.at = from
		return Name{}, false
	}
	return n, true
}

// inName is a placeholder inside of quotes.
var inName = regexp.MustCompile(`\$\{[^}]*\}|\{\{.*?\}\}`)

// part reads one part of a name: adjacent words, quoted names and placeholders. It
// reports whether there was a placeholder.
func (c *Cursor) part() (text string, held, ok bool) {
	end := -1
	var b strings.Builder
	for !c.Done() {
		t := c.Peek()
		if end >= 0 && t.Start != end {
			break
		}
		switch t.Kind {
		case Word:
			b.WriteString(t.Text)
		case Quoted:
			said := inName.ReplaceAllString(t.Text, "")
			held = held || said != t.Text
			b.WriteString(said)
		case Placeholder:
			held = true
		case Number: // behind a placeholder, as in ${x}1
			if end < 0 || !held {
				return b.String(), held, end >= 0
			}
			b.WriteString(t.Text)
		case String, Dollar, Sign:
			return b.String(), held, end >= 0
		}
		end = t.End
		c.at++
	}
	return b.String(), held, end >= 0
}
