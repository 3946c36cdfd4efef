// Package history picks from a service's migrations the statements that make one
// table what it is. It follows tables under all their names: through renames, other
// schemas, the search_path, and tables that take the place of others.
//
// What it picks is written anew for sqlc, which knows less than Postgres: each
// table under one name from beginning to end, domains as the types that they are
// made of, and without the parts that say nothing of columns. All other statements
// are left out, so that none of them can stop anything. Those left out that may
// change the table still, such as ALTER TABLE in the body of a DO, are listed.
package history

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// Place is a byte of one of the files.
type Place struct{ File, Offset int }

// Statement is a statement as sqlc is to read it.
type Statement struct {
	Place // where it begins
	SQL   string
	marks []mark
}

// mark says where a part of a Statement comes from.
type mark struct{ at, source, size int }

// Source is the byte of the file that a byte of SQL comes from.
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
func Of(files [][]byte, schema, name string) Table {
	want := relation{schema, name}
	f := follow(files, want, false)
	if f.find(want) == nil {
		if kept := follow(files, want, true); kept.find(want) != nil {
			f = kept
		}
	}
	return f.table()
}

// relation is a table or a type by its schema and name.
type relation struct{ schema, name string }

// follower is what is there after the statements read so far.
type follower struct {
	files    [][]byte
	want     relation
	keepPath bool // from file to file

	file    int
	path    []string        // search_path
	pathSet bool            // by this file
	earlier []string        // the schemas of every search_path that a file has set
	outside []string        // the one to return to behind a transaction with SET LOCAL
	schemas map[string]bool // that are known to be there
	tables  []*table
	domains map[relation]string // to the type that each is made of
	count   int                 // of statements

	orphans  []*statement // that name the table while it is not there
	dropped  *Place
	unread   []Unread
	includes []Place
}

// table is a table or a view under its name of the moment.
type table struct {
	relation
	created     Place
	temporary   bool
	untilCommit bool
	statements  []*statement
	needs       []*table // that its statements name
	copies      []*table // of those whose columns it has from the beginning
	children    []*table // that inherit its columns
	staged      string   // its name for sqlc
}

// statement is a Statement before the names for sqlc are known.
type statement struct {
	order  int
	place  Place
	pieces []piece
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

func follow(files [][]byte, want relation, keepPath bool) *follower {
	f := &follower{files: files, want: want, keepPath: keepPath, path: []string{"public"}, domains: map[relation]string{}, schemas: map[string]bool{"public": true, want.schema: true}}
	for i := range files {
		f.file = i
		f.readFile()
	}
	return f
}

// find is the table of that name, the last one where there are several.
func (f *follower) find(r relation) *table {
	for _, t := range slices.Backward(f.tables) {
		if t.relation == r && !t.temporary {
			return t
		}
	}
	return nil
}

// table is the result.
func (f *follower) table() Table {
	result := Table{Unread: f.unread, Includes: f.includes}
	kept := slices.Clone(f.orphans)
	if t := f.find(f.want); t != nil {
		result.Found, result.Created = true, t.created
		kept = append(kept, collect(t)...)
	} else {
		result.Dropped = f.dropped
	}
	for _, t := range f.tables {
		if t.name == f.want.name && t.schema != f.want.schema && !t.temporary {
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

// collect is the statements of a table and of those that it needs, up to where it
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
	out := Statement{Place: s.place}
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

// verbatim is the tokens as they are written, but without what sqlc could stumble
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

func (f *follower) written(t sqltext.Token) string { return string(f.files[f.file][t.Start:t.End]) }

// literal is text of outboxgen in the place of what begins at source.
func literal(text string, source int) piece { return piece{text: text, source: source} }

// add gives a statement to a table. A statement of no table is an orphan.
func (f *follower) add(to *table, pieces ...piece) {
	f.count++
	s := &statement{order: f.count, place: Place{f.file, pieces[0].source}, pieces: pieces}
	if to == nil {
		f.orphans = append(f.orphans, s)
		return
	}
	to.statements = append(to.statements, s)
}
