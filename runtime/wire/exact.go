package wire

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"

	"github.com/outboxgen/outboxgen/runtime/internal/decimal"
)

// keeps reports whether f represents text: it is the number itself, or it gives the
// same text when rounded to as many digits. So 0.1 with 17 digits, 0.10000000000000001,
// is kept; an integer whose last digits a float64 rounds is not.
func keeps(f float64, text []byte) bool {
	want, _ := decimal.Parse(string(text))
	if want == decimal.Float(f) {
		return true
	}
	digits := significant(text)
	const exactDigits = 767 // no float64 has more
	if digits == 0 || digits > exactDigits {
		return false
	}
	rounded, _ := decimal.Parse(strconv.FormatFloat(f, 'e', digits-1, 64))
	return want == rounded
}

// significant returns the number of digits of a number, without leading zeros.
func significant(text []byte) int {
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		text = text[:i]
	}
	n := 0
	for _, c := range text {
		if '1' <= c && c <= '9' || c == '0' && n > 0 {
			n++
		}
	}
	return n
}

// canonical reads the next value and returns a text that is the same for equal values.
func (d *Decoder) canonical() []byte {
	var e Encoder
	e.canonical(d.Any())
	return e.buf
}

func (e *Encoder) canonical(v any) {
	switch v := v.(type) {
	case json.Number:
		n, _ := decimal.Parse(string(v))
		e.buf = append(e.buf, n.String()...)
	case []any:
		PutSlice(e, v, (*Encoder).canonical)
	case map[string]any:
		PutMap(e, v, (*Encoder).canonical)
	default:
		e.Any(v)
	}
}

// maxDigits is how many digits an integer of any size may have.
const maxDigits = 4096

// Uint reads an integer from 0 to the largest uint64.
func (d *Decoder) Uint() uint64 {
	n, start := d.whole()
	switch {
	case n == nil:
		return 0
	case n.Sign() < 0:
		d.failAt(start, "minimum", "must be at least 0")
	case !n.IsUint64():
		d.failAt(start, "type", beyondInt)
	}
	return n.Uint64()
}

// BigInt reads an integer of any size, up to 4096 digits. The result is nil only after
// a violation.
func (d *Decoder) BigInt() *big.Int {
	n, _ := d.whole()
	return n
}

// whole reads an integer and returns its offset.
func (d *Decoder) whole() (*big.Int, int) {
	if d.Kind() != '0' {
		d.mismatch("an integer")
		return nil, 0
	}
	start := d.pos
	text := d.number()
	if d.dead {
		return nil, start
	}
	n, _ := decimal.Parse(string(text))
	if !n.Whole() {
		d.failAt(start, "type", "must be an integer, is a number with a fraction")
		return nil, start
	}
	value, ok := n.Int(maxDigits)
	if !ok {
		d.failAt(start, "type", "is an integer of more than "+strconv.Itoa(maxDigits)+" digits")
	}
	return value, start
}

// Uint writes an integer.
func (e *Encoder) Uint(v uint64) { e.buf = strconv.AppendUint(e.buf, v, 10) }

// BigInt writes an integer of any size; nil is an error.
func (e *Encoder) BigInt(v *big.Int) {
	if v == nil {
		e.fail("the integer is nil")
		e.Null()
		return
	}
	e.buf = v.Append(e.buf, 10)
}

// NewBigInt returns an integer from its digits, which the generator has checked.
func NewBigInt(digits string) *big.Int {
	d := Decoder{data: []byte(digits)}
	if n := d.BigInt(); n != nil {
		return n
	}
	return new(big.Int)
}

// Null is the type of a value that is always null.
type Null struct{}

// MarshalJSON returns null.
func (Null) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// NullValue reads null.
func (d *Decoder) NullValue() Null {
	if !d.Null() {
		d.mismatch("null")
	}
	return Null{}
}

// NullValue writes null.
func (e *Encoder) NullValue(Null) { e.Null() }

// JSON reads a value of any type into a string of JSON: without white space, with
// sorted properties, and with numbers in one form, so that equal values are equal
// strings.
func JSON[T ~string](d *Decoder) T { return T(d.canonical()) }

// PutJSON writes a value that is JSON already.
func PutJSON[T ~string](e *Encoder, v T) { e.Raw(json.RawMessage(v)) }

// JSONEnum checks that the schema lists a value, given as JSON.
func JSONEnum[T interface {
	~string
	Valid() bool
}](c *Checker, value T, choices string, at ...any) {
	if value.Valid() {
		return
	}
	text := []rune(string(value))
	if len(text) > maxShown {
		text = append(slices.Clone(text[:maxShown-1]), '…')
	}
	c.Fail("enum", string(text)+" is not one of "+choices, at...)
}
