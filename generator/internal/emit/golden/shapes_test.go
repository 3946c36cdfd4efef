package golden_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/wire"
	matching "github.com/outboxgen/outboxgen/testdata/golden/matching/events"
	recursion "github.com/outboxgen/outboxgen/testdata/golden/recursion/events"
	tuples "github.com/outboxgen/outboxgen/testdata/golden/tuples/events"
	values "github.com/outboxgen/outboxgen/testdata/golden/values/events"
)

func TestTuples(t *testing.T) {
	t.Parallel()
	v := roundTrip[tuples.TuplesV1](t, []byte(`{"id":"1","reference":["erp",7],"point":[12.5,55,3],"line":[[1,2],[3,4,5]],"path":[[0,0]],"open":["a",null,["b"],1,{"x":[]}],
		"numbered":["a",1,2],"parts":["a",{"name":"bc","more":1}],"nested":[[true]],"maybe":null,"nothing":[],"cons":["a",["b",null]]}`))
	want := tuples.TuplesV1{
		ID:        "1",
		Reference: tuples.TuplesV1Reference{System: "erp", ID: 7},
		Point:     &tuples.Point{Longitude: 12.5, Latitude: 55, Altitude: new(3.0)},
		Line:      &tuples.TuplesV1Line{First: tuples.Point{Longitude: 1, Latitude: 2}, Second: tuples.Point{Longitude: 3, Latitude: 4, Altitude: new(5.0)}},
		Path:      []tuples.Point{{}},
		Open: &tuples.TuplesV1Open{
			First: new("a"), Second: outbox.Null[int64](), Third: []string{"b"}, Rest: []json.RawMessage{[]byte("1"), []byte(`{"x":[]}`)},
		},
		Numbered: &tuples.TuplesV1Numbered{First: "a", Rest: []int64{1, 2}},
		Parts:    &tuples.TuplesV1Parts{First: "a", Rest: []tuples.TuplesV1PartsRestItem{{Name: "bc", Unknown: wire.Unknown{"more": []byte("1")}}}},
		Nested:   &tuples.TuplesV1Nested{First: tuples.TuplesV1NestedFirst{First: true}},
		Maybe:    outbox.Null[tuples.TuplesV1Maybe](),
		Nothing:  []any{},
		Cons:     &tuples.Cons{Head: "a", Tail: outbox.Value(&tuples.Cons{Head: "b", Tail: outbox.Null[*tuples.Cons]()})},
	}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	expect[tuples.TuplesV1](t, `{"id":"1","reference":["",0],"point":[181,0],"line":[[1,2],[0,91]],"numbered":["a",1,10,2,3,4],"long":["a","b","b"],"parts":["a",{"name":"b"}],"nothing":[1]}`, []string{
		"/line/1/1 maximum", "/long minItems", "/long uniqueItems", "/nothing maxItems", "/numbered maxItems", "/numbered/2 maximum", "/parts/1/name minLength",
		"/point/0 maximum", "/reference/0 minLength", "/reference/1 minimum",
	})
	var misfit tuples.TuplesV1
	err := json.Unmarshal([]byte(`{"id":"1","reference":["a"],"point":[1,"2",3,4],"cons":{}}`), &misfit)
	var decode *wire.DecodeError
	if !errors.As(err, &decode) {
		t.Fatal(err)
	}
	var got []string
	for _, violation := range decode.Violations {
		got = append(got, violation.Pointer+" "+violation.Rule)
	}
	if diff := cmp.Diff([]string{"/reference minItems", "/point/1 type", "/point/3 items", "/cons type"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An absent position cannot be followed by a present one.
func TestTupleWithAGap(t *testing.T) {
	t.Parallel()
	v := tuples.TuplesV1Open{Second: outbox.Value(int64(1))}
	var invalid *outbox.ValidationError
	if err := v.Validate(); !errors.As(err, &invalid) || invalid.Violations[0].Pointer != "/0" {
		t.Error(err)
	}
	var failed *wire.EncodeError
	if _, err := v.MarshalJSON(); !errors.As(err, &failed) || failed.Message != "/0: the item at position 0 is absent, and a later one is there" {
		t.Error(err)
	}
}

func TestMatching(t *testing.T) {
	t.Parallel()
	v := roundTrip[matching.MatchingV1](t, []byte(`{"id":"1","x-kind":"ab","x-other":"abc","more":1,"labels":{"a":"b"},"amounts":{"SEK":1.5,"other":"x"},
		"overlapping":{"id":"a","n_must":1,"n_a":3,"b_id":99.5,"n_\u0062_id":7,"other":true},"closed":{"a1":"x","b1":null},"both":{"k1":"abc","l1":5}}`))
	want := matching.MatchingV1{
		ID: "1", XKind: new("ab"), XMembers: map[string]string{"x-other": "abc"}, Unknown: wire.Unknown{"more": []byte("1")},
		Labels:  map[string]string{"a": "b"},
		Amounts: &matching.MatchingV1Amounts{Matching: map[string]float64{"SEK": 1.5}, Unknown: wire.Unknown{"other": []byte(`"x"`)}},
		Overlapping: &matching.MatchingV1Overlapping{
			ID: "a", NMust: 1, NMembers: map[string]int64{"n_a": 3, "n_b_id": 7}, IDMembers: map[string]float64{"b_id": 99.5, "n_b_id": 7}, Additional: map[string]bool{"other": true},
		},
		Closed: &matching.MatchingV1Closed{AMembers: map[string]string{"a1": "x"}, Flags: map[string]*bool{"b1": nil}},
		Both:   &matching.MatchingV1Both{KMembers: map[string]string{"k1": "abc"}, LMembers: map[string]int64{"l1": 5}},
	}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	expect[matching.MatchingV1](t, `{"id":"1","x-kind":"a","x-y":"123456","labels":{"A":""},"overlapping":{"id":"a","n_must":0,"n_b_id":101},"both":{"k1":"a","k2":"abcd"}}`, []string{
		"/both/k1 minLength", "/both/k2 maxLength", "/labels/A patternProperties", "/labels/A minLength", "/overlapping/n_b_id maximum", "/overlapping/n_must minimum",
		"/x-kind minLength", "/x-y maxLength",
	})
}

// A member that matches two patterns is in both maps, and has one value.
func TestMatchingTwoPatterns(t *testing.T) {
	t.Parallel()
	v := matching.MatchingV1Overlapping{ID: "a", NMust: 1, NMembers: map[string]int64{"n_id2_id": 1}}
	var invalid *outbox.ValidationError
	if err := v.Validate(); !errors.As(err, &invalid) || invalid.Violations[0].Pointer != "/n_id2_id" {
		t.Error(err)
	}
	v.IDMembers = map[string]float64{"n_id2_id": 2}
	var failed *wire.EncodeError
	if _, err := v.MarshalJSON(); !errors.As(err, &failed) || failed.Message != `the member "n_id2_id" matches two patterns and has two values` {
		t.Error(err)
	}
}

// Values of any JSON type have constants, and an unknown value is kept.
func TestValues(t *testing.T) {
	t.Parallel()
	v := roundTrip[values.ValuesV1](t, []byte(`{"id":"1","setting":{"a":[1.0,"b"]},"nothing":null,"maybe_nothing":null,"nothings":[null],"ratio":-2.25,"switch":true,
		"maybe_switch":null,"off":false,"either":1,"huge":123456789012345678901234567890,"origin":{"y":[1,"<"],"x":0},"list":[1,2],"large":123456789012345678901,
		"precise":0.12345678901234567890,"shapes":[{"a":1},[1],"x"]}`))
	want := values.ValuesV1{
		ID: "1", Setting: values.ValuesV1SettingA1B, MaybeNothing: new(wire.Null), Nothings: []wire.Null{{}}, Ratio: new(values.ValuesV1RatioMinus2Point25),
		Switch: new(true), MaybeSwitch: outbox.Null[bool](), Off: new(false), Either: outbox.Value(values.ValuesV1Either1),
		Huge: new(values.ValuesV1Huge123456789012345678901234567890), Origin: new(values.ValuesV1OriginValue), List: new(values.ValuesV1ListValue),
		Large: new(values.ValuesV1Large123456789012345678901), Precise: new(values.ValuesV1Precise0Point12345678901234567890),
		Shapes: []values.ValuesV1Shape{values.ValuesV1ShapeA1, values.ValuesV1Shape1, values.ValuesV1ShapeX},
	}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := values.NewValuesV1(values.ValuesV1{ID: "1", Setting: values.ValuesV1Setting3}).Validate(); err != nil {
		t.Error(err)
	}
	expect[values.ValuesV1](t, `{"id":"1","setting":{"b":1},"nothing":null,"ratio":0.25,"off":true,"either":"b","huge":2,"origin":{},"shapes":["y"]}`, []string{
		"/either enum", "/huge enum", "/off const", "/origin const", "/ratio enum", "/setting enum", "/shapes/0 enum",
	})
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	v := roundTrip[values.NumbersV1](t, []byte(`{"id":18446744073709551615,"size":1e30,"sizes":[null,-1e40],"small":1.0,"byte":255,"word":5,"unsigned":18446744073709551615,"wide":-170141183460469231731687303715884105728,
		"single":1.5,"double":0.10000000000000001,"amount":999999999999999999999.99,"amounts":[1.10,12345678901234567890.123456789],"maybe":null,"whole":1e3}`))
	if v.ID != 1<<64-1 || v.Size.String() != "1000000000000000000000000000000" || *v.Amount != "999999999999999999999.99" || *v.Whole != 1000 {
		t.Errorf("%+v", v)
	}
	expect[values.NumbersV1](t, `{"id":1,"size":3,"sizes":[-1e41],"small":2147483648,"byte":256,"word":4,"unsigned":4,"wide":1e40,"single":1e39,"amount":0.001}`, []string{
		"/amount multipleOf", "/byte maximum", "/single maximum", "/size multipleOf", "/sizes/0 minimum", "/small maximum", "/unsigned multipleOf", "/wide maximum", "/word minimum",
	})
	var misfit values.NumbersV1
	err := json.Unmarshal([]byte(`{"id":18446744073709551616,"size":0.5,"sizes":[1e5000],"whole":9223372036854775808,"ratio":12345678901234567,"double":0.12345678901234567890,"single":1e-400,"amount":"1"}`), &misfit)
	var decode *wire.DecodeError
	if !errors.As(err, &decode) {
		t.Fatal(err)
	}
	var got []string
	for _, violation := range decode.Violations {
		got = append(got, violation.Pointer+" "+violation.Message)
	}
	want := []string{
		"/id is an integer beyond 64 bits", "/size must be an integer, is a number with a fraction", "/sizes/0 is an integer of more than 4096 digits",
		"/whole is an integer beyond 64 bits", "/ratio has more digits than a float64 holds", "/double has more digits than a float64 holds", "/single has more digits than a float64 holds",
		"/amount must be a number, is a string",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An array or a map that contains itself is a declared type.
func TestRecursion(t *testing.T) {
	t.Parallel()
	v := roundTrip[recursion.RecursionV1](t, []byte(`{"id":"1","tree":[[],[[]]],"paths":{"a":{"b":{}}},"maybe":[null,[]],"forest":{"a":[{"b":[]}]},"chain":[{"name":"x","more":[{"name":"y","more":[]}]}],
		"narrow":[[]],"matching":{"ab":{"c":{}}},"remote":{"value":1,"others":[{"value":2,"first":{"value":3}}]}}`))
	want := recursion.RecursionV1{
		ID: "1", Tree: recursion.Tree{{}, {{}}}, Paths: recursion.Paths{"a": {"b": {}}}, Maybe: outbox.Value(recursion.Maybe{nil, {}}),
		Forest: recursion.Forest{"a": {{"b": {}}}}, Narrow: []recursion.Tree{{}}, Matching: recursion.Matching{"ab": {"c": {}}},
		Chain:  []recursion.RecursionV1ChainItem{{Name: "x", More: []recursion.RecursionV1ChainItem{{Name: "y", More: []recursion.RecursionV1ChainItem{}}}}},
		Remote: &recursion.Node{Value: 1, Others: []recursion.Node{{Value: 2, First: &recursion.Node{Value: 3}}}},
	}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	expect[recursion.RecursionV1](t, `{"id":"1","tree":[[],[[],[],[],[]]],"paths":{"a":{"b":{},"c":{},"d":{}}},"own":[[[],[]]],"narrow":[[],[],[]],"matching":{"ab":{"C":{}}}}`, []string{
		"/matching/ab/C patternProperties", "/narrow maxItems", "/own/0 uniqueItems", "/paths/a maxProperties", "/tree/1 maxItems",
	})
}

func TestContentEncodings(t *testing.T) {
	t.Parallel()
	v := roundTrip[values.EncodingsV1](t, []byte(`{"id":"1","base64":"aGk=","base64url":"-_-_","base32":"NBUQ====","base16":["00FF"],"quoted":"a=3Db","seven":"a","eight":"å","inner":"{}"}`))
	want := values.EncodingsV1{
		ID: "1", Base64: []byte("hi"), Base64url: []byte{0xfb, 0xff, 0xbf}, Base32: outbox.Value([]byte("hi")), Base16: [][]byte{{0, 0xff}},
		Quoted: new("a=3Db"), Seven: new("a"), Eight: new("å"), Inner: new("{}"),
	}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	expect[values.EncodingsV1](t, `{"id":"1","base64":"","base64url":"-_-_-_-_-_-_","quoted":"å","seven":"å"}`, []string{
		"/base64url maxLength", "/quoted contentEncoding", "/seven contentEncoding",
	})
}

func TestDefaultsOfFormats(t *testing.T) {
	t.Parallel()
	v := values.EncodingsV1{}
	if v.WhenOrDefault().String() != "2024-02-29" || v.WhoOrDefault().String() != "3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11" || v.RatesOrDefault()["a"] != 0.5 {
		t.Error(v.WhenOrDefault(), v.WhoOrDefault(), v.RatesOrDefault())
	}
}
