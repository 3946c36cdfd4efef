package relay

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// pythonEvent is event_data as a hand-written outbox in Python stores it: Pydantic's dump
// of the envelope, and the topic and the headers for the relay.
const pythonEvent = `{"event_id": "0195798b-2f10-7c3e-9a41-6d2c5be0f002", "event_type": "huleedu.cj_assessment.completed.v1", ` +
	`"event_timestamp": "2026-03-09T09:15:27.201944Z", "source_service": "cj_assessment_service", "schema_version": 1, ` +
	`"correlation_id": "3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11", "data_schema_uri": null, ` +
	`"data": {"event_name": "cj_assessment.completed", "entity_id": "b7f0c2de", "processing_summary": {"failed": 0, "ids": ["}", "\"{", "\\"]}}, ` +
	`"metadata": null, "topic": "huleedu.cj_assessment.completed.v1", ` +
	`"headers": {"trace_id": "another", "source_service": "cj_assessment_service", "schema_version": 1}}`

// rowID and rowType are the columns of the rows in these tests.
var rowID = uuid.MustParse("11111111-1111-4111-8111-111111111111")

const rowType = "cj.completed"

const (
	envelopeID  = "0195798b-2f10-7c3e-9a41-6d2c5be0f002"
	correlation = "3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11"
)

// derived is the result for a row without headers.
type derived struct {
	Headers []string
	Left    []string // header: reason
	Count   int
}

func derive(t *testing.T, row Row) derived {
	t.Helper()
	row.Seq, row.ID, row.EventType, row.Topic = 7, rowID, rowType, "t"
	before := string(row.Data)
	entries, left := prepare([]Row{row}, false)
	if entries[0].invalid != nil {
		t.Errorf("the row cannot be sent: %v", entries[0].invalid)
	}
	record := entries[0].record()
	if string(record.Value) != before {
		t.Errorf("the value of the record is %q, want the row's data", record.Value)
	}
	out := derived{Count: left.count}
	for _, h := range record.Headers {
		out.Headers = append(out.Headers, h.Key+"="+string(h.Value))
	}
	if got := []string{"event_id=" + record.EventID.String(), "event_type=" + record.EventType}; !cmp.Equal(got, out.Headers[:2]) {
		t.Errorf("the record's fields say %q, its headers %q", got, out.Headers[:2])
	}
	for _, l := range left.list {
		if l.seq != 7 || l.eventType != rowType {
			t.Errorf("a header that is left out is of row %d (%s)", l.seq, l.eventType)
		}
		out.Left = append(out.Left, l.header+": "+l.why)
	}
	return out
}

