package emit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
)

// named prints the declaration of a type.
func (c *coder) named(n *ir.Named) (string, error) {
	switch {
	case len(n.Enum) > 0:
		return c.enum(n)
	case n.Union != nil && n.Union.Raw:
		return c.rawUnion(n)
	case n.Union != nil:
		return c.union(n)
	case n.Holds != nil:
		return c.holder(n)
	case n.Of != nil:
		return c.branch(n)
	}
	return c.structure(n)
}

type enumView struct {
	Doc        []string
	Name, Base string
	About      string // the constants
	Values     []ir.EnumValue
	Method     string // reports whether a value is listed
	MethodDoc  string
	Listed     []string // the statements of that method
	Methods    []string // those of a union's branch
}

func (c *coder) enum(n *ir.Named) (string, error) {
	view := enumView{Doc: typeDoc(n), Name: n.Name, Base: "string", Values: n.Enum}
	switch n.Base {
	case ir.Int:
		view.Base = "int64"
	case ir.Float:
		view.Base = "float64"
	case ir.JSON:
		view.Doc = append(view.Doc, "")
		view.Doc = append(view.Doc, comment("It holds the value as JSON, without spaces: a string has its quotes.")...)
		view.Values = slices.Clone(n.Enum)
		for i, v := range view.Values {
			if text, err := strconv.Unquote(v.Literal); err == nil {
				view.Values[i].Literal = raw(text)
			}
		}
	}
	view.About, view.Method, view.MethodDoc = "The values of "+n.Name+".", "Valid", "Valid reports whether the schema lists the value."
	if n.Open != nil {
		view.About = "Values of " + n.Name + ", which may have others too."
		view.Method, view.MethodDoc = "Known", "Known reports whether the schema lists the value; others are allowed as well."
	}
	var cases []string
	for _, v := range n.Enum {
		cases = append(cases, v.Name)
	}
	separator := ", "
	if len(strings.Join(cases, separator)) > 100 {
		separator = ",\n"
	}
	view.Listed = []string{"switch v {", "case " + strings.Join(cases, separator) + ":", "return true", "}", "return false"}
	if compared := "return v == " + strings.Join(cases, " || v == "); len(compared) <= maxComparison {
		view.Listed = []string{compared}
	}
	if c.branches[n] {
		c.imports[wirePath] = ""
		t := enumType(n)
		view.Methods = []string{marshal, validate, "func (v NAME) encode(e *wire.Encoder) { " + c.write(t, "e", "v") + " }"}
		lines := c.check(t, "v", "", 0)
		if len(lines) == 0 {
			view.Methods = append(view.Methods, nothingToCheck)
			view.Methods[1] = alwaysValid
		} else {
			if n.Place != "" {
				lines = append([]string{"c.Schema(" + quote(n.Place) + ")"}, lines...)
			}
			check := "func (v NAME) check(c *wire.Checker) " + body(oneCheck(lines))
			view.Methods = append(view.Methods, check)
		}
		view.Methods = c.sealing(n, view.Methods)
	}
	return c.execute("enum.tmpl", view)
}

// maxComparison is how long a comparison with each value of an enum may be.
const maxComparison = 110

type structView struct {
	Doc            []string
	Name, Receiver string
	Fields         []fieldView
	Constructor    []linesView
	Defaults       []defaultView
	Methods        []string
	Open, Next     string   // how the properties are iterated
	Loop           []string // reads one member
	Kept           []string // receives what the loop has left
	Encode         []string
	Check          []linesView
}

type fieldView struct {
	Doc             []string
	Name, Type, Tag string
}

// hidden is the tag of a field that is no property.
const hidden = " `json:\"-\"`"

type linesView struct{ Lines []string }

type defaultView struct {
	Name, Type string
	Lines      []string
}

