package history

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// createIndex follows CREATE INDEX, of which c reads what follows these words.
func (f *follower) createIndex(c *sqltext.Cursor, unique bool) {
	x := &index{unique: unique, label: "idx", Key: Key{Place: f.place(c.Last().Start)}}
	c.Take("concurrently")
	ifNotExists := c.Take("if", "not", "exists") || f.tolerant
	if unique && (f.doubtful() || hasPlaceholder(c.Rest())) {
		f.mayBeKey(c.Rest())
	}
	if !c.Is("on") {
		n, ok := c.Name()
		if !ok {
			return
		}
		x.Name, x.Place = n.Name, f.place(n.At)
	}
	if !c.Take("on") {
		return
	}
	only := c.Take("only")
	n, ok := c.Name()
	if !ok {
		return
	}
	t := f.lookup(n)
	if t == nil {
		if x.schema = f.schemaOf(n); x.Name != "" && !f.taken(x.schema, x.Name) {
			f.indexes = append(f.indexes, x)
		}
		return
	}
	if c.Take("using") {
		c.Next()
	}
	definition := c.Rest()
	if !x.readKey(c) {
		return
	}
	x.uses = namesIn(definition)
	// It is not valid until each partition has one like it.
	x.Unsure = x.Unsure || only && t.partitioned
	if _, where, ok := cut(c.Rest(), "where"); ok && !isTrue(where) {
		x.Partial, x.Unsure = true, x.Unsure || isConstant(where)
	}
	if x.Name != "" && f.taken(t.schema, x.Name) && ifNotExists {
		return
	}
	f.addIndexes(t, []*index{x})
}

// isTrue reports whether a condition is only the word true. Postgres drops it.
func isTrue(condition []sqltext.Token) bool {
	condition = unwrapped(condition)
	return len(condition) == 1 && condition[0].Is("true")
}

// isConstant reports whether a condition names no column, so that Postgres may find that
// it is always true.
func isConstant(condition []sqltext.Token) bool {
	return !slices.ContainsFunc(condition, func(t sqltext.Token) bool {
		return t.Kind == sqltext.Quoted || t.Kind == sqltext.Word && !known(t, []string{"true", "false", "null", "and", "or", "not", "is", "boolean", "bool"})
	})
}

// unwrapped returns tokens without the parentheses around them.
func unwrapped(tokens []sqltext.Token) []sqltext.Token {
	for len(tokens) > 0 && tokens[0].Is("(") {
		c := sqltext.NewCursor(tokens)
		c.Group()
		if !c.Done() || !c.Last().Is(")") {
			return tokens
		}
		tokens = tokens[1 : len(tokens)-1]
	}
	return tokens
}

// readKey reads the columns of an index in parentheses, and those that it includes. It
// returns false if the columns are unknown.
func (x *index) readKey(c *sqltext.Cursor) bool {
	if !c.Take("(") {
		return false
	}
	for _, item := range c.Items() {
		if len(item) == 0 {
			continue
		}
		if isPlaceholder(item[0]) && !hasName(item) {
			return false
		}
		column, part, unsure := keyPart(item)
		x.Columns, x.parts, x.Unsure = append(x.Columns, column), append(x.parts, part), x.Unsure || unsure
	}
	if c.Take("include", "(") {
		for _, item := range c.Items() {
			x.include = append(x.include, sqltext.NewCursor(item).Peek().Text)
		}
		x.parts = append(x.parts, x.include...)
	}
	return true
}

// keyPart returns the column of a part of a key, or Expression, and what Postgres makes
// a name of. unsure means that Postgres may find that an expression is only a column.
func keyPart(item []sqltext.Token) (column, part string, unsure bool) {
	c := sqltext.NewCursor(item)
	inParentheses := c.Is("(")
	if inParentheses {
		c.Group()
		item = unwrapped(item[:len(item)-len(c.Rest())])
		c = sqltext.NewCursor(item)
	}
	n, ok := c.Name()
	switch {
	case ok && c.Is("("):
		if c.Group(); c.Done() || !inParentheses {
			return Expression, n.Name, n.Name == "cast"
		}
		return Expression, Expression, false
	case ok && (!inParentheses || c.Done()):
		return n.Name, n.Name, false
	case ok && (c.Is("::") || c.Is("collate")):
		return Expression, n.Name, true
	}
	return Expression, Expression, slices.ContainsFunc(item, func(t sqltext.Token) bool { return t.Is("::") || t.Is("cast") })
}

// keysIn returns the keys in the definition of a column or a constraint of a table.
func (f *follower) keysIn(item []sqltext.Token) []*index {
	c := sqltext.NewCursor(item)
	column := ""
	if !isConstraint(item) {
		n, ok := c.Name()
		if !ok {
			return nil
		}
		column = n.Name
	}
	var all []*index
	named := Key{}
	for !c.Done() {
		switch {
		case c.Take("constraint"):
			named.Place, named.Name = f.place(c.Peek().Start), c.Peek().Text
			c.Next()
			continue
		case c.Is("unique"), c.Is("primary"):
			if x := f.keyIn(c, named, column); x != nil {
				all = append(all, x)
			}
		case c.Is("("): // of a type, a default or a check
			c.Group()
		default:
			c.Next()
		}
		named = Key{}
	}
	return all
}

// keyIn reads UNIQUE or PRIMARY KEY, of a column or of those that it lists.
func (f *follower) keyIn(c *sqltext.Cursor, named Key, column string) *index {
	x := &index{Key: named, unique: true, label: "key"}
	x.Constraint = true
	if x.Name == "" {
		x.Place = f.place(c.Peek().Start)
	}
	if x.Primary = c.Take("primary", "key"); x.Primary {
		x.label = "pkey"
	} else {
		c.Next()
	}
	if !c.Take("nulls", "distinct") && c.Take("nulls", "not", "distinct") {
		x.options = "nulls not distinct"
	}
	switch {
	case column != "":
		x.Columns, x.parts = []string{column}, []string{column}
	case c.Take("using", "index"): // that of a column may say USING INDEX TABLESPACE
		x.of = c.Next().Text
	case !x.readKey(c):
		return nil
	}
	x.uses = slices.Concat(x.Columns, x.include)
	deferred := slices.ContainsFunc(c.Rest(), func(t sqltext.Token) bool { return t.Is("deferred") })
	if x.Deferrable = isDeferrable(c); x.Deferrable && deferred {
		x.options += " deferred"
	}
	return x
}

// isDeferrable reads the options of a constraint behind its key, and reports whether they
// allow a later check.
func isDeferrable(c *sqltext.Cursor) bool {
	deferrable := false
	for {
		switch {
		case c.Take("include"), c.Take("with"):
			c.Group()
		case c.Take("using", "index", "tablespace"):
			c.Next()
		case c.Take("deferrable"), c.Take("initially", "deferred"):
			deferrable = true
		case c.Take("not", "deferrable"), c.Take("initially", "immediate"), c.Take("enforced"):
		default:
			return deferrable
		}
	}
}

// namesIn returns every word and quoted name among the tokens.
func namesIn(tokens []sqltext.Token) []string {
	var all []string
	for _, t := range tokens {
		if t.Kind == sqltext.Word || t.Kind == sqltext.Quoted {
			all = append(all, t.Text)
		}
	}
	return all
}
