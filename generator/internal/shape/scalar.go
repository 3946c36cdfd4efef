package shape

import (
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
	"github.com/outboxgen/outboxgen/generator/internal/rules"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/runtime/format"
)

// text returns the type of a string: a specific Go type if its format has one. The
// rules check what that type does not.
func (b *builder) text(f *normal.Form) (*ir.Type, []*ir.Rule) {
	form, o := f.Text, b.originsOf(f.Node)
	t := &ir.Type{Kind: ir.String}
	var more []*ir.Rule
	if !b.graph.Options().Specification {
		more = b.formats(t, form, o)
		b.encoding(t, form, o)
	}
	for _, a := range f.Atoms {
		b.warnContent(a)
	}
	lengths := schema.Schema{}
	if t.Kind == ir.String {
		t.MinLength, t.MaxLength = o.count("minLength", form.MinLength), o.count("maxLength", form.MaxLength)
	} else {
		lengths.MinLength, lengths.MaxLength = number(form.MinLength), number(form.MaxLength)
		more = append(more, rules.Only(b.graph, b.list, first(form.MinLength, form.MaxLength, f), lengths))
	}
	for _, p := range form.Patterns {
		pattern := b.graph.Pattern(p.Name.Text)
		switch {
		case !pattern.Known() && pattern.Loose == "":
			rules.ReportPattern(b.list, pattern, p.Name.Pos)
		case pattern.Known() && t.Kind == ir.String && t.Pattern == nil:
			t.Pattern = &ir.Pattern{Source: pattern.Source}
			o.note("pattern", p.Of)
		default:
			more = append(more, rules.Only(b.graph, b.list, p.Of, schema.Schema{Pattern: &p.Name}))
		}
	}
	t.Origins = o.all
	return t, more
}

// first returns the schema that sets one of two limits.
func first(low, high *normal.Limit, f *normal.Form) *schema.Schema {
	switch {
	case low != nil:
		return low.Of
	case high != nil:
		return high.Of
	}
	return f.Node.Primary()
}

func number(l *normal.Limit) *schema.Number {
	if l == nil {
		return nil
	}
	return l.Number
}

// kindsOfFormats are the formats that have a Go type.
var kindsOfFormats = map[string]ir.Kind{
	"date-time": ir.DateTime, "date": ir.Date, "time": ir.TimeOfDay, "duration": ir.Duration,
	"uuid": ir.UUID, "guid": ir.UUID, "byte": ir.Bytes, "base64url": ir.Base64URL,
}

// formats sets the type of a string by its formats. The first one with a Go type
// counts; the others become rules.
func (b *builder) formats(t *ir.Type, form *normal.TextForm, o *origins) []*ir.Rule {
	var more []*ir.Rule
	for _, f := range form.Formats {
		kind, typed := kindsOfFormats[f.Name]
		checked := format.Known(f.Name)
		switch {
		case typed && t.Kind == ir.String && t.Format == "":
			t.Kind = kind
			o.note("format", f.Of)
		case typed, checked && (t.Format != "" || t.Kind != ir.String):
			more = append(more, rules.Only(b.graph, b.list, f.Of, schema.Schema{Format: f.Name}))
		case checked:
			t.Format = f.Name
			o.note("format", f.Of)
		case f.Name == "password", f.Name == "binary", f.Name == "char":
		default:
			b.unchecked(f.Name, position(f.Of, "format"), "string")
		}
	}
	return more
}

// encoding sets the type of a string by its contentEncoding.
func (b *builder) encoding(t *ir.Type, form *normal.TextForm, o *origins) {
	switch encoding := strings.ToLower(form.Encoding); encoding {
	case "base64":
		t.Kind = ir.Bytes
	case "base64url":
		t.Kind = ir.Base64URL
	case "base32":
		t.Kind = ir.Base32
	case "base16", "hex":
		t.Kind = ir.Base16
	case "7bit", "quoted-printable":
		if t.Kind == ir.String && t.Format == "" {
			t.Format = encoding
			o.noteAt("format", form.EncodingOf, "contentEncoding")
		}
	case "", "8bit", "binary", "identity":
	default:
		b.list.Warnf(position(form.EncodingOf, "contentEncoding"), "encoding-not-decoded", "contentEncoding %q is not decoded; the value is the encoded string", form.Encoding)
	}
}

