package golden_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/outboxgen/outboxgen/runtime/wire"
	collections "github.com/outboxgen/outboxgen/testdata/golden/collections/events"
	combined "github.com/outboxgen/outboxgen/testdata/golden/combined/events"
	conditions "github.com/outboxgen/outboxgen/testdata/golden/conditions/events"
	constraints "github.com/outboxgen/outboxgen/testdata/golden/constraints/events"
	defaults "github.com/outboxgen/outboxgen/testdata/golden/defaults/events"
	eventunions "github.com/outboxgen/outboxgen/testdata/golden/eventunions/events"
	huleedu "github.com/outboxgen/outboxgen/testdata/golden/huleedu/events"
	matching "github.com/outboxgen/outboxgen/testdata/golden/matching/events"
	nested "github.com/outboxgen/outboxgen/testdata/golden/nested/events"
	presence "github.com/outboxgen/outboxgen/testdata/golden/presence/events"
	recursion "github.com/outboxgen/outboxgen/testdata/golden/recursion/events"
	tuples "github.com/outboxgen/outboxgen/testdata/golden/tuples/events"
	unions "github.com/outboxgen/outboxgen/testdata/golden/unions/events"
	values "github.com/outboxgen/outboxgen/testdata/golden/values/events"
)

// verdict returns nil if a document decodes and is valid.
func verdict[T data](document []byte) error {
	var v T
	if err := json.Unmarshal(document, &v); err != nil {
		return err
	}
	return v.Validate()
}

