package emit

import (
	"fmt"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
)

// getter is a function that reads a value of event data as text. One that
// must be there is an error when it is not; any other is "" then.
func (c *coder) getter(e *ir.Event, path ir.Path, must bool) string {
	var b strings.Builder
	g := getting{c, "string", `return ""`, "return %s"}
	if must {
		g = getting{c, "(string, error)", fmt.Sprintf(`return "", wire.NoValue(%s)`, quote(path.Pointer)), "return %s, nil"}
	}
	fmt.Fprintf(&b, "func(v *%s) %s {\n", e.GoName, g.results)
	if path.Branches == nil {
		return b.String() + g.value("v", path.Steps) + "\n}"
	}
	union, value := e.Data, "v"
	if e.Data.Holds != nil {
		union, value = e.Data.Holds.Named, "v.Value"
	}
	if union.Union.Raw {
		for _, way := range path.Branches {
			fmt.Fprintf(&b, "if v, err := %s.As%s(); err == nil {\n%s\n}\n", value, way.Branch.Name, g.value("v", way.Steps))
		}
		return b.String() + g.missing + "\n}"
	}
	fmt.Fprintf(&b, "switch v := %s.(type) {\n", value)
	seen := map[*ir.Named]bool{}
	for _, way := range path.Branches {
		if n := way.Branch.Named; !seen[n] {
			seen[n] = true
			fmt.Fprintf(&b, "case %s:\n%s\n", n.Name, g.value("v", way.Steps))
		}
	}
	return b.String() + "}\n" + g.missing + "\n}"
}

// getting is how the body of a getter returns.
type getting struct {
	*coder

	results, missing, yield string
}

// value is the statements that return the value at the end of steps from v.
func (g getting) value(v string, steps []*ir.Field) string {
	var b strings.Builder
	for i, f := range steps {
		v += "." + f.Name
		last := i == len(steps)-1
		switch g.shape(f) {
		case pointer:
			fmt.Fprintf(&b, "if %s == nil {\n%s\n}\n", v, g.missing)
			if last {
				v = "*" + v
			}
		case nullable:
			name := "value"
			if !last {
				name = fmt.Sprintf("part%d", i+1)
			}
			fmt.Fprintf(&b, "%s, ok := %s.Get()\nif !ok {\n%s\n}\n", name, v, g.missing)
			v = name
		}
	}
	t := steps[len(steps)-1].Type
	switch {
	case t.Kind == ir.UUID:
		v = call(v, "String()")
	case t.Kind == ir.Uint:
		g.imports["strconv"] = ""
		v = "strconv.FormatUint(" + v + ", 10)"
	case t.Kind == ir.Int, t.Kind == ir.Enum && t.Named.Base == ir.Int:
		g.imports["strconv"] = ""
		if t.Kind == ir.Enum {
			v = "int64(" + v + ")"
		}
		v = "strconv.FormatInt(" + v + ", 10)"
	case t.Kind == ir.Enum:
		v = "string(" + v + ")"
	}
	fmt.Fprintf(&b, g.yield, v)
	return b.String()
}
