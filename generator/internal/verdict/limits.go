package verdict

import (
	"encoding/json"
	"slices"
	"strings"
)

// limits are error texts for values that the Go types cannot hold, as documented.
var limits = []string{"is an integer beyond 64 bits", "has more digits than a float64 holds", "has more than nine digits of a second"}

// Documented reports whether a difference is a documented limit of the Go types:
// integers beyond 64 bits, digits that a float64 does not hold, parts of a second that
// a time.Time does not hold.
func Documented(d Direction, document []byte, a Answer) bool {
	switch d {
	case RefusesValid:
		return slices.ContainsFunc(limits, func(text string) bool { return strings.Contains(a.Refusal(), text) })
	case Changes:
		return sameFloats(document, a.Encoded)
	default:
		return false
	}
}

// sameFloats reports whether two texts are the same JSON value once every
// number is a float64.
func sameFloats(a, b []byte) bool {
	var left, right any
	return json.Unmarshal(a, &left) == nil && json.Unmarshal(b, &right) == nil && same(left, right)
}
