package rule

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/runtime/internal/decimal"
)

// canonical returns a text that is the same for equal documents.
func (j JSON) canonical() string {
	d := json.NewDecoder(strings.NewReader(string(j)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic("rule: " + string(j) + " is not JSON: " + err.Error())
	}
	return canonical(v)
}

// Equal reports whether two documents are the same JSON value: 1e2 equals 100, and the
// order of properties does not matter.
func (j JSON) Equal(other JSON) bool { return j == other || j.canonical() == other.canonical() }

func canonical(v any) string {
	var b strings.Builder
	writeCanonical(&b, v)
	return b.String()
}

func writeCanonical(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case json.Number:
		n, _ := decimal.Parse(string(v))
		b.WriteString(n.String())
	case string:
		b.WriteString(strconv.Quote(v))
	case []any:
		b.WriteByte('[')
		for _, item := range v {
			writeCanonical(b, item)
			b.WriteByte(',')
		}
		b.WriteByte(']')
	case map[string]any:
		b.WriteByte('{')
		for _, name := range slices.Sorted(maps.Keys(v)) {
			b.WriteString(strconv.Quote(name) + ":")
			writeCanonical(b, v[name])
			b.WriteByte(',')
		}
		b.WriteByte('}')
	}
}

// isType reports whether a value has a JSON type.
func isType(v any, name string) bool {
	switch v := v.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case string:
		return name == "string"
	case []any:
		return name == "array"
	case map[string]any:
		return name == "object"
	case json.Number:
		if name == "integer" {
			n, ok := decimal.Parse(string(v))
			return ok && n.Whole()
		}
		return name == "number"
	}
	return false
}
