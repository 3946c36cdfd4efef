package jsonvalue

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Canonical is a value as JSON without spaces, members sorted by name and
// numbers in one form: equal values give equal text. Package wire of the runtime
// reads values into the same form.
func Canonical(v *schema.Value) string {
	var b strings.Builder
	write(&b, v, true)
	return b.String()
}

// Document is a value as JSON, with numbers and the order of members as they
// were written.
func Document(v *schema.Value) string {
	var b strings.Builder
	write(&b, v, false)
	return b.String()
}

func write(b *strings.Builder, v *schema.Value, canonical bool) {
	switch v.Kind {
	case schema.Null:
		b.WriteString("null")
	case schema.Bool:
		b.WriteString(strconv.FormatBool(v.Bool))
	case schema.NumberKind:
		if canonical {
			b.WriteString(CanonicalNumber(v.Text))
		} else {
			b.WriteString(v.Text)
		}
	case schema.String:
		b.WriteString(text(v.Text))
	case schema.Array:
		b.WriteByte('[')
		for i, item := range v.Items {
			if i > 0 {
				b.WriteByte(',')
			}
			write(b, item, canonical)
		}
		b.WriteByte(']')
	case schema.Object:
		members := v.Members
		if canonical {
			members = slices.SortedFunc(slices.Values(members), func(x, y schema.Member) int { return strings.Compare(x.Name, y.Name) })
		}
		b.WriteByte('{')
		for i, m := range members {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(text(m.Name) + ":")
			write(b, m.Value, canonical)
		}
		b.WriteByte('}')
	}
}

// text is a string as encoding/json writes it, without the escapes that only
// HTML needs.
func text(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return strconv.Quote(s) // a string always encodes
	}
	return strings.TrimSuffix(b.String(), "\n")
}
