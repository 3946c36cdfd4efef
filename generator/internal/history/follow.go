package history

import (
	"regexp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/script"
	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// migration follows the statements of a migration, which has its own session.
func (f *follower) migration(files script.Files, index int) {
	if !f.keepPath {
		f.path, f.pathSet = []string{"public"}, false
	}
	statements := script.Statements(files, index)
	f.inTransaction = !untransacted.Match(files.Text(index)) && !slices.ContainsFunc(statements, begins)
	for _, s := range statements {
		f.source = source{file: s.File, text: files.Text(s.File)}
		if s.Missing {
			f.includes = append(f.includes, f.place(s.Start))
			continue
		}
		f.statement(s.Tokens)
	}
	f.endTransaction()
	f.dropTemporary()
}

// dropTemporary forgets the tables of a session.
func (f *follower) dropTemporary() {
	f.tables = slices.DeleteFunc(f.tables, func(t *table) bool { return t.temporary })
}

// untransacted matches the comments with which a migration asks its tool for no
// transaction.
var untransacted = regexp.MustCompile(`(?im)^--[ \t]*(\+goose[ \t]+no[ \t]+transaction\b|atlas:txmode[ \t]+none\b|migrate:up\b.*\btransaction:[ \t]*false\b)`)

// begins reports whether a statement begins a transaction. Tools run a migration in one,
// unless it begins its own.
func begins(s script.Statement) bool {
	c := sqltext.NewCursor(s.Tokens)
	return c.Take("begin") || c.Take("start", "transaction")
}

func (f *follower) statement(tokens []sqltext.Token) {
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
	case c.Take("discard"):
		if c.Is("all") {
			f.path = []string{"public"}
		}
		if c.TakeAny("all", "temp", "temporary") {
			f.dropTemporary()
		}
	case c.Take("begin"), c.Take("start", "transaction"):
		f.inTransaction = true
	case c.Is("commit"), c.Is("end"), c.Is("rollback"), c.Is("abort"):
		f.endTransaction()
		f.inTransaction = false
	case c.Is("select"), c.Is("with"):
		f.query(tokens)
	case c.Take("do"):
		f.do(tokens)
	case c.Is("call"):
		f.call(tokens)
	case c.Is("("), known(c.Peek(), harmless):
		f.look(tokens)
	default:
		f.unknown(tokens)
	}
}

// harmless are the beginnings of statements that create no table, except in a text that
// they contain.
var harmless = []string{
	"analyse", "analyze", "begin", "call", "checkpoint", "close", "cluster", "comment", "copy", "deallocate", "declare", "delete",
	"discard", "do", "execute", "explain", "fetch", "grant", "import", "insert", "listen", "load", "lock", "merge", "move",
	"notify", "prepare", "reassign", "refresh", "reindex", "release", "repack", "revoke", "savepoint", "security", "show", "start",
	"table", "truncate", "unlisten", "update", "vacuum", "values", "wait",
}

// unknown keeps a statement that is not valid in Postgres, if it contains the name of
// the table, so that sqlc reports the error.
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

// set follows SET search_path and SET SCHEMA.
func (f *follower) set(c *sqltext.Cursor) {
	local := c.Take("local")
	c.Take("session")
	switch {
	case c.Take("schema"):
		f.setPath([]string{c.Next().Text}, local)
	case c.Peek().Text == "search_path": // may be in quotes
		c.Next()
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

// setPath sets the search_path. If it contains none of the service's schemas, it
// becomes the default, because nothing could be created in it.
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
	if local && !f.inTransaction && !f.tolerant {
		return // Postgres ignores it, with a warning
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

// lookup returns the table that a name currently means, or nil.
func (f *follower) lookup(n sqltext.Name) *table {
	in := func(fits func(t *table) bool) *table {
		return last(f.tables, func(t *table) bool { return t.name == n.Name && fits(t) })
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
	return only(f.tables, func(t *table) bool { return t.name == n.Name }) // the path may be set elsewhere
}

// last returns the last element that fits, or nil.
func last[T any](all []*T, fits func(*T) bool) *T {
	for _, e := range slices.Backward(all) {
		if fits(e) {
			return e
		}
	}
	return nil
}

// only returns the only element that fits, or nil.
func only[T any](all []*T, fits func(*T) bool) *T {
	i := slices.IndexFunc(all, fits)
	if i < 0 || slices.ContainsFunc(all[i+1:], fits) {
		return nil
	}
	return all[i]
}

// lookupIf is lookup for a statement with or without IF EXISTS. With it, a name that is
// not in the path is ignored, unless an earlier file may have set the path.
func (f *follower) lookupIf(ifExists bool, n sqltext.Name) *table {
	t := f.lookup(n)
	if t == nil || !ifExists || n.Schema != "" || n.AnySchema || t.temporary || f.inPath(t.schema) {
		return t
	}
	return nil
}

// inPath reports whether a schema is in the path, or may be because an earlier file may
// have set it.
func (f *follower) inPath(schema string) bool {
	return slices.Contains(f.path, schema) || !f.pathSet && slices.Contains(f.earlier, schema)
}

// wanted reports whether an unknown name could be that of the table.
func (f *follower) wanted(n sqltext.Name) bool {
	return n.Name == f.want.name && (n.Schema == "" || n.Schema == f.want.schema)
}

// schemaOf returns the schema in which a name is created: the first existing one of the
// path.
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
