package ir

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// collection is an array or a map whose type is being made.
type collection struct {
	named *Named // set once it turns out to hold itself
	depth int    // how many structs are being made around it
}

// collect makes the type of an array or a map. One that holds itself, with no
// struct in between, needs a name.
func (b *builder) collect(s *schema.Schema, at context, build func() *Type) *Type {
	outer := b.collections[s]
	if outer != nil && (outer.named != nil || outer.depth == b.depth) {
		return b.collected(s, at)
	}
	c := &collection{depth: b.depth}
	b.collections[s] = c
	t := build()
	if c.named == nil {
		if b.collections[s] = outer; outer == nil {
			delete(b.collections, s)
		}
		return t
	}
	t.Place, t.Origins = b.placeOf(s), b.origins[s]
	c.named.Of = t
	return &Type{Kind: Collection, Named: c.named}
}

// collected is the declared type of an array or a map that holds itself, nil
// for any other schema.
func (b *builder) collected(s *schema.Schema, at context) *Type {
	c := b.collections[s]
	if c == nil {
		return nil
	}
	if c.named == nil {
		c.named = &Named{Schema: s, Doc: s.Description, Deprecated: s.Deprecated}
		b.order = append(b.order, b.request(c.named, at))
	}
	return &Type{Kind: Collection, Named: c.named}
}

// within is the type of a schema inside of itself, where that is an array, a map
// or a struct; nil for any other schema.
func (b *builder) within(s *schema.Schema, at context) *Type {
	if !b.active[s] {
		return nil
	}
	if m := b.merged[s]; m != nil {
		s = m
	}
	if n := b.named[s]; n != nil && n.Union == nil && n.Enum == nil && n.Of == nil {
		return &Type{Kind: Struct, Named: n, Nullable: slices.Contains(s.Types, "null") && listsNull(s)}
	}
	return b.collected(s, at)
}

// endless reports the types that no value can have, because each would have to
// hold another one.
func (b *builder) endless() {
	finite := map[*Named]bool{}
	has := func(t *Type) bool { return t == nil || t.Nullable || t.Named == nil || finite[t.Named] }
	ends := func(n *Named) bool {
		if n.Union != nil || n.Enum != nil {
			return true
		}
		for _, f := range n.Fields {
			if f.Required && !has(f.Type) {
				return false
			}
		}
		return n.Of == nil || !atLeastOne(n.Of.MinItems) && !atLeastOne(n.Of.MinProperties) || has(n.Of.Elem)
	}
	for changed := true; changed; {
		changed = false
		for _, r := range b.order {
			if !finite[r.named] && ends(r.named) {
				finite[r.named], changed = true, true
			}
		}
	}
	for _, r := range b.order {
		if n := r.named; !finite[n] {
			b.list.Add(diag.Finding{
				Pos: n.Schema.Pos, ID: "endless-type",
				Message: "no value is valid: each would have to hold another one like it, without an end",
				Hint:    "let the member that leads back be absent or null",
			})
		}
	}
}
