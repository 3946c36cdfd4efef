package wire

import (
	"encoding/json"
	"fmt"
)

// Tuple reads an array whose positions have their own types: call Next until it returns
// false, and after each call read or skip the item at Index. An array of less than
// least items is a violation.
func (d *Decoder) Tuple(least int) Tuple {
	if d.peek() != '[' {
		d.mismatch("an array")
		return Tuple{array: Array{d: d, done: true}, start: d.pos}
	}
	start := d.pos
	return Tuple{array: d.Array(), Index: -1, start: start, least: least}
}

// Tuple iterates over the items of a JSON array by position.
type Tuple struct {
	// Index is the position of the current item.
	Index int

	array Array
	start int
	least int
}

// Next moves to the next item.
func (t *Tuple) Next() bool {
	ended := t.array.done
	t.Index++
	if t.array.Next() {
		return true
	}
	if !ended && t.array.done && t.Index < t.least {
		t.array.d.failAt(t.start, "minItems", "must have at least "+count(t.least, "item"))
	}
	return false
}

// Unexpected records that the schema allows no item at this position, and skips the
// item.
func (t *Tuple) Unexpected() {
	t.array.d.Fail("items", "is an item more than the schema allows")
}

// Rest keeps the current item.
func (t *Tuple) Rest(rest *[]json.RawMessage) { *rest = append(*rest, t.array.d.Raw()) }

// Tuple begins an array whose positions have their own types.
func (e *Encoder) Tuple() TupleWriter {
	e.buf = append(e.buf, '[')
	return TupleWriter{e: e, start: len(e.buf) - 1}
}

// TupleWriter writes the items of an array in order. An absent item ends the array; a
// later item is then an error.
type TupleWriter struct {
	e     *Encoder
	start int
	index int
	gap   bool
}

// Item begins the next item; its value must follow.
func (t *TupleWriter) Item() *Encoder {
	t.e.comma('[')
	if t.gap {
		t.e.fail(fmt.Sprintf("the item at position %d is absent, and a later one is there", t.index-1))
		t.gap = false
	}
	t.index++
	return t.e
}

// Absent skips an absent item.
func (t *TupleWriter) Absent() {
	if !t.gap {
		t.gap = true
		t.index++
	}
}

// End ends the array.
func (t *TupleWriter) End() { t.e.buf = append(t.e.buf, ']') }

// PutOptionalItem writes the next item, or skips it for nil.
func PutOptionalItem[T any](t *TupleWriter, v *T, write func(*Encoder, T)) {
	if v == nil {
		t.Absent()
		return
	}
	write(t.Item(), *v)
}

// PutNullableItem writes the next item: null if v is null; it skips it if v is absent.
func PutNullableItem[N nullable[T], T any](t *TupleWriter, v N, write func(*Encoder, T)) {
	if v.IsZero() {
		t.Absent()
		return
	}
	value, ok := v.Get()
	PutOrNull(t.Item(), !ok, value, write)
}

// PutRest writes the items after the positions.
func PutRest[T any](t *TupleWriter, rest []T, write func(*Encoder, T)) {
	for _, item := range rest {
		write(t.Item(), item)
	}
}

// Gapless checks that no position of a tuple, from first on, is absent while a later
// one is present.
func (c *Checker) Gapless(first int, there ...bool) {
	last := -1
	for i, t := range there {
		if t {
			last = i
		}
	}
	for i := range last {
		if !there[i] {
			c.Fail("required", "is missing, and a later item is there", first+i)
		}
	}
}

// UniquePositions checks that no two items of a tuple are equal.
func UniquePositions[T any](c *Checker, v T, write func(*Encoder, T), at ...any) {
	var e Encoder
	write(&e, v)
	d := Decoder{data: e.buf}
	UniqueDocuments(c, Slice(&d, (*Decoder).Any), (*Encoder).Any, at...)
}
