package emit_test

import (
	"strings"
	"testing"
)

// A description is in the comment of the field, however the schema reaches it. The
// description of a named type is in the comment of the type.
func TestDescriptions(t *testing.T) {
	t.Parallel()
	const defs = `$defs:
  text: {type: string, description: About text., default: a}
  chain: {$ref: '#/$defs/text'}
  part: {type: object, description: About a part., properties: {n: {type: integer, description: About n.}}}
`
	for property, want := range map[string]string{
		`{type: string, description: About x.}`:                               "\t// About x.\n\tX *string ",
		`{$ref: '#/$defs/text'}`:                                              "\t// About text.\n\tX *string ",
		`{$ref: '#/$defs/chain'}`:                                             "\t// About text.\n\tX *string ",
		`{$ref: '#/$defs/text', description: About x.}`:                       "\t// About x.\n\tX *string ",
		`{$ref: '#/$defs/text', maxLength: 3}`:                                "\t// About text.\n\tX *string ",
		`{allOf: [{$ref: '#/$defs/text'}]}`:                                   "\t// About text.\n\tX *string ",
		`{anyOf: [{$ref: '#/$defs/text'}, {type: 'null'}]}`:                   "\t// About text.\n\tX outbox.Nullable[string] ",
		`{oneOf: [{type: 'null'}, {$ref: '#/$defs/chain', maxLength: 3}]}`:    "\t// About text.\n\tX outbox.Nullable[string] ",
		`{type: array, description: About x., items: {$ref: '#/$defs/text'}}`: "\t// About x.\n\tX []string ",
		`{$ref: '#/$defs/part'}`:                                              "// Part is part of the event schemas.\n//\n// About a part.\ntype Part struct {\n\t// About n.\n\tN *int64 ",
		`{$ref: '#/$defs/part', description: About x.}`:                       "\t// About x.\n\tX *Part ",
		`{type: object, properties: {n: true}}`:                               "// ThingV1X is the type of the property \"x\" of ThingV1.\ntype ThingV1X struct {",
		`{type: array, items: {type: object, properties: {n: true}}}`:         "// ThingV1XItem is the type of the items of the property \"x\" of ThingV1.\ntype ThingV1XItem struct {",
		`{type: string, deprecated: true, description: About x.}`:             "\t// About x.\n\t//\n\t// Deprecated: the schema marks it as deprecated.\n\tX *string ",
	} {
		t.Run(property, func(t *testing.T) {
			t.Parallel()
			generated, found := run(t, "", map[string]string{"thing.yaml": head + "  x: " + property + "\n" + defs})
			if len(found) > 0 {
				t.Fatal(found)
			}
			code := generated["thing_v1.go"]
			for strings.Contains(code, "  ") { // gofmt's alignment
				code = strings.ReplaceAll(code, "  ", " ")
			}
			if !strings.Contains(code, want) {
				t.Errorf("no %q in\n%s", want, code)
			}
			if strings.Contains(property, "/text") && !strings.Contains(property, "items") || strings.Contains(property, "/chain") {
				if !strings.Contains(code, "func (v ThingV1) XOrDefault() ") {
					t.Error("the default does not reach the field")
				}
			}
		})
	}
}
