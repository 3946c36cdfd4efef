package relay

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Rows without headers come from writers that fill only the columns of the older table.
// Their information about the record is in the row's data: the event's identity in the
// envelope, headers in its member headers. See "Rows without headers" in the package
// documentation.

// Limits of what is read from a row's data.
const (
	mostHeaders        = 100
	mostHeaderBytes    = 64 << 10
	longestType        = 255 // characters, as in the column
	longestCorrelation = 1_024
	// mostReasons limits what is recorded of a row with many mistakes.
	mostReasons = 10
)

// leftOut is a header that could not be read from a row's data.
type leftOut struct {
	seq       int64
	eventType string // of the column
	header    string // "": no single header
	why       string
}

// leftOuts are the headers that could not be read from the rows of a page.
type leftOuts struct {
	list  []leftOut // not all of a row with many mistakes
	count int
}

// dataReader reads the data of rows without headers, one row at a time.
type dataReader struct {
	strip bool // topic and headers are not sent
	left  leftOuts

	row     *Row
	reasons int // of the row in left.list
	members map[string][]byte
	headers []Header
	bytes   int
	cuts    []cut
}

// cut is a part of the data that is not sent.
type cut struct{ from, to int }

// hasHeaders reports whether a writer gave the row headers. SQLAlchemy writes None into
// a column of JSON as the JSON value null.
func (r *Row) hasHeaders() bool {
	return len(r.Headers) > 0 && (r.Headers[0] == '{' || string(bytes.TrimSpace(r.Headers)) != "null")
}

// read reads the data of a row. It returns the headers of the record without event_id
// and event_type, and these two; nil and "" mean the row's columns. The result is valid
// until the next call.
func (d *dataReader) read(r *Row) (headers []Header, id uuid.UUID, eventType string) {
	d.row, d.reasons, d.headers, d.bytes, d.cuts = r, 0, d.headers[:0], 0, d.cuts[:0]
	if d.members == nil {
		d.members = make(map[string][]byte, 8)
	}
	clear(d.members)
	if !d.split(r.Data) {
		return nil, uuid.Nil, ""
	}
	given := d.own()
	idName, typeName, correlationName := "event_id", "event_type", "correlation_id"
	if version, ok := text(d.members["specversion"]); ok && version != "" {
		idName, typeName, correlationName = "id", "type", "correlationid"
	}
	for _, from := range []source{{idName, d.members[idName]}, {"headers/event_id", given["event_id"]}} {
		if id != uuid.Nil || absent(from.value) {
			continue
		}
		if id = eventID(from.value); id == uuid.Nil {
			d.leave("event_id", from.name+" is not a UUID")
		}
	}
	eventType = d.pick("event_type", longestType, utf8.RuneCountInString,
		source{typeName, d.members[typeName]}, source{"headers/event_type", given["event_type"]})
	count := func(s string) int { return len(s) }
	correlation := d.pick("trace_id", longestCorrelation, count,
		source{correlationName, d.members[correlationName]}, source{"headers/trace_id", given["trace_id"]})
	if correlation != "" {
		d.headers = append(d.headers, Header{})
		copy(d.headers[1:], d.headers)
		d.headers[0] = Header{"trace_id", []byte(correlation)}
	}
	return d.headers, id, eventType
}

// source is a value with its place in the data.
type source struct {
	name  string
	value []byte
}

// pick returns the first text that can be the header's value; "": there is none.
func (d *dataReader) pick(header string, longest int, length func(string) int, from ...source) string {
	for _, f := range from {
		if absent(f.value) {
			continue
		}
		switch s, ok := text(f.value); {
		case !ok:
			d.leave(header, f.name+" is not a string")
		case s == "" || length(s) > longest:
			d.leave(header, f.name+" is empty or too long")
		case !utf8.ValidString(s):
			d.leave(header, f.name+" is not UTF-8")
		default:
			return s
		}
	}
	return ""
}

// split finds the members of the data that matter, and the parts to cut. It returns
// false if the data is not an object.
func (d *dataReader) split(data []byte) bool {
	s := scanner{b: data}
	if !s.next('{') {
		return false // such an event has no envelope
	}
	if s.next('}') {
		return true
	}
	kept, last, pending := false, 0, -1
	for {
		s.space()
		start := s.i
		key, err := s.str()
		if err != nil || !s.next(':') {
			return d.broken()
		}
		value, ok := s.value()
		if !ok {
			return d.broken()
		}
		isRouting := false
		switch name := string(key); name {
		case "topic", "headers":
			isRouting = true
			d.members[name] = value
		case "event_id", "event_type", "correlation_id", "specversion", "id", "type", "correlationid":
			d.members[name] = value
		}
		// A comma is cut with the member: the one before it or, if nothing is kept
		// before it, the one after it.
		switch {
		case isRouting && kept:
			d.cuts = append(d.cuts, cut{last, s.i})
		case isRouting && pending < 0:
			pending = start
		case !isRouting && pending >= 0:
			d.cuts = append(d.cuts, cut{pending, start})
			pending = -1
		}
		kept, last = kept || !isRouting, s.i
		if s.next(',') {
			continue
		}
		if !s.next('}') || s.end() != nil {
			return d.broken()
		}
		if pending >= 0 {
			d.cuts = append(d.cuts, cut{pending, last})
		}
		return true
	}
}

