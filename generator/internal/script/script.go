// Package script returns what psql would run of a service's migrations: with included
// files, without the parts that \if excludes and without what a ROLLBACK undoes.
package script

import (
	"regexp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// Files are migrations and the files that they include.
type Files struct {
	// Count is how many migrations there are. They are the first files.
	Count int
	// Text is the text of a file.
	Text func(file int) []byte
	// Include returns the index of the file that a file includes under this name; ok is
	// false if there is none.
	Include func(from int, name string) (file int, ok bool)
}

// Only is migrations that include nothing.
func Only(texts ...[]byte) Files {
	return Files{
		Count:   len(texts),
		Text:    func(file int) []byte { return texts[file] },
		Include: func(int, string) (int, bool) { return 0, false },
	}
}

// Statement is a statement of SQL.
type Statement struct {
	// File is the index of the text that it is in.
	File   int
	Tokens []sqltext.Token
	// Missing means that the statement includes a file that is not among Files. Then
	// there are no tokens.
	Missing bool
	// Start is where it begins.
	Start int
	// Unsure means that psql runs it only if a condition is false that counts as true.
	Unsure bool
	// Executed means that psql runs its results as statements.
	Executed bool
}

// Statements returns what the migration of that index runs, in order.
func Statements(files Files, index int) []Statement {
	r := &reader{files: files, variables: map[string]string{}, budget: mostIncludes}
	r.read(index)
	return inForce(r.statements)
}

// mostIncludes bounds how many files one migration can include.
const mostIncludes = 1000

type reader struct {
	files      Files
	variables  map[string]string // of psql
	branches   []branch
	open       []int // the files that are being read
	budget     int
	statements []Statement
}

// reading says whether psql reads a part of a file.
type reading int

const (
	on     reading = iota
	unsure         // if a condition is false that counts as true
	off
)

// branch is the part between \if and \endif.
type branch struct {
	now     reading
	left    reading // of a part whose condition is true
	guessed bool    // a condition is unknown
}

// enter begins the part of a branch with that condition. An unknown one counts as true,
// and what follows it may be read as well.
func (b *branch) enter(condition string) {
	switch {
	case isNo(condition):
		b.now = off
	case isYes(condition):
		b.now, b.left = b.left, off
	default:
		b.now, b.left, b.guessed = b.left, max(b.left, unsure), true
	}
}

// now says whether what follows is read.
func (r *reader) now() reading {
	if len(r.branches) == 0 {
		return on
	}
	return r.branches[len(r.branches)-1].now
}

func (r *reader) read(file int) {
	r.open = append(r.open, file)
	defer func() { r.open = r.open[:len(r.open)-1] }()
	text := r.files.Text(file)
	for _, s := range sqltext.Split(text) {
		switch {
		case s.Psql:
			if !r.command(file, s.Start, string(text[s.Start:s.End])) {
				return
			}
		case s.Data:
		default:
			if !r.statement(file, text, s) {
				return
			}
		}
	}
}

// statement adds a statement, and runs the commands inside it and the templates of tern
// before it. It returns false if psql leaves the file.
func (r *reader) statement(file int, text []byte, s sqltext.Statement) bool {
	var tokens []sqltext.Token
	at, now := 0, r.now()
	take := func(end int) {
		if r.now() != off {
			tokens, now = append(tokens, s.Tokens[at:end]...), max(now, r.now())
		}
		at = end
	}
	if now == off {
		now = on // if only a part of it is read
	}
	for _, c := range s.Commands {
		take(c.Before)
		if !r.command(file, c.Start, string(text[c.Start:c.End])) {
			return false
		}
	}
	take(len(s.Tokens))
	for len(tokens) > 0 && tokens[0].Kind == sqltext.Placeholder {
		if m := ternTemplate.FindStringSubmatch(tokens[0].Text); m != nil {
			r.include(file, tokens[0].Start, m[1])
		} else if strings.HasPrefix(tokens[0].Text, ":") {
			break
		}
		tokens = tokens[1:]
	}
	for _, part := range r.filled(tokens) {
		r.add(Statement{File: file, Tokens: part, Start: part[0].Start, Unsure: now == unsure, Executed: s.Sent == "gexec"})
	}
	if s.Sent == "gset" && len(tokens) > 0 {
		clear(r.variables) // it may set any of them
	}
	return true
}

func (r *reader) add(s Statement) { r.statements = append(r.statements, s) }

// ternTemplate includes a file.
var ternTemplate = regexp.MustCompile(`^\{\{-?\s*template\s+["` + "`" + `]([^"` + "`" + `]*)["` + "`" + `]`)

// filled returns tokens with known psql variables replaced by their values. A value may
// have the end of a statement.
func (r *reader) filled(tokens []sqltext.Token) [][]sqltext.Token {
	parts := [][]sqltext.Token{nil}
	put := func(t sqltext.Token) {
		last := len(parts) - 1
		parts[last] = append(parts[last], t)
	}
	for _, t := range tokens {
		value, known := "", false
		if t.Kind == sqltext.Placeholder && strings.HasPrefix(t.Text, ":") {
			value, known = r.variables[strings.Trim(t.Text[1:], `'"`)]
		}
		switch {
		case !known:
			put(t)
		case t.Text[1] == '\'':
			t.Kind, t.Text = sqltext.String, value
			put(t)
		case t.Text[1] == '"':
			t.Kind, t.Text = sqltext.Quoted, value
			put(t)
		default:
			for i, s := range sqltext.Split([]byte(value)) {
				if i > 0 || strings.HasPrefix(strings.TrimSpace(value), ";") {
					parts = append(parts, nil)
				}
				for _, inner := range s.Tokens {
					inner.Start, inner.End = t.Start, t.End
					put(inner)
				}
			}
			if strings.HasSuffix(strings.TrimSpace(value), ";") {
				parts = append(parts, nil)
			}
		}
	}
	return slices.DeleteFunc(parts, func(part []sqltext.Token) bool { return len(part) == 0 })
}

// include reads another file.
func (r *reader) include(from, at int, name string) {
	if r.budget > 0 {
		if file, ok := r.files.Include(from, name); ok && !slices.Contains(r.open, file) {
			r.budget--
			r.read(file)
			return
		}
	}
	r.add(Statement{File: from, Missing: true, Start: at})
}

// inForce returns the statements without those that a ROLLBACK undoes.
func inForce(statements []Statement) []Statement {
	undone := map[int]bool{}
	begin := -1
	var savepoints []savepoint
	for i, s := range statements {
		if s.Unsure {
			continue
		}
		c := sqltext.NewCursor(s.Tokens)
		from := -1
		switch {
		case c.Take("begin"), c.Take("start", "transaction"):
			if begin < 0 { // inside a transaction psql only warns
				begin = i
			}
		case c.Take("commit"), c.Take("end"):
			begin, savepoints = chained(c, i), nil
		case c.Take("savepoint"):
			savepoints = append(savepoints, savepoint{c.Peek().Text, i})
		case c.Take("release"):
			c.Take("savepoint")
			if at := lastOf(savepoints, c.Peek().Text); at >= 0 {
				savepoints = savepoints[:at]
			}
		case c.Take("rollback"), c.Take("abort"):
			c.TakeAny("work", "transaction")
			if c.Take("to") {
				c.Take("savepoint")
				if at := lastOf(savepoints, c.Peek().Text); at >= 0 {
					from, savepoints = savepoints[at].at, savepoints[:at+1]
				}
				break
			}
			from, begin, savepoints = begin, chained(c, i), nil
		}
		for j := from + 1; from >= 0 && j < i; j++ {
			undone[j] = true
		}
	}
	var all []Statement
	for i, s := range statements {
		if !undone[i] {
			all = append(all, s)
		}
	}
	return all
}

// savepoint is a point that a transaction can return to.
type savepoint struct {
	name string
	at   int // the index of the statement
}

// lastOf returns the index of the last savepoint of a name, -1 if there is none.
func lastOf(savepoints []savepoint, name string) int {
	for i, s := range slices.Backward(savepoints) {
		if s.name == name {
			return i
		}
	}
	return -1
}

// chained returns where the next transaction begins: here, with AND CHAIN.
func chained(c *sqltext.Cursor, here int) int {
	c.TakeAny("work", "transaction")
	if c.Take("and", "chain") {
		return here
	}
	return -1
}
