package plan_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/plan"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

const stableConfig = "version: 1\nservice: shop\nschemas: [\"**/*.v*.yaml\"]\nout: events\n"

// event returns an event schema with definitions, all of which it uses.
func event(name string, version int, definitions ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "title: %s\nx-outbox: {version: %d, type: %s.v%d, aggregate: {type: x, id: /id}}\ntype: object\nrequired: [id]\nproperties:\n  id: {type: string}\n", name, version, strings.ToLower(name), version)
	for i, d := range definitions {
		ref := d
		if !strings.Contains(d, ".yaml#") {
			ref, _, _ = strings.Cut(d, ":")
			ref = "#/$defs/" + ref
		}
		fmt.Fprintf(&b, "  p%d: {$ref: '%s'}\n  list_%d: {type: array, items: {type: object, properties: {n: {enum: [a, b]}}}}\n", i, ref, i)
	}
	b.WriteString("$defs:\n  nothing: true\n")
	for _, d := range definitions {
		if !strings.Contains(d, ".yaml#") {
			fmt.Fprintf(&b, "  %s\n", d)
		}
	}
	return b.String()
}

// shop returns a project with names that one, two and three types could have.
func shop() map[string]string {
	return map[string]string{
		"lib/common.yaml":         "$defs:\n  money: {type: object, properties: {amount: {type: integer}}}\n  status: {enum: [open, closed]}\n",
		"lib/other.yaml":          "$defs:\n  money: {type: object, properties: {cents: {type: integer}}}\n",
		"mm/order_placed.v1.yaml": event("OrderPlaced", 1, "address: {type: object, properties: {street: {type: string}}}", "status: {enum: [new, old]}", "line: {type: object, properties: {n: {type: integer}}}", "/lib/common.yaml#/$defs/money"),
		"mm/order_placed.v2.yaml": event("OrderPlaced", 2, "address: {type: object, properties: {street: {type: string}, city: {type: string}}}", "/lib/common.yaml#/$defs/status", "/lib/other.yaml#/$defs/money"),
		"mm/user_joined.v1.yaml":  event("UserJoined", 1, "address: {type: object, properties: {planet: {type: string}}}", "line: {type: object, properties: {n: {type: integer}}}", "/lib/common.yaml#/$defs/money", "choice: {oneOf: [{type: string}, {type: object, properties: {x: {type: string}}}]}"),
	}
}

// goNames returns the Go names by their places in the schemas, and the warnings.
func goNames(t *testing.T, files map[string]string) (names map[string]string, warned []string) {
	t.Helper()
	fsys := fstest.MapFS{"outboxgen.yaml": {Data: []byte(stableConfig)}}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(text, "'/lib", "'../lib"))}
	}
	p, list, err := schema.LoadFS(fsys, "outboxgen.yaml")
	if err != nil || list.HasErrors() {
		t.Fatal(err, list.Sorted())
	}
	list = &finding.List{}
	pkg := plan.Of(p, nil, list)
	if list.HasErrors() {
		t.Fatal(list.Sorted())
	}
	for _, f := range list.Sorted() {
		warned = append(warned, strings.TrimSuffix(f.String(), " ["+f.ID+"]"))
	}
	names = map[string]string{}
	for _, e := range pkg.Events {
		names["event "+e.Type] = e.GoName
	}
	for _, f := range pkg.Files {
		for _, n := range f.Types {
			place := n.Schema.Doc.Path + "#" + n.Schema.Pointer
			names[place] = n.Name
			for i, v := range n.Enum {
				names[fmt.Sprintf("%s value %d", place, i)] = v.Name
			}
			for _, field := range n.Fields {
				names[place+" member "+field.JSON] = field.Name
			}
			if n.Union != nil {
				names[place+" unknown"] = n.Union.Unknown
			}
		}
	}
	return names, warned
}

// kept compares the former names with the later ones.
func kept(t *testing.T, before, after map[string]string) {
	t.Helper()
	still := map[string]string{}
	for place := range before {
		still[place] = after[place]
	}
	if diff := cmp.Diff(before, still); diff != "" {
		t.Errorf("names changed (-before +after):\n%s", diff)
	}
}

