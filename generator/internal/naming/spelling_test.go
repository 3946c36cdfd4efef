package naming

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
)

// A struct has a field for spellings if its values lose theirs, also in items, maps and
// unions, but not in a struct or a tuple inside it. Event data that is not an object
// has a struct with one for its value.
func TestSpellingName(t *testing.T) {
	t.Parallel()
	id := &ir.Type{Kind: ir.UUID}
	with := func(t *ir.Type) *ir.Named { return &ir.Named{Fields: []*ir.Field{{JSON: "a", Type: t}}} }
	holding := func(n *ir.Named) *ir.Named { return with(&ir.Type{Kind: ir.Struct, Named: n}) }
	tuple, recursive := with(id), &ir.Named{Of: &ir.Type{Kind: ir.Slice}}
	tuple.Tuple = true
	recursive.Of.Elem = &ir.Type{Kind: ir.Collection, Named: recursive}
	union := func(raw bool) *ir.Named {
		return &ir.Named{Union: &ir.Union{Raw: raw, Branches: []*ir.Branch{{Type: &ir.Type{Kind: ir.String}}, {Type: id}}}}
	}
	taken := with(id)
	taken.Fields = append(taken.Fields, &ir.Field{JSON: "spelling", Type: &ir.Type{Kind: ir.String}})
	want, got := map[string]string{
		"uuid": "Spelling", "base16": "Spelling", "string": "", "items": "Spelling", "struct": "", "tuple in struct": "", "tuple": "Spelling",
		"event data": "Spelling", "event data that is a tuple": "",
		"union": "Spelling", "raw union": "", "recursive": "", "name is taken": "Spelling2", "no fields": "",
	}, map[string]string{}
	for name, n := range map[string]*ir.Named{
		"uuid": with(id), "base16": with(&ir.Type{Kind: ir.Base16}), "string": with(&ir.Type{Kind: ir.String}),
		"items": with(&ir.Type{Kind: ir.Slice, Elem: &ir.Type{Kind: ir.Map, Elem: id}}), "struct": holding(with(id)), "tuple in struct": holding(tuple), "tuple": tuple,
		"event data": {Holds: &ir.Type{Kind: ir.Slice, Elem: id}}, "event data that is a tuple": {Holds: &ir.Type{Kind: ir.Struct, Named: tuple}},
		"union": holding(union(false)), "raw union": holding(union(true)), "recursive": holding(recursive), "name is taken": taken, "no fields": {},
	} {
		nameFields(n)
		got[name] = n.SpellingName
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
