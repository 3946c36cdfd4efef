package history

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// creatable, alterable and droppable are the words that Postgres knows after CREATE,
// ALTER and DROP.
var (
	creatable = append([]string{"or", "global", "local", "temp", "temporary", "unlogged", "recursive", "constraint", "unique", "default", "trusted", "procedural"}, droppable...)
	alterable = append([]string{"default", "system", "large", "procedural"}, droppable...)
	droppable = []string{
		"access", "aggregate", "cast", "collation", "conversion", "database", "domain", "event", "extension", "foreign", "function",
		"group", "index", "language", "materialized", "operator", "owned", "policy", "procedure", "property", "publication", "role",
		"routine", "rule", "schema", "sequence", "server", "statistics", "subscription", "table", "tablespace", "text", "transform",
		"trigger", "type", "user", "view",
	}
)

func (f *follower) create(c *sqltext.Cursor, tokens []sqltext.Token) {
	if !known(c.Peek(), creatable) {
		f.unknown(tokens)
		return
	}
	c.Take("or", "replace")
	c.TakeAny("global", "local")
	temporary := c.TakeAny("temp", "temporary")
	c.TakeAny("unlogged", "recursive", "materialized")
	c.Take("foreign")
	switch {
	case c.Take("table"):
		f.createTable(c, tokens, temporary)
	case c.Take("view"):
		f.createView(c, temporary, tokens[0].Start)
	case c.Take("schema"):
		f.createSchema(c)
	case c.Take("domain"):
		f.createDomain(c)
	case c.Take("type"):
		f.createType(c, tokens[0].Start)
	case c.Is("function"), c.Is("procedure"):
		f.createFunction(tokens)
	case c.Take("trigger"), c.Take("constraint", "trigger"), c.Take("rule"):
		f.createTrigger(c)
		f.look(tokens)
	case c.Take("sequence"):
		c.Take("if", "not", "exists")
		if name, ok := c.Name(); ok && !temporary {
			f.createOther(name)
		}
		f.look(tokens)
	case c.Take("unique", "index"):
		f.createUnique(c.Rest())
		f.createIndex(c, tokens)
	case c.Take("index"):
		f.createIndex(c, tokens)
	default:
		f.look(tokens)
	}
}

// createUnique follows a unique index, from its name on.
func (f *follower) createUnique(tokens []sqltext.Token) {
	if f.tolerant || hasPlaceholder(tokens) {
		f.mayBeKey(tokens)
		return
	}
	_, rest, _ := cut(tokens, "on")
	c := sqltext.NewCursor(rest)
	c.Take("only")
	if n, ok := c.Name(); ok {
		f.isMisread(n, f.lookup(n))
	}
}

// createIndex follows CREATE INDEX, of which c reads what follows these words.
func (f *follower) createIndex(c *sqltext.Cursor, tokens []sqltext.Token) {
	c.Take("concurrently")
	c.Take("if", "not", "exists")
	if name, ok := c.Name(); ok && !c.Done() && name.Name != "on" {
		f.createOther(name)
	}
	f.look(tokens)
}

// createSchema follows what CREATE SCHEMA creates in the new schema.
func (f *follower) createSchema(c *sqltext.Cursor) {
	c.Take("if", "not", "exists")
	c.Take("authorization")
	name, ok := c.Name()
	if !ok {
		return
	}
	f.schemas[name.Name] = true
	_, rest, more := cut(c.Rest(), "create")
	path := f.path
	f.path = append([]string{name.Name}, path...)
	for more {
		var element []sqltext.Token
		element, rest, more = cut(rest, "create")
		element, _, _ = cut(element, "grant")
		if len(element) > 0 {
			f.create(sqltext.NewCursor(element), element)
		}
	}
	f.path = path
}

// cut splits tokens at the first such word that is not in parentheses.
func cut(tokens []sqltext.Token, word string) (before, after []sqltext.Token, found bool) {
	depth := 0
	for i, t := range tokens {
		switch {
		case t.Is("("):
			depth++
		case t.Is(")"):
			depth--
		case depth == 0 && t.Is(word):
			return tokens[:i], tokens[i+1:], true
		}
	}
	return tokens, nil, false
}

// newTable starts a new table, whose statement follows.
func (f *follower) newTable(name sqltext.Name, temporary bool) *table {
	return &table{
		relation: relation{f.schemaOf(name), name.Name}, temporary: temporary || name.Schema == "pg_temp",
		created: f.place(name.At), at: name.At,
	}
}

