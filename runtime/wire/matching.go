package wire

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/outboxgen/outboxgen/runtime/rule"
)

// Match reads the current property into a map, which it creates if it is nil, if the
// property's name matches the pattern. It reports whether it does. If a property
// matches several patterns, each of them reads it.
func Match[T any](o *Object, p *Pattern, members *map[string]T, read func(*Decoder) T) bool {
	if !p.once().Match(o.Name) {
		return false
	}
	if !o.d.dead {
		o.d.pos = o.value // where another pattern has read it already
	}
	name := string(o.Name)
	if *members == nil {
		*members = map[string]T{}
	}
	(*members)[name] = read(o.d)
	o.Name = []byte(name) // reading may have overwritten it
	return true
}

// Forbid reports whether the current property's name matches the pattern. If so, it
// records a violation and skips the property.
func (o *Object) Forbid(p *Pattern) bool {
	if !p.once().Match(o.Name) {
		return false
	}
	if !o.d.dead {
		o.d.pos = o.value
	}
	o.d.Fail("patternProperties", "is not a member that the schema allows")
	return true
}

// PutMatching writes the properties of a map into the open object, sorted by name,
// except those that the map of another pattern has written. A name with two different
// values is an error.
func PutMatching[M ~map[string]T, T any](e *Encoder, members M, write func(*Encoder, T)) {
	if len(members) == 0 || e.err != nil {
		return
	}
	there := map[string][]byte{}
	written := Decoder{data: append(slices.Clone(e.buf[e.open[len(e.open)-1]:]), '}')}
	o := written.Object()
	for o.Next() {
		name := string(o.Name)
		there[name] = written.Raw()
	}
	for _, name := range sorted(members) {
		old, ok := there[name]
		if !ok {
			write(e.Name(name), members[name])
			continue
		}
		var again Encoder
		write(&again, members[name])
		if again.err != nil || !sameMember(old, again.buf, exact[T]()) {
			e.fail(fmt.Sprintf("the member %q matches two patterns and has two values", name))
		}
	}
}

// sameMember reports whether two maps have the same value for a member. One of them
// may hold a float64 and so fewer digits of a number than the other. Unless exact is
// true, values are therefore also the same if all their numbers are the same float64.
func sameMember(a, b []byte, exact bool) bool {
	if rule.JSON(a).Equal(rule.JSON(b)) {
		return true
	}
	var rounded [2]any
	return !exact && json.Unmarshal(a, &rounded[0]) == nil && json.Unmarshal(b, &rounded[1]) == nil &&
		reflect.DeepEqual(rounded[0], rounded[1])
}

// exact reports whether T is an integer, which keeps all digits of a number.
func exact[T any]() bool {
	t := reflect.TypeFor[T]()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64
}

// Name checks that a map's key matches its pattern; source is the pattern in the
// schema.
func Name(c *Checker, key string, p *Pattern, source string, at ...any) {
	if !p.once().MatchString(key) {
		c.failPattern("has a name that does not match "+source, at)
	}
}

// MatchesToo checks that a property is in the map of each pattern that its name
// matches: in members, if it matches p.
func MatchesToo[T any](c *Checker, key string, p *Pattern, source string, members map[string]T, at ...any) {
	if _, ok := members[key]; !ok && p.once().MatchString(key) {
		c.failPattern("has a name that also matches "+source+", and is not in the map for that", at)
	}
}

// failPattern records that the name of a member is wrong. The keyword is in the schema of
// the object, not in that of the member.
func (c *Checker) failPattern(message string, at []any) {
	const rule = "patternProperties"
	c.add(rule, message, c.place(rule, at[:len(at)-1]), at)
}

// CountMembers returns how many members an object has.
func CountMembers[T any](v T, write func(*Encoder, T)) int {
	var e Encoder
	write(&e, v)
	d := Decoder{data: e.buf}
	n := 0
	for o := d.Object(); o.Next(); n++ {
		d.Skip()
	}
	return n
}
