package golden_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/wire"
	collections "github.com/outboxgen/outboxgen/testdata/golden/collections/events"
	combined "github.com/outboxgen/outboxgen/testdata/golden/combined/events"
	constraints "github.com/outboxgen/outboxgen/testdata/golden/constraints/events"
	defaults "github.com/outboxgen/outboxgen/testdata/golden/defaults/events"
	delivery "github.com/outboxgen/outboxgen/testdata/golden/delivery/events"
	formats "github.com/outboxgen/outboxgen/testdata/golden/formats/events"
	"github.com/outboxgen/outboxgen/testdata/golden/formats/money"
	names "github.com/outboxgen/outboxgen/testdata/golden/names/events"
	pointers "github.com/outboxgen/outboxgen/testdata/golden/pointers/events"
	presence "github.com/outboxgen/outboxgen/testdata/golden/presence/events"
)

// required are the required members of Presence.
const required = `"id":"1","text":"","number":0,"list":[],"dict":{},"free":{},"part":{"name":"p"},"any":null,"null_text":null,"null_list":null,"null_part":null`

func TestPresenceRoundTrips(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]string{
		"absent": ``,
		"empty":  `,"opt_list":[],"opt_dict":{},"opt_free":{},"opt_null_list":[],"opt_null_dict":{}`,
		"null":   `,"opt_any":null,"opt_null_text":null,"opt_null_list":null,"opt_null_dict":null,"opt_null_part":null`,
		"values": `,"opt_text":"a","opt_list":["a"],"opt_dict":{"a":1},"opt_free":{"a":[1]},"opt_part":{"name":"a"},"opt_any":{"x":1},
			"opt_null_text":"a","opt_null_list":["a"],"opt_null_dict":{"a":1},"opt_null_part":{"name":"x"}`,
		"null inside": `,"null_items":[1,null],"null_parts":[null,{"name":"q"}],"null_lists":[null,[],["a"]],"null_values":{"a":null,"b":"c"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			roundTrip[presence.PresenceV1](t, []byte("{"+required+more+"}"))
		})
	}
}

func TestThreeStates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]outbox.Nullable[string]{
		``:                      {},
		`,"opt_null_text":null`: outbox.Null[string](),
		`,"opt_null_text":""`:   outbox.Value(""),
	} {
		v := roundTrip[presence.PresenceV1](t, []byte("{"+required+text+"}"))
		if diff := cmp.Diff(want, v.OptNullText); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// A required slice or map that is nil is encoded as empty.
func TestRequiredNilIsEmpty(t *testing.T) {
	t.Parallel()
	got, err := presence.PresenceV1{}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"id":"","text":"","number":0,"list":[],"dict":{},"free":{},"part":{"name":""},"any":null,"null_text":null,"null_list":null,"null_part":null}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

// Null where the schema does not allow it is an error, and so is a missing member.
func TestNullAndMissing(t *testing.T) {
	t.Parallel()
	var v presence.PresenceV1
	err := json.Unmarshal([]byte(`{"id":null,"opt_text":null,"opt_list":null,"opt_part":null,"list":[null],"any":1,"part":{}}`), &v)
	var decode *wire.DecodeError
	if !errors.As(err, &decode) {
		t.Fatal(err)
	}
	var got []string
	for _, violation := range decode.Violations {
		got = append(got, violation.Pointer+" "+violation.Rule)
	}
	want := []string{
		"/id type", "/opt_text type", "/opt_list type", "/opt_part type", "/list/0 type", "/part/name required",
		"/text required", "/number required", "/dict required", "/free required", "/null_text required", "/null_list required", "/null_part required",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// In the pointer mode absent and null are the same, and are encoded as absent.
func TestPointerMode(t *testing.T) {
	t.Parallel()
	var v pointers.PresenceV1
	if err := json.Unmarshal([]byte(`{`+required+`,"opt_null_text":null,"opt_null_list":null,"opt_null_part":{"name":"a"}}`), &v); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(pointers.PresenceV1{
		ID: "1", List: []string{}, Dict: map[string]int64{}, Free: map[string]any{}, Part: pointers.Part{Name: "p"}, OptNullPart: &pointers.Part{Name: "a"},
	}, v); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	roundTrip[pointers.PresenceV1](t, []byte(`{`+required+`,"opt_null_text":"a","opt_null_list":[],"opt_null_dict":{}}`))
}

func TestFormats(t *testing.T) {
	t.Parallel()
	const id = `"uuid":"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11","date_time":"2024-05-01T12:00:00.120000+02:00","deposit":null`
	v := roundTrip[formats.FormatsV1](t, []byte(`{"uuid":"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11","date_time":"2024-05-01T12:00:00+02:00",
		"date":"2024-05-01","time":"12:00:00Z","duration":"P1DT2H","bytes":"aGk=","null_date":null,"dates":["2024-05-01"],
		"email":"a@b.se","hostname":"b.se","ipv4":"10.0.0.1","ipv6":"::1","uri":"https://b.se/x?y#z","uri_reference":"../x","pointer":"/a~1b",
		"regex":"^a+$","int32":7,"ratio":"1/3","currency":"SEK","unheard_of":"x","ahead":"yes",
		"code":"abc","big":18446744073709551615,"deposit":null,"fee":null}`))
	want := formats.FormatsV1{
		UUID:     uuid.MustParse("3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11"),
		DateTime: time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC),
		Date:     &wire.Date{Year: 2024, Month: 5, Day: 1},
		Time:     &wire.TimeOfDay{Hour: 12},
		Duration: &wire.Duration{Days: 1, Hours: 2},
		Bytes:    []byte("hi"),
		NullDate: outbox.Null[wire.Date](),
		Dates:    []wire.Date{{Year: 2024, Month: 5, Day: 1}},
		Email:    new("a@b.se"), Hostname: new("b.se"), IPv4: new("10.0.0.1"), IPv6: new("::1"), URI: new("https://b.se/x?y#z"),
		URIReference: new("../x"), Pointer: new("/a~1b"), Regex: new("^a+$"), Int32: new(int64(7)), UnheardOf: new("x"), Ahead: new("yes"),
		Ratio: big.NewRat(1, 3), Currency: &money.Currency{Code: "SEK"},
		Code: new("abc"), Big: outbox.Value(uint64(math.MaxUint64)), Fee: outbox.Null[money.Currency](),
	}
	if diff := cmp.Diff(want, v, cmp.Comparer(func(a, b *big.Rat) bool { return a == b || a != nil && b != nil && a.Cmp(b) == 0 })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	expect[formats.FormatsV1](t, `{`+id+`,"email":"a","hostname":"-","ipv4":"10.0.0","ipv6":"10.0.0.1","uri":"x y","uri_reference":"%","pointer":"a",
		"regex":"(","int32":3000000000,"dates":["2024-05-01","2024-05-01"],"moments":["2024-05-01T12:00:00Z","2024-05-01T12:00:00Z"],"code":"abcd","currency":"sek"}`, []string{
		"/code maxLength", "/currency pattern",
		"/dates uniqueItems", "/email format", "/hostname format", "/int32 maximum", "/ipv4 format", "/ipv6 format", "/moments uniqueItems",
		"/pointer format", "/regex format", "/uri format", "/uri_reference format",
	})
	var misfit formats.FormatsV1
	err := json.Unmarshal([]byte(`{"uuid":"x","date_time":"2024","date":"1/2","time":"12","duration":"1h","bytes":"*","currency":"KRONA","ratio":null,"big":-1,"deposit":null}`), &misfit)
	var decode *wire.DecodeError
	if !errors.As(err, &decode) || len(decode.Violations) != 9 {
		t.Error(err)
	}
}

// A value with a Go type of the project file may be what its schema allows, and nothing
// else: null too, and with a type of Go itself as well.
func TestTypesOfTheProjectFileKeepTheSchema(t *testing.T) {
	t.Parallel()
	const id = `"uuid":"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11","date_time":"2024-05-01T12:00:00Z"`
	for _, valid := range []string{
		`"deposit":"SEK","fee":"NOK","status":"open","day":"any","side":"left","grade":2,"rate":0.5,"sum":10,"paid":true,"slot":"abc","version":"v1"`,
		`"deposit":null,"fee":null,"status":"closed","side":"right","grade":3,"rate":-1,"sum":null,"slot":"xyz"`,
	} {
		expect[formats.FormatsV1](t, "{"+id+","+valid+"}", nil)
	}
	expect[formats.FormatsV1](t, `{`+id+`,"deposit":"sek","fee":"nok","status":"lost","day":"0000-00-00","side":"up","grade":1,"rate":0.0,"sum":11,"paid":false,"slot":"b","version":"1"}`, []string{
		"/day not", "/deposit pattern", "/fee pattern", "/grade enum", "/paid const", "/rate not", "/side enum", "/slot anyOf", "/status enum", "/sum enum", "/version pattern",
	})
}

// expect decodes a document and compares the violations that Validate finds.
func expect[T data](t *testing.T, input string, want []string) {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(input), &v); err != nil {
		t.Fatal(err)
	}
	var got []string
	var invalid *outbox.ValidationError
	if err := v.Validate(); errors.As(err, &invalid) {
		for _, violation := range invalid.Violations {
			got = append(got, violation.Pointer+" "+violation.Rule)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}

func TestEveryConstraint(t *testing.T) {
	t.Parallel()
	expect[constraints.ConstraintsV1](t, `{"id":"ÅÄ","code":"12 A","low":3,"high":10,"above":1,"below":0.99,"even":4,"halves":-3,"cents":0.07,
		"few":["a","b"],"parts":[{"name":"åäö"},{"name":"x","tags":["y"]}],"grid":[[],[0]],"labels":{"a":"b"},"level":2,"colour":"","colours":["cyan"],
		"mail":"a@b.se","always":"yes-please","answer":42,"half":0.5,"truth":true,"only":"one"}`, nil)
	expect[constraints.ConstraintsV1](t, `{"id":"1"}`, []string{" minProperties", "/id minLength"})
	expect[constraints.ConstraintsV1](t, `{"id":"12345","code":"1 a","low":2,"high":11,"above":0,"below":1,"even":3,"halves":4,"cents":0.005,
		"few":["","","a","b"],"parts":[{"name":"abcd","tags":["A","b","C"]},{"name":"x"},{"name":"x"}],"grid":[[0],[1,-1]],
		"labels":{"a":"","b/c":"","d":"x"},"level":4,"colour":"blue","colours":["cyan","red"],"mail":"x","always":"no","answer":41,"half":1,"truth":false,"only":"two",
		"a1":0,"a2":0,"a3":0,"a4":0,"a5":0,"a6":0,"a7":0,"a8":0,"a9":0,"b1":0,"b2":0,"b3":0,"b4":0,"b5":0,"b6":0,"b7":0,"b8":0,"b9":0,"c1":0}`, []string{
		" maxProperties", "/above exclusiveMinimum", "/always const", "/answer const", "/below exclusiveMaximum", "/cents multipleOf",
		"/code pattern", "/colour enum", "/colours/1 enum", "/even multipleOf", "/few maxItems", "/few uniqueItems", "/few/0 minLength", "/few/1 minLength",
		"/grid/1/1 minimum", "/half const", "/halves multipleOf", "/high maximum", "/id maxLength", "/labels maxProperties", "/labels/a minLength", "/labels/b~1c minLength",
		"/level enum", "/low minimum", "/mail format", "/only const", "/parts uniqueItems", "/parts/0/name maxLength", "/parts/0/tags/0 pattern", "/parts/0/tags/2 pattern",
		"/truth const",
	})
	expect[constraints.ConstraintsV1](t, `{"id":"12","few":[],"labels":{}}`, []string{"/few minItems", "/labels minProperties"})
}

func TestCollections(t *testing.T) {
	t.Parallel()
	roundTrip[collections.TreeV1](t, []byte(`{"id":1,"root":{"value":"a","left":{"value":"b","right":null},"right":{"value":"c","other":{"node":null,"new":1}},
		"children":[{"value":"d"}],"named":{"x":{"value":"e"}}},"closed":{"a":"b"},"nothing":{},"typed":{"name":"n","one":1,"two":2},
		"typed_parts":{"leaf":{"weight":1.5}},"categories":[{"name":"c","children":[{"kind":"a"}]}],"by_name":{"x":{"size":1}},"maps_of_maps":{"a":{"b":[1,2.5]}}}`))
	expect[collections.TreeV1](t, `{"id":1,"root":{"value":"a","left":{"value":""},"children":[{"value":"x","right":{"value":""}}]},"closed":{},"typed":{"name":"n","less":-1}}`, []string{
		"/root/children/0/right/value minLength", "/root/left/value minLength", "/typed/less minimum",
	})
	var v collections.TreeV1
	err := json.Unmarshal([]byte(`{"id":1,"root":{"value":"a"},"closed":{"a":"b","b":1},"nothing":{"x":1},"typed":{"name":"n","one":"1"}}`), &v)
	want := &wire.DecodeError{Type: "TreeV1", Violations: []wire.Violation{
		{Pointer: "/closed/b", Rule: "additionalProperties", Message: "is not a member that the schema allows", Offset: 51},
		{Pointer: "/nothing/x", Rule: "additionalProperties", Message: "is not a member that the schema allows", Offset: 69},
		{Pointer: "/typed/one", Rule: "type", Message: "must be an integer, is a string", Offset: 98},
	}}
	if diff := cmp.Diff(error(want), err); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCombined(t *testing.T) {
	t.Parallel()
	v := roundTrip[combined.OrderPlacedV1](t, []byte(`{"order_id":"1","at":"2024-01-01T00:00:00Z","total":1,"trace_id":"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11",
		"address":{"street":"a"},"invoice_address":{"street":"b"},"strict_address":{"street":"c","zip":"d","floor":1},"short_code":"abc","country":"SE"}`))
	if v.Address.Street != "a" || v.StrictAddress.Zip != "d" {
		t.Errorf("%+v", v)
	}
	expect[combined.OrderPlacedV1](t, `{"order_id":"123456789012345678901","at":"2024-01-01T00:00:00Z","total":-1,"short_code":"abcd","country":"XX"}`, []string{
		"/country enum", "/order_id maxLength", "/short_code maxLength", "/total minimum",
	})
}

func TestNamesRoundTrip(t *testing.T) {
	t.Parallel()
	v := roundTrip[names.NamesV1](t, []byte(`{"type":"a","func":"b","Validate":"c","validate":"d","marshal_json":"e","unknown":"f","newRow":"g","user_id":"h","userId":"i","UserID":"j",
		"1st":"k","":"l","-":"m","a,b":"n","a\"b`+"`"+`c\\d":"o","new\nline":"p","åäö":"q","日本":"r","service":{"name":"s"},"status":"type","other":1}`))
	if v.ValidateField != "c" || *v.ValidateField2 != "d" || *v.Empty != "l" || *v.NewLine != "p" {
		t.Errorf("%+v", v)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	var v defaults.DefaultsV1
	if err := json.Unmarshal([]byte(`{"id":"1","kind":"thing","mode":"fast","head":{"magic":"MAGIC"}}`), &v); err != nil {
		t.Fatal(err)
	}
	if v.Text != nil || v.List != nil || !v.NullText.IsZero() {
		t.Error("decoding invented a value")
	}
	if v.TextOrDefault() != `say "hi"` || v.CountOrDefault() != 10 || v.ShareOrDefault() != 1 || !v.FlagOrDefault() ||
		v.OtherModeOrDefault() != defaults.DefaultsV1OtherModeFast || v.NullTextOrDefault() != outbox.Value("x") || len(v.ListOrDefault()) != 2 {
		t.Error("an accessor does not give the default")
	}
	got := defaults.NewDefaultsV1(defaults.DefaultsV1{ID: "1", Flag: new(false), Head: defaults.DefaultsV1Head{Unknown: wire.Unknown{"x": json.RawMessage("1")}}})
	want := defaults.DefaultsV1{
		ID: "1", Kind: "thing", Version: new(int64(3)), Mode: defaults.DefaultsV1ModeSlow, Text: new(`say "hi"`), Count: new(int64(10)), Share: new(1.0), Flag: new(false),
		OtherMode: new(defaults.DefaultsV1OtherModeFast), NullText: outbox.Value("x"), List: []string{"a", "b"}, Empty: []int64{},
		Free: map[string]any{"a": json.Number("1"), "b": []any{true, nil}}, Dict: map[string]int64{},
		Moment: new(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)),
		Head:   defaults.DefaultsV1Head{Magic: "MAGIC", Unknown: wire.Unknown{"x": json.RawMessage("1")}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
}

// Every way in which an event may name its aggregate, key and correlation id.
func TestDelivery(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11")
	type address struct {
		ID, Topic, Correlation string
		Key                    *string
		Err                    string
	}
	of := func(e outbox.Event, opts ...outbox.Option) address {
		row, err := e.NewRow(t.Context(), opts...)
		if err != nil {
			return address{Err: err.Error()}
		}
		if row.CorrelationID == row.ID.String() {
			row.CorrelationID = "the event id"
		}
		return address{ID: row.AggregateID, Topic: row.Topic, Correlation: row.CorrelationID, Key: row.Key}
	}
	part := delivery.NestedKeyV1Part{Key: "k", Maybe: &delivery.NestedKeyV1PartMaybe{Deep: outbox.Value("deep")}}
	for name, test := range map[string]struct{ got, want address }{
		"given":   {of(delivery.GivenAggregateV1{Kind: "one", ID: id}, outbox.WithAggregateID("x")), address{ID: "x", Topic: "golden.given.v1", Correlation: "the event id", Key: new("x")}},
		"unkeyed": {of(delivery.UnkeyedV1{Kind: "one", ID: id}), address{ID: id.String(), Topic: "golden.unkeyed.v1", Correlation: "the event id"}},
		"nested":  {of(delivery.NestedKeyV1{Kind: "one", ID: id, Number: 7, Part: part}), address{ID: "7", Topic: "golden.nested.v1", Correlation: "deep", Key: new("k")}},
		"optional": {
			of(delivery.OptionalKeyV1{Kind: "one", ID: id, Name: new("n")}), address{ID: "one", Topic: "golden.topic", Correlation: "the event id", Key: new("n")},
		},
		"cloud": {of(delivery.CloudV1{Kind: "one", ID: id, Nick: outbox.Value("c")}), address{ID: id.String(), Topic: "golden.cloud.v1", Correlation: "c", Key: new(id.String())}},
		"bare":  {of(delivery.BareV1{Kind: "one", ID: id}), address{ID: id.String(), Topic: "golden.bare.v1", Correlation: "the event id", Key: new(id.String())}},
	} {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := of(delivery.OptionalKeyV1{Kind: "one", ID: id}); got.Err == "" {
		t.Errorf("a key that is absent: %+v", got)
	}
}

// A date that does not exist is a violation at its place, in the list with the others.
func TestDatesThatDoNotExist(t *testing.T) {
	t.Parallel()
	never := wire.Date{Year: 2026, Month: 2, Day: 30}
	v := formats.FormatsV1{Date: &never, NullDate: outbox.Value(wire.Date{}), Dates: []wire.Date{{Year: 2026, Month: 2, Day: 28}, never}}

	err := v.Validate()

	var invalid *outbox.ValidationError
	if !errors.As(err, &invalid) {
		t.Fatalf("got %v, want a ValidationError", err)
	}
	got := map[string]string{}
	for _, violation := range invalid.Violations {
		if violation.Rule == "format" {
			got[violation.Pointer] = violation.Schema + ": " + violation.Message
		}
	}
	const at = "schemas/formats.yaml#/properties/"
	want := map[string]string{
		"/date":      at + "date/format: must be a date that exists, not 2026-02-30",
		"/null_date": at + "null_date/format: must be a date that exists, not 0000-00-00",
		"/dates/1":   at + "dates/items/format: must be a date that exists, not 2026-02-30",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}
