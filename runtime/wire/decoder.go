package wire

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// maxDepth is how deep objects and arrays may be nested.
const maxDepth = 1000

// maxViolations is the number of violations after which decoding stops.
const maxViolations = 100

// Decoder reads one JSON document. Its methods read the next value. If the value is not
// of the requested type, they record a violation, skip the value and return a zero
// value, so that the caller checks for errors only at the end.
type Decoder struct {
	data       []byte
	pos        int
	depth      int
	dead       bool // after a syntax error
	spaced     bool // there was white space between tokens
	lends      bool // Raw returns a part of the document, because the result is not kept
	violations []Violation
	missing    []missing
	scratch    []byte
	unusual    []unusual // texts for Spelling, in the order of the document
	optional   int       // where the value of the last optional property began; 0: there was none
}

// missing is a required property that was missing; its pointer is computed at the end.
type missing struct {
	violation int // index
	name      string
}

// Unmarshal decodes all of data with read and stores the result in into. On error it
// returns a *DecodeError with the type, and into keeps its value.
func Unmarshal[T any](data []byte, into *T, name string, read func(*Decoder) T) error {
	return decode(data, into, func() string { return name }, read)
}

func decode[T any](data []byte, into *T, name func() string, read func(*Decoder) T) error {
	d := Decoder{data: data}
	value := read(&d)
	if err := d.finish(name); err != nil {
		return err
	}
	*into = value
	return nil
}

// finish checks that nothing follows the value, and returns the violations as an error.
func (d *Decoder) finish(name func() string) error {
	d.space()
	if !d.dead && d.pos < len(d.data) {
		d.syntax("expected the end of the document")
	}
	if len(d.violations) == 0 {
		return nil
	}
	for i := range d.violations {
		d.violations[i].Pointer = pointerAt(d.data, d.violations[i].Offset)
	}
	for _, m := range d.missing {
		v := &d.violations[m.violation]
		v.Pointer = string(appendSegment([]byte(v.Pointer), m.name))
	}
	return &DecodeError{Type: name(), Violations: d.violations}
}

// Fail records a violation at the value that comes next, and skips the value.
func (d *Decoder) Fail(rule, message string) {
	d.space()
	d.failAt(d.pos, rule, message)
	d.Skip()
}

func (d *Decoder) failAt(offset int, rule, message string) {
	if d.dead {
		return
	}
	d.violations = append(d.violations, Violation{Rule: rule, Message: message, Offset: offset})
	if len(d.violations) >= maxViolations {
		d.kill()
	}
}

// syntax records that the document is not JSON and ends the decoding.
func (d *Decoder) syntax(message string) {
	if d.dead {
		return
	}
	d.violations = append(d.violations, Violation{Rule: "syntax", Message: message, Offset: min(d.pos, len(d.data))})
	d.kill()
}

func (d *Decoder) kill() {
	d.dead = true
	d.pos = len(d.data)
}

// mismatch records that the next value is not of the wanted type, and skips it.
func (d *Decoder) mismatch(want string) {
	d.space()
	if d.pos >= len(d.data) {
		d.syntax("expected " + want + ", the document ends here")
		return
	}
	message := fmt.Sprintf("must be %s, is %s", want, typeName(d.data[d.pos]))
	if d.data[d.pos] == 'n' && d.optional > 0 && len(bytes.TrimSpace(d.data[d.optional:d.pos])) == 0 {
		message += "; the property is optional: the producer has to leave it out instead of writing null, or the schema has to allow null"
	}
	d.failAt(d.pos, "type", message)
	d.Skip()
}

