// Package sqltext takes the SQL of migrations apart: into statements, and these
// into tokens. It reads what people and tools write into migrations, not only
// what Postgres accepts, and it never fails: whatever it does not know is a token
// of its own, and something that is opened and never closed ends with the text.
//
// Beside SQL it knows the data behind COPY … FROM stdin, commands and variables
// of psql, and the placeholders of migration tools: ${name} of Flyway and goose,
// {{name}} of tern.
package sqltext

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Kind says what a token is.
type Kind int

// The kinds of token. Comments and white space are none.
const (
	Word        Kind = iota // a key word or a name without quotes
	Quoted                  // a name in double quotes
	String                  // a string in single quotes, of any prefix
	Dollar                  // a string in dollar quotes
	Number                  // a number, or a parameter such as $1
	Sign                    // any other single character, and ::
	Placeholder             // ${name}, {{name}}, :name, :'name', :"name"
)

// Token is a piece of a statement.
type Token struct {
	Kind Kind
	// Text is what the token stands for: a word in lower case, a quoted name and a
	// string without its quotes, and else what is written.
	Text string
	// Start and End are where it is written: bytes of the text.
	Start, End int
}

// Is reports whether the token is this key word, in lower case, or sign.
func (t Token) Is(text string) bool { return (t.Kind == Word || t.Kind == Sign) && t.Text == text }

// Statement is one statement without its semicolon, a command of psql, or the
// data of a COPY.
type Statement struct {
	Tokens []Token
	// Start and End are bytes of the text, from the first token to behind the last
	// one, or to behind the line of a command.
	Start, End int
	// Psql says that it is a command such as \connect. It has no tokens then.
	Psql bool
	// Data says that it is the data of the COPY before it. It has no tokens then.
	Data bool
}

// bom is the mark that some editors write before UTF-8.
var bom = []byte("\xEF\xBB\xBF")

// Split is the statements of the text, in order.
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
}

// statement reads what comes next and says whether there was anything.
func (l *lexer) statement() bool {
	l.blanks()
	if l.at >= len(l.text) {
		return false
	}
	if l.text[l.at] == '\\' {
		start := l.at
		l.line()
		l.statements = append(l.statements, Statement{Start: start, End: l.at, Psql: true})
		if copyCommand.Match(l.text[start:l.at]) {
			l.data()
		}
		return true
	}
	var tokens []Token
	var n nesting
	for {
		l.blanks()
		if l.at >= len(l.text) {
			break
		}
		if l.text[l.at] == '\\' { // \g and its kin end a statement, \; does in a way
			l.line()
			break
		}
		t := l.token()
		if t.Is(";") && !n.open() {
			break
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

// copyCommand is a command of psql that data follows.
var copyCommand = regexp.MustCompile(`(?i)^\\copy\s.*\sfrom\s+stdin\b`)

// escapes reports whether a statement sets standard_conforming_strings, and
// whether to off.
func escapes(tokens []Token) (off, ok bool) {
	if !tokens[0].Is("set") || len(tokens) < 4 || !tokens[len(tokens)-3].Is("standard_conforming_strings") {
		return false, false
	}
	return strings.EqualFold(tokens[len(tokens)-1].Text, "off"), true
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

// data reads the lines after a COPY, to the one that ends them.
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

// line goes to the beginning of the next line.
func (l *lexer) line() { l.to("\n") }

// to goes behind the next end, or to the end of the text.
func (l *lexer) to(end string) {
	if i := bytes.Index(l.text[l.at:], []byte(end)); i >= 0 {
		l.at += i + len(end)
		return
	}
	l.at = len(l.text)
}

// blanks goes over white space and comments.
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

// comment goes over a comment in which there may be others.
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

// token reads one token. There is one.
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
	case l.has("{{"):
		kind = Placeholder
		l.to("}}")
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

// quoted reads what stands in quotes, and is what it says.
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
		default:
			return string(said)
		}
	}
	return string(said)
}

// dollar reads a string in dollar quotes, a placeholder or a parameter.
func (l *lexer) dollar() (Kind, string) {
	start := l.at
	if l.has("${") {
		l.to("}")
		return Placeholder, ""
	}
	l.at++
	for l.at < len(l.text) && continues(l.text[l.at]) && l.text[l.at] != '$' {
		l.at++
	}
	tag := string(l.text[start:l.at])
	if l.at == len(l.text) || l.text[l.at] != '$' || len(tag) > 1 && '0' <= tag[1] && tag[1] <= '9' {
		return Number, tag
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
	text := strings.ToLower(string(l.text[start:l.at]))
	switch {
	case l.has("'") && (text == "e" || text == "b" || text == "x" || text == "n"):
		return String, l.quoted('\'', text == "e")
	case text == "u" && l.has("&'"):
		l.at++
		return String, l.quoted('\'', false)
	case text == "u" && l.has(`&"`):
		l.at++
		return Quoted, l.quoted('"', false)
	}
	return Word, text
}

// begins and continues say where a name may begin and go on.
func begins(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= utf8.RuneSelf
}

func continues(c byte) bool { return begins(c) || '0' <= c && c <= '9' || c == '$' }

// nesting knows where a semicolon does not end a statement: inside parentheses,
// and in the body of a function that is written in SQL itself.
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
	for _, w := range n.words {
		if w == "function" || w == "procedure" {
			return true
		}
	}
	return false
}
