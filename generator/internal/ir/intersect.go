package ir

import (
	"fmt"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// maxIntersections bounds the schemas that come of properties which several
// parts of an allOf describe. Recursive parts can have any number of them.
const maxIntersections = 10_000

// intersect is a schema for what all of the parts allow. The same parts give
// the same schema, however often and in whatever order they meet, so that a
// combination which leads back to itself comes to an end.
func (b *builder) intersect(parts ...*schema.Schema) *schema.Schema {
	var flat []*schema.Schema
	for _, part := range parts {
		inner := b.flat[part]
		if inner == nil {
			inner = []*schema.Schema{part}
		}
		for _, s := range inner {
			if !slices.ContainsFunc(flat, func(other *schema.Schema) bool { return same(other, s) }) {
				flat = append(flat, s)
			}
		}
	}
	if len(flat) == 1 {
		return flat[0]
	}
	names := make([]string, len(flat))
	for i, s := range flat {
		names[i] = fmt.Sprintf("%p", lastRef(s))
	}
	slices.Sort(names)
	key := strings.Join(names, " ")
	if both := b.intersections[key]; both != nil {
		return both
	}
	last := flat[len(flat)-1]
	if len(b.intersections) >= maxIntersections {
		b.tooManyCombinations(last)
		return last
	}
	both := &schema.Schema{Pos: last.Pos, Doc: last.Doc, Pointer: last.Pointer, AllOf: flat, At: map[string]diag.Pos{}}
	b.flat[both], b.intersections[key] = flat, both
	b.combined[both] = len(b.intersections)
	return both
}

// same reports whether two schemas are one, or bare references to one.
func same(a, b *schema.Schema) bool { return a == b || lastRef(a) == lastRef(b) }

// foldProperties is the properties of two parts of a combination.
func (b *builder) foldProperties(into, from []schema.Property) []schema.Property {
	if len(from) == 0 {
		return into
	}
	into = slices.Clone(into)
	find := func(name string) int {
		return slices.IndexFunc(into, func(q schema.Property) bool { return q.Name == name })
	}
	if len(from) > 8 {
		index := make(map[string]int, len(into))
		for i, p := range into {
			index[p.Name] = i
		}
		find = func(name string) int {
			if i, ok := index[name]; ok {
				return i
			}
			return -1 // the names of one part differ
		}
	}
	for _, p := range from {
		if i := find(p.Name); i < 0 {
			into = append(into, p)
		} else {
			into[i].Schema = b.intersect(into[i].Schema, p.Schema)
		}
	}
	return into
}

// foldItems takes what part says of items into m: position by position where
// one of them is a tuple.
func (b *builder) foldItems(m, part *schema.Schema) {
	mine, theirs := *m, *part
	m.PrefixItems = nil
	for i := range max(len(mine.PrefixItems), len(theirs.PrefixItems)) {
		m.PrefixItems = append(m.PrefixItems, b.either(itemAt(&mine, i), itemAt(&theirs, i)))
	}
	m.Items = b.either(mine.Items, theirs.Items)
	m.UnevaluatedItems = b.either(mine.UnevaluatedItems, theirs.UnevaluatedItems)
}

// either is what two schemas allow of which one or both may be missing.
func (b *builder) either(x, y *schema.Schema) *schema.Schema {
	switch {
	case x == nil:
		return y
	case y == nil:
		return x
	}
	return b.intersect(x, y)
}

// itemAt is the schema of the item at a position, nil for anything.
func itemAt(s *schema.Schema, i int) *schema.Schema {
	if i < len(s.PrefixItems) {
		return s.PrefixItems[i]
	}
	return s.Items
}
