package emit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
)

type holderView struct {
	Doc                []string
	Name, Quoted, Type string
	About              []string
	Read, Write        string
	Validate           []string
}

// held is what a struct of event data that is no object holds, as its field.
func held(n *ir.Named) *ir.Field { return &ir.Field{Name: "Value", Type: n.Holds, Required: true} }

// holder prints the struct of event data that is no object.
func (c *coder) holder(n *ir.Named) (string, error) {
	c.imports[wirePath] = ""
	f := held(n)
	view := holderView{
		Doc: c.structDoc(n), Name: n.Name, Quoted: quote(n.Name), Type: c.field(f),
		Read: c.readField(f), Write: c.writeWhole(f), Validate: []string{"return nil"},
	}
	var about []string
	if u := unionHeld(n); u != nil && !u.Union.Raw {
		about = append(about, "Value is "+c.alternatives(u.Union)+".")
	}
	if s := c.shape(f); s == pointer || s == nilable {
		about = append(about, "A nil Value is null.")
	}
	view.About = comment(strings.Join(about, " "))
	if c.checked[n] {
		lines := append([]string{"c := new(wire.Checker)"}, c.standing(n)...)
		lines = append(lines, c.checkHeld(n)...)
		view.Validate = append(lines, "return c.Err("+quote(n.Name)+")")
	}
	return c.execute("holder.tmpl", view)
}

// unionHeld is the union that event data holds, nil for any other.
func unionHeld(n *ir.Named) *ir.Named {
	if n.Holds != nil && n.Holds.Named != nil && n.Holds.Named.Union != nil {
		return n.Holds.Named
	}
	return nil
}

// writeWhole is the statement that writes the one value of v.
func (c *coder) writeWhole(f *ir.Field) string {
	t, v := f.Type, "v."+f.Name
	switch c.shape(f) {
	case pointer:
		return fmt.Sprintf("wire.PutPointer(e, %s, %s)", v, c.writer(t))
	case nilable:
		return fmt.Sprintf("wire.PutOrNull(e, %s == nil, %s, %s)", v, v, c.writer(t))
	default:
		return c.write(t, "e", v)
	}
}

// checkHeld is the checks of the value that event data holds. It stands where the
// event data does, so there is nothing to enter.
func (c *coder) checkHeld(n *ir.Named) []string {
	lines := c.checkFieldAt(held(n), "")
	if i := slices.Index(lines, "c.Enter()"); i >= 0 {
		lines = slices.Delete(lines, i, i+1)
		i = slices.Index(lines, "c.Leave()")
		lines = slices.Delete(lines, i, i+1)
	}
	return lines
}
