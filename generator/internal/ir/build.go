package ir

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Build decides the package of a project. What Go cannot say goes to list;
// with an error among it the result is not to be printed. taken holds what
// hand-written files of the package declare already.
func Build(p *schema.Project, taken Declared, list *diag.List) *Package {
	b := &builder{
		project: p,
		list:    list,
		named:   map[*schema.Schema]*Named{},
		merged:  map[*schema.Schema]*schema.Schema{},
		unions:  map[*schema.Schema]*schema.Schema{},
		typed:   map[*schema.Schema]*schema.Schema{},

		copied:        map[*schema.Schema]*schema.Schema{},
		origins:       map[*schema.Schema]map[string]string{},
		parts:         map[*schema.Schema][]*schema.Schema{},
		bared:         map[*schema.Schema]*schema.Schema{},
		collections:   map[*schema.Schema]*collection{},
		unionTypes:    map[*schema.Schema]*Type{},
		ruled:         map[*schema.Schema]string{},
		byKey:         map[string]*Named{},
		keys:          map[string][]*keyed{},
		active:        map[*schema.Schema]bool{},
		owners:        map[*schema.Document]string{},
		titles:        map[*schema.Document]bool{},
		version:       map[*schema.Document]int{},
		flat:          map[*schema.Schema][]*schema.Schema{},
		intersections: map[string]*schema.Schema{},
		combined:      map[*schema.Schema]int{},
	}
	pkg := &Package{Name: p.Config.Package, Service: p.Config.Service}
	for _, e := range p.Events {
		b.own(e)
	}
	for _, e := range p.Events {
		pkg.Events = append(pkg.Events, &Event{Event: e, Data: b.event(e)})
	}
	b.indirect()
	b.endless()
	b.checkNames(pkg)
	b.assignNames(pkg)
	for _, e := range pkg.Events {
		b.paths(e)
	}
	b.assignFiles(pkg)
	b.checkDeclared(pkg, taken)
	return pkg
}

type builder struct {
	project *schema.Project
	list    *diag.List
	named   map[*schema.Schema]*Named
	merged  map[*schema.Schema]*schema.Schema
	unions  map[*schema.Schema]*schema.Schema // a union of one branch, merged with what stands beside it
	typed   map[*schema.Schema]*schema.Schema // listed values beside a union of types, with a list of types
	active  map[*schema.Schema]bool           // being turned into a type

	copied      map[*schema.Schema]*schema.Schema    // what a schema is a copy of that stands nowhere
	origins     map[*schema.Schema]map[string]string // of keywords that a merged schema has from its parts
	parts       map[*schema.Schema][]*schema.Schema  // what a merged schema was merged from, itself first
	bared       map[*schema.Schema]*schema.Schema    // without constraints
	unionTypes  map[*schema.Schema]*Type
	ruled       map[*schema.Schema]string // the keyword of a union beside another one, which is a rule
	collections map[*schema.Schema]*collection
	depth       int // of structs that are being made

	order   []*request // in the order of discovery
	byKey   map[string]*Named
	keys    map[string][]*keyed         // by name
	wrote   int                         // schemas written to compare them
	owners  map[*schema.Document]string // Go name that qualifies types of the file
	titles  map[*schema.Document]bool   // whether its members have titles that repeat their names
	version map[*schema.Document]int    // lowest event version in the file; 0: a library

	flat          map[*schema.Schema][]*schema.Schema // of what intersect made
	intersections map[string]*schema.Schema           // what intersect made, by its parts
	combined      map[*schema.Schema]int              // a number for each of these, and for what they were merged to
	tooMany       bool                                // of these, which was reported
}

// request is a type that wants a name.
type request struct {
	named   *Named
	fixed   string // the name of an event's data, which nothing may take
	wanted  []string
	full    string // of a definition: its whole name, where wanted has only a part or the title
	parent  *Named // of an inline type
	joins   *Named // the union of a branch that says more than its definition, which another type may be
	library bool
	version int
	events  []*schema.Event // that reach it
}

func (b *builder) own(e *schema.Event) {
	doc := e.Schema.Doc
	if v, ok := b.version[doc]; !ok || e.Version < v {
		b.version[doc] = e.Version
		b.owners[doc] = e.GoName
	}
}

func (b *builder) requestOf(n *Named) *request {
	for _, r := range b.order {
		if r.named == n {
			return r
		}
	}
	return nil
}

// context says where a schema stands, for the name of a type written there.
type context struct {
	parent   *Named // nil inside a definition that is not an object
	property string // of the parent, or the name of that definition
	part     string // "item" or "value" inside an array or a map
	ref      *schema.Schema
	joins    *Named
	data     bool // it is the data of the event that parent is, whose title it has
}

// additional stands for the members that no property describes.
const additional = "additional"

// inside is the context of an array's items or a map's values.
func (c context) inside(part string) context {
	if c.ref != nil {
		return context{property: refName(c.ref), part: part}
	}
	c.part = part
	return c
}