// New, unrelated schemas do not change a name of the existing ones, in whatever folder
// and number they are added.
func TestUnrelatedSchemasChangeNoName(t *testing.T) {
	t.Parallel()
	files := shop()
	before, _ := goNames(t, files)
	random := rand.New(rand.NewPCG(1, 2)) // the same in each run
	words := strings.Fields("batch cart crate depot driver fleet grade invoice label parcel ranking refund route score seat shift ticket tour truck warehouse")
	kinds := []string{
		"{type: object, properties: {a: {type: string}, item: {type: object, properties: {b: {type: integer}}}}}", "{enum: [open, closed, lost]}",
		"{oneOf: [{type: string}, {type: object, properties: {c: {type: boolean}}}]}", "{type: array, items: {type: object, properties: {d: {type: number}}}}",
	}
	for i := range 50 {
		var definitions []string
		for range 1 + random.IntN(4) {
			name := words[random.IntN(len(words))] + "_" + words[random.IntN(len(words))]
			if !slices.ContainsFunc(definitions, func(d string) bool { return strings.HasPrefix(d, name+":") }) {
				definitions = append(definitions, name+": "+kinds[random.IntN(len(kinds))])
			}
		}
		name := fmt.Sprintf("%c%s%d", 'A'+rune(random.IntN(26)), words[random.IntN(len(words))], i)
		file := fmt.Sprintf("%c/%s.v1.yaml", 'a'+rune(random.IntN(26)), name)
		one := maps.Clone(shop())
		one[file] = event(name, 1, definitions...)
		after, _ := goNames(t, one)
		kept(t, before, after)
		files[file] = one[file] // and all together
	}
	after, _ := goNames(t, files)
	kept(t, before, after)
}

// A schema that defines another type under a used name gets another name, if the rule
// can decide that the other one keeps it.
func TestClashingSchemasChangeNoName(t *testing.T) {
	t.Parallel()
	before, warned := goNames(t, shop())
	const hint = " here to fix its name, or let both refer to one definition"
	want := []string{
		"lib/other.yaml:2:10: warning: the Go name Money belongs to another schema, at lib/common.yaml:2:10, so this type is called OtherMoney; set title: OtherMoney" + hint,
		"mm/order_placed.v1.yaml:18:11: warning: the Go name Status belongs to another schema, at lib/common.yaml:3:11, so this type is called OrderPlacedV1Status; set title: OrderPlacedV1Status" + hint,
		"mm/user_joined.v1.yaml:17:12: warning: the Go name Address belongs to another schema, at mm/order_placed.v1.yaml:17:12, so this type is called UserJoinedV1Address; set title: UserJoinedV1Address" + hint,
	}
	if diff := cmp.Diff(want, warned); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	for name, text := range map[string]string{
		"zz/later.v1.yaml":     event("Later", 1, "address: {type: object, properties: {gps: {type: string}}}", "money: {type: string, enum: [x]}", "status: {enum: [on]}", "status_open: {type: object, properties: {a: true}}"),
		"aa/earlier.v1.yaml":   event("Earlier", 1, "money: {type: object, properties: {x: true}}", "status: {enum: [on]}", "line: {type: object, properties: {x: true}}"),
		"aa/earlier.v3.yaml":   event("Earlier", 3, "address: {type: object, properties: {gps: {type: string}}}"),
		"aa/same.v1.yaml":      event("Same", 1, "line: {type: object, properties: {n: {type: integer}}}"),
		"aa/newer.v3.yaml":     event("OrderPlaced", 3, "address: {type: object, properties: {gps: {type: string}}}"),
		"aa/alike.v1.yaml":     event("AddressOrderPlaced", 1, "order_placed_v1_address: {type: object, properties: {x: true}}"),
		"zz/of_a_type.v1.yaml": event("Address", 1, "address_v1_item: {type: object, properties: {x: true}}"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := shop()
			files[name] = text
			after, _ := goNames(t, files)
			kept(t, before, after)
		})
	}
}

// The exceptions in the package documentation: only these rename an existing type, and
// the warning is at that type.
func TestSchemasThatComeBefore(t *testing.T) {
	t.Parallel()
	before, _ := goNames(t, shop())
	const definition = "mm/order_placed.v1.yaml#/$defs/address"
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"its file sorts first":      {map[string]string{"aa/earlier.v1.yaml": event("Earlier", 1, "address: {type: object, properties: {gps: {type: string}}}")}, "OrderPlacedV1Address"},
		"a library":                 {map[string]string{"lib/new.yaml": "$defs:\n  address: {type: object, properties: {gps: {type: string}}}\n", "zz/later.v1.yaml": event("Later", 1, "/lib/new.yaml#/$defs/address")}, "OrderPlacedV1Address"},
		"more events use the other": {map[string]string{"zz/later.v1.yaml": event("Later", 1, "../mm/user_joined.v1.yaml#/$defs/address")}, "OrderPlacedV1Address"},
		"more events use this one": {map[string]string{
			"aa/earlier.v1.yaml": event("Earlier", 1, "address: {type: object, properties: {gps: {type: string}}}"),
			"zz/later.v1.yaml":   event("Later", 1, "../mm/order_placed.v1.yaml#/$defs/address"),
		}, "Address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := shop()
			maps.Copy(files, test.files)
			after, warned := goNames(t, files)
			if after[definition] != test.want {
				t.Errorf("%s, want %s", after[definition], test.want)
			}
			told := slices.ContainsFunc(warned, func(w string) bool {
				return strings.HasPrefix(w, "mm/order_placed.v1.yaml:17:12: warning: the Go name Address belongs to")
			})
			if told != (test.want != before[definition]) {
				t.Errorf("warnings: %q", warned)
			}
		})
	}
}
