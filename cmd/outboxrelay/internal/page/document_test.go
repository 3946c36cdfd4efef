package page

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// A document is shown as json.Indent writes it.
func TestDocumentsAreIndented(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`, `[]`, `""`, `null`, ` [ 1 , 2 ] `, `{"a":{"b":[],"c":{}},"d":[{"e":"x:,[]{} \" \\"},[[1]]]}`, `["\\",{"\"":-1.5e3}]`,
	} {
		var want bytes.Buffer
		if err := json.Indent(&want, []byte(strings.TrimSpace(text)), "", "  "); err != nil {
			t.Fatal(err)
		}
		got, cut := indented([]byte(text), 1000)
		if diff := cmp.Diff(want.String(), string(got)); diff != "" || cut {
			t.Errorf("%s: cut %t (-want +got):\n%s", text, cut, diff)
		}
		for most := range want.Len() { // also the beginning of one
			if got, cut := indented([]byte(text), most); !cut || string(got) != want.String()[:most] {
				t.Errorf("%s, %d bytes: cut %t\n%s", text, most, cut, got)
			}
		}
	}
}

// However large or deep a document is, little of it is shown, and that is whole characters.
func TestLargeDocumentsAreCut(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"long":                `"` + strings.Repeat("é", longestDocument) + `"`,
		"deep":                strings.Repeat("[", longestDocument),
		"most of it is space": "[1" + strings.Repeat(" ", longestDocument) + ", 2]",
		"broken":              strings.Repeat("]", 10) + strings.Repeat("1", longestDocument),
	} {
		shown, cut := document(json.RawMessage(text))
		if !cut || len(shown) > longestDocument || !utf8.ValidString(shown) {
			t.Errorf("%s: %d bytes, cut %t", name, len(shown), cut)
		}
	}
}

// The page of a row reads no more of a large document than it shows, and nothing when it
// changes by itself.
func TestLargeDocumentsAreNotRead(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.exec(`INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_data, headers, dead_at)
		VALUES ('order', '1', 'shop.placed.v1', 'orders', to_json(repeat('x', 5000000) || 'the end'), '{"h": 1}', now())`)
	event, err := s.page.event(t.Context(), s.outbox, "", "1", true, false)
	if err != nil || len(event.event.Data) != longestDocument+1 || string(event.event.Headers) != `{"h": 1}` {
		t.Errorf("%d bytes are read, headers %s, %v", len(event.event.Data), event.event.Headers, err)
	}
	event, err = s.page.event(t.Context(), s.outbox, "", "1", false, false)
	if err != nil || event.event.Data != nil || event.event.Headers != nil || event.event.Seq != 1 {
		t.Errorf("%+v, %v", event, err)
	}
	answer := s.get("row?outbox=shop&seq=1", loggedIn(testToken))
	if body := answer.Body.String(); answer.Code != http.StatusOK || !strings.Contains(body, "This is the beginning.") || len(body) > 2*longestDocument {
		t.Errorf("%d, %d bytes", answer.Code, len(body))
	}
}
