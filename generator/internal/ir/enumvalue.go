package ir

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// mixed is the kind of values of several JSON types.
const mixed = "mixed"

// baseOf is what an enum of values is made of: strings, integers, numbers, or
// the values as JSON where none of these holds them all.
func baseOf(kind string, values []*schema.Value) Kind {
	every := func(holds func(*schema.Value) bool) bool {
		return !slices.ContainsFunc(values, func(v *schema.Value) bool { return !holds(v) })
	}
	switch {
	case kind == "string":
		return String
	case every(isInt64):
		return Int
	case every(func(v *schema.Value) bool { return v.Kind == schema.NumberKind && exactFloat(v.Text) }):
		return Float
	}
	return JSON
}

func isInt64(v *schema.Value) bool {
	_, ok := wholeNumber(v.Text)
	return v.Kind == schema.NumberKind && ok
}

// enumValue is the constant for a value. Its Name is what it is to be named
// after.
func enumValue(base Kind, v *schema.Value) EnumValue {
	switch base {
	case Int:
		literal, _ := wholeNumber(v.Text)
		return EnumValue{Name: v.Text, Literal: literal}
	case Float:
		return EnumValue{Name: v.Text, Literal: NumberLiteral(v.Text, Float)}
	case JSON:
		value := EnumValue{Name: v.Text, Literal: strconv.Quote(CanonicalJSON(v))}
		switch v.Kind {
		case schema.Bool:
			value.Name = strconv.FormatBool(v.Bool)
		case schema.Array, schema.Object:
			value.Name = CanonicalJSON(v)
			if len(v.Items)+len(v.Members) == 0 {
				value.Name = "no " + v.Kind.String() // an empty one has no word in it
			}
		case schema.NumberKind:
			value.Name = numberWord(v.Text)
		}
		return value
	}
	return EnumValue{Name: v.Text, Literal: strconv.Quote(v.Text)}
}

// numberWord is a number as part of a name.
func numberWord(text string) string {
	return strings.NewReplacer("-", "Minus", "+", "", ".", "Point").Replace(text)
}

// CanonicalJSON is a value as JSON without spaces, members sorted by name and
// numbers in one form. Package wire reads values into the same form.
func CanonicalJSON(v *schema.Value) string {
	var b strings.Builder
	canonical(&b, v)
	return b.String()
}

func canonical(b *strings.Builder, v *schema.Value) {
	switch v.Kind {
	case schema.Null:
		b.WriteString("null")
	case schema.Bool:
		b.WriteString(strconv.FormatBool(v.Bool))
	case schema.NumberKind:
		b.WriteString(canonicalNumber(v.Text))
	case schema.String:
		b.WriteString(jsonString(v.Text))
	case schema.Array:
		b.WriteByte('[')
		for i, item := range v.Items {
			if i > 0 {
				b.WriteByte(',')
			}
			canonical(b, item)
		}
		b.WriteByte(']')
	case schema.Object:
		members := slices.SortedFunc(slices.Values(v.Members), func(x, y schema.Member) int { return strings.Compare(x.Name, y.Name) })
		b.WriteByte('{')
		for i, m := range members {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(jsonString(m.Name) + ":")
			canonical(b, m.Value)
		}
		b.WriteByte('}')
	}
}

// jsonString is a string as encoding/json writes it, but for the escapes that
// only HTML needs.
func jsonString(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		return strconv.Quote(text) // a string always encodes
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// maxPlain is how many digits a number may have that is written without an
// exponent.
const maxPlain = 40

// canonicalNumber is a JSON number in the one form of all that equal it: plain
// where it is an integer of few digits, else digits with an exponent.
func canonicalNumber(text string) string {
	text, negative := strings.CutPrefix(text, "-")
	exp := 0
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		exp, _ = strconv.Atoi(strings.TrimPrefix(text[i+1:], "+"))
		text = text[:i]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	exp -= len(fraction)
	trimmed := strings.TrimRight(digits, "0")
	exp += len(digits) - len(trimmed)
	if trimmed == "" {
		return "0"
	}
	sign := ""
	if negative {
		sign = "-"
	}
	switch point := len(trimmed) + exp; {
	case exp >= 0 && point <= maxPlain:
		return sign + trimmed + strings.Repeat("0", exp)
	case exp < 0 && point > 0:
		return sign + trimmed[:point] + "." + trimmed[point:]
	case exp < 0 && point > -6:
		return sign + "0." + strings.Repeat("0", -point) + trimmed
	default:
		return sign + trimmed + "e" + strconv.Itoa(exp)
	}
}