// typeOf is the type of a schema. It is never nil.
func (b *builder) typeOf(s *schema.Schema, at context) *Type {
	if target := s.Resolved(); target != nil && b.active[target] && b.unionTypes[target] != nil && b.override(s) == nil {
		return b.union(target, at) // a part of itself, which an interface may be
	}
	if t := b.within(s, at); t != nil {
		return t
	}
	if b.active[s] {
		if !b.tooMany {
			b.list.Add(diag.Finding{
				Pos: s.Pos, ID: "endless-type",
				Message: "this schema is part of itself without an object in between, which has no Go type",
				Hint:    "put the recursion into a property of an object",
			})
		}
		return &Type{}
	}
	b.active[s] = true
	defer delete(b.active, s)
	if t := b.override(s); t != nil {
		return t
	}
	if s.Ref != nil {
		target := s.Resolved()
		if target == nil {
			return &Type{}
		}
		if t := b.override(target); t != nil {
			return t
		}
		if s.OnlyRef() {
			if last := lastRef(s); last != nil && !anonymous(last) {
				at.ref = last
			}
			s = target
		}
	}
	s = b.typesOnly(s)
	if part := sole(s); part != nil {
		return b.typeOf(part, at)
	}
	if t := b.union(s, at); t != nil {
		return t
	}
	inner, nullable := b.withoutNull(s)
	if inner == nil {
		return &Type{}
	}
	if inner != s {
		t := b.typeOf(inner, at)
		if nullable && !t.Nullable {
			clone := *t
			clone.Nullable = true
			t = &clone
		}
		return t
	}
	s = b.merge(s)
	t := b.plain(s, at)
	t.Nullable = t.Nullable || nullable || t.Kind == Any
	return t
}

// lastRef is the target of the last reference in a chain of bare ones.
func lastRef(s *schema.Schema) *schema.Schema {
	for s.Ref != nil && s.OnlyRef() && s.Ref.Target != nil {
		s = s.Ref.Target
	}
	return s
}

// resolve follows bare references and merges combinations.
func (b *builder) resolve(s *schema.Schema) *schema.Schema {
	s = s.Resolved()
	if s == nil {
		return nil
	}
	return b.merge(s)
}

// withoutNull takes the null out of a union of T and null.
func (b *builder) withoutNull(s *schema.Schema) (inner *schema.Schema, nullable bool) {
	unions := slices.DeleteFunc(unionsOf(s), func(u union) bool { return b.constraintOnly(s, u.branches) })
	if slices.Contains(s.Types, "null") && len(s.Types) > 1 && len(unions) == 0 {
		return s, listsNull(s)
	}
	if len(unions) == 0 {
		return s, false
	}
	only := unions[0]
	rest := slices.DeleteFunc(slices.Clone(only.branches), isNull)
	if len(rest) != 1 || len(unions) > 1 {
		b.unsupported(s, only.keyword, "a union of several types")
		return nil, false
	}
	nullable = len(rest) < len(only.branches)
	if s.Ref == nil && !s.SaysMore(only.keyword) {
		return rest[0], nullable
	}
	return b.beside(s, only.keyword, rest[0]), nullable && (len(s.Types) == 0 || slices.Contains(s.Types, "null")) && listsNull(s)
}

// beside is the only branch of a union together with what stands beside the
// union.
func (b *builder) beside(s *schema.Schema, keyword string, branch *schema.Schema) *schema.Schema {
	if both := b.unions[s]; both != nil {
		return both
	}
	rest := *s
	if keyword == "anyOf" {
		rest.AnyOf = nil
	} else {
		rest.OneOf = nil // the other one is a rule
	}
	both := &schema.Schema{
		Pos: s.Pos, Doc: s.Doc, Pointer: s.Pointer, Title: s.Title,
		AllOf: []*schema.Schema{&rest, branch}, At: map[string]diag.Pos{"allOf": s.Pos},
	}
	b.unions[s] = both
	return both
}

// listsNull reports whether null is among the values that a schema lists; one
// that lists none allows it.
func listsNull(s *schema.Schema) bool {
	values := s.Enum
	if s.Const != nil {
		values = []*schema.Value{s.Const}
	}
	return len(values) == 0 || slices.ContainsFunc(values, func(v *schema.Value) bool { return v.Kind == schema.Null })
}

func isNull(s *schema.Schema) bool {
	s = s.Resolved()
	if s == nil {
		return false
	}
	if s.Const != nil {
		return s.Const.Kind == schema.Null
	}
	return len(s.Types) == 1 && s.Types[0] == "null"
}

func isObject(s *schema.Schema) bool {
	return s.Bool == nil && (slices.Equal(s.Types, []string{"object"}) || len(s.Types) == 0 && len(s.Properties) > 0)
}

func (b *builder) unsupported(s *schema.Schema, keyword, what string) {
	b.list.Add(diag.Finding{
		Pos: at(s, keyword), ID: "keyword-not-supported",
		Message: keyword + " is not supported yet: this version has no Go type for " + what,
	})
}

