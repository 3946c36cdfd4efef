package shape

import (
	"slices"
	"strconv"

	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
	"github.com/outboxgen/outboxgen/generator/internal/rules"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// array returns the type of an array: a slice, or the struct of a tuple.
func (b *builder) array(f *normal.Form, at naming.Context) *ir.Type {
	if len(f.Array().Positions) > 0 {
		return &ir.Type{Kind: ir.Struct, Named: b.structOf(f, at)}
	}
	return b.collect(f, at, func() *ir.Type { return b.slice(f, at) })
}

// slice returns the type of an array whose items all have one type.
func (b *builder) slice(f *normal.Form, at naming.Context) *ir.Type {
	form, o := f.Array(), b.originsOf(f.Node)
	t := &ir.Type{
		Kind: ir.Slice, UniqueItems: form.UniqueItems, MinItems: o.count("minItems", form.MinItems), MaxItems: o.count("maxItems", form.MaxItems),
		Elem: &ir.Type{Nullable: true},
	}
	o.note("uniqueItems", form.UniqueOf)
	switch {
	case form.Rest == nil:
	case form.Closed:
		b.warnNeverValid(form.Rest)
		t.MaxItems = new(int)
		if o.all == nil {
			o.all = map[string]string{}
		}
		o.all["maxItems"] = rules.Place(form.ClosedBy)
	default:
		t.Elem = b.shallow(b.typeOf(form.RestSchemas, form.Rest, at.Inside("item")), form.Rest)
	}
	t.Origins = o.all
	return t
}

// ordinals are the words for positions of a tuple without a better name.
var ordinals = []string{"first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"}

// fillTuple builds a field for each position of a tuple. Positions from minItems on are
// optional.
func (b *builder) fillTuple(n *ir.Named, f *normal.Form) {
	form, o := f.Array(), b.originsOf(f.Node)
	n.Tuple = true
	n.MinItems, n.MaxItems, n.UniqueItems = o.count("minItems", form.MinItems), o.count("maxItems", form.MaxItems), form.UniqueItems
	o.note("uniqueItems", form.UniqueOf)
	n.Rules, n.Origins = b.rulesOf(f.Residues()), o.all
	for i, p := range form.Positions {
		if p.Never {
			b.warnNeverValid(p.Node)
			n.Closed = true
			break
		}
		if n.MaxItems != nil && *n.MaxItems <= i {
			if p.Schema != nil {
				b.list.Warnf(p.Schema.Pos, "position-never-there", "maxItems %d leaves no room for this item", *n.MaxItems)
			}
			break
		}
		word := positionWord(form.Positions, i)
		field := &ir.Field{JSON: strconv.Itoa(i), Word: word, Required: n.MinItems != nil && *n.MinItems > i}
		field.Type = b.typeOf(p.Schemas, p.Node, naming.Context{Parent: n, Property: word})
		if p.Schema != nil {
			field.Pos = p.Schema.Pos
			b.annotate(field, p.Schema)
			b.checkDefault(field)
		}
		n.Fields = append(n.Fields, field)
	}
	if n.MinItems != nil && *n.MinItems <= len(n.Fields) {
		n.MinItems = nil // the positions are required
	}
	switch {
	case n.Closed:
	case form.Closed || n.MaxItems != nil && *n.MaxItems <= len(n.Fields):
		n.Closed = true
	case form.Rest != nil:
		at := naming.Context{Parent: n, Property: "rest", Part: "item"}
		if t := b.typeOf(form.RestSchemas, form.Rest, at); t.Kind != ir.Any || t.Rules != nil {
			n.Extra = t
		}
	}
	if n.MaxItems != nil && *n.MaxItems >= len(n.Fields) && n.Closed {
		n.MaxItems = nil
	}
}

// positionWord returns the word for a position of a tuple: from the title of its
// schema, or the definition that it refers to, if it is unique in the tuple.
func positionWord(positions []normal.Position, i int) string {
	word := wordOf(positions[i].Schema)
	shared := slices.ContainsFunc(slices.Delete(slices.Clone(positions), i, i+1), func(o normal.Position) bool { return wordOf(o.Schema) == word })
	if word == "" || shared {
		if i < len(ordinals) {
			return ordinals[i]
		}
		return "item" + strconv.Itoa(i+1)
	}
	return word
}

func wordOf(s *schema.Schema) string {
	switch {
	case s == nil:
		return ""
	case s.Title != "":
		return goname.Title(s.Title)
	}
	if last := lastRef(s); last != s {
		if last.Title != "" {
			return goname.Title(last.Title)
		}
		return naming.RefName(last)
	}
	return ""
}