func TestHeadersFromTheData(t *testing.T) {
	t.Parallel()
	const ownID, ownType = "event_id=11111111-1111-4111-8111-111111111111", "event_type=cj.completed"
	columns := []string{ownID, ownType}
	left := func(reasons ...string) derived { return derived{columns, reasons, len(reasons)} }
	for _, tc := range []struct {
		name, data string
		want       derived
	}{
		{"the family's envelope", pythonEvent, derived{Headers: []string{
			"event_id=" + envelopeID, "event_type=huleedu.cj_assessment.completed.v1", "trace_id=" + correlation,
			"source_service=cj_assessment_service", "schema_version=1",
		}}},
		{"a CloudEvent", `{"specversion":"1.0","id":"` + envelopeID + `","type":"a.v1","correlationid":"c","event_id":"x","event_type":"x","source":"s"}`,
			derived{Headers: []string{"event_id=" + envelopeID, "event_type=a.v1", "trace_id=c"}}},
		{"id and type of no CloudEvent", `{"id":"` + envelopeID + `","type":"a.v1"}`, derived{Headers: columns}},
		{"identity in the headers only", `{"headers":{"event_type":"a.v1","event_id":"` + envelopeID + `","trace_id":"c","z":"1"},"n":1}`,
			derived{Headers: []string{"event_id=" + envelopeID, "event_type=a.v1", "trace_id=c", "z=1"}}},
		{"the envelope wins over the headers", `{"event_type":"a.v1","headers":{"event_type":"b.v1"}}`, derived{Headers: []string{ownID, "event_type=a.v1"}}},
		{"an id in capitals", `{"event_id":"0195798B-2F10-7C3E-9A41-6D2C5BE0F002"}`, derived{Headers: []string{"event_id=" + envelopeID, ownType}}},
		{"names and values with escapes", `{"event\u005ftype":"a\u002ev1","headers":{"a\"b":"ü\u00fc\n\ud83d\ude00","n":"\u0000"}}`,
			derived{Headers: []string{ownID, "event_type=a.v1", "a\"b=üü\n😀", "n=\x00"}}},
		{"a name twice: the last one counts", `{"event_type":"a.v1","event_type":"b.v1","headers":{"x":"1","y":"2","x":"3"}}`,
			derived{Headers: []string{ownID, "event_type=b.v1", "x=3", "y=2"}}},
		{"names that differ from ours in case", `{"headers":{"Event_ID":"1","Trace_Id":"2"}}`, derived{Headers: []string{ownID, ownType, "Event_ID=1", "Trace_Id=2"}}},
		{"the mark of a replay", `{"headers":{"outbox_replay":"x","a":"1"}}`,
			derived{[]string{ownID, ownType, "a=1"}, []string{"outbox_replay: only a replay sets it"}, 1}},
		{"numbers, booleans and null", `{"headers":{"a":1,"b":-2.50e3,"c":true,"d":null,"e":""}}`,
			derived{Headers: []string{ownID, ownType, "a=1", "b=-2.50e3", "c=true", "e="}}},
		{"null stands for nothing", `{"event_id":null,"event_type":null,"correlation_id":null,"headers":null}`, derived{Headers: columns}},
		{"an empty object", ` { } `, derived{Headers: columns}},
		{"empty headers", `{"headers": { } }`, derived{Headers: columns}},
		{"only the topic", `{"topic":"t"}`, derived{Headers: columns}},

		{"no object", `[1,{"event_id":"x"}]`, derived{Headers: columns}},
		{"a text", `"event_id"`, derived{Headers: columns}},
		{"null", `null`, derived{Headers: columns}},
		{"nothing", ``, derived{Headers: columns}},

		{"an id that is no UUID", `{"event_id":"7"}`, left("event_id: event_id is not a UUID")},
		{"an id in braces", `{"event_id":"{` + envelopeID + `}"}`, left("event_id: event_id is not a UUID")},
		{"the nil UUID", `{"event_id":"00000000-0000-0000-0000-000000000000"}`, left("event_id: event_id is not a UUID")},
		{"an id that is a number", `{"event_id":7}`, left("event_id: event_id is not a UUID")},
		{"a type that is no string", `{"event_type":["a"]}`, left("event_type: event_type is not a string")},
		{"an empty type", `{"event_type":""}`, left("event_type: event_type is empty or too long")},
		{"a type of 256 characters", `{"event_type":"` + strings.Repeat("ü", 256) + `"}`, left("event_type: event_type is empty or too long")},
		{"a correlation id that is an object", `{"correlation_id":{"a":"b"}}`, left("trace_id: correlation_id is not a string")},
		{"a correlation id that is huge", `{"correlation_id":"` + strings.Repeat("x", 1_025) + `"}`, left("trace_id: correlation_id is empty or too long")},
		{"a type that is not UTF-8", "{\"event_type\":\"a\xff\"}", left("event_type: event_type is not UTF-8")},
		{"headers that are an array", `{"headers":[["a","b"]]}`, left(": headers is not an object")},
		{"headers that are a string", `{"headers":"{}"}`, left(": headers is not an object")},
		{"values that are no scalars", `{"headers":{"a":{"b":"}"},"c":[1,[2]],"d":"1"}}`, derived{
			Headers: append(columns[:2:2], "d=1"),
			Left:    []string{"a: its value is an object or an array", "c: its value is an object or an array"}, Count: 2,
		}},
		{"a header without a name", `{"headers":{"":"x"}}`, left(": it has no name")},
		{"headers that are not UTF-8", "{\"headers\":{\"a\xff\":\"x\",\"b\":\"\xff\"}}", left("a\uFFFD: it is not UTF-8", "b: it is not UTF-8")},
		{"an unusable id beside one in the headers", `{"event_id":"7","headers":{"event_id":"` + envelopeID + `"}}`, derived{
			Headers: []string{"event_id=" + envelopeID, ownType}, Left: []string{"event_id: event_id is not a UUID"}, Count: 1,
		}},
		{"both are unusable", `{"event_id":"7","headers":{"event_id":"8"}}`,
			left("event_id: event_id is not a UUID", "event_id: headers/event_id is not a UUID")},

		{"an object without an end", `{"event_id":"` + envelopeID + `"`, left(": event_data is not JSON")},
		{"a string without an end", `{"event_id":"` + envelopeID, left(": event_data is not JSON")},
		{"a name without an end", `{"event`, left(": event_data is not JSON")},
		{"no value", `{"event_id":}`, left(": event_data is not JSON")},
		{"no name", `{1:2}`, left(": event_data is not JSON")},
		{"something behind it", `{"event_id":"` + envelopeID + `"} x`, left(": event_data is not JSON")},
		{"an escape at the end", `{"event_id":"\`, left(": event_data is not JSON")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for name, headers := range map[string][]byte{"NULL": nil, "the JSON value null": []byte("null")} {
				if diff := cmp.Diff(tc.want, derive(t, Row{Data: []byte(tc.data), Headers: headers})); diff != "" {
					t.Errorf("headers is %s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// The data of a row with headers, even an empty object, is not read.
func TestHeadersOfTheColumnComeFirst(t *testing.T) {
	t.Parallel()
	want := derived{Headers: []string{"event_id=" + rowID.String(), "event_type=" + rowType, "a=b"}}
	if diff := cmp.Diff(want, derive(t, Row{Data: []byte(pythonEvent), Headers: []byte(`{"a":"b"}`)})); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	want.Headers = want.Headers[:2]
	if diff := cmp.Diff(want, derive(t, Row{Data: []byte(pythonEvent), Headers: []byte(`{}`)})); diff != "" {
		t.Errorf("no headers (-want +got):\n%s", diff)
	}
}

// The headers from a row are limited, and so is what the relay remembers about faulty
// rows.
func TestHeadersFromTheDataAreBounded(t *testing.T) {
	t.Parallel()
	object := func(n int, value string) []byte {
		var b strings.Builder
		b.WriteString(`{"headers":{"a":"first"`)
		for i := range n {
			fmt.Fprintf(&b, `,"h%d":%s`, i, value)
		}
		b.WriteString(`},"topic":"t"}`)
		return []byte(b.String())
	}
	for _, tc := range []struct {
		name                 string
		data                 []byte
		headers, left, count int
	}{
		{"many", object(20_000, `"x"`), 2 + 100, 10, 20_000 - 99},
		{"many that are no strings", object(20_000, `[]`), 2 + 1, 10, 20_000},
		{"large", object(100, `"`+strings.Repeat("x", 1_000)+`"`), 2 + 1 + 65, 10, 35},
		{"huge", object(1, `"`+strings.Repeat("x", 8<<20)+`"`), 2 + 1, 1, 1},
		{"deep", object(1, strings.Repeat("[", 1<<20)+strings.Repeat("]", 1<<20)), 2 + 1, 1, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := derive(t, Row{Data: tc.data})
			if len(got.Headers) != tc.headers || len(got.Left) != tc.left || got.Count != tc.count {
				t.Errorf("%d headers, %d left out of which %d are listed; want %d, %d, %d",
					len(got.Headers), got.Count, len(got.Left), tc.headers, tc.count, tc.left)
			}
		})
	}
}

func TestRoutingIsStripped(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		`{"a":1, "topic":"x", "b":2}`:                                        `{"a":1, "b":2}`,
		`{"a":1, "topic":"x"}`:                                               `{"a":1}`,
		`{"topic":"x" , "a":1}`:                                              `{"a":1}`,
		`{ "topic":"x", "headers":{"a":"}"}, "a": 1 }`:                       `{ "a": 1 }`,
		`{"headers":{},"topic":"x"}`:                                         `{}`,
		`{"topic":"x","a":1,"headers":{},"b":[1,2],"topic":"y","c":"topic"}`: `{"a":1,"b":[1,2],"c":"topic"}`,
		`{"a":{"topic":"x","headers":1}}`:                                    `{"a":{"topic":"x","headers":1}}`,
		`{"to\u0070ic":1,"a":"\u0000ü"}`:                                     `{"a":"\u0000ü"}`,
		`[{"topic":"x"}]`:                                                    `[{"topic":"x"}]`,
		`{"topic":"x"`:                                                       `{"topic":"x"`,
		`{}`:                                                                 `{}`,
		``:                                                                   ``,
	} {
		entries, _ := prepare([]Row{{Topic: "t", Data: []byte(data)}, {Topic: "t", Data: []byte(data), Headers: []byte(`{}`)}}, true)
		if got := string(entries[0].record().Value); got != want {
			t.Errorf("%s becomes %s, want %s", data, got, want)
		}
		if got := string(entries[1].record().Value); got != data {
			t.Errorf("%s of a row with headers becomes %s", data, got)
		}
	}
}

// With any data, nothing panics, the columns replace missing values, and a stripped
// document differs only in the two members.
func FuzzHeadersFromTheData(f *testing.F) {
	for _, data := range []string{pythonEvent, `{"topic":1,"a":[{}],"headers":{"a":1}}`, `{"a":"\\\"","headers":{"\u0000":[]}}`, `{"headers":{"a":"b"`, "{\"\xff\":0}"} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data string) {
		row := Row{ID: rowID, EventType: rowType, Topic: "t", Data: []byte(data)}
		plain, _ := prepare([]Row{row}, false)
		entries, _ := prepare([]Row{row}, true)
		record, stripped := plain[0].record(), entries[0].record()
		if plain[0].invalid != nil || string(record.Value) != data || record.EventType == "" || record.EventID == uuid.Nil {
			t.Fatalf("%q: %v, %+v", data, plain[0].invalid, record)
		}
		var before map[string]json.RawMessage
		if json.Unmarshal([]byte(data), &before) != nil || before == nil {
			return
		}
		var id string
		if json.Unmarshal(before["event_id"], &id) == nil && id == envelopeID && before["specversion"] == nil && record.EventID.String() != id {
			t.Fatalf("%q: the record's id is %s", data, record.EventID)
		}
		delete(before, "topic")
		delete(before, "headers")
		var after map[string]json.RawMessage
		if err := json.Unmarshal(stripped.Value, &after); err != nil {
			t.Fatalf("%q becomes %q: %v", data, stripped.Value, err)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Fatalf("%q becomes %q (-want +got):\n%s", data, stripped.Value, diff)
		}
	})
}

// The data of rows with headers are not read, so they do not affect the cost.
func TestDataOfRowsWithHeadersCostNothing(t *testing.T) {
	allocations := func(page []Row) float64 {
		return testing.AllocsPerRun(5, func() { prepare(page, true) })
	}
	empty, envelope := allocations(fullPage(nil)), allocations(fullPage([]byte(pythonEvent)))
	if empty != envelope || envelope > 1_000 {
		t.Errorf("a page of 4000 rows takes %v allocations, with data %v", empty, envelope)
	}
}