// Generated types and an independent validator agree on documents, and on each of their
// mutations.
func TestAgreementWithAValidator(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		dir, schema string
		verdict     func([]byte) error
		documents   []string
	}{
		"constraints": {"testdata/golden/constraints", "schemas/constraints.yaml", verdict[constraints.ConstraintsV1], []string{
			`{"id":"ÅÄ","code":"12 A","low":3,"high":10,"above":1,"below":0.99,"even":4,"halves":-3,"cents":0.07,"few":["a","b"],"parts":[{"name":"åäö"},{"name":"x","tags":["y"]}],
			"grid":[[],[0]],"labels":{"a":"b"},"level":2,"colour":"","colours":["cyan"],"mail":"a@b.se","always":"yes-please","answer":42,"half":0.5,"truth":true,"only":"one",
			"oks":["ok"],"threes":{"x":3},"limited":"abc","listed":"a","maybe":"a","day":"2024-02-29"}`,
		}},
		"presence": {"testdata/golden/presence", "schemas/presence.yaml", verdict[presence.PresenceV1], []string{
			"{" + required + `,"opt_text":"a","opt_list":["a"],"opt_dict":{"a":1},"opt_free":{"a":[1]},"opt_part":{"name":"a"},"opt_any":{"x":1},"opt_null_text":"a","opt_null_list":["a"],
			"opt_null_dict":{"a":1},"opt_null_part":{"name":"x"},"null_items":[1,null],"null_parts":[null,{"name":"q"}],"null_lists":[null,[],["a"]],"null_values":{"a":null,"b":"c"}}`,
		}},
		"collections": {"testdata/golden/collections", "schemas/tree.yaml", verdict[collections.TreeV1], []string{
			`{"id":1,"root":{"value":"a","left":{"value":"b","right":null},"right":{"value":"c","other":{"node":null,"new":1}},"children":[{"value":"d"}],"named":{"x":{"value":"e"}}},
			"closed":{"a":"b"},"nothing":{},"typed":{"name":"n","one":1},"typed_parts":{"leaf":{"weight":1.5}},"categories":[{"children":[{"kind":"a"}]}],"maps_of_maps":{"a":{"b":[1]}}}`,
		}},
		"shipment": {"testdata/golden/conditions", "schemas/shipment.yaml", verdict[conditions.ShipmentChangedV1], []string{
			`{"id":"1","status":"packed","reason":"damaged","weight":1,"weight_unit":"kg","card":"c","billing_address":"b","email":"e","notes":["!a","b"],"codes":[null,"x"],"labels":{"a":"b"},
			"attributes":{"size":1},"size":1,"reference":"REF-12345","moment":"2024-01-01T00:00:00Z","anything":[],"level":"low","grade":2,"maybe":"a","address":{"country":"SE","zip":"123 45"},
			"stops":[{"place":"a","arrived":"2024-01-01T00:00:00Z","departed":"2024-01-01T00:00:00Z"}]}`,
			`{"id":"1","status":"shipped","carrier":"c","tracking_id":"abc","phone":"p","size":1000,"reference":"ab","anything":"x","maybe":null,"moment":"2024-01-01T00:00:00.000000000Z",
			"address":{"country":"NO","region":{"name":"r","part_of":{"name":"q","part_of":{"name":"p"}}}},"stops":[]}`,
			`{"id":"1","status":"lost","phone":"p","reason":"stolen","insured_for":5,"anything":5,"size":100,"address":{"country":"SE","region":{"name":"r"}}}`,
			`{"id":"none","status":"shipped","carrier":"c","tracking_id":"ab","reason":"anything","phone":"p","level":"extreme","grade":3,"maybe":"maybe","weight":1}`,
		}},
		"closed": {"testdata/golden/conditions", "schemas/closed.yaml", verdict[conditions.ClosedChangedV1], []string{
			`{"id":"1","kind":"a","a":"x","list":[1,2],"flagged":["a",1],"rest":{"name":"n","x":1},"chosen":{"kind":"k","more":"m","other":true}}`,
			`{"id":"1","kind":"b","b":1,"chosen":{"other":true},"rest":{}}`,
			`{"id":"1","kind":"b","a":"x"}`,
		}},
		"older": {"testdata/golden/conditions", "schemas/older.yaml", verdict[conditions.OlderChangedV1], []string{
			`{"id":"1","a":"x","b":"y","c":true,"d":1,"tree":{"value":1,"left":{"value":2,"left":{},"right":{"value":1}},"right":{}}}`,
			`{"id":"1","d":9,"tree":{"left":{"right":{"value":0}}}}`,
		}},
		"combined": {"testdata/golden/combined", "schemas/order.yaml", verdict[combined.OrderPlacedV1], []string{
			`{"order_id":"1","at":"2024-01-01T00:00:00Z","total":1,"trace_id":"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11","address":{"street":"a"},
			"strict_address":{"street":"c","zip":"d","floor":1},"short_code":"abc","country":"SE"}`,
		}},
		"defaults": {"testdata/golden/defaults", "schemas/defaults.yaml", verdict[defaults.DefaultsV1], []string{
			`{"id":"1","kind":"thing","version":3,"mode":"slow","head":{"magic":"MAGIC"},"flag":true,"list":["a"],"free":{"x":1},"moment":"2024-01-01T00:00:00Z"}`,
		}},
		"tagged unions":               {"testdata/golden/unions", "schemas/tagged.yaml", verdict[unions.TaggedV1], unionDocuments["tagged"]},
		"mixed unions":                {"testdata/golden/unions", "schemas/mixed.yaml", verdict[unions.MixedV1], unionDocuments["mixed"]},
		"event data of several kinds": {"testdata/golden/eventunions", "schemas/order_changed.yaml", verdict[eventunions.OrderChangedV1], eventUnionDocuments["order"]},
		"event data that is kept raw": {"testdata/golden/eventunions", "schemas/contact_given.yaml", verdict[eventunions.ContactGivenV1], eventUnionDocuments["contact"]},
		"event data by reference":     {"testdata/golden/eventunions", "schemas/parcel_moved.yaml", verdict[eventunions.ParcelMovedV1], eventUnionDocuments["parcel"]},
		"nested unions":               {"testdata/golden/nested", "schemas/nested.yaml", verdict[nested.NestedV1], nestedDocuments},
		"unions by member":            {"testdata/golden/unions", "schemas/payment.yaml", verdict[unions.PaymentV1], unionDocuments["payment"]},
		"values": {"testdata/golden/values", "schemas/values.yaml", verdict[values.ValuesV1], []string{
			`{"id":"1","setting":{"a":[1,"b"]},"nothing":null,"maybe_nothing":null,"nothings":[null],"ratio":-2.25,"switch":true,"maybe_switch":null,"off":false,"either":"a",
			"huge":1,"origin":{"y":[1,"<"],"x":0},"list":[1,2],"shapes":[{"a":1},[1],"x"]}`,
			`{"id":"1","setting":"","nothing":null,"ratio":1,"either":1}`,
			`{"id":"1","setting":[],"nothing":null,"either":null,"shapes":[]}`,
		}},
		"numbers": {"testdata/golden/values", "schemas/numbers.yaml", verdict[values.NumbersV1], []string{
			`{"id":18446744073709551615,"size":1000000000000000000000000000000,"sizes":[null,1e39,-1e40],"long":1e3,"double":0.1,"amount":99999999999.99,"amounts":[1.10,null],"maybe":null,"whole":1,"ratio":1}`,
			`{"id":18446744073709551616,"size":4}`, `{"id":-1,"size":4}`, `{"id":1,"size":1e31}`, `{"id":1,"size":3}`, `{"id":1,"size":4,"sizes":[-1e41]}`, `{"id":1.0,"size":4,"amount":0.001}`,
			`{"id":1e0,"size":4,"amount":1e21}`, `{"id":1,"size":4,"amount":-0.01}`,
		}},
		"recursion": {"testdata/golden/recursion", "schemas/recursion.yaml", verdict[recursion.RecursionV1], []string{
			`{"id":"1","tree":[[],[[]]],"paths":{"a":{"b":{}}},"maybe":[null,[null,[]]],"labelled":[[["x"]]],"forest":{"a":[{"b":[]}]},"own":[[]],"extended":{"name":"ab","next":{"name":"cd"}},
			"narrow":[[],[[]]],"matching":{"ab":{"c":{}}},"chain":[{"name":"x","more":[{"name":"y","more":[]}]}],"remote":{"value":1,"others":[{"value":2,"first":{"value":3}}]}}`,
		}},
		"tuples": {"testdata/golden/tuples", "schemas/tuples.yaml", verdict[tuples.TuplesV1], []string{
			`{"id":"1","reference":["erp",7],"point":[12.5,55,3],"line":[[1,2],[3,4,5]],"path":[[0,0]],"open":["a",null,["b"],1],"numbered":["a",1,2],"long":["a","b","c","d"],
			"parts":["a",{"name":"bc"}],"nested":[[true]],"maybe":["a"],"nothing":[],"cons":["a",["b",null]],"unevaluated":["a"]}`,
			`{"id":"1","reference":["erp",7],"point":[1,2],"open":[],"numbered":["abc"],"maybe":null,"cons":["a"]}`,
		}},
		"matching": {"testdata/golden/matching", "schemas/matching.yaml", verdict[matching.MatchingV1], []string{
			`{"id":"1","x-kind":"ab","x-other":"abc","more":1,"labels":{"a":"b"},"amounts":{"SEK":1.5,"other":"x"},"anything":{"":1},"shapes":{"square":{"sides":4}},
			"overlapping":{"id":"a","n_id":5,"n_must":1,"n_a":3,"b_id":99.5,"n_b_id":7,"other":true},"closed":{"a1":"x","b1":null,"b2":true},"forbidden":{"a":"x","b":1},
			"many":{"s_a":["abc"],"other":1},"both":{"k1":"abc","l1":5,"m":null}}`,
			`{"id":"1","overlapping":{"id":"a","n_must":1,"n_b_id":"x"},"closed":{"c":1},"forbidden":{"_a":1},"labels":{"A":"b"},"shapes":{"A":{"sides":4}}}`,
			`{"id":"1","overlapping":{"id":"a","n_must":1,"n_b_id":101}}`,
			`{"id":"1","overlapping":{"id":"a","n_must":1,"n_b_id":0}}`,
		}},
		"assessment_result":          {"schemas/huleedu", "assessment_result.v1.yaml", verdict[huleedu.AssessmentResultV1], nil},
		"cj_assessment_completed":    {"schemas/huleedu", "cj_assessment_completed.v1.yaml", verdict[huleedu.CJAssessmentCompletedV1], nil},
		"cj_assessment_failed":       {"schemas/huleedu", "cj_assessment_failed.v1.yaml", verdict[huleedu.CJAssessmentFailedV1], nil},
		"cj_assessment_requested":    {"schemas/huleedu", "cj_assessment_requested.v1.yaml", verdict[huleedu.CJAssessmentRequestedV1], nil},
		"class_updated":              {"schemas/huleedu", "class_updated.v1.yaml", verdict[huleedu.ClassUpdatedV1], nil},
		"essay_content_provisioned":  {"schemas/huleedu", "essay_content_provisioned.v1.yaml", verdict[huleedu.EssayContentProvisionedV1], nil},
		"spellcheck_phase_completed": {"schemas/huleedu", "spellcheck_phase_completed.v1.yaml", verdict[huleedu.SpellcheckPhaseCompletedV1], nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			validator := compile(t, filepath.Join(root, test.dir), test.schema)
			if test.documents == nil {
				test.documents = []string{string(example(t, name+".v1")), string(example(t, name+".v1.full"))}
			}
			compared, valid := 0, 0
			for _, text := range test.documents {
				c, v := agree(t, filepath.Join(root, test.dir), validator, test.verdict, document(t, []byte(text)), "")
				compared, valid = compared+c, valid+v
			}
			t.Logf("%d documents, %d of them valid", compared, valid)
			if valid < 20/everyNth() || compared-valid < 100/everyNth() {
				t.Errorf("only %d documents were compared, of which %d are valid", compared, valid)
			}
		})
	}
}

