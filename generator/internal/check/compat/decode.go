package compat

import (
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/runtime/format"
)

// generated reports whether the readers are those that outboxgen generates. They check
// more keywords than the registry compares.
func (c *comparison) generated() bool { return c.policy == Generated || c.policy == GeneratedSpec }

// checkedFormat returns the format of strings that generated code checks, by its usual
// name; "" if any string passes. The format byte is an encoding.
func checkedFormat(s *schema.Schema) string {
	switch s.Format {
	case "date-time", "date", "time", "duration", "uuid":
		return s.Format
	case "guid":
		return "uuid"
	}
	if format.Known(s.Format) {
		return s.Format
	}
	return ""
}

// checkedEncoding returns the encoding of strings that generated code decodes, by its
// usual name; "" if there is none.
func checkedEncoding(s *schema.Schema) string {
	switch encoding := strings.ToLower(s.ContentEncoding); encoding {
	case "base64", "base64url", "base32", "base16", "7bit", "quoted-printable":
		return encoding
	case "hex":
		return "base16"
	}
	switch s.Format {
	case "byte":
		return "base64"
	case "base64url":
		return "base64url"
	}
	return ""
}

// includes has the formats whose strings all belong to other formats.
var includes = map[string][]string{
	"uri": {"uri-reference", "iri", "iri-reference"}, "iri": {"iri-reference"}, "uri-reference": {"iri-reference"},
	"email": {"idn-email"}, "hostname": {"idn-hostname"},
}

// formats compares which strings generated code accepts and decodes.
func (c *comparison) formats(p *pair) {
	w, r := p.writer.s, p.reader.s
	from, to := at(w, "format"), at(r, "format")
	before, after := checkedFormat(w), checkedFormat(r)
	switch {
	case before == after:
	case before == "":
		p.add("format-added", from, to, quote(after))
	case after == "":
		p.add("format-removed", from, to, quote(before))
	case slices.Contains(includes[before], after):
		p.add("format-widened", from, to, quote(before), quote(after))
	case slices.Contains(includes[after], before):
		p.add("format-narrowed", from, to, quote(before), quote(after))
	default:
		p.add("format-changed", from, to, quote(before), quote(after))
	}
	from, to = encodingPlace(w), encodingPlace(r)
	codeBefore, codeAfter := checkedEncoding(w), checkedEncoding(r)
	switch {
	case codeBefore == codeAfter:
	case codeBefore == "":
		p.add("encoding-added", from, to, quote(codeAfter))
	case codeAfter == "":
		p.add("encoding-removed", from, to, quote(codeBefore))
	default:
		p.add("encoding-changed", from, to, quote(codeBefore), quote(codeAfter))
	}
	if before == after && codeBefore == codeAfter && before+codeBefore == "" {
		c.notice(p, "format", w.Format == r.Format) // other readers may check it
		c.notice(p, "contentEncoding", w.ContentEncoding == r.ContentEncoding)
	}
	c.notice(p, "contentMediaType", w.ContentMediaType == r.ContentMediaType)
}

func encodingPlace(s *schema.Schema) place {
	if has(s, "contentEncoding") {
		return at(s, "contentEncoding")
	}
	return at(s, "format")
}

// numeric is the Go type of a number and the integers that it holds; nil for no end.
type numeric struct {
	name      string
	low, high *big.Int
	exact     bool // holds every fraction as written
}

// goNumber returns the Go type of a number as package shape chooses it.
func (c *comparison) goNumber(s *shape) (kind numeric, low, high *big.Int) {
	low, high = wholeBounds(s.s)
	spec := c.policy == GeneratedSpec
	name := s.s.Format
	if spec {
		name = ""
	}
	decimal := name == "decimal" || name == "decimal128" && !s.integer
	if !s.integer {
		if decimal || spec {
			return numeric{name: "json.Number", exact: true}, low, high
		}
		return floating(s.s, name), low, high
	}
	least, most := width(name)
	tightLow, tightHigh := tightest(low, least, 1), tightest(high, most, -1)
	switch {
	case tightLow != nil && tightHigh != nil && tightLow.Sign() >= 0 && tightHigh.IsUint64() && !tightHigh.IsInt64():
		kind = numeric{name: "uint64", low: new(big.Int), high: new(big.Int).SetUint64(math.MaxUint64)}
	case decimal, spec && (tightLow == nil || tightHigh == nil), tightLow != nil && !tightLow.IsInt64(), tightHigh != nil && !tightHigh.IsInt64():
		kind = numeric{name: "*big.Int"}
	default:
		kind = numeric{name: "int64", low: big.NewInt(math.MinInt64), high: big.NewInt(math.MaxInt64)}
	}
	kind.low, kind.high = tightest(kind.low, least, 1), tightest(kind.high, most, -1)
	if least != nil && name != kind.name {
		kind.name += " with the format " + name
	}
	kind.exact = true
	return kind, low, high
}

