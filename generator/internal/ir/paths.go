package ir

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// paths resolves the JSON Pointers of x-outbox to fields.
func (b *builder) paths(e *Event) {
	e.AggregateID = b.path(e, e.Event.AggregateID, "aggregate.id")
	if e.Keyed {
		e.Key = b.path(e, e.Event.Key, "key")
	}
	e.Correlation = b.path(e, e.Event.Correlation, "correlation")
}

// path resolves one pointer; in event data that is a union, in every branch.
func (b *builder) path(e *Event, pointer *schema.Name, what string) Path {
	if pointer == nil {
		return Path{}
	}
	p := Path{Pointer: pointer.Text}
	way := pointing{b, pointer, what, pointer.Pos}
	data, start := &Type{Kind: Struct, Named: e.Data}, []Step(nil)
	if held := e.Data.Holds; held != nil {
		data, start = held, []Step{{Kind: WholeStep, In: "Value", Type: held}}
	}
	if data.Named == nil || data.Named.Union == nil {
		p.Steps = way.steps(data, start)
		return p
	}
	if what != "correlation" {
		way.warn(start)
	}
	for _, branch := range data.Named.Union.Branches {
		way.pos = branch.from.Pos
		steps := way.steps(branch.Type, nil)
		if steps == nil {
			return Path{}
		}
		p.Branches = append(p.Branches, BranchPath{branch, steps})
	}
	return p
}

// pointing is the resolution of one pointer. What is wrong is reported at pos.
type pointing struct {
	*builder

	pointer *schema.Name
	what    string // that the pointer is
	pos     diag.Pos
}

// steps is the way of the pointer from a value of type t, which start leads to,
// nil where there is none.
func (p pointing) steps(t *Type, start []Step) []Step {
	steps := slices.Clone(start)
	if p.pointer.Text != "" {
		for token := range strings.SplitSeq(strings.TrimPrefix(p.pointer.Text, "/"), "/") {
			step, ok := step(t, unescaper.Replace(token))
			if !ok {
				p.list.Errorf(p.pos, "pointer-not-found", "%s points to %s, which the schema does not describe", p.what, p.pointer.Text)
				return nil
			}
			steps, t = append(steps, step), step.Type
		}
	}
	if len(steps) == 0 {
		steps = []Step{{Kind: WholeStep, Type: t}}
	}
	if !isID(t) {
		p.list.Errorf(p.pos, "pointer-type", "%s points to %s, which is neither a string nor an integer nor a uuid", p.what, pointed(p.pointer))
		return nil
	}
	if p.what != "correlation" {
		p.warn(steps)
	}
	return steps
}

// warn warns of the first step that may lead nowhere.
func (p pointing) warn(steps []Step) {
	for _, s := range steps {
		if name, lack, hint := s.mayLack(); lack != "" {
			p.list.Add(diag.Finding{
				Pos: p.pos, Severity: diag.Warning, ID: "pointer-optional",
				Message: fmt.Sprintf("%s points to %s, and %s %s: an event without it cannot be inserted", p.what, pointed(p.pointer), name, lack),
				Hint:    hint,
			})
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

// step leads from a value of type t to the part that a token names.
func step(t *Type, token string) (Step, bool) {
	if t.Kind == Collection {
		t = t.Named.Of
	}
	index, err := strconv.Atoi(token)
	isIndex := err == nil && index >= 0 && strconv.Itoa(index) == token
	switch {
	case t.Kind == Slice && isIndex:
		return Step{Kind: ItemStep, Index: index, Type: t.Elem, Optional: t.MinItems == nil || *t.MinItems <= index}, true
	case t.Kind == Map:
		return Step{Kind: MemberStep, Key: token, Type: t.Elem, Optional: true}, true
	case t.Kind != Struct || t.Named.Union != nil:
		return Step{}, false
	}
	n := t.Named
	if k := slices.IndexFunc(n.Fields, func(f *Field) bool { return f.JSON == token }); k >= 0 {
		f := n.Fields[k]
		return Step{Field: f, Type: f.Type, Optional: !f.Required}, true
	}
	switch {
	case n.Extra == nil || len(n.Matching) > 0:
		return Step{}, false
	case n.Tuple && isIndex:
		optional := n.MinItems == nil || *n.MinItems <= index
		return Step{Kind: ItemStep, In: n.ExtraName, Index: index - len(n.Fields), Type: n.Extra, Optional: optional}, true
	case !n.Tuple:
		return Step{Kind: MemberStep, In: n.ExtraName, Key: token, Type: n.Extra, Optional: true}, true
	}
	return Step{}, false
}

// mayLack says how a step may lead to no value, "" where it always leads to one,
// what is lacking then, and how to change that.
func (s Step) mayLack() (name, lack, hint string) {
	name = "the event data"
	switch s.Kind {
	case FieldStep:
		name, hint = diag.Quote(s.Field.JSON), "require it"
	case ItemStep:
		name, hint = "an item on the way", "give its array enough minItems"
	case MemberStep:
		name, hint = diag.Quote(s.Key), "describe it under properties and add it to required"
	case WholeStep:
	}
	switch {
	case s.Optional && s.Type.Nullable:
		return name, "is optional and may be null", hint + ", and leave null out of its type"
	case s.Optional && s.Kind == FieldStep:
		return name, "is optional", "add it to required"
	case s.Optional:
		return name, "is optional", hint
	case s.Type.Nullable:
		return name, "may be null", "leave null out of its type"
	}
	return "", "", ""
}

func isID(t *Type) bool {
	switch t.Kind {
	case String, Int, Uint, UUID:
		return true
	case Enum:
		return t.Named.Base == String || t.Named.Base == Int
	}
	return false
}
