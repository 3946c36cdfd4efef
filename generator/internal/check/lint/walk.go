package lint

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// spot is a schema of a listed file, and how the walk came to it.
type spot struct {
	schema *schema.Schema
	// outer is the index of the spot around it in linter.spots, -1 at a root.
	outer int
	// property is the property that the schema is the schema of, nil where it is
	// none.
	property *schema.Property
	// inPlace is whether it holds for the same value as the one around it: a
	// branch of allOf, anyOf or oneOf.
	inPlace bool
	// tests is whether it only tests what is declared elsewhere: it is inside an
	// if, a not, a dependentSchemas or the like.
	tests bool
	// forbids is whether it is inside a not: what it asks for must not be there.
	forbids bool
	// foreign is whether it belongs to an event that another service publishes.
	foreign bool
	// personal is the nearest mark around it or at it; nil: none.
	personal *bool
	// toldPersonal is whether it was found to be personal data without a mark.
	toldPersonal bool
}

// walk lists every schema of the listed files.
func (l *linter) walk() {
	for _, e := range l.project.Events {
		if e != nil && e.Schema != nil {
			l.consumed[e.Schema] = e.Consumed && (l.consumed[e.Schema] || !l.known(e.Schema))
		}
	}
	for _, d := range l.project.Documents {
		for _, root := range d.Roots {
			if d.Listed {
				l.visit(spot{schema: root, outer: -1})
			}
		}
	}
}

// known reports whether s is the schema of an event that was seen before.
func (l *linter) known(s *schema.Schema) bool {
	_, ok := l.consumed[s]
	return ok
}

func (l *linter) visit(sp spot) {
	s := sp.schema
	if s == nil {
		return // what stood there was reported
	}
	if l.known(s) {
		sp.foreign = l.consumed[s]
	}
	if sp.foreign {
		l.foreign[s] = true
	}
	for _, part := range place(s) {
		if part.Marks != nil && part.Marks.Personal != nil {
			sp.personal = part.Marks.Personal
			break
		}
	}
	at := len(l.spots)
	l.spots = append(l.spots, sp)
	if s.Bool != nil {
		return
	}
	inner := spot{outer: at, tests: sp.tests, forbids: sp.forbids, foreign: sp.foreign, personal: sp.personal}
	named := func(properties []schema.Property) {
		for i := range properties {
			next := inner
			next.schema, next.property = properties[i].Schema, &properties[i]
			l.visit(next)
		}
	}
	plain := func(base spot, subs ...*schema.Schema) {
		for _, sub := range subs {
			base.schema = sub
			l.visit(base)
		}
	}
	named(s.Properties)
	for _, p := range s.PatternProperties {
		plain(inner, p.Schema)
	}
	plain(inner, s.AdditionalProperties, s.UnevaluatedProperties, s.Items, s.UnevaluatedItems, s.ContentSchema)
	plain(inner, s.PrefixItems...)
	for _, p := range s.Defs {
		plain(spot{outer: at, tests: sp.tests, foreign: sp.foreign}, p.Schema)
	}
	branch := inner
	branch.inPlace = true
	for _, subs := range [][]*schema.Schema{s.AllOf, s.AnyOf, s.OneOf} {
		plain(branch, subs...)
	}
	branch.tests = true
	plain(branch, s.If, s.Then, s.Else)
	forbidden := branch
	forbidden.forbids = true
	plain(forbidden, s.Not)
	for _, p := range s.DependentSchemas {
		plain(branch, p.Schema)
	}
	tested := inner
	tested.tests = true
	plain(tested, s.PropertyNames, s.Contains)
}

// maxPlace bounds how many schemas of one place are looked at.
const maxPlace = 200