// floating returns the float64 of a number. The format float limits it where the schema
// has no bound of its own.
func floating(s *schema.Schema, format string) numeric {
	kind := numeric{name: "float64"}
	if format != "float" {
		return kind
	}
	largest, _ := big.NewFloat(math.MaxFloat32).Int(nil)
	b := boundsOf(s)
	if !replaces(largest, b.minimum, b.exclusiveMin) {
		kind.low = new(big.Int).Neg(largest)
	}
	if !replaces(largest, b.maximum, b.exclusiveMax) {
		kind.high = largest
	}
	if kind.low != nil || kind.high != nil {
		kind.name += " with the format float"
	}
	return kind
}

// replaces reports whether a bound applies instead of the largest number of a format.
func replaces(largest *big.Int, bounds ...*schema.Number) bool {
	return slices.ContainsFunc(bounds, func(n *schema.Number) bool {
		return n != nil && (jsonvalue.ExactFloat64(n.Text) || jsonvalue.Floor(new(big.Rat).Abs(jsonvalue.Stand(n.Text))).Cmp(largest) < 0)
	})
}

// tightest returns the greater of two lower ends (sign 1), or the smaller of two upper
// ends (sign -1).
func tightest(a, b *big.Int, sign int) *big.Int {
	if a == nil || b != nil && b.Cmp(a) == sign {
		return b
	}
	return a
}

// wholeBounds returns the least and the greatest integer that the bounds of s allow.
func wholeBounds(s *schema.Schema) (low, high *big.Int) {
	b := boundsOf(s)
	for _, l := range []struct {
		n    *schema.Number
		open bool
	}{{b.minimum, b.minFlag}, {b.exclusiveMin, true}} {
		if l.n != nil {
			low = tightest(low, normal.Lowest(jsonvalue.Stand(l.n.Text), l.open), 1)
		}
	}
	for _, l := range []struct {
		n    *schema.Number
		open bool
	}{{b.maximum, b.maxFlag}, {b.exclusiveMax, true}} {
		if l.n != nil {
			high = tightest(high, normal.Highest(jsonvalue.Stand(l.n.Text), l.open), -1)
		}
	}
	return low, high
}

// width returns the range of a format of integers.
func width(name string) (low, high *big.Int) {
	bits, ok := map[string]uint{"8": 8, "16": 16, "32": 32, "64": 64, "128": 128, "256": 256}[strings.TrimPrefix(strings.TrimPrefix(name, "u"), "int")]
	if !ok {
		return nil, nil
	}
	one := big.NewInt(1)
	switch {
	case strings.HasPrefix(name, "uint"):
		high = new(big.Int).Lsh(one, bits)
		return new(big.Int), high.Sub(high, one)
	case strings.HasPrefix(name, "int"):
		high = new(big.Int).Lsh(one, bits-1)
		return new(big.Int).Neg(high), new(big.Int).Sub(high, one)
	}
	return nil, nil
}

// goNumbers compares which numbers the Go types hold. The bounds themselves are compared
// elsewhere.
func (c *comparison) goNumbers(p *pair) {
	before, low, high := c.goNumber(p.writer)
	after, ownLow, ownHigh := c.goNumber(p.reader)
	if p.writer.integer != p.reader.integer {
		if p.writer.integer && !after.exact {
			c.rounded(p)
		}
		return
	}
	least, most := tightest(before.low, low, 1), tightest(before.high, high, -1)
	// What a bound of the reader excludes is a change of the bound.
	short := !within(least, after.low, ownLow, 1) || !within(most, after.high, ownHigh, -1)
	from, to := numberPlace(p.writer), numberPlace(p.reader)
	switch {
	case before.exact && !after.exact, short:
		p.add("number-type-narrowed", from, to, before.name, after.name)
	case before.name != after.name:
		p.add("number-type-widened", from, to, before.name, after.name)
	}
}

