package shape

import (
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// paths resolves the JSON Pointers of x-outbox to fields.
func (b *builder) paths(e *ir.Event) {
	e.AggregateID = b.path(e, e.Event.AggregateID, "aggregate.id")
	if e.Keyed {
		e.Key = b.path(e, e.Event.Key, "key")
	}
	e.Correlation = b.path(e, e.Event.Correlation, "correlation")
}

// path resolves one pointer; in event data that is a union, in every branch.
func (b *builder) path(e *ir.Event, pointer *schema.Name, what string) ir.Path {
	if pointer == nil {
		return ir.Path{}
	}
	p := ir.Path{Pointer: pointer.Text}
	way := pointing{b, pointer, what, pointer.Pos}
	data, start := &ir.Type{Kind: ir.Struct, Named: e.Data}, []ir.Step(nil)
	if held := e.Data.Holds; held != nil {
		data, start = held, []ir.Step{{Kind: ir.WholeStep, In: "Value", Type: held}}
	}
	if data.Named == nil || data.Named.Union == nil {
		p.Steps = way.steps(data, start)
		return p
	}
	if what != "correlation" {
		way.warn(start)
	}
	for _, branch := range data.Named.Union.Branches {
		way.pos = b.branches[branch].from.Pos
		steps := way.steps(branch.Type, nil)
		if steps == nil {
			return ir.Path{}
		}
		p.Branches = append(p.Branches, ir.BranchPath{Branch: branch, Steps: steps})
	}
	return p
}

// pointing is the resolution of one pointer. Problems are reported at pos.
type pointing struct {
	*builder

	pointer *schema.Name
	what    string // what the pointer is
	pos     finding.Pos
}

// steps returns the steps of the pointer from a value of type t, after start; nil if it
// does not resolve.
func (p pointing) steps(t *ir.Type, start []ir.Step) []ir.Step {
	steps := slices.Clone(start)
	if p.pointer.Text != "" {
		for token := range strings.SplitSeq(strings.TrimPrefix(p.pointer.Text, "/"), "/") {
			step, ok := step(t, schema.UnescapeToken(token))
			if !ok && t.Named != nil && t.Named.Union != nil && len(steps) > 0 {
				p.list.Errorf(p.pos, "pointer-not-found", "%s %s goes through one of several alternatives, which a pointer cannot", p.what, finding.Quote(p.pointer.Text)).
					SetHint(schema.ThroughUnion(p.what))
				return nil
			}
			if !ok {
				p.list.Errorf(p.pos, "pointer-not-found", "%s points to %s, which the schema does not describe", p.what, p.pointer.Text)
				return nil
			}
			steps, t = append(steps, step), step.Type
		}
	}
	if len(steps) == 0 {
		steps = []ir.Step{{Kind: ir.WholeStep, Type: t}}
	}
	if !isID(t) {
		p.list.Errorf(p.pos, "pointer-type", "%s points to %s, which is %s; it must be a string, an integer or a UUID", p.what, pointed(p.pointer), noID(t))
		return nil
	}
	if p.what != "correlation" {
		p.warn(steps)
	}
	return steps
}

// warn warns of the first step that may have no value.
func (p pointing) warn(steps []ir.Step) {
	for _, s := range steps {
		if name, lack, hint := mayLack(s); lack != "" {
			p.list.Warnf(p.pos, "pointer-optional",
				"%s points to %s, but %s %s: an event without it cannot be inserted", p.what, pointed(p.pointer), name, lack).
				SetHint(hint)
			return
		}
	}
}

func pointed(pointer *schema.Name) string {
	if pointer.Text == "" {
		return "the event data itself"
	}
	return pointer.Text
}

// step returns the step from a value of type t to the part that a token names.
func step(t *ir.Type, token string) (ir.Step, bool) {
	if t.Kind == ir.Collection {
		t = t.Named.Of
	}
	index, err := strconv.Atoi(token)
	isIndex := err == nil && index >= 0 && strconv.Itoa(index) == token
	switch {
	case t.Kind == ir.Slice && isIndex:
		return ir.Step{Kind: ir.ItemStep, Index: index, Type: t.Elem, Optional: t.MinItems == nil || *t.MinItems <= index}, true
	case t.Kind == ir.Map:
		return ir.Step{Kind: ir.MemberStep, Key: token, Type: t.Elem, Optional: true}, true
	case t.Kind != ir.Struct || t.Named.Union != nil:
		return ir.Step{}, false
	}
	n := t.Named
	if k := slices.IndexFunc(n.Fields, func(f *ir.Field) bool { return f.JSON == token }); k >= 0 {
		f := n.Fields[k]
		return ir.Step{Field: f, Type: f.Type, Optional: !f.Required}, true
	}
	switch {
	case n.Extra == nil || len(n.Matching) > 0:
		return ir.Step{}, false
	case n.Tuple && isIndex:
		optional := n.MinItems == nil || *n.MinItems <= index
		return ir.Step{Kind: ir.ItemStep, In: extraName(n), Index: index - len(n.Fields), Type: n.Extra, Optional: optional}, true
	case !n.Tuple:
		return ir.Step{Kind: ir.MemberStep, In: extraName(n), Key: token, Type: n.Extra, Optional: true}, true
	}
	return ir.Step{}, false
}

// mayLack says why a step may have no value: the name, what is missing, and how to
// change that. name is "" if it always has one.
func mayLack(s ir.Step) (name, lack, hint string) {
	name = "the event data"
	switch s.Kind {
	case ir.FieldStep:
		name, hint = finding.Quote(s.Field.JSON), "require it"
	case ir.ItemStep:
		name, hint = "an item on the path", "give its array enough minItems"
	case ir.MemberStep:
		name, hint = finding.Quote(s.Key), "describe it under properties and add it to required"
	case ir.WholeStep:
	}
	switch {
	case s.Optional && s.Type.Nullable:
		return name, "is optional and may be null", hint + ", and remove null from its type"
	case s.Optional && s.Kind == ir.FieldStep:
		return name, "is optional", "add it to required"
	case s.Optional:
		return name, "is optional", hint
	case s.Type.Nullable:
		return name, "may be null", "remove null from its type"
	}
	return "", "", ""
}

func isID(t *ir.Type) bool {
	switch t.Kind {
	case ir.String, ir.Int, ir.Uint, ir.BigInt, ir.UUID:
		return true
	case ir.Float:
		return t.Const != nil && jsonvalue.IsWhole(t.Const.Text)
	case ir.Enum:
		return t.Named.Base == ir.String || t.Named.Base == ir.Int || ofIntegers(t.Named)
	case ir.External:
		return t.External() != ir.Any
	}
	return false
}

// noID says what a value is that is no id.
func noID(t *ir.Type) string {
	switch kind := jsonKind(t); {
	case t.Kind == ir.External:
		return "a value of the Go type " + strings.TrimPrefix(t.Import+"."+t.Name, ".")
	case t.Kind == ir.Null:
		return "only null"
	case t.Kind == ir.Any:
		return "a value of any type"
	case kind == "string":
		return "a string that is not text in Go"
	case kind != "":
		return schema.TypeText(kind)
	}
	return "a value of several types"
}

// ofIntegers reports whether the values of an enum are integers, some of them beyond 64
// bits.
func ofIntegers(n *ir.Named) bool {
	return !slices.ContainsFunc(n.Enum, func(v ir.EnumValue) bool {
		text := v.Literal
		if n.Base == ir.JSON {
			text, _ = strconv.Unquote(text)
		}
		return !isNumber(text) || !jsonvalue.IsWhole(text)
	})
}

// isNumber reports whether a JSON value is a number.
func isNumber(text string) bool {
	return strings.IndexAny(text, "-0123456789") == 0
}

// extraName returns the Go name of the field for values that nothing else describes.
func extraName(n *ir.Named) string {
	if n.Tuple {
		return "Rest"
	}
	return "Additional"
}
