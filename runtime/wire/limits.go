package wire

import (
	"errors"
	"slices"
)

// What is said of numbers that the schema allows and their Go type cannot hold.
const (
	beyondInt    = "is an integer beyond 64 bits"
	beyondFloat  = "is a number beyond 64 bits"
	beyondDigits = "has more digits than a float64 holds"
)

// limited reports whether err says only that Go types are too small for a document,
// so that its schema may allow it.
func limited(err error) bool {
	var decoding *DecodeError
	return errors.As(err, &decoding) && !slices.ContainsFunc(decoding.Violations, func(v Violation) bool {
		return v.Message != beyondInt && v.Message != beyondFloat && v.Message != beyondDigits
	})
}