// agree compares the verdict of a generated type with that of a validator, on a
// document and on its mutations, and returns how many there were. They may differ only
// if the reason of the refusal contains excused; "": never.
func agree(t *testing.T, dir string, validator *jsonschema.Schema, verdict func([]byte) error, whole any, excused string) (compared, valid int) {
	t.Helper()
	for changed := range mutations(whole) {
		compared++
		input, err := json.Marshal(changed)
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(input))
		if err != nil {
			t.Fatal(err)
		}
		want, got := validator.Validate(instance), verdict(input)
		if want == nil {
			valid++
		}
		for _, v := range violations(got) {
			if !stands(t, dir, v) {
				t.Errorf("%s\nno such place in the schemas: %v", input, v)
			}
		}
		if (want == nil) != (got == nil) && (excused == "" || !strings.Contains(errors.Join(want, got).Error(), excused)) {
			t.Errorf("%s\nvalidator: %v\ngenerated: %v", input, want, got)
		}
	}
	return compared, valid
}

// violations is what Validate found.
func violations(err error) []wire.Violation {
	if invalid := new(wire.ValidationError); errors.As(err, &invalid) {
		return invalid.Violations
	}
	return nil
}

// stands reports whether the place of a violation exists in the schemas under dir, and
// is a keyword of the violation's rule.
func stands(t *testing.T, dir string, v wire.Violation) bool {
	t.Helper()
	file, pointer, ok := strings.Cut(v.Schema, "#/")
	if !ok {
		return false
	}
	content, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	var here any
	if err := yaml.Unmarshal(content, &here); err != nil {
		t.Fatal(err)
	}
	last := ""
	for token := range strings.SplitSeq(pointer, "/") {
		last = token
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch parent := here.(type) {
		case map[string]any:
			here, ok = parent[token]
		case []any:
			i, err := strconv.Atoi(token)
			if ok = err == nil && i < len(parent); ok {
				here = parent[i]
			}
		default:
			ok = false
		}
		if !ok {
			return false
		}
	}
	_, schema := here.(bool)
	return last == v.Rule || v.Rule == "const" && last == "enum" || v.Rule == "enum" && (last == "anyOf" || last == "oneOf") || (v.Rule == "false" || v.Rule == "maxItems") && schema || strings.HasPrefix(v.Rule, "depend") && strings.HasSuffix(pointer, v.Rule+"/"+last)
}

