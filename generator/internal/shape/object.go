package shape

import (
	"cmp"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// object returns the type of an object: a struct, a map, or free-form.
func (b *builder) object(f *normal.Form, at naming.Context) *ir.Type {
	if n := b.named[f.Node]; n != nil && len(n.Enum) == 0 && n.Of == nil {
		return &ir.Type{Kind: ir.Struct, Named: n} // event data is a struct, even if it could be a map
	}
	o := f.Object()
	if everyMemberMatches(o) {
		return b.collect(f, at, func() *ir.Type { return b.matchingMap(f, at) })
	}
	if len(o.Members) > 0 || o.Closed || len(known(o.Patterns)) > 0 || len(b.mentions(f)) > 0 {
		return &ir.Type{Kind: ir.Struct, Named: b.structOf(f, at)}
	}
	return b.collect(f, at, func() *ir.Type { return b.mapOf(f, at) })
}

// mapOf returns the type of an object whose properties all have one type.
func (b *builder) mapOf(f *normal.Form, at naming.Context) *ir.Type {
	form, o := f.Object(), b.originsOf(f.Node)
	t := &ir.Type{
		Kind:          ir.Object,
		MinProperties: o.count("minProperties", form.MinProperties), MaxProperties: o.count("maxProperties", form.MaxProperties),
	}
	b.warnPatterns(form)
	if form.Rest != nil {
		if elem := b.shallow(b.typeOf(form.RestSchemas, form.Rest, at.Inside("value")), form.Rest); elem.Kind != ir.Any || elem.Rules != nil {
			t.Kind, t.Elem = ir.Map, elem
		}
	}
	t.Origins = o.all
	return t
}

// structOf returns the struct of an object or a tuple, built once.
func (b *builder) structOf(f *normal.Form, at naming.Context) *ir.Named {
	if n := b.named[f.Node]; n != nil {
		return n
	}
	s := f.Node.Primary()
	key := "struct " + b.scheme.Key(f.Node, s, at)
	if n := b.byKey[key]; n != nil {
		b.named[f.Node] = n
		return n
	}
	n := &ir.Named{Schema: s}
	b.byKey[key] = n
	if at.Joins != nil {
		b.joins[n] = at.Joins
	}
	b.begin(n, f)
	b.claim(n, at)
	b.fillStruct(n, f)
	if at.Kind != "" {
		n.Doc, n.Deprecated = "", false
	}
	return n
}

// begin records the node of a declared type before its parts are built.
func (b *builder) begin(n *ir.Named, f *normal.Form) {
	b.named[f.Node], b.inside[n] = n, f.Node
}

// fillStruct builds the fields of an object or a tuple.
func (b *builder) fillStruct(n *ir.Named, f *normal.Form) {
	b.depth++
	defer func() { b.depth-- }()
	n.Doc, n.Deprecated = about(f)
	if f.Kinds.Has(normal.Array) {
		b.fillTuple(n, f)
	} else {
		b.fill(n, f)
	}
}

// about returns the description of a form: of the schema that it is named after, or
// else the first description among its references and parts.
func about(f *normal.Form) (doc string, deprecated bool) {
	for _, s := range f.Node.Named() {
		doc = cmp.Or(doc, s.Description)
		deprecated = deprecated || s.Deprecated
	}
	return doc, deprecated
}

func (b *builder) fill(n *ir.Named, f *normal.Form) {
	form, o := f.Object(), b.originsOf(f.Node)
	n.MinProperties, n.MaxProperties = o.count("minProperties", form.MinProperties), o.count("maxProperties", form.MaxProperties)
	mentions := b.mentions(f)
	for _, m := range form.Members {
		i := slices.IndexFunc(mentions, func(o *mention) bool { return o.name == m.Name })
		switch {
		case m.Never:
			b.warnNever(f, m)
		case !m.Described && i >= 0:
			n.Fields = append(n.Fields, &ir.Field{JSON: m.Name, Pos: m.Pos, Required: true, Type: b.anyMember(mentions[i])})
		case !m.Described:
			n.Fields = append(n.Fields, &ir.Field{JSON: m.Name, Pos: m.Pos, Required: true, Type: b.undescribed(n, f, m)})
		default:
			n.Fields = append(n.Fields, b.field(n, m))
		}
	}
	for _, m := range mentions {
		if form.Member(m.name) != nil {
			continue
		}
		field := &ir.Field{JSON: m.name, Pos: m.pos, Type: b.mentioned(n, m)}
		field.Conditional = field.Type.Kind != ir.Any
		n.Fields = append(n.Fields, field)
	}
	n.Rules = b.rulesOf(f.Residues())
	n.Origins = o.all
	if n.Closed = form.Closed; n.Closed {
		b.warnNeverValid(form.Rest)
	}
	if form.Rest != nil && !form.Closed {
		if t := b.typeOf(form.RestSchemas, form.Rest, naming.Context{Parent: n, Property: naming.Additional}); t.Kind != ir.Any || t.Rules != nil {
			n.Extra = t
		}
	}
	b.fillMatching(n, f)
}

func (b *builder) field(n *ir.Named, m normal.Member) *ir.Field {
	f := &ir.Field{JSON: m.Name, Pos: m.Pos, Required: m.Required}
	f.Type = b.typeOf(m.Schemas, m.Node, naming.Context{Parent: b.whose(n, m), Property: m.Name, Of: b.sharedBy(n, m)})
	for _, s := range m.Schemas {
		b.annotate(f, s)
	}
	b.checkDefault(f)
	return f
}

// whose returns the type that a property belongs to. For a property next to a union,
// that is the union and not the branch.
func (b *builder) whose(n *ir.Named, m normal.Member) *ir.Named {
	union := b.joins[n]
	if union == nil || len(m.Schemas) != 1 || b.inside[union] == nil {
		return n
	}
	around := b.inside[union].Form()
	if slices.Contains(around.Atoms, m.Of) {
		return union
	}
	return n
}

// sharedBy returns the schema that describes a property, if it is another one than that of
// n, which includes it: other types may include it too. It is nil if several schemas
// describe the property.
func (b *builder) sharedBy(n *ir.Named, m normal.Member) *schema.Schema {
	node := b.inside[n]
	if len(m.Schemas) != 1 || m.Of == nil || node == nil || slices.Contains(node.Parts(), m.Of) || b.joins[n] != nil {
		return nil
	}
	return m.Of
}

// warnNever warns of a property for which no value is valid.
func (b *builder) warnNever(f *normal.Form, m normal.Member) {
	for _, a := range f.Atoms {
		pos, written := a.At["additionalProperties"]
		if written && a.AdditionalProperties != nil && a.AdditionalProperties.Bool != nil && slices.Contains(m.Schemas, a.AdditionalProperties) {
			b.list.Warnf(pos, "part-not-seen",
				"additionalProperties: false forbids %s, which another part of this combination describes", finding.Quote(m.Name)).
				SetHint("use unevaluatedProperties: false, which includes the properties of all parts")
			return
		}
	}
	pos, why := m.Pos, ""
	if never := m.Node.Never(); never != nil && !slices.ContainsFunc(m.Schemas, func(s *schema.Schema) bool { return s.Bool != nil }) {
		pos, why = never.Pos, ": "+never.Message
	}
	b.list.Warnf(pos, "property-never-valid", "no value of %q is valid%s; it has no field, and Validate rejects it", m.Name, why)
	b.warnImplied(m.Node.Form())
}

// undescribed returns the type of a required property of n that no property declares.
// Usually a name is misspelled.
func (b *builder) undescribed(n *ir.Named, f *normal.Form, m normal.Member) *ir.Type {
	var near []string
	for _, o := range f.Object().Members {
		if o.Described && !o.Required {
			near = append(near, o.Name)
		}
	}
	if hint := finding.DidYouMean(m.Name, near); hint != "" || len(m.Schemas) == 0 {
		b.list.Warnf(m.Pos, "required-undescribed", "%s is required, but no property describes it, so its Go type is any", finding.Quote(m.Name)).
			SetHint(cmp.Or(hint, "describe it under properties"))
	}
	return b.typeOf(m.Schemas, m.Node, naming.Context{Parent: n, Property: naming.Additional})
}

// annotate sets description and default from the keywords next to a reference, or else
// from its target. A named type has its own description.
func (b *builder) annotate(f *ir.Field, s *schema.Schema) {
	from := func(s *schema.Schema) {
		f.Doc = cmp.Or(f.Doc, s.Description)
		f.Deprecated = f.Deprecated || s.Deprecated
		f.Default = cmp.Or(f.Default, s.Default)
	}
	for s != nil {
		from(s)
		part := normal.Sole(s)
		for _, p := range s.AllOf {
			if part != nil && p != part {
				from(p)
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
		f.Default = nil // for every reader the same as absent
	}
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

// checkDefault removes a default of another type than the field, with a warning.
func (b *builder) checkDefault(f *ir.Field) {
	kind := jsonKind(f.Type)
	if f.Default == nil || kind == "" || f.Default.Is([]string{kind}) {
		return
	}
	types := []string{kind}
	if f.Type.Nullable {
		types = append(types, "null")
	}
	b.list.Warnf(f.Default.Pos, "value-type", "default %s is not %s; it is not applied", f.Default.Short(), schema.TypeText(types...))
	f.Default = nil
}

var jsonKinds = map[ir.Kind]string{
	ir.String: "string", ir.DateTime: "string", ir.Date: "string", ir.TimeOfDay: "string", ir.Duration: "string", ir.UUID: "string",
	ir.Bytes: "string", ir.Base64URL: "string", ir.Base32: "string", ir.Base16: "string",
	ir.Int: "integer", ir.Uint: "integer", ir.BigInt: "integer", ir.Float: "number", ir.Number: "number", ir.Bool: "boolean",
	ir.Slice: "array", ir.Map: "object", ir.Object: "object", ir.Struct: "object",
}

// jsonKind returns the only JSON type of a Go type, or "" if there may be several.
func jsonKind(t *ir.Type) string {
	switch {
	case t.Kind == ir.Enum:
		return jsonKinds[t.Named.Base]
	case t.Kind == ir.Struct && t.Named.Union != nil:
		return ""
	case t.Kind == ir.Struct && t.Named.Tuple:
		return "array"
	}
	return jsonKinds[t.Kind]
}
