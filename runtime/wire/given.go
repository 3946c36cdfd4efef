package wire

import (
	"time"

	"github.com/google/uuid"
)

// ValidateNew is Validate for a value that is about to be written. It also refuses
// what a writer has most likely forgotten to set: see GivenUUID and GivenTime. A
// value that was read may hold both.
func ValidateNew(v any, check func(*Checker)) error { return validate(v, check, true) }

// GivenUUID refuses the UUID whose bits are all zero at the path of a required
// value. Only ValidateNew looks at it.
func (c *Checker) GivenUUID(id uuid.UUID, at ...any) {
	if c.writing && id == uuid.Nil {
		c.notGiven("is required and not set: the UUID is all zeros", at)
	}
}

// GivenTime refuses the zero time.Time at the path of a required value. Only
// ValidateNew looks at it.
func (c *Checker) GivenTime(t time.Time, at ...any) {
	if c.writing && t.IsZero() {
		c.notGiven("is required and not set: the time is Go's zero time, in year 1", at)
	}
}

// notGiven records that a value was not set. Of a member, the keyword is in the schema
// of the object, or where the Places say; no keyword asks for any other value.
func (c *Checker) notGiven(message string, at []any) {
	const rule = "required"
	schema := ""
	if last := len(at) - 1; last >= 0 {
		if _, member := at[last].(string); member {
			if schema = c.schema.keyword(c.inSchema(at), rule); schema == "" {
				schema = c.place(rule, at[:last])
			}
		}
	}
	c.add(rule, message, schema, at)
}

// ConstBy is Const for a member that the function called constructor sets.
func ConstBy[T comparable](c *Checker, value, want T, constructor string, at ...any) {
	var unset T
	if value == unset && value != want {
		c.Fail("const", constText(want)+"; "+constructor+" sets it", at...)
		return
	}
	Const(c, value, want, at...)
}
