package emit

import (
	"fmt"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
)

// coder writes the code of one file.
type coder struct {
	*printer
	file    *ir.File
	imports importSet
}

// scalar says how generated code writes the values of a kind.
type scalar struct {
	goType string
	from   string // the import path of the type's package; "" for none
	method string // of wire.Decoder and wire.Encoder
	decode string // of package wire, for a type declared on goType; "" for none
}

var scalars = map[ir.Kind]scalar{
	ir.Any:       {goType: "any", method: "Any"},
	ir.Bool:      {goType: "bool", method: "Bool", decode: "DecodeBool"},
	ir.Int:       {goType: "int64", method: "Int", decode: "DecodeInt"},
	ir.Float:     {goType: "float64", method: "Float", decode: "DecodeFloat"},
	ir.String:    {goType: "string", method: "String", decode: "DecodeText"},
	ir.DateTime:  {goType: "time.Time", from: "time", method: "DateTime"},
	ir.Date:      {goType: "wire.Date", from: wirePath, method: "Date"},
	ir.TimeOfDay: {goType: "wire.TimeOfDay", from: wirePath, method: "TimeOfDay"},
	ir.Duration:  {goType: "wire.Duration", from: wirePath, method: "Duration"},
	ir.UUID:      {goType: "uuid.UUID", from: uuidPath, method: "UUID"},
	ir.Bytes:     {goType: "[]byte", method: "Base64"},
	ir.Base64URL: {goType: "[]byte", method: "Base64URL"},
	ir.Base32:    {goType: "[]byte", method: "Base32"},
	ir.Base16:    {goType: "[]byte", method: "Base16"},
	ir.Null:      {goType: "wire.Null", from: wirePath, method: "NullValue"},
	ir.Uint:      {goType: "uint64", method: "Uint"},
	ir.BigInt:    {goType: "*big.Int", from: "math/big", method: "BigInt"},
	ir.Number:    {goType: "json.Number", from: "encoding/json", method: "Number"},
	ir.Object:    {goType: "map[string]any", method: "AnyObject", decode: "DecodeObject"},
}

// base returns the Go type of t without null.
func (c *coder) base(t *ir.Type) string {
	switch t.Kind {
	case ir.Slice:
		return "[]" + c.element(t.Elem)
	case ir.Map:
		return "map[string]" + c.element(t.Elem)
	case ir.Struct, ir.Enum, ir.UnionKind, ir.Collection:
		return t.Named.Name
	case ir.External:
		if t.Import == "" {
			return t.Name
		}
		return c.imports.external(t.Import) + "." + t.Name
	}
	s := scalars[t.Kind]
	if s.from != "" {
		c.imports[s.from] = ""
	}
	return s.goType
}

// element returns the Go type of an item or a map's value.
func (c *coder) element(t *ir.Type) string {
	if t.Nullable && !t.CanBeNil() {
		return "*" + c.base(t)
	}
	return c.base(t)
}

// fieldShape is the form of a field in its struct.
type fieldShape int

const (
	plain    fieldShape = iota // T
	pointer                    // *T, nil is absent or null
	nilable                    // T that is nil if absent or null
	nullable                   // outbox.Nullable[T]
)

func (p *printer) shape(f *ir.Field) fieldShape {
	t := f.Type
	null := t.Nullable
	switch {
	case f.Required && !null && !t.Indirect:
		return plain
	case t.Kind == ir.Any && f.Required:
		return plain
	case !f.Required && null && !p.pointers:
		return nullable
	case t.CanBeNil():
		return nilable
	default:
		return pointer
	}
}

// field returns the Go type of a field.
func (c *coder) field(f *ir.Field) string {
	switch c.shape(f) {
	case pointer:
		return "*" + c.base(f.Type)
	case nullable:
		c.imports[outboxPath] = "outbox"
		return "outbox.Nullable[" + c.inner(f.Type) + "]"
	default:
		return c.base(f.Type)
	}
}

// inner returns the type argument of a Nullable.
func (c *coder) inner(t *ir.Type) string {
	if t.Indirect {
		return "*" + c.base(t)
	}
	return c.base(t)
}

