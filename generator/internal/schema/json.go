package schema

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// jsonReader reads RFC 8259 with the position of every value and name. Numbers keep
// their text. The first syntax error ends the file.
type jsonReader struct {
	tracker

	list     *finding.List
	next     int // offset of the next unread byte
	values   int
	reported int
	said     map[string]bool // reported once for each file
}

// readJSON parses src, UTF-8 without a byte order mark. It reports comments, trailing
// commas, unpaired surrogates and repeated members, and continues: the last of repeated
// members counts, as in other parsers.
func readJSON(file string, src []byte, list *finding.List) (*Value, int) {
	r := &jsonReader{tracker: tracker{file: file, src: src, line: 1, col: 1}, list: list, said: map[string]bool{}}
	r.space()
	if r.next == len(src) {
		r.fail(0, "the file is empty")
		return nil, 0
	}
	v, ok := r.value(1)
	if !ok {
		return nil, r.values
	}
	r.space()
	if r.next < len(src) {
		r.fail(r.next, "text after the end of the document; a JSON file holds one value")
		return nil, r.values
	}
	return v, r.values
}

// fail reports a syntax error and returns false.
func (r *jsonReader) fail(offset int, format string, args ...any) bool {
	r.list.Errorf(r.at(offset), "json-syntax", format, args...)
	return false
}

// once reports something that is not JSON but can be read, the first time in a file.
func (r *jsonReader) once(offset int, message string) {
	if !r.said[message] {
		r.said[message] = true
		r.list.Errorf(r.at(offset), "json-syntax", "%s", message)
	}
}

func (r *jsonReader) space() {
	for r.next < len(r.src) {
		switch r.src[r.next] {
		case ' ', '\t', '\n', '\r':
			r.next++
		case '/':
			if !r.comment() {
				return
			}
		default:
			return
		}
	}
}

// comment skips a comment. It returns false if there is none, or it does not end.
func (r *jsonReader) comment() bool {
	rest := r.src[r.next:]
	var length int
	switch {
	case bytes.HasPrefix(rest, []byte("//")):
		if length = bytes.IndexAny(rest, "\r\n"); length < 0 {
			length = len(rest)
		}
	case bytes.HasPrefix(rest, []byte("/*")):
		end := bytes.Index(rest[2:], []byte("*/"))
		if end < 0 {
			return false
		}
		length = 2 + end + 2
	default:
		return false
	}
	r.once(r.next, noComments)
	r.next += length
	return true
}

const noComments = `JSON has no comments; use "$comment", or convert the file to YAML`

func (r *jsonReader) peek() byte {
	if r.next < len(r.src) {
		return r.src[r.next]
	}
	return 0
}

func (r *jsonReader) value(depth int) (*Value, bool) {
	r.space()
	v := &Value{Pos: r.at(r.next)}
	r.values++
	if depth > maxDepth {
		r.list.Errorf(v.Pos, "too-deep", tooDeep, maxDepth)
		return nil, false
	}
	if r.values > maxFileValues {
		r.list.Errorf(v.Pos, "too-many-values", "the file holds more than %d values", maxFileValues)
		return nil, false
	}
	var ok bool
	switch c := r.peek(); {
	case c == '{':
		v.Kind = Object
		ok = r.object(v, depth)
	case c == '[':
		v.Kind = Array
		ok = r.array(v, depth)
	case c == '"':
		v.Kind = String
		v.Text, ok = r.text()
	case c == '-' || c >= '0' && c <= '9':
		v.Kind = NumberKind
		ok = r.number(v)
	default:
		ok = r.literal(v)
	}
	return v, ok
}

func (r *jsonReader) literal(v *Value) bool {
	end := r.next
	for end < len(r.src) && (r.src[end] == '_' || r.src[end]|0x20 >= 'a' && r.src[end]|0x20 <= 'z') {
		end++
	}
	switch word := string(r.src[r.next:end]); word {
	case "null":
	case "true", "false":
		v.Kind, v.Bool = Bool, word == "true"
	case "":
		return r.unexpected("a value")
	default:
		return r.fail(r.next, "%s is not a JSON value%s", finding.Quote(word), literalHint(word))
	}
	r.next = end
	return true
}

func literalHint(word string) string {
	switch strings.ToLower(word) {
	case "true", "false", "null":
		return "; write " + strings.ToLower(word)
	case "none", "nil", "undefined":
		return "; write null"
	case "nan", "inf", "infinity":
		return ": JSON has no such number"
	}
	return "; strings need double quotes"
}

func (r *jsonReader) unexpected(wanted string) bool {
	if r.next >= len(r.src) {
		return r.fail(r.next, "the file ends where %s is expected", wanted)
	}
	rest := r.src[r.next:]
	switch {
	case rest[0] == '\'':
		return r.fail(r.next, "a single quote where %s is expected; JSON strings need double quotes", wanted)
	case rest[0] == '#', bytes.HasPrefix(rest, []byte("//")), bytes.HasPrefix(rest, []byte("/*")):
		return r.fail(r.next, noComments)
	}
	c, _ := utf8.DecodeRune(rest)
	if c == '"' {
		return r.fail(r.next, "a string where %s is expected", wanted)
	}
	return r.fail(r.next, "%s where %s is expected", finding.Quote(string(c)), wanted)
}

// seenMember is the position of the first member with a name, and its index in the
// object.
type seenMember struct {
	first finding.Pos
	index int
}

