package rule_test

import (
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/runtime/rule"
)

// Each level of a value is checked once, although every branch of a recursive union
// reads it. There are 4^60 paths to the last level.
func TestRecursiveUnionsLookAtEachLevelOnce(t *testing.T) {
	t.Parallel()
	two := 2
	term := &rule.Schema{Ref: "term"}
	operation := func(name string) *rule.Schema {
		return &rule.Schema{
			Type: []string{"object"}, Required: []string{"op"},
			Properties: map[string]*rule.Schema{"op": {Const: rule.JSON(`"` + name + `"`)}, "args": {Type: []string{"array"}, Items: term, MaxItems: &two}},
		}
	}
	for _, keyword := range []string{"anyOf", "oneOf", "allOf"} {
		branches := []*rule.Schema{operation("and"), operation("or"), operation("not"), {Type: []string{"string"}}}
		union := &rule.Schema{}
		switch keyword {
		case "anyOf":
			union.AnyOf = branches
		case "oneOf":
			union.OneOf = branches
		default:
			same := func() *rule.Schema { return &rule.Schema{Properties: map[string]*rule.Schema{"args": {Items: term}}} }
			union.AllOf = []*rule.Schema{same(), same(), {Type: []string{"object", "string"}}}
		}
		set := &rule.Set{Rules: []*rule.Schema{term}, Defs: map[string]*rule.Schema{"term": union}}
		nested := func(leaf any) any {
			value := leaf
			for range 60 {
				value = map[string]any{"op": "not", "args": []any{value}}
			}
			return value
		}
		if found := set.Check(nested("x"), nil); len(found) > 0 {
			t.Errorf("%s: %v", keyword, found)
		}
		found := set.Check(nested(true), nil)
		if len(found) == 0 {
			t.Errorf("%s: nothing found", keyword)
		}
		for _, v := range found {
			if len(v.Message) > 2000 {
				t.Errorf("%s: a message of %d bytes: %s", keyword, len(v.Message), v.Message[:200])
			}
		}
		if keyword == "allOf" && (len(found) != 2 || found[0].Pointer != strings.Repeat("/args/0", 60)) {
			t.Errorf("want one violation of each part at the leaf, got %d: %v", len(found), found[0])
		}
	}
}
