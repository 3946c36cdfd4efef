package wire

import (
	"unicode/utf16"
	"unicode/utf8"
)

// String reads a string.
func (d *Decoder) String() string {
	if d.peek() != '"' {
		d.mismatch("a string")
		return ""
	}
	return string(d.text())
}

// Text reads a string into a named string type.
func Text[T ~string](d *Decoder) T { return T(d.String()) }

// escapedText finishes text from the first backslash, at i.
func (d *Decoder) escapedText(start, i int, ascii bool) []byte {
	out := d.scratch[:0]
	out = append(out, d.data[d.pos:i]...)
	for i < len(d.data) {
		c := d.data[i]
		switch {
		case c == '"':
			d.pos = i + 1
			if !ascii && !utf8.Valid(out) {
				d.failAt(start, "encoding", "is not UTF-8")
			}
			d.scratch = out
			return out
		case c == '\\':
			var n int
			if out, n = d.escape(out, start, i); n == 0 {
				return nil
			}
			i += n
			continue
		case c < ' ':
			d.pos = i
			d.syntax("a control character must be escaped in a string")
			return nil
		case c >= utf8.RuneSelf:
			ascii = false
		}
		out = append(out, c)
		i++
	}
	d.pos = len(d.data)
	d.syntax("a string does not end")
	return nil
}

// escape appends the character of the escape at i and returns the escape's length, 0
// after a syntax error.
func (d *Decoder) escape(out []byte, start, i int) ([]byte, int) {
	if i+1 < len(d.data) {
		switch c := d.data[i+1]; c {
		case '"', '\\', '/':
			return append(out, c), 2
		case 'b':
			return append(out, '\b'), 2
		case 'f':
			return append(out, '\f'), 2
		case 'n':
			return append(out, '\n'), 2
		case 'r':
			return append(out, '\r'), 2
		case 't':
			return append(out, '\t'), 2
		case 'u':
			r, ok := hex4(d.data, i+2)
			if !ok {
				break
			}
			if !utf16.IsSurrogate(r) {
				return utf8.AppendRune(out, r), 6
			}
			if i+7 < len(d.data) && d.data[i+6] == '\\' && d.data[i+7] == 'u' {
				if low, ok := hex4(d.data, i+8); ok {
					if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
						return utf8.AppendRune(out, pair), 12
					}
				}
			}
			d.failAt(start, "encoding", "escapes half a surrogate pair")
			return utf8.AppendRune(out, utf8.RuneError), 6
		}
	}
	d.pos = i
	d.syntax("unknown escape in a string")
	return out, 0
}

func hex4(data []byte, at int) (rune, bool) {
	if at+4 > len(data) {
		return 0, false
	}
	var r rune
	for _, c := range data[at : at+4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

const hexDigits = "0123456789abcdef"

// appendString appends s quoted and escaped. ok is false when s is not UTF-8.
func appendString(b []byte, s string) (_ []byte, ok bool) {
	b = append(b, '"')
	done := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			b = append(b, s[done:i]...)
			b = appendEscape(b, c)
			i++
			done = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			return b, false
		}
		if r == '\u2028' || r == '\u2029' {
			b = append(b, s[done:i]...)
			b = append(b, '\\', 'u', '2', '0', '2', hexDigits[r&0xf])
			done = i + size
		}
		i += size
	}
	b = append(b, s[done:]...)
	return append(b, '"'), true
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	default:
		return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
	}
}