func (c *coder) structure(n *ir.Named) (string, error) {
	c.imports[wirePath] = ""
	if n.Tuple {
		return c.tuple(n)
	}
	view := structView{Doc: c.structDoc(n)}
	var required, cases []string
	for _, f := range n.Fields {
		view.Fields = append(view.Fields, fieldView{Doc: fieldDoc(f), Name: f.Name, Type: c.field(f), Tag: tag(f.JSON, !f.Required)})
		if f.Required {
			required = append(required, f.JSON)
		}
		read := c.readField(f)
		if f.Conditional {
			read = c.readConditional(n, f)
		}
		cases = append(cases, "case "+quote(f.JSON)+":", "v."+f.Name+" = "+read)
		view.Encode = append(view.Encode, c.writeField(f)...)
		if d, ok := c.accessor(f); ok {
			view.Defaults = append(view.Defaults, d)
		}
	}
	view.Open, view.Next = "o := d.Object("+list(required)+")", "o.Next()"
	c.matching(n, &view)
	var rest string
	end := "e.End()"
	conditional := slices.ContainsFunc(n.Fields, func(f *ir.Field) bool { return f.Conditional })
	dropped := !n.Closed && n.Extra == nil && n.UnknownName == ""
	implied := len(cases) > 0 && len(n.Matching) == 0 && !conditional && !dropped // no statement reads the rest
	switch {
	case n.Closed:
		rest = "o.Unexpected()"
		if implied {
			view.Open = "o := d.Closed(" + list(required) + ")"
		}
	case n.Extra != nil:
		doc := comment(n.ExtraName + " has the other properties, by name.")
		view.Fields = append(view.Fields, fieldView{Doc: doc, Name: n.ExtraName, Type: "map[string]" + c.element(n.Extra), Tag: hidden})
		rest = fmt.Sprintf("v.%s = wire.Member(&o, v.%s, %s)", n.ExtraName, n.ExtraName, c.elementReader(n.Extra))
		view.Encode = append(view.Encode, fmt.Sprintf("wire.PutMembers(e, v.%s, %s)", n.ExtraName, c.elementWriter(n.Extra)))
	case n.UnknownName == "":
		rest = "d.Skip()"
	default:
		view.Fields = append(view.Fields, fieldView{Name: n.UnknownName, Type: "wire.Unknown", Tag: hidden})
		rest = "o.Unknown(&v." + n.UnknownName + ")"
		if implied {
			view.Open = "o := d.Open(" + list(required) + ")"
			view.Kept = []string{"v." + n.UnknownName + " = o.Kept"}
		}
		end = "e.EndOpen(v." + n.UnknownName + ")"
	}
	if n.SpellingName != "" {
		view.Fields = append(view.Fields, fieldView{Name: n.SpellingName, Type: "wire.Spelling", Tag: hidden})
		view.Kept = append(view.Kept, "v."+n.SpellingName+" = o.Spelling()")
		view.Encode = append(view.Encode, "e.Spelled(v."+n.SpellingName+")")
	}
	view.Loop = c.match(n, rest)
	switch {
	case implied && n.Extra == nil && len(cases) == 2:
		view.Loop = wrapIf("string(o.Name) == "+quote(n.Fields[0].JSON), cases[1:])
	case implied && n.Extra == nil:
		view.Loop = slices.Concat([]string{"switch string(o.Name) {"}, cases, []string{"}"})
	case len(cases) > 0:
		view.Loop = slices.Concat([]string{"switch string(o.Name) {"}, cases, []string{"default:"}, view.Loop, []string{"}"})
	}
	view.Encode = append(opened(view.Encode), end)
	return c.declare(n, view)
}

// opened returns the statements that write properties, inside an object that they open.
func opened(members []string) []string {
	const name = "e.Name("
	if len(members) > 0 && !strings.HasPrefix(members[0], "if ") && strings.Count(members[0], name) == 1 {
		members[0] = strings.Replace(members[0], name, "e.First(", 1)
		return members
	}
	return append([]string{"e.Begin()"}, members...)
}

// declare prints a type with its methods, once its fields are known.
func (c *coder) declare(n *ir.Named, view structView) (string, error) {
	view.Name, view.Receiver = n.Name, "*"+n.Name
	if c.branches[n] {
		view.Receiver = n.Name
	}
	receiver := strings.Replace(view.Receiver, n.Name, "NAME", 1)
	view.Methods, view.Check = c.checking(n, []string{marshal, validate, unmarshal}, receiver, func() []string { return c.checks(n) })
	view.Methods = c.sealing(n, view.Methods)
	if c.filled[n] {
		view.Constructor = []linesView{{c.constructor(n)}}
	}
	return c.execute("struct.tmpl", view)
}

func (c *coder) structDoc(n *ir.Named) []string {
	e := c.file.Event
	if e == nil || e.Data != n {
		return typeDoc(n)
	}
	return described(n, n.Name+" is the event "+e.Type+".")
}

// described returns the doc comment of a type: what it is, and its description.
func described(n *ir.Named, what string) []string {
	doc := comment(what)
	if about := comment(n.Doc); len(about) > 0 {
		doc = append(append(doc, ""), about...)
	}
	return append(doc, deprecation(n.Deprecated)...)
}

