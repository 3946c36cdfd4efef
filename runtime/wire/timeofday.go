package wire

import (
	"fmt"
)

// TimeOfDay is a time with an offset and without a date. The zero value is midnight
// UTC. Second is 60 only in a leap second, 23:59:60 in UTC.
//
// A decoded TimeOfDay remembers its text, such as 12:00:00.000Z or 12:00:00+00:00, and
// is written like that until a field changes. Compare with Equal, as cmp.Diff does: ==
// also compares the text.
type TimeOfDay struct {
	Hour, Minute, Second, Nanosecond int
	Offset                           int // minutes east of UTC

	text string // the text that was read, if it is not the shortest form
}

// ParseTimeOfDay parses a time of RFC 3339, such as 12:30:00Z.
func ParseTimeOfDay(text string) (TimeOfDay, error) {
	clock, ok := parseTimeOfDay([]byte(text))
	if !ok {
		return TimeOfDay{}, fmt.Errorf("not a time: %q must be like 12:30:00Z", text)
	}
	return clock, nil
}

// Equal reports whether the fields of t and other are equal. The text does not matter.
// Times with different offsets are different.
func (t TimeOfDay) Equal(other TimeOfDay) bool {
	t.text, other.text = "", ""
	return t == other
}

// String returns the time in RFC 3339.
func (t TimeOfDay) String() string { return string(t.appendTo(nil)) }

// MarshalText returns String as bytes.
func (t TimeOfDay) MarshalText() ([]byte, error) { return t.appendTo(nil), nil }

// UnmarshalText parses like ParseTimeOfDay.
func (t *TimeOfDay) UnmarshalText(text []byte) (err error) {
	*t, err = ParseTimeOfDay(string(text))
	return err
}

func (t TimeOfDay) appendTo(b []byte) []byte {
	if t.text != "" {
		if kept, _, ok := parseClock([]byte(t.text)); ok && kept.Equal(t) {
			return append(b, t.text...)
		}
	}
	return appendClock(b, t, shortest(t.Nanosecond))
}

// appendClock appends a time with the given number of fractional digits.
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

// TimeOfDay writes a time; one that does not exist is an error.
func (e *Encoder) TimeOfDay(t TimeOfDay) {
	if !t.exists() {
		e.fail("the time does not exist")
	}
	e.String(string(t.appendTo(nil)))
}

func (t TimeOfDay) exists() bool {
	_, ok := parseTimeOfDay(t.appendTo(nil))
	return ok
}

func parseTimeOfDay(b []byte) (TimeOfDay, bool) {
	t, _, ok := parseClock(b)
	var room [len("15:04:05.123456789+00:00")]byte
	if ok && string(b) != string(t.appendTo(room[:0])) {
		t.text = string(b)
	}
	return t, ok
}

// parseClock parses a time without keeping its text, and returns its number of
// fractional digits. Digits after the ninth are dropped.
func parseClock(b []byte) (t TimeOfDay, digits int, ok bool) {
	if len(b) < len("15:04:05Z") || b[2] != ':' || b[5] != ':' {
		return t, 0, false
	}
	var ok1, ok2, ok3 bool
	t.Hour, ok1 = number(b[:2])
	t.Minute, ok2 = number(b[3:5])
	t.Second, ok3 = number(b[6:8])
	if !ok1 || !ok2 || !ok3 || t.Hour > 23 || t.Minute > 59 || t.Second > 60 {
		return t, 0, false
	}
	b = b[8:]
	if b[0] == '.' {
		end := scanDigits(b, 1)
		if digits = end - 1; digits == 0 {
			return t, 0, false
		}
		t.Nanosecond, _ = number(b[1:min(end, 1+9)])
		for range 9 - digits {
			t.Nanosecond *= 10
		}
		b = b[end:]
	}
	if !parseOffset(b, &t.Offset) {
		return t, 0, false
	}
	return t, digits, t.Second < 60 || t.lastMinute()
}

// lastMinute reports whether it is 23:59 in UTC, when a leap second may follow.
func (t TimeOfDay) lastMinute() bool {
	const day = 24 * 60
	return (t.Hour*60+t.Minute-t.Offset+day)%day == day-1
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
