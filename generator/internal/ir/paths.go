package ir

import (
	"fmt"
	"slices"
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
	data := e.Data
	if data.Holds != nil {
		data = data.Holds.Named
	}
	if data.Union == nil {
		p.Steps = b.steps(data, pointer, pointer.Pos, what)
		return p
	}
	for _, branch := range data.Union.Branches {
		if branch.JSON != "object" {
			continue // which is reported
		}
		steps := b.steps(branch.Type.Named, pointer, branch.from.Pos, what)
		if steps == nil {
			return Path{}
		}
		p.Branches = append(p.Branches, BranchPath{branch, steps})
	}
	return p
}

// steps is the way of a pointer through a struct, nil where there is none. What
// is wrong is reported at pos.
func (b *builder) steps(here *Named, pointer *schema.Name, pos diag.Pos, what string) []*Field {
	var steps []*Field
	optional := false
	tokens := strings.Split(strings.TrimPrefix(pointer.Text, "/"), "/")
	for i, token := range tokens {
		token = unescaper.Replace(token)
		var next *Field
		if here != nil {
			if k := slices.IndexFunc(here.Fields, func(f *Field) bool { return f.JSON == token }); k >= 0 {
				next = here.Fields[k]
			}
		}
		if next == nil {
			b.list.Errorf(pos, "pointer-not-found", "%s points to %s, which the schema does not describe", what, pointer.Text)
			return nil
		}
		steps = append(steps, next)
		here = nil
		if next.Type.Kind == Struct {
			here = next.Type.Named
		}
		if lack, hint := mayLack(next); lack != "" && !optional && what != "correlation" {
			optional = true
			b.list.Add(diag.Finding{
				Pos: pos, Severity: diag.Warning, ID: "pointer-optional",
				Message: fmt.Sprintf("%s points to %s, and %s %s: an event without it cannot be inserted", what, pointer.Text, diag.Quote(next.JSON), lack),
				Hint:    hint,
			})
		}
		if i == len(tokens)-1 && !isID(next.Type) {
			b.list.Errorf(pos, "pointer-type", "%s points to %s, which is neither a string nor an integer nor a uuid", what, pointer.Text)
			return nil
		}
	}
	return steps
}

// mayLack says how a member may have no value, "" where it always has one, and
// how to change that.
func mayLack(f *Field) (lack, hint string) {
	switch {
	case f.Required && !f.Type.Nullable:
		return "", ""
	case f.Required:
		return "may be null", "leave null out of its type"
	case f.Type.Nullable:
		return "is optional and may be null", "require it, and leave null out of its type"
	default:
		return "is optional", "add it to required"
	}
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
