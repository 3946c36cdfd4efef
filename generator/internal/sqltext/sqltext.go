// Package sqltext splits the SQL of migrations into statements, and these into tokens.
// It reads what people and tools write into migrations, not only what Postgres accepts,
// and it never fails: anything unknown is its own token, and something that is opened
// and never closed ends with the text.
//
// Besides SQL it knows the data after COPY … FROM stdin, commands and variables of
// psql, and the placeholders of migration tools: ${name} and $name of Flyway and goose,
// {{name}} of tern, {% if %} and {# note #} of Jinja, and similar ones.
package sqltext

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Kind is the kind of a token.
type Kind int

// The kinds of tokens. Comments and white space are not tokens.
const (
	Word        Kind = iota // a key word or a name without quotes
	Quoted                  // a name in double quotes
	String                  // a string in single quotes, of any prefix
	Dollar                  // a string in dollar quotes
	Number                  // a number, or a parameter such as $1
	Sign                    // any other single character, and ::
	Placeholder             // ${name}, {{name}}, :name, :'name', :"name" and the like
)

// Token is a piece of a statement.
type Token struct {
	Kind Kind
	// Text is the meaning of the token: a word in lower case, a quoted name and a
	// string without quotes, otherwise the text as written.
	Text string
	// Start and End are where it is written: bytes of the text.
	Start, End int
}

// Is reports whether the token is this key word, in lower case, or sign.
func (t Token) Is(text string) bool { return (t.Kind == Word || t.Kind == Sign) && t.Text == text }

// IsText reports whether the token is a string, of any quotes.
func (t Token) IsText() bool { return t.Kind == String || t.Kind == Dollar }

// Statement is one statement without its semicolon, a command of psql, or the
// data of a COPY.
type Statement struct {
	Tokens []Token
	// Start and End are offsets in the text, from the first token to after the last
	// one, or to after the line of a command.
	Start, End int
	// Psql says that it is a command such as \connect. It has no tokens then.
	Psql bool
	// Data says that it is the data of the COPY before it. It has no tokens then.
	Data bool
}

// bom is the byte order mark that some editors write before UTF-8.
var bom = []byte("\xEF\xBB\xBF")

// Split returns the statements of the text, in order.
func Split(text []byte) []Statement {
	l := &lexer{text: text}
	if bytes.HasPrefix(text, bom) {
		l.at = len(bom)
	}
	for l.statement() {
	}
	return l.statements
}

type lexer struct {
	text       []byte
	at         int
	statements []Statement
	backslash  bool // escapes in any string: standard_conforming_strings is off
	flat       bool // no more nesting: something was opened and never closed
}

// statement reads the next statement and reports whether there was one.
func (l *lexer) statement() bool {
	l.blanks()
	if l.at >= len(l.text) {
		return false
	}
	if l.text[l.at] == '\\' {
		l.command()
		return true
	}
	var tokens []Token
	var n nesting
	first := -1 // index of the token with the first nested semicolon
	for ended := false; !ended; {
		l.blanks()
		switch {
		case l.at >= len(l.text):
			if n.open() && first >= 0 && !l.flat {
				l.flat = true
				l.at, tokens = tokens[first].End, tokens[:first]
			}
			ended = true
			continue
		case l.text[l.at] == '\\':
			if resets.Match(l.text[l.at:]) {
				tokens = nil
			}
			ended = l.ends()
			continue
		}
		t := l.token()
		if t.Is(";") && (l.flat || !n.open()) {
			break
		}
		if t.Is(";") && first < 0 {
			first = len(tokens)
		}
		tokens = append(tokens, t)
		n.see(t)
	}
	if len(tokens) == 0 {
		return true // a semicolon alone
	}
	l.statements = append(l.statements, Statement{Tokens: tokens, Start: tokens[0].Start, End: tokens[len(tokens)-1].End})
	if copies(tokens) {
		l.line()
		l.data()
	}
	if off, ok := escapes(tokens); ok {
		l.backslash = off
	}
	return true
}

