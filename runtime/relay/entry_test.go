package relay

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func headersOf(t *testing.T, doc string) (map[string]string, []string, error) {
	t.Helper()
	hs, err := new(headerMaker).parse(&Row{EventType: "t", Headers: []byte(doc)})
	m, order := map[string]string{}, []string{}
	for _, h := range hs[2:] {
		m[h.Key] = string(h.Value)
		order = append(order, h.Key)
	}
	return m, order, err
}

func TestHeadersKeepTheirOrder(t *testing.T) {
	t.Parallel()
	_, order, err := headersOf(t, ` { "z" : "1", "a":"2","event_id":"mine", "outbox_replay":"mine", "m" : "" } `)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"z", "a", "m"}, order); d != "" {
		t.Errorf("order (-want +got): %s", d)
	}
}

func TestHeadersThatAreNoObjectOfStrings(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{`[]`, `{"a":1}`, `{"a":null}`, `{"a":{}}`, `"x"`, `{`, `{"a"}`, `{"a":"b"} x`, `{"a":"b",}`, `{"a":"\q"}`, `1`, ` null`} {
		if m, _, err := headersOf(t, doc); err == nil {
			t.Errorf("%s was taken as %v", doc, m)
		}
	}
	for _, doc := range []string{`{}`, ` { } `} {
		if m, _, err := headersOf(t, doc); err != nil || len(m) != 0 {
			t.Errorf("%q: %v, %v", doc, m, err)
		}
	}
}

// The scanner accepts what encoding/json accepts, with the same result.
func FuzzHeaders(f *testing.F) {
	for _, doc := range []string{`{"a":"b","c":"\u00fc\n\"\\"}`, `{"a":"ü","a":"2"}`, "{\"a\":\"\\ud800\"}", `{"":""}`, "{\"\x80\":\"\xff\"}"} {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		got, _, err := headersOf(t, doc)
		if !json.Valid([]byte(doc)) || strings.TrimSpace(doc) == "null" {
			return // such a document cannot be in a column of type json; null means no headers
		}
		var want map[string]*string
		bad := json.Unmarshal([]byte(doc), &want) != nil
		for _, v := range want {
			bad = bad || v == nil
		}
		if bad != (err != nil) {
			t.Fatalf("%q: error %v, encoding/json refuses: %v", doc, err, bad)
		}
		for k, v := range got {
			if json.Valid([]byte(`"` + v + `"`)) { // invalid UTF-8 is replaced by encoding/json
				if w, ok := want[k]; ok && *w != v && !containsInvalid(v) {
					t.Fatalf("%q: %q is %q, want %q", doc, k, v, *w)
				}
			}
		}
	})
}

func containsInvalid(s string) bool {
	for _, r := range s {
		if r == '\uFFFD' {
			return true
		}
	}
	return false
}

func TestTopicNames(t *testing.T) {
	t.Parallel()
	long := make([]byte, 250)
	for i := range long {
		long[i] = 'a'
	}
	for name, want := range map[string]bool{
		"a": true, "orders.paid_v1-x": true, string(long[:249]): true,
		"": false, ".": false, "..": false, "a b": false, "ü": false, "a/b": false, string(long): false,
	} {
		if got := validTopic(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

// Rows share the memory of their headers; none may see another's.
func TestHeadersOfAPage(t *testing.T) {
	var page []Row
	var want [][]Header
	for i := range 200 {
		id := uuid.New()
		row := Row{ID: id, EventType: fmt.Sprint("type ", i/50), Topic: "t"}
		headers := []Header{{"event_id", []byte(id.String())}, {"event_type", []byte(row.EventType)}}
		if i%7 == 0 {
			row.Headers = []byte(`{"a": 1}`)
		} else {
			doc := map[string]string{}
			for n := range i % 40 {
				doc[fmt.Sprintf("h%02d", n)] = fmt.Sprint(i, " ", n)
				headers = append(headers, Header{fmt.Sprintf("h%02d", n), []byte(doc[fmt.Sprintf("h%02d", n)])})
			}
			row.Headers, _ = json.Marshal(doc)
		}
		page, want = append(page, row), append(want, headers)
	}
	var got [][]Header
	entries, _ := prepare(page, false)
	for i, e := range entries {
		if (e.invalid != nil) != (i%7 == 0) {
			t.Errorf("row %d: %v", i, e.invalid)
		}
		got = append(got, e.headers)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

// fullPage returns a page of rows of generated code, with these data.
func fullPage(data []byte) []Row {
	page := make([]Row, 4_000)
	for i := range page {
		key := fmt.Sprint("key", i%100)
		page[i] = Row{
			Seq: int64(i + 1), ID: uuid.New(), EventType: "order.paid.v1", Topic: "orders", Key: &key, Data: data,
			Headers: []byte(`{"trace_id":"01980c5b-8a3c-7d6f-9d55-2f6a0b1c2d3e","source_service":"shop","schema_version":"1",` +
				`"occurred_at":"2025-07-01T10:00:00.123456Z","content_type":"application/json"}`),
		}
	}
	return page
}

func BenchmarkPrepare(b *testing.B) {
	without := fullPage([]byte(pythonEvent))
	for i := range without {
		without[i].Headers = nil
	}
	for name, page := range map[string][]Row{"headers": fullPage(make([]byte, 500)), "no headers": without} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				prepare(page, false)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(page)), "ns/row")
		})
	}
}