// within reports whether an end of the writer's range is inside the reader's Go type, or
// outside the reader's own bound as well.
func within(end, of, bound *big.Int, sign int) bool {
	inside := func(x, limit *big.Int) bool { return limit == nil || x != nil && x.Cmp(limit)*sign >= 0 }
	return inside(end, of) || bound != nil && inside(bound, of)
}

// rounded says that not every integer fits into a float64.
func (c *comparison) rounded(p *pair) {
	low, high := wholeBounds(p.writer.s)
	const exact = 1 << 53
	if low != nil && high != nil && low.Cmp(big.NewInt(-exact)) >= 0 && high.Cmp(big.NewInt(exact)) <= 0 {
		return
	}
	for i := range p.differences {
		if d := &p.differences[i]; d.rule.ID == "type-widened" && c.direction == NewReadsOld {
			d.advice = &advice{finding.Note, "generated readers decode a float64 and reject integers beyond 2^53 that it would round",
				"if old data may have such integers, write format: decimal"}
		}
	}
}

func numberPlace(s *shape) place {
	if has(s.s, "format") {
		return at(s.s, "format")
	}
	return s.at
}

// names compares propertyNames.
func (c *comparison) propertyNames(p *pair) {
	w, r := p.writer.s, p.reader.s
	from, to := at(w, "propertyNames"), at(r, "propertyNames")
	free := func(s *schema.Schema) bool { return s == nil || c.empty(s) }
	switch {
	case free(w.PropertyNames) && free(r.PropertyNames):
	case free(w.PropertyNames):
		p.add("property-names-added", from, to)
	case free(r.PropertyNames):
		p.add("property-names-removed", from, to)
	default:
		c.sub(p, w.PropertyNames, r.PropertyNames)
	}
}

// patternProperties compares what objects say about undeclared names that match a
// pattern.
func (c *comparison) patternProperties(p *pair) {
	w, r := p.writer.s, p.reader.s
	before, after := byName(w.PatternProperties), byName(r.PatternProperties)
	for _, pattern := range r.PatternProperties {
		if old, ok := before[pattern.Name]; ok {
			c.sub(p, old.Schema, pattern.Schema)
			continue
		}
		for _, property := range w.Properties {
			if c.matches(pattern.Name, property.Name) {
				c.sub(p, property.Schema, pattern.Schema)
			}
		}
		c.beyond(p, w, pattern.Schema, false, "pattern-properties-added-to-", at(w, "patternProperties"),
			under(r, "patternProperties", pattern.Name, pattern.Pos), pattern.Name)
	}
	for _, pattern := range w.PatternProperties {
		if _, ok := after[pattern.Name]; !ok {
			c.beyond(p, r, pattern.Schema, true, "pattern-properties-removed-from-", under(w, "patternProperties", pattern.Name, pattern.Pos),
				at(r, "patternProperties"), pattern.Name)
		}
	}
}

// beyond compares the schema of a pattern with what the side that lacks the pattern
// allows beyond its declared properties. reads is true if that side is the reader.
func (c *comparison) beyond(p *pair, lacking, pattern *schema.Schema, reads bool, subject string, from, to place, name string) {
	allowed, restricted := others(lacking)
	if u := lacking.UnevaluatedProperties; u != nil && allowed && restricted == nil {
		allowed, restricted = rest(u)
	}
	if restricted != nil && c.empty(restricted) {
		restricted = nil
	}
	switch {
	case !allowed && isFalse(pattern), allowed && restricted == nil && c.empty(pattern):
	case !allowed:
		p.add(subject+"closed-model", from, to, quote(name))
	case restricted == nil:
		p.add(subject+"open-model", from, to, quote(name))
	case reads:
		c.sub(p, pattern, restricted)
	default:
		c.sub(p, restricted, pattern)
	}
}

