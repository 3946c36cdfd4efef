package outbox

import "strings"

// controlKind is what a statement does to the transaction it runs in.
type controlKind uint8

const (
	controlSavepoint controlKind = iota + 1
	controlRelease
	controlRollbackTo
	controlEnd // commits, rolls back, or prepares the whole transaction
)

// control is a statement that controls the transaction.
type control struct {
	kind controlKind
	name string // of the savepoint
}

// controls finds the statements in sql that control the transaction, in their
// order; nearly always there are none.
func controls(sql string) []control {
	var found []control
	s := sqlScanner{text: sql}
	for s.statement() {
		if c, ok := s.control(); ok {
			found = append(found, c)
		}
	}
	return found
}

// sqlScanner walks over SQL as far as is needed to tell where statements begin.
type sqlScanner struct {
	text string
	pos  int
	in   bool // within a statement
}

// statement goes to the beginning of the next statement.
func (s *sqlScanner) statement() bool {
	for s.skipBlank(); s.pos < len(s.text); s.skipBlank() {
		switch {
		case s.text[s.pos] == ';':
			s.pos++
			s.in = false
		case !s.in:
			s.in = true
			return true
		default:
			s.token()
		}
	}
	return false
}

// control reads the words that make a statement a control statement.
func (s *sqlScanner) control() (control, bool) {
	word := s.word()
	switch word {
	case "savepoint":
		return control{controlSavepoint, s.word()}, true
	case "release":
		return control{controlRelease, s.wordAfter("savepoint")}, true
	case "commit", "end", "abort":
		return control{kind: controlEnd}, true
	case "rollback":
		next := s.word()
		if next == "work" || next == "transaction" {
			next = s.word()
		}
		if next == "to" {
			return control{controlRollbackTo, s.wordAfter("savepoint")}, true
		}
		return control{kind: controlEnd}, true
	case "prepare":
		return control{kind: controlEnd}, s.word() == "transaction"
	}
	return control{}, false
}

// wordAfter is the next word, or the one behind it when that is the given noise.
func (s *sqlScanner) wordAfter(noise string) string {
	word := s.word()
	if word == noise {
		return s.word()
	}
	return word
}

// word reads a keyword or name, folded as Postgres does. Within a statement it
// returns "" where something else stands.
func (s *sqlScanner) word() string {
	s.skipBlank()
	if s.pos == len(s.text) {
		return ""
	}
	start := s.pos
	switch c := s.text[s.pos]; {
	case c == '"':
		s.token()
		return strings.ReplaceAll(strings.TrimSuffix(s.text[start+1:s.pos], `"`), `""`, `"`)
	case isWord(c):
		s.token()
		return strings.ToLower(s.text[start:s.pos])
	}
	return ""
}

// token skips one token: a string or name with its quotes, a word, or a single
// character.
func (s *sqlScanner) token() {
	start := s.pos
	c := s.text[s.pos]
	switch {
	case c == '\'':
		s.quoted('\'', false)
	case c == '"':
		s.quoted('"', false)
	case c == '$':
		s.dollarQuoted()
	case isWord(c):
		for s.pos < len(s.text) && (isWord(s.text[s.pos]) || s.text[s.pos] == '$') {
			s.pos++
		}
		escapes := s.pos-start == 1 && (c == 'e' || c == 'E')
		if escapes && s.pos < len(s.text) && s.text[s.pos] == '\'' {
			s.quoted('\'', true)
		}
	default:
		s.pos++
	}
}

func (s *sqlScanner) quoted(quote byte, backslash bool) {
	for s.pos++; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; {
		case backslash && c == '\\':
			s.pos++
		case c == quote && strings.HasPrefix(s.text[s.pos+1:], string(quote)):
			s.pos++ // doubled, it stands for itself
		case c == quote:
			s.pos++
			return
		}
	}
	s.pos = len(s.text)
}

// dollarQuoted skips $tag$…$tag$, or the $ of a parameter.
func (s *sqlScanner) dollarQuoted() {
	end := s.pos + 1
	for end < len(s.text) && isWord(s.text[end]) {
		end++
	}
	if end == len(s.text) || s.text[end] != '$' || isDigit(s.text[s.pos+1]) {
		s.pos++
		return
	}
	tag := s.text[s.pos : end+1]
	s.pos = end + 1
	if i := strings.Index(s.text[s.pos:], tag); i >= 0 {
		s.pos += i + len(tag)
		return
	}
	s.pos = len(s.text)
}

// skipBlank skips white space and comments.
func (s *sqlScanner) skipBlank() {
	for s.pos < len(s.text) {
		rest := s.text[s.pos:]
		switch {
		case strings.IndexByte(" \t\r\n\f\v", rest[0]) >= 0:
			s.pos++
		case strings.HasPrefix(rest, "--"):
			i := strings.IndexByte(rest, '\n')
			if i < 0 {
				i = len(rest) - 1
			}
			s.pos += i + 1
		case strings.HasPrefix(rest, "/*"):
			s.blockComment()
		default:
			return
		}
	}
}

// blockComment skips a comment; Postgres nests them.
func (s *sqlScanner) blockComment() {
	depth := 0
	for s.pos < len(s.text) {
		switch rest := s.text[s.pos:]; {
		case strings.HasPrefix(rest, "/*"):
			depth++
			s.pos += 2
		case strings.HasPrefix(rest, "*/"):
			depth--
			s.pos += 2
			if depth == 0 {
				return
			}
		default:
			s.pos++
		}
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool {
	return c == '_' || c >= 0x80 || isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