func typeName(first byte) string {
	switch first {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}

func (d *Decoder) space() {
	for d.pos < len(d.data) {
		switch d.data[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.spaced = true
			d.pos++
		default:
			return
		}
	}
}

// peek returns the first byte of the next value, 0 at the end of the document.
func (d *Decoder) peek() byte {
	if d.pos < len(d.data) && d.data[d.pos] > ' ' {
		return d.data[d.pos]
	}
	d.space()
	if d.pos < len(d.data) {
		return d.data[d.pos]
	}
	return 0
}

// Kind returns the first byte of the next value: '{', '[', '"', 't' or 'f', 'n', and
// '0' for every number. It is 0 if there is no value. It consumes nothing.
func (d *Decoder) Kind() byte {
	switch c := d.peek(); c {
	case '{', '[', '"', 't', 'f', 'n':
		return c
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return '0'
	default:
		return 0
	}
}

// Null reports whether the next value is null, and consumes it if so.
func (d *Decoder) Null() bool {
	if d.peek() != 'n' {
		return false
	}
	return d.literal("null")
}

// literal consumes text, which the caller knows to be next.
func (d *Decoder) literal(text string) bool {
	if len(d.data)-d.pos < len(text) || string(d.data[d.pos:d.pos+len(text)]) != text {
		d.syntax("expected " + text)
		return false
	}
	d.pos += len(text)
	return true
}

// Skip reads a value of any type and ignores it.
func (d *Decoder) Skip() {
	switch c := d.peek(); c {
	case '{':
		o := d.Object()
		for o.Next() {
			d.Skip()
		}
	case '[':
		a := d.Array()
		for a.Next() {
			d.Skip()
		}
	case '"':
		d.text()
	case 't':
		d.literal("true")
	case 'f':
		d.literal("false")
	case 'n':
		d.literal("null")
	default:
		d.number()
	}
}

// enter counts one level of nesting. It returns false if there are too many.
func (d *Decoder) enter() bool {
	if d.depth++; d.depth > maxDepth {
		d.syntax(fmt.Sprintf("nested deeper than %d levels", maxDepth))
		return false
	}
	return true
}

// Object reads an object: call Next until it returns false, and after each call read or
// skip the value of the property called Name. Missing required properties are
// violations.
func (d *Decoder) Object(required ...string) Object {
	if d.peek() != '{' {
		d.mismatch("an object")
		return Object{d: d, done: true}
	}
	o := Object{d: d, start: d.pos, required: required, first: true}
	d.pos++
	o.done = !d.enter()
	return o
}

// Open is Object, but keeps in Kept every property that is not read before the next
// call of Next.
func (d *Decoder) Open(required ...string) Object {
	o := d.Object(required...)
	o.open = true
	return o
}

// Closed is Object, but a property that is not read before the next call of Next is
// Unexpected.
func (d *Decoder) Closed(required ...string) Object {
	o := d.Object(required...)
	o.closed = true
	return o
}

// Object iterates over the properties of a JSON object.
type Object struct {
	// Name is the name of the current property. It is valid until the next call of Next
	// and must not be changed.
	Name []byte
	// Kept has the properties that Open keeps.
	Kept Unknown

	d        *Decoder
	required []string
	seen     uint64
	more     []uint64 // seen, from the 65th required property on
	hint     int      // the required property that probably comes next
	start    int
	value    int // where the value of the current property begins
	first    bool
	done     bool
	open     bool // created by Open
	closed   bool // created by Closed
}

// Next moves to the next property.
func (o *Object) Next() bool {
	d := o.d
	if o.done || d.dead {
		return false
	}
	if d.pos == o.value && !o.first && !o.rest() {
		return false
	}
	c := d.peek()
	if c == '}' {
		d.pos++
		d.depth--
		o.done = true
		o.checkRequired()
		return false
	}
	if !o.first {
		if c != ',' {
			d.syntax("expected , or } after an object's member")
			return false
		}
		d.pos++
		c = d.peek()
	}
	o.first = false
	if c != '"' {
		d.syntax("expected the name of a member")
		return false
	}
	o.Name = d.text()
	if d.peek() != ':' {
		d.syntax("expected : after the name of a member")
		return false
	}
	d.pos++
	o.value = d.pos
	o.mark()
	return true
}

// rest reads a member that the caller has not read; false says that reading ends.
func (o *Object) rest() bool {
	switch {
	case o.open:
		o.Unknown(&o.Kept)
	case o.closed:
		o.Unexpected()
	}
	return !o.d.dead
}

// mark notes that a required member was seen. Documents tend to hold their
// members in the order of the schema, so the first guess is mostly right.
func (o *Object) mark() {
	if o.hint < len(o.required) && string(o.Name) == o.required[o.hint] {
		o.set(o.hint)
		o.hint++
		return
	}
	for i, name := range o.required {
		if string(o.Name) == name {
			o.set(i)
			o.hint = i + 1
			return
		}
	}
	o.d.optional = o.value
}

func (o *Object) set(i int) {
	if i < 64 {
		o.seen |= 1 << i
		return
	}
	if o.more == nil {
		o.more = make([]uint64, len(o.required)/64)
	}
	o.more[i/64-1] |= 1 << (i % 64)
}

func (o *Object) has(i int) bool {
	if i < 64 {
		return o.seen&(1<<i) != 0
	}
	return o.more != nil && o.more[i/64-1]&(1<<(i%64)) != 0
}

func (o *Object) checkRequired() {
	for i, name := range o.required {
		if o.has(i) {
			continue
		}
		o.d.missing = append(o.d.missing, missing{violation: len(o.d.violations), name: name})
		o.d.failAt(o.start, "required", "is required and missing")
	}
}

// Unexpected records that the schema is closed and does not have the current property,
// and skips the value.
func (o *Object) Unexpected() {
	o.d.Fail("additionalProperties", "is not a member that the schema allows")
}

// Array reads an array: call Next until it returns false, and after each call
// read or skip the item.
func (d *Decoder) Array() Array {
	if d.peek() != '[' {
		d.mismatch("an array")
		return Array{d: d, done: true}
	}
	d.pos++
	return Array{d: d, first: true, done: !d.enter()}
}

// Array iterates over the items of a JSON array.
type Array struct {
	d     *Decoder
	first bool
	done  bool
}

// Next moves to the next item.
func (a *Array) Next() bool {
	d := a.d
	if a.done || d.dead {
		return false
	}
	c := d.peek()
	if c == ']' {
		if !a.first && d.data[d.pos-1] == ',' {
			d.syntax("expected an item after the comma")
			return false
		}
		d.pos++
		d.depth--
		a.done = true
		return false
	}
	if !a.first {
		if c != ',' {
			d.syntax("expected , or ] after an array's item")
			return false
		}
		d.pos++
		if d.peek() == ']' {
			d.syntax("expected an item after the comma")
			return false
		}
	}
	a.first = false
	return true
}

// text consumes a string and returns its text, which is part of the document or of the
// scratch buffer.
func (d *Decoder) text() []byte {
	start := d.pos
	d.pos++
	i, ascii := d.pos, true
	for i < len(d.data) {
		c := d.data[i]
		switch {
		case c == '"':
			raw := d.data[d.pos:i]
			d.pos = i + 1
			if !ascii && !utf8.Valid(raw) {
				d.failAt(start, "encoding", "is not UTF-8")
			}
			return raw
		case c == '\\':
			return d.escapedText(start, i, ascii) // a loop of its own: most strings have no escapes
		case c < ' ':
			d.pos = i
			d.syntax("a control character must be escaped in a string")
			return nil
		case c >= utf8.RuneSelf:
			ascii = false
		}
		i++
	}
	d.pos = len(d.data)
	d.syntax("a string does not end")
	return nil
}

// pointerAt returns the JSON Pointer of the value at offset, or of the property whose
// name begins there. It reads the document again from the start, which happens only to
// report an error.
func pointerAt(data []byte, offset int) string {
	d := Decoder{data: data}
	return string(d.locate([]byte{}, offset))
}

// locate walks the next value until it has passed offset, and returns the pointer of
// the innermost value there, or nil if the value ends before.
func (d *Decoder) locate(at []byte, offset int) []byte {
	kind := d.peek()
	if d.pos >= offset {
		return at
	}
	switch kind {
	case '{':
		o := d.Object()
		for o.Next() {
			if found := d.locate(appendSegment(at[:len(at):len(at)], string(o.Name)), offset); found != nil {
				return found
			}
		}
	case '[':
		a := d.Array()
		for i := 0; a.Next(); i++ {
			if found := d.locate(appendSegment(at[:len(at):len(at)], strconv.Itoa(i)), offset); found != nil {
				return found
			}
		}
	default:
		d.Skip()
	}
	if d.dead || d.pos > offset {
		return at
	}
	return nil
}
