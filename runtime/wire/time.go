package wire

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// DateTime reads a date-time of RFC 3339.
func (d *Decoder) DateTime() time.Time {
	return formatted(d, "a date-time with an offset, like 2024-05-01T12:00:00Z", parseDateTime)
}

// formatted reads a string and parses it; a string that does not parse is a
// violation of the format.
func formatted[T any](d *Decoder, want string, parse func([]byte) (T, bool)) T {
	var zero T
	if d.peek() != '"' {
		d.mismatch("a string")
		return zero
	}
	start := d.pos
	text := d.text()
	value, ok := parse(text)
	if !ok {
		message := "must be " + want
		if lacks := beyondGo(text); lacks != "" {
			message = lacks
		}
		d.failAt(start, "format", message)
		return zero
	}
	return value
}

// clockText finds what a time of RFC 3339 may have and no time of Go: a leap
// second, a tenth digit of a fraction.
var clockText = regexp.MustCompile(`(?:^|[Tt ])\d\d:\d\d:(\d\d)(?:\.(\d+))?(?:[Zz]|[+-]\d\d:\d\d)$`)

// beyondGo says why a text that is a time by RFC 3339 is none in Go, "" where it
// is no time at all.
func beyondGo(text []byte) string {
	switch found := clockText.FindSubmatch(text); {
	case found == nil:
		return ""
	case string(found[1]) == "60":
		return "is a leap second, which no time of Go can hold"
	case len(bytes.TrimRight(found[2], "0")) > 9:
		return "has more than nine digits of a second, which no time of Go can hold"
	}
	return ""
}

func parseDateTime(b []byte) (time.Time, bool) {
	if len(b) < len("2006-01-02T15:04:05Z") || (b[10] != 'T' && b[10] != 't' && b[10] != ' ') {
		return time.Time{}, false
	}
	date, ok := parseDate(b[:10])
	if !ok {
		return time.Time{}, false
	}
	clock, digits, ok := parseClock(b[11:])
	if !ok {
		return time.Time{}, false
	}
	zone := time.UTC
	switch zulu := b[len(b)-1]|0x20 == 'z'; {
	case clock.Offset != 0:
		zone = time.FixedZone("", clock.Offset*60)
	case !zulu:
		zone = written[1][digits]
	case digits > shortest(clock.Nanosecond):
		zone = written[0][digits]
	}
	return time.Date(date.Year, date.Month, date.Day, clock.Hour, clock.Minute, clock.Second, clock.Nanosecond, zone), true
}

// written are zones that equal UTC and remember how a date-time was written:
// with Z or with +00:00, and with how many fractional digits. Most languages
// write a fixed number of digits, and an unchanged value shall come back as the
// same text.
var written = func() (zones [2][10]*time.Location) {
	for i := range zones {
		for digits := range zones[i] {
			zones[i][digits] = time.FixedZone("UTC", 0)
		}
	}
	return zones
}()

// howWritten is what written remembers of a zone.
func howWritten(zone *time.Location) (digits int, plus, ok bool) {
	for i := range written {
		for digits, z := range written[i] {
			if z == zone {
				return digits, i == 1, true
			}
		}
	}
	return 0, false, false
}

// shortest is how many fractional digits a number of nanoseconds needs.
func shortest(nanoseconds int) int {
	if nanoseconds == 0 {
		return 0
	}
	digits := 9
	for ; nanoseconds%10 == 0; nanoseconds /= 10 {
		digits--
	}
	return digits
}

// DateTime writes a date-time. A year outside 0 to 9999, or an offset that is
// not whole minutes, cannot be written.
func (e *Encoder) DateTime(t time.Time) {
	name, offset := t.Zone()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		e.fail("a date-time must lie in the years 0 to 9999")
	} else if offset%60 != 0 {
		e.fail("a date-time's offset must be whole minutes")
	}
	hour, minute, second := t.Clock()
	digits, plus := shortest(t.Nanosecond()), false
	if offset == 0 && name == "UTC" && t.Location() != time.UTC {
		kept, keptPlus, _ := howWritten(t.Location())
		digits, plus = max(digits, kept), keptPlus
	}
	e.buf = append(e.buf, '"')
	b := Date{year, month, day}.appendTo(e.buf)
	b = append(b, 'T')
	b = appendClock(b, TimeOfDay{hour, minute, second, t.Nanosecond(), offset / 60}, digits)
	if plus {
		b = append(b[:len(b)-1], "+00:00"...)
	}
	b = append(b, '"')
	e.buf = b
}

// A Date is a day without a time or a zone. The zero Date is not a date.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ParseDate parses a date as RFC 3339 has it, 2024-05-01.
func ParseDate(text string) (Date, error) {
	date, ok := parseDate([]byte(text))
	if !ok {
		return Date{}, fmt.Errorf("not a date: %q must be like 2024-05-01", text)
	}
	return date, nil
}

// DateOf is the day of t in t's own location: what its calendar shows.
func DateOf(t time.Time) Date {
	year, month, day := t.Date()
	return Date{year, month, day}
}

// Time is the beginning of the day in loc: midnight, or the first time there is
// on a day whose midnight the clocks skip. A date that does not exist, such as
// the zero Date, is normalized as [time.Date] does it. It panics when loc is
// nil.
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

// String is the date as RFC 3339 has it.
func (d Date) String() string { return string(d.appendTo(nil)) }