// constructor returns the body of a type's constructor, except the return: of a type with
// constants or defaults, or with a required field of such a type.
func (c *coder) constructor(n *ir.Named) []string {
	var lines []string
	for _, f := range n.Fields {
		v, t := "v."+f.Name, f.Type
		value := t.Const
		if value == nil {
			value = f.Default
		}
		shape := c.shape(f)
		switch {
		case value == nil && shape == plain && t.Kind == ir.Struct && c.filled[t.Named]:
			lines = append(lines, fmt.Sprintf("%s = New%s(%s)", v, t.Named.Name, v))
		case value == nil:
		case t.Const != nil && shape == plain:
			lines = append(lines, v+" = "+c.literal(t, value))
		case shape == plain && t.Kind == ir.Enum && (t.Named.Base == ir.String || t.Named.Base == ir.JSON):
			if l := c.literal(t, value); l != "" {
				lines = append(lines, wrapIf(v+` == ""`, []string{v + " = " + l})...)
			}
		case f.Required:
			// A required value has no unset state that differs from a set one.
		default:
			if l := c.literal(t, value); l != "" {
				lines = append(lines, wrapIf(absent(shape, v), []string{v + " = " + c.wrapped(shape, t, l)})...)
			}
		}
	}
	return lines
}

func absent(s fieldShape, v string) string {
	if s == nullable {
		return v + ".IsZero()"
	}
	return v + " == nil"
}

// wrapped returns a literal in the form of a field.
func (c *coder) wrapped(s fieldShape, t *ir.Type, literal string) string {
	typed := literal
	if t.Kind == ir.Int || t.Kind == ir.Uint || t.Kind == ir.Float || t.Kind == ir.Any {
		typed = c.base(t) + "(" + literal + ")"
	}
	switch s {
	case pointer:
		return "new(" + typed + ")"
	case nullable:
		c.imports[outboxPath] = "outbox"
		return "outbox.Value(" + typed + ")"
	}
	return literal
}

// accessor returns the method for a field's default, which returns it if the field is
// absent.
func (c *coder) accessor(f *ir.Field) (defaultView, bool) {
	if f.Default == nil || f.Required || f.Type.Const != nil {
		return defaultView{}, false
	}
	literal := c.literal(f.Type, f.Default)
	if literal == "" {
		c.list.Warnf(f.Default.Pos, "default-not-used", "the default of %q may not be valid for its Go type; it is not applied", f.JSON)
		return defaultView{}, false
	}
	s, v := c.shape(f), "v."+f.Name
	d := defaultView{Name: f.Name, Type: c.base(f.Type)}
	present := v
	switch s {
	case pointer:
		if !strings.Contains(literal, "(") { // a literal without calls costs nothing if it is not used
			d.Lines = []string{"return wire.Or(" + v + ", " + literal + ")"}
			return d, true
		}
		present = "*" + v
	case nullable:
		d.Type, literal = c.field(f), c.wrapped(s, f.Type, literal)
	}
	d.Lines = append(wrapIf(absent(s, v), []string{"return " + literal}), "return "+present)
	return d, true
}

type eventView struct {
	Var, Name, Params, Event string
	Members                  []memberView
}

type memberView struct{ Name, Value string }

// event prints the description of an event and the functions around it.
func (c *coder) event(e *ir.Event) (string, error) {
	for _, p := range []string{"context", genPath} {
		c.imports[p] = ""
	}
	c.imports[outboxPath] = "outbox"
	view := eventView{Var: ir.EventVar(e.GoName), Name: e.GoName, Event: "data"}
	if e.Consumed {
		return c.consumed(e, view)
	}
	c.imports[pgxPath] = ""
	add := func(name, value string) { view.Members = append(view.Members, memberView{name, value}) }
	add("Type", quote(e.Type))
	add("Topic", quote(e.Topic))
	add("Source", "Service")
	if uri := e.SchemaURI; uri != "" {
		add("SchemaURI", quote(uri))
	}
	if kind := envelopeKind(e); kind != "" {
		add("Envelope", kind)
	}
	add("AggregateType", quote(e.AggregateType))
	if !e.AggregateID.None() {
		add("AggregateID", c.getter(e, e.AggregateID, true))
	} else {
		view.Params = "aggregateID string, "
		view.Event = "outbox.With(data, outbox.WithAggregateID(aggregateID))"
	}
	switch {
	case !e.Keyed:
		add("Unkeyed", "true")
	case !e.Key.None() && e.Key.Pointer != e.AggregateID.Pointer:
		add("Key", c.getter(e, e.Key, true))
	}
	if !e.Correlation.None() {
		add("CorrelationID", c.getter(e, e.Correlation, false))
	}
	if e.CorrelationUUID {
		add("CorrelationUUID", "true")
	}
	if c.asksForValues(e.Data) {
		c.imports[wirePath] = ""
		add("Validate", "func(v *"+e.GoName+") error { return wire.ValidateNew(v, v.check) }")
	}
	if e.Tombstone && c.refuseZero && keyType(e).Kind == ir.UUID {
		add("RefuseZeroKey", "true")
	}
	text, err := c.execute("event.tmpl", view)
	if err != nil || !e.Tombstone {
		return text, err
	}
	tombstone, err := c.tombstone(e, "tombstone.tmpl")
	return text + tombstone, err
}

