package example

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

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
			encoding = strings.ToLower(s.ContentEncoding)
		}
	}
	const longest = 5000
	least = min(least, longest)
	fits := func(text string) bool {
		n := utf8.RuneCountInString(text)
		return n >= least && (most < 0 || n <= most) && (pattern == "" || m.patterns.match(pattern, text))
	}
	for _, text := range slices.Concat(formatted(format, m.turn, least), formatted(encodings[encoding], m.turn, least)) {
		if fits(text) {
			return text
		}
	}
	if pattern != "" {
		return m.patterns.fitting(pattern, m.turn, least, most)
	}
	return sized(called(name, m.turn), least, most)
}

// called returns a text for a value with this name: order-1 for order_id.
func called(name string, turn int) string {
	words := strings.FieldsFunc(spaced(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	suffix := strconv.Itoa(turn + 1)
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
