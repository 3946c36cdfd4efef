package history

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// column is a column of a table, with what sqlc does not know about it.
type column struct {
	name    string
	kind    *kind  // its type, if that is one of the service's own
	foreign string // the name of its type, if an extension may define it
	array   bool   // of that type
	// local means that the table defines it itself. inherited is the number of its
	// parents that have it too. The column is dropped when it has neither.
	local     bool
	inherited int
	valued
}

func (t *table) find(name string) *column {
	for i := range t.columns {
		if t.columns[i].name == name {
			return &t.columns[i]
		}
	}
	return nil
}

func (t *table) has(name string) bool { return t.find(name) != nil }

// gets adds a column to a table, as its own or from one more parent.
func (t *table) gets(c column, local bool) {
	t.named, c.checks = append(t.named, c.checks...), nil
	if own := t.find(c.name); own == nil {
		c.local, c.inherited = false, 0
		notNull, because := c.notNull, c.because
		c.notNull, c.because = false, ""
		t.columns = append(t.columns, c)
		if notNull {
			t.mustNotBeNull(c.name, because)
		}
	} else { // from one more parent
		if c.notNull {
			t.mustNotBeNull(c.name, c.because)
		}
		own.filled = own.filled || c.filled
		own.generated = own.generated || c.generated
		own.unsure = own.unsure || c.unsure
	}
	own := t.find(c.name)
	if local {
		own.local = true
	} else {
		own.inherited++
	}
}

// loses records that a column is renamed or, without a new name, dropped.
func (t *table) loses(name, to string, at Place) {
	if own := t.find(name); own != nil {
		t.gone = append(t.gone, Gone{at, name, to, own.inherited > 0})
	}
}

// adopt makes a table, which has all of these columns already, a child of this one.
func (t *table) adopt(child *table) {
	t.children = append(t.children, child)
	for _, c := range t.columns {
		if own := child.find(c.name); own != nil {
			own.inherited++
		}
	}
}

// disown ends the inheritance of a table from this one. It keeps the columns.
func (t *table) disown(child *table) {
	at := slices.Index(t.children, child)
	if at < 0 {
		return
	}
	t.children = slices.Delete(t.children, at, at+1)
	for _, c := range t.columns {
		if own := child.find(c.name); own != nil {
			own.left()
		}
	}
}

// left removes one parent, and makes the column the table's own if none is left.
func (c *column) left() {
	c.inherited--
	c.local = c.local || c.inherited <= 0
}

// elements reads the elements of a table in parentheses, and returns them with the
// parentheses. It replaces constraints by one that sqlc always understands.
func (f *follower) elements(c *sqltext.Cursor, t *table) []piece {
	all := []piece{literal("(", c.Next().Start)}
	items := c.Items()
	end := c.Last()
	for i, item := range items {
		if i > 0 {
			all = append(all, literal(",", all[len(all)-1].source))
		}
		element, isColumn := f.element(t, item)
		if isColumn {
			t.own = append(t.own, element)
		}
		all = append(all, element...)
	}
	if end.Is(")") {
		all = append(all, literal(")", end.Start))
	}
	return all
}

// noConstraint replaces elements that do not affect columns.
const noConstraint = "CHECK (true)"

// constraints are the first words of table elements that are no columns.
var constraints = []string{"constraint", "unique", "primary", "check", "foreign", "not"}

// isConstraint reports whether an element of a table, or an added one, is not a column.
// A column may be called exclude or period.
func isConstraint(item []sqltext.Token) bool {
	switch {
	case len(item) > 1 && item[0].Is("exclude"):
		return item[1].Is("(") || item[1].Is("using")
	case len(item) > 1 && item[0].Is("period"):
		return item[1].Is("for")
	}
	return len(item) > 0 && known(item[0], constraints)
}

// element returns one element of a table, and whether it is a column.
func (f *follower) element(t *table, item []sqltext.Token) (pieces []piece, isColumn bool) {
	if len(item) == 0 {
		return nil, false
	}
	c := sqltext.NewCursor(item)
	switch first := item[0]; {
	case isConstraint(item):
		t.constraints = append(t.constraints, item)
		t.added = append(t.added, f.keysIn(item)...)
		return []piece{literal(noConstraint, first.Start)}, false
	case c.Take("like"):
		n, ok := c.Name()
		if other := f.lookup(n); ok && other != nil {
			f.like(t, other, c.Rest(), n.At)
			return []piece{literal(noConstraint, first.Start)}, false
		}
		return f.verbatim(item), false
	}
	if _, ok := c.Name(); !ok && item[0].Kind == sqltext.Placeholder { // elements that are unknown here
		return []piece{literal(noConstraint, item[0].Start)}, false
	}
	pieces, own, ok := f.column(item)
	if ok {
		t.gets(own, true)
		t.added = append(t.added, f.keysIn(item)...)
	}
	return pieces, ok
}

// column reads the definition of a column.
func (f *follower) column(item []sqltext.Token) ([]piece, column, bool) {
	c := sqltext.NewCursor(item)
	name, ok := c.Name()
	if !ok {
		return f.verbatim(item), column{}, false
	}
	written, tail := splitType(c.Rest())
	pieces := []piece{{text: quoted(name.Name), source: name.At}}
	pieces = append(pieces, f.typePieces(written)...)
	own := column{name: name.Name}
	own.kind, own.foreign = f.typeOf(written)
	own.array = isArray(written)
	own.valued = f.valuedOf(name, own, written, tail)
	return append(pieces, f.tail(tail)...), own, true
}