func (f *follower) createTable(c *sqltext.Cursor, tokens []sqltext.Token, temporary bool) {
	ifNotExists := c.Take("if", "not", "exists") || f.tolerant
	name, ok := c.Name()
	if !ok {
		f.unknown(tokens)
		return
	}
	t := f.newTable(name, temporary)
	pieces := []piece{literal("CREATE TABLE", tokens[0].Start), {table: t, source: name.At}}
	if t.temporary && ifNotExists && f.lookup(sqltext.Name{Schema: "pg_temp", Name: t.name}) != nil {
		return
	}
	if other := f.find(t.relation); other != nil && !t.temporary {
		if !ifNotExists {
			pieces[1].table = other
			f.add(other, append(pieces, literal("()", name.At))...) // so that sqlc reports it
		}
		return
	}
	parent, isPart := f.partOf(c)
	rest := *c
	var elements []piece
	isList := c.Is("(")
	list := c.Rest()
	switch {
	case isPart:
		elements = []piece{literal("()", name.At)}
		f.inherit(t, parent)
	case f.isQuery(&rest, name, temporary, tokens[0].Start):
		return
	case isList:
		elements = f.elements(c, t)
		if c.Take("inherits", "(") {
			f.inheritAll(t, c.Items())
		}
		if len(t.copies) > 0 { // sqlc may find that columns with one name have different types
			elements = []piece{literal("()", name.At)}
		}
	default: // not valid in Postgres
		elements = f.verbatim(c.Rest())
	}
	list = list[:len(list)-len(c.Rest())]
	t.plain = isList && !isPart && len(t.copies) == 0 && !f.tolerant && !hasPlaceholder(list)
	f.isMisread(name, t)
	if _, rest, ok := cut(c.Rest(), "commit"); ok && len(rest) > 0 {
		t.untilCommit = t.temporary && rest[0].Is("drop")
	}
	f.add(t, slices.Concat(pieces, elements, t.inherits())...)
	f.tables = append(f.tables, t)
	if len(t.copies) > 0 {
		for _, definition := range t.own {
			action{follower: f, table: t, start: tokens[0].Start, at: name.At}.keep(slices.Concat([]piece{literal("ADD COLUMN IF NOT EXISTS", name.At)}, definition))
		}
	}
}

// partOf returns the table that a new one is a partition of, or the type that it is of.
func (f *follower) partOf(c *sqltext.Cursor) (*table, bool) {
	rest := *c
	if !rest.Take("partition", "of") && !rest.Take("of") {
		return nil, false
	}
	n, ok := rest.Name()
	if !ok {
		return nil, false
	}
	t := f.lookup(n)
	return t, t != nil
}

// inheritAll makes a table a child of the named ones.
func (f *follower) inheritAll(t *table, names [][]sqltext.Token) {
	for _, name := range names {
		n, ok := sqltext.NewCursor(name).Name()
		if parent := f.lookup(n); ok && parent != nil {
			f.inherit(t, parent)
		}
	}
}

func (f *follower) inherit(t, parent *table) {
	f.takeColumns(t, parent, false)
	parent.children = append(parent.children, t)
}

// takeColumns gives a table the current columns of another one. For sqlc it inherits
// them from a copy, because a change of one would change the other, and sqlc supports
// only one LIKE.
func (f *follower) takeColumns(t, from *table, local bool) {
	same := &table{relation: from.relation, needs: []*table{from}, isType: from.isType}
	f.add(same, literal("CREATE TABLE", t.at), piece{table: same, source: t.at},
		literal("( LIKE", t.at), piece{table: from, source: t.at}, literal(")", t.at))
	t.copies = append(t.copies, same)
	t.needs = append(t.needs, same)
	t.opaque = t.opaque || from.opaque
	for _, c := range from.columns {
		c.unsure = true // not every copy has the defaults
		t.gets(c, local)
	}
}

// inherits returns the part of CREATE TABLE with the sources of columns.
func (t *table) inherits() []piece {
	if len(t.copies) == 0 {
		return nil
	}
	pieces := []piece{literal("INHERITS (", t.at)}
	for i, other := range t.copies {
		if i > 0 {
			pieces = append(pieces, literal(",", t.at))
		}
		pieces = append(pieces, piece{table: other, source: t.at})
	}
	return append(pieces, literal(")", t.at))
}
