package golden_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/wire"
	unions "github.com/outboxgen/outboxgen/testdata/golden/unions/events"
)

// unionDocuments holds valid documents with every branch of every union.
var unionDocuments = map[string][]string{
	"tagged": {
		`{"id":"1","pet":{"kind":"cat","name":"Tom","lives":7,"other":[1]},"pets":[{"kind":"dog","friends":[{"kind":"cat","name":"x"},{"kind":"dog"}]},{"name":"late tag","kind":"cat"}],
		"by_name":{"a":{"kind":"dog"}},"maybe":{"kind":"dog"},"rows":[null,{"kind":"dog"}],"signal":{"context":{"type":"run.started","more":1},"by":"me"},
		"payload":{"version":1,"name":"a"},"outcome":{"success":true,"value":1.5},"vehicle":{"kind":"car","wheels":4,"doors":5},
		"owned":{"owner":"me","kind":"boat","length":3.5},"limited":{"kind":"once","from":"a"}}`,
		`{"id":"1","pet":{"kind":"dog"},"maybe":null,"signal":{"context":{"type":"run.failed"},"seconds":3},"payload":{"version":2,"names":["a","b"]},
		"outcome":{"success":false,"reason":"short"},"vehicle":{"kind":"bike","wheels":2,"bell":true},
		"owned":{"owner":"me","kind":"house","floors":2},"limited":{"kind":"daily","hour":1,"from":"a","to":"b"}}`,
	},
	"mixed": {
		`{"id":"1","value":"text","count":3,"listed":"low","data":{"a":[1]},"when":"2024-01-01T00:00:00Z","owner":{"name":"n","more":1},"backup":true,
		"tree":[["a",{"b":"c"}],{"d":[]}],"colour":"red","mood":"good","moods":["good","whatever"],"level":"high","ruled":["x","b"],"strict":7,"mixed":["a",1.5]}`,
		`{"id":"1","value":5,"count":"12","listed":2,"data":"aGk=","when":7,"owner":"team-a","backup":"team-b","tree":"leaf","colour":"green","mood":"indifferent","level":3,"ruled":"z","strict":1.5}`,
		`{"id":"1","value":["a","b"],"count":null,"when":null}`,
		`{"id":"1","value":{"free":1},"count":1,"ruled":{"a":1},"strict":0}`,
		`{"id":"1","value":false,"count":1}`,
	},
	"payment": {
		`{"id":"1","method":{"card":"4","holder":"h"},"shape":{"radius":1.5},"contact":{"mail":"a@b.se","phone":"1"},"exactly":"abc","contacts":["a@b.se","https://b.se"]}`,
		`{"id":"1","method":{"iban":"SE1"},"shape":{"width":1,"height":2},"contact":{"phone":"12"},"exactly":"12345"}`,
		`{"id":"1","method":{"holder":"h"},"contact":{"mail":"a@b.se"},"exactly":null}`,
	},
	"sourced": {
		`{"id":"1","source":{"kind":"shop","shop":7},"step":{"kind":"wait","seconds":1},"later":{"kind":"run","command":"c","then":{"kind":"wait","seconds":2}}}`,
		`{"id":"1","source":{"kind":"app","url":"u"},"step":{"kind":"run","command":"c"},"later":null}`,
	},
}

// Every branch of a union is decoded and encoded without a change.
func TestUnionsRoundTrip(t *testing.T) {
	t.Parallel()
	for _, document := range unionDocuments["tagged"] {
		roundTrip[unions.TaggedV1](t, []byte(document))
	}
	for _, document := range unionDocuments["mixed"] {
		roundTrip[unions.MixedV1](t, []byte(document))
	}
	for _, document := range unionDocuments["payment"] {
		roundTrip[unions.PaymentV1](t, []byte(document))
	}
	for _, document := range unionDocuments["sourced"] {
		roundTrip[unions.SourcedV1](t, []byte(document))
	}
}

