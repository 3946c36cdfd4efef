package ir

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// widths are the ranges of the formats of integers.
var widths = map[string][2]*big.Int{
	"int8": signed(8), "int16": signed(16), "int32": signed(32), "int64": signed(64), "int128": signed(128), "int256": signed(256),
	"uint8": unsigned(8), "uint16": unsigned(16), "uint32": unsigned(32), "uint64": unsigned(64), "uint128": unsigned(128), "uint256": unsigned(256),
}

func signed(bits uint) [2]*big.Int {
	half := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return [2]*big.Int{new(big.Int).Neg(half), new(big.Int).Sub(half, big.NewInt(1))}
}

func unsigned(bits uint) [2]*big.Int {
	whole := new(big.Int).Lsh(big.NewInt(1), bits)
	return [2]*big.Int{new(big.Int), whole.Sub(whole, big.NewInt(1))}
}

// interval is the range that the bounds of a schema and its format leave; nil
// for no end.
type interval struct{ low, high *big.Int }

func intervalOf(s *schema.Schema) interval {
	var i interval
	width := widths[s.Format]
	i.raise(width[0])
	i.lower(width[1])
	for _, bound := range []struct {
		number *schema.Number
		open   bool
		low    bool
	}{{s.Minimum, false, true}, {s.ExclusiveMinimum, true, true}, {s.Maximum, false, false}, {s.ExclusiveMaximum, true, false}} {
		if bound.number == nil {
			continue
		}
		r := rational(bound.number.Text)
		if r == nil { // beyond every float64, and so beyond 64 bits
			edge := new(big.Int).Lsh(big.NewInt(1), 1100)
			if strings.HasPrefix(bound.number.Text, "-") {
				edge.Neg(edge)
			}
			r = new(big.Rat).SetInt(edge)
		}
		if bound.low {
			i.raise(lowest(r, bound.open))
		} else {
			i.lower(highest(r, bound.open))
		}
	}
	return i
}

func (i *interval) raise(to *big.Int) {
	if to != nil && (i.low == nil || to.Cmp(i.low) > 0) {
		i.low = to
	}
}

func (i *interval) lower(to *big.Int) {
	if to != nil && (i.high == nil || to.Cmp(i.high) < 0) {
		i.high = to
	}
}

// integer is the type of an integer: an int64 unless the schema asks for more;
// bounds with a fraction move to the next integer that meets them.
func (b *builder) integer(s *schema.Schema) *Type {
	if _, known := widths[s.Format]; !known && s.Format != "decimal" {
		b.checkFormat(s, "integer")
	}
	t := &Type{Kind: Int}
	switch i := intervalOf(s); {
	case i.low != nil && i.high != nil && i.low.Sign() >= 0 && i.high.IsUint64() && !i.high.IsInt64():
		t.Kind = Uint
		t.Minimum, t.Maximum = i.low.String(), i.high.String()
		if t.Minimum == "0" {
			t.Minimum = ""
		}
		if i.high.Uint64() == math.MaxUint64 {
			t.Maximum = ""
		}
	case s.Format == "decimal" || i.low != nil && !i.low.IsInt64() || i.high != nil && !i.high.IsInt64():
		return &Type{Kind: BigInt} // whose bounds are rules
	default:
		t.Minimum = bound(s.Minimum, math.MinInt64, ceil)
		t.Maximum = bound(s.Maximum, math.MaxInt64, floor)
		t.ExclusiveMinimum = bound(s.ExclusiveMinimum, math.MinInt64, floor)
		t.ExclusiveMaximum = bound(s.ExclusiveMaximum, math.MaxInt64, ceil)
		if width := widths[s.Format]; width[0] != nil && s.Format != "int64" {
			if t.Minimum == "" && t.ExclusiveMinimum == "" {
				t.Minimum = width[0].String()
			}
			if t.Maximum == "" && t.ExclusiveMaximum == "" {
				t.Maximum = width[1].String()
			}
		}
	}
	if s.MultipleOf != nil {
		// n is a multiple of a/b in lowest terms when it is one of a.
		if r := rational(s.MultipleOf.Text); r != nil && r.Sign() > 0 {
			if step := r.Num(); step.IsInt64() && step.Int64() != 1 {
				t.MultipleOf = step.String()
			}
		}
	}
	return t
}

