package wire

import (
	"encoding/binary"
	"strings"
	"sync"
	"time"
)

// DateTime reads a date-time of RFC 3339.
func (d *Decoder) DateTime() time.Time {
	return formatted(d, "a date-time with an offset, like 2024-05-01T12:00:00Z", parseDateTime)
}

// parseDateTime returns the time. Unless text is the shortest form, the time's location
// remembers the text.
func parseDateTime(text []byte) (time.Time, bool) {
	date, clock, digits, ok := splitDateTime(text)
	if !ok {
		return time.Time{}, false
	}
	zulu := text[len(text)-1]
	var zone *time.Location
	switch extra := digits > shortest(clock.Nanosecond); {
	case text[10] == 't', zulu == 'z', clock.Second == 60, digits > 9, clock.Offset == 0 && text[max(0, len(text)-6)] == '-':
		zone = markedZone(string(text), clock.Offset)
	case clock.Offset != 0 && extra:
		zone = zoneOfDigits(digits, clock.Offset)
	case clock.Offset != 0:
		zone = time.FixedZone("", clock.Offset*60)
	case zulu != 'Z':
		zone = written[1][digits]
	case extra:
		zone = written[0][digits]
	default:
		zone = time.UTC
	}
	return time.Date(date.Year, date.Month, date.Day, clock.Hour, clock.Minute, clock.Second, clock.Nanosecond, zone), true
}

func splitDateTime(b []byte) (date Date, clock TimeOfDay, digits int, ok bool) {
	if len(b) < len("2006-01-02T15:04:05Z") || (b[10] != 'T' && b[10] != 't') {
		return date, clock, 0, false
	}
	if date, ok = parseDate(b[:10]); !ok {
		return date, clock, 0, false
	}
	clock, digits, ok = parseClock(b[11:])
	return date, clock, digits, ok
}

// written are zones that equal UTC and remember how a date-time was written: with Z or
// with +00:00, and with how many fractional digits. Most languages write a fixed number
// of digits, and an unchanged value is encoded with the same text.
var written = func() (zones [2][10]*time.Location) {
	for i := range zones {
		for digits := range zones[i] {
			zones[i][digits] = time.FixedZone("UTC", 0)
		}
	}
	return zones
}()

// howWritten returns what written remembers of a zone.
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

// withDigits are the zones of zoneOfDigits, by offset and digits. There are at
// most nine for each of the 2,878 offsets that a text can have.
var withDigits sync.Map

type offsetDigits struct{ offset, digits int }

// zoneOfDigits returns the zone of an offset other than zero that remembers the number
// of fractional digits: its name is the zeros with their point.
func zoneOfDigits(digits, offset int) *time.Location {
	key := offsetDigits{offset, digits}
	if zone, ok := withDigits.Load(key); ok {
		return zone.(*time.Location)
	}
	zone, _ := withDigits.LoadOrStore(key, markedZone(".000000000"[:1+digits], offset))
	return zone.(*time.Location)
}

// markedZone returns a zone that is like any other of its offset, and that also has a
// name. Only Location.String shows the name: a time is formatted without it.
func markedZone(name string, offset int) *time.Location {
	abbreviation := "\x00"
	if offset == 0 {
		abbreviation = "UTC\x00"
	}
	data := append([]byte("TZif"), make([]byte, 28)...)
	data = binary.BigEndian.AppendUint32(data, 0) // transitions
	data = binary.BigEndian.AppendUint32(data, 1) // zones
	data = binary.BigEndian.AppendUint32(data, uint32(len(abbreviation)))
	data = binary.BigEndian.AppendUint32(data, uint32(offset*60))
	data = append(data, 0, 0) // no summer time; where the abbreviation begins
	data = append(data, abbreviation...)
	zone, err := time.LoadLocationFromTZData(name, data)
	if err != nil {
		return time.FixedZone("", offset*60)
	}
	return zone
}

// keptText returns the text that a location remembers, if it is still one of t.
func keptText(t time.Time, offset int) (text string, ok bool) {
	text = t.Location().String()
	if len(text) < len("2006-01-02T15:04:05Z") || text[4] != '-' {
		return "", false
	}
	date, clock, _, ok := splitDateTime([]byte(text))
	if !ok || clock.Offset*60 != offset {
		return "", false
	}
	at := time.Date(date.Year, date.Month, date.Day, clock.Hour, clock.Minute, clock.Second, clock.Nanosecond, t.Location())
	return text, at.Equal(t)
}

// shortest returns how many fractional digits a number of nanoseconds needs.
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

// DateTime writes a date-time. A year outside 0 to 9999, or an offset that is not whole
// minutes, is an error.
func (e *Encoder) DateTime(t time.Time) {
	name, offset := t.Zone()
	zone := t.Location()
	if zone != time.UTC {
		if text, ok := keptText(t, offset); ok {
			e.String(text)
			return
		}
	}
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		e.fail("a date-time must lie in the years 0 to 9999")
	} else if offset%60 != 0 {
		e.fail("a date-time's offset must be whole minutes")
	}
	hour, minute, second := t.Clock()
	digits, plus := shortest(t.Nanosecond()), false
	switch kept := zone.String(); {
	case zone == time.UTC:
	case offset == 0 && name == "UTC":
		least, keptPlus, _ := howWritten(zone)
		digits, plus = max(digits, least), keptPlus
	case strings.HasPrefix(kept, ".0"):
		digits = max(digits, min(len(kept)-1, 9))
	}
	e.buf = append(e.buf, '"')
	b := Date{year, month, day}.appendTo(e.buf)
	b = append(b, 'T')
	b = appendClock(b, TimeOfDay{Hour: hour, Minute: minute, Second: second, Nanosecond: t.Nanosecond(), Offset: offset / 60}, digits)
	if plus {
		b = append(b[:len(b)-1], "+00:00"...)
	}
	b = append(b, '"')
	e.buf = b
}
