package outbox

import "strings"

// sqlScanner reads SQL as far as is needed to find where statements begin.
type sqlScanner struct {
	text string
	pos  int
	// backslash is true if a backslash escapes in every string, because
	// standard_conforming_strings is off.
	backslash bool
}

// statement moves to the beginning of the next statement.
func (s *sqlScanner) statement() bool {
	for s.skipBlank(); s.pos < len(s.text); s.skipBlank() {
		if s.text[s.pos] != ';' {
			return true
		}
		s.pos++
	}
	return false
}

// ended reports whether the statement has no more tokens.
func (s *sqlScanner) ended() bool {
	s.skipBlank()
	return s.pos == len(s.text) || s.text[s.pos] == ';'
}

// word reads a keyword or name, in lower case as Postgres folds it. Inside a statement
// it returns "" for anything else.
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

// skipStatement moves from the beginning of a statement to its end. A function body
// between BEGIN ATOMIC and END contains statements.
func (s *sqlScanner) skipStatement() {
	start := s.pos
	routine := s.createsRoutine()
	s.pos = start
	open := 0 // BEGIN ATOMIC and CASE that have no END yet
	for last := ""; ; {
		s.skipBlank()
		if s.pos == len(s.text) || s.text[s.pos] == ';' && open == 0 {
			return
		}
		start := s.pos
		s.token()
		if !routine {
			continue
		}
		word := strings.ToLower(s.text[start:s.pos])
		switch isLabel := last == "as" || last == "."; {
		case isLabel:
		case word == "atomic" && last == "begin", word == "case" && open > 0:
			open++
		case word == "end" && open > 0:
			open--
		}
		last = word
	}
}

// createsRoutine reads CREATE [OR REPLACE] FUNCTION or PROCEDURE.
func (s *sqlScanner) createsRoutine() bool {
	if s.word() != "create" {
		return false
	}
	what := s.word()
	if what == "or" && s.word() == "replace" {
		what = s.word()
	}
	return what == "function" || what == "procedure"
}

// unicodeName stands for a name in the form U&"…", which may be any name.
const unicodeName = `U&""`

// name skips one token. It returns the token without quotes if it is a keyword or a
// name; else "".
func (s *sqlScanner) name() string {
	start := s.pos
	c := s.text[start]
	if rest := s.text[start:]; strings.HasPrefix(rest, `U&"`) || strings.HasPrefix(rest, `u&"`) {
		s.pos += len(`U&`)
		s.token()
		return unicodeName
	}
	s.token()
	switch {
	case c == '"':
		return strings.Trim(s.text[start:s.pos], `"`)
	case isWord(c):
		return s.text[start:s.pos]
	}
	return ""
}

// token skips one token: a string or name with its quotes, a word, or one character.
func (s *sqlScanner) token() {
	start := s.pos
	c := s.text[s.pos]
	switch {
	case c == '\'':
		s.quoted('\'', s.backslash)
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
			s.pos++ // a doubled quote stands for one
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

// blockComment skips a comment. Comments nest in Postgres.
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
