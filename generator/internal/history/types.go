package history

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// kind is a user-defined type under its current name.
type kind struct {
	relation
	// made is the Postgres type that a domain is based on; "" for other types.
	made    string
	base    *kind // the domain that a domain is based on, if there is one
	notNull bool
	filled  bool // by a default
	unsure  bool // not all of it is known
}

// refusesNull reports whether a domain, nil if there is none, refuses null.
func (k *kind) refusesNull() bool { return k != nil && (k.notNull || k.base.refusesNull()) }

// fills reports whether a domain, nil if there is none, has a default.
func (k *kind) fills() bool { return k != nil && k.filled }

// define reads what follows the type that a domain is based on.
func (k *kind) define(c *sqltext.Cursor) {
	for !c.Done() {
		switch {
		case c.Take("constraint"):
			c.Next()
		case c.Take("not", "null"):
			k.notNull = true
		case c.Take("default", "null"):
			k.filled = false
		case c.Take("default"):
			k.filled = true
			skipExpression(c)
		case c.Is("("):
			c.Group()
		default:
			next := c.Next()
			k.unsure = k.unsure || isPlaceholder(next)
		}
	}
}

// change follows a change of a domain's default or of whether it refuses null.
func (k *kind) change(c *sqltext.Cursor) {
	switch {
	case c.Take("set", "not", "null"):
		k.notNull = true
	case c.Take("drop", "not", "null"):
		k.notNull = false
	case c.Take("set", "default", "null"), c.Take("drop", "default"):
		k.filled = false
	case c.Take("set", "default"):
		k.filled = true
	case c.Take("drop", "constraint"):
		k.unsure = k.unsure || k.notNull // it may be that of NOT NULL, from Postgres 17 on
	case c.Take("add"):
		k.define(c)
	}
}

// ofPostgres are the types that a name without a schema means with any search_path:
// those that a column of the outbox may have.
var ofPostgres = []string{
	"bigint", "bigserial", "bool", "boolean", "bpchar", "char", "character", "date", "decimal", "double", "float", "int", "int2",
	"int4", "int8", "integer", "json", "jsonb", "nchar", "numeric", "real", "serial", "serial4", "serial8", "smallint", "text",
	"time", "timestamp", "timestamptz", "timetz", "uuid", "varchar", "xid", "xid8",
}

// ofExtensions are the types that depend on an extension.
var ofExtensions = map[string][]string{
	"citext": {"citext"}, "hstore": {"hstore"}, "ltree": {"ltree", "lquery", "ltxtquery"}, "cube": {"cube"}, "isn": {"isbn", "issn"},
	"postgis": {"geometry", "geography"}, "vector": {"vector", "halfvec", "sparsevec"}, "semver": {"semver"},
}

// kindOf returns the user-defined type that a name currently means, or nil.
func (f *follower) kindOf(n sqltext.Name) *kind {
	in := func(schema string) *kind {
		return last(f.kinds, func(k *kind) bool { return k.relation == relation{schema, n.Name} })
	}
	switch {
	case n.Schema != "":
		return in(n.Schema)
	case !n.AnySchema && slices.Contains(ofPostgres, n.Name):
		return nil
	}
	for _, schema := range f.path {
		if k := in(schema); k != nil {
			return k
		}
	}
	return only(f.kinds, func(k *kind) bool { return k.name == n.Name })
}

// createDomain stores the base type of a domain.
func (f *follower) createDomain(c *sqltext.Cursor) {
	name, ok := c.Name()
	if !ok {
		return
	}
	c.Take("as")
	base, tail := splitType(c.Rest())
	var all []string
	for _, p := range f.typePieces(base) {
		all = append(all, p.text)
	}
	k := &kind{relation: relation{f.schemaOf(name), name.Name}, made: strings.Join(all, " "), unsure: f.doubtful()}
	if of, foreign := f.typeOf(base); !isArray(base) && of != nil && of.made != "" {
		k.base, k.filled, k.unsure = of, of.filled, k.unsure || of.unsure
	} else {
		k.unsure = k.unsure || of == nil && foreign != "" && !slices.Contains(ofPostgres, foreign)
	}
	k.define(sqltext.NewCursor(tail))
	f.kinds = append(f.kinds, k)
}

// createType follows a type with columns, because a table may be of it.
func (f *follower) createType(c *sqltext.Cursor, start int) {
	name, ok := c.Name()
	if !ok {
		return
	}
	f.kinds = append(f.kinds, &kind{relation: relation{f.schemaOf(name), name.Name}})
	if !c.Take("as") || !c.Is("(") {
		return
	}
	t := f.newTable(name, false)
	t.isType = true
	elements := f.elements(c, t) // all of them are columns
	f.add(t, append([]piece{literal("CREATE TABLE", start), {table: t, source: name.At}}, elements...)...)
	f.tables = append(f.tables, t)
}

func (f *follower) alterDomain(c *sqltext.Cursor) {
	n, ok := c.Name()
	if k := f.kindOf(n); ok && k != nil {
		k.unsure = k.unsure || f.doubtful() || hasPlaceholder(c.Rest())
		rest := *c
		k.change(&rest)
		k.alter(c)
	}
}

// alterType follows changes of a type's name and its attributes.
func (f *follower) alterType(c *sqltext.Cursor, tokens []sqltext.Token) {
	n, ok := c.Name()
	if !ok {
		return
	}
	if k := f.kindOf(n); k != nil {
		rest := *c
		k.alter(&rest)
	}
	t := f.lookup(n)
	if t == nil {
		return
	}
	var items [][]sqltext.Token
	for _, item := range c.Items() {
		items = append(items, asColumn(item))
	}
	f.actions(t, tokens[0].Start, n.At, false, items)
}

// asColumn returns the action on an attribute of a type as one on a column.
func asColumn(item []sqltext.Token) []sqltext.Token {
	all := slices.Clone(item)
	if len(all) > 1 && all[1].Is("attribute") {
		all = slices.Delete(all, 1, 2)
	}
	if last := len(all) - 1; last > 1 && (all[last].Is("cascade") || all[last].Is("restrict")) {
		all = all[:last]
	}
	return all
}

// dropKinds drops types, and the columns of these types.
func (f *follower) dropKinds(at int, gone func(k *kind) bool) {
	f.kinds = slices.DeleteFunc(f.kinds, gone)
	f.dropColumns(at, func(c column) bool { return c.kind != nil && gone(c.kind) })
}

// dropColumns drops the columns that depend on a dropped object.
func (f *follower) dropColumns(at int, gone func(c column) bool) {
	for _, t := range f.tables {
		for _, c := range slices.Clone(t.columns) {
			if gone(c) {
				action{follower: f, table: t, start: at, at: at}.dropColumn(at, c.name, true)
			}
		}
	}
}

// dropExtension drops the columns that have a type of an extension.
func (f *follower) dropExtension(at int, name string) {
	f.dropColumns(at, func(c column) bool { return slices.Contains(ofExtensions[name], c.foreign) })
}
