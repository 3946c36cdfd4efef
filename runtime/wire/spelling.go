package wire

import (
	"slices"
	"strconv"
)

// Spelling is how a document wrote values of a struct whose Go type has one form
// only, such as a UUID in upper case. As long as such a value is unchanged it is
// written like that again. A Spelling is not part of the value: all are Equal.
type Spelling struct {
	texts *spelled // nil: everything was in the usual form
}

// Equal is true, so that cmp.Diff compares structs without their spellings.
func (Spelling) Equal(Spelling) bool { return true }

// spelled is what Spelling knows of one value: its own text, or its members or
// items by name or number. It is a tree, as the document is, so that it is never
// larger than a small multiple of the document.
type spelled struct {
	usual, text string
	parts       map[string]*spelled
}

// unusual is a string that was read from offset and is usually written as usual.
type unusual struct {
	offset int
	usual  string
}

// Spelling is how the values of the object were written, those of objects inside
// it that have a Spelling of their own aside. Call it once, after the last member.
func (o *Object) Spelling() Spelling {
	if len(o.d.unusual) == 0 {
		return Spelling{}
	}
	return o.spelling()
}

func (o *Object) spelling() Spelling {
	d := o.d
	if d.dead {
		return Spelling{}
	}
	first := slices.IndexFunc(d.unusual, func(u unusual) bool { return u.offset >= o.start })
	if first < 0 {
		return Spelling{}
	}
	usual := map[int]string{}
	for _, u := range d.unusual[first:] {
		usual[u.offset] = u.usual
	}
	d.unusual = d.unusual[:first]
	again := Decoder{data: d.data[:d.pos], pos: o.start, depth: d.depth}
	return Spelling{again.spelled(usual)}
}

// spelled reads the next value and returns what is unusual in it, nil if nothing
// is. Of a member that occurs twice the last one counts.
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

// Spelled writes the members of the object that is open again, with the texts that
// s has for values that have not changed.
func (e *Encoder) Spelled(s Spelling) {
	if s.texts != nil {
		e.spelled(s.texts)
	}
}

func (e *Encoder) spelled(s *spelled) {
	start := e.open[len(e.open)-1]
	written := Decoder{data: append(slices.Clone(e.buf[start:]), '}')}
	again := respelling{Decoder: &written, to: Encoder{buf: e.buf[:start]}}
	again.value(s)
	again.to.buf = append(again.to.buf, written.data[again.done:len(written.data)-1]...)
	e.buf = again.to.buf
}

// respelling copies a document and puts other texts into it.
type respelling struct {
	*Decoder
	done int // up to here the document is copied
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
