package emit

import (
	"fmt"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
)

// getter returns a function that reads a value of event data as text. If must is true,
// a missing value is an error; otherwise the text is "".
func (c *coder) getter(e *ir.Event, path ir.Path, must bool) string {
	var b strings.Builder
	g := getting{coder: c, results: "string", missing: `return ""`, yield: "return %s"}
	if must {
		g = getting{coder: c, results: "(string, error)", missing: fmt.Sprintf(`return "", wire.NoValue(%s)`, quote(path.Pointer)), yield: "return %s, nil"}
	}
	fmt.Fprintf(&b, "func(v *%s) %s {\n", e.GoName, g.results)
	if path.Branches == nil {
		if body := g.value(path.Steps); !strings.Contains(body, "\n") {
			return strings.TrimSuffix(b.String(), "\n") + " " + body + " }"
		}
		return b.String() + g.value(path.Steps) + "\n}"
	}
	union, value := e.Data, "v"
	if e.Data.Holds != nil {
		union, value = e.Data.Holds.Named, "v.Value"
	}
	if union.Union.Raw {
		g.bare = true
		if e.Data.Holds != nil && c.shape(held(e.Data)) == pointer {
			fmt.Fprintf(&b, "if %s == nil {\n%s\n}\n", value, g.missing)
		}
		for _, way := range path.Branches {
			fmt.Fprintf(&b, "if v, err := %s.As%s(); err == nil {\n%s\n}\n", value, way.Branch.Name, g.value(way.Steps))
		}
		return b.String() + g.missing + "\n}"
	}
	fmt.Fprintf(&b, "switch v := %s.(type) {\n", value)
	seen := map[*ir.Named]bool{}
	for _, way := range path.Branches {
		if n := way.Branch.Named; !seen[n] {
			seen[n] = true
			fmt.Fprintf(&b, "case %s:\n%s\n", n.Name, g.value(way.Steps))
		}
	}
	return b.String() + "}\n" + g.missing + "\n}"
}

// getting is how the body of a getter returns.
type getting struct {
	*coder

	results, missing, yield string
	bare                    bool // the branches of the union have no types of their own
}

// value returns the statements that return the value at the end of steps from v.
func (g getting) value(steps []ir.Step) string {
	v := "v"
	var b strings.Builder
	for i, s := range steps {
		name := "value"
		if i < len(steps)-1 {
			name = fmt.Sprintf("part%d", i+1)
		}
		v = g.step(&b, v, name, s)
	}
	fmt.Fprintf(&b, g.yield, g.text(v, steps[len(steps)-1]))
	return b.String()
}

// step returns the expression for a step from v, after statements that return if there
// is no value. name is for a variable.
func (g getting) step(b *strings.Builder, v, name string, s ir.Step) string {
	if s.In != "" {
		v += "." + s.In
	}
	absent := func(condition string) { fmt.Fprintf(b, "if %s {\n%s\n}\n", condition, g.missing) }
	form := g.shape(&ir.Field{Type: s.Type, Required: true})
	switch s.Kind {
	case ir.FieldStep:
		v += "." + s.Field.Name
		form = g.shape(s.Field)
	case ir.ItemStep:
		absent(tooShort(v, s.Index))
		v = fmt.Sprintf("%s[%d]", v, s.Index)
	case ir.MemberStep:
		fmt.Fprintf(b, "%s, ok := %s[%s]\nif !ok {\n%s\n}\n", name, v, quote(s.Key), g.missing)
		v = name
	case ir.WholeStep:
		if s.In == "" && wrapped(s.Type) && !g.bare {
			v += ".Value"
		}
	}
	switch form {
	case pointer:
		absent(v + " == nil")
		if s.Type.Kind != ir.Struct {
			v = "(*" + v + ")"
		}
	case nullable:
		fmt.Fprintf(b, "%s, ok := %s.Get()\nif !ok {\n%s\n}\n", name, v, g.missing)
		v = name
	case plain, nilable: // a nil slice or map has no items
	}
	if s.Type.Kind == ir.BigInt {
		absent(v + " == nil")
	}
	return v
}

// text returns the value of the last step as a string.
func (g getting) text(v string, last ir.Step) string {
	t := last.Type
	v = strings.TrimSuffix(strings.TrimPrefix(v, "("), ")")
	declared := last.Kind == ir.WholeStep && last.In == "" // a branch's own type
	kind := t.Kind
	switch kind {
	case ir.Enum:
		kind, declared = t.Named.Base, true
	case ir.External:
		kind = t.External()
		declared = declared || kind != ir.UUID
	}
	converted := func(to string) string {
		if declared {
			return to + "(" + v + ")"
		}
		return v
	}
	switch kind {
	case ir.UUID:
		if declared {
			return g.base(t) + "(" + v + ").String()"
		}
		return call(v, "String()")
	case ir.BigInt:
		return call(v, "String()")
	case ir.Uint:
		g.imports["strconv"] = ""
		return "strconv.FormatUint(" + converted("uint64") + ", 10)"
	case ir.Int:
		g.imports["strconv"] = ""
		return "strconv.FormatInt(" + converted("int64") + ", 10)"
	case ir.Float: // the values that are ids are integers
		g.imports["strconv"] = ""
		return "strconv.FormatFloat(" + converted("float64") + ", 'f', -1, 64)"
	}
	return converted("string")
}

// tooShort returns the condition that a slice has no item at an index.
func tooShort(v string, index int) string {
	if index == 0 {
		return "len(" + v + ") == 0"
	}
	return fmt.Sprintf("len(%s) <= %d", v, index)
}
