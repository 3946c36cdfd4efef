package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Optional reads a value into a pointer; null is a violation.
func Optional[T any](d *Decoder, read func(*Decoder) T) *T {
	value := read(d)
	return &value
}

// Pointer reads a value into a pointer; null gives nil.
func Pointer[T any](d *Decoder, read func(*Decoder) T) *T {
	if d.Null() {
		return nil
	}
	value := read(d)
	return &value
}

// OrNil reads a value of a type that has a nil; null gives nil.
func OrNil[T any](d *Decoder, read func(*Decoder) T) T {
	if d.Null() {
		var null T
		return null
	}
	return read(d)
}

// Slice reads an array. An empty one gives an empty slice, never nil.
func Slice[T any](d *Decoder, read func(*Decoder) T) []T {
	items := []T{}
	a := d.Array()
	for a.Next() {
		items = append(items, read(d))
	}
	return items
}

// Map reads an object into a map. An empty one gives an empty map, never nil.
func Map[T any](d *Decoder, read func(*Decoder) T) map[string]T {
	members := map[string]T{}
	o := d.Object()
	for o.Next() {
		name := string(o.Name)
		members[name] = read(d)
	}
	return members
}

// Member reads one more property of an open object into a map, which it creates if it
// is nil.
func Member[T any](o *Object, members map[string]T, read func(*Decoder) T) map[string]T {
	if members == nil {
		members = map[string]T{}
	}
	name := string(o.Name)
	members[name] = read(o.d)
	return members
}

// Unknown holds the unknown properties of an object by name, as JSON text. They are
// encoded sorted by name.
type Unknown map[string]json.RawMessage

// Unknown keeps the current property.
func (o *Object) Unknown(unknown *Unknown) {
	name := string(o.Name)
	if *unknown == nil {
		*unknown = Unknown{}
	}
	(*unknown)[name] = o.d.Raw()
}

// OrUnknown reads a property that has the type of T only under a condition. A value
// that does not fit is kept among the unknown properties, and the result is zero; the
// schema's rules decide whether it is valid.
func OrUnknown[T any](o *Object, unknown *Unknown, read func(*Decoder) T) T {
	d, name := o.d, string(o.Name)
	violations, missing, depth := len(d.violations), len(d.missing), d.depth
	value := read(d)
	if len(d.violations) == violations {
		delete(*unknown, name) // an earlier property of that name
		return value
	}
	if d.violations[len(d.violations)-1].Rule != "syntax" {
		d.violations, d.missing = d.violations[:violations], d.missing[:missing]
		d.pos, d.depth, d.dead = o.value, depth, false
		o.Name = []byte(name) // reading may have overwritten it
		o.Unknown(unknown)
	}
	var none T
	return none
}

// OptionalOrUnknown is OrUnknown for a value that is read into a pointer.
func OptionalOrUnknown[T any](o *Object, unknown *Unknown, read func(*Decoder) T) *T {
	return OrUnknown(o, unknown, func(d *Decoder) *T { return Optional(d, read) })
}

// Default returns a default value from the schema for which Go has no literal: the JSON
// document, decoded with read. It panics if the document does not decode, which the
// generator prevents.
func Default[T any](document string, read func(*Decoder) T) T {
	var value T
	if err := Unmarshal([]byte(document), &value, "default", read); err != nil {
		panic("wire: " + err.Error())
	}
	return value
}

// Raw reads a value of any type and keeps its bytes.
func (d *Decoder) Raw() json.RawMessage {
	d.peek()
	start := d.pos
	d.Skip()
	if d.dead {
		return nil
	}
	if d.lends {
		return d.data[start:d.pos:d.pos]
	}
	return slices.Clone(d.data[start:d.pos])
}

// Any reads a value of any type: nil, bool, string, json.Number, []any or
// map[string]any.
func (d *Decoder) Any() any {
	switch d.peek() {
	case '{':
		return d.AnyObject()
	case '[':
		return Slice(d, (*Decoder).Any)
	case '"':
		return d.String()
	case 't', 'f':
		return d.Bool()
	case 'n':
		d.literal("null")
		return nil
	default:
		return json.Number(d.number())
	}
}

// AnyObject reads an object whose properties may be anything. Its values are those of
// Any.
func (d *Decoder) AnyObject() map[string]any { return Map(d, (*Decoder).Any) }

// External reads a value with the UnmarshalJSON method of a type that the project
// configured, or as encoding/json does.
func External[T any](d *Decoder) T {
	var value T
	if d.peek() == 'n' { // encoding/json would ignore null
		d.mismatch("a value")
		return value
	}
	start := d.pos
	raw := d.Raw()
	if d.dead {
		return value
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		d.failAt(start, "format", err.Error())
	}
	return value
}

// NoValue returns the error for a required value of event data, such as the aggregate's
// id, that is absent or null. pointer is its JSON Pointer; "" is the whole data.
func NoValue(pointer string) error {
	if pointer == "" {
		return errors.New("the event data has no value")
	}
	return fmt.Errorf("there is no value at %s", pointer)
}

// Or returns the value that v points to, or otherwise.
func Or[T any](v *T, otherwise T) T {
	if v == nil {
		return otherwise
	}
	return *v
}
