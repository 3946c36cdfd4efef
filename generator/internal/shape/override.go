package shape

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// override returns the type that the config sets for a format or a reference; nil if
// there is none.
func (b *builder) override(s *schema.Schema) *ir.Type {
	for _, m := range b.project.Config.Types {
		if s.Ref != nil && s.Ref.Text == m.Match || s.Format != "" && s.Format == m.Match || isNumeric(s, m.Match) {
			t := b.mapped(s, m.Type)
			t.Place = b.place(b.graph.Node(s))
			t.Nullable = t.Nullable || slices.Contains(s.Types, "null")
			return t
		}
	}
	return nil
}

// isNumeric reports whether s is a plain number or integer, and match is the
// name of that JSON type.
func isNumeric(s *schema.Schema, match string) bool {
	if match != "number" && match != "integer" || s.Format != "" || s.Const != nil || len(s.Enum) > 0 {
		return false
	}
	return slices.Contains(s.Types, match) && !slices.ContainsFunc(s.Types, func(t string) bool { return t != match && t != "null" })
}

// mapped returns a schema as the Go type called name. If that is the type of a schema
// without a format, the constraints apply as for such a schema.
func (b *builder) mapped(s *schema.Schema, name string) *ir.Type {
	node := b.graph.Node(s)
	form, _ := node.Settled()
	switch name {
	case "encoding/json.Number":
		if form.Number != nil {
			return &ir.Type{Kind: ir.Number, Rules: b.rulesOf(form.Residues(), b.boundsBeside(form, form.Number)...)}
		}
	case "math/big.Int":
		if form.Number != nil {
			return &ir.Type{Kind: ir.BigInt, Rules: b.rulesOf(form.Residues(), b.boundsBeside(form, form.Number)...)}
		}
	case "any":
		return &ir.Type{Kind: ir.Any, Nullable: true, Rules: b.rulesOf(node.Whole())}
	case "bool":
		return &ir.Type{Kind: ir.Bool}
	case "string", "int64", "float64":
		return b.plainly(form, name)
	}
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		return &ir.Type{Kind: ir.External, Import: name[:dot], Name: name[dot+1:]}
	}
	return &ir.Type{Kind: ir.External, Name: name}
}

// plainly returns the type of a form as a basic Go type, as if it had no format.
func (b *builder) plainly(form *normal.Form, name string) *ir.Type {
	bare := *form
	var t *ir.Type
	var more []*ir.Rule
	switch {
	case name == "string" && form.Text != nil:
		text := *form.Text
		text.Formats, text.Encoding = nil, ""
		bare.Text = &text
		t, more = b.text(&bare)
	case name == "int64" && form.Number != nil:
		bare.Number = withoutFormat(form.Number)
		t, more = b.integer(&bare)
	case name == "float64" && form.Number != nil:
		bare.Number = withoutFormat(form.Number)
		t, more = b.float(&bare)
	case name == "string":
		return &ir.Type{Kind: ir.String}
	case name == "int64":
		return &ir.Type{Kind: ir.Int}
	default:
		return &ir.Type{Kind: ir.Float}
	}
	t.Rules = b.rulesOf(nil, more...)
	return t
}
