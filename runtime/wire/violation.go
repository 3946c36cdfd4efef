package wire

import (
	"fmt"
	"strings"
)

// Violation is one place where a document breaks its schema.
type Violation struct {
	// Pointer is the JSON Pointer of the value, "" for the document itself. A
	// member that is missing is pointed at as if it were there.
	Pointer string
	// Rule is the schema keyword that is broken ("required", "minLength"), or
	// "syntax" where the document is not JSON at all.
	Rule string
	// Schema is the place of that keyword in the schemas of the project: the path
	// of the file, # and a JSON Pointer, as in
	// schemas/order.yaml#/properties/id/minLength. It is "" in a DecodeError.
	Schema string
	// Message says what is wrong, without the pointer. It holds no part of the
	// value, so that it can be logged; only where the schema lists the values
	// (the rule "enum") does it begin with up to 32 characters of the one found.
	Message string
	// Offset is the byte offset in the document that was decoded. It is 0 in
	// what Validate reports, which sees values and no document.
	Offset int
}

// String returns the violation on one line.
func (v Violation) String() string {
	pointer := v.Pointer
	if pointer == "" {
		pointer = "(document)"
	}
	rule := v.Rule
	if v.Schema != "" {
		rule = v.Schema
	}
	return fmt.Sprintf("%s: %s (%s)", pointer, v.Message, rule)
}

// DecodeError is returned when a document cannot become the Go type: it is not
// JSON, or a value has the wrong type, is missing, or does not fit. The
// violations stand in document order. Nothing is decoded then: the target is
// left as it was.
type DecodeError struct {
	Type       string // the Go type that was wanted
	Violations []Violation
}

// Error lists the first violations with their offsets.
func (e *DecodeError) Error() string {
	return list("cannot decode "+e.Type, e.Violations, func(v Violation) string {
		return fmt.Sprintf("%s at byte %d", v, v.Offset)
	})
}

// ValidationError is returned by Validate when a value breaks the constraints
// of its schema. It holds every violation.
type ValidationError struct {
	Type       string // the Go type of the value
	Violations []Violation
}

// Error lists the first violations.
func (e *ValidationError) Error() string {
	return list(e.Type+" breaks its schema", e.Violations, Violation.String)
}

// listed is how many violations an error message spells out.
const listed = 10

func list(what string, violations []Violation, one func(Violation) string) string {
	var b strings.Builder
	b.WriteString(what)
	for i, v := range violations {
		if i == listed {
			fmt.Fprintf(&b, "; and %d more", len(violations)-listed)
			break
		}
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString("; ")
		}
		b.WriteString(one(v))
	}
	return b.String()
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
