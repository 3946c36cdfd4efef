package normal

import (
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// listedBy returns the values that a schema lists; ok is false if it has no list.
func listedBy(s *schema.Schema) (values []*schema.Value, ok bool) {
	switch {
	case s.Const != nil && s.Enum != nil:
		for _, v := range s.Enum {
			if v.Canonical() == s.Const.Canonical() {
				return []*schema.Value{s.Const}, true
			}
		}
		return nil, true
	case s.Const != nil:
		return []*schema.Value{s.Const}, true
	}
	return s.Enum, s.Enum != nil
}

// values finds the values that all schemas list and that may be valid. They determine
// the kinds of the form.
func (f *Form) values() {
	for _, a := range f.Atoms {
		listed, ok := listedBy(a)
		if !ok {
			continue
		}
		if !f.Listed {
			f.Listed, f.Values = true, slices.Clone(listed)
			continue
		}
		both := map[string]bool{}
		for _, v := range listed {
			both[v.Canonical()] = true
		}
		f.Values = slices.DeleteFunc(f.Values, func(v *schema.Value) bool { return !both[v.Canonical()] })
	}
	if !f.Listed {
		return
	}
	var kinds Kinds
	null, seen := false, map[string]bool{}
	f.Values = slices.DeleteFunc(f.Values, func(v *schema.Value) bool {
		key := v.Canonical()
		switch {
		case seen[key]:
			return true
		case v.Kind == schema.Null:
			if null = true; !f.Nullable {
				f.unfit(v, "value-type", "null is listed but never valid: its type is not allowed", "remove it, or add null to the types")
			}
			return true
		case !f.Kinds.Has(KindOf(v)):
			f.unfit(v, "value-type", v.Describe()+" is listed but never valid: its type is not allowed", "remove it")
			return true
		}
		if broken := f.Node.graph.breaks(f.Atoms, v); broken != "" {
			f.unfit(v, "value-constraint", v.Describe()+" is listed but violates "+broken+", so it is never valid", "remove it")
			return true
		}
		seen[key] = true
		kinds |= KindOf(v)
		return false
	})
	f.Nullable = f.Nullable && null
	f.Kinds = kinds
	if f.Nullable {
		f.Kinds |= Null
	}
}

// unfit warns of a listed value that is never valid here, unless another definition
// excludes it for its own place: where the value is listed, it is correct.
func (f *Form) unfit(v *schema.Value, id, message, hint string) {
	if !f.narrowed(v) {
		f.warn(v.Pos, id, message, hint)
	}
}

// narrowed reports whether a listed value is invalid here but valid for the schema that
// lists it, because schemas of other definitions apply here.
func (f *Form) narrowed(v *schema.Value) bool {
	g := f.Node.graph
	i := slices.IndexFunc(f.Atoms, func(a *schema.Schema) bool {
		listed, _ := listedBy(a)
		return slices.Contains(listed, v)
	})
	if i < 0 {
		return false
	}
	of := f.Atoms[i]
	elsewhere := func(a *schema.Schema) bool {
		return a.SaysMore() && (a.Doc != of.Doc || definition(a.Pointer) != definition(of.Pointer))
	}
	if !slices.ContainsFunc(f.Atoms, elsewhere) {
		return false
	}
	alone := g.Node(of)
	if !g.context(alone).kinds.Has(KindOf(v)) {
		return false
	}
	return v.Kind == schema.Null && g.acceptsNull(of) || v.Kind != schema.Null && g.breaks(alone.atoms(), v) == ""
}

// definition returns the part of a schema's pointer that leads to the definition that it
// stands in, "" if it stands in none.
func definition(pointer string) string {
	tokens := strings.Split(pointer, "/")
	for i := len(tokens) - 2; i > 0; i-- {
		switch tokens[i] {
		case "definitions", "$defs", "schemas":
			return strings.Join(tokens[:i+2], "/")
		}
	}
	return ""
}

// breaks returns a keyword of an atom that a value violates, or "" if it violates none
// of those checked here.
func (g *Graph) breaks(atoms []*schema.Schema, v *schema.Value) string {
	for _, a := range atoms {
		switch v.Kind {
		case schema.String:
			if broken := g.breaksText(a, v.Text); broken != "" {
				return broken
			}
		case schema.NumberKind:
			if broken := breaksNumber(a, v.Text); broken != "" {
				return broken
			}
		}
	}
	return ""
}

func (g *Graph) breaksText(a *schema.Schema, text string) string {
	length := utf8.RuneCountInString(text)
	switch least, most := a.MinLength.Count(), a.MaxLength.Count(); {
	case least != nil && length < *least:
		return "minLength " + a.MinLength.Text
	case most != nil && length > *most:
		return "maxLength " + a.MaxLength.Text
	}
	if a.Pattern != nil {
		if p := g.Pattern(a.Pattern.Text); p.Known() && !p.Match(text) {
			return "the pattern " + finding.Quote(a.Pattern.Text)
		}
	}
	return ""
}

// beyondBounds reports whether a value is a number that breaksNumber does not check
// with multipleOf, because its exponent is larger than a float64 allows.
func beyondBounds(v *schema.Value) bool {
	return v.Kind == schema.NumberKind && jsonvalue.Rational(v.Text) == nil
}

func breaksNumber(a *schema.Schema, text string) string {
	for _, bound := range []struct {
		keyword string
		limit   *schema.Number
		meets   func(order int) bool
	}{
		{"minimum", a.Minimum, func(order int) bool { return order >= 0 }},
		{"maximum", a.Maximum, func(order int) bool { return order <= 0 }},
		{"exclusiveMinimum", a.ExclusiveMinimum, func(order int) bool { return order > 0 }},
		{"exclusiveMaximum", a.ExclusiveMaximum, func(order int) bool { return order < 0 }},
	} {
		if bound.limit != nil && !bound.meets(jsonvalue.Compare(text, bound.limit.Text)) {
			return bound.keyword + " " + bound.limit.Text
		}
	}
	if a.MultipleOf == nil {
		return ""
	}
	x, step := jsonvalue.Rational(text), jsonvalue.Rational(a.MultipleOf.Text)
	if x != nil && step != nil && step.Sign() != 0 && !new(big.Rat).Quo(x, step).IsInt() {
		return "multipleOf " + a.MultipleOf.Text
	}
	return ""
}
