package history

import (
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// prepared is a statement that PREPARE names.
type prepared struct {
	source
	tokens []sqltext.Token
	types  [][]sqltext.Token // of its parameters
}

// prepare follows the part after PREPARE.
func (f *follower) prepare(c *sqltext.Cursor) {
	name := c.Next()
	p := prepared{source: f.source}
	if c.Take("(") {
		p.types = c.Items()
	}
	if c.Take("as") { // else it is PREPARE TRANSACTION
		p.tokens = c.Rest()
		f.prepared[name.Text] = p
	}
}

// execute follows a statement with the prepared one in place of EXECUTE, which is its
// token with that index. It returns false if nothing of that name is prepared.
func (f *follower) execute(tokens []sqltext.Token, at int) bool {
	c := sqltext.NewCursor(tokens[at+1:])
	name := c.Next()
	p, ok := f.prepared[name.Text]
	if !ok {
		return false
	}
	c.Group()
	end := tokens[len(tokens)-1].End
	rest := end
	if !c.Done() {
		rest = c.Peek().Start
	}
	outer := f.source
	text := joined(outer.part(tokens[0].Start, tokens[at].Start), (&block{follower: f}).made(p.written()+" ", name))
	f.source = joined(text, outer.part(rest, end))
	for _, s := range sqltext.Split(f.text) {
		f.statement(s.Tokens)
	}
	f.source = outer
	return true
}

// written returns the statement. A parameter is a null of its type.
func (p prepared) written() string {
	var b strings.Builder
	for i, t := range p.tokens {
		if i > 0 && p.tokens[i-1].End != t.Start {
			b.WriteByte(' ')
		}
		if t.Kind != sqltext.Number || t.Text[0] != '$' {
			b.WriteString(p.source.written(t))
			continue
		}
		b.WriteString("NULL")
		if n, err := strconv.Atoi(t.Text[1:]); err == nil && 0 < n && n <= len(p.types) {
			b.WriteString("::")
			for _, word := range p.types[n-1] {
				b.WriteString(p.source.written(word) + " ")
			}
		}
	}
	return b.String()
}

// explain follows a statement that EXPLAIN runs.
func (f *follower) explain(c *sqltext.Cursor, tokens []sqltext.Token) {
	runs := false
	if c.Take("(") {
		for _, option := range c.Items() {
			runs = runs || len(option) > 0 && option[0].Is("analyze") && (len(option) == 1 || !slices.Contains([]string{"false", "off", "0"}, option[1].Text))
		}
	} else {
		runs = c.Is("analyze") || c.Is("analyse")
		c.TakeAny("analyze", "analyse", "verbose")
	}
	if runs {
		f.statement(c.Rest())
		return
	}
	f.look(tokens)
}
