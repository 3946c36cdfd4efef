package wire

import (
	"github.com/outboxgen/outboxgen/runtime/format"
	"github.com/outboxgen/outboxgen/runtime/rule"
)

// Rules checks what a schema requires of a value beyond its Go type: it encodes the
// value, with the texts that were read, and applies the set to the document. If the
// value cannot be encoded, Rules does nothing, because Marshal reports it.
func Rules[T any](c *Checker, value T, write func(*Encoder, T), set *rule.Set, at ...any) {
	e := encoders.Get().(*Encoder)
	defer e.release()
	write(e, value)
	if e.err != nil {
		return
	}
	d := Decoder{data: c.spelled(e.buf, at)}
	document := d.Any()
	if d.dead {
		return
	}
	found := set.Check(document, isFormat)
	if len(found) == 0 {
		return
	}
	pointer := c.pointer(at)
	for _, v := range found {
		c.violations = append(c.violations, Violation{Pointer: pointer + v.Pointer, Rule: v.Keyword, Schema: v.Schema, Message: v.Message})
	}
}

// isFormat reports whether s has a format or an encoding, including those that have Go
// types.
func isFormat(s, name string) bool {
	var ok bool
	switch name {
	case "date-time":
		_, ok = parseDateTime([]byte(s))
	case "date":
		_, ok = parseDate([]byte(s))
	case "time":
		_, ok = parseTimeOfDay([]byte(s))
	case "duration":
		_, ok = parseDuration([]byte(s))
	case "uuid":
		_, ok = parseUUID([]byte(s))
	case "base64", "base64url", "base32", "base16":
		_, ok = decodeBytes(s, name)
	case "7bit", "quoted-printable":
		ok = isEncoded(s, name)
	default:
		return format.Valid(s, name)
	}
	return ok
}
