package format

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// isURI reports whether s is a URI of RFC 3986.
func isURI(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.IsAbs() && isURIText(s)
}

// isURIReference reports whether s is a URI or a relative reference of RFC 3986.
func isURIReference(s string) bool {
	_, err := url.Parse(s)
	return err == nil && isURIText(s)
}

// isIRI reports whether s is an IRI of RFC 3987.
func isIRI(s string) bool {
	uri, ok := escapeIRI(s)
	return ok && isURI(uri)
}

// isIRIReference reports whether s is an IRI or a relative reference of RFC 3987.
func isIRIReference(s string) bool {
	uri, ok := escapeIRI(s)
	return ok && isURIReference(uri)
}

// isURIText reports whether s has only characters that RFC 3986 allows, and
// whole percent escapes.
func isURIText(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ', c >= 0x7f, strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			return false
		case c == '%' && (i+2 >= len(s) || !isHexDigit(s[i+1]) || !isHexDigit(s[i+2])):
			return false
		}
	}
	return true
}

func isHexDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// escapeIRI returns an IRI of RFC 3987 as a URI; ok is false if it has characters
// beyond ASCII that it may not have.
func escapeIRI(s string) (uri string, ok bool) {
	var b strings.Builder
	query := false
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			query = r == '?' || query && r != '#'
			b.WriteRune(r)
		case isIRIRune(r) || query && isPrivate(r):
			for _, c := range []byte(string(r)) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		default:
			return "", false
		}
	}
	return b.String(), utf8.ValidString(s)
}

// isIRIRune reports whether r is a ucschar of RFC 3987.
func isIRIRune(r rune) bool {
	switch {
	case r >= 0xa0 && r <= 0xd7ff, r >= 0xf900 && r <= 0xfdcf, r >= 0xfdf0 && r <= 0xffef:
		return true
	case r >= 0x10000 && r <= 0xdffff, r >= 0xe1000 && r <= 0xeffff:
		return r&0xffff < 0xfffe
	}
	return false
}

// isPrivate reports whether r is an iprivate of RFC 3987.
func isPrivate(r rune) bool {
	return r >= 0xe000 && r <= 0xf8ff || r >= 0xf0000 && r&0xffff < 0xfffe
}

// isTemplate reports whether s is a template of RFC 6570.
func isTemplate(s string) bool {
	for s != "" {
		if s[0] == '{' {
			expression, rest, closed := strings.Cut(s[1:], "}")
			if !closed || !isExpression(expression) {
				return false
			}
			s = rest
			continue
		}
		if s[0] == '%' {
			if !isEscape(s) {
				return false
			}
			s = s[len("%00"):]
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		if r < utf8.RuneSelf && (r <= ' ' || r == 0x7f || strings.ContainsRune("\"<>\\^`|}", r)) || r >= utf8.RuneSelf && !isIRIRune(r) && !isPrivate(r) {
			return false
		}
		s = s[size:]
	}
	return true
}

// isEscape reports whether s begins with a percent escape.
func isEscape(s string) bool {
	return len(s) > 2 && s[0] == '%' && isHexDigit(s[1]) && isHexDigit(s[2])
}

// isExpression reports whether s is what stands in the braces of a template: an
// operator, and variables with their modifiers.
func isExpression(s string) bool {
	if s != "" && strings.IndexByte("+#./;?&=,!@|", s[0]) >= 0 {
		s = s[1:]
	}
	for variable := range strings.SplitSeq(s, ",") {
		name, exploded := strings.CutSuffix(variable, "*")
		name, length, limited := strings.Cut(name, ":")
		if limited && (exploded || !isPrefixLength(length)) || !isVariable(name) {
			return false
		}
	}
	return true
}

// isPrefixLength reports whether s is a number from 1 to 9999.
func isPrefixLength(s string) bool {
	return len(s) >= 1 && len(s) <= 4 && s[0] != '0' && strings.Trim(s, "0123456789") == ""
}

// isVariable reports whether s is the name of a variable: letters, digits, _ and
// percent escapes, with dots between them.
func isVariable(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" {
			return false
		}
		for part != "" {
			c := part[0]
			switch {
			case isEscape(part):
				part = part[len("%00"):]
			case c == '_', '0' <= c && c <= '9', 'a' <= c|0x20 && c|0x20 <= 'z':
				part = part[1:]
			default:
				return false
			}
		}
	}
	return true
}
