package relay

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func headersOf(t *testing.T, doc string) (map[string]string, []string, error) {
	t.Helper()
	hs, err := parseHeaders(&Row{EventType: "t", Headers: []byte(doc)})
	m, order := map[string]string{}, []string{}
	for _, h := range hs[2:] {
		m[h.Key] = string(h.Value)
		order = append(order, h.Key)
	}
	return m, order, err
}

func TestHeadersKeepTheirOrder(t *testing.T) {
	t.Parallel()
	_, order, err := headersOf(t, ` { "z" : "1", "a":"2","event_id":"mine", "m" : "" } `)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"z", "a", "m"}, order); d != "" {
		t.Errorf("order (-want +got): %s", d)
	}
}

func TestHeadersThatAreNoObjectOfStrings(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{`[]`, `{"a":1}`, `{"a":null}`, `{"a":{}}`, `"x"`, `{`, `{"a"}`, `{"a":"b"} x`, `{"a":"b",}`, `{"a":"\q"}`, `1`} {
		if m, _, err := headersOf(t, doc); err == nil {
			t.Errorf("%s was taken as %v", doc, m)
		}
	}
	for _, doc := range []string{``, `null`, `{}`, ` { } `} {
		if m, _, err := headersOf(t, doc); err != nil || len(m) != 0 {
			t.Errorf("%q: %v, %v", doc, m, err)
		}
	}
}

// The scanner takes what encoding/json takes, with the same result.
func FuzzHeaders(f *testing.F) {
	for _, doc := range []string{`{"a":"b","c":"\u00fc\n\"\\"}`, `{"a":"ü","a":"2"}`, "{\"a\":\"\\ud800\"}", `{"":""}`, "{\"\x80\":\"\xff\"}"} {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		got, _, err := headersOf(t, doc)
		if !json.Valid([]byte(doc)) {
			return // the column's type is json: such a document cannot be there
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