// warnContent warns that a schema's description of the document inside a string is an
// annotation, which is not checked.
func (b *builder) warnContent(s *schema.Schema) {
	if s.ContentSchema == nil || s.ContentSchema.Bool != nil && *s.ContentSchema.Bool {
		return
	}
	b.list.Warnf(position(s, "contentSchema"), "content-not-checked", "contentSchema describes the document inside this string; the document is neither decoded nor checked, and the Go value is the string")
}

// position returns the position of a keyword.
func position(s *schema.Schema, keyword string) finding.Pos {
	if pos, ok := s.At[keyword]; ok {
		return pos
	}
	return s.Pos
}

// widths are the ranges of the formats of integers.
var widths = map[string][2]*big.Int{
	"int8": signed(8), "int16": signed(16), "int32": signed(32), "int64": signed(64), "int128": signed(128), "int256": signed(256),
	"uint8": unsigned(8), "uint16": unsigned(16), "uint32": unsigned(32), "uint64": unsigned(64), "uint128": unsigned(128), "uint256": unsigned(256),
}

func signed(bits uint) [2]*big.Int {
	half := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return [2]*big.Int{new(big.Int).Neg(half), new(big.Int).Sub(half, big.NewInt(1))}
}

func unsigned(bits uint) [2]*big.Int {
	whole := new(big.Int).Lsh(big.NewInt(1), bits)
	return [2]*big.Int{new(big.Int), whole.Sub(whole, big.NewInt(1))}
}

// interval is the range that bounds and a format allow; nil for no end.
type interval struct{ low, high *big.Int }

func intervalOf(n *normal.NumberForm) interval {
	var i interval
	width := widths[n.Format]
	i.raise(width[0])
	i.lower(width[1])
	for _, bound := range []struct {
		limit     *normal.Limit
		open, low bool
	}{{n.Minimum, false, true}, {n.ExclusiveMinimum, true, true}, {n.Maximum, false, false}, {n.ExclusiveMaximum, true, false}} {
		if bound.limit == nil {
			continue
		}
		r := jsonvalue.Stand(bound.limit.Number.Text)
		if bound.low {
			i.raise(normal.Lowest(r, bound.open))
		} else {
			i.lower(normal.Highest(r, bound.open))
		}
	}
	return i
}

func (i *interval) raise(to *big.Int) {
	if to != nil && (i.low == nil || to.Cmp(i.low) > 0) {
		i.low = to
	}
}

func (i *interval) lower(to *big.Int) {
	if to != nil && (i.high == nil || to.Cmp(i.high) < 0) {
		i.high = to
	}
}

// integer returns the type of an integer: an int64 unless the schema allows more or,
// with validation: spec, unless its bounds allow less. Bounds with a fraction move to
// the next integer inside.
func (b *builder) integer(f *normal.Form) (*ir.Type, []*ir.Rule) {
	n, o := f.Number, b.originsOf(f.Node)
	specification := b.graph.Options().Specification
	if specification {
		n = withoutFormat(n)
	}
	if _, known := widths[n.Format]; !known && n.Format != "decimal" {
		b.checkFormat(n, "integer")
	}
	t := &ir.Type{Kind: ir.Int}
	i := intervalOf(n)
	switch {
	case i.low != nil && i.high != nil && i.low.Sign() >= 0 && i.high.IsUint64() && !i.high.IsInt64():
		t.Kind = ir.Uint
		if t.Minimum = i.low.String(); t.Minimum == "0" {
			t.Minimum = ""
		}
		if t.Maximum = i.high.String(); i.high.Uint64() == math.MaxUint64 {
			t.Maximum = ""
		}
	case n.Format == "decimal", specification && (i.low == nil || i.high == nil), i.low != nil && !i.low.IsInt64(), i.high != nil && !i.high.IsInt64():
		return &ir.Type{Kind: ir.BigInt}, b.boundsBeside(f, n)
	default:
		t.Minimum = bound(n.Minimum, math.MinInt64, jsonvalue.Ceil)
		t.Maximum = bound(n.Maximum, math.MaxInt64, jsonvalue.Floor)
		t.ExclusiveMinimum = bound(n.ExclusiveMinimum, math.MinInt64, jsonvalue.Floor)
		t.ExclusiveMaximum = bound(n.ExclusiveMaximum, math.MaxInt64, jsonvalue.Ceil)
		if width := widths[n.Format]; width[0] != nil && n.Format != "int64" {
			if t.Minimum == "" && t.ExclusiveMinimum == "" {
				t.Minimum = width[0].String()
			}
			if t.Maximum == "" && t.ExclusiveMaximum == "" {
				t.Maximum = width[1].String()
			}
		}
	}
	o.bounds(n)
	var more []*ir.Rule
	for k, m := range n.MultipleOf {
		// n is a multiple of a/b in lowest terms if and only if it is one of a.
		r := jsonvalue.Rational(m.Number.Text)
		if k > 0 || r == nil || r.Sign() <= 0 || !r.Num().IsInt64() {
			more = append(more, rules.Only(b.graph, b.list, m.Of, schema.Schema{MultipleOf: m.Number}))
			continue
		}
		if step := r.Num(); step.Int64() != 1 {
			t.MultipleOf = step.String()
			o.note("multipleOf", m.Of)
		}
	}
	t.Origins = o.all
	return t, more
}

