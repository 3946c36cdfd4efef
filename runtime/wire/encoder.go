package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
)

// Encoder writes one JSON document. After its first error it continues to write, and
// Marshal returns the error.
type Encoder struct {
	buf  []byte
	open []int // offsets of the open objects
	err  error
}

// EncodeError is returned when a value cannot be encoded as JSON: a string that is not
// UTF-8, a number that is not finite, an unknown property whose name is in the schema
// or whose bytes are not JSON.
type EncodeError struct {
	Type    string // the Go type of the value
	Message string // what is wrong, with the JSON Pointer of the value
	Err     error  // the error of the value's own MarshalJSON, or nil
}

// Error says what could not be encoded.
func (e *EncodeError) Error() string { return "cannot encode " + e.Type + ": " + e.Message }

// Unwrap returns Err.
func (e *EncodeError) Unwrap() error { return e.Err }

// Marshal encodes value with write. The error is an *EncodeError that names
// the type.
func Marshal[T any](value T, name string, write func(*Encoder, T)) ([]byte, error) {
	return MarshalNamed(value, func() string { return name }, write)
}

// MarshalNamed is Marshal with a name that is only made for an error.
func MarshalNamed[T any](value T, name func() string, write func(*Encoder, T)) ([]byte, error) {
	e := encoders.Get().(*Encoder)
	defer e.release()
	write(e, value)
	return e.result(name)
}

// result returns the document, or the error with the type that name returns.
func (e *Encoder) result(name func() string) ([]byte, error) {
	if e.err != nil {
		failed := &EncodeError{Type: name(), Message: e.err.Error()}
		if inner, ok := errors.AsType[*externalError](e.err); ok {
			failed.Err = inner.err
		}
		return nil, failed
	}
	return slices.Clone(e.buf), nil
}

// encoders keeps buffers for the next document, as encoding/json does.
var encoders = sync.Pool{New: func() any { return new(Encoder) }}

// release returns the buffer to the pool, unless it is unusually large.
func (e *Encoder) release() {
	if cap(e.buf) > 1<<16 {
		return
	}
	*e = Encoder{buf: e.buf[:0], open: e.open[:0]}
	encoders.Put(e)
}

type externalError struct {
	at  string
	err error
}

func (e *externalError) Error() string { return e.at + e.err.Error() }

func (e *Encoder) fail(message string) {
	if e.err == nil {
		e.err = fmt.Errorf("%s%s", e.where(), message)
	}
}

// where returns the JSON Pointer of the value that is being written, or of the object that
// it would be a property of, for an error.
func (e *Encoder) where() string {
	if pointer := pointerAt(e.buf, len(e.buf)); pointer != "" {
		return pointer + ": "
	}
	return ""
}

// Begin opens an object.
func (e *Encoder) Begin() {
	e.open = append(e.open, len(e.buf))
	e.buf = append(e.buf, '{')
}

// End closes an object.
func (e *Encoder) End() {
	e.open = e.open[:len(e.open)-1]
	e.buf = append(e.buf, '}')
}

// First opens an object and begins its first property; the value must follow.
func (e *Encoder) First(name string) *Encoder {
	e.Begin()
	return e.Name(name)
}

// EndOpen writes the unknown properties and closes the object.
func (e *Encoder) EndOpen(unknown Unknown) {
	e.Unknown(unknown)
	e.End()
}

// Name begins a property; its value must follow.
func (e *Encoder) Name(name string) *Encoder {
	e.comma('{')
	e.String(name)
	e.buf = append(e.buf, ':')
	return e
}

func (e *Encoder) comma(open byte) {
	if n := len(e.buf); n > 0 && e.buf[n-1] != open {
		e.buf = append(e.buf, ',')
	}
}

// Null writes null.
func (e *Encoder) Null() { e.buf = append(e.buf, "null"...) }

// String writes a string.
func (e *Encoder) String(s string) {
	b, ok := appendString(e.buf, s)
	if !ok {
		e.fail("the string is not UTF-8")
	}
	e.buf = b
}

// PutText writes a named string type.
func PutText[T ~string](e *Encoder, s T) { e.String(string(s)) }

// Bool writes a boolean.
func (e *Encoder) Bool(v bool) { e.buf = strconv.AppendBool(e.buf, v) }

// Int writes an integer.
func (e *Encoder) Int(v int64) { e.buf = strconv.AppendInt(e.buf, v, 10) }

// Float writes a number.
func (e *Encoder) Float(v float64) {
	b, ok := appendFloat(e.buf, v)
	if !ok {
		e.fail("the number is not finite")
		b = append(b, '0')
	}
	e.buf = b
}

// Number writes a number unchanged.
func (e *Encoder) Number(v json.Number) {
	if n, wrong := scanNumber(v); wrong != "" || n < len(v) {
		e.fail("the text is not a number")
		v = "0"
	}
	e.buf = append(e.buf, v...)
}

// Raw writes a value that is JSON already, without white space.
func (e *Encoder) Raw(v json.RawMessage) {
	d := Decoder{data: v}
	d.Skip()
	d.space()
	if d.pos < len(d.data) || len(d.violations) > 0 {
		e.fail("the raw value is not JSON")
		e.Null()
		return
	}
	if !d.spaced { // as generated code writes it
		e.buf = append(e.buf, v...)
		return
	}
	e.buf = appendCompact(e.buf, v)
}

