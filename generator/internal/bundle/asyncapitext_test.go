package bundle_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/outboxgen/outboxgen/generator/internal/bundle"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

const exportConfig = "version: 1\nservice: shop\nout: events\nschemas: "

// exported returns the document of a project with one schema file, and its warnings.
func exported(t *testing.T, file string) (document []byte, warnings string) {
	t.Helper()
	project, list, err := schema.LoadFS(fstest.MapFS{"outboxgen.yaml": {Data: []byte(exportConfig + "[order.yaml]\n")}, "order.yaml": {Data: []byte(file)}}, "outboxgen.yaml")
	if err != nil || list.HasErrors() {
		t.Fatal(err, list.Sorted())
	}
	document, list, err = bundle.AsyncAPI(bundle.Service{Name: "shop", Version: "1.0.0"}, project.Events)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range list.Sorted() {
		b.WriteString(f.String() + "\n")
	}
	return document, b.String()
}

// A document says of an event what its x-outbox says: also its rule of compatibility,
// and a key whose name needs escapes in a reference.
func TestAsyncAPIKeepsTheEvent(t *testing.T) {
	t.Parallel()
	document, warnings := exported(t, `title: OrderPlaced
x-outbox:
  version: 1
  type: order.placed.v1
  aggregate: {type: order}
  key: "/order id%~1#é"
  compat: {level: FULL, policy: strict}
type: object
required: ["order id%/#é"]
properties: {"order id%/#é": {type: string}}
`)
	if warnings != "" {
		t.Errorf("warnings: %s", warnings)
	}

	project, list, err := schema.LoadFS(fstest.MapFS{"outboxgen.yaml": {Data: []byte(exportConfig + "[asyncapi.json]\n")}, "asyncapi.json": {Data: document}}, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}

	for _, f := range list.Sorted() {
		t.Errorf("importing reports %s", f)
	}
	if len(project.Events) != 1 {
		t.Fatalf("%d events", len(project.Events))
	}
	e := project.Events[0]
	if diff := cmp.Diff(schema.CompatRule{Level: "FULL", Policy: "strict"}, e.Compat); diff != "" {
		t.Errorf("compatibility (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("/order id%~1#é", e.Key.Text); diff != "" {
		t.Errorf("key (-want +got):\n%s", diff)
	}
	var parsed map[string]any
	if err := json.Unmarshal(document, &parsed); err != nil {
		t.Fatal(err)
	}
	message := parsed["components"].(map[string]any)["messages"].(map[string]any)["OrderPlacedV1"].(map[string]any)
	want := map[string]any{"kafka": map[string]any{
		"bindingVersion": "0.5.0",
		"key":            map[string]any{"$ref": "#/components/schemas/OrderPlacedV1/properties/order%20id%25~1%23%C3%A9"},
	}}
	if diff := cmp.Diff(want, message["bindings"]); diff != "" {
		t.Errorf("bindings (-want +got):\n%s", diff)
	}
}

// The document has the branches of a discriminator under the values that select them. If
// it cannot, a warning says so.
func TestAsyncAPIDiscriminator(t *testing.T) {
	t.Parallel()
	const file = `title: OrderPaid
x-outbox: {version: 1, type: order.paid.v1, aggregate: {type: order}}
oneOf: [{$ref: '#/$defs/card'}, {$ref: '#/$defs/cash'}]
discriminator: {propertyName: kindMAPPING}
$defs:
  card: {title: Paid by card, type: object, required: [kind], properties: {kind: {type: string}, number: {type: string}}}
  cash: {title: Paid in cash, type: object, required: [kind], properties: {kind: {type: string}}}
`
	var got []string
	for _, mapping := range []string{"", ", mapping: {visa: '#/$defs/card', notes: '#/$defs/cash'}", ", mapping: {visa: '#/$defs/card', amex: '#/$defs/card'}", ", mapping: {a.b: '#/$defs/card'}"} {
		document, warnings := exported(t, strings.ReplaceAll(file, "MAPPING", mapping))
		var parsed struct {
			Components struct{ Schemas map[string]any }
		}
		if err := json.Unmarshal(document, &parsed); err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.Join(slices.Sorted(maps.Keys(parsed.Components.Schemas)), " ")+"\n"+warnings)
	}

	const shared, loses = "OrderPaidV1 OrderPaidV1Envelope OutboxEnvelope RecordHeaders ", "order.yaml:4:1: warning: the discriminator of AsyncAPI has no mapping, so the exported document does not say which value of the property is for which branch [asyncapi-export-loses]\n"
	want := []string{
		shared + "card cash\n",
		shared + "notes visa\n",
		shared + "cash visa\n" + loses,
		strings.Replace(shared, "OutboxEnvelope", "OutboxEnvelope Paidbycard", 1) + "cash\n" + loses,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("schemas and warnings (-want +got):\n%s", diff)
	}
}

