package history

import (
	"cmp"
	"regexp"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

func (f *follower) alter(c *sqltext.Cursor, tokens []sqltext.Token) {
	if !known(c.Peek(), alterable) {
		f.unknown(tokens)
		return
	}
	c.TakeAny("foreign", "materialized")
	switch {
	case c.Take("table"), c.Take("view"):
		if !c.Is("all") {
			f.alterTable(c, tokens)
		}
	case c.Take("schema"):
		if from, ok := c.Name(); ok && c.Take("rename", "to") {
			if to, ok := c.Name(); ok {
				f.renameSchema(from.Name, to.Name)
			}
		}
	case c.Take("domain"):
		f.alterDomain(c)
	case c.Take("type"):
		f.alterType(c, tokens)
	case c.Take("sequence"), c.Take("index"):
		ifExists := c.Take("if", "exists") || f.tolerant
		if name, ok := c.Name(); ok && !hasPlaceholder(tokens) {
			f.alterOther(name, ifExists, c)
		} else if tokens[1].Is("index") {
			f.mayChangeAny()
		}
	case c.Is("function"), c.Is("procedure"), c.Is("routine"):
		f.alterFunction(c)
	case c.Is("database"), c.Is("role"), c.Is("user"):
		f.alterSettings(c)
	default:
		f.look(tokens)
	}
}

// alterSettings follows a search_path that is set for later sessions.
func (f *follower) alterSettings(c *sqltext.Cursor) {
	if !f.keepPath {
		return
	}
	if _, rest, ok := cut(c.Rest(), "set"); ok {
		f.set(sqltext.NewCursor(rest))
	}
}

func (f *follower) renameSchema(from, to string) {
	for _, t := range f.tables {
		if t.schema == from {
			t.schema = to
		}
	}
	for _, k := range f.kinds {
		if k.schema == from {
			k.schema = to
		}
	}
	delete(f.schemas, from)
	f.schemas[to] = true
}

// move renames a table or moves it to another schema, if that is next.
func (f *follower) move(t *table, c *sqltext.Cursor) bool {
	switch {
	case c.Take("rename", "to"):
		t.plain = t.plain && !isPlaceholder(c.Peek()) && !f.doubtful()
		if n, ok := c.Name(); ok {
			f.leaves(t, n)
			t.name = n.Name
		}
	case c.Take("set", "schema"):
		t.plain = t.plain && !isPlaceholder(c.Peek()) && !f.doubtful()
		if n, ok := c.Name(); ok {
			f.leaves(t, n)
			t.schema = n.Name
		} else if c.Peek().Kind == sqltext.Placeholder {
			t.schema = f.want.schema
		}
	default:
		return false
	}
	return true
}

// leaves records where the table gets another name, in case it never comes back.
func (f *follower) leaves(t *table, to sqltext.Name) {
	if t.relation == f.want && !t.temporary {
		f.dropped = new(f.place(to.At))
	}
}

func (f *follower) alterTable(c *sqltext.Cursor, tokens []sqltext.Token) {
	ifExists := c.Take("if", "exists") || f.tolerant
	only := c.Take("only")
	name, ok := c.Name()
	if !ok {
		f.unknown(tokens)
		return
	}
	t := f.lookupIf(ifExists, name)
	if t == nil {
		if !f.alterOther(name, ifExists, c) && f.wanted(name) && !ifExists {
			f.add(nil, f.verbatim(tokens)...)
		}
		return
	}
	c.Take("*")
	if c.Done() && !f.tolerant {
		action{follower: f, table: t, start: tokens[0].Start, at: name.At}.keep(nil)
	}
	f.actions(t, tokens[0].Start, name.At, only, c.Items())
}

// actions follows the actions on a table. start is the offset of the statement, at that
// of the name.
func (f *follower) actions(t *table, start, at int, only bool, items [][]sqltext.Token) {
	a := action{follower: f, table: t, start: start, at: at, only: only}
	slices.SortStableFunc(items, func(x, y []sqltext.Token) int { return cmp.Compare(pass(x), pass(y)) })
	for _, item := range items {
		a.follow(item)
		f.addPending(t)
	}
}

// pass returns the order of an action in Postgres: first it drops columns, defaults and
// the like, then it changes types, then it adds columns, then the rest. So an action can
// be about a column that a later one adds.
func pass(item []sqltext.Token) int {
	const (
		drops = iota
		changesType
		addsColumn
		rest
	)
	switch c := sqltext.NewCursor(item); {
	case c.Take("drop"):
		return drops
	case c.Take("add"):
		if !c.Take("column") && isConstraint(c.Rest()) {
			return rest
		}
		return addsColumn
	case c.Take("alter"):
		c.Take("column")
		c.Next()
		switch {
		case c.Take("drop"):
			return drops
		case c.Take("type"), c.Take("set", "data", "type"):
			return changesType
		}
	}
	return rest
}

// action is one ALTER TABLE of a table.
type action struct {
	*follower
	table     *table
	start, at int // offsets of the statement and of the name
	only      bool
}

// others are the beginnings of actions that do not change columns.
var others = []string{
	"enable", "disable", "owner", "cluster", "set", "reset", "replica", "force", "no", "validate", "options", "split", "merge",
	"depends",
}

func (a action) follow(item []sqltext.Token) {
	if len(item) == 0 {
		a.keep(nil)
		return
	}
	c := sqltext.NewCursor(item)
	switch first := item[0]; {
	case isPlaceholder(first):
		a.table.plain, a.table.filled = false, true
	case a.move(a.table, c):
	case c.Take("rename", "constraint"):
		a.renameConstraint(c, item)
	case c.Take("rename"):
		a.rename(c, item)
	case c.Take("add"):
		a.add(c, item)
	case c.Take("drop"):
		if !c.Is("constraint") {
			a.drop(c, item)
		} else {
			a.dropConstraint(c, item)
		}
	case c.Take("alter"):
		a.alterColumn(c, item)
	case c.Take("of"), c.Take("inherit"):
		if parent, ok := a.named(c); ok {
			parent.adopt(a.table)
		}
	case c.Take("no", "inherit"):
		if parent, ok := a.named(c); ok {
			parent.disown(a.table)
		}
	case c.Take("detach", "partition"):
		if child, ok := a.named(c); ok {
			a.table.disown(child)
		}
	case c.Take("attach", "partition"):
		if child, ok := a.named(c); ok {
			a.table.adopt(child)
			child.plain, child.filled = false, true // it gets the keys and triggers of the table
		}
	case c.Take("not", "of"):
		for _, parent := range a.tables {
			if parent.isType {
				parent.disown(a.table)
			}
		}
	case known(first, others), a.tolerant:
	default:
		a.keep(a.verbatim(item))
	}
}

// named returns the table that is next.
func (a action) named(c *sqltext.Cursor) (*table, bool) {
	n, ok := c.Name()
	if !ok {
		return nil, false
	}
	t := a.lookup(n)
	return t, t != nil
}

// keep adds an action to the table as its own statement.
func (a action) keep(does []piece) { a.keepFor(a.table, does) }

func (a action) keepFor(t *table, does []piece) {
	a.follower.add(t, append([]piece{literal("ALTER TABLE", a.start), {table: t, source: a.at}}, does...)...)
}

func (a action) add(c *sqltext.Cursor, item []sqltext.Token) {
	if hasPlaceholder(item) {
		a.table.plain = false
	}
	if !c.Take("column") && isConstraint(c.Rest()) {
		if a.doubtful() {
			a.table.mayGetKey(c.Rest())
		} else {
			for _, t := range a.all() {
				t.constrain(c.Rest())
			}
		}
		a.table.added = append(a.table.added, a.keysIn(c.Rest())...)
		return
	}
	ifNotExists := c.Take("if", "not", "exists") || a.tolerant
	switch definition := c.Rest(); {
	case len(definition) == 0:
		a.keep(a.verbatim(item))
	case isPlaceholder(definition[0]) && !hasName(definition):
	default:
		if a.doubtful() {
			a.table.mayGetKey(definition)
		}
		pieces, own, ok := a.column(definition)
		if ok && (!ifNotExists || !a.table.has(own.name)) {
			a.table.added = append(a.table.added, a.keysIn(definition)...)
		}
		a.addColumn(item[0].Start, pieces, own, ifNotExists)
	}
}

// namedByPlaceholder describes a change of a column whose name only the migration tool
// knows.
const namedByPlaceholder = "a statement with a placeholder"

func isPlaceholder(t sqltext.Token) bool { return t.Kind == sqltext.Placeholder }

// inQuotes matches a placeholder in a name with quotes.
var inQuotes = regexp.MustCompile(`\$\{|\{\{`)

// hasPlaceholder reports whether a part of a statement is not known here.
func hasPlaceholder(tokens []sqltext.Token) bool {
	return slices.ContainsFunc(tokens, func(t sqltext.Token) bool {
		return isPlaceholder(t) || t.Kind == sqltext.Quoted && inQuotes.MatchString(t.Text)
	})
}

// hasName reports whether tokens begin with a name that is at least partly known.
func hasName(tokens []sqltext.Token) bool {
	_, ok := sqltext.NewCursor(tokens).Name()
	return ok
}

// addColumn adds a column to a table and its children.
func (a action) addColumn(at int, definition []piece, own column, ifNotExists bool) {
	if ifNotExists && a.table.has(own.name) {
		return
	}
	var add func(t *table, local bool)
	add = func(t *table, local bool) {
		words := "ADD COLUMN"
		if ifNotExists || !local {
			words = "ADD COLUMN IF NOT EXISTS"
		}
		a.keepFor(t, append([]piece{literal(words, at)}, definition...))
		had := t.has(own.name)
		if had {
			t.find(own.name).unsure = true // it may keep its own default
		}
		t.gets(own, local)
		for _, child := range t.children {
			if !had && !a.only {
				add(child, false)
			}
		}
	}
	add(a.table, true)
}

// rename renames a column of a table and its children.
func (a action) rename(c *sqltext.Cursor, item []sqltext.Token) {
	c.Take("column")
	from := c.Next().Text
	c.Take("to")
	to := c.Next().Text
	if slices.ContainsFunc(item, isPlaceholder) {
		a.doubt(item[0].Start, namedByPlaceholder)
		return
	}
	if a.tolerant && (!a.table.has(from) || a.table.has(to)) {
		return
	}
	a.table.plain = a.table.plain && !a.doubtful()
	for _, t := range a.all() {
		a.keepFor(t, a.verbatim(item))
		a.renameKeyColumn(t, from, to)
		t.loses(from, to, a.place(item[0].Start))
		for i := range t.columns {
			if t.columns[i].name == from {
				t.columns[i].name = to
			}
		}
	}
}

// all returns the table and its children, or only the table with ONLY.
func (a action) all() []*table {
	if a.only {
		return []*table{a.table}
	}
	return a.table.family()
}

// family returns a table and all tables that inherit from it, directly or not.
func (t *table) family() []*table {
	all := []*table{t}
	for i := 0; i < len(all); i++ {
		for _, child := range all[i].children {
			if !slices.Contains(all, child) {
				all = append(all, child)
			}
		}
	}
	return all
}

// drop drops a column of a table and its children.
func (a action) drop(c *sqltext.Cursor, item []sqltext.Token) {
	c.Take("column")
	ifExists := c.Take("if", "exists") || a.tolerant
	column := c.Peek()
	switch {
	case isPlaceholder(column):
		a.doubt(column.Start, namedByPlaceholder)
		return
	case column.Kind != sqltext.Word && column.Kind != sqltext.Quoted:
		a.keep(a.verbatim(item))
		return
	}
	a.dropColumn(column.Start, column.Text, ifExists)
}

// dropColumn drops a column, and that of the children that no other parent provides and
// that they do not define themselves.
func (a action) dropColumn(at int, name string, ifExists bool) {
	var drop func(t *table)
	drop = func(t *table) {
		words := "DROP COLUMN"
		if ifExists || t != a.table {
			words = "DROP COLUMN IF EXISTS"
		}
		a.keepFor(t, []piece{literal(words, at), {text: quoted(name), source: at}})
		had := t.has(name)
		t.loses(name, "", a.place(at))
		t.columns = slices.DeleteFunc(t.columns, func(c column) bool { return c.name == name })
		a.dropIndexes(t, func(x *index) bool { return slices.Contains(x.uses, name) })
		for _, child := range t.children {
			own := child.find(name)
			switch {
			case own == nil || !had:
			case a.only:
				own.left()
			case own.inherited <= 1 && !own.local:
				drop(child)
			default:
				own.inherited--
			}
		}
	}
	drop(a.table)
}

// alterColumn keeps the new type of a column.
func (a action) alterColumn(c *sqltext.Cursor, item []sqltext.Token) {
	if c.Take("constraint") {
		return
	}
	c.Take("column")
	column := c.Next()
	switch {
	case c.Take("type"), c.Take("set", "data", "type"):
		if isPlaceholder(column) {
			a.doubt(column.Start, namedByPlaceholder)
			return
		}
		if a.tolerant && !a.table.has(column.Text) {
			return
		}
		written, _ := splitType(c.Rest())
		does := []piece{literal("ALTER COLUMN", item[0].Start), {text: quoted(column.Text), source: column.Start}, literal("TYPE", column.Start)}
		does = append(does, a.typePieces(written)...)
		for _, t := range a.all() {
			a.keepFor(t, does)
			for i := range t.columns {
				if own := &t.columns[i]; own.name == column.Text {
					own.kind, own.foreign = a.typeOf(written)
					own.array = isArray(written)
					own.unsure = own.unsure || a.doubtful() || own.mayBeDomain()
				}
			}
		}
	case known(c.Peek(), []string{"set", "drop", "reset", "add", "restart"}), c.Peek().Kind == sqltext.Placeholder, a.tolerant:
		for _, t := range a.all() {
			t.filled = t.filled || isPlaceholder(column)
			if own := t.find(column.Text); own != nil {
				rest := *c
				if !a.doubtful() && rest.Take("set", "not", "null") {
					t.mustNotBeNull(column.Text, "")
				} else {
					own.follow(&rest, a.doubtful())
				}
			}
		}
	default:
		a.keep(a.verbatim(item))
	}
}