// place returns what holds for the values of s where it stands, s first: what it
// refers to, the parts of its allOf, and the branch of a union whose other
// branches are null.
func place(s *schema.Schema) []*schema.Schema {
	if s.Ref == nil && s.AllOf == nil && s.AnyOf == nil && s.OneOf == nil {
		return []*schema.Schema{s}
	}
	var all []*schema.Schema
	var add func(s *schema.Schema)
	add = func(s *schema.Schema) {
		if s == nil || len(all) == maxPlace || slices.Contains(all, s) {
			return
		}
		all = append(all, s)
		if s.Ref != nil {
			add(s.Ref.Target)
		}
		for _, sub := range s.AllOf {
			add(sub)
		}
		for _, union := range [][]*schema.Schema{s.AnyOf, s.OneOf} {
			var only *schema.Schema
			n := 0
			for _, sub := range union {
				if sub != nil && !isNull(sub) {
					only = sub
					n++
				}
			}
			if n == 1 {
				add(only)
			}
		}
	}
	add(s)
	return all
}

func isNull(s *schema.Schema) bool {
	return len(s.Types) == 1 && s.Types[0] == "null" || s.Const != nil && s.Const.Kind == schema.Null
}

// traits is what a place says about its values, as far as rules ask.
type traits struct {
	all                            []*schema.Schema
	types                          []string // without null; nil: any, or several things
	null                           bool     // null is allowed, and that is said
	format, pattern, listed, fixed bool     // some part has format, pattern, enum, const
	description                    string   // the first
}

func traitsOf(s *schema.Schema) traits {
	t := traits{all: place(s)}
	for _, part := range t.all {
		if t.description == "" {
			t.description = part.Description
		}
		t.format = t.format || part.Format != ""
		t.pattern = t.pattern || part.Pattern != nil
		t.listed = t.listed || part.Enum != nil
		t.fixed = t.fixed || part.Const != nil
		for _, union := range [][]*schema.Schema{part.AnyOf, part.OneOf} {
			t.null = t.null || slices.ContainsFunc(union, func(b *schema.Schema) bool { return b != nil && isNull(b) })
		}
		t.null = t.null || slices.Contains(part.Types, "null") ||
			slices.ContainsFunc(part.Enum, func(v *schema.Value) bool { return len(part.Types) == 0 && v.Kind == schema.Null })
		if t.types == nil {
			for _, name := range part.Types {
				if name != "null" {
					t.types = append(t.types, name)
				}
			}
		}
	}
	return t
}

// only reports whether the values, null aside, are of some of the types given.
func (t traits) only(names ...string) bool {
	return len(t.types) > 0 && !slices.ContainsFunc(t.types, func(name string) bool { return !slices.Contains(names, name) })
}

// owner returns the spot of the object that declares the property of sp.
func (l *linter) owner(sp *spot) *spot { return &l.spots[sp.outer] }

// declared reports whether the object at sp declares a property: itself, by
// what it refers to, or around it where sp is a branch of something.
func (l *linter) declared(sp *spot, name string) bool {
	for {
		for _, part := range place(sp.schema) {
			if declares(part, name) {
				return true
			}
		}
		if !sp.inPlace || sp.outer < 0 {
			return false
		}
		sp = &l.spots[sp.outer]
	}
}

func declares(s *schema.Schema, name string) bool {
	return slices.ContainsFunc(s.Properties, func(p schema.Property) bool { return p.Name == name })
}

// look applies the rules about single schemas.
func (l *linter) look(sp *spot) {
	if !sp.forbids {
		l.required(sp)
	}
	if sp.tests || sp.schema.Bool != nil && (sp.property == nil || !*sp.schema.Bool) {
		return
	}
	l.closed(sp)
	l.enum(sp)
	l.deprecated(sp)
	if sp.property != nil {
		l.property(sp, traitsOf(sp.schema))
	}
}

// events applies the rules about whole events.
func (l *linter) events() {
	for _, e := range l.project.Events {
		if e == nil || e.Schema == nil || e.Consumed {
			continue
		}
		l.eventType(e)
		l.keys(e)
		if !e.Schema.Doc.Listed {
			continue
		}
		if t := traitsOf(e.Schema); t.description == "" && e.Description == "" {
			l.found("event-undescribed", e.Schema, e.Schema.Pos,
				"the event "+e.GoName+" has no description: the schema does not say when it happens", "add description, a sentence that says what happened")
		}
		l.id(e)
	}
}

// at returns the position of a keyword of s, or of s where it does not have that.
func at(s *schema.Schema, keyword string) finding.Pos {
	if pos, ok := s.At[keyword]; ok {
		return pos
	}
	return s.Pos
}