// A number with an exponent is a number in YAML 1.1 too, and a text stays a text.
func TestYAMLNumbers(t *testing.T) {
	t.Parallel()
	text, err := bundle.YAML([]byte(`[1e-7, -1E5, 1.5e3, 2.25e+300, 1e400, 100, 0.5, "1e5", "1.0e+5"]`))
	if err != nil {
		t.Fatal(err)
	}
	want := "- 1.0e-7\n- -1.0e+5\n- 1.5e+3\n- 2.25e+300\n- 1.0e+400\n- 100\n- 0.5\n- \"1e5\"\n- \"1.0e+5\"\n"
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Every character that JSON allows in a text survives in YAML.
func TestYAMLCharacters(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for c := range rune(0x3000) {
		all.WriteRune(c)
	}
	all.WriteString("\ufeff\ufffd\ufffe\uffff😀")
	want := map[string]string{"text": all.String(), "\u0085\u009f\u2028\ufeff": "name"}
	document, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.NewReplacer(`\u007f`, "\x7f", `\u2028`, "\u2028", `\u2029`, "\u2029").Replace(string(document))

	text, err := bundle.YAML([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}

	var got map[string]string
	if err := yaml.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
}

// The description of a message is the one of its document, and that of the payload stays
// there.
func TestAsyncAPIKeepsBothDescriptions(t *testing.T) {
	t.Parallel()
	document, _ := exported(t, `asyncapi: 3.0.0
info: {title: Shop, version: 1.0.0}
channels:
  orders:
    address: orders
    messages:
      placed: {description: When it happens., payload: {type: object, description: What it has.}, x-outbox: {aggregate: {type: order}}}
`)
	var got struct {
		Components struct {
			Messages, Schemas map[string]struct{ Description string }
		}
	}
	if err := json.Unmarshal(document, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"When it happens.", "What it has."}, []string{got.Components.Messages["PlacedV1"].Description, got.Components.Schemas["PlacedV1"].Description}); diff != "" {
		t.Errorf("descriptions of the message and of its payload (-want +got):\n%s", diff)
	}
}

// An owner is a contact whose parts give the same owner when they are read again.
func TestAsyncAPIContact(t *testing.T) {
	t.Parallel()
	for owner, want := range map[string]map[string]string{
		"Team Shop": {"name": "Team Shop"},
		"Team Shop, Berlin, shop@example.com, https://example.com/shop": {"name": "Team Shop, Berlin", "email": "shop@example.com", "url": "https://example.com/shop"},
		"shop@example.com":             {"email": "shop@example.com"},
		"https://example.com/shop":     {"url": "https://example.com/shop"},
		"https://example.com, a@b.org": {"name": "https://example.com", "email": "a@b.org"},
		"Team, https://example.com":    {"name": "Team", "url": "https://example.com"},
		"Team, ftp://example.com":      {"name": "Team, ftp://example.com"},
		"a@b.org, c@d.org":             {"name": "a@b.org", "email": "c@d.org"},
	} {
		document, _, err := bundle.AsyncAPI(bundle.Service{Name: "shop", Version: "1.0.0", Owner: owner}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Info struct{ Contact map[string]string }
		}
		if err := json.Unmarshal(document, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.Info.Contact); diff != "" {
			t.Errorf("%s (-want +got):\n%s", owner, diff)
		}
		config := "version: 1\nservice: shop\nout: events\nschemas: [asyncapi.json]\n"
		project, list, err := schema.LoadFS(fstest.MapFS{"outboxgen.yaml": {Data: []byte(config)}, "asyncapi.json": {Data: document}}, "outboxgen.yaml")
		if err != nil || list.HasErrors() {
			t.Fatal(err, list.Sorted())
		}
		if again := project.Config.About.Owner; again != owner {
			t.Errorf("the owner %q is %q after an import", owner, again)
		}
	}
}

// Every component of a document has a name that AsyncAPI allows, and every example of a
// message is one of its payload.
func TestAsyncAPIComponents(t *testing.T) {
	t.Parallel()
	allowed := regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	for _, dir := range []string{"people", "letters"} {
		project, list, err := schema.Load(filepath.Join(root, "generator/testdata/roundtrip", dir), "outboxgen.yaml")
		if err != nil || list.HasErrors() {
			t.Fatal(err, list.Sorted())
		}
		text, _, err := bundle.AsyncAPI(bundle.Service{Name: "shop", Version: "1.0.0", Strict: true}, project.Events)
		if err != nil {
			t.Fatal(err)
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		components := document.(map[string]any)["components"].(map[string]any)
		for kind, all := range components {
			for key := range all.(map[string]any) {
				if !allowed.MatchString(key) {
					t.Errorf("%s: the key %s of %s", dir, key, kind)
				}
			}
		}
		c := compiler(files{})
		c.DefaultDraft(jsonschema.Draft7)
		add(t, c, "asyncapi.json", document)
		checked := 0
		for key, message := range components["messages"].(map[string]any) {
			examples, _ := message.(map[string]any)["examples"].([]any)
			for _, example := range examples {
				payload, err := c.Compile("asyncapi.json#/components/messages/" + key + "/payload")
				if err != nil {
					t.Fatal(err)
				}
				if err := payload.Validate(example.(map[string]any)["payload"]); err != nil {
					t.Errorf("%s: %s: %v", dir, key, err)
				}
				checked++
			}
		}
		if want := map[string]int{"people": 5, "letters": 0}[dir]; checked != want {
			t.Errorf("%s: %d examples, want %d", dir, checked, want)
		}
	}
}
