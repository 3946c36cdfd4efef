package page

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// longestDocument limits what a page shows of a document, in bytes.
const longestDocument = 64 << 10

// document returns a JSON document, or the beginning of one, with line breaks where JSON
// allows them. cut is true if there is more.
func document(text json.RawMessage) (lines string, cut bool) {
	shown, cut := indented(text, longestDocument)
	cut = cut || utf8.RuneCount(text) > longestDocument // the rest was not read
	return visibleLines(string(bytes.ToValidUTF8(shown, nil))), cut
}

// indented is json.Indent for a document that may be only the beginning of one. It stops after
// so many bytes: a document of nested arrays grows with the square of their depth.
func indented(text []byte, most int) (out []byte, cut bool) {
	depth, inString, escaped, opened := 0, false, false, false
	newline := func() {
		out = append(out, '\n')
		out = append(out, bytes.Repeat([]byte("  "), max(0, min(depth, most)))...)
	}
	for _, c := range text {
		if len(out) >= most {
			return out[:most], true
		}
		if inString {
			out = append(out, c)
			inString = escaped || c != '"'
			escaped = !escaped && c == '\\'
			continue
		}
		if slices.Contains([]byte(" \t\r\n"), c) {
			continue
		}
		closes := c == ']' || c == '}'
		if closes {
			depth--
		}
		if opened != closes { // something is in the array or object
			newline()
		}
		opened = c == '[' || c == '{'
		if opened {
			depth++
		}
		out = append(out, c)
		switch c {
		case '"':
			inString = true
		case ',':
			newline()
		case ':':
			out = append(out, ' ')
		}
	}
	return out[:min(len(out), most)], len(out) > most
}
