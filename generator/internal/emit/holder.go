package emit

import "github.com/outboxgen/outboxgen/generator/internal/ir"

type holderView struct {
	Doc                []string
	Name, Quoted, Type string
	About              []string
	Read, Write, Check string
}

// holder prints the struct of event data that is a union.
func (c *coder) holder(n *ir.Named) (string, error) {
	c.imports[wirePath] = ""
	t := n.Holds
	view := holderView{
		Doc: c.structDoc(n), Name: n.Name, Quoted: quote(n.Name), Type: c.base(t),
		Read: c.read(t), Write: c.write(t, "e", "v.Value"), Check: "check" + t.Named.Name + "(&c, v.Value)",
	}
	if t.Named.Union.Raw {
		view.Check = "v.Value.check(&c)"
	} else {
		view.About = comment("Value is " + c.alternatives(t.Named.Union) + ".")
	}
	return c.execute("holder.tmpl", view)
}
