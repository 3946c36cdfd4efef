package history

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// look searches the strings of a statement that is not followed, because they may be
// run as SQL. It records where they may change the table.
func (f *follower) look(tokens []sqltext.Token) {
	if !runsText(tokens) {
		return
	}
	f.mayRunStrings(tokens)
	for _, t := range tokens {
		if t.IsText() && f.doubtText(f.inside(t), "a string") {
			return
		}
	}
}

// runsText reports whether a statement may contain text that is run as SQL.
func runsText(tokens []sqltext.Token) bool {
	return !known(tokens[0], []string{"create", "copy", "comment", "insert", "update", "delete", "merge", "security", "grant", "revoke", "alter", "notify"})
}

// doubtText records the place if a text may change the table.
func (f *follower) doubtText(text source, what string) bool {
	f.mayRunText(text.text)
	at, ok := f.changes(text)
	if ok {
		f.doubtPlace(at, what)
	}
	return ok
}

// doubtPlace records that something may change the table, once for each place.
func (f *follower) doubtPlace(at Place, what string) {
	if u := (Unread{at, what}); !slices.Contains(f.unread, u) {
		f.unread = append(f.unread, u)
	}
}

// doubt is doubtPlace for an offset in the current source.
func (f *follower) doubt(offset int, what string) { f.doubtPlace(f.place(offset), what) }

// changes reports where a text may change the table: where it creates, alters, renames
// or drops it, or does so with a table whose name it composes while it also mentions
// this one.
func (f *follower) changes(text source) (at Place, found bool) {
	if !bytes.Contains(bytes.ToLower(text.text), []byte(strings.ToLower(f.want.name))) {
		return Place{}, false
	}
	f.inBody(text, func() {
		madeUp := false
		for _, s := range sqltext.Split(text.text) {
			for i, t := range s.Tokens {
				switch {
				case t.IsText():
					inner := f.inside(t)
					if at, found = f.changes(inner); found {
						return
					}
					madeUp = madeUp || isMadeUp(inner.text)
				case t.Is("create"), t.Is("alter"), t.Is("drop"):
					if n, ok := f.target(s.Tokens[i:]); ok {
						at, found = f.place(n.At), true
						return
					}
				}
			}
		}
		if offset, ok := f.mention(text.text); ok && madeUp {
			at, found = f.place(offset), true
		}
	})
	return at, found
}

// dynamic matches a statement about a table whose name is filled in later.
var dynamic = regexp.MustCompile(`(?i)\b(create|alter|drop)\s+((temp|temporary|unlogged|foreign)\s+)?table\s+(if\s+(not\s+)?exists\s+)?(only\s+)?([\w"]+\.)?"?(%|$)`)

// noColumns matches such a statement that does not change columns.
var noColumns = regexp.MustCompile(`(?i)%(\d+\$)?[Is]"?\s+(owner\s+to|enable|disable|force|no\s+force|validate|cluster|replica|set\s*\(|set\s+(logged|unlogged|tablespace)|(add|drop|rename|alter)\s+constraint)\b`)

// isMadeUp reports whether a text is a statement that changes the columns of a table
// whose name is filled in later.
func isMadeUp(text []byte) bool { return dynamic.Match(text) && !noColumns.Match(text) }

// mention returns where a text contains the name of the table as a word.
func (f *follower) mention(text []byte) (at int, ok bool) {
	place := regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(f.want.name) + `\b`).FindIndex(text)
	if place == nil {
		return 0, false
	}
	return place[0], true
}

// target returns the table of a statement in the body of another one, if it is the
// followed table and its columns may change.
func (f *follower) target(tokens []sqltext.Token) (sqltext.Name, bool) {
	c := sqltext.NewCursor(tokens)
	verb := c.Next().Text
	c.Take("or", "replace")
	if c.TakeAny("global", "local", "temp", "temporary") {
		return sqltext.Name{}, false
	}
	c.TakeAny("unlogged", "foreign", "recursive", "materialized")
	if !c.Take("table") && !c.Take("view") {
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

// altered reports whether an ALTER TABLE changes the columns of the table, or renames
// another table to it.
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
	trial.tables, trial.indexes, trial.tolerant = []*table{probe}, nil, false
	if n.Schema == "" { // with any search_path
		trial.path = []string{f.want.schema}
	}
	trial.alterTable(c, tokens)
	return n, len(probe.statements) > 0 || probe.relation != f.want
}

// known reports whether a token is one of these key words.
func known(t sqltext.Token, words []string) bool {
	return t.Kind == sqltext.Word && slices.Contains(words, t.Text)
}
