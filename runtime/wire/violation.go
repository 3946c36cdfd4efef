package wire

import (
	"cmp"
	"fmt"
	"strings"
)

// Violation is one place where a document violates its schema. As JSON it is an object with
// the properties pointer, rule and message, and with schema and offset if they are
// known.
type Violation struct {
	// Pointer is the JSON Pointer of the value, "" for the whole document. For a
	// missing property it points to where the property would be.
	Pointer string `json:"pointer"`
	// Rule is the violated keyword ("required", "minLength"), or "syntax" if the
	// document is not JSON.
	Rule string `json:"rule"`
	// Schema is the place of that keyword in the schemas of the project: the path
	// of the file, # and a JSON Pointer, as in
	// schemas/order.yaml#/properties/id/minLength. It is "" in a DecodeError.
	Schema string `json:"schema,omitempty"`
	// Message says what is wrong, without the pointer. It contains no part of the
	// value, so it can be logged. The exception is the rule "enum": its message begins
	// with up to 32 characters of the value.
	Message string `json:"message"`
	// Offset is the byte offset in the decoded document. It is 0 in the errors of
	// Validate, which checks values and not documents.
	Offset int `json:"offset,omitempty"`
}

// String returns the violation in one line.
func (v Violation) String() string {
	return fmt.Sprintf("%s: %s (%s)", cmp.Or(v.Pointer, "(document)"), v.Message, cmp.Or(v.Schema, v.Rule))
}

// DecodeError is returned when a document does not fit the Go type: it is not JSON, or
// a value has the wrong type, is missing, or does not fit. The violations are in
// document order. The target is unchanged. As JSON it is an object with the properties
// type and violations.
type DecodeError struct {
	Type       string      `json:"type"` // the Go type of the target
	Violations []Violation `json:"violations"`
}

// Error returns the first violations with their offsets.
func (e *DecodeError) Error() string {
	return list("cannot decode "+e.Type, e.Violations, func(v Violation) string {
		return fmt.Sprintf("%s at byte %d", v, v.Offset)
	})
}

// ValidationError is returned by Validate when a value violates the constraints of its
// schema. It has every violation. As JSON it is an object with the properties type and
// violations.
type ValidationError struct {
	Type       string      `json:"type"` // the Go type of the value
	Violations []Violation `json:"violations"`
}

// Error returns the first violations.
func (e *ValidationError) Error() string {
	return list(e.Type+" breaks its schema", e.Violations, Violation.String)
}

// listed is how many violations an error message lists.
const listed = 10

func list(what string, violations []Violation, one func(Violation) string) string {
	var texts []string
	for _, v := range violations[:min(len(violations), listed)] {
		texts = append(texts, one(v))
	}
	if more := len(violations) - listed; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	if len(texts) == 0 {
		return what
	}
	return what + ": " + strings.Join(texts, "; ")
}

// appendSegment appends one reference token of a JSON Pointer.
func appendSegment(b []byte, token string) []byte {
	b = append(b, '/')
	for i := range len(token) {
		switch c := token[i]; c {
		case '~':
			b = append(b, "~0"...)
		case '/':
			b = append(b, "~1"...)
		default:
			b = append(b, c)
		}
	}
	return b
}
