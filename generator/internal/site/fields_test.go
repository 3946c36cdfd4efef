package site

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// table returns the table of fields of a schema as text: a line for each row.
func table(t *testing.T, text string) string {
	t.Helper()
	header := "title: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\n"
	project, list, err := schema.LoadFS(fstest.MapFS{
		"outboxgen.yaml": {Data: []byte("version: 1\nservice: s\nschemas: [a.yaml]\nout: events\n")},
		"a.yaml":         {Data: []byte(header + text)},
	}, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if list.HasErrors() {
		t.Fatal(list.Sorted())
	}
	root, rows, left := fieldsOf(project.Events[0])
	root.Name = "data"
	var b strings.Builder
	for _, row := range append([]field{root}, rows...) {
		fmt.Fprintf(&b, "%s%s%s | %s", strings.Repeat("  ", row.Depth), row.Within, row.Name, row.Type)
		for _, words := range append([]string{row.Required}, row.Marks...) {
			if words != "" {
				fmt.Fprintf(&b, ", %s", words)
			}
		}
		if len(row.Description.Texts) > 0 {
			fmt.Fprintf(&b, " | %s", strings.Join(row.Description.Texts, " ¶ "))
		}
		for _, r := range row.Rules {
			fmt.Fprintf(&b, " | %s", strings.TrimSpace(r.Words+" "+r.Code))
		}
		for _, v := range row.Values {
			fmt.Fprintf(&b, " | %s", strings.TrimSpace(v.Value+" "+v.Name))
		}
		if row.MoreValues > 0 {
			fmt.Fprintf(&b, " | %d more", row.MoreValues)
		}
		if row.Default != nil {
			fmt.Fprintf(&b, " | default %s", *row.Default)
		}
		for _, v := range row.Examples {
			fmt.Fprintf(&b, " | like %s", v)
		}
		b.WriteByte('\n')
	}
	if left {
		b.WriteString("and more\n")
	}
	return b.String()
}

func TestFields(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ schema, want string }{
		"scalars": {`
type: object
required: [a, z]
additionalProperties: false
properties:
  a: {type: string, minLength: 1, maxLength: 9, pattern: "^x", description: "One.\n\nTwo."}
  b: {type: [integer, "null"], minimum: 0, exclusiveMaximum: 10, multipleOf: 2, deprecated: true}
  c: {enum: [1, two, null], x-enum-varnames: [One, Two, None], default: two}
  d: {const: {x: 1}}
  e: {type: string, format: date-time, readOnly: true, examples: ["2026-01-01T00:00:00Z"]}
  f: {type: string, contentEncoding: base64, contentMediaType: image/png, x-outbox: {personal: true}}
  g: true
  h: false
  i: {type: number, minimum: 0.5, maximum: 1}
  j: {type: string, minLength: 3, maxLength: 3, writeOnly: true}
`, `
data | object A | no other properties
a | string, required | One. ¶ Two. | 1 to 9 characters | matches the pattern ^x
b | integer, optional, may be null, deprecated | at least 0 and less than 10 | a multiple of 2
c | number or string, optional, may be null | 1 One | "two" Two | null None | default "two"
d | object, optional | {"x":1}
e | string (date-time), optional, read only | like "2026-01-01T00:00:00Z"
f | string, optional, personal data | contains image/png, encoded as base64
g | any value, optional
h | no value, optional
i | number, optional | from 0.5 to 1
j | string, optional, write only | exactly 3 characters
z | any value, required
`},
		"a discriminator": {`
type: object
properties:
  pet:
    discriminator: {propertyName: kind, mapping: {tom: "#/$defs/Cat"}}
    oneOf: [{$ref: "#/$defs/Cat"}, {$ref: "#/$defs/Dog"}, {$ref: "#/$defs/Emu"}]
$defs:
  Cat: {type: object, required: [kind], properties: {kind: {type: string}}}
  Dog: {type: object}
  Emu: {type: object, required: [kind], properties: {kind: {const: emu}}}
`, `
data | object A
pet | object, optional | matches exactly one of the variants
  pet variant 1 | object | kind is always "tom"
    pet variant 1.kind | string, required
  pet variant 2 | object | kind is always "Dog"
  pet variant 3 | object
    pet variant 3.kind | string, required | "emu"
`},
		"a discriminator of definitions with other names": {`
type: object
properties:
  pet:
    discriminator: {propertyName: kind, mapping: {tom: "#/$defs/Cat", felix: "#/$defs/Cat"}}
    oneOf: [{$ref: "#/$defs/Alias"}, {$ref: "#/$defs/Cat"}, {$ref: "#/$defs/__schema0"}]
$defs:
  Alias: {$ref: "#/$defs/Dog"}
  Dog: {type: object}
  Cat: {type: object}
  __schema0: {type: object}
`, `
data | object A
pet | object, optional | matches exactly one of the variants
  pet variant 1 | object | kind is always "Dog"
  pet variant 2 | object | kind is "tom" or "felix"
  pet variant 3 | object
`},
		"what is said of items": {`
type: object
properties:
  emails: {type: array, items: {type: string, x-outbox: {personal: true}}}
  old: {type: array, items: {type: string, deprecated: true}}
  usual: {type: array, items: {type: string, default: x}}
  like: {type: array, items: {type: string, examples: [y]}}
  none: {type: array, items: {type: [string, "null"]}}
  rest: {type: array, prefixItems: [{type: integer}], items: {type: string, readOnly: true}}
`, `
data | object A
emails | array of string, optional
  emails[] | string, personal data
old | array of string, optional
  old[] | string, deprecated
usual | array of string, optional
  usual[] | string | default "x"
like | array of string, optional
  like[] | string | like "y"
none | array of string, optional
  none[] | string, may be null
rest | array with fixed places, optional
  rest[0] | integer
  rest[…] | string, read only
`},
		"containers": {`
type: object
minProperties: 1
properties:
  names: {type: array, items: {type: string}, minItems: 1, uniqueItems: true}
  lines: {type: array, maxItems: 5, items: {title: Line, type: object, required: [sku], properties: {sku: {type: string}}}}
  long: {type: array, items: {description: Each., type: string, minLength: 2}}
  pair: {type: array, prefixItems: [{type: string}, {type: integer}], items: false}
  map: {type: object, additionalProperties: {type: integer, minimum: 1}, propertyNames: {pattern: "^k"}}
  some: {type: object, patternProperties: {"^x-": {type: string}}}
  deep: {type: array, items: {type: array, items: {type: array, items: {type: number}}}}
dependentRequired: {lines: [names, pair]}
`, `
data | object A | at least 1 entry | with lines also required: names, pair
names | array of string, optional | at least 1 item | all items are different
lines | array of object Line, optional | at most 5 items
  lines[].sku | string, required
long | array of string, optional
  long[] | string | Each. | at least 2 characters
pair | array with fixed places, optional
  pair[0] | string
  pair[1] | integer
map | map of integer, optional | all names match the pattern ^k
  map.each entry | integer | at least 1
some | map, optional
  some.names that match ^x- | string, optional
deep | array of array of array of number, optional
  deep[] | array of array of number
    deep[][] | array of number
`},
		"combinations": {`
type: object
properties:
  ref: {$ref: "#/$defs/id", description: Here.}
  both: {allOf: [{$ref: "#/$defs/id"}, {maxLength: 5}]}
  maybe: {anyOf: [{$ref: "#/$defs/id"}, {type: "null"}]}
  either: {oneOf: [{type: string}, {type: integer, minimum: 3}]}
  kinds: {anyOf: [{title: Cat, type: object, required: [k], properties: {k: {const: cat}}}, {title: Dog, type: object, properties: {k: {const: dog}}}]}
  tree: {$ref: "#/$defs/tree"}
  not: {type: string, not: {const: x}}
  any: {type: object, anyOf: [{required: [a]}, {required: [b, c]}]}
  if: {type: object, if: {required: [a]}, then: {required: [b]}}
$defs:
  id: {title: Id, description: An id., type: string, format: uuid, minLength: 1}
  tree: {title: Tree, type: object, properties: {children: {type: array, items: {$ref: "#/$defs/tree"}}}}
`, `
data | object A
ref | string (uuid), optional | Here. | at least 1 character
both | string (uuid), optional | An id. | at least 1 character | at most 5 characters
maybe | string (uuid), optional, may be null | An id. | at least 1 character
either | string or integer, optional | matches exactly one of the variants
  either variant 1 | string
  either variant 2 | integer | at least 3
kinds | object Cat or object Dog, optional | matches one or more of the variants
  kinds variant 1: Cat | object Cat
    kinds variant 1: Cat.k | string, required | "cat"
  kinds variant 2: Dog | object Dog
    kinds variant 2: Dog.k | string, optional | "dog"
tree | object Tree, optional
  tree.children | array of object Tree, optional
    tree.children[] | object Tree | has the same fields as tree
not | string, optional | some values are excluded: see the JSON Schema
any | object, optional | at least one of these is required: a | b, c
if | object, optional | more rules apply to some values: see the JSON Schema
`},
		"null and types": {`
type: object
properties:
  enum: {type: [string, "null"], enum: [a, b]}
  enumWithNull: {type: [string, "null"], enum: [a, null]}
  const: {type: [string, "null"], const: a}
  constNull: {type: [string, "null"], const: null}
  either: {anyOf: [{enum: [a, b]}, {type: "null"}]}
  shared: {anyOf: [{$ref: "#/$defs/text"}, {type: "null"}]}
  both: {allOf: [{type: [string, "null"]}, {type: string}]}
  bothNull: {allOf: [{type: [string, "null"]}, {type: ["null", string]}]}
  one: {oneOf: [{type: string}, {type: "null"}], type: string}
  none: {allOf: [{type: string}, {type: integer}, {type: boolean}]}
  noneLater: {allOf: [{type: string}, {type: integer}], minLength: 1}
  whole: {allOf: [{type: number}, {type: integer}]}
$defs:
  text: {type: [string, "null"]}
`, `
data | object A
enum | string, optional | "a" | "b"
enumWithNull | string, optional, may be null | "a" | null
const | string, optional | "a"
constNull | string, optional, may be null | null
either | string, optional, may be null | "a" | "b"
shared | string, optional, may be null
both | string, optional
bothNull | string, optional, may be null
one | string, optional
none | no value, optional
noneLater | no value, optional | at least 1 character
whole | integer, optional
`},
		"the data itself": {`
type: array
minItems: 1
items: {type: string}
`, `
data | array of string | at least 1 item
`},
	} {
		if diff := cmp.Diff(strings.TrimPrefix(c.want, "\n"), table(t, strings.TrimPrefix(c.schema, "\n"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A schema that is wide and deep has a table that ends.
func TestFieldsOfALargeSchema(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("$ref: '#/$defs/d0'\n$defs:\n")
	const levels, width = 20, 4
	for level := range levels {
		fmt.Fprintf(&b, "  d%d: {type: object, properties: {", level)
		for i := range width {
			fmt.Fprintf(&b, "p%d: {$ref: '#/$defs/d%d'}, ", i, level+1)
		}
		b.WriteString("}}\n")
	}
	fmt.Fprintf(&b, "  d%d: {type: string}\n", levels)
	got := table(t, b.String())
	if n := strings.Count(got, "\n"); n > mostFields+2 || !strings.HasSuffix(got, "and more\n") {
		t.Errorf("%d lines, the last: %q", n, got[strings.LastIndex(strings.TrimSpace(got), "\n"):])
	}
	values := make([]string, 1000)
	for i := range values {
		values[i] = fmt.Sprintf("v%d", i)
	}
	got = table(t, "type: object\nproperties: {e: {enum: ["+strings.Join(values, ", ")+"]}}\n")
	if !strings.HasSuffix(got, `| "v59" | 940 more`+"\n") {
		t.Errorf("the enum ends with %q", got[len(got)-100:])
	}
}

// A schema to which many paths lead, each part of it twice or more, has a table soon.
func TestFieldsOfManyPaths(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("type: object\nproperties: {a: {$ref: '#/$defs/d0'}}\n$defs:\n")
	const levels = 24
	for level := range levels {
		next := fmt.Sprintf("{$ref: '#/$defs/d%d'}", level+1)
		fmt.Fprintf(&b, "  d%d: {allOf: [%s, %s, %s]}\n", level, next, next, next)
	}
	fmt.Fprintf(&b, "  d%d: {type: [string, 'null']}\n", levels)
	want := "data | object A\na | string, optional, may be null\n"
	if diff := cmp.Diff(want, table(t, b.String())); diff != "" {
		t.Errorf("the table (-want +got):\n%s", diff)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                        "",
		"One. Two.":               "One.",
		"No end":                  "No end",
		"A\nb. C":                 "A b.",
		strings.Repeat("é ", 300): strings.Repeat("é ", 99) + "é…",
	} {
		if got := summary(text); got != want {
			t.Errorf("summary of %.20q is %q, want %q", text, got, want)
		}
	}
	if got := visible("a\u202eb\x00c\td\r\ne\u200f\u200b\u2060f\u200dg\ufeff"); got != "a\ufffdb\ufffdc\td\ne\u200f\ufffd\ufffdf\u200dg\ufffd" {
		t.Errorf("visible: %q", got)
	}
}
