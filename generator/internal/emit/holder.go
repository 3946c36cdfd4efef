package emit

import (
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
)

type holderView struct {
	Doc        []string
	Name, Type string
	About      []string
	Spelling   string // Go name of the field for texts; "" if not needed
	Methods    []string
	Read       string
	Check      []linesView
}

// held returns the field for event data that is not an object.
func held(n *ir.Named) *ir.Field { return &ir.Field{Name: "Value", Type: n.Holds, Required: true} }

// holder prints the struct of event data that is not an object.
func (c *coder) holder(n *ir.Named) (string, error) {
	c.imports[wirePath] = ""
	f := held(n)
	view := holderView{Doc: c.structDoc(n), Name: n.Name, Type: c.field(f), Read: c.readField(f)}
	write := c.writeRequired(f, "e")
	if view.Spelling = n.SpellingName; view.Spelling != "" {
		write = "e.Spelling(v." + view.Spelling + ", func() { " + write + " })"
	}
	methods := []string{marshal, validate, "func (v NAME) encode(e *wire.Encoder) { " + write + " }", unmarshal}
	var about []string
	if u := unionHeld(n); u != nil && !u.Union.Raw {
		about = append(about, "Value is "+c.alternatives(u.Union)+".")
	}
	if s := c.shape(f); s == pointer || s == nilable {
		about = append(about, "A nil Value is null.")
	}
	view.About = comment(strings.Join(about, " "))
	view.Methods, view.Check = c.checking(n, methods, "NAME", func() []string {
		lines := c.standing(n)
		if view.Spelling != "" && comparesTexts(n) {
			lines = append(lines, "c.Spelled(v."+view.Spelling+")")
		}
		return append(lines, c.checkFieldAt(f, "")...)
	})
	return c.execute("holder.tmpl", view)
}

// unionHeld returns the union that event data holds, or nil.
func unionHeld(n *ir.Named) *ir.Named {
	if n.Holds != nil && n.Holds.Named != nil && n.Holds.Named.Union != nil {
		return n.Holds.Named
	}
	return nil
}
