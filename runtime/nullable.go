package outbox

import (
	"encoding/json"
	"fmt"
)

// Nullable is a field that may be absent, null, or have a value; the three
// survive a round trip. The zero value is absent. In a struct it is used with
// the tag omitzero.
//
// The fields are exported so that cmp.Diff and reflection see into it; set it
// with Value and Null.
type Nullable[T any] struct {
	// V is the value; meaningful only while Valid.
	V T
	// Set is false for an absent field.
	Set bool
	// Valid is false for an absent field and for null.
	Valid bool
}

// Value returns a field that has the value v.
func Value[T any](v T) Nullable[T] { return Nullable[T]{V: v, Set: true, Valid: true} }

// Null returns a field that is null.
func Null[T any]() Nullable[T] { return Nullable[T]{Set: true} }

// IsZero reports whether the field is absent.
func (n Nullable[T]) IsZero() bool { return !n.Set }

// IsNull reports whether the field is there and null.
func (n Nullable[T]) IsNull() bool { return n.Set && !n.Valid }

// Get returns the value, and false when the field is absent or null.
func (n Nullable[T]) Get() (T, bool) { return n.V, n.Set && n.Valid }

// OrElse returns the value, or other when the field is absent or null.
func (n Nullable[T]) OrElse(other T) T {
	if v, ok := n.Get(); ok {
		return v
	}
	return other
}

// String returns the value as fmt prints it, "null", or "absent".
func (n Nullable[T]) String() string {
	switch v, ok := n.Get(); {
	case ok:
		return fmt.Sprint(v)
	case n.Set:
		return "null"
	default:
		return "absent"
	}
}

// MarshalJSON writes the value or null. An absent field is left out by the tag
// omitzero, or else written as null.
func (n Nullable[T]) MarshalJSON() ([]byte, error) {
	v, ok := n.Get()
	if !ok {
		return []byte("null"), nil
	}
	return json.Marshal(v)
}

// UnmarshalJSON reads a value or null; it is not called for an absent field.
func (n *Nullable[T]) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Null[T]()
		return nil
	}
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	*n = Value(v)
	return nil
}
