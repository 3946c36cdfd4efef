package shape

import (
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
)

// collection is an array or a map whose type is being built.
type collection struct {
	node  *normal.Node
	named *ir.Named // set if it contains itself
	depth int       // number of declared types around it that are being built
}

// collect builds the type of an array or a map. One that contains itself without a
// declared type in between needs a name.
func (b *builder) collect(f *normal.Form, at naming.Context, build func() *ir.Type) *ir.Type {
	if n := b.named[f.Node]; n != nil && n.Of != nil {
		return &ir.Type{Kind: ir.Collection, Named: n}
	}
	for _, c := range b.collections {
		if c.node != f.Node || c.depth != b.depth {
			continue
		}
		if c.named == nil {
			s := f.Node.Primary()
			c.named = &ir.Named{Schema: s, Doc: s.Description, Deprecated: s.Deprecated}
			b.claim(c.named, at)
		}
		return &ir.Type{Kind: ir.Collection, Named: c.named}
	}
	c := &collection{node: f.Node, depth: b.depth}
	b.collections = append(b.collections, c)
	t := build()
	b.collections = b.collections[:len(b.collections)-1]
	if c.named == nil {
		return t
	}
	t.Rules, t.Place = b.rulesOf(f.Residues()), b.place(f.Node)
	c.named.Of, b.named[f.Node], b.inside[c.named] = t, c.named, f.Node
	return &ir.Type{Kind: ir.Collection, Named: c.named}
}

// maxNesting is how deep lists and maps may be nested without a declared type in
// between. Go's compiler fails at type arguments that are nested about 50 deep, and
// null adds one at each level.
const maxNesting = 16

// shallow returns t, the type of the items or values of node, or a raw value if lists
// and maps are nested too deep in it.
func (b *builder) shallow(t *ir.Type, node *normal.Node) *ir.Type {
	if nesting(t) < maxNesting {
		return t
	}
	b.list.Warnf(node.Primary().Pos, "value-kept-raw",
		"lists and maps are nested more than %d deep here; the Go type accepts any value, and Validate checks it", maxNesting).
		SetHint("put an object in between")
	return b.raw(node)
}

// nesting returns how many lists and maps are in each other at t.
func nesting(t *ir.Type) int {
	n := 0
	for ; t != nil && (t.Kind == ir.Slice || t.Kind == ir.Map); t = t.Elem {
		n++
	}
	return n
}
