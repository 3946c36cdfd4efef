package history

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// creatable, alterable and droppable are the words behind CREATE, ALTER and DROP
// that Postgres knows.
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
		c.Take("if", "not", "exists")
		name, ok := c.Name()
		if _, query, found := cut(c.Rest(), "as"); ok && found {
			f.createAs(name, temporary, tokens[0].Start, query)
		}
	case c.Take("schema"):
		f.createSchema(c)
	case c.Take("domain"):
		f.createDomain(c)
	case c.Take("type"):
		f.createType(c, tokens[0].Start)
	default:
		f.look(tokens)
	}
}

// createSchema follows what CREATE SCHEMA creates in the new schema.
func (f *follower) createSchema(c *sqltext.Cursor) {
	c.Take("if", "not", "exists")
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

// cut parts tokens at the first word of this kind that is not in parentheses.
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

// createDomain remembers what a domain is made of.
func (f *follower) createDomain(c *sqltext.Cursor) {
	name, ok := c.Name()
	if !ok {
		return
	}
	c.Take("as")
	kind, _ := splitType(c.Rest())
	var all []string
	for _, p := range f.typePieces(kind) {
		all = append(all, p.text)
	}
	f.domains[relation{f.schemaOf(name), name.Name}] = strings.Join(all, " ")
}

// newTable is a table that begins here, with a statement that is still to come.
func (f *follower) newTable(name sqltext.Name, temporary bool) *table {
	t := &table{
		relation: relation{f.schemaOf(name), name.Name}, temporary: temporary || name.Schema == "pg_temp",
		created: Place{f.file, name.At},
	}
	return t
}

// createAs follows a statement that makes a table or a view of a query.
func (f *follower) createAs(name sqltext.Name, temporary bool, start int, query []sqltext.Token) {
	t := f.newTable(name, temporary)
	pieces := []piece{literal("CREATE TABLE", start), {table: t, source: name.At}, literal("AS", name.At)}
	if last := len(query) - 2; last > 0 && query[last].Is("with") { // NO DATA would be one more word
		query = query[:last]
	}
	if last := len(query) - 3; last > 0 && query[last].Is("with") && query[last+1].Is("no") {
		query = query[:last]
	}
	for i := 0; i < len(query); i++ {
		c := sqltext.NewCursor(query[i:])
		if i == 0 || !query[i-1].Is(".") {
			if n, ok := c.Name(); ok {
				if other := f.lookup(n); other != nil {
					t.needs = append(t.needs, other)
					pieces = append(pieces, piece{table: other, source: n.At})
					i += len(query[i:]) - len(c.Rest()) - 1
					continue
				}
			}
		}
		next := f.verbatim(query[i : i+1])
		if i > 0 && query[i-1].End == query[i].Start && pieces[len(pieces)-1].table == nil {
			next[0].glued = query[i-1].Kind != sqltext.Placeholder && query[i].Kind != sqltext.Placeholder
		}
		pieces = append(pieces, next...)
	}
	f.add(t, pieces...)
	f.tables = append(f.tables, t)
}

func (f *follower) createTable(c *sqltext.Cursor, tokens []sqltext.Token, temporary bool) {
	ifNotExists := c.Take("if", "not", "exists")
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
			f.add(other, append(pieces, literal("()", name.At))...) // for sqlc to refuse
		}
		return
	}
	_, query, isQuery := cut(c.Rest(), "as")
	parent, isPart := f.partOf(c)
	var columns [][]piece
	switch {
	case isPart:
		pieces = append(pieces, literal("()", name.At))
		f.inherit(t, parent)
	case isQuery:
		f.createAs(name, temporary, tokens[0].Start, query)
		return
	case c.Is("("):
		var elements []piece
		elements, columns = f.elements(c, t)
		if c.Take("inherits", "(") {
			for _, item := range c.Items() {
				n, ok := sqltext.NewCursor(item).Name()
				if parent := f.lookup(n); ok && parent != nil {
					f.inherit(t, parent)
				}
			}
		}
		if len(t.copies) > 0 { // sqlc may find that columns of one name differ in their types
			elements = []piece{literal("()", name.At)}
		}
		pieces = append(pieces, elements...)
	default: // nothing that Postgres knows
		pieces = append(pieces, f.verbatim(c.Rest())...)
	}
	if _, rest, ok := cut(c.Rest(), "commit"); ok && len(rest) > 0 {
		t.untilCommit = t.temporary && rest[0].Is("drop")
	}
	f.add(t, append(pieces, t.inherits(name.At)...)...)
	f.tables = append(f.tables, t)
	if len(t.copies) > 0 {
		a := action{follower: f, table: t, start: tokens[0].Start, at: name.At}
		for _, column := range columns {
			a.addColumn(column[0].source, column, true)
		}
	}
}

