package history

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// readFile follows the statements of a file, which begins a session of its own.
func (f *follower) readFile() {
	if !f.keepPath {
		f.path, f.pathSet = []string{"public"}, false
	}
	text := f.files[f.file]
	statements := sqltext.Split(text)
	undone := rolledBack(statements)
	for i, s := range statements {
		switch {
		case undone[i]:
		case s.Psql:
			if includes(string(text[s.Start:s.End])) {
				f.includes = append(f.includes, Place{f.file, s.Start})
			}
		case !s.Data:
			f.statement(s.Tokens)
		}
	}
	f.endTransaction()
	f.tables = slices.DeleteFunc(f.tables, func(t *table) bool { return t.temporary })
}

// rolledBack is the statements that a ROLLBACK takes back, by index.
func rolledBack(statements []sqltext.Statement) map[int]bool {
	undone := map[int]bool{}
	begin, savepoints := -1, map[string]int{}
	for i, s := range statements {
		if len(s.Tokens) == 0 {
			continue
		}
		c := sqltext.NewCursor(s.Tokens)
		from := -1
		switch {
		case c.Take("begin"), c.Take("start", "transaction"):
			begin = i
		case c.Take("commit"), c.Take("end"):
			begin = -1
			clear(savepoints)
		case c.Take("savepoint"):
			savepoints[c.Peek().Text] = i
		case c.Take("rollback"), c.Take("abort"):
			c.TakeAny("work", "transaction")
			if c.Take("to") {
				c.Take("savepoint")
				if at, ok := savepoints[c.Peek().Text]; ok {
					from = at
				}
				break
			}
			from, begin = begin, -1
		}
		for j := from + 1; from >= 0 && j < i; j++ {
			undone[j] = true
		}
	}
	return undone
}

