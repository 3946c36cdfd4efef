package golden_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/wire"
	matching "github.com/outboxgen/outboxgen/testdata/golden/matching/events"
	tuples "github.com/outboxgen/outboxgen/testdata/golden/tuples/events"
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

// A position that is absent cannot be followed by one that is there.
func TestTupleWithAGap(t *testing.T) {
	t.Parallel()
	v := tuples.TuplesV1Open{Second: outbox.Value(int64(1))}
	var invalid *outbox.ValidationError
	if err := v.Validate(); !errors.As(err, &invalid) || invalid.Violations[0].Pointer != "/0" {
		t.Error(err)
	}
	var failed *wire.EncodeError
	if _, err := v.MarshalJSON(); !errors.As(err, &failed) || failed.Message != "the item at position 0 is absent, and a later one is there" {
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

// A member that two patterns want is in both maps, and has one value.
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
