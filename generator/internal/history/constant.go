package history

import (
	"bytes"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// constant returns the text of an expression, if it is known: strings and variables,
// joined by || or by format.
func (b *block) constant(tokens []sqltext.Token) (source, bool) {
	c := sqltext.NewCursor(tokens)
	all, ok := b.operand(c)
	for ok && c.Take("|", "|") {
		var next source
		if next, ok = b.operand(c); ok {
			all = joined(all, next)
		}
	}
	return all, ok && c.Done()
}

// operand returns one operand of ||.
func (b *block) operand(c *sqltext.Cursor) (source, bool) {
	t, ok := c.Peek(), true
	var value source
	switch {
	case t.IsText():
		c.Next()
		value = b.inside(t)
		for c.Peek().Kind == sqltext.String && t.Kind == sqltext.String { // continued on the next line
			value = joined(value, b.inside(c.Next()))
		}
	case t.Is("("):
		c.Next()
		items := c.Items()
		if ok = len(items) == 1; ok {
			value, ok = b.constant(items[0])
		}
	case t.Is("format"), t.Is("concat"), t.Is("quote_ident"), t.Is("quote_literal"), t.Is("quote_nullable"), t.Is("current_schema"):
		value, ok = b.function(c)
	case t.Is("current_setting"):
		value, ok = b.setting(c)
	case known(t, someName):
		value = b.made(c.Next().Text, t)
		c.Take("(", ")")
	case t.Kind == sqltext.Number && t.Text[0] != '$':
		value = b.made(c.Next().Text, t)
	case t.Kind == sqltext.Word:
		var text string
		text, ok = b.variables[t.Text]
		c.Next()
		value = b.made(text, t)
	default:
		return source{}, false
	}
	for c.Take("::") {
		_, _ = c.Name()
	}
	return value, ok
}

// someName are names that only Postgres knows. No table is called so, so any text will
// do: what matters is the statement around it, such as ALTER DATABASE ... SET search_path.
var someName = []string{"current_database", "current_catalog", "current_user", "session_user", "current_role", "user"}

// setting returns the value of current_setting('search_path').
func (b *block) setting(c *sqltext.Cursor) (source, bool) {
	t := c.Next()
	if !c.Take("(") {
		return source{}, false
	}
	items := c.Items() // the second one says what happens to a setting that is not there
	if len(items) == 0 {
		return source{}, false
	}
	name, ok := b.constant(items[0])
	return b.made(strings.Join(b.path, ","), t), ok && string(name.text) == "search_path"
}

// function returns the result of a function that joins or quotes text.
func (b *block) function(c *sqltext.Cursor) (source, bool) {
	t := c.Next()
	if !c.Take("(") {
		return b.made(b.path[0], t), t.Is("current_schema")
	}
	var values []source
	for _, item := range c.Items() {
		value, ok := b.constant(item)
		if !ok {
			return source{}, false
		}
		values = append(values, value)
	}
	switch {
	case t.Is("current_schema"):
		return b.made(b.path[0], t), true
	case len(values) == 0:
		return source{}, false
	case t.Is("quote_ident"):
		return b.made(quoted(string(values[0].text)), t), true
	case t.Is("quote_literal"), t.Is("quote_nullable"):
		return b.made(literalText(string(values[0].text)), t), true
	case t.Is("concat"):
		all := values[0]
		for _, next := range values[1:] {
			all = joined(all, next)
		}
		return all, true
	}
	return b.format(values[0], values[1:])
}

// format returns the result of the function format. It supports %s, %I, %L and %%, and
// positions such as %1$I.
func (b *block) format(text source, values []source) (source, bool) {
	all := source{file: b.file}
	add := func(said string, from int) {
		all.text = append(all.text, said...)
		all.at = append(all.at, slices.Repeat([]int{text.origin(from)}, len(said))...)
	}
	next := 0
	for i := 0; i < len(text.text); i++ {
		if text.text[i] != '%' {
			add(string(text.text[i:i+1]), i)
			continue
		}
		spec := text.text[i+1:]
		if d := bytes.IndexByte(spec, '$'); d > 0 && len(bytes.Trim(spec[:d], "0123456789")) == 0 {
			next = int(spec[d-1]-'0') - 1
			i += d + 1
			spec = spec[d+1:]
		}
		i++
		if len(spec) > 0 && spec[0] == '%' {
			add("%", i)
			continue
		}
		if len(spec) == 0 || next < 0 || next >= len(values) {
			return source{}, false
		}
		value := string(values[next].text)
		next++
		switch spec[0] {
		case 's':
		case 'I':
			value = quoted(value)
		case 'L':
			value = literalText(value)
		default:
			return source{}, false
		}
		add(value, i)
	}
	all.at = append(all.at, text.origin(len(text.text)))
	return all, true
}

func literalText(value string) string { return "'" + strings.ReplaceAll(value, "'", "''") + "'" }

// made returns the text that a token stands for.
func (b *block) made(text string, t sqltext.Token) source {
	return source{file: b.file, text: []byte(text), at: slices.Repeat([]int{b.origin(t.Start)}, len(text)+1)}
}

// joined returns two texts in sequence.
func joined(a, b source) source {
	all := source{file: a.file}
	for _, part := range []source{a, b} {
		for i, c := range part.text {
			all.text = append(all.text, c)
			all.at = append(all.at, part.origin(i))
		}
	}
	all.at = append(all.at, b.origin(len(b.text)))
	return all
}
