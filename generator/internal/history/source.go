package history

import (
	"bytes"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// source is a text being read: a file, or the content of a string.
type source struct {
	file int
	text []byte
	base int   // where it begins in the file, if at is nil
	at   []int // offset in the file of each byte, and of its end
}

// origin returns the offset in the file of an offset in the text.
func (s source) origin(offset int) int {
	if s.at == nil {
		return s.base + offset
	}
	return s.at[min(offset, len(s.at)-1)]
}

func (s source) place(offset int) Place { return Place{s.file, s.origin(offset)} }

// written returns a token as written in the text.
func (s source) written(t sqltext.Token) string {
	raw := string(s.text[t.Start:t.End])
	if raw[0] != ':' || t.Kind == sqltext.Placeholder {
		return raw
	}
	switch t.Kind { // of a variable of psql
	case sqltext.Quoted:
		return quoted(t.Text)
	case sqltext.String:
		return literalText(t.Text)
	default:
		return t.Text
	}
}

// inside returns the content of a string.
func (s source) inside(t sqltext.Token) source {
	raw := s.text[t.Start:t.End]
	open := bytes.IndexByte(raw, '\'') + 1
	end := len(raw)
	if t.Kind == sqltext.Dollar {
		open = bytes.IndexByte(raw[1:], '$') + 2
		end = open + len(t.Text)
	} else if end > open && raw[end-1] == '\'' {
		end--
	}
	escapes := t.Kind == sqltext.String && (raw[0] == 'e' || raw[0] == 'E')
	inner := source{file: s.file, text: raw[open:end]}
	if s.at == nil && (t.Kind == sqltext.Dollar || !bytes.ContainsAny(inner.text, `'\`)) {
		inner.base = s.base + t.Start + open
		return inner
	}
	var text []byte
	for i := open; i < end; i++ {
		inner.at = append(inner.at, s.origin(t.Start+i))
		c := raw[i]
		if t.Kind == sqltext.String && i+1 < end && (c == '\'' && raw[i+1] == '\'' || escapes && c == '\\') {
			i++
			c = raw[i]
			if raw[i-1] == '\\' && bytes.IndexByte([]byte("bfnrt"), c) >= 0 {
				c = '\n'
			}
		}
		text = append(text, c)
	}
	inner.at = append(inner.at, s.origin(t.Start+end))
	inner.text = text
	return inner
}
