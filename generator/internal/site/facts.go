package site

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// facts is what a schema and all that it includes say about one value.
type facts struct {
	// parts are the schemas that every value matches: the schema, what it refers to, its
	// allOf, and the branch of a union with null. The outermost is first.
	parts []*schema.Schema
	// unions have the branches of the others.
	unions   []union
	nullable bool
}

// union is an anyOf or oneOf of several branches that allow more than null.
type union struct {
	one      bool // oneOf
	branches []*schema.Schema
	by       *schema.Discriminator // chooses the branch; nil: none does
}

// required returns the names that each branch requires, if they do nothing else: then
// the branches are no variants. nil if they do.
func (u union) required() []string {
	var all []string
	for _, s := range u.branches {
		if s == nil || len(s.Required) == 0 || s.Ref != nil || s.SaysMore("required", "type") {
			return nil
		}
		all = append(all, strings.Join(schema.Texts(s.Required), ", "))
	}
	return all
}

// mostParts limits what one value may be made of.
const mostParts = 200

// gather returns the facts of a schema.
func gather(s *schema.Schema) *facts {
	f := &facts{}
	var null bool
	f.include(s, &null)
	f.nullable = (null || f.stated() || f.enum() != nil) && nulls{}.allowed(s)
	return f
}

func isNull(v *schema.Value) bool { return v.Kind == schema.Null }

// nulls remembers which schemas allow null, because many paths may lead to one of them.
type nulls map[*schema.Schema]bool

// allowed reports whether null matches a schema, as far as its types, values and
// combinations say.
func (n nulls) allowed(s *schema.Schema) bool {
	if s == nil {
		return true
	}
	allowed, known := n[s]
	if !known {
		n[s] = true // a cycle of references has no answer
		allowed = n.decide(s)
		n[s] = allowed
	}
	return allowed
}

func (n nulls) decide(s *schema.Schema) bool {
	switch {
	case s.Bool != nil:
		return *s.Bool
	case len(s.Types) > 0 && !slices.Contains(s.Types, "null"),
		s.Const != nil && !isNull(s.Const),
		s.Enum != nil && !slices.ContainsFunc(s.Enum, isNull),
		s.Ref != nil && !n.allowed(s.Ref.Target):
		return false
	}
	for _, part := range s.AllOf {
		if !n.allowed(part) {
			return false
		}
	}
	for _, branches := range [][]*schema.Schema{s.AnyOf, s.OneOf} {
		if len(branches) > 0 && !slices.ContainsFunc(branches, n.allowed) {
			return false
		}
	}
	return true
}

func (f *facts) include(s *schema.Schema, null *bool) {
	if s == nil || len(f.parts) >= mostParts || slices.Contains(f.parts, s) {
		return
	}
	f.parts = append(f.parts, s)
	if s.Ref != nil {
		f.include(s.Ref.Target, null)
	}
	for _, part := range s.AllOf {
		f.include(part, null)
	}
	for i, branches := range [][]*schema.Schema{s.OneOf, s.AnyOf} {
		var others []*schema.Schema
		for _, branch := range branches {
			if onlyNull(branch) {
				*null = true
			} else {
				others = append(others, branch)
			}
		}
		switch {
		case len(others) == 1:
			f.include(others[0], null)
		case len(others) > 1:
			f.unions = append(f.unions, union{one: i == 0, branches: others, by: s.Discriminator})
		}
	}
}

func onlyNull(s *schema.Schema) bool {
	s = s.Resolved()
	return s != nil && (len(s.Types) == 1 && s.Types[0] == "null" || s.Const != nil && isNull(s.Const))
}

// stated reports whether some part has a type.
func (f *facts) stated() bool {
	return slices.ContainsFunc(f.parts, func(s *schema.Schema) bool { return len(s.Types) > 0 })
}

// types returns the JSON types that all parts allow. null is among them only if it is
// the only one. None: no part has a type, or no value has the types of all parts.
func (f *facts) types() []string {
	if !f.stated() {
		return withoutNull(f.implied())
	}
	var all []string
	first := true
	for _, s := range f.parts {
		if len(s.Types) == 0 {
			continue
		}
		if first {
			all, first = slices.Clone(s.Types), false
			continue
		}
		var both []string
		for _, name := range all {
			switch {
			case slices.Contains(s.Types, name), name == "integer" && slices.Contains(s.Types, "number"):
				both = append(both, name)
			case name == "number" && slices.Contains(s.Types, "integer"):
				both = append(both, "integer")
			}
		}
		all = both
	}
	return withoutNull(all)
}

func withoutNull(types []string) []string {
	if len(types) <= 1 {
		return types
	}
	return slices.DeleteFunc(types, func(name string) bool { return name == "null" })
}