// MarshalText is String.
func (d Date) MarshalText() ([]byte, error) { return d.appendTo(nil), nil }

// UnmarshalText is ParseDate.
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

// Date writes a date; one that does not exist cannot be written.
func (e *Encoder) Date(date Date) {
	text := date.appendTo(nil)
	if _, ok := parseDate(text); !ok {
		e.fail("the date does not exist")
	}
	e.String(string(text))
}

func parseDate(b []byte) (Date, bool) {
	if len(b) != 10 || b[4] != '-' || b[7] != '-' {
		return Date{}, false
	}
	year, ok1 := number(b[:4])
	month, ok2 := number(b[5:7])
	day, ok3 := number(b[8:10])
	if !ok1 || !ok2 || !ok3 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return Date{}, false
	}
	return Date{Year: year, Month: time.Month(month), Day: day}, true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	default:
		return 31
	}
}

// A TimeOfDay is a time with an offset and without a date. The zero value is
// midnight UTC.
type TimeOfDay struct {
	Hour, Minute, Second, Nanosecond int
	Offset                           int // minutes east of UTC
}

// ParseTimeOfDay parses a time as RFC 3339 has it, 12:30:00Z.
func ParseTimeOfDay(text string) (TimeOfDay, error) {
	clock, ok := parseTimeOfDay([]byte(text))
	if !ok {
		return TimeOfDay{}, fmt.Errorf("not a time: %q must be like 12:30:00Z", text)
	}
	return clock, nil
}

// String is the time as RFC 3339 has it.
func (t TimeOfDay) String() string { return string(t.appendTo(nil)) }

// MarshalText is String.
func (t TimeOfDay) MarshalText() ([]byte, error) { return t.appendTo(nil), nil }

// UnmarshalText is ParseTimeOfDay.
func (t *TimeOfDay) UnmarshalText(text []byte) (err error) {
	*t, err = ParseTimeOfDay(string(text))
	return err
}

func (t TimeOfDay) appendTo(b []byte) []byte { return appendClock(b, t, shortest(t.Nanosecond)) }

// appendClock appends a time with so many fractional digits.
func appendClock(b []byte, t TimeOfDay, digits int) []byte {
	b = appendPadded(b, t.Hour, 2)
	b = append(b, ':')
	b = appendPadded(b, t.Minute, 2)
	b = append(b, ':')
	b = appendPadded(b, t.Second, 2)
	if digits > 0 {
		b = append(b, '.')
		b = appendPadded(b, t.Nanosecond, 9)
		b = b[:len(b)-9+digits]
	}
	if t.Offset == 0 {
		return append(b, 'Z')
	}
	offset, sign := t.Offset, byte('+')
	if offset < 0 {
		offset, sign = -offset, '-'
	}
	b = append(b, sign)
	b = appendPadded(b, offset/60, 2)
	b = append(b, ':')
	return appendPadded(b, offset%60, 2)
}

// TimeOfDay reads a time.
func (d *Decoder) TimeOfDay() TimeOfDay {
	return formatted(d, "a time with an offset, like 12:30:00Z", parseTimeOfDay)
}

// TimeOfDay writes a time; one that does not exist cannot be written.
func (e *Encoder) TimeOfDay(t TimeOfDay) {
	text := t.appendTo(nil)
	if _, ok := parseTimeOfDay(text); !ok {
		e.fail("the time does not exist")
	}
	e.String(string(text))
}

func parseTimeOfDay(b []byte) (TimeOfDay, bool) {
	t, _, ok := parseClock(b)
	return t, ok
}

// parseClock also says how many fractional digits there were, at most nine.
func parseClock(b []byte) (t TimeOfDay, digits int, ok bool) {
	if len(b) < len("15:04:05Z") || b[2] != ':' || b[5] != ':' {
		return t, 0, false
	}
	var ok1, ok2, ok3 bool
	t.Hour, ok1 = number(b[:2])
	t.Minute, ok2 = number(b[3:5])
	t.Second, ok3 = number(b[6:8])
	if !ok1 || !ok2 || !ok3 || t.Hour > 23 || t.Minute > 59 || t.Second > 59 {
		return t, 0, false
	}
	b = b[8:]
	if b[0] == '.' {
		end := 1
		for end < len(b) && '0' <= b[end] && b[end] <= '9' {
			end++
		}
		fraction := b[1:end]
		for len(fraction) > 9 && fraction[len(fraction)-1] == '0' {
			fraction = fraction[:len(fraction)-1]
		}
		if digits = len(fraction); digits == 0 || digits > 9 {
			return t, 0, false
		}
		t.Nanosecond, _ = number(fraction)
		for range 9 - digits {
			t.Nanosecond *= 10
		}
		b = b[end:]
	}
	return t, digits, parseOffset(b, &t.Offset)
}

func parseOffset(b []byte, minutes *int) bool {
	if len(b) == 1 {
		return b[0] == 'Z' || b[0] == 'z'
	}
	if len(b) != 6 || (b[0] != '+' && b[0] != '-') || b[3] != ':' {
		return false
	}
	hour, ok1 := number(b[1:3])
	minute, ok2 := number(b[4:6])
	if !ok1 || !ok2 || hour > 23 || minute > 59 {
		return false
	}
	*minutes = hour*60 + minute
	if b[0] == '-' {
		*minutes = -*minutes
	}
	return true
}

// number is the value of b, which must be digits, few enough for an int.
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
