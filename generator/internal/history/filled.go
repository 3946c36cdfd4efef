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
	because   string   // the name of the constraint that makes it not null; "": unknown
	checks    []string // the names of other constraints in its definition
	filled    bool     // by a default
	identity  bool     // by a sequence
	generated bool     // from other columns
	unsure    bool     // not all of it is known
}

func (c column) shown() Column {
	return Column{
		Name: c.name, Place: c.place, Generated: c.generated && !c.unsure,
		Required: (c.notNull || c.domain().refusesNull()) && !c.filled && !c.domain().fills() && !c.identity && !c.generated && !c.unsure,
	}
}

// domain returns the domain that is the type of the column, or nil.
func (c column) domain() *kind {
	if c.kind == nil || c.kind.made == "" || c.array {
		return nil
	}
	return c.kind
}

// serials are the types that have a default.
var serials = []string{"smallserial", "serial", "serial2", "serial4", "bigserial", "serial8"}

// valuedOf returns what the definition of a column says about its value.
func (f *follower) valuedOf(name sqltext.Name, own column, written, tail []sqltext.Token) valued {
	isSerial := len(written) > 0 && known(written[0], serials)
	v := valued{
		place: f.place(name.At), filled: isSerial, notNull: isSerial,
		unsure: f.doubtful() || own.mayBeDomain(),
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
			} else if !c.Is("unique") && !c.Is("primary") {
				v.checks = append(v.checks, constraint)
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

// mayBeDomain reports whether the type of a column may be a domain that is not known
// for certain. A domain may have a default and refuse null.
func (c column) mayBeDomain() bool {
	if c.kind != nil {
		return c.kind.unsure
	}
	return !slices.Contains(ofPostgres, c.foreign)
}

// generate reads the part after GENERATED.
func (v *valued) generate(c *sqltext.Cursor) {
	c.TakeAny("always", "by", "default", "as")
	v.identity = c.Take("identity")
	v.generated = !v.identity
	v.notNull = v.notNull || v.identity
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
	case name != "" && !c.Is("unique") && !c.Is("primary"):
		t.named = append(t.named, name)
	}
}

// mustNotBeNull follows a NOT NULL, whose constraint has a name from Postgres 18 on. It
// keeps the name that it has.
func (t *table) mustNotBeNull(name, because string) {
	own := t.find(name)
	if own == nil || own.notNull {
		return
	}
	for n := 0; because == "" || slices.Contains(t.named, because); n++ {
		because = made(t.name, name, "not_null", n)
	}
	own.notNull, own.because = true, because
}

// dropConstraint follows DROP CONSTRAINT. From Postgres 18 on, NOT NULL is a constraint
// with a name.
func (a action) dropConstraint(c *sqltext.Cursor, item []sqltext.Token) {
	if a.doubtful() || hasPlaceholder(item) {
		a.table.plain, a.table.filled = false, true
	}
	c.Take("constraint")
	ifExists := c.Take("if", "exists")
	name := c.Next().Text
	if i := slices.Index(a.table.named, name); i >= 0 {
		a.table.named = slices.Delete(a.table.named, i, i+1)
		return
	}
	a.dropIndexes(a.table, func(x *index) bool { return x.Constraint && x.Name == name })
	var dropped []string
	for _, c := range a.table.columns {
		if c.notNull && c.because == name {
			dropped = append(dropped, c.name)
		}
	}
	isOther := len(dropped) == 0 && strings.HasSuffix(name, "_not_null")
	for _, t := range a.all() {
		for i := range t.columns {
			own := &t.columns[i]
			switch {
			case !slices.Contains(dropped, own.name):
				own.unsure = own.unsure || isOther
			case ifExists, t != a.table: // Postgres 15 has no such constraint; a child may have its own
				own.unsure = true
			default:
				own.notNull, own.because = false, ""
			}
		}
	}
}

// renameConstraint follows RENAME CONSTRAINT.
func (a action) renameConstraint(c *sqltext.Cursor, item []sqltext.Token) {
	if a.doubtful() || hasPlaceholder(item) {
		a.table.plain, a.table.filled = false, true
	}
	from := c.Next().Text
	if !c.Take("to") {
		return
	}
	to := c.Next().Text
	for _, x := range a.indexes {
		if x.table == a.table && x.Constraint && x.Name == from {
			x.Name = to
		}
	}
	for _, t := range a.all() {
		for i, name := range t.named {
			if name == from {
				t.named[i] = to
			}
		}
		for i := range t.columns {
			if own := &t.columns[i]; own.notNull && own.because == from {
				own.because = to
			}
		}
	}
}

// follow follows an action on a column that does not change its type.
func (v *valued) follow(c *sqltext.Cursor, doubtful bool) {
	switch {
	case doubtful:
		v.unsure = true
	case c.Take("drop", "not", "null"):
		v.notNull, v.because = false, ""
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
