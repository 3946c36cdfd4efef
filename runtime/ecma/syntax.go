package ecma

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Valid reports whether pattern is a regular expression of ECMA-262 with the flag
// u, in the editions from 2018 to 2024. Its time grows with the length of the
// pattern alone.
func Valid(pattern string) bool {
	s := reader{rest: pattern, names: map[string]bool{}}
	return s.pattern()
}

// reader reads a pattern. It keeps no tree, so that groups may be nested as deep
// as they like.
type reader struct {
	rest       string
	open       []bool // the groups that are open: whether they may be repeated
	groups     int    // how many capture
	names      map[string]bool
	references []string // names that back references have
	greatest   int      // number of a back reference
}

// maxReference is as good as any greater number of a group.
const maxReference = 1 << 40

func (s *reader) take(prefix string) bool {
	rest, found := strings.CutPrefix(s.rest, prefix)
	s.rest = rest
	return found
}

func (s *reader) next() rune {
	r, size := utf8.DecodeRuneInString(s.rest)
	s.rest = s.rest[size:]
	return r
}

func (s *reader) pattern() bool {
	repeatable := false // what was just read
	for s.rest != "" {
		if found, ok := s.quantifier(); found {
			if !ok || !repeatable {
				return false
			}
			repeatable = false
			continue
		}
		ok := true
		switch r := s.next(); r {
		case '|', '^', '$':
			repeatable = false
		case '(':
			ok, repeatable = s.group(), false
		case ')':
			last := len(s.open) - 1
			if last < 0 {
				return false
			}
			repeatable = s.open[last]
			s.open = s.open[:last]
		case '[':
			ok, repeatable = s.class(), true
		case '\\':
			ok, repeatable = s.escape()
		case ']', '{', '}':
			return false
		default:
			repeatable = true
		}
		if !ok {
			return false
		}
	}
	for _, name := range s.references {
		if !s.names[name] {
			return false
		}
	}
	return len(s.open) == 0 && s.greatest <= s.groups
}

// quantifier reads a quantifier, if there is one; ok is false for one whose
// bounds are out of order.
func (s *reader) quantifier() (found, ok bool) {
	switch {
	case s.take("*"), s.take("+"), s.take("?"):
	case strings.HasPrefix(s.rest, "{"):
		inside, after, closed := strings.Cut(s.rest[1:], "}")
		low, high, two := strings.Cut(inside, ",")
		if !closed || !digits(low) || high != "" && !digits(high) {
			return false, false
		}
		low, high = strings.TrimLeft(low, "0"), strings.TrimLeft(high, "0")
		if unlimited := strings.HasSuffix(inside, ","); two && !unlimited && (len(low) > len(high) || len(low) == len(high) && low > high) {
			return true, false
		}
		s.rest = after
	default:
		return false, false
	}
	s.take("?")
	return true, true
}

func digits(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// group reads how a group begins, after its bracket.
func (s *reader) group() bool {
	repeatable := true
	switch {
	case s.take("?:"):
	case s.take("?="), s.take("?!"), s.take("?<="), s.take("?<!"):
		repeatable = false
	case s.take("?<"):
		name, ok := s.name()
		if !ok || s.names[name] {
			return false
		}
		s.names[name] = true
		s.groups++
	case strings.HasPrefix(s.rest, "?"):
		return false
	default:
		s.groups++
	}
	s.open = append(s.open, repeatable)
	return true
}

// name reads the name of a group up to its >.
func (s *reader) name() (string, bool) {
	var name strings.Builder
	for !s.take(">") {
		if s.rest == "" {
			return "", false
		}
		r := s.next()
		if r == '\\' {
			var ok bool
			if !s.take("u") {
				return "", false
			}
			if r, ok = s.unicode(); !ok {
				return "", false
			}
		}
		if !isNameRune(r, name.Len() == 0) {
			return "", false
		}
		name.WriteRune(r)
	}
	return name.String(), name.Len() > 0
}

func isNameRune(r rune, first bool) bool {
	switch {
	case r == '$', r == '_', unicode.IsLetter(r), unicode.Is(unicode.Nl, r), unicode.Is(unicode.Other_ID_Start, r):
		return !unicode.Is(unicode.Pattern_Syntax, r) || r == '$' || r == '_'
	case first:
		return false
	}
	return r == '\u200c' || r == '\u200d' || unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue)
}

