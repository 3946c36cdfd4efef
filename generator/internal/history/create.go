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
		f.createIndex(c, true)
		f.look(tokens)
	case c.Take("index"):
		f.createIndex(c, false)
		f.look(tokens)
	default:
		f.look(tokens)
	}
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
		created: f.place(name.At), at: name.At, plain: true,
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
	_, partition, partitioned := cut(list, "partition")
	t.partitioned = partitioned && len(partition) > 0 && partition[0].Is("by")
	switch {
	case isPart:
		elements = []piece{literal("()", name.At)}
		f.inherit(t, parent)
		for i := range t.columns {
			t.columns[i].unsure = true // a list may change what may be null
		}
	case f.isQuery(&rest, name, temporary, tokens[0].Start):
		return
	case isList:
		elements = f.elements(c, t)
		if c.Take("inherits", "(") {
			f.inheritAll(t, c.Items())
		}
		for _, constraint := range t.constraints {
			t.constrain(constraint)
		}
		if len(t.copies) > 0 { // sqlc may find that columns with one name have different types
			elements = []piece{literal("()", name.At)}
		}
	default: // not valid in Postgres
		elements = f.verbatim(c.Rest())
	}
	list = list[:len(list)-len(c.Rest())]
	t.plain = t.plain && isList && !isPart && !f.doubtful() && !hasPlaceholder(list)
	if _, rest, ok := cut(c.Rest(), "commit"); ok && len(rest) > 0 {
		t.untilCommit = t.temporary && rest[0].Is("drop")
	}
	f.add(t, slices.Concat(pieces, elements, t.inherits())...)
	f.tables = append(f.tables, t)
	f.addPending(t)
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

// inherit makes a new table a child of another one.
func (f *follower) inherit(t, parent *table) {
	f.takeColumns(t, parent, false, func(c *column) { c.identity = false })
	parent.children = append(parent.children, t)
}

// like gives a new table the columns of another one, of which options says what they
// take along.
func (f *follower) like(t, from *table, options []sqltext.Token, at int) {
	takes := map[string]bool{}
	c := sqltext.NewCursor(options)
	for including := c.Take("including"); including || c.Take("excluding"); including = c.Take("including") {
		what := c.Next()
		for _, part := range []string{"defaults", "identity", "generated", "indexes"} {
			if what.Is(part) || what.Is("all") {
				takes[part] = including
			}
		}
	}
	f.takeColumns(t, from, true, func(c *column) {
		c.filled = c.filled && takes["defaults"]
		c.identity = c.identity && takes["identity"]
		c.generated = c.generated && takes["generated"]
		c.unsure = c.unsure || hasPlaceholder(options)
	})
	if takes["indexes"] {
		t.plain = t.plain && from.plain
		t.copied = append(t.copied, f.copyIndexes(from, f.place(at))...)
	}
}

// takeColumns gives a table the current columns of another one. For sqlc it inherits
// them from a copy, because a change of one would change the other, and sqlc supports
// only one LIKE.
func (f *follower) takeColumns(t, from *table, local bool, change func(c *column)) {
	same := &table{relation: from.relation, needs: []*table{from}, isType: from.isType}
	f.add(same, literal("CREATE TABLE", t.at), piece{table: same, source: t.at},
		literal("( LIKE", t.at), piece{table: from, source: t.at}, literal(")", t.at))
	t.copies = append(t.copies, same)
	t.needs = append(t.needs, same)
	t.opaque = t.opaque || from.opaque
	for _, c := range from.columns {
		change(&c)
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