func withoutFormat(n *normal.NumberForm) *normal.NumberForm {
	bare := *n
	bare.Format, bare.FormatOf = "", nil
	return &bare
}

func (o *origins) bounds(n *normal.NumberForm) {
	o.limit("minimum", n.Minimum)
	o.limit("maximum", n.Maximum)
	o.limit("exclusiveMinimum", n.ExclusiveMinimum)
	o.limit("exclusiveMaximum", n.ExclusiveMaximum)
}

// checkFormat warns of a number format without effect.
func (b *builder) checkFormat(n *normal.NumberForm, kind string, known ...string) {
	if n.Format == "" || slices.Contains(known, n.Format) {
		return
	}
	b.unchecked(n.Format, position(n.FormatOf, "format"), kind)
}

// unchecked warns of a format that is not checked in values of a type.
func (b *builder) unchecked(name string, pos finding.Pos, kind string) {
	is, hint := "not known", ""
	_, ofIntegers := widths[name]
	_, ofStrings := kindsOfFormats[name]
	switch {
	case kind == "number" && ofIntegers:
		is = "for integers"
	case kind == "string" && ofIntegers:
		is, hint = "for numbers", "for an integer in a string, write pattern: ^-?[0-9]+$"
	case kind == "string" && (name == "decimal" || name == "decimal128" || name == "double" || name == "float"):
		is, hint = "for numbers", "for a number in a string, write pattern: ^-?[0-9]+([.][0-9]+)?$"
	case kind != "string" && (ofStrings || format.Known(name)):
		is = "for strings"
	case kind == "string":
		hint = similarFormat(name)
	}
	b.list.Warnf(pos, "format-not-checked", "format %q is %s; any %s passes", name, is, kind).SetHint(hint)
}

// otherNames are formats of earlier drafts and of other tools.
var otherNames = map[string]string{
	"url": "uri", "ip": "ipv4", "ip-address": "ipv4", "ipaddress": "ipv4", "host-name": "hostname",
	"timestamp": "date-time", "iso8601": "date-time", "iso-8601": "date-time", "rfc3339": "date-time",
}

// similarFormat returns the hint for an unknown format of strings; "" if it is like none
// that is known.
func similarFormat(name string) string {
	if known, ok := otherNames[strings.ToLower(name)]; ok {
		return "did you mean " + finding.Quote(known) + "?"
	}
	if len(name) < len("uuid") {
		return ""
	}
	return finding.DidYouMean(name, slices.AppendSeq(format.Names(), maps.Keys(kindsOfFormats)))
}

// bound returns a bound as an int64, or "" if every int64 satisfies it.
func bound(l *normal.Limit, none int64, round func(*big.Rat) *big.Int) string {
	if l == nil {
		return ""
	}
	whole := round(jsonvalue.Stand(l.Number.Text))
	switch {
	case whole.IsInt64() && whole.Int64() == none:
		return ""
	case whole.IsInt64():
		return whole.String()
	case whole.Sign() > 0 && none > 0, whole.Sign() < 0 && none < 0:
		return ""
	case whole.Sign() > 0:
		return strconv.FormatInt(math.MaxInt64, 10)
	default:
		return strconv.FormatInt(math.MinInt64, 10)
	}
}