// broken handles data that begins like an object and is not one, which a column that is
// not of type json can contain.
func (d *dataReader) broken() bool {
	d.cuts = d.cuts[:0]
	d.leave("", "event_data is not JSON")
	return false
}

// stripped returns the row's data without its members topic and headers, if they have
// to be removed.
func (d *dataReader) stripped() []byte {
	data := d.row.Data
	if !d.strip || len(d.cuts) == 0 {
		return data
	}
	out := make([]byte, 0, len(data))
	from := 0
	for _, c := range d.cuts {
		out = append(out, data[from:c.from]...)
		from = c.to
	}
	return append(out, data[from:]...)
}

// own collects the headers in the member headers, and returns those with a name that
// the relay sets.
func (d *dataReader) own() (given map[string][]byte) {
	object := d.members["headers"]
	if absent(object) {
		return nil
	}
	s := scanner{b: object}
	if !s.next('{') {
		d.leave("", "headers is not an object")
		return nil
	}
	if s.next('}') {
		return nil
	}
	for {
		key, err := s.str()
		if err != nil || !s.next(':') {
			return given
		}
		value, ok := s.value()
		if !ok {
			return given
		}
		switch name := headerName(key); name {
		case "event_id", "event_type", "trace_id":
			if given == nil {
				given = make(map[string][]byte, 3)
			}
			given[name] = value
		case headerReplay:
			d.leave(name, "only a replay sets it")
		default:
			d.header(name, value)
		}
		if !s.next(',') {
			return given
		}
	}
}

// header adds one of the writer's own headers.
func (d *dataReader) header(name string, value []byte) {
	if absent(value) {
		return
	}
	var v string
	switch value[0] {
	case '"':
		v, _ = text(value)
	case '{', '[':
		d.leave(name, "its value is an object or an array")
		return
	default: // a number or a boolean
		v = string(value)
	}
	switch {
	case name == "":
		d.leave(name, "it has no name")
		return
	case !utf8.ValidString(name) || !utf8.ValidString(v):
		d.leave(name, "it is not UTF-8")
		return
	}
	at := len(d.headers)
	for i := range d.headers {
		if d.headers[i].Key == name { // the last one counts, as in JSON parsers
			at = i
			d.bytes -= len(name) + len(d.headers[i].Value)
		}
	}
	if at == mostHeaders || d.bytes+len(name)+len(v) > mostHeaderBytes {
		d.leave(name, "there are more than 100 headers, or more than 64 KiB of them")
		if at < len(d.headers) {
			d.bytes += len(name) + len(d.headers[at].Value)
		}
		return
	}
	d.bytes += len(name) + len(v)
	if at == len(d.headers) {
		d.headers = append(d.headers, Header{})
	}
	d.headers[at] = Header{name, []byte(v)}
}

func (d *dataReader) leave(header, why string) {
	d.left.count++
	if d.reasons == mostReasons {
		return
	}
	d.reasons++
	d.left.list = append(d.left.list, leftOut{d.row.Seq, d.row.EventType, shortened(header), why})
}

// shortened returns a name for the log.
func shortened(name string) string {
	const most = 100
	if len(name) > most {
		name = name[:most] + "…"
	}
	return strings.ToValidUTF8(name, "\uFFFD")
}

func absent(value []byte) bool { return len(value) == 0 || string(value) == "null" }

// text returns the value of a JSON string.
func text(value []byte) (string, bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	if inner := value[1 : len(value)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner), true
	}
	var s string
	err := json.Unmarshal(value, &s)
	return s, err == nil
}

// eventID returns a UUID in the form that consumers accept in an envelope, else uuid.Nil.
func eventID(value []byte) uuid.UUID {
	const length = 36
	s, _ := text(value)
	id, err := uuid.Parse(s)
	if err != nil || len(s) != length {
		return uuid.Nil
	}
	return id
}

// value reads a value of any type and returns its text. It checks only what is needed
// to find the end.
func (s *scanner) value() ([]byte, bool) {
	s.space()
	from, depth := s.i, 0
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case '"':
			if !s.skipString() {
				return nil, false
			}
			if depth == 0 {
				return s.b[from:s.i:s.i], true
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return s.b[from:s.i:s.i], s.i > from
			}
			if depth--; depth == 0 {
				s.i++
				return s.b[from:s.i:s.i], true
			}
		case ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return s.b[from:s.i:s.i], s.i > from
			}
		}
		s.i++
	}
	return nil, false
}

// skipString moves past a string, whose first quote is at s.i.
func (s *scanner) skipString() bool {
	for s.i++; s.i < len(s.b); s.i++ {
		n := bytes.IndexByte(s.b[s.i:], '"')
		if n < 0 {
			return false
		}
		escapes := 0
		for escapes < n && s.b[s.i+n-1-escapes] == '\\' {
			escapes++
		}
		s.i += n
		if escapes%2 == 0 {
			s.i++
			return true
		}
	}
	return false
}
