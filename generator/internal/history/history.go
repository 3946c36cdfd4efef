// Package history extracts from a service's migrations the statements that define one
// table. It follows tables under all their names: renames, other schemas, the
// search_path, and tables that replace others.
//
// It rewrites these statements for sqlc, which supports less than Postgres: each table
// has one name from beginning to end, domains become their base types, and parts that
// do not affect columns are removed. It drops all other statements, so that none of
// them can cause an error.
//
// It follows the body of a DO, and of a function that is called, as far as its effect
// is known. It lists statements that may change the table beyond that, such as ALTER
// TABLE in a loop.
package history

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/script"
	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// Place is an offset in one of the files.
type Place struct{ File, Offset int }

// Statement is a statement for sqlc.
type Statement struct {
	Place // where it begins
	SQL   string
	// OfQuery means that its columns come from a query, which sqlc may not understand.
	OfQuery bool
	marks   []mark
}

// mark is the origin of a part of a Statement.
type mark struct{ at, source, size int }

// Source returns the offset in the file of an offset in SQL.
func (s Statement) Source(offset int) int {
	source := s.Offset
	for _, m := range s.marks {
		if m.at > offset {
			break
		}
		source = m.source + min(offset-m.at, m.size)
	}
	return source
}

// Unread is a statement that may change the table and is not followed.
type Unread struct {
	Place
	// What describes what contains it, for example "the DO block".
	What string
}

// Table is the result for a table.
type Table struct {
	// Found is true if the table exists in the end. Created is the place of its name in
	// the statement that creates it.
	Found   bool
	Created Place
	// Dropped is where it is dropped, if it does not exist in the end.
	Dropped *Place
	// Elsewhere has the other schemas with a table of that name, sorted.
	Elsewhere []string
	// Statements are the statements for sqlc, in order. All are in the requested
	// schema.
	Statements []Statement
	Unread     []Unread
	// Opaque is where a query gives the table unknown columns; nil if all are known.
	Opaque *Place
	// Includes are the places that include files which are missing.
	Includes []Place
	// Columns are the columns; nil if something that is not followed, a trigger or a rule
	// may fill them.
	Columns []Column
	// Gone are the columns that the table lost by a change of their name or by DROP
	// COLUMN, in the order of the statements.
	Gone []Gone
	// Keys are the unique indexes and constraints, in the order of their creation, also
	// those that only may exist.
	Keys []Key
	// Plain means that Keys is all keys of the table. It is false if the table is a part
	// or a view of others, if a text that is not followed may add or drop a key, if a DO
	// changes one, and if a placeholder may stand for a key or for the table's name.
	Plain bool
}

// Gone is a column that a table lost.
type Gone struct {
	Place        // of the action that drops or renames it
	Name  string // before it
	To    string // its new name; "" if it is dropped
	// Inherited means that it is a column of another table, which the action may name.
	Inherited bool
}

// UnknownType is the type in Statements of a column whose type is a placeholder.
const UnknownType = "outboxgen_unknown"

// Of follows the table with that name in that schema through the files.
//
// Each file begins with the search_path public. If the table is not found that way, a
// search_path that one file sets stays in effect in the next ones, as with tools that
// use one session for all.
func Of(files script.Files, schema, name string) Table {
	want := relation{schema, name}
	f := follow(files, want, false, nil)
	if f.find(want) == nil {
		if kept := follow(files, want, true, nil); kept.find(want) != nil {
			f = kept
		}
	}
	if f.find(want) != nil {
		f = follow(files, want, f.keepPath, f.kinds)
	}
	return f.table()
}

// relation is the schema and name of a table or a type.
type relation struct{ schema, name string }

// follower is the state after the statements read so far.
type follower struct {
	source
	want     relation
	keepPath bool // across files
	tolerant bool // the text may have no effect, as in a DO, so it must not cause errors
	certain  bool // the text has its effect, although it is tolerant

	path    []string // search_path
	pathSet bool     // by this file
	earlier []string // the schemas of every search_path set by a file
	outside []string // the one to restore after a transaction with SET LOCAL
	// inTransaction is false where SET LOCAL has no effect.
	inTransaction bool
	schemas       map[string]bool // that are known to exist
	tables        []*table        // tables, views and types with columns
	indexes       []*index        // of all tables
	others        []relation      // sequences, which ALTER TABLE can rename too
	kinds         []*kind         // user-defined types
	later         []*kind         // the ones that exist in the end
	functions     []*function
	calls         []*function // that are being read
	followed      int         // how many calls of the statement were followed
	count         int         // of statements

	orphans  []*statement // that name the table while it does not exist
	dropped  *Place
	unread   []Unread
	includes []Place
}

// table is a table or a view under its current name.
type table struct {
	relation
	created     Place
	at          int // offset of its name in the source that creates it
	temporary   bool
	untilCommit bool
	isType      bool // a type with columns
	isView      bool
	ofQuery     bool // its columns come from a query
	opaque      bool // not all of its columns are known, not even to sqlc
	plain       bool // all its keys are known
	partitioned bool
	filled      bool // its columns may have a value that the statements do not show, as from a trigger
	statements  []*statement
	columns     []column // the known ones
	gone        []Gone
	own         [][]piece
	added       []*index          // the keys of the current statement
	copied      []*index          // the indexes that LIKE copies
	constraints [][]sqltext.Token // of the statement that creates it
	named       []string          // the names of constraints that are neither keys nor NOT NULL
	needs       []*table          // the tables in its statements
	copies      []*table          // the tables whose columns it started with
	children    []*table          // tables that inherit its columns
	staged      string            // its name for sqlc
}