// Each branch has its own Go type, which a type switch finds.
func TestUnionBranches(t *testing.T) {
	t.Parallel()
	tagged := roundTrip[unions.TaggedV1](t, []byte(unionDocuments["tagged"][0]))
	wantPets := []unions.Pet{
		unions.Dog{Kind: "dog", Friends: []unions.Pet{unions.Cat{Kind: "cat", Name: "x"}, unions.Dog{Kind: "dog"}}},
		unions.Cat{Kind: "cat", Name: "late tag"},
	}
	if diff := cmp.Diff(wantPets, tagged.Pets); diff != "" {
		t.Errorf("pets (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]unions.TaggedV1Row{nil, unions.Dog{Kind: "dog"}}, tagged.Rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	wantVehicle := unions.TaggedV1Vehicle(unions.Car{Kind: "car", Wheels: 4, Doors: new(int64(5))})
	if diff := cmp.Diff(wantVehicle, tagged.Vehicle); diff != "" {
		t.Errorf("vehicle (-want +got):\n%s", diff)
	}
	mixed := roundTrip[unions.MixedV1](t, []byte(unionDocuments["mixed"][1]))
	want := unions.MixedV1{
		ID: "1", Value: unions.MixedV1ValueInteger(5), Count: unions.MixedV1CountText("12"), Listed: unions.MixedV1ListedInteger2,
		Data: unions.MixedV1DataBytes("hi"), When: outbox.Value[unions.MixedV1When](unions.MixedV1WhenInteger(7)),
		Owner: unions.TeamName("team-a"), Backup: unions.TeamName("team-b"), Tree: unions.JSONText("leaf"),
		Colour: new(unions.MixedV1ColourGreen), Mood: new(unions.MixedV1Mood("indifferent")), Level: unions.MixedV1LevelInteger(3), Ruled: unions.MixedV1RuledText("z"),
		Strict: &unions.MixedV1Strict{Raw: json.RawMessage("1.5")},
	}
	if diff := cmp.Diff(want, mixed); diff != "" {
		t.Errorf("mixed (-want +got):\n%s", diff)
	}
}

// A union also distinguishes absent, null and a value.
func TestUnionPresence(t *testing.T) {
	t.Parallel()
	for more, want := range map[string]outbox.Nullable[unions.Pet]{
		``:                        {},
		`,"maybe":null`:           outbox.Null[unions.Pet](),
		`,"maybe":{"kind":"dog"}`: outbox.Value[unions.Pet](unions.Dog{Kind: "dog"}),
	} {
		v := roundTrip[unions.TaggedV1](t, []byte(`{"id":"1","pet":{"kind":"dog"}`+more+`}`))
		if diff := cmp.Diff(want, v.Maybe); diff != "" {
			t.Errorf("%q (-want +got):\n%s", more, diff)
		}
	}
	expectDecodeError[unions.TaggedV1](t, `{"id":"1","pet":null}`, "/pet type")
	expectDecodeError[unions.TaggedV1](t, `{"id":"1"}`, "/pet required")
}

func expectDecodeError[T any](t *testing.T, input string, want ...string) {
	t.Helper()
	var v T
	var decode *wire.DecodeError
	if err := json.Unmarshal([]byte(input), &v); !errors.As(err, &decode) {
		t.Fatalf("%s: %v, want a DecodeError", input, err)
	}
	var got []string
	for _, violation := range decode.Violations {
		got = append(got, violation.Pointer+" "+violation.Rule)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", input, diff)
	}
}

// The bytes of a branch that a later version of the schema adds are kept, and the value
// is not valid.
func TestUnknownBranchSurvives(t *testing.T) {
	t.Parallel()
	const document = `{"id":"1","pet":{"kind":"parrot","words":[1.0,"\u00e5"]}}`
	var v unions.TaggedV1
	if err := json.Unmarshal([]byte(document), &v); err != nil {
		t.Fatal(err)
	}
	want := unions.UnknownPet(`{"kind":"parrot","words":[1.0,"\u00e5"]}`)
	if diff := cmp.Diff(unions.Pet(want), v.Pet); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	output, err := v.MarshalJSON()
	if err != nil || string(output) != document {
		t.Errorf("%s, %v", output, err)
	}
	expect[unions.TaggedV1](t, document, []string{"/pet oneOf"})
	expect[unions.MixedV1](t, `{"id":"1","value":1,"count":[],"level":"medium"}`, []string{"/count type", "/level enum"})
	if err := want.Validate(); err == nil {
		t.Error("an unknown branch is valid by itself")
	}
}

// Violations inside a branch have pointers from the root of the document.
func TestUnionViolations(t *testing.T) {
	t.Parallel()
	expect[unions.TaggedV1](t, `{"id":"1","pet":{"kind":"dog","friends":[{"kind":"cat","name":""}]},"pets":[],"outcome":{"success":false,"reason":"too long"}}`, []string{
		"/outcome/reason maxLength", "/pet/friends/0/name minLength", "/pets minItems",
	})
	expect[unions.MixedV1](t, `{"id":"1","value":["a",""],"count":0,"owner":"a"}`, []string{"/count minimum", "/owner pattern", "/value/1 minLength"})
	expect[unions.PaymentV1](t, `{"id":"1","method":{"card":"1"},"contact":{"mail":"no"},"exactly":"12","contacts":["?"]}`, []string{
		"/contact anyOf", "/contacts/0 anyOf", "/exactly oneOf",
	})
	got := unions.TaggedV1{ID: "1"}.Validate()
	var invalid *outbox.ValidationError
	if !errors.As(got, &invalid) || len(invalid.Violations) != 1 || invalid.Violations[0].String() != `/pet: is required and missing: must be an object with "kind" "cat" or an object with "kind" "dog" (schemas/tagged.yaml#/$defs/Pet/oneOf)` {
		t.Errorf("a union that is not set: %v", got)
	}
}

// The constructor sets the tag. Without the tag the branch is not valid.
func TestUnionConstructors(t *testing.T) {
	t.Parallel()
	cat := unions.NewCat(unions.Cat{Name: "Tom"})
	if err := (unions.TaggedV1{ID: "1", Pet: cat}).Validate(); err != nil {
		t.Error(err)
	}
	if err := (unions.TaggedV1{ID: "1", Pet: unions.Cat{Name: "Tom"}}).Validate(); err == nil {
		t.Error("a branch without its tag is valid")
	}
	source := unions.NewShopSource(unions.ShopSource{Shop: 1})
	if err := (unions.SourcedV1{ID: "1", Source: source}).Validate(); err != nil {
		t.Error(err)
	}
	at := unions.MixedV1WhenTime(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
	got, err := json.Marshal(at)
	if err != nil || string(got) != `"2024-01-01T00:00:00Z"` {
		t.Errorf("%s, %v", got, err)
	}
	// A pointer to a branch has its methods, so it compiles. Encoding and Validate
	// report it.
	pointer := unions.TaggedV1{ID: "1", Pet: &cat}
	if err := pointer.Validate(); err == nil {
		t.Error("a pointer is taken for a branch")
	}
	_, err = pointer.MarshalJSON()
	var encode *wire.EncodeError
	if !errors.As(err, &encode) || encode.Message != "/pet: a *events.Cat is no branch of Pet; store the value that it points to" {
		t.Errorf("%v", err)
	}
}

// Branches that cannot be distinguished are decoded as the type that the caller asks
// for.
func TestRawUnion(t *testing.T) {
	t.Parallel()
	v := roundTrip[unions.PaymentV1](t, []byte(`{"id":"1","method":{},"contact":{"phone":"12","mail":"no"}}`))
	phone, err := v.Contact.AsPhone()
	if diff := cmp.Diff(unions.Phone{Phone: "12", Unknown: wire.Unknown{"mail": json.RawMessage(`"no"`)}}, phone); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := v.Contact.AsMail(); err == nil {
		t.Error("it is not valid as Mail")
	}
	contact, err := unions.PaymentV1ContactFromMail(unions.Mail{Mail: "a@b.se"})
	if err != nil || contact.Validate() != nil || string(contact.Raw) != `{"mail":"a@b.se"}` {
		t.Errorf("%s, %v, %v", contact.Raw, err, contact.Validate())
	}
}
