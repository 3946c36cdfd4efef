package history

import (
	"regexp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// asksCatalogs matches a body that queries Postgres's catalogs.
var asksCatalogs = regexp.MustCompile(`(?i)\b(information_schema|pg_(catalog|class|attribute|type|tables|views|constraint|indexes|namespace|extension|enum|roles)|to_reg\w+)\b`)

func catalogs(body []byte) bool { return asksCatalogs.Match(body) }

// holds says whether the condition of an IF is true. Conditions on existing objects are
// probably true where it matters: they guard something that runs once, and has no
// effect when it is done already.
func (b *block) holds(condition []sqltext.Token) answer {
	if parts := parted(condition, "or"); len(parts) > 1 {
		return anyOf(parts, b.holds, yes, never)
	}
	if parts := parted(condition, "and"); len(parts) > 1 {
		return anyOf(parts, b.holds, never, yes)
	}
	c := sqltext.NewCursor(condition)
	switch {
	case c.Take("not"):
		return opposite(b.holds(c.Rest()))
	case len(condition) == 1 && c.Is("true"):
		return yes
	case len(condition) == 1 && c.Is("false"):
		return never
	case c.Take("exists"):
		return b.exists(c)
	case c.Take("to_regclass", "("):
		return b.isClass(c)
	case c.Take("("):
		if inner := c.Items(); len(inner) == 1 && c.Done() {
			return b.holds(inner[0])
		}
	}
	asks := func(t sqltext.Token) bool { return t.Is("exists") || t.Is("found") }
	if b.catalogs || slices.ContainsFunc(condition, asks) {
		return likely
	}
	return unclear
}

// anyOf returns one if any of the parts has it, other if all have that, and else the
// unknown answer.
func anyOf(parts [][]sqltext.Token, holds func([]sqltext.Token) answer, one, other answer) answer {
	all := other
	for _, part := range parts {
		switch is := holds(part); {
		case is == one:
			return one
		case is == other:
		case all == other:
			all = is
		default:
			all = max(all, is)
		}
	}
	return all
}

func opposite(a answer) answer {
	switch a {
	case yes:
		return never
	case never:
		return yes
	default:
		return a
	}
}

// parted splits tokens at a word that is not in parentheses.
func parted(tokens []sqltext.Token, word string) [][]sqltext.Token {
	var parts [][]sqltext.Token
	for {
		part, rest, more := cut(tokens, word)
		parts = append(parts, part)
		if !more {
			return parts
		}
		tokens = rest
	}
}

// isClass says whether to_regclass(…) IS NULL is true.
func (b *block) isClass(c *sqltext.Cursor) answer {
	items := c.Items()
	if len(items) != 1 || !c.Take("is") {
		return likely
	}
	not := c.Take("not")
	name, ok := b.constant(items[0])
	if !ok || !c.Take("null") || !c.Done() {
		return likely
	}
	there := b.isThere(string(name.text))
	if not {
		return there
	}
	return opposite(there)
}

// isThere says whether there is a table with a name as written in SQL.
func (b *block) isThere(name string) answer {
	said := sqltext.Split([]byte(name))
	if len(said) != 1 {
		return likely
	}
	c := sqltext.NewCursor(said[0].Tokens)
	n, ok := c.Name()
	if !ok || !c.Done() {
		return likely
	}
	return b.isTable(n)
}

func (b *block) isTable(n sqltext.Name) answer {
	switch {
	case b.lookup(n) != nil:
		return yes
	case b.wanted(n):
		return never
	}
	return likely
}

// exists says whether a query of the catalogs returns a row.
func (b *block) exists(c *sqltext.Cursor) answer {
	if !c.Take("(") {
		return likely
	}
	items := c.Items()
	if len(items) == 0 || !c.Done() {
		return likely
	}
	query := slices.Concat(items...)
	_, from, _ := cut(query, "from")
	tables, where, _ := cut(from, "where")
	n, ok := sqltext.NewCursor(tables).Name()
	if !ok {
		return likely
	}
	equal, ok := b.equalities(where)
	if !ok {
		return likely
	}
	switch {
	case n.Name == "columns" && n.Schema == "information_schema":
		return b.hasColumn(equal["table_schema"], equal["table_name"], equal["column_name"])
	case n.Name == "tables" && n.Schema == "information_schema":
		return b.hasTable(equal["table_schema"], equal["table_name"])
	case n.Name == "pg_tables":
		return b.hasTable(equal["schemaname"], equal["tablename"])
	case n.Name == "pg_class":
		return b.hasTable("", equal["relname"])
	case n.Name == "pg_attribute":
		schema, table, ok := strings.Cut(equal["attrelid"], ".")
		if !ok {
			schema, table = "", schema
		}
		return b.hasColumn(schema, table, equal["attname"])
	}
	return likely
}

// besides are catalog columns in conditions that decide nothing.
var besides = []string{"relkind", "attisdropped", "attnum", "table_catalog", "table_type", "schemaname", "nspname", "relnamespace"}

// equalities returns the column values that a condition requires. The condition must
// consist only of equalities.
func (b *block) equalities(where []sqltext.Token) (map[string]string, bool) {
	if len(parted(where, "or")) > 1 {
		return nil, false
	}
	all := map[string]string{}
	for _, part := range parted(where, "and") {
		c := sqltext.NewCursor(part)
		c.Take("not")
		n, ok := c.Name()
		if !ok {
			return nil, false
		}
		if !c.Take("=") {
			if !slices.Contains(besides, n.Name) {
				return nil, false
			}
			continue
		}
		value, ok := b.constant(c.Rest())
		switch {
		case ok:
			all[n.Name] = string(value.text)
		case !slices.Contains(besides, n.Name):
			return nil, false
		}
	}
	return all, true
}

func (b *block) hasTable(schema, name string) answer {
	if name == "" {
		return likely
	}
	return b.isTable(sqltext.Name{Schema: schema, Name: name})
}

func (b *block) hasColumn(schema, name, column string) answer {
	t := b.lookup(sqltext.Name{Schema: schema, Name: name})
	switch {
	case column == "" || t == nil:
		return likely
	case t.has(column):
		return yes
	case t.ofQuery || t.opaque:
		return likely
	}
	return never
}
