package history

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// look looks into the texts of a statement that is not followed: the bodies of DO
// and of functions, and what is executed. It remembers the domains that they make,
// and where they may change the table.
func (f *follower) look(tokens []sqltext.Token) {
	what, text := holder(tokens)
	if !text {
		return
	}
	for _, t := range tokens {
		if t.Kind != sqltext.String && t.Kind != sqltext.Dollar {
			continue
		}
		inner, offset := f.inner(t)
		if at, ok := f.changes(inner); ok {
			f.unread = append(f.unread, Unread{Place{f.file, offset + at}, what})
			return
		}
	}
}

// holder is what to call a statement that holds others as text. Some statements
// hold texts that nobody executes.
func holder(tokens []sqltext.Token) (what string, holds bool) {
	switch first := tokens[0]; {
	case first.Is("do"):
		return "a DO block", true
	case first.Is("create"):
		for _, t := range tokens[:min(4, len(tokens))] {
			if t.Is("function") || t.Is("procedure") {
				return "a " + t.Text, true
			}
		}
		return "", false
	case known(first, []string{"copy", "comment", "insert", "update", "delete", "merge", "security", "grant", "revoke", "alter"}):
		return "", false
	}
	return "a string", true
}

// inner is the text between the quotes of a string, as it is written, and where
// that begins.
func (f *follower) inner(t sqltext.Token) (text []byte, offset int) {
	raw := f.files[f.file][t.Start:t.End]
	open := bytes.IndexByte(raw, '\'') + 1
	length := max(len(raw)-open-1, 0)
	if t.Kind == sqltext.Dollar {
		open = bytes.IndexByte(raw[1:], '$') + 2
		length = len(t.Text)
	}
	return raw[open : open+length], t.Start + open
}

// domainWord is where a domain may be made.
var domainWord = []byte("domain")

// changes reports where a text may change the table: where it creates, alters,
// renames or drops it, or does so with a table whose name it puts together while
// it mentions this one.
func (f *follower) changes(text []byte) (at int, found bool) {
	lower := bytes.ToLower(text)
	if !bytes.Contains(lower, []byte(strings.ToLower(f.want.name))) && !bytes.Contains(lower, domainWord) {
		return 0, false
	}
	inside := &follower{files: [][]byte{text}, want: f.want, path: f.path, domains: f.domains, schemas: f.schemas}
	madeUp := false
	for _, s := range sqltext.Split(text) {
		for i, t := range s.Tokens {
			switch {
			case t.Kind == sqltext.String || t.Kind == sqltext.Dollar:
				inner, offset := inside.inner(t)
				if at, ok := inside.changes(inner); ok {
					return offset + at, true
				}
				madeUp = madeUp || dynamic.Match(inner)
			case t.Is("create"), t.Is("alter"), t.Is("drop"):
				if n, ok := inside.target(s.Tokens[i:]); ok {
					return n.At, true
				}
			}
		}
	}
	if madeUp {
		if place := mention(f.want.name).FindIndex(text); place != nil {
			return place[0], true
		}
	}
	return 0, false
}

// dynamic is a statement about a table whose name is still to be filled in.
var dynamic = regexp.MustCompile(`(?i)\b(create|alter|drop)\s+((temp|temporary|unlogged|foreign)\s+)?table\s+(if\s+(not\s+)?exists\s+)?(only\s+)?([\w"]+\.)?"?(%|$)`)

// mention is the name where it stands for itself.
func mention(name string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(name) + `\b`)
}

// target is the table of a statement in the body of another one, if it is the one
// that is followed and its columns may change.
func (f *follower) target(tokens []sqltext.Token) (sqltext.Name, bool) {
	c := sqltext.NewCursor(tokens)
	verb := c.Next().Text
	c.Take("or", "replace")
	if c.TakeAny("global", "local", "temp", "temporary") {
		return sqltext.Name{}, false
	}
	c.TakeAny("unlogged", "foreign", "recursive", "materialized")
	switch {
	case verb == "create" && c.Take("domain"):
		f.createDomain(c)
		return sqltext.Name{}, false
	case !c.Take("table") && !c.Take("view"):
		return sqltext.Name{}, false
	}
	rest := *c
	_ = c.Take("if", "not", "exists") || c.Take("if", "exists")
	c.Take("only")
	n, ok := c.Name()
	switch {
	case !ok:
		return n, false
	case verb == "create":
		return n, f.wanted(n)
	case verb == "alter":
		return f.altered(&rest, tokens, n)
	}
	for ok && !f.wanted(n) && c.Take(",") {
		n, ok = c.Name()
	}
	return n, ok && f.wanted(n)
}

// altered reports whether an ALTER TABLE changes the columns of the table, or makes
// another table this one.
func (f *follower) altered(c *sqltext.Cursor, tokens []sqltext.Token, n sqltext.Name) (sqltext.Name, bool) {
	for i, t := range tokens[:max(len(tokens)-2, 0)] {
		if to := tokens[i+2]; t.Is("rename") && tokens[i+1].Is("to") && to.Text == f.want.name {
			return sqltext.Name{Name: to.Text, At: to.Start}, true
		}
	}
	if !f.wanted(n) {
		return n, false
	}
	probe := &table{relation: f.want}
	trial := *f
	trial.tables = []*table{probe}
	if n.Schema == "" { // whatever the path
		trial.path = []string{f.want.schema}
	}
	trial.alterTable(c, tokens)
	return n, len(probe.statements) > 0 || probe.relation != f.want
}

// known reports whether a token is one of these key words.
func known(t sqltext.Token, words []string) bool {
	return t.Kind == sqltext.Word && slices.Contains(words, t.Text)
}
