package outbox

import (
	"encoding/json"
	"fmt"
)

// Nullable is a field that is absent, null, or has a value. All three survive encoding
// and decoding. The zero value is absent. In a struct, use it with the tag omitzero.
//
// The fields are exported so that cmp.Diff and reflection can read them. Set them with
// Value and Null.
type Nullable[T any] struct {
	// V is the value if Valid is true.
	V T
	// Set is false if the field is absent.
	Set bool
	// Valid is false if the field is absent or null.
	Valid bool
}

// Value returns a field with the value v.
func Value[T any](v T) Nullable[T] { return Nullable[T]{V: v, Set: true, Valid: true} }

// Null returns a field that is null.
func Null[T any]() Nullable[T] { return Nullable[T]{Set: true} }

// IsZero reports whether the field is absent.
func (n Nullable[T]) IsZero() bool { return !n.Set }

// IsNull reports whether the field is present and null.
func (n Nullable[T]) IsNull() bool { return n.Set && !n.Valid }

// Get returns the value and true, or the zero value and false if the field is absent or
// null.
func (n Nullable[T]) Get() (T, bool) { return n.V, n.Set && n.Valid }

// OrElse returns the value, or other if the field is absent or null.
func (n Nullable[T]) OrElse(other T) T {
	if v, ok := n.Get(); ok {
		return v
	}
	return other
}

// String returns the value as fmt prints it, or "null" or "absent".
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

// MarshalJSON encodes the value or null. An absent field encodes as null unless its tag
// has omitzero.
func (n Nullable[T]) MarshalJSON() ([]byte, error) {
	v, ok := n.Get()
	if !ok {
		return []byte("null"), nil
	}
	return json.Marshal(v)
}

// UnmarshalJSON decodes a value or null. It is not called for an absent field.
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