// statement is a Statement before the names for sqlc are chosen.
type statement struct {
	order   int
	place   Place
	pieces  []piece
	ofQuery bool
}

// piece is a token, or a replacement for some. It is the name of a table if table is
// set.
type piece struct {
	text   string
	table  *table
	source int
	size   int  // length of the original, if text replaces it
	glued  bool // no space before it
}

func follow(files script.Files, want relation, keepPath bool, later []*kind) *follower {
	f := &follower{
		want: want, keepPath: keepPath, path: []string{"public"}, schemas: map[string]bool{"public": true, want.schema: true},
		later: later,
	}
	for i := range files.Count {
		f.migration(files, i)
	}
	f.lookIntoFunctions()
	return f
}

// doubtful reports whether the text that is being read may have no effect.
func (f *follower) doubtful() bool { return f.tolerant && !f.certain }

// find returns the table with that name, the last one if there are several.
func (f *follower) find(r relation) *table {
	return last(f.tables, func(t *table) bool { return t.relation == r && !t.temporary && !t.isType })
}

func (f *follower) table() Table {
	result := Table{Unread: f.unread, Includes: f.includes}
	kept := slices.Clone(f.orphans)
	if t := f.find(f.want); t != nil {
		result.Found, result.Created = true, t.created
		kept = append(kept, collect(t)...)
		if t.opaque {
			result.Opaque = &t.created
		}
		result.Keys, result.Gone = f.keys(t), t.gone
		result.Plain = t.plain && len(f.unread) == 0
		if !t.filled && len(f.unread) == 0 {
			for _, c := range t.columns {
				result.Columns = append(result.Columns, c.shown())
			}
		}
	} else {
		result.Dropped = f.dropped
	}
	for _, t := range f.tables {
		if t.name == f.want.name && t.schema != f.want.schema && !t.temporary && !t.isType {
			result.Elsewhere = append(result.Elsewhere, t.schema)
		}
	}
	slices.Sort(result.Elsewhere)
	result.Elsewhere = slices.Compact(result.Elsewhere)
	slices.SortStableFunc(kept, func(a, b *statement) int { return cmp.Compare(a.order, b.order) })
	for _, s := range kept {
		result.Statements = append(result.Statements, s.render(f.want))
	}
	return result
}

// collect returns the statements of a table and of the tables that it needs, up to
// where it needs them. Each table gets its own name.
func collect(t *table) []*statement {
	var tables []*table
	until := map[*table]int{}
	var visit func(t *table, before int)
	visit = func(t *table, before int) {
		known, seen := until[t]
		if seen && known >= before || len(t.statements) == 0 {
			return
		}
		until[t] = before
		if !seen {
			tables = append(tables, t)
		}
		for _, other := range t.needs {
			visit(other, min(before, t.statements[0].order))
		}
	}
	visit(t, math.MaxInt)
	taken := map[string]bool{}
	var all []*statement
	for _, t := range tables {
		t.staged = t.name
		for n := 2; taken[t.staged]; n++ {
			t.staged = t.name + "_" + strconv.Itoa(n)
		}
		taken[t.staged] = true
		for _, s := range t.statements {
			if s.order < until[t] {
				all = append(all, s)
			}
		}
	}
	return all
}

// render writes a statement with one token on each line where the migration has white
// space between them, because sqlc fails at a line of 64 KiB.
func (s *statement) render(want relation) Statement {
	out := Statement{Place: s.place, OfQuery: s.ofQuery}
	var b strings.Builder
	for i, p := range s.pieces {
		if i > 0 && !p.glued {
			b.WriteByte('\n')
		}
		text := p.text
		if p.table != nil {
			text = quoted(want.schema) + "." + quoted(p.table.staged)
		}
		out.marks = append(out.marks, mark{b.Len(), p.source, p.size})
		b.WriteString(text)
	}
	b.WriteString(";\n")
	out.SQL = b.String()
	return out
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// verbatim returns the tokens as written, without text that sqlc may fail at: long or
// multi-line text, and placeholders.
func (f *follower) verbatim(tokens []sqltext.Token) []piece {
	var all []piece
	for i, t := range tokens {
		p := piece{text: f.written(t), source: t.Start, size: t.End - t.Start, glued: i > 0 && tokens[i-1].End == t.Start && !t.Is("(")}
		const long = 1000
		switch {
		case t.Kind == sqltext.Placeholder:
			p.text, p.size, p.glued = "null", 0, false
		case t.IsText() && (len(p.text) > long || strings.ContainsAny(p.text, "\r\n")):
			p.text, p.size = "''", 0
		case i > 0 && tokens[i-1].Is(","), i > 0 && tokens[i-1].Kind == sqltext.Placeholder:
			p.glued = false
		}
		all = append(all, p)
	}
	return all
}

// literal returns a piece with new text for the original at source.
func literal(text string, source int) piece { return piece{text: text, source: source} }

// add adds a statement to a table. A statement without a table is an orphan.
func (f *follower) add(to *table, pieces ...piece) {
	if to == nil && f.tolerant {
		return
	}
	f.count++
	s := &statement{order: f.count, place: f.place(pieces[0].source), pieces: slices.Clone(pieces)}
	for i := range s.pieces {
		s.pieces[i].source = f.origin(s.pieces[i].source)
	}
	if to == nil {
		f.orphans = append(f.orphans, s)
		return
	}
	s.ofQuery = to.ofQuery
	to.statements = append(to.statements, s)
}