// typeOf returns the type as written, if it is not one of Postgres.
func (f *follower) typeOf(written []sqltext.Token) (k *kind, foreign string) {
	n, ok := sqltext.NewCursor(written).Name()
	if !ok {
		return nil, ""
	}
	if k := f.kindOf(n); k != nil {
		return k, ""
	}
	return nil, n.Name
}

// isArray reports whether a type is an array.
func isArray(written []sqltext.Token) bool {
	return slices.ContainsFunc(written, func(t sqltext.Token) bool { return t.Is("[") || t.Is("array") })
}

// afterType is the words that end the type of a column.
var afterType = []string{
	"constraint", "not", "null", "check", "default", "generated", "unique", "primary", "references", "collate", "storage",
	"compression", "deferrable", "initially", "options", "using", "enforced",
}

func splitType(tokens []sqltext.Token) (written, tail []sqltext.Token) {
	depth := 0
	for i, t := range tokens {
		// A placeholder with a space before it is not a part of a name.
		isTail := i > 0 && depth == 0 && isPlaceholder(t) && tokens[i-1].End < t.Start
		switch {
		case known(t, afterType), isTail:
			return tokens[:i], tokens[i:]
		case t.Is("("):
			depth++
		case t.Is(")"):
			depth--
		}
	}
	return tokens, nil
}

// typePieces returns a type; a domain becomes its base type.
func (f *follower) typePieces(written []sqltext.Token) []piece {
	if len(written) == 0 {
		return nil
	}
	c := sqltext.NewCursor(written)
	n, ok := c.Name()
	if !ok {
		if written[0].Kind == sqltext.Placeholder {
			return []piece{literal(UnknownType, written[0].Start)}
		}
		return f.verbatim(written)
	}
	if made := f.madeOf(n); made != "" {
		return append([]piece{literal(made, n.At)}, f.verbatim(c.Rest())...)
	}
	all := f.verbatim(written)
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

// madeOf returns the base type of a domain, or "" for other types. It also finds a
// domain that is created later, because files with one table each may be in any order.
func (f *follower) madeOf(n sqltext.Name) string {
	if k := f.kindOf(n); k != nil {
		return k.made
	}
	if slices.Contains(ofPostgres, n.Name) && n.Schema == "" {
		return ""
	}
	for _, k := range f.later {
		if k.name == n.Name && (n.Schema == "" || n.Schema == k.schema) {
			return k.made
		}
	}
	return ""
}

// tail returns the part of a column definition that says whether it may be null. sqlc
// does not need the rest of a definition, which is dropped. What is not valid in
// Postgres is kept, so that sqlc reports it.
func (f *follower) tail(tokens []sqltext.Token) []piece {
	var all []piece
	c := sqltext.NewCursor(tokens)
	for !c.Done() {
		rest := c.Rest()
		switch {
		case c.Take("not", "null"), c.Take("primary", "key"):
			all = append(all, f.verbatim(rest[:2])...)
			_ = c.Take("no", "inherit") || c.Take("not", "valid")
			indexOptions(c)
		case c.Take("null"), c.Take("unique"):
			all = append(all, f.verbatim(rest[:1])...)
			_ = c.Take("nulls", "distinct") || c.Take("nulls", "not", "distinct")
			indexOptions(c)
		case skipped(c):
		default:
			return append(all, f.verbatim(rest)...)
		}
	}
	return all
}

// indexOptions skips the options of a constraint with an index.
func indexOptions(c *sqltext.Cursor) {
	for c.Take("with") || c.Take("include") {
		c.Group()
	}
	if c.Take("using", "index", "tablespace") {
		c.Next()
	}
}

// skipped skips a part of a column definition that does not affect its type, if one is
// next.
func skipped(c *sqltext.Cursor) bool {
	switch {
	case c.Take("constraint"), c.Take("storage"), c.Take("compression"), c.Take("initially"):
		c.Next()
	case c.Take("check"):
		c.Group()
		_ = c.Take("no", "inherit") || c.Take("not", "valid")
	case c.Take("default"):
		return skipExpression(c)
	case c.Take("generated"):
		c.TakeAny("always", "by", "default", "as", "identity")
		c.Group()
		c.TakeAny("stored", "virtual")
	case c.Take("references"):
		_, _ = c.Name()
		c.Group()
		if c.Take("match") {
			c.Next()
		}
		for c.Take("on") {
			c.Next()
			_ = c.Take("set", "null") || c.Take("set", "default") || c.Take("no", "action") || c.TakeAny("cascade", "restrict")
			c.Group()
		}
	case c.Take("collate"):
		_, _ = c.Name()
	case c.Take("options"), c.Take("with", "options"):
		c.Group()
	case c.Take("deferrable"), c.Take("not", "deferrable"), c.Take("enforced"), c.Take("not", "enforced"):
	default:
		if c.Peek().Kind != sqltext.Placeholder {
			return false
		}
		c.Next()
	}
	return true
}

// skipExpression skips the expression of a default, which is required.
func skipExpression(c *sqltext.Cursor) bool {
	cases := 0
	for first := true; !c.Done(); first = false {
		last, t := c.Last(), c.Peek()
		operand := last.Kind == sqltext.Sign && !last.Is(")") && !last.Is("]") || last.Is("is") || last.Is("from")
		switch {
		case c.Is("("):
			c.Group()
			continue
		case t.Is("case"):
			cases++
		case t.Is("end"):
			cases--
		case first, cases > 0, operand:
		case t.Is("not"), t.Is("null"), known(t, afterType):
			return true
		}
		c.Next()
		if first && c.Done() {
			return true
		}
	}
	return !c.Last().Is("default")
}