// envelopeKind returns the constant of an event's envelope; "" for the zero value.
func envelopeKind(e *ir.Event) string {
	switch e.Envelope {
	case "cloudevents":
		return "gen.EnvelopeCloudEvents"
	case "none":
		return "gen.EnvelopeNone"
	}
	return ""
}

// consumed prints the description of an event that another service publishes, and the
// functions that receive it.
func (c *coder) consumed(e *ir.Event, view eventView) (string, error) {
	view.Members = []memberView{{"Type", quote(e.Type)}, {"Topic", quote(e.Topic)}}
	if kind := envelopeKind(e); kind != "" {
		view.Members = append(view.Members, memberView{"Envelope", kind})
	}
	text, err := c.execute("consumed.tmpl", view)
	if err != nil || !e.Tombstone {
		return text, err
	}
	tombstone, err := c.tombstone(e, "consumed_tombstone.tmpl")
	return text + tombstone, err
}

type tombstoneView struct {
	Var, Name, Event string // Name is that of the tombstone's type
	Key              string // its Go type
	Parse, Text      string // read and write it; a consumed event has no Text
}

// tombstone prints the type and the functions for the tombstones of an event.
func (c *coder) tombstone(e *ir.Event, template string) (string, error) {
	view := tombstoneView{Var: ir.EventVar(e.GoName), Name: e.GoName + "Tombstone", Event: e.GoName}
	t := keyType(e)
	view.Key = c.base(t)
	if !e.Consumed { // Text may import a package, which nothing else uses
		view.Text = getting{coder: c}.text("v.Key", ir.Step{Type: t})
	}
	switch {
	case t.Kind == ir.UUID:
		view.Parse = "gen.KeyUUID"
	case t.Kind == ir.Uint:
		view.Parse = "gen.KeyUint"
	case t.Kind == ir.Int, t.Kind == ir.Enum && t.Named.Base == ir.Int:
		view.Parse = "gen.KeyInt[" + view.Key + "]"
	default:
		view.Parse = "gen.KeyString[" + view.Key + "]"
	}
	return c.execute(template, view)
}

// keyType returns the type of an event's key. It is a string if the caller gives the key,
// or if the branches of a union have keys of several types.
func keyType(e *ir.Event) *ir.Type {
	path := e.Key
	if path.None() {
		path = e.AggregateID
	}
	text := &ir.Type{Kind: ir.String}
	if path.Branches == nil {
		if path.None() {
			return text
		}
		return path.Steps[len(path.Steps)-1].Type
	}
	var of *ir.Type
	for _, way := range path.Branches {
		t := way.Steps[len(way.Steps)-1].Type
		if of != nil && (t.Kind != of.Kind || t.Named != of.Named) {
			return text
		}
		of = t
	}
	return of
}

// patterns declares the regular expressions of the file's types.
func (c *coder) patterns() string {
	var b strings.Builder
	seen := map[string]bool{}
	declare := func(p *ir.Pattern) {
		if p != nil && !seen[p.Var] {
			seen[p.Var] = true
			fmt.Fprintf(&b, "var %s = wire.NewPattern(%s)\n\n", p.Var, raw(p.Source))
		}
	}
	for _, n := range c.file.Types {
		for _, t := range n.Parts() {
			declare(t.Pattern)
			declare(t.Keys)
		}
		for _, m := range n.Matching {
			declare(m.Pattern)
		}
	}
	return b.String()
}

// raw returns text as a raw Go string if possible.
func raw(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return r == '`' || r < ' ' || r >= 0x7f }) {
		return quote(text)
	}
	return "`" + text + "`"
}
