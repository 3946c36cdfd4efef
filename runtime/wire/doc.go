// Package wire reads, writes and validates the JSON of event types. Its functions are for
// generated code only. A service writes only the names of a few types, when event data
// has them: [Date], [TimeOfDay], [Duration] with their functions, and [Unknown]. Package
// gen has what generated code calls to insert, decode and handle events.
//
// Package encoding/json cannot check what an event schema requires: that no required
// property is missing, that null is allowed, that an integer fits, and where in the
// document a value is wrong. This package reads in one pass without reflection and
// continues after a mismatch, so one decoding reports all of them, each with its JSON
// Pointer and byte offset.
//
// # What it accepts
//
// A document is RFC 8259 JSON in UTF-8, nested at most 1000 deep. Bytes that are
// not UTF-8 and escapes that name half a surrogate pair are errors in both directions,
// because a Go string cannot keep them (encoding/json replaces them). If a property
// occurs twice, the last one counts, as in encoding/json.
//
// # Numbers
//
// 1, 1.0 and 1e3 are integers, 1.5 is not, as in JSON Schema. An integer that does
// not fit an int64 is an error, and so is a number that overflows a float64 or has
// more digits than it holds. Numbers in free-form values stay json.Number. A float64
// is written as encoding/json writes it.
//
// # Bytes
//
// base64url is read with and without padding, base16 in either case.
//
// # Times
//
// A date-time is decoded to a time.Time of the same instant and offset. An
// unchanged date-time, time or duration is written as the text that was read:
// "12:00:00.500000Z" keeps its six digits, "+00:00" does not become "Z", and
// "P0D" does not become "PT0S". A changed one is written in the usual form: RFC
// 3339 with T and Z and as many digits as it needs, or as many as it had if only
// the number of digits was unusual; a duration without parts that are zero.
//
// A time.Time keeps its text in its location. That location has the offset of the text,
// and does not change how the time is formatted or what it is Equal to. A [TimeOfDay] and
// a [Duration] hold their text themselves. So compare with Equal (as cmp.Diff does), not
// with ==.
//
// A leap second is the first instant of the next day in a time.Time, and Second 60
// in a TimeOfDay. Go holds nine digits of a second; further ones are in the text
// alone.
//
// A date-time has a T between its parts; a space is an error. A duration can leave out
// units between others. ISO 8601 allows that and the grammar of RFC 3339 does not, so
// stricter validators reject some durations that are accepted here.
//
// # Texts that Go values do not keep
//
// A UUID is written in lower case, base64url with padding and base16 in upper case. A
// struct with such values has a [Spelling], which remembers the values that a document
// wrote in another form. An unchanged value is written in the same form again, and rules
// check the text that was read. Tuples, and event data that is not an object, have a
// Spelling too. A branch of a union that is decoded alone is written in the usual form.
//
// # Strings
//
// Strings are escaped as encoding/json escapes them with SetEscapeHTML(false).
package wire
