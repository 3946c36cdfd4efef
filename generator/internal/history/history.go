// Package history picks from a service's migrations the statements that make one
// table what it is. It follows tables under all their names: through renames, other
// schemas, the search_path, and tables that take the place of others.
//
// What it picks is written anew for sqlc, which knows less than Postgres: each
// table under one name from beginning to end, domains as the types that they are
// made of, and without the parts that say nothing of columns. All other statements
// are left out, so that none of them can stop anything.
//
// The body of a DO, and of a function that is called, is followed as far as it can be
// told what it does. What may change the table beyond that, such as ALTER TABLE in a
// loop, is listed.
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

// Place is a byte of one of the files.
type Place struct{ File, Offset int }

// Statement is a statement as sqlc is to read it.
type Statement struct {
	Place // where it begins
	SQL   string
	// OfQuery says that the columns which it is about come from a query. sqlc may not
	// understand that query.
	OfQuery bool
	marks   []mark
}

// mark says where a part of a Statement comes from.
type mark struct{ at, source, size int }

// Source returns the byte of the file that a byte of SQL comes from.
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
	// What says what holds it, as in "the DO block".
	What string
}

// Table is what the migrations make of a table.
type Table struct {
	// Found says that the table is there in the end, and Created where its name
	// stands in the statement that creates it.
	Found   bool
	Created Place
	// Dropped is where it is dropped, if it is not there in the end.
	Dropped *Place
	// Elsewhere is the other schemas with a table of that name, sorted.
	Elsewhere []string
	// Statements is what sqlc is to read, in order. All of it is in the schema that
	// was asked for.
	Statements []Statement
	Unread     []Unread
	// Opaque is where a query gives the table columns that are not known, nil where
	// all of them are.
	Opaque *Place
	// Includes is where files are read that are not among these.
	Includes []Place
}

// UnknownType is the type that Statements gives to a column whose type is a
// placeholder.
const UnknownType = "outboxgen_unknown"

// Of follows the table of that name in that schema through the files.
//
// Each file begins with public as its search_path. Where the table is not found
// like that, a search_path that one file sets is in force in the next ones, too, as
// with tools that use one session for all.
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

// relation is a table or a type by its schema and name.
type relation struct{ schema, name string }

// follower is what is there after the statements read so far.
type follower struct {
	source
	want     relation
	keepPath bool // from file to file
	tolerant bool // what is read may have no effect, as in a DO: it must not fail

	path      []string             // search_path
	pathSet   bool                 // by this file
	earlier   []string             // the schemas of every search_path that a file has set
	outside   []string             // the one to return to behind a transaction with SET LOCAL
	schemas   map[string]bool      // that are known to be there
	tables    []*table             // tables, views and types with columns
	kinds     []*kind              // types of the service's own
	later     []*kind              // those that are there in the end
	functions map[string]*function // by name
	calls     []string             // the functions that are being read
	count     int                  // of statements

	orphans  []*statement // that name the table while it is not there
	dropped  *Place
	unread   []Unread
	includes []Place
}

// table is a table or a view under its name of the moment.
type table struct {
	relation
	created     Place
	at          int // where its name stands in the source that creates it
	temporary   bool
	untilCommit bool
	isType      bool // it is no table, but a type with columns
	isView      bool
	ofQuery     bool // its columns come from a query
	opaque      bool // not all of its columns are known, not even to sqlc
	statements  []*statement
	columns     []column // those that are known
	own         [][]piece
	needs       []*table // that its statements name
	copies      []*table // of those whose columns it has from the beginning
	children    []*table // that inherit its columns
	staged      string   // its name for sqlc
}

// statement is a Statement before the names for sqlc are known.
type statement struct {
	order   int
	place   Place
	pieces  []piece
	ofQuery bool
}

// piece is a token, or what takes the place of some. It is the name of a table
// where there is one.
type piece struct {
	text   string
	table  *table
	source int
	size   int  // of what is written there, if text is that
	glued  bool // touches the piece before it
}

func follow(files script.Files, want relation, keepPath bool, later []*kind) *follower {
	f := &follower{
		want: want, keepPath: keepPath, path: []string{"public"}, schemas: map[string]bool{"public": true, want.schema: true},
		later: later, functions: map[string]*function{},
	}
	for i := range files.Count {
		f.migration(files, i)
	}
	f.lookIntoFunctions()
	return f
}

// find returns the table of that name, the last one where there are several.
func (f *follower) find(r relation) *table {
	for _, t := range slices.Backward(f.tables) {
		if t.relation == r && !t.temporary && !t.isType {
			return t
		}
	}
	return nil
}

// table returns the result.
func (f *follower) table() Table {
	result := Table{Unread: f.unread, Includes: f.includes}
	kept := slices.Clone(f.orphans)
	if t := f.find(f.want); t != nil {
		result.Found, result.Created = true, t.created
		kept = append(kept, collect(t)...)
		if t.opaque {
			result.Opaque = &t.created
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

// collect returns the statements of a table and of those that it needs, up to where it
// needs them. Each table gets a name of its own.
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

// render writes a statement with a token to a line where the migration has room
// between them, since sqlc stops reading at a line of 64 KiB.
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

// verbatim returns the tokens as they are written, but without what sqlc could stumble
// over: text that is long or has lines of its own, and placeholders.
func (f *follower) verbatim(tokens []sqltext.Token) []piece {
	var all []piece
	for i, t := range tokens {
		p := piece{text: f.written(t), source: t.Start, size: t.End - t.Start, glued: i > 0 && tokens[i-1].End == t.Start && !t.Is("(")}
		const long = 1000
		switch {
		case t.Kind == sqltext.Placeholder:
			p.text, p.size, p.glued = "null", 0, false
		case (t.Kind == sqltext.String || t.Kind == sqltext.Dollar) && (len(p.text) > long || strings.ContainsAny(p.text, "\r\n")):
			p.text, p.size = "''", 0
		case i > 0 && tokens[i-1].Is(","), i > 0 && tokens[i-1].Kind == sqltext.Placeholder:
			p.glued = false
		}
		all = append(all, p)
	}
	return all
}

// literal returns text of outboxgen in the place of what begins at source.
func literal(text string, source int) piece { return piece{text: text, source: source} }

// add gives a statement to a table. A statement of no table is an orphan.
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
