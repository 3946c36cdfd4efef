package crossing

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maker makes values that a schema probably accepts, and some that it just refuses. It
// need not be right: the validator decides.
type maker struct {
	root any
	// known makes the values of each schema once, in large sets of schemas; nil makes
	// them again at each place.
	known known
}

// Limits for the depth and the number of values.
const (
	deepest = 7
	widest  = 12
)

// values makes values for a schema, the most likely ones first.
func (m *maker) values(schema any, depth int) []any {
	if m.known != nil {
		return m.known.values(schema, func() []any { return m.fresh(schema, 0) })
	}
	return m.fresh(schema, depth)
}

func (m *maker) fresh(schema any, depth int) []any {
	s, ok := schema.(map[string]any)
	if !ok || len(s) == 0 || depth > deepest {
		if schema == false {
			return nil
		}
		return []any{"any", json.Number("1"), nil, []any{true}, map[string]any{"k": "v"}}
	}
	var out []any
	if v, ok := s["const"]; ok {
		out = append(out, v)
	}
	if list, ok := s["enum"].([]any); ok {
		out = append(out, list...)
	}
	parts := m.parts(s, depth)
	if len(out) == 0 {
		for _, t := range m.types(s, len(parts) > 0) {
			out = append(out, m.ofType(t, s, depth)...)
		}
	}
	// Objects get the members that the parts require; other values are added to those
	// of the parts.
	var merged []any
	for _, part := range parts {
		for i, v := range spread(part, widest) {
			if object, ok := v.(map[string]any); ok {
				for _, base := range spread(objectsOf(out), 3) {
					both := maps.Clone(base)
					maps.Copy(both, object)
					merged = append(merged, both)
				}
			}
			if i < widest {
				merged = append(merged, v)
			}
		}
	}
	for i := 0; i+1 < len(parts); i++ { // and what two parts require together
		for _, a := range spread(objectsOf(parts[i]), 3) {
			for _, b := range spread(objectsOf(parts[i+1]), 3) {
				both := maps.Clone(a)
				maps.Copy(both, b)
				merged = append(merged, both)
			}
		}
	}
	return spread(append(merged, out...), 60)
}

func objectsOf(values []any) []map[string]any {
	var out []map[string]any
	for _, v := range values {
		if object, ok := v.(map[string]any); ok {
			out = append(out, object)
		}
	}
	return out
}

// parts returns the values of the schemas that apply to the same value.
func (m *maker) parts(s map[string]any, depth int) [][]any {
	var out [][]any
	for _, word := range []string{"$ref", "$dynamicRef"} {
		if ref, ok := s[word].(string); ok {
			out = append(out, m.values(m.resolve(ref), depth+1))
		}
	}
	for _, word := range []string{"allOf", "oneOf", "anyOf"} {
		list, _ := s[word].([]any)
		for _, sub := range list {
			out = append(out, m.values(sub, depth+1))
		}
	}
	for _, word := range []string{"if", "then", "else", "not"} {
		if sub, ok := s[word]; ok {
			out = append(out, m.values(sub, depth+1))
		}
	}
	if subs, ok := s["dependentSchemas"].(map[string]any); ok {
		for _, name := range slices.Sorted(maps.Keys(subs)) {
			out = append(out, m.values(subs[name], depth+1))
		}
	}
	return out
}

// resolve returns the target of a reference inside the schema.
func (m *maker) resolve(ref string) any {
	pointer, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return true
	}
	if pointer != "" && pointer[0] != '/' {
		root, _ := m.root.(map[string]any)
		defs, _ := root["$defs"].(map[string]any)
		for _, d := range defs {
			if d, ok := d.(map[string]any); ok && (d["$anchor"] == pointer || d["$dynamicAnchor"] == pointer) {
				return d
			}
		}
		return true
	}
	here := m.root
	for token := range strings.SplitSeq(pointer, "/") {
		if token == "" {
			continue
		}
		if list, ok := here.([]any); ok {
			if i, err := strconv.Atoi(token); err == nil && i < len(list) {
				here = list[i]
				continue
			}
		}
		parent, ok := here.(map[string]any)
		if !ok {
			return true
		}
		if decoded, err := url.PathUnescape(token); err == nil {
			token = decoded
		}
		here = parent[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]
	}
	return here
}

// words are the keywords for one type only.
var words = map[string][]string{
	"string": {"minLength", "maxLength", "pattern", "format", "contentEncoding", "contentMediaType"},
	"number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
	"array":  {"items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains", "unevaluatedItems"},
	"object": {"properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties", "maxProperties", "dependentRequired", "unevaluatedProperties"},
}

// types returns the types that a schema speaks of: those it names, else those that
// its keywords are about. With parts, those may say it all.
func (m *maker) types(s map[string]any, parts bool) []string {
	switch t := s["type"].(type) {
	case string:
		return []string{t}
	case []any:
		var out []string
		for _, name := range t {
			if name, ok := name.(string); ok {
				out = append(out, name)
			}
		}
		return out
	}
	var out []string
	for _, t := range slices.Sorted(maps.Keys(words)) {
		if slices.ContainsFunc(words[t], func(word string) bool { return s[word] != nil }) {
			out = append(out, t)
		}
	}
	if len(out) == 0 && !parts {
		return []string{"string", "integer", "object", "array", "null", "boolean"}
	}
	return out
}

