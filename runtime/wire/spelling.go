package wire

import (
	"slices"
	"strconv"
)

// Spelling remembers how a document wrote values of a struct whose Go type has only one
// form, such as a UUID in upper case. As long as such a value is unchanged, it is
// written in the same form again. A Spelling is not part of the value: all Spellings
// are Equal.
type Spelling struct {
	texts *spelled // nil: everything was in the usual form
}

// Equal returns true, so that cmp.Diff compares structs without their spellings.
func (Spelling) Equal(Spelling) bool { return true }

// spelled is what Spelling remembers of one value: its text, or its properties by name,
// or its items by index. It is a tree like the document, so it is never larger than a
// small multiple of the document.
type spelled struct {
	usual, text string
	parts       map[string]*spelled
}

// unusual is a string that was read at offset and is usually written as usual.
type unusual struct {
	offset int
	usual  string
}

// Spelling returns how the values of the object were written, except those of inner
// objects that have their own Spelling. Call it once, after the last member.
func (o *Object) Spelling() Spelling {
	if len(o.d.unusual) == 0 {
		return Spelling{}
	}
	return o.d.spelling(o.start)
}

// Spelling returns how the values of the array were written. Call it once, after the
// last item.
func (t *Tuple) Spelling() Spelling { return t.array.d.spelling(t.start) }

// Spelling calls read, and returns how the values that it reads were written, if they are
// not in an object.
func (d *Decoder) Spelling(read func()) Spelling {
	d.space()
	start := d.pos
	read()
	return d.spelling(start)
}

// spelling returns how everything read since start was written.
func (d *Decoder) spelling(start int) Spelling {
	if d.dead {
		return Spelling{}
	}
	first := slices.IndexFunc(d.unusual, func(u unusual) bool { return u.offset >= start })
	if first < 0 {
		return Spelling{}
	}
	usual := map[int]string{}
	for _, u := range d.unusual[first:] {
		usual[u.offset] = u.usual
	}
	d.unusual = d.unusual[:first]
	again := Decoder{data: d.data[:d.pos], pos: start, depth: d.depth}
	return Spelling{again.spelled(usual)}
}

// spelled reads the next value and returns what is unusual in it, or nil. If a property
// occurs twice, the last one counts.
func (d *Decoder) spelled(usual map[int]string) *spelled {
	var found spelled
	part := func(name string) {
		inner := d.spelled(usual)
		switch {
		case inner == nil:
			delete(found.parts, name)
		case found.parts == nil:
			found.parts = map[string]*spelled{name: inner}
		default:
			found.parts[name] = inner
		}
	}
	switch d.peek() {
	case '{':
		o := d.Object()
		for o.Next() {
			part(string(o.Name))
		}
	case '[':
		a := d.Array()
		for i := 0; a.Next(); i++ {
			part(strconv.Itoa(i))
		}
	case '"':
		if text, ok := usual[d.pos]; ok {
			return &spelled{usual: text, text: d.String()}
		}
		d.Skip()
	default:
		d.Skip()
	}
	if len(found.parts) == 0 {
		return nil
	}
	return &found
}

// Spelled rewrites the open object with the texts of s for values that have not
// changed.
func (e *Encoder) Spelled(s Spelling) {
	if s.texts != nil {
		e.spelled(s.texts, e.open[len(e.open)-1], "}")
	}
}

// Spelled rewrites the items with the texts of s for values that have not changed.
func (t *TupleWriter) Spelled(s Spelling) {
	if s.texts != nil {
		t.e.spelled(s.texts, t.start, "]")
	}
}

// Spelling calls write, and uses the texts of s for values that have not changed and are
// not in an object.
func (e *Encoder) Spelling(s Spelling, write func()) {
	start := len(e.buf)
	write()
	if s.texts != nil {
		e.spelled(s.texts, start, "")
	}
}

// spelled rewrites what was written since start, which end completes.
func (e *Encoder) spelled(s *spelled, start int, end string) {
	written := append(slices.Clone(e.buf[start:]), end...)
	e.buf = respelled(e.buf[:start], written, s)
	e.buf = e.buf[:len(e.buf)-len(end)] // without the end again
}

// respelled appends a document to b, with the texts of s for values that have not
// changed.
func respelled(b, document []byte, s *spelled) []byte {
	again := respelling{Decoder: &Decoder{data: document}, to: Encoder{buf: b}}
	again.value(s)
	return append(again.to.buf, document[again.done:]...)
}

// Spelled sets how the values of the current struct were written, until Leave: rules
// check these texts.
func (c *Checker) Spelled(s Spelling) { c.texts = texts{s.texts, len(c.path)} }

// spelled returns the document of the value at the path, with the texts that were read.
func (c *Checker) spelled(document []byte, at []any) []byte {
	s := c.texts.of
	if s == nil {
		return document
	}
	for _, token := range along(slices.Clip(c.path[c.texts.length:]), at) {
		if s = s.part(token); s == nil {
			return document
		}
	}
	return respelled(nil, document, s)
}

// part returns a property or an item of s, or nil if nothing in it is unusual.
func (s *spelled) part(token segment) *spelled {
	if token.item {
		return s.parts[strconv.Itoa(token.index)]
	}
	return s.parts[token.name]
}

// respelling copies a document and replaces texts.
type respelling struct {
	*Decoder
	done int // the document is copied up to here
	to   Encoder
}

func (r *respelling) value(s *spelled) {
	switch kind := r.peek(); {
	case s == nil:
		r.Skip()
	case kind == '{':
		o := r.Object()
		for o.Next() {
			r.value(s.parts[string(o.Name)])
		}
	case kind == '[':
		a := r.Array()
		for i := 0; a.Next(); i++ {
			r.value(s.parts[strconv.Itoa(i)])
		}
	case kind == '"' && s.usual != "":
		start := r.pos
		if string(r.text()) == s.usual {
			r.to.buf = append(r.to.buf, r.data[r.done:start]...)
			r.to.String(s.text)
			r.done = r.pos
		}
	default:
		r.Skip()
	}
}