// escape reads an escape outside a class, after its backslash.
func (s *reader) escape() (ok, repeatable bool) {
	switch {
	case s.take("b"), s.take("B"):
		return true, false
	case s.take("k"):
		if !s.take("<") {
			return false, false
		}
		name, ok := s.name()
		s.references = append(s.references, name)
		return ok, true
	case s.rest != "" && '1' <= s.rest[0] && s.rest[0] <= '9':
		n := 0
		for s.rest != "" && '0' <= s.rest[0] && s.rest[0] <= '9' {
			n = min(n*10+int(s.rest[0]-'0'), maxReference)
			s.rest = s.rest[1:]
		}
		s.greatest = max(s.greatest, n)
		return true, true
	}
	_, _, ok = s.character()
	return ok, true
}

// character reads an escape that means one character, or one of several.
func (s *reader) character() (r rune, several, ok bool) {
	if s.rest == "" {
		return 0, false, false
	}
	switch c := s.next(); c {
	case 'd', 'D', 'w', 'W', 's', 'S':
		return 0, true, true
	case 'p', 'P':
		inside, after, closed := strings.Cut(s.rest, "}")
		name, braced := strings.CutPrefix(inside, "{")
		s.rest = after
		return 0, true, closed && braced && isProperty(name)
	case 't':
		return '\t', false, true
	case 'n':
		return '\n', false, true
	case 'v':
		return '\v', false, true
	case 'f':
		return '\f', false, true
	case 'r':
		return '\r', false, true
	case '0':
		return 0, false, s.rest == "" || s.rest[0] < '0' || s.rest[0] > '9'
	case 'c':
		if s.rest == "" || s.rest[0]|0x20 < 'a' || s.rest[0]|0x20 > 'z' {
			return 0, false, false
		}
		return s.next() & 0x1f, false, true
	case 'x':
		r, ok := s.hex(2)
		return r, false, ok
	case 'u':
		r, ok := s.unicode()
		return r, false, ok
	default:
		return c, false, strings.ContainsRune(`^$\.*+?()[]{}|/`, c)
	}
}

// hex reads so many hexadecimal digits.
func (s *reader) hex(n int) (rune, bool) {
	if len(s.rest) < n {
		return 0, false
	}
	r, ok := hexRune(s.rest[:n])
	s.rest = s.rest[n:]
	return r, ok
}

// hexRune is a number in hexadecimal digits, of at most 0x10ffff.
func hexRune(text string) (rune, bool) {
	r := rune(0)
	for _, c := range text {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | (c - '0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | (c | 0x20 - 'a' + 10)
		default:
			return 0, false
		}
		if r > unicode.MaxRune {
			return 0, false
		}
	}
	return r, text != ""
}

// unicode reads the rest of \uXXXX, of a surrogate pair of two, or of \u{X…}.
func (s *reader) unicode() (rune, bool) {
	if s.take("{") {
		inside, after, closed := strings.Cut(s.rest, "}")
		s.rest = after
		r, ok := hexRune(inside)
		return r, ok && closed
	}
	r, ok := s.hex(4)
	if ok && 0xd800 <= r && r < 0xdc00 && len(s.rest) >= 6 && s.rest[:2] == `\u` {
		if low, ok := hexRune(s.rest[2:6]); ok && 0xdc00 <= low && low < 0xe000 {
			s.rest = s.rest[6:]
			return (r-0xd800)<<10 + (low - 0xdc00) + 0x10000, true
		}
	}
	return r, ok
}

// class reads a class, after its bracket.
func (s *reader) class() bool {
	s.take("^")
	for !s.take("]") {
		low, several, ok := s.classAtom()
		if !ok {
			return false
		}
		if !strings.HasPrefix(s.rest, "-") || strings.HasPrefix(s.rest, "-]") {
			continue
		}
		s.take("-")
		high, more, ok := s.classAtom()
		if !ok || several || more || low > high {
			return false
		}
	}
	return true
}

func (s *reader) classAtom() (r rune, several, ok bool) {
	switch {
	case s.rest == "":
		return 0, false, false
	case s.take(`\b`):
		return '\b', false, true
	case s.take(`\-`):
		return '-', false, true
	case s.take(`\`):
		return s.character()
	}
	return s.next(), false, true
}
