package schema

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
)

// Member returns the value of the member called name, or nil.
func (v *Value) Member(name string) *Value {
	if m := v.member(name); m != nil {
		return m.Value
	}
	return nil
}

func (v *Value) member(name string) *Member {
	for i := range v.Members {
		if v.Members[i].Name == name {
			return &v.Members[i]
		}
	}
	return nil
}

// Canonical returns the value as JSON without white space, in a form that is the same
// for equal values: sorted members, and one form for 1, 1.0 and 1e0. Package wire of
// the runtime uses the same form.
func (v *Value) Canonical() string {
	var b strings.Builder
	v.write(&b, true)
	return b.String()
}

// JSON returns the value as JSON without white space. Numbers and the order of members
// stay as written.
func (v *Value) JSON() string {
	var b strings.Builder
	v.write(&b, false)
	return b.String()
}

func (v *Value) write(b *strings.Builder, canonical bool) {
	switch v.Kind {
	case Null:
		b.WriteString("null")
	case Bool:
		b.WriteString(strconv.FormatBool(v.Bool))
	case NumberKind:
		if canonical {
			b.WriteString(jsonvalue.CanonicalNumber(v.Text))
		} else {
			b.WriteString(v.Text)
		}
	case String:
		b.WriteString(jsonText(v.Text))
	case Array:
		b.WriteByte('[')
		for i, item := range v.Items {
			if i > 0 {
				b.WriteByte(',')
			}
			item.write(b, canonical)
		}
		b.WriteByte(']')
	case Object:
		members := v.Members
		if canonical {
			members = slices.SortedFunc(slices.Values(members), func(x, y Member) int { return strings.Compare(x.Name, y.Name) })
		}
		b.WriteByte('{')
		for i, m := range members {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(jsonText(m.Name) + ":")
			m.Value.write(b, canonical)
		}
		b.WriteByte('}')
	}
}

// jsonText returns a string as JSON, without the escapes for HTML.
func jsonText(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return strconv.Quote(s) // encoding a string never fails
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// IsInt64 reports whether v is a number that is an int64.
func (v *Value) IsInt64() bool {
	if v.Kind != NumberKind {
		return false
	}
	_, ok := jsonvalue.Int64(v.Text)
	return ok
}

// Count returns a keyword that counts something; nil if it is absent. A number beyond
// any length becomes the largest int32, because no value is that long.
func (n *Number) Count() *int {
	if n == nil {
		return nil
	}
	text, ok := jsonvalue.Int64(n.Text)
	if !ok {
		if r := jsonvalue.Rational(n.Text); r != nil && !r.IsInt() || strings.HasPrefix(n.Text, "-") {
			return nil // loading has reported it
		}
		text = strconv.Itoa(math.MaxInt32)
	}
	value, err := strconv.Atoi(text)
	if err != nil || value > math.MaxInt32 {
		value = math.MaxInt32
	}
	return &value
}

// at returns the value that a JSON Pointer's tokens lead to. If there is none, it
// returns nil, the number of tokens that were followed, and the value reached.
func (v *Value) at(tokens []string) (found *Value, followed int, reached *Value) {
	for i, token := range tokens {
		var next *Value
		switch v.Kind {
		case Object:
			next = v.Member(token)
		case Array:
			if n, err := strconv.Atoi(token); err == nil && strconv.Itoa(n) == token && n >= 0 && n < len(v.Items) {
				next = v.Items[n]
			}
		default:
		}
		if next == nil {
			return nil, i, v
		}
		v = next
	}
	return v, len(tokens), v
}

func (v *Value) names() []string {
	out := make([]string, len(v.Members))
	for i, m := range v.Members {
		out[i] = m.Name
	}
	return out
}

// pointerTokens splits a JSON Pointer into unescaped names. problem says what is wrong
// with its syntax, or is "".
func pointerTokens(pointer string) (tokens []string, problem string) {
	if pointer == "" {
		return nil, ""
	}
	if pointer[0] != '/' {
		return nil, "a JSON Pointer starts with a slash"
	}
	for _, token := range strings.Split(pointer[1:], "/") {
		for i := range len(token) {
			if token[i] == '~' && (i+1 == len(token) || token[i+1] != '0' && token[i+1] != '1') {
				return nil, "in a JSON Pointer, write ~0 for ~, and ~1 for / inside a name"
			}
		}
		tokens = append(tokens, UnescapeToken(token))
	}
	return tokens, ""
}

func joinTokens(tokens []string) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteString("/" + EscapeToken(t))
	}
	return b.String()
}