// at is the position of a keyword under any of its spellings.
func at(s *schema.Schema, keyword string) diag.Pos {
	for _, name := range append([]string{keyword}, spellings[keyword]...) {
		if pos, ok := s.At[name]; ok {
			return pos
		}
	}
	return s.Pos
}

var spellings = map[string][]string{
	"prefixItems":       {"items"},
	"dependentRequired": {"dependencies"},
	"dependentSchemas":  {"dependencies"},
}

// fill makes the fields of a struct.
func (b *builder) fill(n *Named, s *schema.Schema) {
	n.Doc, n.Deprecated = s.Description, s.Deprecated
	n.MinProperties, n.MaxProperties = b.count(s.MinProperties), b.count(s.MaxProperties)
	names := newFieldNames()
	for _, p := range b.described(s) {
		if p.Schema.Bool != nil && !*p.Schema.Bool {
			b.list.Warnf(p.Pos, "property-never-valid", "no value of %q is valid; it is left to the unknown members", p.Name)
			continue
		}
		f := &Field{JSON: p.Name, Pos: p.Pos}
		f.Required = slices.ContainsFunc(s.Required, func(r schema.Name) bool { return r.Text == p.Name })
		f.Type = b.typeOf(p.Schema, context{parent: n.whose(p), property: p.Name})
		b.annotate(f, p.Schema)
		b.checkDefault(f, p.Schema)
		f.Name = names.field(p.Name, f.Default != nil)
		n.Fields = append(n.Fields, f)
	}
	for _, r := range s.Required {
		if !slices.ContainsFunc(n.Fields, func(f *Field) bool { return f.JSON == r.Text }) {
			n.Fields = append(n.Fields, &Field{JSON: r.Text, Name: names.field(r.Text, false), Pos: r.Pos, Required: true, Type: b.undescribed(n, s, r)})
		}
	}
	for _, m := range b.mentions(s) {
		if i := slices.IndexFunc(n.Fields, func(f *Field) bool { return f.JSON == m.name }); i >= 0 {
			n.Fields[i].Type = b.mentioned(n, m, true) // required, and nothing else of the schema itself
			continue
		}
		f := &Field{JSON: m.name, Name: names.field(m.name, false), Pos: m.pos, Type: b.mentioned(n, m, false)}
		f.Conditional = f.Type.Kind != Any
		n.Fields = append(n.Fields, f)
	}
	n.Rules = b.rulesOf(s)
	n.Origins = b.origins[s]
	n.UnknownName, n.ExtraName = "Unknown", "Additional"
	switch extra := b.restMembers(s); {
	case extra == nil:
	case extra.Bool != nil:
		n.Closed = closes(s)
	default:
		if t := b.typeOf(extra, context{parent: n, property: additional}); t.Kind != Any {
			n.Extra = t
		}
	}
	b.fillMatching(n, s, names)
}

// annotate takes over what stands beside a reference, or else what its target
// says: description, default. The description of a named type stands
// at the type.
func (b *builder) annotate(f *Field, s *schema.Schema) {
	for s != nil {
		if f.Doc == "" {
			f.Doc = s.Description
		}
		f.Deprecated = f.Deprecated || s.Deprecated
		if f.Default == nil {
			f.Default = s.Default
		}
		part := sole(s)
		for _, p := range s.AllOf {
			if part != nil && p != part {
				f.Doc, f.Deprecated = first(f.Doc, p.Description), f.Deprecated || p.Deprecated
				if f.Default == nil {
					f.Default = p.Default
				}
			}
		}
		if branches := slices.Concat(s.AnyOf, s.OneOf); part == nil && s.Ref == nil {
			if branches = slices.DeleteFunc(branches, isNull); len(branches) == 1 {
				part = branches[0]
			}
		}
		switch {
		case f.Type.Named != nil:
			s = nil
		case part != nil:
			s = part
		case s.Ref != nil:
			s = s.Ref.Target
		default:
			s = nil
		}
	}
	if f.Default != nil && f.Default.Kind == schema.Null {
		f.Default = nil // as good as absent to every reader
	}
}

// indirect marks the fields through which a struct would hold itself.
func (b *builder) indirect() {
	for _, r := range b.order {
		for _, f := range r.named.Fields {
			if f.Type.Kind == Struct && byValue(f) && reaches(f.Type.Named, r.named, map[*Named]bool{}) {
				clone := *f.Type
				clone.Indirect = true
				f.Type = &clone
			}
		}
	}
}

// byValue reports whether the field's Go type may contain its struct itself,
// not a pointer to it.
func byValue(f *Field) bool {
	return f.Type.Kind == Struct && !f.Type.Indirect && f.Required != f.Type.Nullable
}

func reaches(from, to *Named, seen map[*Named]bool) bool {
	if from == to {
		return true
	}
	if seen[from] {
		return false
	}
	seen[from] = true
	for _, f := range from.Fields {
		if byValue(f) && reaches(f.Type.Named, to, seen) {
			return true
		}
	}
	return false
}