// command reads a command of psql and the data that may follow it.
func (l *lexer) command() {
	start := l.at
	l.line()
	if end := separator.FindSubmatchIndex(l.text[start:l.at]); end != nil && !wholeLine.Match(l.text[start:l.at]) {
		l.at = start + end[3]
	}
	l.statements = append(l.statements, Statement{Start: start, End: l.at, Psql: true})
	if copyCommand.Match(l.text[start:l.at]) {
		l.data()
	}
}

// ends reads a psql command inside a statement and reports whether it ends the
// statement: \; and \g and similar ones do. Any other command begins its own line.
func (l *lexer) ends() bool {
	switch {
	case l.has(`\;`):
		l.at += len(`\;`)
	case sends.Match(l.text[l.at:]):
		l.line()
	}
	return true
}

var (
	// copyCommand matches a psql command that is followed by data.
	copyCommand = regexp.MustCompile(`(?i)^\\copy\s.*\sfrom\s+stdin\b`)
	// wholeLine matches a command that goes to the end of its line, whatever it
	// contains.
	wholeLine = regexp.MustCompile(`^\\(!|copy\b|[?h]\b|help\b|[es]f\b|[es]v\b)`)
	// separator matches what ends other commands, unless it is in quotes.
	separator = regexp.MustCompile("^\\\\(?:[^\\\\'\"`]|'[^']*'|\"[^\"]*\"|`[^`]*`|\\\\[^\\\\])*(\\\\\\\\)")
	// resets matches a command that forgets the statement before it.
	resets = regexp.MustCompile(`^\\(r|reset)\b`)
	// sends matches a command that ends a statement.
	sends = regexp.MustCompile(`^\\(g(x|exec|set|desc)?|crosstabview|watch|bind|parse|r|reset)\b`)
)

// escapes reports whether a statement sets if a backslash escapes in any string, and to
// what.
func escapes(tokens []Token) (off, ok bool) {
	const setting = "standard_conforming_strings"
	c := NewCursor(tokens)
	switch {
	case c.Take("set"):
		c.TakeAny("local", "session")
		if !c.Take(setting) {
			return false, false
		}
		c.TakeAny("to", "=")
		return isOff(c.Peek()), true
	case c.Take("reset"):
		return false, c.Is(setting) || c.Is("all")
	case c.Is("select"):
		for i, t := range tokens[:max(len(tokens)-3, 0)] {
			if t.Is("set_config") && tokens[i+2].Text == setting && tokens[i+3].Is(",") && i+4 < len(tokens) {
				return isOff(tokens[i+4]), true
			}
		}
	}
	return false, false
}

// isOff reports whether a value of a setting means off. Unknown values do not.
func isOff(t Token) bool {
	return slices.Contains([]string{"off", "of", "false", "fals", "fal", "fa", "f", "no", "n", "0"}, strings.ToLower(t.Text))
}

// copies reports whether data follows a statement.
func copies(tokens []Token) bool {
	if !tokens[0].Is("copy") {
		return false
	}
	for i, t := range tokens[:len(tokens)-1] {
		if t.Is("from") && tokens[i+1].Is("stdin") {
			return true
		}
	}
	return false
}

// data reads the lines after a COPY, including the line that ends them.
func (l *lexer) data() {
	start := l.at
	for l.at < len(l.text) {
		line := l.at
		l.line()
		if string(bytes.TrimRight(l.text[line:l.at], "\r\n")) == `\.` {
			break
		}
	}
	l.statements = append(l.statements, Statement{Start: start, End: l.at, Data: true})
}

// line moves to the beginning of the next line.
func (l *lexer) line() { l.to("\n") }

// to moves behind the next end, or to the end of the text.
func (l *lexer) to(end string) {
	if i := bytes.Index(l.text[l.at:], []byte(end)); i >= 0 {
		l.at += i + len(end)
		return
	}
	l.at = len(l.text)
}

