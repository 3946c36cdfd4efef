package golden_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	nested "github.com/outboxgen/outboxgen/testdata/golden/nested/events"
)

// nestedDocuments holds valid documents with every branch.
var nestedDocuments = []string{
	`{"id":"1","owned":{"kind":"rock","more":1},"both":{"kind":"a","x":"x","mode":"p","z":"z"},"loose":{"mail":"m","phone":"p"}}`,
	`{"id":"1","owned":{"kind":"boat","since":1,"length":2.5},"both":{"kind":"b","y":"y","mode":"q","w":"w"},"loose":{"silent":true}}`,
	`{"id":"1","owned":{"kind":"house","since":1,"floors":2},"loose":{"phone":"p"}}`,
}

// Unions inside unions and combinations are decoded and encoded without a change, each
// branch with its own type.
func TestNestedUnions(t *testing.T) {
	t.Parallel()
	for _, document := range nestedDocuments {
		roundTrip[nested.NestedV1](t, []byte(document))
	}
	v := roundTrip[nested.NestedV1](t, []byte(nestedDocuments[1]))
	want := nested.NestedV1{
		ID: "1", Owned: nested.Boat{Since: 1, Kind: "boat", Length: new(2.5)},
		Both:  nested.NestedV1BothB{Kind: "b", Y: new("y"), Mode: new("q"), W: new("w")},
		Loose: &nested.NestedV1Loose{Raw: []byte(`{"silent":true}`)},
	}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	expect[nested.NestedV1](t, `{"id":"1","both":{"kind":"a"},"loose":{"mail":"m","silent":true}}`, []string{
		"/both oneOf", "/loose oneOf",
	})
}

// A base type that lists its branches, which refer back to it, is a union of the
// branches with the shared members.
func TestBaseType(t *testing.T) {
	t.Parallel()
	v := roundTrip[nested.AdoptedV1](t, []byte(`{"id":"1","animal":{"petType":"kitten","name":"n","lives":9,"weeks":3}}`))
	want := nested.AdoptedV1{
		ID: "1", Animal: nested.Kitten{PetType: "kitten", Name: new("n"), Lives: new(int64(9)), Weeks: new(int64(3))},
	}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	roundTrip[nested.AdoptedV1](t, []byte(`{"id":"1","animal":{"petType":"dog","bark":true}}`))
	expect[nested.AdoptedV1](t, `{"id":"1","animal":{"petType":"fish"}}`, []string{"/animal oneOf"})
}