// read returns an expression that reads a value which is not null.
func (c *coder) read(t *ir.Type) string {
	c.imports[wirePath] = ""
	switch t.Kind {
	case ir.Slice:
		return fmt.Sprintf("wire.Slice(d, %s)", c.elementReader(t.Elem))
	case ir.Map:
		return fmt.Sprintf("wire.Map(d, %s)", c.elementReader(t.Elem))
	case ir.Enum:
		if base := t.Named.Base; base == ir.Int || base == ir.Float {
			return t.Named.Name + "(d." + scalars[base].method + "())"
		}
	case ir.Struct, ir.UnionKind, ir.Collection, ir.External:
	default:
		return "d." + scalars[t.Kind].method + "()"
	}
	return c.reader(t) + "(d)"
}

// decoder returns the function that reads a declared type.
func decoder(n *ir.Named) string {
	if n.Union != nil && n.Union.Raw {
		return "wire.Kept[" + n.Name + "]"
	}
	return "decode" + n.Name
}

// reader returns a function that reads a value which is not null.
func (c *coder) reader(t *ir.Type) string {
	c.imports[wirePath] = ""
	switch t.Kind {
	case ir.Struct, ir.UnionKind, ir.Collection:
		return decoder(t.Named)
	case ir.Enum:
		switch t.Named.Base {
		case ir.String:
			return "wire.Text[" + t.Named.Name + "]"
		case ir.JSON:
			return "wire.JSON[" + t.Named.Name + "]"
		}
	case ir.External:
		return "wire.External[" + c.base(t) + "]"
	case ir.Slice, ir.Map:
	default:
		return "(*wire.Decoder)." + scalars[t.Kind].method
	}
	return fmt.Sprintf("func(d *wire.Decoder) %s { return %s }", c.base(t), c.read(t))
}

// elementReader returns a function that reads an item or a map's value.
func (c *coder) elementReader(t *ir.Type) string {
	switch {
	case !t.Nullable || t.Kind == ir.Any:
		return c.reader(t)
	case t.CanBeNil():
		return fmt.Sprintf("func(d *wire.Decoder) %s { return wire.OrNil(d, %s) }", c.base(t), c.reader(t))
	default:
		return fmt.Sprintf("func(d *wire.Decoder) *%s { return wire.Pointer(d, %s) }", c.base(t), c.reader(t))
	}
}

// readField returns an expression that reads a field.
func (c *coder) readField(f *ir.Field) string {
	t := f.Type
	switch c.shape(f) {
	case pointer:
		if t.Nullable {
			return fmt.Sprintf("wire.Pointer(d, %s)", c.reader(t))
		}
		return fmt.Sprintf("wire.Optional(d, %s)", c.reader(t))
	case nilable:
		if t.Nullable && t.Kind != ir.Any {
			return fmt.Sprintf("wire.OrNil(d, %s)", c.reader(t))
		}
		return c.read(t)
	case nullable:
		c.printer.nullable = true
		if t.Indirect {
			return fmt.Sprintf("nullable(d, func(d *wire.Decoder) *%s { return wire.Optional(d, %s) })", c.base(t), c.reader(t))
		}
		return fmt.Sprintf("nullable(d, %s)", c.reader(t))
	default:
		return c.read(t)
	}
}

// readConditional returns an expression that reads a field of n which accepts only
// values that fit its type.
func (c *coder) readConditional(n *ir.Named, f *ir.Field) string {
	if c.shape(f) == pointer && !f.Type.Nullable {
		return fmt.Sprintf("wire.OptionalOrUnknown(&o, &v.%s, %s)", n.UnknownName, c.reader(f.Type))
	}
	return fmt.Sprintf("wire.OrUnknown(&o, &v.%s, func(d *wire.Decoder) %s { return %s })", n.UnknownName, c.field(f), c.readField(f))
}