// implied returns the types that the values or keywords of a schema without a type
// have.
func (f *facts) implied() []string {
	var all []string
	add := func(name string) {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	for _, v := range f.enum() {
		add(v.Kind.String())
	}
	if len(all) > 0 {
		return all
	}
	for _, s := range f.parts {
		switch {
		case len(s.Properties) > 0, len(s.Required) > 0, len(s.PatternProperties) > 0, s.AdditionalProperties != nil:
			add("object")
		case s.Items != nil, len(s.PrefixItems) > 0:
			add("array")
		case s.MinLength != nil, s.MaxLength != nil, s.Pattern != nil, s.Format != "":
			add("string")
		case s.Minimum != nil, s.Maximum != nil, s.ExclusiveMinimum != nil, s.ExclusiveMaximum != nil:
			add("number")
		}
	}
	return all
}

// enum returns the values that are allowed; nil: any.
func (f *facts) enum() []*schema.Value {
	for _, s := range f.parts {
		if s.Const != nil {
			return []*schema.Value{s.Const}
		}
	}
	var all []*schema.Value
	for _, s := range f.parts {
		switch {
		case s.Enum == nil:
		case all == nil:
			all = s.Enum
		default:
			both := []*schema.Value{}
			for _, v := range all {
				if slices.ContainsFunc(s.Enum, func(other *schema.Value) bool { return other.Canonical() == v.Canonical() }) {
					both = append(both, v)
				}
			}
			all = both
		}
	}
	return all
}

// enumName returns the name of a value of an enum, or "".
func (f *facts) enumName(v *schema.Value) string {
	for _, s := range f.parts {
		if name := s.EnumNames[v.Canonical()]; name != "" {
			return name
		}
	}
	return ""
}

// first returns the first text of the parts, the outermost first.
func (f *facts) first(of func(*schema.Schema) string) string {
	for _, s := range f.parts {
		if text := of(s); strings.TrimSpace(text) != "" {
			return text
		}
	}
	return ""
}

func (f *facts) any(is func(*schema.Schema) bool) bool { return slices.ContainsFunc(f.parts, is) }

func (f *facts) requires(name string) bool {
	return f.any(func(s *schema.Schema) bool { return s.Requires(name) })
}

// forbidden reports whether no value is allowed.
func (f *facts) forbidden() bool {
	return f.any(func(s *schema.Schema) bool { return s.Bool != nil && !*s.Bool })
}

// typeWords names the type of a value.
func (f *facts) typeWords(depth int) string {
	const deepest = 4
	types := f.types()
	switch {
	case f.forbidden():
		return "no value"
	case len(types) == 0 && f.stated():
		return "no value"
	case len(types) == 0 && len(f.unions) > 0:
		return f.unionWords(depth)
	case len(types) == 0:
		return "any value"
	}
	names := make([]string, len(types))
	for i, name := range types {
		switch {
		case name == "array" && depth < deepest:
			names[i] = f.arrayWords(depth)
		case name == "object":
			names[i] = "object"
			if title := f.title(); title != "" {
				names[i] += " " + shorten(title, 60)
			} else if f.isMap() {
				names[i] = "map" + f.entryWords(depth)
			}
		case name == "string" && f.format() != "":
			names[i] = "string (" + shorten(f.format(), 60) + ")"
		default:
			names[i] = name
		}
	}
	return strings.Join(names, " or ")
}

func (f *facts) unionWords(depth int) string {
	var names []string
	for _, u := range f.unions {
		if u.required() != nil {
			return "object"
		}
		for _, branch := range u.branches {
			name := "a variant"
			if depth < 2 {
				name = gather(branch).typeWords(depth + 2)
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	const most = 4
	if len(names) > most {
		names = append(names[:most], "others")
	}
	return strings.Join(names, " or ")
}

// title returns the title that names the type: not that of the place where it is used.
func (f *facts) title() string {
	for _, s := range slices.Backward(f.parts) {
		if s.Title != "" {
			return s.Title
		}
	}
	return ""
}

func (f *facts) format() string {
	return f.first(func(s *schema.Schema) string { return s.Format })
}

// isMap reports whether an object has only entries that it does not name.
func (f *facts) isMap() bool {
	return !f.any(func(s *schema.Schema) bool { return len(s.Properties) > 0 }) &&
		f.any(func(s *schema.Schema) bool {
			return s.AdditionalProperties != nil && (s.AdditionalProperties.Bool == nil || *s.AdditionalProperties.Bool) || len(s.PatternProperties) > 0
		})
}

// entryWords says what the entries of a map are.
func (f *facts) entryWords(depth int) string {
	const deepest = 4
	for _, s := range f.parts {
		if entries := s.AdditionalProperties; entries != nil && entries.Bool == nil && depth < deepest {
			return " of " + gather(entries).typeWords(depth+1)
		}
	}
	return ""
}

func (f *facts) arrayWords(depth int) string {
	if f.any(func(s *schema.Schema) bool { return len(s.PrefixItems) > 0 }) {
		return "array with fixed places"
	}
	for _, s := range f.parts {
		if s.Items != nil && s.Items.Bool == nil {
			return "array of " + gather(s.Items).typeWords(depth+1)
		}
	}
	return "array"
}
