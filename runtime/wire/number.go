package wire

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"

	"github.com/outboxgen/outboxgen/runtime/internal/decimal"
)

// number consumes a number and returns its text. If there is none, it is a syntax
// error.
func (d *Decoder) number() []byte {
	d.peek()
	n, wrong := scanNumber(d.data[d.pos:])
	if wrong != "" {
		d.pos += n
		d.syntax(wrong)
		return nil
	}
	start := d.pos
	d.pos += n
	return d.data[start:d.pos]
}

// scanNumber returns the length of the number at the start of text. If there is none,
// wrong says what is wrong and where.
func scanNumber[T ~string | ~[]byte](text T) (n int, wrong string) {
	i := 0
	if i < len(text) && text[i] == '-' {
		i++
	}
	switch {
	case i < len(text) && text[i] == '0':
		i++
	case i < len(text) && '1' <= text[i] && text[i] <= '9':
		i = scanDigits(text, i)
	default:
		return 0, "expected a value"
	}
	if i < len(text) && text[i] == '.' {
		end := scanDigits(text, i+1)
		if end == i+1 {
			return i, "expected a digit after the decimal point"
		}
		i = end
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		end := scanDigits(text, i)
		if end == i {
			return i, "expected a digit in the exponent"
		}
		i = end
	}
	return i, ""
}

func scanDigits[T ~string | ~[]byte](text T, i int) int {
	for i < len(text) && '0' <= text[i] && text[i] <= '9' {
		i++
	}
	return i
}

// Int reads an integer: a number without a fraction, in any notation.
func (d *Decoder) Int() int64 {
	if d.Kind() != '0' {
		d.mismatch("an integer")
		return 0
	}
	start := d.pos
	text := d.number()
	if d.dead {
		return 0
	}
	plain := !bytes.ContainsAny(text, ".eE")
	if plain && len(text) < 19 {
		return smallInt(text)
	}
	digits := string(text)
	if !plain {
		n, _ := decimal.Parse(digits)
		if !n.Whole() {
			d.failAt(start, "type", "must be an integer, is a number with a fraction")
			return 0
		}
		digits = n.String() // with an exponent if it is beyond 64 bits
	}
	value, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		d.failAt(start, "type", beyondInt)
	}
	return value
}

// smallInt returns the value of text, which has at most 18 characters.
func smallInt(text []byte) int64 {
	negative := text[0] == '-'
	if negative {
		text = text[1:]
	}
	var n int64
	for _, c := range text {
		n = n*10 + int64(c-'0')
	}
	if negative {
		return -n
	}
	return n
}

// Float reads a number.
func (d *Decoder) Float() float64 {
	if d.Kind() != '0' {
		d.mismatch("a number")
		return 0
	}
	start := d.pos
	text := d.number()
	if d.dead {
		return 0
	}
	value, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		d.failAt(start, "type", beyondFloat)
		return 0
	}
	if (len(text) > 15 || value == 0) && !keeps(value, text) {
		d.failAt(start, "type", beyondDigits)
	}
	return value
}

// Number reads a number and keeps its text.
func (d *Decoder) Number() json.Number {
	if d.Kind() != '0' {
		d.mismatch("a number")
		return ""
	}
	return json.Number(d.number())
}

// Bool reads a boolean.
func (d *Decoder) Bool() bool {
	switch d.peek() {
	case 't':
		return d.literal("true")
	case 'f':
		d.literal("false")
	default:
		d.mismatch("a boolean")
	}
	return false
}

// appendFloat appends f as encoding/json does. ok is false for values that JSON does
// not have: infinities and NaN.
func appendFloat(b []byte, f float64) (_ []byte, ok bool) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return b, false
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	b = strconv.AppendFloat(b, f, format, -1, 64)
	if format == 'e' {
		// e-09 becomes e-9.
		if n := len(b); n >= 4 && b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' {
			b[n-2] = b[n-1]
			b = b[:n-1]
		}
	}
	return b, true
}
