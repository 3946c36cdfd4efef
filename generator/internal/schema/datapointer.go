package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
)

// checkPointer checks that a pointer into the event data s leads to a declared string,
// integer or uuid; if the event data is a union, in each branch.
func (l *loader) checkPointer(c *Config, s *Schema, what string, pointer *Name) {
	tokens, _ := pointerTokens(pointer.Text)
	var cases []*place
	if root := newPlace(s); len(tokens) > 0 {
		cases = root.cases(tokens[0], map[*Schema]bool{})
	} else {
		cases = root.branches(map[*Schema]bool{})
	}
	for _, p := range cases {
		l.checkPlace(c, p, what, pointer, tokens)
	}
}

// checkPlace is checkPointer for one case of the event data.
func (l *loader) checkPlace(c *Config, set *place, what string, pointer *Name, tokens []string) {
	pos, data := pointer.Pos, "the event data"
	if set.branch != nil {
		pos, data = set.branch.Pos, "this branch of the event data"
	}
	for i, token := range tokens {
		next := set.step(token)
		if next.broken {
			return // a reference on the way was reported
		}
		if len(next.schemas) == 0 {
			whole := data
			if i > 0 {
				whole = finding.Quote(joinTokens(tokens[:i]))
			}
			if i > 0 && len(set.alternatives) > 0 {
				l.list.Errorf(pos, "bad-pointer", "%s %s: %s is one of several alternatives, and a pointer cannot go through them", what, finding.Quote(pointer.Text), whole).
					SetHint(ThroughUnion(what))
				return
			}
			part := "property " + finding.Quote(token)
			if set.isArray() {
				part = "item " + finding.Quote(token)
			}
			l.list.Errorf(pos, "bad-pointer", "%s %s: %s has no %s", what, finding.Quote(pointer.Text), whole, part).SetHint(set.hint(token))
			return
		}
		set = next
	}
	kind := set.scalar(c.Types)
	if set.broken || kind == "string" || kind == "integer" {
		return
	}
	l.list.Errorf(pos, "bad-pointer", "%s %s refers to %s at %s; it must refer to a string, an integer or a UUID",
		what, finding.Quote(pointer.Text), kind, set.schemas[0].Pos)
}

// ThroughUnion returns the hint for a pointer through a union. what is its member of
// x-outbox.
func ThroughUnion(what string) string {
	hint := "put a property with the same value beside the alternatives' property, and point to it"
	switch what {
	case "aggregate.id":
		hint += "; or remove id from aggregate: the insert functions then take it as a parameter"
	case "key":
		hint += "; or write key: null and pass outbox.WithKey"
	case "correlation":
		hint += "; or remove correlation and pass outbox.WithCorrelationID"
	}
	return hint
}

// place is the schemas that apply at one point of the event data: several if $ref and
// allOf combine them.
type place struct {
	schemas []*Schema
	broken  bool // a reference did not resolve

	// alternatives are the branches of each union. branch is the one chosen in this
	// case of the place.
	alternatives [][]*Schema
	branch       *Schema
}

// cases returns the place with each branch of the union that declares the property
// called name, or the place itself if none does. Branches in seen are skipped.
func (p *place) cases(name string, seen map[*Schema]bool) []*place {
	if len(p.step(name).schemas) > 0 {
		return []*place{p}
	}
	for _, union := range p.alternatives {
		all := p.each(union, seen, func(branch *place) []*place { return branch.cases(name, seen) })
		if slices.ContainsFunc(all, func(p *place) bool { return len(p.step(name).schemas) > 0 }) {
			return all
		}
	}
	return []*place{p}
}

// branches returns the place with each branch of its unions, or the place itself if it
// has none. Branches in seen are skipped.
func (p *place) branches(seen map[*Schema]bool) []*place {
	if len(p.alternatives) == 0 {
		return []*place{p}
	}
	return p.each(p.alternatives[0], seen, func(branch *place) []*place { return branch.branches(seen) })
}

// each returns the place with each branch of a union, as far as inner follows it.
// Branches in seen are skipped.
func (p *place) each(union []*Schema, seen map[*Schema]bool, inner func(*place) []*place) []*place {
	var all []*place
	for _, branch := range union {
		if seen[branch] {
			continue
		}
		seen[branch] = true
		with := newPlace(branch)
		with.branch = branch
		for _, one := range inner(with) {
			one.schemas = append(one.schemas, p.schemas...)
			one.broken = one.broken || p.broken
			all = append(all, one)
		}
	}
	return all
}

// newPlace collects the schemas that apply in place to values of roots. Branches of a
// union of one schema and null count; other unions do not.
func newPlace(roots ...*Schema) *place {
	p := &place{}
	seen := map[*Schema]bool{}
	var add func(s *Schema)
	add = func(s *Schema) {
		if s == nil || seen[s] {
			return
		}
		seen[s] = true
		p.schemas = append(p.schemas, s)
		if s.Ref != nil {
			p.broken = p.broken || s.Ref.Target == nil
			add(s.Ref.Target)
		}
		for _, sub := range s.AllOf {
			add(sub)
		}
		for _, union := range [][]*Schema{s.AnyOf, s.OneOf} {
			branches := slices.DeleteFunc(slices.Clone(union), isNull)
			if len(branches) == 1 {
				add(branches[0])
			}
			if len(branches) > 1 {
				p.alternatives = append(p.alternatives, branches)
			}
		}
	}
	for _, s := range roots {
		add(s)
	}
	return p
}