// includes reports whether a command of psql reads another file.
func includes(command string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(command, `\`), " ")
	return slices.Contains([]string{"i", "ir", "include", "include_relative"}, strings.TrimSpace(first))
}

// statement follows one statement. What a placeholder before it stands for is not
// known.
func (f *follower) statement(tokens []sqltext.Token) {
	for len(tokens) > 0 && tokens[0].Kind == sqltext.Placeholder {
		if strings.Contains(tokens[0].Text, "template") { // of tern: another file
			f.includes = append(f.includes, Place{f.file, tokens[0].Start})
		}
		tokens = tokens[1:]
	}
	if len(tokens) == 0 {
		return
	}
	c := sqltext.NewCursor(tokens)
	switch {
	case c.Take("create"):
		f.create(c, tokens)
	case c.Take("alter"):
		f.alter(c, tokens)
	case c.Take("drop"):
		f.drop(c, tokens)
	case c.Take("set"):
		f.set(c)
	case c.Take("reset"):
		if c.Is("search_path") || c.Is("all") {
			f.path = []string{"public"}
		}
	case c.Is("commit"), c.Is("end"), c.Is("rollback"), c.Is("abort"):
		f.endTransaction()
	case c.Is("select"), c.Is("with"):
		f.query(tokens)
	case c.Is("("), known(c.Peek(), harmless):
		f.look(tokens)
	default:
		f.unknown(tokens)
	}
}

// harmless is how statements begin that make no table, unless there is one in
// a text that they hold.
var harmless = []string{
	"analyse", "analyze", "begin", "call", "checkpoint", "close", "cluster", "comment", "copy", "deallocate", "declare", "delete",
	"discard", "do", "execute", "explain", "fetch", "grant", "import", "insert", "listen", "load", "lock", "merge", "move",
	"notify", "prepare", "reassign", "refresh", "reindex", "release", "repack", "revoke", "savepoint", "security", "show", "start",
	"table", "truncate", "unlisten", "update", "vacuum", "values", "wait",
}

// unknown keeps a statement that is none of Postgres, if it names the table, so
// that sqlc says what is wrong with it.
func (f *follower) unknown(tokens []sqltext.Token) {
	named := slices.ContainsFunc(tokens, func(t sqltext.Token) bool {
		return (t.Kind == sqltext.Word || t.Kind == sqltext.Quoted) && t.Text == f.want.name
	})
	if named {
		f.add(nil, f.verbatim(tokens)...)
		return
	}
	f.look(tokens)
}

// query follows a query: one that makes a table, or sets the search_path.
func (f *follower) query(tokens []sqltext.Token) {
	if value, local, ok := setConfig(tokens); ok {
		f.setPath(strings.Split(value, ","), local)
		return
	}
	depth := 0
	for i, t := range tokens {
		switch {
		case t.Is("("):
			depth++
		case t.Is(")"):
			depth--
		case depth == 0 && t.Is("into"):
			c := sqltext.NewCursor(tokens[i+1:])
			temporary := false
			for c.Is("temp") || c.Is("temporary") || c.Is("unlogged") {
				temporary = c.Next().Text != "unlogged" || temporary
			}
			c.Take("table")
			name, ok := c.Name()
			if !ok {
				return
			}
			f.createAs(name, temporary, tokens[0].Start, slices.Concat(tokens[:i], c.Rest()))
			return
		}
	}
	f.look(tokens)
}

// setConfig is the value that SELECT set_config('search_path', …) gives to it, and
// whether that is for the transaction only.
func setConfig(tokens []sqltext.Token) (value string, local, ok bool) {
	for i, t := range tokens {
		if !t.Is("set_config") || i+5 >= len(tokens) {
			continue
		}
		setting, to := tokens[i+2], tokens[i+4]
		if setting.Kind == sqltext.String && setting.Text == "search_path" && to.Kind == sqltext.String {
			return to.Text, i+6 < len(tokens) && tokens[i+6].Is("true"), true
		}
	}
	return "", false, false
}

// set follows SET search_path and SET SCHEMA.
func (f *follower) set(c *sqltext.Cursor) {
	local := c.Take("local")
	c.Take("session")
	switch {
	case c.Take("schema"):
		f.setPath([]string{c.Next().Text}, local)
	case c.Take("search_path"):
		if !c.Take("to") {
			c.Take("=")
		}
		if c.Is("default") {
			f.path = []string{"public"}
			return
		}
		var names []string
		for _, item := range c.Items() {
			if len(item) == 0 {
				continue
			}
			if item[0].Kind == sqltext.Placeholder {
				names = append(names, f.want.schema)
				continue
			}
			names = append(names, strings.Split(item[0].Text, ",")...)
		}
		f.setPath(names, local)
	}
}

// setPath sets the search_path. Where no schema of the service's own is in it, it
// is what it is without a setting: nothing could be created.
func (f *follower) setPath(names []string, local bool) {
	var path []string
	for _, name := range names {
		name = strings.Trim(name, ` "`)
		if name != "" && !strings.HasPrefix(name, "pg_") && !strings.HasPrefix(name, "$") {
			path = append(path, name)
		}
	}
	if len(path) == 0 {
		path = []string{"public"}
	}
	if local && f.outside == nil {
		f.outside = f.path
	}
	f.path, f.pathSet = path, true
	f.earlier = append(f.earlier, path...)
}

func (f *follower) endTransaction() {
	if f.outside != nil {
		f.path, f.outside = f.outside, nil
	}
	f.tables = slices.DeleteFunc(f.tables, func(t *table) bool { return t.untilCommit })
}