func (r *jsonReader) object(v *Value, depth int) bool {
	r.next++
	seen := map[string]seenMember{}
	for first := true; ; first = false {
		r.space()
		if r.peek() == '}' {
			if !first {
				r.once(r.next, "a comma before the closing brace; JSON has no trailing commas")
			}
			r.next++
			return true
		}
		if r.peek() != '"' {
			return r.unexpected("a member name in double quotes")
		}
		m := Member{Pos: r.at(r.next)}
		var ok bool
		if m.Name, ok = r.text(); !ok {
			return false
		}
		r.space()
		if r.peek() != ':' {
			return r.unexpected("a colon")
		}
		r.next++
		if m.Value, ok = r.value(depth + 1); !ok {
			return false
		}
		if other, dup := seen[m.Name]; dup {
			if r.reported++; r.reported <= maxSyntaxErrors {
				duplicateMember(r.list, m, other.first)
			}
			v.Members[other.index] = m
		} else {
			seen[m.Name] = seenMember{first: m.Pos, index: len(v.Members)}
			v.Members = append(v.Members, m)
		}
		r.space()
		switch r.peek() {
		case ',':
			r.next++
		case '}':
			r.next++
			return true
		default:
			return r.unclosed("object", v.Pos)
		}
	}
}

func duplicateMember(list *finding.List, m Member, other finding.Pos) {
	list.Errorf(m.Pos, "duplicate-member", "%s appears twice; the first is at line %d, column %d",
		finding.Quote(m.Name), other.Line, other.Col)
}

// unclosed reports that neither a comma nor the closing bracket follows.
func (r *jsonReader) unclosed(what string, from finding.Pos) bool {
	closing := map[string]string{"object": "}", "array": "]"}[what]
	if r.next >= len(r.src) {
		return r.fail(r.next, "the file ends inside the %s that begins at line %d, column %d", what, from.Line, from.Col)
	}
	return r.unexpected(fmt.Sprintf("a comma or %s", closing))
}

func (r *jsonReader) array(v *Value, depth int) bool {
	r.next++
	r.space()
	if r.peek() == ']' {
		r.next++
		return true
	}
	for {
		item, ok := r.value(depth + 1)
		if !ok {
			return false
		}
		v.Items = append(v.Items, item)
		r.space()
		switch r.peek() {
		case ',':
			comma := r.next
			r.next++
			r.space()
			if r.peek() == ']' {
				r.once(comma, "a comma before the closing bracket; JSON has no trailing commas")
				r.next++
				return true
			}
		case ']':
			r.next++
			return true
		default:
			return r.unclosed("array", v.Pos)
		}
	}
}

func (r *jsonReader) number(v *Value) bool {
	end := r.next
	for end < len(r.src) && strings.IndexByte("+-.eE0123456789", r.src[end]) >= 0 {
		end++
	}
	text := string(r.src[r.next:end])
	if !isJSONNumber(text) {
		hint := ""
		if digits := strings.TrimPrefix(text, "-"); len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
			hint = ": no leading zeros"
		}
		return r.fail(r.next, "%s is not a JSON number%s", finding.Quote(text), hint)
	}
	if problem := numberTooLarge(text); problem != "" {
		return r.fail(r.next, "%s", problem)
	}
	v.Text = text
	r.next = end
	return true
}

// text reads a string; the opening quote is next.
func (r *jsonReader) text() (string, bool) {
	start := r.next
	r.next++
	var b strings.Builder
	for r.next < len(r.src) {
		switch c := r.src[r.next]; {
		case c == '"':
			r.next++
			return b.String(), true
		case c == '\\':
			if !r.escape(&b) {
				return "", false
			}
		case c == '\n' || c == '\r':
			return "", r.fail(r.next, "the string is not closed on its line; write \\n for a line break")
		case c < 0x20:
			return "", r.fail(r.next, "a control character (0x%02X) in a string; write \\u%04x", c, c)
		default:
			end := r.next
			for end < len(r.src) && r.src[end] >= 0x20 && r.src[end] != '"' && r.src[end] != '\\' {
				end++
			}
			b.Write(r.src[r.next:end])
			r.next = end
		}
	}
	return "", r.fail(start, "the string that begins here is not closed")
}

func (r *jsonReader) escape(b *strings.Builder) bool {
	at := r.next
	if at+1 >= len(r.src) {
		return r.fail(at, "the file ends inside a string")
	}
	c := r.src[at+1]
	if c == 'u' {
		return r.unicodeEscape(b)
	}
	i := strings.IndexByte(`"\/bfnrt`, c)
	if i < 0 {
		return r.fail(at, "JSON has no escape %s; write \\\\ for a backslash", finding.Quote(string(r.src[at:at+2])))
	}
	b.WriteByte("\"\\/\b\f\n\r\t"[i])
	r.next += 2
	return true
}

func (r *jsonReader) unicodeEscape(b *strings.Builder) bool {
	at := r.next
	c, ok := r.hex4(at)
	if !ok {
		return r.fail(at, "\\u needs four hexadecimal digits")
	}
	r.next += 6
	if utf16.IsSurrogate(c) {
		low, ok := r.hex4(r.next)
		full := utf16.DecodeRune(c, low)
		if !ok || full == utf8.RuneError {
			r.once(at, fmt.Sprintf("half a surrogate pair (%s): a character beyond U+FFFF needs two \\u escapes", r.src[at:at+6]))
			full = utf8.RuneError
		} else {
			r.next += 6
		}
		c = full
	}
	b.WriteRune(c)
	return true
}

// hex4 reads \uXXXX at offset.
func (r *jsonReader) hex4(offset int) (rune, bool) {
	if offset+6 > len(r.src) || r.src[offset] != '\\' || r.src[offset+1] != 'u' {
		return 0, false
	}
	c, err := strconv.ParseUint(string(r.src[offset+2:offset+6]), 16, 16)
	return rune(c), err == nil
}
