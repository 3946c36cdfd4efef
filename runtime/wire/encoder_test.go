package wire_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/wire"
)

// Raw removes the white space between tokens, wherever it is, and no other.
func TestRawIsCompact(t *testing.T) {
	t.Parallel()
	const compact = `{"a b":[1," \" ",{},null],"c":"\\"}`
	for _, text := range []string{
		compact,
		" " + compact,
		compact + "\n",
		`{ "a b":[1," \" ",{},null],"c":"\\"}`,
		`{"a b" :[1," \" ",{},null],"c":"\\"}`,
		`{"a b": [1," \" ",{},null],"c":"\\"}`,
		`{"a b":[ 1," \" ",{},null],"c":"\\"}`,
		`{"a b":[1 ," \" ",{},null],"c":"\\"}`,
		`{"a b":[1, " \" ",{},null],"c":"\\"}`,
		`{"a b":[1," \" ",{	},null],"c":"\\"}`,
		"{\"a b\":[1,\" \\\" \",{},null]\r\n,\"c\":\"\\\\\"}",
		`{"a b":[1," \" ",{},null],"c":"\\" }`,
	} {
		got, err := wire.Marshal(json.RawMessage(text), "text", (*wire.Encoder).Raw)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(compact, string(got)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}
