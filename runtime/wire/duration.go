package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// A Duration is a duration of ISO 8601, such as P1DT12H or P2W. Its parts stay
// apart, because a month or a day is not a fixed number of seconds. The zero
// value is written PT0S. RFC 3339 allows neither fractions nor signs.
type Duration struct {
	Years, Months, Weeks, Days, Hours, Minutes, Seconds int
}

// ParseDuration parses a duration as appendix A of RFC 3339 has it.
func ParseDuration(text string) (Duration, error) {
	d, ok := parseDuration([]byte(text))
	if !ok {
		return Duration{}, fmt.Errorf("not a duration: %q must be like P1DT12H or P2W", text)
	}
	return d, nil
}

// String is the duration as ISO 8601 has it.
func (d Duration) String() string {
	var b strings.Builder
	b.WriteByte('P')
	part := func(n int, unit byte) {
		if n != 0 {
			b.WriteString(strconv.Itoa(n))
			b.WriteByte(unit)
		}
	}
	part(d.Years, 'Y')
	part(d.Months, 'M')
	part(d.Weeks, 'W')
	part(d.Days, 'D')
	if d.Hours != 0 || d.Minutes != 0 || d.Seconds != 0 {
		b.WriteByte('T')
	}
	part(d.Hours, 'H')
	if d.Hours != 0 && d.Minutes == 0 && d.Seconds != 0 {
		b.WriteString("0M") // the grammar wants the units without a gap
	}
	part(d.Minutes, 'M')
	part(d.Seconds, 'S')
	if b.Len() == 1 {
		return "PT0S"
	}
	return b.String()
}

// MarshalText is String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDuration.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDuration(string(text))
	return err
}

// Duration reads a duration.
func (d *Decoder) Duration() Duration {
	return formatted(d, "a duration like P1DT12H", parseDuration)
}

// Duration writes a duration; negative parts and weeks beside other units
// cannot be written.
func (e *Encoder) Duration(d Duration) {
	text := d.String()
	if _, ok := parseDuration([]byte(text)); !ok {
		e.fail("the duration cannot be written in ISO 8601")
	}
	e.String(text)
}

// parseDuration reads P, then units in order, then T and more of them. Weeks
// stand alone.
func parseDuration(b []byte) (Duration, bool) {
	var d Duration
	if len(b) < 3 || b[0] != 'P' {
		return d, false
	}
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
	if d.Weeks != 0 && dates+times > 1 {
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
		end := 0
		for end < len(b) && '0' <= b[end] && b[end] <= '9' {
			end++
		}
		if end == 0 || end > 9 || end == len(b) {
			return b, count, false
		}
		for len(units) > 0 && units[0].letter != b[end] {
			units = units[1:]
		}
		if len(units) == 0 {
			return b, count, false
		}
		*units[0].into, _ = number(b[:end])
		units = units[1:]
		b = b[end+1:]
		count++
	}
	return b, count, true
}
