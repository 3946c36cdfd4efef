package crossing

import (
	"maps"
	"slices"
)

// arrays makes arrays of all lengths that a schema mentions.
func (m *maker) arrays(s map[string]any, depth int) []any {
	prefix, _ := s["prefixItems"].([]any)
	words := []string{"items", "contains", "unevaluatedItems"}
	if positions, ok := s["items"].([]any); ok { // before 2020-12
		prefix, words = positions, []string{"additionalItems", "contains"}
	}
	var rest []any
	for _, word := range words {
		if sub, ok := s[word]; ok {
			rest = append(rest, spread(m.values(sub, depth+1), widest)...)
		}
	}
	if len(rest) == 0 && s["items"] != false {
		rest = []any{"r", nil}
	}
	if s["contains"] != nil && s["items"] == nil {
		rest = append(rest, "beside")
	}
	positions := make([][]any, len(prefix))
	for i, sub := range prefix {
		positions[i] = spread(m.values(sub, depth+1), widest)
	}
	build := func(length, shift int) []any {
		out := []any{}
		for i := range length {
			choice := rest
			if i < len(positions) {
				choice = positions[i]
			}
			if len(choice) == 0 {
				break
			}
			at := 0
			if i >= len(positions) {
				at = i - len(positions) + shift
			}
			out = append(out, choice[at%len(choice)])
		}
		return out
	}
	var out []any
	lengths := []int{len(prefix), len(prefix) + 1, len(prefix) + 3, 2, 1, 0}
	for _, word := range []string{"minItems", "maxItems", "minContains", "maxContains"} {
		if n, ok := small(s[word]); ok && n < 50 {
			lengths = append(lengths, n, n+1, max(0, n-1))
		}
	}
	for _, n := range lengths {
		out = append(out, build(n, 0))
	}
	for shift := range min(len(rest), widest) {
		out = append(out, build(len(prefix)+1, shift), build(len(prefix)+2, shift))
		if length := len(prefix) + 1; shift < 3 { // the same value twice
			out = append(out, append(build(length, shift), rest[shift]))
		}
	}
	whole := build(len(prefix), 0)
	for i, choice := range positions {
		for _, v := range choice {
			if i < len(whole) {
				changed := slices.Clone(whole)
				changed[i] = v
				out = append(out, changed)
			}
		}
	}
	return out
}

// objects makes objects with all properties, with only the required ones, and with each
// value of each property.
func (m *maker) objects(s map[string]any, depth int) []any {
	members := m.members(s, depth)
	names := slices.Sorted(maps.Keys(members))
	full := map[string]any{}
	for _, name := range names {
		full[name] = members[name][0]
	}
	least := map[string]any{}
	required, _ := s["required"].([]any)
	for _, name := range required {
		if name, ok := name.(string); ok {
			least[name] = "r"
			if values := members[name]; len(values) > 0 {
				least[name] = values[0]
			}
		}
	}
	described := map[string]any{}
	if properties, ok := s["properties"].(map[string]any); ok {
		for name := range properties {
			if v, ok := full[name]; ok {
				described[name] = v
			}
		}
	}
	maps.Copy(described, least)
	out := []any{described, least, full}
	for _, name := range names {
		with := maps.Clone(least)
		with[name] = members[name][0]
		out = append(out, with)
	}
	for _, base := range []map[string]any{described, least} {
		for _, name := range names {
			for _, v := range members[name] {
				changed := maps.Clone(base)
				changed[name] = v
				out = append(out, changed)
			}
		}
	}
	return append(out, map[string]any{})
}

// members returns the values for each property that a schema mentions or may allow.
func (m *maker) members(s map[string]any, depth int) map[string][]any {
	out := map[string][]any{}
	put := func(name string, schema any) {
		if values := spread(m.light(m.values(schema, depth+1)), 2*widest); len(values) > 0 {
			out[name] = append(out[name], values...)
		}
	}
	properties, _ := s["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		put(name, properties[name])
	}
	patterns, _ := s["patternProperties"].(map[string]any)
	for _, pattern := range slices.Sorted(maps.Keys(patterns)) {
		for i, name := range textsOf(pattern) {
			if i < 3 {
				put(name.(string), patterns[pattern])
			}
		}
	}
	for _, word := range []string{"additionalProperties", "unevaluatedProperties"} {
		if sub, ok := s[word]; ok && sub != false {
			put("extra", sub)
			put("more", sub)
		}
	}
	if sub, ok := s["propertyNames"]; ok {
		for _, name := range m.values(sub, depth+1) {
			if name, ok := name.(string); ok && len(out) < 2*widest {
				out[name] = []any{"n"}
				if value := s["additionalProperties"]; value != nil {
					put(name, value)
				}
			}
		}
	}
	if len(out) == 0 && s["additionalProperties"] == nil {
		out["k"], out["l"] = []any{"v"}, []any{nil}
	}
	return out
}
