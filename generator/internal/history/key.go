package history

import (
	"regexp"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// Package indexes lists the keys of the table. It reads only the text of the statements,
// not what a function or an EXECUTE runs. A table that may get a key there is no longer
// plain, so that no one misses that key.

// mayGetKey follows a constraint or a column that may be added.
func (t *table) mayGetKey(definition []sqltext.Token) {
	if slices.ContainsFunc(definition, func(t sqltext.Token) bool { return t.Is("unique") || t.Is("primary") }) {
		t.plain = false
	}
}

// mayBeKey follows a unique index that may be created, from its name on.
func (f *follower) mayBeKey(tokens []sqltext.Token) {
	_, rest, _ := cut(tokens, "on")
	c := sqltext.NewCursor(rest)
	c.Take("only")
	n, ok := c.Name()
	if !ok {
		return
	}
	if t := f.lookup(n); t != nil {
		t.plain = false
	}
}

// makesKey matches SQL that makes a key.
var makesKey = regexp.MustCompile(`(?i)\b(unique|primary\s+key)\b`)

// mayMakeKeys follows a text that may be run, for any table.
func (f *follower) mayMakeKeys(text []byte) {
	if !makesKey.Match(text) {
		return
	}
	for _, t := range f.tables {
		t.plain = false
	}
}
