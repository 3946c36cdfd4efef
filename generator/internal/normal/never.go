package normal

import (
	"fmt"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Never says why no value is valid.
type Never struct {
	Pos     finding.Pos
	Message string
}

// Never says why no value is valid for n; nil if one may be, as far as it checks.
func (n *Node) Never() *Never {
	if !impossible(n, maxDepth) {
		return nil
	}
	f, _ := n.Settled()
	for _, look := range []func(*Form) *Never{(*Form).falsehood, (*Form).typesDiffer, (*Form).valuesDiffer, (*Form).boundsCross, (*Form).memberNever} {
		if why := look(f); why != nil {
			return why
		}
	}
	never := &Never{Message: "the schemas here exclude each other"}
	if n.primary != nil {
		never.Pos = n.primary.Pos
	}
	if u := n.unions(); len(u) > 0 {
		never.Pos, never.Message = at(u[0].schema, u[0].keyword), "no branch of this "+u[0].keyword+" allows a value here"
	}
	return never
}

func (f *Form) falsehood() *Never {
	for _, a := range f.Atoms {
		if isFalse(a) {
			return &Never{a.Pos, "the schema false allows no value"}
		}
	}
	return nil
}

func (f *Form) typesDiffer() *Never {
	kinds := All
	for _, a := range f.Atoms {
		if kinds &= kindsOfTypes(a.Types); kinds == None {
			return &Never{at(a, "type"), "the schemas here require different types"}
		}
	}
	return nil
}

// valuesDiffer finds values that are listed, none of which is valid.
func (f *Form) valuesDiffer() *Never {
	if !f.Listed {
		return nil
	}
	var last *schema.Schema
	for _, a := range f.Atoms {
		if _, ok := listedBy(a); ok {
			last = a
		}
	}
	keyword := "enum"
	if last.Const != nil {
		keyword = "const"
	}
	return &Never{at(last, keyword), "no listed value is valid for all schemas here"}
}

// boundsCross finds a lower bound above an upper one.
func (f *Form) boundsCross() *Never {
	limits := f.limits()
	for _, pair := range [][2]string{{"minLength", "maxLength"}, {"minItems", "maxItems"}, {"minProperties", "maxProperties"}} {
		if low, high := limits[pair[0]], limits[pair[1]]; crossed(low, high) {
			return crossing(pair[0], low, pair[1], high)
		}
	}
	for _, low := range []string{"minimum", "exclusiveMinimum"} {
		for _, high := range []string{"maximum", "exclusiveMaximum"} {
			if x, y := limits[low], limits[high]; x != nil && y != nil && f.empty(low, x, high, y) {
				return crossing(low, x, high, y)
			}
		}
	}
	return nil
}

func crossing(least string, low *Limit, most string, high *Limit) *Never {
	return &Never{high.Number.Pos, fmt.Sprintf("%s %s leaves no value with %s %s", most, high.Number.Text, least, low.Number.Text)}
}

// empty reports whether two bounds exclude all numbers of a form's types.
func (f *Form) empty(low string, x *Limit, high string, y *Limit) bool {
	kinds := f.Node.within
	for _, a := range f.Atoms {
		kinds &= kindsOfTypes(a.Types)
	}
	return excludes(x, low == "exclusiveMinimum", y, high == "exclusiveMaximum", kinds&Number)
}

// limits returns the strictest bounds of a form, by keyword.
func (f *Form) limits() map[string]*Limit {
	limits := map[string]*Limit{}
	for _, a := range f.Atoms {
		for _, bound := range []struct {
			keyword string
			number  *schema.Number
			lower   bool
		}{
			{"minLength", a.MinLength, true}, {"maxLength", a.MaxLength, false}, {"minItems", a.MinItems, true}, {"maxItems", a.MaxItems, false},
			{"minProperties", a.MinProperties, true}, {"maxProperties", a.MaxProperties, false},
			{"minimum", a.Minimum, true}, {"maximum", a.Maximum, false},
			{"exclusiveMinimum", a.ExclusiveMinimum, true}, {"exclusiveMaximum", a.ExclusiveMaximum, false},
		} {
			limits[bound.keyword] = tighter(limits[bound.keyword], bound.number, a, bound.lower)
		}
	}
	return limits
}

// memberNever finds a required property for which no value is valid.
func (f *Form) memberNever() *Never {
	if f.Kinds&^Null != Object {
		return nil
	}
	for _, m := range f.Object().Members {
		if !m.Required || !m.Never {
			continue
		}
		for _, a := range f.Atoms {
			if i := slices.IndexFunc(a.Required, func(r schema.Name) bool { return r.Text == m.Name }); i >= 0 {
				return &Never{a.Required[i].Pos, finding.Quote(m.Name) + " is required, but " + f.whyNever(m.Name)}
			}
		}
	}
	return nil
}

// whyNever says why no value of a property is valid.
func (f *Form) whyNever(name string) string {
	forbids := func(s *schema.Schema) bool { return s != nil && s.Bool != nil && !*s.Bool }
	closed := false
	for _, a := range f.Atoms {
		if len(a.PatternProperties) > 0 || slices.ContainsFunc(a.Properties, func(p schema.Property) bool { return p.Name == name }) {
			return "no value of it is valid"
		}
		closed = closed || forbids(a.AdditionalProperties) || forbids(a.UnevaluatedProperties)
	}
	if closed {
		return "it is not among the properties, and unknown properties are forbidden"
	}
	return "no value of it is valid"
}
