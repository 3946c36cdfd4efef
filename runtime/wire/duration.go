package wire

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// Duration is a duration of ISO 8601, such as P1DT12H or P2W. Its parts are separate,
// because a month or a day is not a fixed number of seconds. The zero value is written
// as PT0S. RFC 3339 allows neither fractions nor signs.
//
// A decoded Duration remembers its text, such as P0D or PT05M, and is written like that
// until a field changes. Compare with Equal, as cmp.Diff does: == also compares the
// text. A part that is too large for an int is math.MaxInt; the text has its digits.
type Duration struct {
	Years, Months, Weeks, Days, Hours, Minutes, Seconds int

	text string // the text that was read, if it differs from String
}

// Equal reports whether the fields of d and other are equal. The text matters only if a
// part is too large for its field. PT60M and PT1H are different.
func (d Duration) Equal(other Duration) bool {
	return d.same(other) && (d.text == other.text || !d.large())
}

// same reports whether the fields of d and other are equal.
func (d Duration) same(other Duration) bool {
	d.text, other.text = "", ""
	return d == other
}

// large reports whether a part may be too large for its field.
func (d Duration) large() bool {
	return max(d.Years, d.Months, d.Weeks, d.Days, d.Hours, d.Minutes, d.Seconds) == math.MaxInt
}

// ParseDuration parses a duration as defined in appendix A of RFC 3339.
func ParseDuration(text string) (Duration, error) {
	d, ok := parseDuration([]byte(text))
	if !ok {
		return Duration{}, fmt.Errorf("not a duration: %q must be like P1DT12H or P2W", text)
	}
	return d, nil
}

// String returns the duration in ISO 8601.
func (d Duration) String() string { return string(d.appendTo(nil)) }

func (d Duration) appendTo(b []byte) []byte {
	if d.text != "" {
		if kept, ok := splitDuration([]byte(d.text)); ok && kept.same(d) {
			return append(b, d.text...)
		}
	}
	start := len(b)
	b = append(b, 'P')
	b = appendUnit(b, d.Years, 'Y')
	b = appendUnit(b, d.Months, 'M')
	b = appendUnit(b, d.Weeks, 'W')
	b = appendUnit(b, d.Days, 'D')
	if d.Hours != 0 || d.Minutes != 0 || d.Seconds != 0 {
		b = append(b, 'T')
	}
	b = appendUnit(b, d.Hours, 'H')
	if d.Hours != 0 && d.Minutes == 0 && d.Seconds != 0 {
		b = append(b, "0M"...) // the grammar allows no gap between units
	}
	b = appendUnit(b, d.Minutes, 'M')
	b = appendUnit(b, d.Seconds, 'S')
	if len(b) == start+1 {
		return append(b, "T0S"...)
	}
	return b
}

func appendUnit(b []byte, n int, letter byte) []byte {
	if n == 0 {
		return b
	}
	return append(strconv.AppendInt(b, int64(n), 10), letter)
}

// MarshalText returns String as bytes.
func (d Duration) MarshalText() ([]byte, error) { return d.appendTo(nil), nil }

// UnmarshalText parses like ParseDuration.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDuration(string(text))
	return err
}

// Duration reads a duration.
func (d *Decoder) Duration() Duration {
	return formatted(d, "a duration like P1DT12H", parseDuration)
}

// Duration writes a duration; negative parts, and weeks together with other units, are
// an error.
func (e *Encoder) Duration(d Duration) {
	text := d.String()
	if _, ok := parseDuration([]byte(text)); !ok {
		e.fail("the duration cannot be written in ISO 8601")
	}
	e.String(text)
}

func parseDuration(b []byte) (Duration, bool) {
	d, ok := splitDuration(b)
	var room [64]byte
	if ok && string(b) != string(d.appendTo(room[:0])) {
		d.text = string(b)
	}
	return d, ok
}

// splitDuration reads P, then units in order, then T and more of them. Weeks
// stand alone.
func splitDuration(b []byte) (Duration, bool) {
	var d Duration
	if len(b) < 3 || b[0] != 'P' {
		return d, false
	}
	weeks := bytes.IndexByte(b, 'W') > 0
	b = b[1:]
	date := []unit{{'Y', &d.Years}, {'M', &d.Months}, {'W', &d.Weeks}, {'D', &d.Days}}
	b, dates, ok := parseUnits(b, date)
	if !ok {
		return d, false
	}
	times := 0
	if len(b) > 0 {
		if b[0] != 'T' {
			return d, false
		}
		b, times, ok = parseUnits(b[1:], []unit{{'H', &d.Hours}, {'M', &d.Minutes}, {'S', &d.Seconds}})
		if !ok || times == 0 || len(b) > 0 {
			return d, false
		}
	}
	if weeks && dates+times > 1 {
		return d, false
	}
	return d, dates+times > 0
}

type unit struct {
	letter byte
	into   *int
}

// parseUnits reads numbers with their units until a letter T or the end.
func parseUnits(b []byte, units []unit) (rest []byte, count int, ok bool) {
	for len(b) > 0 && b[0] != 'T' {
		end := scanDigits(b, 0)
		if end == 0 || end == len(b) {
			return b, count, false
		}
		for len(units) > 0 && units[0].letter != b[end] {
			units = units[1:]
		}
		if len(units) == 0 {
			return b, count, false
		}
		*units[0].into = wholeNumber(b[:end])
		units = units[1:]
		b = b[end+1:]
		count++
	}
	return b, count, true
}

// wholeNumber returns the value of digits, or math.MaxInt if they are too large.
func wholeNumber(digits []byte) int {
	if len(digits) <= 9 {
		n, _ := number(digits)
		return n
	}
	n, err := strconv.Atoi(string(digits))
	if err != nil {
		return math.MaxInt
	}
	return n
}
