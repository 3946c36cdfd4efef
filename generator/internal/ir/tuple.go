package ir

import (
	"slices"
	"strconv"

	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// array is the type of an array: a slice, or the struct of a tuple.
func (b *builder) array(s *schema.Schema, at context) *Type {
	if len(s.PrefixItems) > 0 {
		return &Type{Kind: Struct, Named: b.structOf(s, at)}
	}
	return b.collect(s, at, func() *Type { return b.slice(s, at) })
}

// slice is the type of an array whose items are alike.
func (b *builder) slice(s *schema.Schema, at context) *Type {
	t := &Type{Kind: Slice, UniqueItems: s.UniqueItems, MinItems: b.count(s.MinItems), MaxItems: b.count(s.MaxItems), Elem: &Type{Nullable: true}}
	switch items := b.restItems(s); {
	case items == nil:
	case isFalse(items):
		t.MaxItems = new(int)
		b.renamed(s, "maxItems", b.placeOf(items))
		if atLeastOne(t.MinItems) {
			b.list.Errorf(items.Pos, "never-valid", "no item is valid and minItems asks for one, so no value is valid")
		}
	default:
		t.Elem = b.typeOf(items, at.inside("item"))
	}
	return t
}

func isFalse(s *schema.Schema) bool { return s != nil && s.Bool != nil && !*s.Bool }

func atLeastOne(n *int) bool { return n != nil && *n > 0 }

// ordinals name the positions of a tuple that have no better name.
var ordinals = []string{"first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"}

// fillTuple makes a field for each position of a tuple. A position from
// minItems on may be missing.
func (b *builder) fillTuple(n *Named, s *schema.Schema) {
	n.Doc, n.Deprecated, n.Tuple = s.Description, s.Deprecated, true
	n.MinItems, n.MaxItems, n.UniqueItems = b.count(s.MinItems), b.count(s.MaxItems), s.UniqueItems
	n.UnknownName, n.ExtraName = "Rest", "Rest"
	n.Rules = b.rulesOf(s)
	names := newFieldNames()
	names["Rest"] = true
	for i, item := range s.PrefixItems {
		if isFalse(item) {
			if n.MinItems != nil && *n.MinItems > i {
				b.list.Errorf(item.Pos, "never-valid", "no item is valid here and minItems asks for one, so no value is valid")
			}
			n.Closed = true
			break
		}
		if n.MaxItems != nil && *n.MaxItems <= i {
			b.list.Warnf(item.Pos, "position-never-there", "maxItems %d leaves no room for this item", *n.MaxItems)
			break
		}
		name := positionName(s.PrefixItems, i)
		f := &Field{JSON: strconv.Itoa(i), Pos: item.Pos, Required: n.MinItems != nil && *n.MinItems > i}
		f.Type = b.typeOf(item, context{parent: n, property: name})
		b.annotate(f, item)
		b.checkDefault(f, item)
		f.Name = names.field(name, f.Default != nil)
		n.Fields = append(n.Fields, f)
	}
	if n.MinItems != nil && *n.MinItems <= len(n.Fields) {
		n.MinItems = nil // the positions are required
	}
	switch items := b.restItems(s); {
	case n.Closed:
	case isFalse(items) || n.MaxItems != nil && *n.MaxItems <= len(n.Fields):
		n.Closed = true
		if n.MinItems != nil {
			b.list.Errorf(at(s, "minItems"), "never-valid", "minItems asks for more items than there are positions, so no value is valid")
		}
	case items == nil:
	default:
		if t := b.typeOf(items, context{parent: n, property: "rest", part: "item"}); t.Kind != Any {
			n.Extra = t
		}
	}
	if n.MaxItems != nil && *n.MaxItems >= len(n.Fields) && n.Closed {
		n.MaxItems = nil
	}
}

// positionName is what the position of a tuple is called: after the title of
// its schema, or the definition that it refers to, where no other position is
// called so.
func positionName(items []*schema.Schema, i int) string {
	name := wordOf(items[i])
	if name == "" || slices.ContainsFunc(slices.Delete(slices.Clone(items), i, i+1), func(other *schema.Schema) bool { return wordOf(other) == name }) {
		if i < len(ordinals) {
			return ordinals[i]
		}
		return "item" + strconv.Itoa(i+1)
	}
	return name
}

func wordOf(s *schema.Schema) string {
	if s.Title != "" {
		return goname.Title(s.Title)
	}
	if last := lastRef(s); last != s {
		if last.Title != "" {
			return goname.Title(last.Title)
		}
		return refName(last)
	}
	return ""
}
