// Package wire reads and writes the JSON of generated event types. Generated
// code calls it; nobody else needs to.
//
// It exists because encoding/json cannot say what an event schema asks for:
// that a required member is missing, that null stands where it may not, that
// an integer does not fit, and where in the document that is. It reads in one
// pass without reflection and goes on after a mismatch, so that one decoding
// reports all of them, each with its JSON Pointer and byte offset.
//
// # What it accepts
//
// A document is RFC 8259 JSON in UTF-8, nested at most [MaxDepth] deep. Where
// encoding/json mends, wire reports: bytes that are not UTF-8 and escapes that
// name half a surrogate pair are errors in both directions, because a Go
// string could not give them back. A member that occurs twice counts once, the
// last one wins, as in encoding/json.
//
// # Numbers
//
// An integer is what JSON Schema calls one: 1, 1.0 and 1e3 are, 1.5 is not.
// One that does not fit an int64, and a number that overflows a float64, is an
// error, never cut. Numbers in free-form values stay json.Number. A float64 is
// written as encoding/json writes it.
//
// # Times
//
// A date-time is decoded to a time.Time of the same instant and the same
// offset, and written back in RFC 3339 with as many fractional digits as it
// needs, at most nine. So an unchanged value gives an equal instant at an equal
// offset; "+00:00" comes back as "Z", and "12:00:00.500Z" as "12:00:00.5Z". A
// tenth fractional digit and a leap second have no time.Time and are errors.
//
// # Strings
//
// Strings are escaped as encoding/json escapes them with SetEscapeHTML(false).
package wire
