package emit

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// constant returns the name of an enum's constant for a value, or "" if the enum does
// not list it.
func constant(n *ir.Named, v *schema.Value) string {
	for _, e := range n.Enum {
		switch n.Base {
		case ir.JSON:
			if e.Literal == strconv.Quote(v.Canonical()) {
				return e.Name
			}
		case ir.String:
			if v.Kind == schema.String && e.Literal == quote(v.Text) {
				return e.Name
			}
		default:
			if v.Kind == schema.NumberKind && e.Literal == numberLiteral(v.Text, n.Base) {
				return e.Name
			}
		}
	}
	return ""
}

// numberLiteral returns a number as Go code of a type that is neither an int64 nor a
// float64, or "" if it does not fit.
func (c *coder) numberLiteral(t *ir.Type, v *schema.Value) string {
	text := v.Canonical()
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

// formattedLiteral returns a string as Go code of its format's type, or "" if there is
// none.
func (c *coder) formattedLiteral(t *ir.Type, text string) string {
	switch t.Kind {
	case ir.UUID:
		if id, err := uuid.Parse(text); err == nil && len(text) == 36 && id.String() == strings.ToLower(text) {
			return "uuid.MustParse(" + quote(id.String()) + ")"
		}
	case ir.Date:
		if day, err := time.Parse(time.DateOnly, text); err == nil {
			c.imports[wirePath] = ""
			return fmt.Sprintf("wire.Date{Year: %d, Month: %d, Day: %d}", day.Year(), day.Month(), day.Day())
		}
	case ir.DateTime:
		// One with Z, so that it is encoded as the same text.
		if at, err := time.Parse("2006-01-02T15:04:05Z", text); err == nil {
			c.imports["time"] = ""
			return fmt.Sprintf("time.Date(%d, %d, %d, %d, %d, %d, %d, time.UTC)", at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond())
		}
	}
	return ""
}

// mapLiteral returns an object as a Go map, or "" if a property has no literal.
func (c *coder) mapLiteral(t *ir.Type, v *schema.Value) string {
	var members []string
	for _, m := range v.Members {
		literal := ""
		if !t.Elem.Nullable {
			literal = c.goLiteral(t.Elem, m.Value)
		}
		if literal == "" {
			return ""
		}
		members = append(members, quote(m.Name)+": "+literal)
	}
	return c.base(t) + "{" + strings.Join(members, ", ") + "}"
}

// int64Literal returns a JSON number as a Go literal of an int64, "" if it is none.
func int64Literal(text string) string {
	literal, _ := jsonvalue.Int64(text)
	return literal
}

// numberLiteral returns a JSON number as a Go literal of a kind, Int or Float; "" if
// it is none.
func numberLiteral(text string, kind ir.Kind) string {
	if kind == ir.Float {
		return jsonvalue.Float64(text)
	}
	return int64Literal(text)
}
