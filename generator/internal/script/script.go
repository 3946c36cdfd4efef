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

// branch is the part between \if and \endif.
type branch struct {
	outer  bool // the outer part is read
	active bool // it is read itself
	taken  bool // it, or an earlier part, was read
}

func (r *reader) active() bool {
	return len(r.branches) == 0 || r.branches[len(r.branches)-1].active
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
		case r.active() && !s.Data:
			r.statement(file, s)
		}
	}
}

// statement adds a statement, and reads the templates of tern before it.
func (r *reader) statement(file int, s sqltext.Statement) {
	tokens := s.Tokens
	for len(tokens) > 0 && tokens[0].Kind == sqltext.Placeholder {
		if m := ternTemplate.FindStringSubmatch(tokens[0].Text); m != nil {
			r.include(file, tokens[0].Start, m[1])
		} else if strings.HasPrefix(tokens[0].Text, ":") {
			break
		}
		tokens = tokens[1:]
	}
	if len(tokens) > 0 {
		r.statements = append(r.statements, Statement{File: file, Tokens: r.filled(tokens), Start: tokens[0].Start})
	}
}

// ternTemplate includes a file.
var ternTemplate = regexp.MustCompile(`^\{\{-?\s*template\s+["` + "`" + `]([^"` + "`" + `]*)["` + "`" + `]`)

// filled returns tokens with known psql variables replaced by their values.
func (r *reader) filled(tokens []sqltext.Token) []sqltext.Token {
	isVariable := func(t sqltext.Token) bool { return t.Kind == sqltext.Placeholder && strings.HasPrefix(t.Text, ":") }
	if len(r.variables) == 0 || !slices.ContainsFunc(tokens, isVariable) {
		return tokens
	}
	tokens = slices.Clone(tokens)
	for i, t := range tokens {
		if !isVariable(t) {
			continue
		}
		name := strings.Trim(t.Text[1:], `'"`)
		value, ok := r.variables[name]
		if !ok {
			continue
		}
		switch t.Text[1] {
		case '\'':
			tokens[i].Kind, tokens[i].Text = sqltext.String, value
		case '"':
			tokens[i].Kind, tokens[i].Text = sqltext.Quoted, value
		default:
			if said := sqltext.Split([]byte(value)); len(said) == 1 && len(said[0].Tokens) == 1 && !said[0].Psql {
				tokens[i].Kind, tokens[i].Text = said[0].Tokens[0].Kind, said[0].Tokens[0].Text
			}
		}
	}
	return tokens
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
	r.statements = append(r.statements, Statement{File: from, Missing: true, Start: at})
}

// inForce returns the statements without those that a ROLLBACK undoes.
func inForce(statements []Statement) []Statement {
	undone := map[int]bool{}
	begin := -1
	var savepoints []savepoint
	for i, s := range statements {
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