// createType follows a type with columns, of which a table can be made.
func (f *follower) createType(c *sqltext.Cursor, start int) {
	name, ok := c.Name()
	if !ok || !c.Take("as") || !c.Is("(") {
		return
	}
	t := f.newTable(name, false)
	elements, _ := f.elements(c, t) // all of them are columns
	f.add(t, append([]piece{literal("CREATE TABLE", start), {table: t, source: name.At}}, elements...)...)
	f.tables = append(f.tables, t)
}

// partOf is the table that a new one is a partition of, or the type that it is of.
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

// inherit makes a table a child of another one.
func (f *follower) inherit(t, parent *table) {
	f.takeColumns(t, parent)
	parent.children = append(parent.children, t)
}

// takeColumns gives a table the columns that another one has now. For sqlc it
// inherits them from a copy, since a change of the one would change the other, too,
// and it knows of one LIKE only.
func (f *follower) takeColumns(t, from *table) {
	same := &table{relation: from.relation, needs: []*table{from}}
	f.add(same, literal("CREATE TABLE", t.created.Offset), piece{table: same, source: t.created.Offset},
		literal("( LIKE", t.created.Offset), piece{table: from, source: t.created.Offset}, literal(")", t.created.Offset))
	t.copies = append(t.copies, same)
	t.needs = append(t.needs, same)
}

// inherits is the part of CREATE TABLE that says where columns come from.
func (t *table) inherits(at int) []piece {
	if len(t.copies) == 0 {
		return nil
	}
	pieces := []piece{literal("INHERITS (", at)}
	for i, other := range t.copies {
		if i > 0 {
			pieces = append(pieces, literal(",", at))
		}
		pieces = append(pieces, piece{table: other, source: at})
	}
	return append(pieces, literal(")", at))
}

// elements is what stands in the parentheses of a table, with these, and the columns
// among it. Constraints are replaced by one that is always there to be understood.
func (f *follower) elements(c *sqltext.Cursor, t *table) (all []piece, columns [][]piece) {
	all = []piece{literal("(", c.Next().Start)}
	items := c.Items()
	end := c.Last()
	for i, item := range items {
		if i > 0 {
			all = append(all, literal(",", all[len(all)-1].source))
		}
		element := f.element(t, item)
		if len(element) > 1 || len(element) == 1 && element[0].text != noConstraint {
			columns = append(columns, element)
		}
		all = append(all, element...)
	}
	if end.Is(")") {
		all = append(all, literal(")", end.Start))
	}
	return all, columns
}

// noConstraint takes the place of what says nothing of columns.
const noConstraint = "CHECK (true)"

// constraints is how an element of a table begins that is no column.
var constraints = []string{"constraint", "unique", "primary", "check", "foreign", "not"}

// isConstraint reports whether an element of a table, or what is added to it, is no
// column. A column may be called exclude.
func isConstraint(item []sqltext.Token) bool {
	if len(item) > 1 && item[0].Is("exclude") {
		return item[1].Is("(") || item[1].Is("using")
	}
	return len(item) > 0 && known(item[0], constraints)
}

