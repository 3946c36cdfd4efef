package emit

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// literal returns a value as Go code of type t: as a literal if Go has one, else as
// JSON for the type's decoder. It is "" if the value does not fit.
func (c *coder) literal(t *ir.Type, v *schema.Value) string {
	try := *c
	try.imports = maps.Clone(c.imports) // an attempt may fail
	if l := try.goLiteral(t, v); l != "" {
		maps.Copy(c.imports, try.imports)
		return l
	}
	if t.Indirect || !try.fits(t, v) || v.Kind == schema.Null {
		return ""
	}
	c.imports[wirePath] = ""
	return "wire.Default(" + raw(v.Canonical()) + ", " + c.reader(t) + ")"
}

// fits reports whether the decoder of t certainly accepts a value.
func (c *coder) fits(t *ir.Type, v *schema.Value) bool {
	if v.Kind == schema.Null {
		return t.Nullable || t.Kind == ir.Any
	}
	every := func(elem *ir.Type, values []*schema.Value) bool {
		return !slices.ContainsFunc(values, func(v *schema.Value) bool { return !c.fits(elem, v) })
	}
	switch t.Kind {
	case ir.Slice:
		return v.Kind == schema.Array && every(t.Elem, v.Items)
	case ir.Map:
		return v.Kind == schema.Object && !slices.ContainsFunc(v.Members, func(m schema.Member) bool { return !c.fits(t.Elem, m.Value) })
	case ir.Struct:
		return c.fitsStruct(t.Named, v)
	case ir.DateTime, ir.TimeOfDay, ir.Duration, ir.Bytes, ir.Base64URL, ir.Base32, ir.Base16:
		return v.Kind == schema.String && hasFormat(t.Kind, v.Text)
	case ir.Float:
		const exact = 15 // digits that every float64 keeps
		return c.goLiteral(t, v) != "" && len(v.Text) <= exact
	case ir.Enum:
		return c.goLiteral(t, v) != "" && t.Named.Base != ir.Float
	default:
		return c.goLiteral(t, v) != ""
	}
}

func (c *coder) fitsStruct(n *ir.Named, v *schema.Value) bool {
	if v.Kind != schema.Object || n.Tuple || len(n.Matching) > 0 || n.Union != nil {
		return false
	}
	there := map[string]bool{}
	for _, m := range v.Members {
		there[m.Name] = true
		i := slices.IndexFunc(n.Fields, func(f *ir.Field) bool { return f.JSON == m.Name })
		switch {
		case i >= 0 && !c.fits(n.Fields[i].Type, m.Value):
			return false
		case i >= 0:
		case n.Closed || n.Extra != nil && !c.fits(n.Extra, m.Value):
			return false
		}
	}
	return !slices.ContainsFunc(n.Fields, func(f *ir.Field) bool { return f.Required && !there[f.JSON] })
}

var (
	dateTimeText = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)
	clockText    = regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)
	durationText = regexp.MustCompile(`^P(\d+W|(\d+Y(\d+M(\d+D)?)?|\d+M(\d+D)?|\d+D)?(T(\d+H(\d+M(\d+S)?)?|\d+M(\d+S)?|\d+S))?)$`)
)

// hasFormat reports whether every implementation of the format accepts a string.
func hasFormat(kind ir.Kind, text string) bool {
	var err error
	switch kind {
	case ir.DateTime:
		_, err = time.Parse(time.RFC3339Nano, text)
		return err == nil && dateTimeText.MatchString(text)
	case ir.TimeOfDay:
		return clockText.MatchString(text)
	case ir.Duration:
		return text != "P" && durationText.MatchString(text)
	case ir.Bytes:
		_, err = base64.StdEncoding.Strict().DecodeString(text)
	case ir.Base64URL:
		_, err = base64.URLEncoding.Strict().DecodeString(text)
		return err == nil && !strings.Contains(text, "=")
	case ir.Base32:
		_, err = base32.StdEncoding.DecodeString(text)
	case ir.Base16:
		_, err = hex.DecodeString(text)
		return err == nil && text == strings.ToUpper(text)
	default:
		return false
	}
	return err == nil && !strings.ContainsAny(text, "\r\n")
}
