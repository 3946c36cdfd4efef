package emit

import (
	"fmt"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
)

// tuple prints the struct of an array whose positions have their own types.
func (c *coder) tuple(n *ir.Named) (string, error) {
	view := structView{Doc: c.structDoc(n)}
	view.Doc = append(view.Doc, "", "It is a JSON array: the fields are its items, in their order.")
	least := 0
	var cases []string
	view.Encode = []string{"t := e.Tuple()"}
	for _, f := range n.Fields {
		view.Fields = append(view.Fields, fieldView{Doc: fieldDoc(f), Name: f.Name, Type: c.field(f)})
		if f.Required {
			least++
		}
		cases = append(cases, "case "+f.JSON+":", "v."+f.Name+" = "+c.readField(f))
		view.Encode = append(view.Encode, c.writeItem(f))
		if d, ok := c.accessor(f); ok {
			view.Defaults = append(view.Defaults, d)
		}
	}
	view.Open, view.Next = fmt.Sprintf("t := d.Tuple(%d)", least), "t.Next()"
	rest := "t.Unexpected()"
	switch {
	case n.Closed:
	case n.Extra != nil:
		doc := comment(n.ExtraName + " has the items that follow.")
		view.Fields = append(view.Fields, fieldView{Doc: doc, Name: n.ExtraName, Type: "[]" + c.element(n.Extra)})
		rest = fmt.Sprintf("v.%s = append(v.%s, %s(d))", n.ExtraName, n.ExtraName, c.elementReader(n.Extra))
		view.Encode = append(view.Encode, fmt.Sprintf("wire.PutRest(&t, v.%s, %s)", n.ExtraName, c.elementWriter(n.Extra)))
	default:
		c.imports["encoding/json"] = ""
		doc := comment(n.UnknownName + " has the items that follow, which the schema does not describe.")
		view.Fields = append(view.Fields, fieldView{Doc: doc, Name: n.UnknownName, Type: "[]json.RawMessage"})
		rest = "t.Rest(&v." + n.UnknownName + ")"
		view.Encode = append(view.Encode, "wire.PutRest(&t, v."+n.UnknownName+", (*wire.Encoder).Raw)")
	}
	if n.SpellingName != "" {
		view.Fields = append(view.Fields, fieldView{Name: n.SpellingName, Type: "wire.Spelling"})
		view.Kept = append(view.Kept, "v."+n.SpellingName+" = t.Spelling()")
		view.Encode = append(view.Encode, "t.Spelled(v."+n.SpellingName+")")
	}
	view.Loop = []string{rest}
	if len(cases) > 0 {
		view.Loop = append(append([]string{"switch t.Index {"}, cases...), "default:", rest, "}")
	}
	view.Encode = append(view.Encode, "t.End()")
	return c.declare(n, view)
}

// writeItem returns the statement that writes a position of a tuple.
func (c *coder) writeItem(f *ir.Field) string {
	t, v := f.Type, "v."+f.Name
	switch s := c.shape(f); {
	case f.Required:
		return c.writeRequired(f, "t.Item()")
	case s == pointer:
		return fmt.Sprintf("wire.PutOptionalItem(&t, %s, %s)", v, c.writer(t))
	case s == nilable:
		return fmt.Sprintf("if %s != nil {\n%s\n} else {\nt.Absent()\n}", v, c.write(t, "t.Item()", v))
	default:
		writer := c.writer(t)
		if t.Indirect {
			writer = fmt.Sprintf("func(e *wire.Encoder, v *%s) { wire.PutPointer(e, v, %s) }", c.base(t), writer)
		}
		return fmt.Sprintf("wire.PutNullableItem(&t, %s, %s)", v, writer)
	}
}

// tupleChecks reports whether a tuple has checks besides those of its positions.
func tupleChecks(n *ir.Named) bool {
	gaps := 0
	for _, f := range n.Fields {
		if !f.Required {
			gaps++
		}
	}
	return n.MinItems != nil || n.MaxItems != nil || n.UniqueItems || gaps > 1 || gaps == 1 && !n.Closed
}

// checkTuple returns the checks of a tuple besides those of its positions.
func (c *coder) checkTuple(n *ir.Named) []string {
	var lines []string
	required, optional := c.there(n)
	count := c.countFields(n)
	if !n.Closed {
		if len(optional) > 0 {
			optional = append(optional, "len(v."+n.UnknownName+n.ExtraName+") > 0")
		}
		count += " + len(v." + n.UnknownName + n.ExtraName + ")"
	}
	if n.Extra != nil && c.needsCheck(n.Extra) {
		item := "item"
		if n.Extra.Kind == ir.Struct && !n.Extra.Nullable {
			item = "v." + n.ExtraName + "[i]"
			lines = append(lines, "for i := range v."+n.ExtraName+" {")
		} else {
			lines = append(lines, "for i, item := range v."+n.ExtraName+" {")
		}
		lines = append(lines, c.checkElement(n.Extra, item, fmt.Sprintf("%d+i", len(n.Fields)), 1)...)
		lines = append(lines, "}")
	}
	if len(optional) > 1 {
		lines = append(lines, fmt.Sprintf("c.Gapless(%d, %s)", required, breakLine(optional)))
	}
	if n.MinItems != nil {
		lines = append(lines, fmt.Sprintf("c.MinItems(%s, %d)", count, *n.MinItems))
	}
	if n.MaxItems != nil {
		lines = append(lines, fmt.Sprintf("c.MaxItems(%s, %d)", count, *n.MaxItems))
	}
	if n.UniqueItems {
		lines = append(lines, fmt.Sprintf("wire.UniquePositions(c, %s, %s)", c.whole(n), c.writer(typeOf(n))))
	}
	return lines
}