// float returns the type of a number: a float64 or, with validation: spec, one that
// keeps every digit. A bound that no float64 equals is a rule, because the next float64
// may be valid or not.
func (b *builder) float(f *normal.Form) (*ir.Type, []*ir.Rule) {
	n, o := f.Number, b.originsOf(f.Node)
	if b.graph.Options().Specification {
		return &ir.Type{Kind: ir.Number}, b.boundsBeside(f, withoutFormat(n))
	}
	switch n.Format {
	case "decimal", "decimal128":
		return &ir.Type{Kind: ir.Number}, b.boundsBeside(f, n)
	}
	b.checkFormat(n, "number", "float", "double")
	t := &ir.Type{Kind: ir.Float}
	var more []*ir.Rule
	for _, limit := range []struct {
		keyword string
		limit   *normal.Limit
		literal *string
		rule    schema.Schema
	}{
		{"minimum", n.Minimum, &t.Minimum, schema.Schema{Minimum: number(n.Minimum)}},
		{"maximum", n.Maximum, &t.Maximum, schema.Schema{Maximum: number(n.Maximum)}},
		{"exclusiveMinimum", n.ExclusiveMinimum, &t.ExclusiveMinimum, schema.Schema{ExclusiveMinimum: number(n.ExclusiveMinimum)}},
		{"exclusiveMaximum", n.ExclusiveMaximum, &t.ExclusiveMaximum, schema.Schema{ExclusiveMaximum: number(n.ExclusiveMaximum)}},
	} {
		switch {
		case limit.limit == nil:
		case jsonvalue.ExactFloat64(limit.limit.Number.Text):
			*limit.literal = jsonvalue.Float64(limit.limit.Number.Text)
			o.limit(limit.keyword, limit.limit)
		default:
			more = append(more, rules.Only(b.graph, b.list, limit.limit.Of, limit.rule))
		}
	}
	for i, m := range n.MultipleOf {
		if i == 0 && jsonvalue.ExactFloat64(m.Number.Text) {
			t.MultipleOf = jsonvalue.Float64(m.Number.Text)
			o.note("multipleOf", m.Of)
		} else {
			more = append(more, rules.Only(b.graph, b.list, m.Of, schema.Schema{MultipleOf: m.Number}))
		}
	}
	if n.Format == "float" {
		largest := strconv.FormatFloat(math.MaxFloat32, 'g', -1, 64)
		if t.Minimum == "" && t.ExclusiveMinimum == "" {
			t.Minimum = "-" + largest
		}
		if t.Maximum == "" && t.ExclusiveMaximum == "" {
			t.Maximum = largest
		}
	}
	t.Origins = o.all
	return t, more
}

// boundsBeside returns the rules for bounds that have no literal in the number's Go
// type.
func (b *builder) boundsBeside(f *normal.Form, n *normal.NumberForm) []*ir.Rule {
	bounds := schema.Schema{
		Minimum: number(n.Minimum), Maximum: number(n.Maximum),
		ExclusiveMinimum: number(n.ExclusiveMinimum), ExclusiveMaximum: number(n.ExclusiveMaximum),
	}
	if width, ok := widths[n.Format]; ok {
		i := intervalOf(n)
		if width[0].Cmp(i.low) == 0 && bounds.ExclusiveMinimum == nil {
			bounds.Minimum = &schema.Number{Text: width[0].String()}
		}
		if width[1].Cmp(i.high) == 0 && bounds.ExclusiveMaximum == nil {
			bounds.Maximum = &schema.Number{Text: width[1].String()}
		}
	}
	more := []*ir.Rule{rules.Only(b.graph, b.list, f.Node.Primary(), bounds)}
	for _, m := range n.MultipleOf {
		more = append(more, rules.Only(b.graph, b.list, m.Of, schema.Schema{MultipleOf: m.Number}))
	}
	return more
}
