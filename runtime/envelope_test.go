package outbox_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
)

// kinds returns the three kinds of envelope of one event.
func kinds() map[string]*gen.EventType[Graded] {
	cloud, bareType := graded, graded
	cloud.Envelope, bareType.Envelope = gen.EnvelopeCloudEvents, gen.EnvelopeNone
	return map[string]*gen.EventType[Graded]{"outbox": &graded, "cloudevents": &cloud, "none": &bareType}
}

// An envelope is decoded, and encoded again without a change.
func TestEnvelopeRoundTrip(t *testing.T) {
	t.Parallel()
	for name, event := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row, err := event.NewRow(t.Context(), Graded{EssayID: "e1", Grade: 4},
				fixed(outbox.WithMetadata("big", json.RawMessage("12345678901234567890.10")), outbox.WithCausationID("why"))...)
			if err != nil {
				t.Fatal(err)
			}
			got, err := event.Decode(row.Data, headersOf(t, row)...)
			if err != nil {
				t.Fatal(err)
			}
			want := outbox.Envelope[Graded]{
				Kind: event.Envelope, EventID: fixedID, EventType: graded.Type, EventTimestamp: noon.Truncate(time.Microsecond),
				SourceService: "grading", SchemaVersion: 1, CorrelationID: fixedID.String(), Data: Graded{EssayID: "e1", Grade: 4},
			}
			if event.Envelope != gen.EnvelopeNone {
				want.DataSchemaURI = &graded.SchemaURI
				want.Metadata = map[string]json.RawMessage{"big": []byte("12345678901234567890.10"), "causation_id": []byte(`"why"`)}
				if got.CausationID() != "why" {
					t.Errorf("causation id %q", got.CausationID())
				}
			}
			if event.Envelope == gen.EnvelopeCloudEvents {
				want.Extra = map[string]json.RawMessage{"subject": []byte(`"e1"`)}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
			again, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(row.Data), string(again)); diff != "" {
				t.Errorf("encoded again (-want +got):\n%s", diff)
			}
		})
	}
}

// headersOf returns the headers that the relay makes of a row.
func headersOf(t *testing.T, row outbox.Row) []outbox.Header {
	t.Helper()
	var object map[string]string
	if err := json.Unmarshal(row.Headers, &object); err != nil {
		t.Fatal(err)
	}
	headers := []outbox.Header{{Key: "event_id", Value: []byte(row.ID.String())}, {Key: "event_type", Value: []byte(row.EventType)}}
	for name, value := range object {
		headers = append(headers, outbox.Header{Key: name, Value: []byte(value)})
	}
	return headers
}

const pythonEnvelope = `{"event_id": "018F3F6E-0000-7000-8000-000000000001", "event_type": "school.essay.graded.v1",
	"event_timestamp": "2026-05-01T14:00:00.5+02:00", "source_service": "grading", "schema_version": 1,
	"correlation_id": "c", "data": {"essay_id": "e1", "grade": 4}, "tenant": {"x": 1.0}}`

// Another writer's envelope may lack fields that may be null, and have additional
// fields, which are kept.
func TestDecodeForeignEnvelope(t *testing.T) {
	t.Parallel()
	got, err := graded.Decode([]byte(pythonEnvelope))
	if err != nil {
		t.Fatal(err)
	}
	want := outbox.Envelope[Graded]{
		EventID: fixedID, EventType: graded.Type, EventTimestamp: time.Date(2026, 5, 1, 12, 0, 0, 5e8, time.UTC),
		SourceService: "grading", SchemaVersion: 1, CorrelationID: "c", Data: Graded{EssayID: "e1", Grade: 4},
		Extra: map[string]json.RawMessage{"tenant": []byte(`{"x": 1.0}`)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	again, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"metadata":null,"tenant":{"x":1.0}}`; !strings.HasSuffix(string(again), want) {
		t.Errorf("encoded again: %s", again)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	replace := func(old, with string) string { return strings.Replace(pythonEnvelope, old, with, 1) }
	for name, test := range map[string]struct {
		value   string
		want    string
		inData  bool
		headers []outbox.Header
		kind    string
	}{
		"not JSON":         {value: `{"event_id"`, want: "expected :"},
		"empty":            {value: ``, want: "the document ends here"},
		"no event id":      {value: replace(`"event_id"`, `"eventid"`), want: "/event_id: is required"},
		"null event id":    {value: replace(`"018F3F6E-0000-7000-8000-000000000001"`, `null`), want: "/event_id"},
		"bad time":         {value: replace(`2026-05-01T14`, `2026-05-01X14`), want: "/event_timestamp"},
		"another type":     {value: replace(`graded.v1`, `graded.v2`), want: `the record is a "school.essay.graded.v2"`},
		"another version":  {value: replace(`"schema_version": 1`, `"schema_version": 2`), want: "the envelope has version 2"},
		"trailing bytes":   {value: pythonEnvelope + "x", want: "end of the document"},
		"data of no shape": {value: replace(`"grade": 4`, `"grade": "x"`), want: "decode the data of school.essay.graded.v1 018f3f6e", inData: true},
		"CloudEvents 0.3": {
			kind:  "cloudevents",
			value: `{"specversion":"0.3","id":"018f3f6e-0000-7000-8000-000000000001","source":"s","type":"school.essay.graded.v1","data":{}}`,
			want:  `CloudEvent of version "0.3"`,
		},
		"another type by header": {
			kind: "none", value: `{}`, want: `the record is a "other"`,
			headers: []outbox.Header{{Key: "event_type", Value: []byte("other")}},
		},
		"bad id by header": {
			kind: "none", value: `{}`, want: "header event_id",
			headers: []outbox.Header{{Key: "event_id", Value: []byte("1")}},
		},
		"a tombstone": {kind: "none", value: ``, want: "the record's value is empty", inData: true},
	} {
		kind := test.kind
		if kind == "" {
			kind = "outbox"
		}
		_, err := kinds()[kind].Decode([]byte(test.value), test.headers...)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		decode := isError[*outbox.DecodeError](t, err)
		if decode.InData != test.inData || decode.EventType != graded.Type || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestNullable(t *testing.T) {
	t.Parallel()
	type document struct {
		A outbox.Nullable[string]    `json:"a,omitzero"`
		B outbox.Nullable[string]    `json:"b,omitzero"`
		C outbox.Nullable[time.Time] `json:"c,omitzero"`
	}
	want := document{B: outbox.Null[string](), C: outbox.Value(noon)}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"b":null,"c":"2026-05-01T12:00:00.123456789Z"}`, string(text)); diff != "" {
		t.Errorf("encoded (-want +got):\n%s", diff)
	}
	var got document
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
	if err := json.Unmarshal([]byte(`{"c":1}`), &got); err == nil {
		t.Error("a number is taken for a time")
	}
	var absent outbox.Nullable[int]
	null, value := outbox.Null[int](), outbox.Value(0)
	for _, n := range []struct {
		n           outbox.Nullable[int]
		zero, null  bool
		text        string
		get, orElse int
		ok          bool
	}{{absent, true, false, "absent", 0, 9, false}, {null, false, true, "null", 0, 9, false}, {value, false, false, "0", 0, 0, true}} {
		v, ok := n.n.Get()
		if n.n.IsZero() != n.zero || n.n.IsNull() != n.null || n.n.String() != n.text || v != n.get || ok != n.ok || n.n.OrElse(9) != n.orElse {
			t.Errorf("%+v", n)
		}
	}
	if text, err := json.Marshal(absent); err != nil || string(text) != "null" {
		t.Errorf("absent outside a struct: %s, %v", text, err)
	}
}