// lookup is the table that a name means at this point, nil where there is none.
func (f *follower) lookup(n sqltext.Name) *table {
	var named []*table
	for _, t := range f.tables {
		if t.name == n.Name {
			named = append(named, t)
		}
	}
	in := func(fits func(t *table) bool) *table {
		for _, t := range slices.Backward(named) {
			if fits(t) {
				return t
			}
		}
		return nil
	}
	switch {
	case n.Schema == "pg_temp":
		return in(func(t *table) bool { return t.temporary })
	case n.Schema != "":
		return in(func(t *table) bool { return t.schema == n.Schema && !t.temporary })
	case n.AnySchema:
		if t := in(func(t *table) bool { return t.schema == f.want.schema && !t.temporary }); t != nil {
			return t
		}
	default:
		if t := in(func(t *table) bool { return t.temporary }); t != nil {
			return t
		}
		for _, schema := range f.path {
			if t := in(func(t *table) bool { return t.schema == schema }); t != nil {
				return t
			}
		}
	}
	if len(named) == 1 { // the path may be set elsewhere
		return named[0]
	}
	return nil
}

// lookupIf is lookup for a statement with or without IF EXISTS. With it, a name
// that is not in the path means nothing, unless an earlier file may have set it.
func (f *follower) lookupIf(ifExists bool, n sqltext.Name) *table {
	t := f.lookup(n)
	if t == nil || !ifExists || n.Schema != "" || n.AnySchema || t.temporary || slices.Contains(f.path, t.schema) {
		return t
	}
	if !f.pathSet && slices.Contains(f.earlier, t.schema) {
		return t
	}
	return nil
}

// wanted reports whether a name of no table could be that of the table.
func (f *follower) wanted(n sqltext.Name) bool {
	return n.Name == f.want.name && (n.Schema == "" || n.Schema == f.want.schema)
}

// schemaOf is the schema in which a name is created: the first one of the path
// that is there.
func (f *follower) schemaOf(n sqltext.Name) string {
	switch {
	case n.AnySchema:
		return f.want.schema
	case n.Schema != "":
		f.schemas[n.Schema] = true
		return n.Schema
	}
	for _, schema := range f.path {
		if f.schemas[schema] {
			return schema
		}
	}
	return f.path[0]
}

// drop follows DROP TABLE, VIEW, SCHEMA, DOMAIN.
func (f *follower) drop(c *sqltext.Cursor, tokens []sqltext.Token) {
	if !known(c.Peek(), droppable) {
		f.unknown(tokens)
		return
	}
	c.TakeAny("foreign", "materialized")
	kind := c.Next().Text
	ifExists := c.Take("if", "exists")
	for _, item := range c.Items() {
		n, ok := sqltext.NewCursor(item).Name()
		if !ok {
			continue
		}
		switch kind {
		case "table", "view":
			t := f.lookupIf(ifExists, n)
			switch {
			case t != nil:
				family := t.family()
				f.remove(n, func(other *table) bool { return slices.Contains(family, other) })
			case f.wanted(n) && !ifExists && kind == "table":
				f.add(nil, f.verbatim(tokens)...)
			}
		case "schema":
			delete(f.schemas, n.Name)
			f.remove(n, func(t *table) bool { return t.schema == n.Name })
			for r := range f.domains {
				if r.schema == n.Name {
					delete(f.domains, r)
				}
			}
		case "domain":
			if r, ok := f.domain(n); ok {
				delete(f.domains, r)
			}
		}
	}
}

// remove takes away the tables that are gone by a name in a DROP.
func (f *follower) remove(by sqltext.Name, gone func(t *table) bool) {
	f.tables = slices.DeleteFunc(f.tables, func(t *table) bool {
		if gone(t) && t.relation == f.want && !t.temporary {
			f.dropped = &Place{f.file, by.At}
		}
		return gone(t)
	})
}

// domain is the domain that a name means at this point.
func (f *follower) domain(n sqltext.Name) (relation, bool) {
	if n.Schema != "" {
		r := relation{n.Schema, n.Name}
		_, ok := f.domains[r]
		return r, ok
	}
	for _, schema := range f.path {
		r := relation{schema, n.Name}
		if _, ok := f.domains[r]; ok {
			return r, true
		}
	}
	var named []relation
	for r := range f.domains {
		if r.name == n.Name {
			named = append(named, r)
		}
	}
	if len(named) == 1 {
		return named[0], true
	}
	return relation{}, false
}