// blanks skips white space and comments.
func (l *lexer) blanks() {
	for l.at < len(l.text) {
		switch c := l.text[l.at]; {
		case c <= ' ':
			l.at++
		case l.has("--"):
			if end := bytes.IndexAny(l.text[l.at:], "\r\n"); end >= 0 {
				l.at += end + 1
			} else {
				l.at = len(l.text)
			}
		case l.has("/*"):
			l.comment()
		default:
			return
		}
	}
}

// comment skips a comment, which may contain others.
func (l *lexer) comment() {
	depth := 0
	for l.at < len(l.text) {
		switch {
		case l.has("/*"):
			depth++
			l.at += 2
		case l.has("*/"):
			depth--
			l.at += 2
			if depth == 0 {
				return
			}
		default:
			l.at++
		}
	}
}

func (l *lexer) has(prefix string) bool { return bytes.HasPrefix(l.text[l.at:], []byte(prefix)) }

// token reads one token. There must be one.
func (l *lexer) token() Token {
	start, c := l.at, l.text[l.at]
	kind := Sign
	var text string
	switch {
	case c == '\'':
		kind, text = String, l.quoted('\'', l.backslash)
	case c == '"':
		kind, text = Quoted, l.quoted('"', false)
	case c == '$':
		kind, text = l.dollar()
	case l.template():
		kind = Placeholder
	case l.has("::"):
		l.at += len("::")
	case c == ':':
		if l.variable() {
			kind = Placeholder
		} else {
			l.at = start + 1
		}
	case begins(c):
		kind, text = l.word()
	case '0' <= c && c <= '9':
		kind = Number
		for l.at < len(l.text) && (continues(l.text[l.at]) || l.text[l.at] == '.') {
			l.at++
		}
	default:
		_, size := utf8.DecodeRune(l.text[l.at:])
		l.at += size
	}
	if text == "" && kind != String && kind != Quoted && kind != Dollar {
		text = string(l.text[start:l.at])
	}
	return Token{Kind: kind, Text: text, Start: start, End: l.at}
}

// quoted reads quoted text, and returns its content.
func (l *lexer) quoted(quote byte, backslash bool) string {
	l.at++
	var said []byte
	for l.at < len(l.text) {
		c := l.text[l.at]
		l.at++
		switch {
		case backslash && c == '\\' && l.at < len(l.text):
			said = append(said, c, l.text[l.at])
			l.at++
		case c != quote:
			said = append(said, c)
		case l.at < len(l.text) && l.text[l.at] == quote:
			said = append(said, c)
			l.at++
		case backslash && l.goesOn():
		default:
			return string(said)
		}
	}
	return string(said)
}

// goesOn skips the part between two parts of a string, which is white space with a line
// end, and the quote that opens the second part. It matters only where backslashes
// escape.
func (l *lexer) goesOn() bool {
	rest := bytes.TrimLeft(l.text[l.at:], " \t\r\n\f\v")
	gap := len(l.text) - len(rest) - l.at
	if !bytes.HasPrefix(rest, []byte("'")) || !bytes.ContainsAny(l.text[l.at:l.at+gap], "\r\n") {
		return false
	}
	l.at += gap + 1
	return true
}

// templates are what placeholders begin and end with, beside ${ and :name.
var templates = []struct{ open, end string }{{"{{", "}}"}, {"{%", "%}"}, {"{#", "#}"}, {"#{", "}"}, {"<%=", "%>"}}

// braced is a placeholder in single braces.
var braced = regexp.MustCompile(`^\{[A-Za-z_][\w.-]*\}`)

// template skips a placeholder, if one begins here. No SQL looks like one.
func (l *lexer) template() bool {
	for _, t := range templates {
		if l.has(t.open) {
			l.to(t.end)
			return true
		}
	}
	size := len(braced.Find(l.text[l.at:]))
	l.at += size
	return size > 0
}

