package wire

import (
	"errors"
	"slices"
)

// Messages for numbers that the schema allows and the Go type cannot hold.
const (
	beyondInt    = "is an integer beyond 64 bits"
	beyondFloat  = "is a number beyond 64 bits"
	beyondDigits = "has more digits than a float64 holds"
)

// limited reports whether err is only about Go types that are too small for a document,
// so that its schema may allow it.
func limited(err error) bool {
	decoding, ok := errors.AsType[*DecodeError](err)
	return ok && !slices.ContainsFunc(decoding.Violations, func(v Violation) bool {
		return v.Message != beyondInt && v.Message != beyondFloat && v.Message != beyondDigits
	})
}
