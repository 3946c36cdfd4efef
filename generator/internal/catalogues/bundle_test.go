package catalogues_test

import (
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
)

// bundle has copies of all files under one root. Every reference in it is a pointer
// from the root, as the generator of documents requires.
func bundle(parsed map[string]any) map[string]any {
	byID := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(parsed)) {
		if object, ok := parsed[name].(map[string]any); ok {
			for _, word := range []string{"$id", "id"} {
				if id, ok := object[word].(string); ok {
					byID[strings.TrimSuffix(id, "#")] = name
				}
			}
		}
	}
	out := map[string]any{}
	for name, schema := range parsed {
		out[name] = rewritten(schema, func(ref string) string {
			file, fragment, _ := strings.Cut(ref, "#")
			target := name
			if file != "" {
				target = byID[file]
				if target == "" {
					target = path.Join(path.Dir(name), file)
				}
				if parsed[target] == nil {
					target = path.Base(file)
				}
			}
			return "#/" + url.PathEscape(strings.ReplaceAll(target, "/", "~1")) + fragment
		})
	}
	return out
}

func rewritten(v any, ref func(string) string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			if text, ok := member.(string); ok && name == "$ref" {
				out[name] = ref(text)
				continue
			}
			out[name] = rewritten(member, ref)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = rewritten(v[i], ref)
		}
		return out
	}
	return v
}

// at returns the part of a schema that a pointer leads to.
func at(schema any, pointer string) any {
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if object, ok := schema.(map[string]any); ok && token != "" {
			schema = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]
		}
	}
	return schema
}
