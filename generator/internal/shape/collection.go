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
