package wire

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// Value is implemented by the values of every union.
type Value interface {
	json.Marshaler
	Validate() error
}

// Union writes and checks the values of T, an interface whose values have one of
// several types.
type Union[T any] struct {
	place           string
	parts           Places
	keyword, wanted string
	write           func(T, *Encoder)
	check           func(T, *Checker)
}

// NewUnion returns the union whose schema is at place, under keyword. wanted names its
// branches in a message; write and check are methods of T.
func NewUnion[T any](write func(T, *Encoder), check func(T, *Checker), place, keyword, wanted string, parts ...[3]string) *Union[T] {
	return &Union[T]{place: place, parts: parts, keyword: keyword, wanted: wanted, write: write, check: check}
}

// isBranch reports whether v is a branch of a union. A branch is a value. A pointer to
// a branch has its methods, so it compiles, but it is not a branch.
func isBranch(v any) bool {
	t := reflect.TypeOf(v)
	return t != nil && t.Kind() != reflect.Pointer
}

// Put writes v, or null for a nil interface.
func (u *Union[T]) Put(e *Encoder, v T) {
	if !isBranch(v) {
		e.NoBranch(reflect.TypeFor[T]().Name(), v)
		return
	}
	u.write(v, e)
}

// PutOptional writes a property of the open object, or nothing for nil.
func (u *Union[T]) PutOptional(e *Encoder, name string, v T) {
	if any(v) != nil {
		u.Put(e.Name(name), v)
	}
}

// Check checks the value at the path, which is required.
func (u *Union[T]) Check(c *Checker, v T, at ...any) {
	c.Enter(at...)
	if isBranch(v) {
		c.Schema(u.place, u.parts...)
		u.check(v, c)
	} else {
		u.NoBranch(c, v)
	}
	c.Leave()
}

// CheckOptional checks the value at the path if there is one.
func (u *Union[T]) CheckOptional(c *Checker, v T, at ...any) {
	if any(v) != nil {
		u.Check(c, v, at...)
	}
}

// CheckItems checks each item of the array at the path.
func (u *Union[T]) CheckItems(c *Checker, items []T, at ...any) {
	c.Enter(at...)
	for i, item := range items {
		u.Check(c, item, i)
	}
	c.Leave()
}

// CheckValues checks each property value of the object at the path.
func (u *Union[T]) CheckValues(c *Checker, members map[string]T, at ...any) {
	c.Enter(at...)
	for name, member := range members {
		u.Check(c, member, name)
	}
	c.Leave()
}

// CheckNullable checks the value at the path if it is present and not null.
func (u *Union[T]) CheckNullable(c *Checker, v interface{ Get() (T, bool) }, at ...any) {
	if value, ok := v.Get(); ok {
		u.Check(c, value, at...)
	}
}

// NoBranch records that the current value is none of the branches.
func (u *Union[T]) NoBranch(c *Checker, v any) {
	c.Schema(u.place, u.parts...)
	c.NoBranch(v, u.keyword, u.wanted)
}

// lookAt returns a decoder of the member at path inside the next value; ok is false
// where there is none. Nothing is consumed, and nothing noted: whoever reads
// the value afterwards finds what is wrong with it. Of a member that occurs
// twice the last one counts, as everywhere, so each object is read to its end.
func (d *Decoder) lookAt(path []string) (_ Decoder, ok bool) {
	look := Decoder{data: d.data, pos: d.pos, depth: d.depth, dead: d.dead}
	for _, name := range path {
		if look.peek() != '{' {
			return look, false
		}
		member, found := look, false
		o := look.Object()
		for o.Next() {
			if string(o.Name) == name {
				member, found = look, true
			}
			look.Skip()
		}
		if !found || look.dead {
			return look, false
		}
		look = member
	}
	return look, !look.dead
}

// StringAt returns the string at path inside the next value, which is not consumed;
// "" where there is none.
func (d *Decoder) StringAt(path ...string) string {
	look, ok := d.lookAt(path)
	if !ok || look.Kind() != '"' {
		return ""
	}
	return look.String()
}

// IntAt returns the integer at path inside the next value, which is not consumed.
func (d *Decoder) IntAt(path ...string) (n int64, ok bool) {
	look, ok := d.lookAt(path)
	if !ok || look.Kind() != '0' {
		return 0, false
	}
	n = look.Int()
	return n, len(look.violations) == 0
}

// BoolAt returns the boolean at path inside the next value, which is not consumed.
func (d *Decoder) BoolAt(path ...string) (v, ok bool) {
	look, ok := d.lookAt(path)
	if kind := look.Kind(); !ok || kind != 't' && kind != 'f' {
		return false, false
	}
	v = look.Bool()
	return v, len(look.violations) == 0
}

// FirstOf returns the first of names that is a member of the next value, which is not
// consumed. It returns "" if none is, or if the value is not an object.
func (d *Decoder) FirstOf(names ...string) string {
	look := Decoder{data: d.data, pos: d.pos, depth: d.depth, dead: d.dead}
	if look.peek() != '{' {
		return ""
	}
	first := len(names)
	o := look.Object()
	for o.Next() {
		for i, name := range names[:first] {
			if string(o.Name) == name {
				first = i
				break
			}
		}
		look.Skip()
	}
	if first == len(names) {
		return ""
	}
	return names[first]
}

// NoBranch reads a value that is none of the branches of a union, and keeps its bytes.
// Null is a violation.
func NoBranch[T ~[]byte](d *Decoder) T {
	if d.peek() == 'n' {
		d.mismatch("a value")
		return nil
	}
	return T(d.Raw())
}

// NoBranch records an error: the value to write is not a branch of the union called
// name, for example because it is a pointer to one. A nil interface is written as null.
func (e *Encoder) NoBranch(name string, value any) {
	if value != nil {
		e.fail(fmt.Sprintf("a %T is no branch of %s; store the value that it points to", value, name))
	}
	e.Null()
}

// NoBranch records that a value matches no branch of a union; rule is the keyword of its
// schema (oneOf or anyOf). want lists the branches.
func (c *Checker) NoBranch(value any, rule, want string) {
	if value == nil {
		c.add("required", "is required and missing: must be "+want, c.place(rule, nil), nil)
		return
	}
	if reflect.TypeOf(value).Kind() == reflect.Pointer {
		c.Fail(rule, fmt.Sprintf("is a %T; store the value that it points to", value))
		return
	}
	c.Fail(rule, "must be "+want+", is none of them")
}
