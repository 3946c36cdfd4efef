package history

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// What an insert has to know about a column: whether it may leave the column out, and
// whether it may fill it.

// Column is a column of the table, as far as the migrations show it.
type Column struct {
	Name string
	Place
	// Required means that an insert fails if it leaves the column out: it must not be
	// null, and has no default. A column about which this is not certain is not required.
	Required bool
	// Generated means that an insert fails if it fills the column.
	Generated bool
}

// valued is where the value of a column comes from.
type valued struct {
	place     Place
	notNull   bool
	because   string // the name of the constraint that makes it not null, if it is known
	filled    bool   // by a default
	identity  bool   // by a sequence
	generated bool   // from other columns
	unsure    bool   // not all of it is known
}

func (c column) shown() Column {
	return Column{
		Name: c.name, Place: c.place, Generated: c.generated && !c.unsure,
		Required: c.notNull && !c.filled && !c.identity && !c.generated && !c.unsure,
	}
}

// serials are the types that have a default.
var serials = []string{"smallserial", "serial", "serial2", "serial4", "bigserial", "serial8"}

// valuedOf returns what the definition of a column says about its value.
func (f *follower) valuedOf(name sqltext.Name, own column, written, tail []sqltext.Token) valued {
	v := valued{
		place: f.place(name.At), filled: len(written) > 0 && known(written[0], serials),
		unsure: f.tolerant || own.mayBeDomain(),
	}
	c := sqltext.NewCursor(tail)
	for !c.Done() {
		switch {
		case c.Is("("):
			c.Group()
		case c.Take("constraint"):
			constraint := c.Next().Text
			if c.Take("not", "null") {
				v.notNull, v.because = true, constraint
			}
		case c.Take("not", "null"), c.Take("primary", "key"):
			v.notNull = true
		case c.Take("set", "default"), c.Take("set", "null"): // of a foreign key
		case c.Take("default", "null"):
		case c.Take("default"):
			v.filled = true
		case c.Take("generated"):
			v.generate(c)
		default:
			next := c.Next()
			v.unsure = v.unsure || isPlaceholder(next)
		}
	}
	return v
}

// mayBeDomain reports whether the type of a column may be a domain, which may have a
// default and refuse null. An unknown type may be one.
func (c column) mayBeDomain() bool {
	if c.kind != nil {
		return c.kind.made != ""
	}
	return !slices.Contains(ofPostgres, c.foreign)
}

// generate reads the part after GENERATED.
func (v *valued) generate(c *sqltext.Cursor) {
	c.TakeAny("always", "by", "default", "as")
	v.identity = c.Take("identity")
	v.generated = !v.identity
}

// constrain follows a constraint of the table by which columns must not be null.
func (t *table) constrain(item []sqltext.Token) {
	c := sqltext.NewCursor(item)
	name := ""
	if c.Take("constraint") {
		name = c.Next().Text
	}
	switch {
	case c.Take("primary", "key", "("):
		for _, key := range c.Items() {
			if len(key) > 0 {
				t.mustNotBeNull(key[0].Text, "")
			}
		}
	case c.Take("not", "null"):
		t.mustNotBeNull(c.Peek().Text, name)
	}
}

func (t *table) mustNotBeNull(name, because string) {
	if own := t.find(name); own != nil {
		own.notNull, own.because = true, because
	}
}

// dropConstraint follows DROP CONSTRAINT. From Postgres 18 on, NOT NULL is a constraint
// with a name.
func (a action) dropConstraint(c *sqltext.Cursor, item []sqltext.Token) {
	if a.tolerant || hasPlaceholder(item) {
		a.table.plain, a.table.filled = false, true
	}
	c.Take("constraint")
	c.Take("if", "exists")
	name := c.Next().Text
	for _, t := range a.all() {
		for i := range t.columns {
			if own := &t.columns[i]; name == own.because || strings.HasSuffix(name, "_not_null") {
				own.unsure = true
			}
		}
	}
}

// follow follows an action on a column that does not change its type.
func (v *valued) follow(c *sqltext.Cursor, tolerant bool) {
	switch {
	case tolerant:
		v.unsure = true
	case c.Take("set", "not", "null"):
		v.notNull = true
	case c.Take("drop", "not", "null"):
		v.notNull = false
	case c.Take("set", "default", "null"):
		v.filled = false
	case c.Take("set", "default"):
		v.filled = true
	case c.Take("drop", "default"):
		v.filled = false
	case c.Take("drop", "identity"):
		v.identity = false
	case c.Take("drop", "expression"):
		v.generated = false
	case c.Take("add", "generated"):
		v.generate(c)
	default:
		v.unsure = v.unsure || hasPlaceholder(c.Rest())
	}
}

// createTrigger follows a trigger or a rule that may fill columns, of which c reads what
// follows the name of the kind.
func (f *follower) createTrigger(c *sqltext.Cursor) {
	tokens := c.Rest()
	has := func(word string) bool {
		return slices.ContainsFunc(tokens, func(t sqltext.Token) bool { return t.Is(word) })
	}
	if !has("insert") || !has("before") && !has("instead") {
		return
	}
	for i, token := range tokens {
		if !token.Is("on") && !token.Is("to") {
			continue
		}
		n, ok := sqltext.NewCursor(tokens[i+1:]).Name()
		of := f.lookup(n)
		isAny := !ok && i+1 < len(tokens) && isPlaceholder(tokens[i+1])
		for _, t := range f.tables {
			// A row that is inserted into a table may get into any part of it.
			if isAny || ok && of != nil && slices.Contains(t.family(), of) {
				t.filled = true
			}
		}
	}
}