// write returns a statement that writes the value v, which is not null, to e.
func (c *coder) write(t *ir.Type, e, v string) string {
	switch t.Kind {
	case ir.Slice:
		return fmt.Sprintf("wire.PutSlice(%s, %s, %s)", e, v, c.elementWriter(t.Elem))
	case ir.Map:
		return fmt.Sprintf("wire.PutMap(%s, %s, %s)", e, v, c.elementWriter(t.Elem))
	case ir.Struct, ir.Collection:
		return fmt.Sprintf("%s(%s)", call(v, "encode"), e)
	case ir.UnionKind:
		return fmt.Sprintf("%s.Put(%s, %s)", unionVar(t.Named), e, v)
	case ir.Enum:
		switch t.Named.Base {
		case ir.Int:
			return fmt.Sprintf("%s.Int(int64(%s))", e, v)
		case ir.Float:
			return fmt.Sprintf("%s.Float(float64(%s))", e, v)
		case ir.JSON:
			return fmt.Sprintf("wire.PutJSON(%s, %s)", e, v)
		}
		return fmt.Sprintf("%s.String(string(%s))", e, v)
	case ir.External:
		return fmt.Sprintf("wire.PutExternal(%s, %s)", e, v)
	default:
		return fmt.Sprintf("%s.%s(%s)", e, scalars[t.Kind].method, v)
	}
}

// writer returns a function that writes a value which is not null.
func (c *coder) writer(t *ir.Type) string {
	switch t.Kind {
	case ir.UnionKind:
		return unionVar(t.Named) + ".Put"
	case ir.Enum:
		switch t.Named.Base {
		case ir.String:
			return "wire.PutText[" + t.Named.Name + "]"
		case ir.JSON:
			return "wire.PutJSON[" + t.Named.Name + "]"
		}
	case ir.External:
		return "wire.PutExternal[" + c.base(t) + "]"
	case ir.Slice, ir.Map, ir.Struct, ir.Collection:
	default:
		return "(*wire.Encoder)." + scalars[t.Kind].method
	}
	return fmt.Sprintf("func(e *wire.Encoder, v %s) { %s }", c.base(t), c.write(t, "e", "v"))
}

// elementWriter returns a function that writes an item or a map's value.
func (c *coder) elementWriter(t *ir.Type) string {
	switch {
	case !t.Nullable || t.Kind == ir.Any:
		return c.writer(t)
	case t.CanBeNil():
		return fmt.Sprintf("func(e *wire.Encoder, v %s) { wire.PutOrNull(e, v == nil, v, %s) }", c.base(t), c.writer(t))
	default:
		return fmt.Sprintf("func(e *wire.Encoder, v *%s) { wire.PutPointer(e, v, %s) }", c.base(t), c.writer(t))
	}
}

// writeRequired returns the statement that writes a required field to e.
func (c *coder) writeRequired(f *ir.Field, e string) string {
	t, v := f.Type, "v."+f.Name
	switch c.shape(f) {
	case pointer:
		return fmt.Sprintf("wire.PutPointer(%s, %s, %s)", e, v, c.writer(t))
	case nilable:
		return fmt.Sprintf("wire.PutOrNull(%s, %s == nil, %s, %s)", e, v, v, c.writer(t))
	default:
		return c.write(t, e, v)
	}
}

// writeField returns the statements that write a field.
func (c *coder) writeField(f *ir.Field) []string {
	t, v := f.Type, "v."+f.Name
	name := "e.Name(" + quote(f.JSON) + ")"
	if f.Required {
		return []string{c.writeRequired(f, name)}
	}
	switch c.shape(f) {
	case pointer:
		return []string{fmt.Sprintf("wire.PutOptional(e, %s, %s, %s)", quote(f.JSON), v, c.writer(t))}
	case nilable:
		switch t.Kind {
		case ir.UnionKind:
			return []string{fmt.Sprintf("%s.PutOptional(e, %s, %s)", unionVar(t.Named), quote(f.JSON), v)}
		case ir.Slice:
			return []string{fmt.Sprintf("wire.PutOptionalSlice(e, %s, %s, %s)", quote(f.JSON), v, c.elementWriter(t.Elem))}
		case ir.Map:
			return []string{fmt.Sprintf("wire.PutOptionalMap(e, %s, %s, %s)", quote(f.JSON), v, c.elementWriter(t.Elem))}
		}
		return wrapIf(v+" != nil", []string{c.write(t, name, v)})
	case nullable:
		writer := c.writer(t)
		if t.Indirect {
			writer = fmt.Sprintf("func(e *wire.Encoder, v *%s) { wire.PutPointer(e, v, %s) }", c.base(t), writer)
		}
		return []string{fmt.Sprintf("wire.PutNullable(e, %s, %s, %s)", quote(f.JSON), v, writer)}
	default:
		return []string{c.write(t, name, v)}
	}
}