// float is the type of a number.
func (b *builder) float(s *schema.Schema) *Type {
	switch s.Format {
	case "decimal", "decimal128":
		return &Type{Kind: Number} // whose bounds are rules
	}
	b.checkFormat(s, "number", "float", "double")
	t := &Type{
		Kind:             Float,
		Minimum:          floatLiteral(s.Minimum),
		Maximum:          floatLiteral(s.Maximum),
		ExclusiveMinimum: floatLiteral(s.ExclusiveMinimum),
		ExclusiveMaximum: floatLiteral(s.ExclusiveMaximum),
		MultipleOf:       floatLiteral(s.MultipleOf),
	}
	if s.Format == "float" {
		largest := strconv.FormatFloat(math.MaxFloat32, 'g', -1, 64)
		if t.Minimum == "" && t.ExclusiveMinimum == "" {
			t.Minimum = "-" + largest
		}
		if t.Maximum == "" && t.ExclusiveMaximum == "" {
			t.Maximum = largest
		}
	}
	return t
}

// boundsBeside is the rule for the bounds of a number whose Go type has no
// literal for them.
func (b *builder) boundsBeside(s *schema.Schema, t *Type) []*Rule {
	if t.Kind != BigInt && t.Kind != Number {
		return nil
	}
	r := &Rule{Place: b.placeOf(s)}
	bounds := schema.Schema{
		Minimum: s.Minimum, Maximum: s.Maximum, ExclusiveMinimum: s.ExclusiveMinimum, ExclusiveMaximum: s.ExclusiveMaximum, MultipleOf: s.MultipleOf,
	}
	if width, ok := widths[s.Format]; ok {
		i := intervalOf(s)
		if width[0].Cmp(i.low) == 0 && bounds.ExclusiveMinimum == nil {
			bounds.Minimum = &schema.Number{Text: width[0].String()}
		}
		if width[1].Cmp(i.high) == 0 && bounds.ExclusiveMaximum == nil {
			bounds.Maximum = &schema.Number{Text: width[1].String()}
		}
	}
	(&ruleMaker{builder: b}).scalars(r, &bounds)
	if len(r.Words) == 0 {
		return nil
	}
	return []*Rule{r}
}

// isNumeric reports whether s is a plain number or integer, and match is the
// name of that JSON type.
func isNumeric(s *schema.Schema, match string) bool {
	if match != "number" && match != "integer" || s.Format != "" || s.Const != nil || len(s.Enum) > 0 {
		return false
	}
	return slices.Contains(s.Types, match) && !slices.ContainsFunc(s.Types, func(t string) bool { return t != match && t != "null" })
}

// exact is the type of a number that the config wants without loss, whose
// constraints hold then as for any other; nil where name is something else.
func (b *builder) exact(s *schema.Schema, name string) *Type {
	var kind Kind
	switch name {
	case "encoding/json.Number":
		kind = Number
	case "math/big.Int":
		kind = BigInt
	default:
		return nil
	}
	target := s.Resolved()
	if target == nil || !slices.Contains(target.Types, "number") && !slices.Contains(target.Types, "integer") {
		return nil
	}
	t := &Type{Kind: kind}
	t.Rules = b.rulesOf(target, b.boundsBeside(target, t)...)
	return t
}

// isWhole reports whether a JSON number has no fraction, however large it is.
func isWhole(text string) bool {
	number := canonicalNumber(text)
	_, exponent, large := strings.Cut(number, "e")
	return !strings.Contains(number, ".") && !(large && strings.HasPrefix(exponent, "-"))
}

// exactFloat reports whether a float64 holds all digits of a JSON number.
func exactFloat(text string) bool {
	f, err := strconv.ParseFloat(text, 64)
	return err == nil && canonicalNumber(strconv.FormatFloat(f, 'g', -1, 64)) == canonicalNumber(text)
}