// RawOrNull writes a value that is JSON already, or null for nil.
func (e *Encoder) RawOrNull(v json.RawMessage) {
	if v == nil {
		e.Null()
		return
	}
	e.Raw(v)
}

// appendCompact appends valid JSON without the white space between its tokens.
func appendCompact(b, v []byte) []byte {
	quoted, escaped, done := false, false, 0
	for i, c := range v {
		switch {
		case quoted:
			if c == '"' && !escaped {
				quoted = false
			}
			escaped = c == '\\' && !escaped
		case c == '"':
			quoted = true
		case c == ' ', c == '\t', c == '\n', c == '\r':
			b = append(b, v[done:i]...)
			done = i + 1
		}
	}
	return append(b, v[done:]...)
}

// Unknown writes unknown properties into the open object, sorted by name. A name that
// was already written is an error.
func (e *Encoder) Unknown(unknown Unknown) {
	PutMembers(e, unknown, (*Encoder).Raw)
}

// fresh checks that the open object has none of the properties yet.
func fresh[T any](e *Encoder, members map[string]T) {
	written := Decoder{data: append(slices.Clone(e.buf[e.open[len(e.open)-1]:]), '}')}
	o := written.Object()
	for o.Next() {
		if _, ok := members[string(o.Name)]; ok {
			e.fail(fmt.Sprintf("the member %q has a field of its own", o.Name))
		}
		written.Skip()
	}
}

// PutPointer writes the value, or null for nil.
func PutPointer[T any](e *Encoder, v *T, write func(*Encoder, T)) {
	if v == nil {
		e.Null()
		return
	}
	write(e, *v)
}

// PutOrNull writes null if isNull is true, else the value.
func PutOrNull[T any](e *Encoder, isNull bool, v T, write func(*Encoder, T)) {
	if isNull {
		e.Null()
		return
	}
	write(e, v)
}

// PutSlice writes an array; nil is an empty one.
func PutSlice[T any](e *Encoder, items []T, write func(*Encoder, T)) {
	e.buf = append(e.buf, '[')
	for _, item := range items {
		e.comma('[')
		write(e, item)
	}
	e.buf = append(e.buf, ']')
}

// PutMap writes an object, sorted by name; nil is an empty one.
func PutMap[T any](e *Encoder, members map[string]T, write func(*Encoder, T)) {
	e.Begin()
	for _, name := range sorted(members) {
		write(e.Name(name), members[name])
	}
	e.End()
}

// PutMembers writes the entries of a map as properties into the open object, sorted by
// name. A name that was already written is an error.
func PutMembers[M ~map[string]T, T any](e *Encoder, members M, write func(*Encoder, T)) {
	if len(members) == 0 {
		return
	}
	fresh(e, members)
	for _, name := range sorted(members) {
		write(e.Name(name), members[name])
	}
}

// PutOptional writes a property of the open object, or nothing for nil.
func PutOptional[T any](e *Encoder, name string, v *T, write func(*Encoder, T)) {
	if v != nil {
		write(e.Name(name), *v)
	}
}

func sorted[M ~map[string]T, T any](members M) []string {
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// nullable is an outbox.Nullable.
type nullable[T any] interface {
	IsZero() bool
	Get() (T, bool)
}

// PutNullable writes a property of the open object: null if v is null, or nothing if v
// is absent.
func PutNullable[N nullable[T], T any](e *Encoder, name string, v N, write func(*Encoder, T)) {
	if !v.IsZero() {
		value, ok := v.Get()
		PutOrNull(e.Name(name), !ok, value, write)
	}
}

// Any writes a value of any type. It writes the types of Decoder.Any directly, and
// others as encoding/json does.
func (e *Encoder) Any(v any) {
	switch v := v.(type) {
	case nil:
		e.Null()
	case bool:
		e.Bool(v)
	case string:
		e.String(v)
	case json.Number:
		e.Number(v)
	case int:
		e.Int(int64(v))
	case int64:
		e.Int(v)
	case float64:
		e.Float(v)
	case []any:
		PutSlice(e, v, (*Encoder).Any)
	case map[string]any:
		e.AnyObject(v)
	case json.RawMessage:
		e.Raw(v)
	default:
		PutExternal(e, v)
	}
}

// AnyObject writes an object whose properties may be anything.
func (e *Encoder) AnyObject(v map[string]any) { PutMap(e, v, (*Encoder).Any) }

// PutExternal writes a value with its MarshalJSON method, or as encoding/json does.
func PutExternal[T any](e *Encoder, v T) {
	var out bytes.Buffer
	to := json.NewEncoder(&out)
	to.SetEscapeHTML(false)
	if err := to.Encode(&v); err != nil {
		if e.err == nil {
			e.err = &externalError{at: e.where(), err: err}
		}
		e.Null()
		return
	}
	e.Raw(out.Bytes())
}

// PutOptionalSlice writes a property of the open object that is an array, or nothing
// for nil.
func PutOptionalSlice[T any](e *Encoder, name string, items []T, write func(*Encoder, T)) {
	if items != nil {
		PutSlice(e.Name(name), items, write)
	}
}

// PutOptionalMap writes a property of the open object that is an object, or nothing for
// nil.
func PutOptionalMap[T any](e *Encoder, name string, members map[string]T, write func(*Encoder, T)) {
	if members != nil {
		PutMap(e.Name(name), members, write)
	}
}