func (f *follower) element(t *table, item []sqltext.Token) []piece {
	if len(item) == 0 {
		return nil
	}
	c := sqltext.NewCursor(item)
	switch first := item[0]; {
	case isConstraint(item):
		return []piece{literal(noConstraint, first.Start)}
	case c.Take("like"):
		n, ok := c.Name()
		if other := f.lookup(n); ok && other != nil {
			f.takeColumns(t, other)
			return []piece{literal(noConstraint, first.Start)}
		}
		return f.verbatim(item)
	}
	if _, ok := c.Name(); !ok && item[0].Kind == sqltext.Placeholder { // elements not known here
		return []piece{literal(noConstraint, item[0].Start)}
	}
	return f.column(item)
}

// column is the definition of a column.
func (f *follower) column(item []sqltext.Token) []piece {
	c := sqltext.NewCursor(item)
	name, ok := c.Name()
	if !ok {
		return f.verbatim(item)
	}
	kind, tail := splitType(c.Rest())
	pieces := []piece{{text: quoted(name.Name), source: name.At}}
	pieces = append(pieces, f.typePieces(kind)...)
	return append(pieces, f.tail(tail)...)
}

// afterType is the words that end the type of a column.
var afterType = []string{
	"constraint", "not", "null", "check", "default", "generated", "unique", "primary", "references", "collate", "storage",
	"compression", "deferrable", "initially", "options", "using", "enforced",
}

func splitType(tokens []sqltext.Token) (kind, tail []sqltext.Token) {
	for i, t := range tokens {
		if known(t, afterType) {
			return tokens[:i], tokens[i:]
		}
	}
	return tokens, nil
}

// typePieces is a type, a domain being what it is made of.
func (f *follower) typePieces(kind []sqltext.Token) []piece {
	if len(kind) == 0 {
		return nil
	}
	c := sqltext.NewCursor(kind)
	n, ok := c.Name()
	if !ok {
		if kind[0].Kind == sqltext.Placeholder {
			return []piece{literal(UnknownType, kind[0].Start)}
		}
		return f.verbatim(kind)
	}
	if r, is := f.domain(n); is {
		return append([]piece{literal(f.domains[r], n.At)}, f.verbatim(c.Rest())...)
	}
	all := f.verbatim(kind)
	if n.AnySchema {
		all = append([]piece{literal(quoted(n.Name), n.At)}, f.verbatim(c.Rest())...)
	}
	for i := range all {
		if all[i].text == "null" { // a placeholder, as in varchar(${n})
			all[i].text = "1"
		}
	}
	return all
}

// tail is what follows the type of a column, as the Postgres inside of sqlc knows
// it: the one of today leaves STORED out, and says whether a constraint is enforced.
func (f *follower) tail(tokens []sqltext.Token) []piece {
	var kept []sqltext.Token
	var all []piece
	flush := func() {
		all = append(all, f.verbatim(kept)...)
		kept = nil
	}
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		switch {
		case t.Is("enforced"):
			if len(kept) > 0 && kept[len(kept)-1].Is("not") {
				kept = kept[:len(kept)-1]
			}
		case t.Is("generated"):
			end := afterParens(tokens, i)
			kept = append(kept, tokens[i:end]...)
			flush()
			switch {
			case end < len(tokens) && (tokens[end].Is("stored") || tokens[end].Is("virtual")):
				end++
				fallthrough
			case tokens[end-1].Is(")") && !isIdentity(tokens[i:end]):
				all = append(all, literal("STORED", t.Start))
			}
			i = end - 1
		default:
			kept = append(kept, t)
		}
	}
	flush()
	return all
}

func isIdentity(tokens []sqltext.Token) bool {
	return slices.ContainsFunc(tokens, func(t sqltext.Token) bool { return t.Is("identity") })
}

// afterParens is the index behind the parentheses that open first, from a token
// on; the one behind GENERATED … IDENTITY where there are none.
func afterParens(tokens []sqltext.Token, from int) int {
	depth := 0
	for i := from; i < len(tokens); i++ {
		switch {
		case tokens[i].Is("("):
			depth++
		case tokens[i].Is(")"):
			if depth--; depth == 0 {
				return i + 1
			}
		case depth == 0 && tokens[i].Is("identity"):
			if i+1 == len(tokens) || !tokens[i+1].Is("(") {
				return i + 1
			}
		}
	}
	return len(tokens)
}
