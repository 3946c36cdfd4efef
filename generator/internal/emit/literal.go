package emit

import (
	"strconv"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// constant is the name of an enum's constant for a value, "" where the enum
// does not list it.
func constant(n *ir.Named, v *schema.Value) string {
	for _, e := range n.Enum {
		switch n.Base {
		case ir.JSON:
			if e.Literal == strconv.Quote(ir.CanonicalJSON(v)) {
				return e.Name
			}
		case ir.String:
			if v.Kind == schema.String && e.Literal == quote(v.Text) {
				return e.Name
			}
		default:
			if v.Kind == schema.NumberKind && e.Literal == ir.NumberLiteral(v.Text, n.Base) {
				return e.Name
			}
		}
	}
	return ""
}

// numberLiteral is a number as Go code of a type that is neither an int64 nor a
// float64, "" where it does not fit.
func (c *coder) numberLiteral(t *ir.Type, v *schema.Value) string {
	text := ir.CanonicalJSON(v)
	switch t.Kind {
	case ir.Uint:
		if _, err := strconv.ParseUint(text, 10, 64); err == nil {
			return text
		}
	case ir.BigInt:
		c.imports[wirePath] = ""
		return "wire.NewBigInt(" + quote(text) + ")"
	case ir.Number:
		c.imports["encoding/json"] = ""
		return "json.Number(" + quote(v.Text) + ")"
	}
	return ""
}
