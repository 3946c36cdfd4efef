package wire

import (
	"fmt"
	"strconv"
	"time"
)

// formatted reads a string and parses it; a string that does not parse is a
// violation of the format.
func formatted[T any](d *Decoder, want string, parse func([]byte) (T, bool)) T {
	var zero T
	if d.peek() != '"' {
		d.mismatch("a string")
		return zero
	}
	start := d.pos
	value, ok := parse(d.text())
	if !ok {
		d.failAt(start, "format", "must be "+want)
		return zero
	}
	return value
}

// Date is a day without a time or a zone. The zero Date is not a valid date.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ParseDate parses a date of RFC 3339, such as 2024-05-01.
func ParseDate(text string) (Date, error) {
	date, ok := parseDate([]byte(text))
	if !ok {
		return Date{}, fmt.Errorf("not a date: %q must be like 2024-05-01", text)
	}
	return date, nil
}

// DateOf returns the day of t in t's own location.
func DateOf(t time.Time) Date {
	year, month, day := t.Date()
	return Date{year, month, day}
}

// Time returns the beginning of the day in loc: midnight, or the first time of the day
// if the clocks skip midnight. A date that does not exist, such as the zero Date, is
// normalized like in [time.Date]. It panics if loc is nil.
func (d Date) Time(loc *time.Location) time.Time {
	t := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, loc)
	start, end := t.ZoneBounds()
	switch {
	case DateOf(t) != DateOf(time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC)):
		return end // t is the evening before, and the day begins with the new clock
	case t.Hour() != 0 || t.Minute() != 0:
		return start
	default:
		return t
	}
}

// String returns the date in RFC 3339.
func (d Date) String() string { return string(d.appendTo(nil)) }

// MarshalText returns String as bytes.
func (d Date) MarshalText() ([]byte, error) { return d.appendTo(nil), nil }

// UnmarshalText parses like ParseDate.
func (d *Date) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDate(string(text))
	return err
}

func (d Date) appendTo(b []byte) []byte {
	b = appendPadded(b, d.Year, 4)
	b = append(b, '-')
	b = appendPadded(b, int(d.Month), 2)
	b = append(b, '-')
	return appendPadded(b, d.Day, 2)
}

// Date reads a date.
func (d *Decoder) Date() Date {
	return formatted(d, "a date like 2024-05-01", parseDate)
}

// Date writes a date; one that does not exist is an error.
func (e *Encoder) Date(date Date) {
	if !date.exists() {
		e.fail("the date does not exist")
	}
	e.String(string(date.appendTo(nil)))
}

func (d Date) exists() bool {
	_, ok := parseDate(d.appendTo(nil))
	return ok
}

// Exists checks that a date or a time exists: 30 February and the zero Date do not.
// format is the format of the value.
func Exists[T interface {
	exists() bool
	fmt.Stringer
}](c *Checker, value T, format string, at ...any) {
	if !value.exists() {
		c.Fail("format", "must be a "+format+" that exists, not "+value.String(), at...)
	}
}

func parseDate(b []byte) (Date, bool) {
	if len(b) != 10 || b[4] != '-' || b[7] != '-' {
		return Date{}, false
	}
	year, ok1 := number(b[:4])
	month, ok2 := number(b[5:7])
	day, ok3 := number(b[8:10])
	date := Date{Year: year, Month: time.Month(month), Day: day}
	if !ok1 || !ok2 || !ok3 || month < 1 || month > 12 || day < 1 || day > 28 && DateOf(time.Date(year, date.Month, day, 0, 0, 0, 0, time.UTC)) != date {
		return Date{}, false
	}
	return date, true
}

// number returns the value of b, which must be digits, few enough for an int.
func number(b []byte) (int, bool) {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// appendPadded appends n with zeros in front, up to width digits.
func appendPadded(b []byte, n, width int) []byte {
	digits := 1
	for rest := n / 10; rest > 0; rest /= 10 {
		digits++
	}
	for range width - digits {
		b = append(b, '0')
	}
	return strconv.AppendInt(b, int64(n), 10)
}
