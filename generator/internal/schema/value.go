package schema

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Member is the value of the member called name, nil where there is none.
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

// Canonical is the value as JSON without white space, in a form that is equal
// for equal values: members by name, 1, 1.0 and 1e0 alike.
func (v *Value) Canonical() string {
	var b strings.Builder
	v.canonical(&b)
	return b.String()
}

func (v *Value) canonical(b *strings.Builder) {
	switch v.Kind {
	case Null:
		b.WriteString("null")
	case Bool:
		b.WriteString(strconv.FormatBool(v.Bool))
	case NumberKind:
		b.WriteString(canonicalNumber(v.Text))
	case String:
		b.WriteString(strconv.Quote(v.Text))
	case Array:
		b.WriteByte('[')
		for i, item := range v.Items {
			if i > 0 {
				b.WriteByte(',')
			}
			item.canonical(b)
		}
		b.WriteByte(']')
	case Object:
		members := slices.SortedFunc(slices.Values(v.Members), func(x, y Member) int { return strings.Compare(x.Name, y.Name) })
		b.WriteByte('{')
		for i, m := range members {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strconv.Quote(m.Name) + ":")
			m.Value.canonical(b)
		}
		b.WriteByte('}')
	}
}

func canonicalNumber(text string) string {
	if text == "-0" {
		return "0"
	}
	if !strings.ContainsAny(text, ".eE") {
		return text
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return text
	}
	return r.RatString()
}

// at is the value that a JSON Pointer's tokens lead to. Where they do not, it
// is nil, with the number of tokens that were followed and the value reached.
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

// names lists the members of an object value.
func (v *Value) names() []string {
	out := make([]string, len(v.Members))
	for i, m := range v.Members {
		out[i] = m.Name
	}
	return out
}

// pointerTokens splits a JSON Pointer into unescaped names. The second result
// says what is wrong with its syntax; "" is fine.
func pointerTokens(pointer string) (tokens []string, problem string) {
	if pointer == "" {
		return nil, ""
	}
	if pointer[0] != '/' {
		return nil, "a JSON Pointer begins with a slash"
	}
	for _, token := range strings.Split(pointer[1:], "/") {
		for i := range len(token) {
			if token[i] == '~' && (i+1 == len(token) || token[i+1] != '0' && token[i+1] != '1') {
				return nil, "in a JSON Pointer ~ is written ~0, and / inside a name ~1"
			}
		}
		tokens = append(tokens, unescaper.Replace(token))
	}
	return tokens, ""
}

func joinTokens(tokens []string) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteString("/" + escapePointer(t))
	}
	return b.String()
}