// compile reads the YAML schemas under a folder and compiles one.
func compile(t *testing.T, dir, name string) *jsonschema.Schema {
	t.Helper()
	return validators(t, dir)(name)
}

// validators reads the YAML schemas under a folder and compiles any of them,
// one at a time.
func validators(t *testing.T, dir string) func(name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.AssertContent() // as generated types do
	urls := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" || entry.Name() == "outboxgen.yaml" {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var source any
		if err := yaml.Unmarshal(content, &source); err != nil {
			return err
		}
		text, err := json.Marshal(source)
		if err != nil {
			return err
		}
		resource, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		url := "file:///" + filepath.ToSlash(relative)
		if id, ok := resource.(map[string]any)["$id"].(string); ok {
			url = id
		}
		urls[filepath.ToSlash(relative)] = url
		return c.AddResource(url, resource)
	})
	if err != nil {
		t.Fatal(err)
	}
	var compiling sync.Mutex
	return func(name string) *jsonschema.Schema {
		compiling.Lock() // only one test at a time may use a compiler
		defer compiling.Unlock()
		t.Helper()
		compiled, err := c.Compile(urls[name])
		if err != nil {
			t.Fatal(err)
		}
		return compiled
	}
}

// everyNth is which of the mutations are compared: all, or with -short every fourth.
func everyNth() int {
	if testing.Short() {
		return 4
	}
	return 1
}

// mutations yields a value unchanged, and then with one change at a time, at every
// place: without a member, with another member, with another value. With -short, it skips
// most of the changes.
func mutations(v any) func(yield func(any) bool) {
	return func(yield func(any) bool) {
		more, made := yield(v), 0
		emit := func(changed any) {
			if made++; more && made%everyNth() == 0 {
				more = yield(changed)
			}
		}
		var walk func(v any, put func(any))
		walk = func(v any, put func(any)) {
			for _, other := range []any{nil, true, "", "x", strings.Repeat("å", 101), 0.0, -1.0, 1.0, 1.5, 1e6, []any{}, []any{nil}, []any{"a", "a"}, map[string]any{}, map[string]any{"x": "y"}} {
				put(other)
			}
			switch v := v.(type) {
			case map[string]any:
				for _, name := range slices.Sorted(maps.Keys(v)) {
					less := maps.Clone(v)
					delete(less, name)
					put(less)
					walk(v[name], func(other any) {
						changed := maps.Clone(v)
						changed[name] = other
						put(changed)
					})
				}
				with := maps.Clone(v)
				with["added"] = map[string]any{"deep": []any{1.0}}
				put(with)
			case []any:
				put(append(slices.Clone(v), v...))
				for i := range v {
					walk(v[i], func(other any) {
						changed := slices.Clone(v)
						changed[i] = other
						put(changed)
					})
				}
			}
		}
		walk(v, emit)
	}
}
