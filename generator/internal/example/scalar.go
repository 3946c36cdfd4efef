package example

import (
	"math/big"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// ofFormat has texts of the formats.
var ofFormat = map[string][]string{
	"uuid":                  {"018fd0a0-0000-7000-8000-00000000000a", "018fd0a0-0000-7000-8000-00000000000b", "018fd0a0-0000-7000-8000-00000000000c"},
	"guid":                  {"018fd0a0-0000-7000-8000-00000000000a", "018fd0a0-0000-7000-8000-00000000000b"},
	"date-time":             {"2026-01-15T09:30:00Z", "2026-01-16T10:00:00Z", "2026-01-17T11:15:00Z"},
	"date":                  {"2026-01-15", "2026-01-16", "2026-01-17"},
	"time":                  {"09:30:00Z", "10:00:00Z", "11:15:00Z"},
	"duration":              {"PT1H30M", "P1D", "PT5M"},
	"email":                 {"ada@example.com", "grace@example.com"},
	"idn-email":             {"ada@example.com", "grace@example.com"},
	"hostname":              {"www.example.com", "api.example.com"},
	"idn-hostname":          {"www.example.com", "api.example.com"},
	"ipv4":                  {"192.0.2.1", "192.0.2.2"},
	"ipv6":                  {"2001:db8::1", "2001:db8::2"},
	"uri":                   {"https://example.com/a", "https://example.com/b"},
	"uri-reference":         {"/a", "/b"},
	"iri":                   {"https://example.com/a", "https://example.com/b"},
	"iri-reference":         {"/a", "/b"},
	"uri-template":          {"/orders/{id}", "/customers/{id}"},
	"json-pointer":          {"/a", "/b"},
	"relative-json-pointer": {"0", "1"},
	"regex":                 {"^[a-z]+$", "^[0-9]+$"},
	"byte":                  {"ZXhhbXBsZQ==", "dGV4dA=="},
	"decimal":               {"12.50", "7.25"},
}

// text makes a string.
func (m *maker) text(all []*schema.Schema, name string) string {
	least, most := 0, -1
	var pattern, format, encoding string
	for _, s := range all {
		if n := s.MinLength.Count(); n != nil {
			least = max(least, *n)
		}
		if n := s.MaxLength.Count(); n != nil && (most < 0 || *n < most) {
			most = *n
		}
		if s.Pattern != nil && pattern == "" {
			pattern = s.Pattern.Text
		}
		if format == "" {
			format = s.Format
		}
		if encoding == "" {
			encoding = s.ContentEncoding
		}
	}
	const longest = 5000
	least = min(least, longest)
	if texts := ofFormat[format]; len(texts) > 0 {
		return texts[m.turn%len(texts)]
	}
	if pattern != "" {
		return fitting(pattern, m.turn, least)
	}
	if encoding == "base64" || encoding == "base64url" {
		return ofFormat["byte"][m.turn%2]
	}
	return sized(called(name, m.turn), least, most)
}

// called returns a text for a value with this name: order-1 for order_id.
func called(name string, turn int) string {
	words := strings.FieldsFunc(spaced(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	suffix := string(rune('1' + turn%9))
	switch n := len(words); {
	case n == 0:
		return "example " + suffix
	case n > 1 && slices.Contains([]string{"id", "ID", "Id", "key", "code", "number", "ref"}, words[n-1]):
		return strings.ToLower(strings.Join(words[:n-1], "-")) + "-" + suffix
	default:
		return strings.ToLower(strings.Join(words, " ")) + " " + suffix
	}
}

// spaced puts a space before each word of a name in camel case.
func spaced(name string) string {
	var b strings.Builder
	lower := false
	for _, r := range name {
		if unicode.IsUpper(r) && lower {
			b.WriteByte(' ')
		}
		lower = unicode.IsLower(r)
		b.WriteRune(r)
	}
	return b.String()
}

// sized returns a text with at least least characters and, unless most is negative, at
// most most.
func sized(text string, least, most int) string {
	if n := utf8.RuneCountInString(text); n < least {
		text += strings.Repeat("x", least-n)
	}
	if runes := []rune(text); most >= 0 && len(runes) > most {
		text = string(runes[len(runes)-most:]) // the end differs from turn to turn
	}
	return text
}

// number makes a number within the bounds.
func (m *maker) number(all []*schema.Schema, whole bool) *schema.Value {
	var low, high, step *big.Rat
	var openLow, openHigh bool
	for _, s := range all {
		low, openLow = bound(low, openLow, s.Minimum, s.ExclusiveMinimum, 1)
		high, openHigh = bound(high, openHigh, s.Maximum, s.ExclusiveMaximum, -1)
		if s.MultipleOf != nil && step == nil {
			step = jsonvalue.Rational(s.MultipleOf.Text)
		}
	}
	n := big.NewRat(int64(1+m.turn), 1)
	if !whole {
		n.SetFrac64(int64(3+2*m.turn), 2)
	}
	if step == nil && whole {
		step = big.NewRat(1, 1)
	}
	below := low != nil && (n.Cmp(low) < 0 || openLow && n.Cmp(low) == 0)
	above := high != nil && (n.Cmp(high) > 0 || openHigh && n.Cmp(high) == 0)
	switch {
	case low != nil && high != nil && (below || above) && step == nil:
		n = new(big.Rat).Quo(new(big.Rat).Add(low, high), big.NewRat(2, 1))
	case below && openLow:
		n = new(big.Rat).Add(low, atLeast(step))
	case below:
		n = low
	case above && openHigh:
		n = new(big.Rat).Sub(high, atLeast(step))
	case above:
		n = high
	}
	if step != nil && step.Sign() > 0 {
		times := jsonvalue.Ceil(new(big.Rat).Quo(n, step))
		n = new(big.Rat).Mul(new(big.Rat).SetInt(times), step)
		if high != nil && (n.Cmp(high) > 0 || openHigh && n.Cmp(high) == 0) {
			n.Sub(n, step)
		}
	}
	places, exact := n.FloatPrec()
	if !exact {
		return nil
	}
	return &schema.Value{Kind: schema.NumberKind, Text: n.FloatString(places)}
}

func atLeast(step *big.Rat) *big.Rat {
	if step == nil {
		return big.NewRat(1, 2)
	}
	return step
}

// bound returns the tighter of a bound and those of a schema. sign is 1 for a lower
// bound.
func bound(known *big.Rat, open bool, inclusive, exclusive *schema.Number, sign int) (*big.Rat, bool) {
	for i, n := range []*schema.Number{inclusive, exclusive} {
		if n == nil {
			continue
		}
		const longest = 400 // digits and exponents beyond any real bound
		r := jsonvalue.Rational(jsonvalue.Bounded(n.Text))
		if r == nil || len(n.Text) > longest {
			continue
		}
		if known == nil || r.Cmp(known)*sign > 0 || r.Cmp(known) == 0 && i == 1 {
			known, open = r, i == 1
		}
	}
	return known, open
}