func isNull(s *Schema) bool {
	return slices.Equal(s.Types, []string{"null"}) || s.Const != nil && s.Const.Kind == Null
}

// step moves to the property called name, or to the item with that index. A property
// that only additionalProperties describes counts, one of patternProperties does not.
func (p *place) step(name string) *place {
	var roots []*Schema
	index, err := strconv.Atoi(name)
	isIndex := err == nil && index >= 0 && strconv.Itoa(index) == name
	for _, s := range p.schemas {
		named := false
		for _, property := range s.Properties {
			if property.Name == name {
				roots, named = append(roots, property.Schema), true
			}
		}
		if rest := s.AdditionalProperties; rest != nil && rest.Bool == nil && !named && len(s.PatternProperties) == 0 {
			roots = append(roots, rest)
		}
		switch {
		case !isIndex:
		case index < len(s.PrefixItems):
			roots = append(roots, s.PrefixItems[index])
		case s.Items != nil && s.Items.Bool == nil:
			roots = append(roots, s.Items)
		}
	}
	next := newPlace(roots...)
	next.broken = next.broken || p.broken && len(roots) == 0
	return next
}

func (p *place) isArray() bool {
	return slices.ContainsFunc(p.schemas, func(s *Schema) bool {
		return slices.Contains(s.Types, "array") || s.Items != nil || s.PrefixItems != nil
	})
}

// hint says why a name may be missing, or returns a similar one.
func (p *place) hint(name string) string {
	var names []string
	for _, s := range p.schemas {
		for _, property := range s.Properties {
			names = append(names, property.Name)
		}
	}
	switch near := finding.DidYouMean(name, names); {
	case near != "":
		return near
	case p.isArray():
		return "it is an array: use the index of an item that its schema describes, 0 for the first"
	case len(p.alternatives) > 0:
		return "it is one of several alternatives; a pointer must be valid for every event"
	}
	return ""
}

// scalar returns "string" or "integer" for a value that fits a column, else a
// description of the value. types: in the config comes first.
func (p *place) scalar(mappings []TypeMapping) string {
	for _, m := range mappings {
		if slices.ContainsFunc(p.schemas, m.applies) {
			return m.kind()
		}
	}
	var types []string
	known := false
	format := ""
	for _, s := range p.schemas {
		of := s.valueTypes()
		if of != nil {
			types = narrow(types, of, known)
			known = true
		}
		if s.Format != "" {
			format = s.Format
		}
		if s.ContentEncoding != "" {
			format = s.ContentEncoding
		}
	}
	types = slices.DeleteFunc(types, func(t string) bool { return t == "null" })
	switch {
	case !known && len(p.alternatives) > 0:
		return "one of several alternatives"
	case !known:
		return "a value of any type"
	case len(types) == 0:
		return "only null"
	case len(types) > 1:
		return "a value of several types (" + strings.Join(types, ", ") + ")"
	case types[0] == "string" && slices.Contains(notText, format):
		return "a string of the format " + finding.Quote(format) + ", which is not text in Go"
	case types[0] == "string", types[0] == "integer":
		return types[0]
	}
	return TypeText(types[0])
}

// applies reports whether the mapping decides the Go type of s.
func (m TypeMapping) applies(s *Schema) bool { return m.HasFormat(s) || m.Refers(s) }

// kind returns the result of place.scalar for the Go type of the mapping.
func (m TypeMapping) kind() string {
	switch m.Type {
	case "string", "github.com/google/uuid.UUID":
		return "string"
	case "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64", "math/big.Int":
		return "integer"
	}
	return fmt.Sprintf("a value of the Go type %s (%s)", m.Type, m.Pos)
}

// notText are the formats whose strings become a Go type in which one value has several
// texts.
var notText = []string{"date-time", "date", "time", "duration", "byte", "binary", "base64", "base64url", "base16", "base32"}

// valueTypes lists the types that s itself allows; nil if it does not restrict them.
func (s *Schema) valueTypes() []string {
	var values []*Value
	switch {
	case s.Const != nil:
		values = []*Value{s.Const}
	case s.Enum != nil:
		values = s.Enum
	default:
		return slices.Clone(s.Types)
	}
	var types []string
	for _, v := range values {
		name := v.Kind.String()
		if v.Kind == NumberKind && jsonvalue.IsWhole(v.Text) {
			name = "integer"
		}
		if !slices.Contains(types, name) {
			types = append(types, name)
		}
	}
	return types
}

// narrow intersects two sets of types; integer is part of number.
func narrow(have, with []string, known bool) []string {
	if !known {
		return with
	}
	var out []string
	for _, t := range have {
		switch {
		case slices.Contains(with, t):
			out = append(out, t)
		case t == "integer" && slices.Contains(with, "number"):
			out = append(out, "integer")
		case t == "number" && slices.Contains(with, "integer"):
			out = append(out, "integer")
		}
	}
	return out
}
