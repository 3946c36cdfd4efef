package shape

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
	"github.com/outboxgen/outboxgen/generator/internal/rules"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// override returns the type that the config sets for a format or a definition; nil if
// there is none.
func (b *builder) override(s *schema.Schema) *ir.Type {
	for i, m := range b.project.Config.Types {
		refers := m.Refers(s)
		if !refers && !m.HasFormat(s) && !m.IsNumeric(s) {
			continue
		}
		if refers && !slices.Contains(b.mappedTo[i], s.Ref.Target) {
			b.mappedTo[i] = append(b.mappedTo[i], s.Ref.Target)
		}
		b.mappings[i] = true
		t, node := b.mapped(s, m), b.graph.Node(s)
		t.Place = b.place(node)
		_, null := node.Settled()
		t.Nullable = t.Nullable || null
		return t
	}
	return nil
}

// reportMappings reports the mappings of the config that no event uses, and those that
// mean several definitions.
func (b *builder) reportMappings() {
	if len(b.project.Events) == 0 {
		return
	}
	for i, m := range b.project.Config.Types {
		var places []string
		for _, target := range b.mappedTo[i] {
			if target != nil {
				places = append(places, target.Place())
			}
		}
		slices.Sort(places)
		places = slices.Compact(places)
		switch {
		case !b.mappings[i]:
			b.list.Warnf(m.Pos, "unused-type", "no event has a value of %s, so this type is not used", finding.Quote(m.Match)).
				SetHint("remove it, or correct the format or the definition; name a definition by its path from the project file, as in schemas/money.yaml#/$defs/amount")
		case len(places) > 1:
			b.list.Errorf(m.Pos, "ambiguous-type", "in different files, the reference %s leads to different definitions: %s", finding.Quote(m.Match), strings.Join(places, ", ")).
				SetHint("name each definition by its path from the project file")
		}
	}
}

// ownTypes has the Go types of schemas without a format, and the JSON types of those
// schemas.
var ownTypes = map[string]struct {
	kind ir.Kind
	json normal.Kinds
}{
	"bool": {ir.Bool, normal.Boolean}, "string": {ir.String, normal.String}, "int64": {ir.Int, normal.Number}, "float64": {ir.Float, normal.Number},
	"encoding/json.Number": {ir.Number, normal.Number}, "math/big.Int": {ir.BigInt, normal.Number},
}

// mapped returns a schema as the Go type called name. If that is the type of a schema
// without a format, the constraints apply as for such a schema. What another Go type
// encodes is checked against the schema.
func (b *builder) mapped(s *schema.Schema, m schema.TypeMapping) *ir.Type {
	name := m.Type
	node := b.graph.Node(s)
	form, _ := node.Settled()
	if name == "any" {
		return &ir.Type{Kind: ir.Any, Nullable: true, Rules: b.rulesOf(node.Whole())}
	}
	dot := strings.LastIndexByte(name, '.')
	own, is := ownTypes[name]
	if is && form.Union == nil && form.Kinds.One() != "" && own.json.Has(form.Kinds&^normal.Null) {
		return b.plainly(form, name)
	}
	if is && (dot < 0 || form.Number != nil) {
		t := &ir.Type{Kind: own.kind}
		t.Rules = b.encodedRules(s, m, t)
		return t
	}
	t := &ir.Type{Kind: ir.External, Name: name}
	if dot >= 0 {
		t.Import, t.Name = name[:dot], name[dot+1:]
	}
	t.Rules = b.encodedRules(s, m, t)
	return t
}

// encodedRules returns the rules for what an External type encodes; nil if its JSON type
// alone is valid. A format that is replaced is left to its type.
func (b *builder) encodedRules(s *schema.Schema, m schema.TypeMapping, t *ir.Type) *ir.Rules {
	whole := b.graph.Node(s).Whole()
	if m.HasFormat(s) {
		for i, r := range whole {
			if r.Of == s {
				bare := *s
				bare.Format = ""
				whole[i].Of = &bare
			}
		}
	}
	rules := b.rulesOf(whole)
	if rules != nil && t.External() != ir.Any && !slices.ContainsFunc(rules.Rules, constrains) {
		return nil
	}
	return rules
}

// constrains reports whether a rule has more than a type.
func constrains(r *ir.Rule) bool {
	return slices.ContainsFunc(r.Words, func(w ir.Word) bool { return w.Keyword != "type" })
}

// plainly returns the type of a form with one kind as a Go type of its JSON type, as if
// it had no format. If it lists its values, they are a rule.
func (b *builder) plainly(form *normal.Form, name string) *ir.Type {
	kind := ownTypes[name].kind
	t := &ir.Type{Kind: kind}
	bare := *form
	var more []*ir.Rule
	switch {
	case form.Listed:
		more = append(more, b.listRule(form))
	case name == "string":
		text := *form.Text
		text.Formats, text.Encoding = nil, ""
		bare.Text = &text
		t, more = b.text(&bare)
	case name == "int64":
		bare.Number = withoutFormat(form.Number)
		t, more = b.integer(&bare)
	case name == "float64":
		bare.Number = withoutFormat(form.Number)
		t, more = b.float(&bare)
	case name != "bool":
		more = b.boundsBeside(form, form.Number)
	}
	if t.Kind != kind { // the schema alone would give a larger type
		t, more = &ir.Type{Kind: kind}, b.boundsBeside(form, bare.Number)
	}
	residues := form.Residues()
	for i := range residues { // a list has it, to check its values
		residues[i].Keywords = slices.DeleteFunc(residues[i].Keywords, func(keyword string) bool { return keyword == "format" })
	}
	t.Rules = b.rulesOf(residues, more...)
	return t
}

// listRule returns the rule for a form that lists its values.
func (b *builder) listRule(form *normal.Form) *ir.Rule {
	of := form.Node.Primary()
	for _, a := range form.Atoms {
		if a.Enum != nil || a.Const != nil {
			of = a
			break
		}
	}
	return rules.Listed(of, form.Values)
}