// undeclaredRequired compares required names that an object does not declare.
func (c *comparison) undeclaredRequired(p *pair) {
	w, r := p.writer.s, p.reader.s
	before, after := names(w.Required), names(r.Required)
	declaredBefore, declaredAfter := byName(w.Properties), byName(r.Properties)
	for i, name := range r.Required {
		_, was := before[name.Text]
		if _, declared := declaredAfter[name.Text]; !was && !declared && !c.required(p.writer, name.Text) {
			p.add("undeclared-required-added", at(w, "required"), requiredEntry(r, i, name.Pos), quote(name.Text))
		}
	}
	for i, name := range w.Required {
		_, is := after[name.Text]
		_, had := declaredBefore[name.Text]
		if _, has := declaredAfter[name.Text]; !is && !had && !has && !c.required(p.reader, name.Text) {
			p.add("undeclared-required-removed", requiredEntry(w, i, name.Pos), at(r, "required"), quote(name.Text))
		}
	}
}

// containedItems compares the schemas of contains; how many items have to match is
// compared elsewhere.
func (c *comparison) containedItems(p *pair) {
	w, r := p.writer.s, p.reader.s
	from, to := at(w, "contains"), at(r, "contains")
	before, after := w.Contains, r.Contains
	switch {
	case before == nil && after == nil:
	case before == nil:
		if !modern(r) {
			p.add("contains-narrowed", from, to)
		}
	case after == nil:
		if !modern(w) {
			p.add("contains-widened", from, to)
		}
	default:
		fewer, more := !c.reads(p, before, after), !c.reads(p, after, before)
		switch {
		case fewer && more, (fewer || more) && (w.MaxContains != nil || r.MaxContains != nil):
			p.add("contains-changed", from, to)
		case fewer:
			p.add("contains-narrowed", from, to)
		case more:
			p.add("contains-widened", from, to)
		}
	}
}

// conditions compares if, then and else.
func (c *comparison) conditions(p *pair) {
	w, r := p.writer.s, p.reader.s
	from, to := at(w, "if"), at(r, "if")
	less := !c.reads(p, w.Then, r.Then) || !c.reads(p, w.Else, r.Else)
	more := !c.reads(p, r.Then, w.Then) || !c.reads(p, r.Else, w.Else)
	switch {
	case less && more, !c.reads(p, w.If, r.If), !c.reads(p, r.If, w.If):
		p.add("condition-changed", from, to)
	case less:
		p.add("condition-narrowed", from, to)
	case more:
		p.add("condition-widened", from, to)
	}
}

// reads reports whether a reader accepts all that a writer's schema allows. A missing
// schema allows everything.
func (c *comparison) reads(p *pair, writer, reader *schema.Schema) bool {
	switch {
	case reader == nil || c.empty(reader):
		return true
	case writer == nil:
		return false
	}
	return c.holds(p, c.pair(c.shape(writer), c.shape(reader)))
}

// constantNames compares the names of the Go constants of an enum. They depend on the
// other values: values with the same words are told apart by numbers, in their order, and
// a value loses the name of the type at its beginning unless another one has that name.
func (c *comparison) constantNames(p *pair) {
	w, r := p.writer.s, p.reader.s
	before, after := naming.ConstantEnds(w), naming.ConstantEnds(r)
	var swapped []string
	for i, name := range after {
		j := slices.Index(before, name)
		if name != "" && j >= 0 && w.Enum[j].Canonical() != r.Enum[i].Canonical() {
			swapped = append(swapped, name)
		}
	}
	if len(swapped) == 0 {
		return
	}
	p.add("enum-constants-swapped", at(w, "enum"), at(r, "enum"), slices.Min(swapped))
	hint := "list the values in the old order, or name the constants with x-enum-varnames"
	switch {
	case len(w.EnumNames)+len(r.EnumNames) > 0:
		hint = "give each value its old name"
	case len(missing(w.Enum, r.Enum))+len(missing(r.Enum, w.Enum)) > 0:
		hint = "name the constants with x-enum-varnames, so that each value keeps its name"
	}
	p.differences[len(p.differences)-1].advice = &advice{finding.Warning, "Go code that uses it compiles and means another value", hint}
}