// dollar reads a string in dollar quotes, a placeholder or a parameter.
func (l *lexer) dollar() (Kind, string) {
	start := l.at
	switch {
	case l.has("${"):
		l.to("}")
		return Placeholder, ""
	case l.has("$("):
		l.to(")")
		return Placeholder, ""
	}
	l.at++
	for l.at < len(l.text) && continues(l.text[l.at]) && l.text[l.at] != '$' {
		l.at++
	}
	tag := string(l.text[start:l.at])
	switch digit := len(tag) > 1 && '0' <= tag[1] && tag[1] <= '9'; {
	case digit || len(tag) == 1 && (l.at == len(l.text) || l.text[l.at] != '$'):
		return Number, tag
	case l.at == len(l.text) || l.text[l.at] != '$':
		return Placeholder, tag // of goose
	}
	l.at++
	begin := l.at
	l.to(tag + "$")
	if end := l.at - len(tag) - 1; end >= begin && string(l.text[end:l.at]) == tag+"$" {
		return Dollar, string(l.text[begin:end])
	}
	return Dollar, string(l.text[begin:])
}

// variable reads a variable of psql behind its colon, if there is one.
func (l *lexer) variable() bool {
	l.at++
	if l.at >= len(l.text) {
		return false
	}
	switch c := l.text[l.at]; {
	case c == '\'', c == '"':
		l.quoted(c, false)
	case begins(c):
		_, _ = l.word()
	default:
		return false
	}
	return true
}

// word reads a word, or a string or name with a prefix such as E”.
func (l *lexer) word() (Kind, string) {
	start := l.at
	for l.at < len(l.text) && continues(l.text[l.at]) && !l.has("${") {
		l.at++
	}
	text := lower(l.text[start:l.at])
	switch {
	case l.has("'") && (text == "e" || text == "b" || text == "x" || text == "n"):
		return String, l.quoted('\'', text == "e")
	case text == "u" && l.has("&'"):
		l.at++
		return String, l.unescaped(l.quoted('\'', false))
	case text == "u" && l.has(`&"`):
		l.at++
		return Quoted, l.unescaped(l.quoted('"', false))
	}
	return Word, text
}

// lower returns a word as Postgres takes it: only letters of ASCII lose their case.
func lower(word []byte) string {
	small := bytes.Clone(word)
	for i, c := range small {
		if 'A' <= c && c <= 'Z' {
			small[i] = c + 'a' - 'A'
		}
	}
	return string(small)
}

// begins and continues report where a name may begin and continue.
func begins(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= utf8.RuneSelf
}

func continues(c byte) bool { return begins(c) || '0' <= c && c <= '9' || c == '$' }

// nesting tracks where a semicolon does not end a statement: inside parentheses, and in
// the body of a function written in SQL.
type nesting struct {
	parens int
	words  []string // the first ones
	blocks int      // BEGIN ATOMIC, and CASE inside it
	last   Token
}

func (n *nesting) open() bool { return n.parens > 0 || n.blocks > 0 }

func (n *nesting) see(t Token) {
	switch {
	case t.Is("("):
		n.parens++
	case t.Is(")"):
		n.parens = max(n.parens-1, 0)
	case t.Is("atomic") && n.last.Is("begin") && n.function():
		n.blocks++
	case t.Is("case") && n.blocks > 0:
		n.blocks++
	case t.Is("end") && n.blocks > 0:
		n.blocks--
	}
	if len(n.words) < 4 && t.Kind == Word {
		n.words = append(n.words, t.Text)
	}
	n.last = t
}

// function reports whether the statement creates a function or a procedure.
func (n *nesting) function() bool {
	if len(n.words) == 0 || n.words[0] != "create" {
		return false
	}
	return slices.Contains(n.words, "function") || slices.Contains(n.words, "procedure")
}
