package wire

import (
	"encoding/json"
	"reflect"
	"sync"
)

// nameOf returns the name of a declared type.
func nameOf[T any]() string { return reflect.TypeFor[T]().Name() }

// Encode implements MarshalJSON of a declared type: v is a pointer to the value, which
// write writes. It is not generic, so that the value stays off the heap where the
// method is inlined into another package.
func Encode(v any, write func(*Encoder)) ([]byte, error) {
	e := encoders.Get().(*Encoder)
	defer e.release()
	write(e)
	return e.result(func() string { return reflect.TypeOf(v).Elem().Name() })
}

// Decode implements UnmarshalJSON of a declared type. On an error, into keeps its
// value.
func Decode[T any](data []byte, into *T, read func(*Decoder) T) error {
	return decode(data, into, nameOf[T], read)
}

// DecodeText is Decode for a named string.
func DecodeText[T ~string](data []byte, into *T) error {
	return Decode(data, into, func(d *Decoder) T { return T(d.String()) })
}

// DecodeInt is Decode for a named integer.
func DecodeInt[T ~int64](data []byte, into *T) error {
	return Decode(data, into, func(d *Decoder) T { return T(d.Int()) })
}

// DecodeFloat is Decode for a named number.
func DecodeFloat[T ~float64](data []byte, into *T) error {
	return Decode(data, into, func(d *Decoder) T { return T(d.Float()) })
}

// DecodeBool is Decode for a named boolean.
func DecodeBool[T ~bool](data []byte, into *T) error {
	return Decode(data, into, func(d *Decoder) T { return T(d.Bool()) })
}

// DecodeObject is Decode for a named map of properties of any type.
func DecodeObject[T ~map[string]any](data []byte, into *T) error {
	return Decode(data, into, func(d *Decoder) T { return T(d.AnyObject()) })
}

// DecodeKept is Decode for a union that keeps its bytes.
func DecodeKept[R ~struct{ Raw json.RawMessage }](data []byte, into *R) error {
	return Decode(data, into, Kept[R])
}

// Validate implements the method Validate of a declared type: v is a pointer to the
// value, which check checks. The error is a *ValidationError.
func Validate(v any, check func(*Checker)) error { return validate(v, check, false) }

func validate(v any, check func(*Checker), writing bool) error {
	c := checkers.Get().(*Checker)
	defer c.release()
	c.writing = writing
	check(c)
	return c.err(func() string { return reflect.TypeOf(v).Elem().Name() })
}

// checkers keeps the paths of checkers for the next value.
var checkers = sync.Pool{New: func() any { return new(Checker) }}

// release returns the checker to the pool. The error owns its violations.
func (c *Checker) release() {
	*c = Checker{path: c.path[:0], marks: c.marks[:0]}
	checkers.Put(c)
}

// In checks the value at the path with check.
func (c *Checker) In(check func(*Checker), at ...any) {
	c.Enter(at...)
	check(c)
	c.Leave()
}

// CheckItems checks each item of the array at the path with check.
func CheckItems[T any](c *Checker, items []T, check func(*T, *Checker), at ...any) {
	c.Enter(at...)
	for i := range items {
		c.Enter(i)
		check(&items[i], c)
		c.Leave()
	}
	c.Leave()
}

// CheckValues checks each property value of the object at the path with check.
func CheckValues[T any](c *Checker, members map[string]T, check func(*T, *Checker), at ...any) {
	c.Enter(at...)
	for name, member := range members {
		c.Enter(name)
		check(&member, c)
		c.Leave()
	}
	c.Leave()
}
