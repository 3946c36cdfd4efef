package ir

import (
	"fmt"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// undescribed is the type of a member of n that is required and no property
// describes. Most often its name is misspelled, there or here.
func (b *builder) undescribed(n *Named, s *schema.Schema, r schema.Name) *Type {
	var near []string
	for _, p := range s.Properties {
		if p.Name == r.Text {
			return &Type{Kind: Any, Nullable: true} // no value of it is valid, which is said where it stands
		}
		if !slices.ContainsFunc(s.Required, func(other schema.Name) bool { return other.Text == p.Name }) {
			near = append(near, p.Name)
		}
	}
	f := diag.Finding{Pos: r.Pos, ID: "required-undescribed", Message: fmt.Sprintf("%s is required, and no property describes it", diag.Quote(r.Text))}
	extra := s.AdditionalProperties
	switch f.Hint = diag.DidYouMean(r.Text, near); {
	case f.Hint != "":
	case closes(s):
		f.Message += ", and no other members are allowed, so no value is valid"
	case extra != nil && extra.Bool == nil:
		return b.typeOf(extra, context{parent: n, property: additional})
	default:
		f.Severity = diag.Warning
		f.Message += ", so it is a value of any type"
		f.Hint = "describe it under properties"
	}
	b.list.Add(f)
	return &Type{Kind: Any, Nullable: true}
}

// checkDefault reports a default of another type than the reference that it
// stands beside. Where the type is written beside it, loading reports it.
func (b *builder) checkDefault(f *Field, s *schema.Schema) {
	v := s.Default
	if v == nil || v.Kind == schema.Null || len(s.Types) > 0 {
		return
	}
	var kind string
	switch f.Type.Kind {
	case String, DateTime, Date, TimeOfDay, Duration, UUID, Bytes, Base64URL, Base32, Base16:
		kind = "string"
	case Int, Uint, BigInt:
		kind = "integer"
	case Float, Number:
		kind = "number"
	case Bool:
		kind = "boolean"
	case Slice:
		kind = "array"
	case Struct, Map, Object:
		if n := f.Type.Named; n != nil && (n.Union != nil || n.Of != nil) {
			return
		}
		kind = "object"
	case Enum:
		switch kind = "string"; f.Type.Named.Base {
		case Int:
			kind = "integer"
		case Float:
			kind = "number"
		case JSON:
			return
		}
	default:
		return
	}
	if !v.Is([]string{kind}) {
		b.list.Errorf(v.Pos, "value-type", "default %s is not %s", v.Short(), schema.TypeText(kind))
	}
}
