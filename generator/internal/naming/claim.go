package naming

import (
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Context says where a type is used, for its name.
type Context struct {
	Parent   *ir.Named      // nil inside a definition that is not an object
	Property string         // of the parent, or the name of that definition
	Part     string         // "item" or "value" inside an array or a map, "member" of a pattern
	Ref      *schema.Schema // the target of the reference
	Of       *schema.Schema // alone describes the property, and is not in the schema of Parent; nil: none
	Joins    *ir.Named      // the union, for a branch with more than its definition
	Data     bool           // it is the data of the event Parent, whose title it has
	Kind     string         // the JSON type, for a schema that is split by types
}

// Additional stands for the properties that are not declared.
const Additional = "additional"

// Inside returns the context of an array's items or a map's values.
func (c Context) Inside(part string) Context {
	if c.Ref != nil {
		return Context{Property: RefName(c.Ref), Part: part}
	}
	c.Part = part
	return c
}

// whole reports whether c is for event data itself, not its items or values.
func (c Context) whole() bool { return c.Data && c.Part == "" }

// Claim is a type that needs a name.
type Claim struct {
	Named *ir.Named
	Fixed string // the name of an event's data, which is reserved

	wanted  []string
	word    string    // of a property of a shared schema: what follows the name of that schema
	full    string    // of a definition: its full name, if wanted has only a part or the title
	parent  *ir.Named // of an inline type
	joins   *ir.Named
	doc     *schema.Document // the file of the type
	library bool
	version int
	events  []*schema.Event // events that use it
}

// dataPlace is where the data of an event is described.
type dataPlace struct {
	doc     *schema.Document
	pointer string
}

// Scheme is what the names of a project depend on.
type Scheme struct {
	project *schema.Project
	owners  map[*schema.Document]string // Go name that qualifies types of the file
	events  map[dataPlace]string        // Go names of the events, by the place of their data
	version map[*schema.Document]int    // lowest event version in the file; 0: a library
	titles  map[*schema.Document]bool   // whether its properties have titles that repeat their names
	keys    map[string][]*keyed         // by name
	wrote   int                         // number of schemas written to compare them
}

// NewScheme returns the scheme of a project.
func NewScheme(p *schema.Project) *Scheme {
	n := &Scheme{
		project: p, owners: map[*schema.Document]string{}, events: map[dataPlace]string{}, version: map[*schema.Document]int{},
		titles: map[*schema.Document]bool{}, keys: map[string][]*keyed{},
	}
	for _, e := range p.Events {
		doc := e.Schema.Doc
		n.events[dataPlace{doc, e.Schema.Pointer}] = e.GoName
		if v, ok := n.version[doc]; !ok || e.Version < v {
			n.version[doc] = e.Version
			n.owners[doc] = e.GoName
		}
	}
	return n
}

// owner returns the Go name that qualifies a type: that of the event in whose data it is
// written, or else that of its file.
func (n *Scheme) owner(s *schema.Schema) string {
	for pointer := s.Pointer; pointer != ""; pointer = pointer[:strings.LastIndexByte(pointer, '/')] {
		if name := n.events[dataPlace{s.Doc, pointer}]; name != "" {
			return name
		}
	}
	return n.owners[s.Doc]
}

// Data returns the claim of the data of an event.
func (n *Scheme) Data(data *ir.Named, e *schema.Event) *Claim {
	return &Claim{Named: data, Fixed: e.GoName, wanted: []string{e.GoName}, doc: data.Schema.Doc, version: e.Version}
}

// BeData turns the claim of a definition into that of the data of an event.
func (c *Claim) BeData(e *schema.Event) {
	c.Fixed, c.wanted, c.parent = e.GoName, []string{e.GoName}, nil
}

// BeValue turns the claim of a union into that of an event's value.
func (c *Claim) BeValue(holder *ir.Named) {
	c.wanted, c.full, c.parent = []string{"Value"}, "", holder
}

// Move changes the parent of the types that were named after from.
func (c *Claim) Move(from, to *ir.Named) {
	if c.parent == from {
		c.parent = to
	}
	if c.Named.Parent == from {
		c.Named.Parent = to
	}
	if c.joins == from {
		c.joins = to
	}
}

// Claim computes the wanted name of a type.
func (n *Scheme) Claim(named *ir.Named, at Context) *Claim {
	s := named.Schema
	title := n.title(s, at)
	if at.Ref == nil && title == "" && !at.whole() {
		named.Parent, named.Role = at.Parent, at.role()
	}
	doc := s.Doc
	if at.Joins != nil {
		doc = at.Joins.Schema.Doc
	}
	c := &Claim{Named: named, doc: doc, version: n.version[doc], library: n.version[doc] == 0, joins: at.Joins}
	word := at.Property
	switch {
	case at.Part != "" && at.Data:
		word = at.Part
	case at.Part != "":
		word = singular(word, at.Part)
	}
	short := goname.Exported(word)
	switch {
	case title != "":
		short = goname.Title(title)
	case at.Ref != nil:
		short = goname.Exported(RefName(at.Ref))
	case n.sharing(at) != "":
		host := n.sharing(at)
		named.Parent, named.Role, named.SharedBy = nil, at.role(), host
		c.word, short = short, host+short
	case at.Parent != nil:
		c.parent, c.wanted = at.Parent, []string{short}
		if at.Part != "" {
			c.wanted = append(c.wanted, goname.Exported(at.Property+"_"+at.Part))
		}
		return c
	}
	owner := n.owner(s)
	if owner == "" {
		owner = goname.Exported(stem(s.Doc.Path))
	}
	c.wanted = []string{short}
	if named.SharedBy != "" && at.Part != "" { // a property may have the singular of this name
		c.wanted = append(c.wanted, named.SharedBy+goname.Exported(at.Property+"_"+at.Part))
	}
	c.wanted = append(c.wanted, owner+short, owner+short+"Type")
	if at.Ref != nil && at.Ref.Pointer != "" {
		if full := goname.Exported(lastToken(at.Ref)); full != short {
			c.full = full
		}
	}
	return c
}

// sharing returns the name of the schema that shares a property with those that refer to
// it, by which the type of the property is called, whoever uses it: a file or a
// definition, by its title or its own name. It is "" for any other property.
func (n *Scheme) sharing(at Context) string {
	of := at.Of
	if of == nil || at.Parent == nil {
		return ""
	}
	if event := n.events[dataPlace{of.Doc, of.Pointer}]; event != "" {
		return event
	}
	if !isDefinition(of.Pointer) || n.version[of.Doc] != 0 { // each event may have a copy of its own
		return ""
	}
	if of.Title != "" {
		return goname.Title(of.Title)
	}
	return goname.Exported(RefName(of))
}

// isDefinition reports whether a pointer is that of a file or of a definition.
func isDefinition(pointer string) bool {
	tokens := strings.Split(pointer, "/")
	if len(tokens) < 3 {
		return pointer == ""
	}
	return slices.Contains([]string{"$defs", "definitions", "schemas"}, tokens[len(tokens)-2])
}

// title returns the title of s if it is usable as a type name. Tools that give every
// property a title repeat its name there: that is not the name of a type, because other
// properties may have it too.
func (n *Scheme) title(s *schema.Schema, at Context) string {
	if at.whole() || at.Kind != "" {
		return ""
	}
	if class, ok := strings.CutPrefix(s.ID, "urn:jsonschema:"); ok && s.Title == "" {
		return class[strings.LastIndexByte(class, ':')+1:] // Jackson's name for a class
	}
	if at.sameTitle(s) {
		return ""
	}
	if s.Title == "" || at.Ref != nil || at.Property == "" {
		return s.Title
	}
	title := goname.Exported(s.Title)
	for _, repeated := range []string{at.Property, at.Property + "_" + at.Part, singular(at.Property, at.Part)} {
		if title == goname.Exported(repeated) && (strings.Contains(s.Title, " ") || n.repeats(s.Doc)) {
			return ""
		}
	}
	return s.Title
}

// sameTitle reports whether a branch has the title of its union, which does not
// distinguish it.
func (c Context) sameTitle(s *schema.Schema) bool {
	return c.Parent != nil && c.Parent.Union != nil && s != c.Parent.Schema && s.Title == c.Parent.Schema.Title
}

// repeats reports whether a file gives titles to properties without own types, which
// nobody writes for the sake of a name.
func (n *Scheme) repeats(doc *schema.Document) bool {
	known, ok := n.titles[doc]
	if ok {
		return known
	}
	seen := map[*schema.Schema]bool{}
	var inside func(s *schema.Schema) bool
	inside = func(s *schema.Schema) bool {
		if s == nil || seen[s] {
			return false
		}
		seen[s] = true
		for _, p := range s.Properties {
			if sub := p.Schema; sub.Title != "" && len(sub.Properties) == 0 && sub.Enum == nil && sub.Const == nil && goname.Exported(sub.Title) == goname.Exported(p.Name) {
				return true
			}
			if inside(p.Schema) {
				return true
			}
		}
		for _, p := range s.Defs {
			if inside(p.Schema) {
				return true
			}
		}
		return inside(s.Items)
	}
	known = inside(doc.Root)
	n.titles[doc] = known
	return known
}

// role returns the place for a comment.
func (c Context) role() string {
	role := "the property " + strconv.Quote(c.Property)
	switch {
	case c.Data:
		role = "the value"
	case c.Property == Additional:
		role = "the additional properties"
	}
	switch c.Part {
	case "item":
		return "the items of " + role
	case "value":
		return "the values of " + role
	case "member":
		return "the properties whose names match a pattern"
	}
	return role
}

// RefName returns the name for a reference's target: the name of its definition, or of
// its file. Of a dotted name only the last part counts, also inside the brackets of a
// generic one: com.acme.Page<com.acme.Item> is Page Item.
func RefName(target *schema.Schema) string {
	if target.Pointer == "" {
		return stem(target.Doc.Path)
	}
	parts := strings.FieldsFunc(lastToken(target), func(r rune) bool { return strings.ContainsRune("<>[](),« »", r) })
	for i, part := range parts {
		for _, cut := range []string{".", "/"} {
			if at := strings.LastIndex(part, cut); at >= 0 && at+1 < len(part) && (part[at+1] < '0' || part[at+1] > '9') {
				part = part[at+1:]
			}
		}
		parts[i] = part
	}
	if len(parts) == 0 {
		return lastToken(target)
	}
	return strings.Join(parts, " ")
}

// Anonymous reports whether the name of a definition is a number, as Zod writes it for
// definitions that exist only for recursion.
func Anonymous(target *schema.Schema) bool {
	number, ok := strings.CutPrefix(lastToken(target), "__schema")
	_, err := strconv.Atoi(number)
	return ok && err == nil && target.Title == ""
}

// Branch returns the definition that a branch of a union stands for: the last one of a
// chain of references that say nothing else. nil: none, or one without a name.
func Branch(s *schema.Schema) *schema.Schema {
	if to := s.Resolved(); to != nil && to != s && !Anonymous(to) {
		return to
	}
	return nil
}

// Tags returns the values by which a discriminator chooses a definition: those that its
// mapping has for it, or else its name. None for nil.
func Tags(d *schema.Discriminator, definition *schema.Schema) []*schema.Value {
	if definition == nil {
		return nil
	}
	var values []*schema.Value
	for i, target := range d.Targets {
		if target.Resolved() == definition {
			values = append(values, &schema.Value{Pos: d.Mapping[i].Pos, Kind: schema.String, Text: d.Mapping[i].Text})
		}
	}
	if len(values) == 0 {
		values = append(values, &schema.Value{Pos: d.PropertyName.Pos, Kind: schema.String, Text: RefName(definition)})
	}
	return values
}

// lastToken returns the name of a definition as written.
func lastToken(target *schema.Schema) string {
	name := target.Pointer[strings.LastIndexByte(target.Pointer, '/')+1:]
	return schema.UnescapeToken(name)
}
