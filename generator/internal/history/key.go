package history

import (
	"regexp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// A table whose keys may change in a way that is not followed for certain is no longer
// plain, so that insert-refused is not reported for it.

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
		f.mayChangeAny()
		return
	}
	if t := f.lookup(n); t != nil {
		t.plain = false
	}
}

// mayChangeAny follows what may make or drop a key of any table.
func (f *follower) mayChangeAny() {
	for _, t := range f.tables {
		t.plain = false
	}
}

var (
	// changesKeys matches SQL that makes or drops a key.
	changesKeys = regexp.MustCompile(`(?i)\b(unique|primary\s+key|drop\s+(constraint|index))\b`)
	// fillsColumns matches SQL by which an insert may leave a column out. A trigger or a
	// rule does that if the text also has the word INSERT.
	fillsColumns = regexp.MustCompile(`(?i)\b(set\s+default|add\s+generated|drop\s+(not\s+null|column|expression))\b`)
	isTrigger    = regexp.MustCompile(`(?i)\b(trigger|rule)\b`)
	ofInserts    = regexp.MustCompile(`(?i)\binsert\b`)
)

// mayRunText follows a text that may be run, for any table.
func (f *follower) mayRunText(text []byte) {
	keys := changesKeys.Match(text)
	fills := fillsColumns.Match(text) || isTrigger.Match(text) && ofInserts.Match(text)
	for _, t := range f.tables {
		t.plain = t.plain && !keys
		t.filled = t.filled || fills
	}
}

// mayRunStrings is mayRunText for the strings of a statement, which it may join.
func (f *follower) mayRunStrings(tokens []sqltext.Token) {
	var all []byte
	for _, t := range tokens {
		if t.IsText() {
			all = append(append(all, f.inside(t).text...), ' ')
		}
	}
	f.mayRunText(all)
}

var (
	// changesIndex matches SQL that drops or renames an index.
	changesIndex = regexp.MustCompile(`(?i)\b(drop|alter)\s+index\b`)
	// loses matches SQL that may drop or rename a part of a table.
	loses = regexp.MustCompile(`(?i)\b(drop|rename)\b`)
)

// mayLoseKeys follows a part of a body that may or may not run.
func (f *follower) mayLoseKeys(body []byte) {
	ofAny, ofOne := changesIndex.Match(body), loses.Match(body)
	text := strings.ToLower(string(body))
	for _, t := range f.tables {
		if ofAny || ofOne && strings.Contains(text, strings.ToLower(t.name)) {
			t.plain = false
		}
	}
}