func (m *maker) ofType(t string, s map[string]any, depth int) []any {
	switch t {
	case "null":
		return []any{nil}
	case "boolean":
		return []any{true, false}
	case "string":
		return textsFor(s)
	case "integer", "number":
		return numbersFor(s, t == "integer")
	case "array":
		return m.arrays(s, depth)
	case "object":
		return m.objects(s, depth)
	}
	return nil
}

// byPattern are strings for the patterns in schemas of this package.
var byPattern = map[string][]any{
	"^[a-c]+$":      {"abc", "a", "cab", "b", "abcabc", "abd"},
	"b":             {"abc", "b", "xbx", "xyz"},
	"^\\d{2}$":      {"12", "99", "1", "1２"},
	"^(?!x)[a-z]+$": {"abc", "yx", "xa", "x"},
	"^a{0,2000}$":   {"", "aaa", strings.Repeat("a", 2000), strings.Repeat("a", 2001)},
	"^only$":        {"only", "onl"},
	"^x":            {"x1", "xa", "x", "ax"},
	"1$":            {"a1", "1", "a2"},
}

// byFormat are valid and invalid strings for each format. Some valid ones differ from
// what Go would write.
var byFormat = map[string][]any{
	"date-time": {"2024-02-29T12:00:00Z", "2024-02-29t12:00:00z", "2024-02-29T12:00:00.000+02:00", "2024-02-29T12:00:00.123456789012Z", "2024-02-29T12:00:00-00:00", "2024-02-29 12:00:00Z", "2024-02-30T12:00:00Z"},
	"date":      {"2024-02-29", "0001-01-01", "2023-02-29", "2024-2-1"},
	"time":      {"12:00:00Z", "12:00:00.500+01:00", "23:59:60Z", "12:00:00", "25:00:00Z"},
	"duration":  {"P1D", "PT1H30M", "P1Y2M3DT4H5M6S", "P4W", "PT60M", "P", "1D"},
	"uuid":      {"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11", "3F2B7C1E-5D0A-4C69-8B1C-7F4F0A9B2E11", "3f2b7c1e5d0a4c698b1c7f4f0a9b2e11", "x"},
	"email":     {"a@b.se", "not an address"},
	"uri":       {"https://example.com/a?b#c", "urn:a:b", "/relative", "a b"},
	"ipv4":      {"192.0.2.1", "192.0.2.256"},
	"hostname":  {"example.com", "a", "-a-.com"},
}

func textsFor(s map[string]any) []any {
	var out []any
	if pattern, ok := s["pattern"].(string); ok {
		out = append(out, textsOf(pattern)...)
	}
	if format, ok := s["format"].(string); ok {
		out = append(out, byFormat[format]...)
	}
	if s["contentEncoding"] == "base64" {
		for _, text := range []string{"", "a", "ab", "abcd"} {
			out = append(out, base64.StdEncoding.EncodeToString([]byte(text)))
		}
		out = append(out, "YQ", "****")
	}
	if s["contentMediaType"] != nil {
		out = append(out, `{"a":1}`, `{`)
	}
	for _, word := range []string{"minLength", "maxLength"} {
		if n, ok := small(s[word]); ok {
			for _, length := range []int{n, n - 1, n + 1} {
				if length >= 0 {
					out = append(out, strings.Repeat("å", length), strings.Repeat("a", length))
				}
			}
		}
	}
	return append(out, "ab", "", "abcdef", "😀")
}

// small returns a number that can be a length.
func small(v any) (int, bool) {
	r, ok := rational(v)
	if !ok || !r.IsInt() || !r.Num().IsInt64() || r.Num().Int64() > 5000 {
		return 0, false
	}
	return int(r.Num().Int64()), true
}

func rational(v any) (*big.Rat, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return nil, false
	}
	return new(big.Rat).SetString(n.String())
}

// number returns the text of a rational number, which has a finite decimal form.
func number(r *big.Rat) json.Number {
	if r.IsInt() {
		return json.Number(r.Num().String())
	}
	digits, _ := r.FloatPrec()
	return json.Number(r.FloatString(digits))
}

func numbersFor(s map[string]any, whole bool) []any {
	var out []any
	step := big.NewRat(1, 1)
	if m, ok := rational(s["multipleOf"]); ok && m.Sign() > 0 {
		step = m
		for _, factor := range []int64{1, 6, -4, 0, 1001} {
			out = append(out, number(new(big.Rat).Mul(m, big.NewRat(factor, 1))))
		}
		out = append(out, number(new(big.Rat).Mul(m, big.NewRat(5, 2))))
	}
	for _, word := range []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"} {
		bound, ok := rational(s[word])
		if !ok {
			continue
		}
		out = append(out, number(bound), number(new(big.Rat).Add(bound, step)), number(new(big.Rat).Sub(bound, step)))
		// The multiples next to the bound, on both sides.
		steps := new(big.Rat).Quo(bound, step)
		floor := new(big.Int).Div(steps.Num(), steps.Denom())
		for _, more := range []int64{0, 1} {
			at := new(big.Rat).SetInt(new(big.Int).Add(floor, big.NewInt(more)))
			out = append(out, number(at.Mul(at, step)))
		}
	}
	out = append(out, json.Number("1"), json.Number("12"), json.Number("-3"), json.Number("0"), json.Number("2.0"), json.Number("1e2"), json.Number("9007199254740993"))
	if !whole {
		out = append(out, json.Number("0.5"), json.Number("0.1"), json.Number("1.10"), json.Number("1e-7"))
	}
	return append(out, json.Number("9223372036854775808"), json.Number("1e30"))
}
