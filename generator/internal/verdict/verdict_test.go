package verdict_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/verdict"
)

func documents(texts ...string) []verdict.Document {
	var out []verdict.Document
	for _, text := range texts {
		out = append(out, verdict.Document{JSON: []byte(text)})
	}
	return out
}

// A schema with code gives an answer for each document. One that is refused gives the
// ids of its errors, and does not stop the others.
func TestRunAnswersDocuments(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles what it generates")
	}
	good := verdict.ForSchema("good", []byte(`{"type":"object","properties":{"a":{"type":"integer","maximum":3}},"required":["a"]}`))
	good.Documents = documents(`{"a":3}`, `{"a":4}`, `{"a":"x"}`, `{}`, `{"a":1,"more":[1.10]}`)
	bad := verdict.ForSchema("bad", []byte(`{"$ref":"#/$defs/nowhere"}`))
	bad.Documents = documents(`{}`)
	outcomes, err := verdict.Run(t.Context(), t.TempDir(), []verdict.Case{bad, good})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"dangling-reference"}, outcomes[0].Refused()); diff != "" || outcomes[0].Answers != nil {
		t.Errorf("refused (-want +got):\n%s%v", diff, outcomes[0].Answers)
	}
	o := outcomes[1]
	if len(o.Findings)+len(o.Compile)+len(o.Vet) > 0 || o.Internal != "" {
		t.Fatalf("want no problem, got %+v", o)
	}
	var got []string
	for _, a := range o.Answers {
		text, _, _ := strings.Cut(a.Refusal(), ":")
		got = append(got, text+" "+string(a.Encoded))
	}
	want := []string{` {"a":3}`, `validate {"a":4}`, "decode ", "decode ", ` {"a":1,"more":[1.10]}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestCompareNamesTheDirection(t *testing.T) {
	t.Parallel()
	validator, err := verdict.Validator([]byte(`{"type":"integer","maximum":3}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		document string
		answer   verdict.Answer
		want     verdict.Direction
	}{
		"both accept":          {"3", verdict.Answer{Encoded: []byte("3.0")}, verdict.Agrees},
		"both refuse":          {"4", verdict.Answer{Validate: "error: too large"}, verdict.Agrees},
		"a valid one":          {"3", verdict.Answer{Decode: "error: no"}, verdict.RefusesValid},
		"an invalid one":       {"4", verdict.Answer{Encoded: []byte("4")}, verdict.AcceptsInvalid},
		"another value":        {"3", verdict.Answer{Encoded: []byte("3.0000000000000000001")}, verdict.Changes},
		"it does not encode":   {"3", verdict.Answer{Encode: "error: no"}, verdict.Changes},
		"a panic when invalid": {"4", verdict.Answer{Validate: "panic: index"}, verdict.Crashes},
		"the program ended":    {"4", verdict.Answer{Crashed: "stack overflow"}, verdict.Crashes},
	} {
		got, said, err := verdict.Compare(validator, []byte(test.document), test.answer)
		if err != nil || got != test.want || (said == "") != (got == verdict.Agrees) {
			t.Errorf("%s: want %q, got %q: %s %v", name, test.want, got, said, err)
		}
	}
}

func TestSameComparesNumbersExactly(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{`{"a":1,"b":[null,"x"]}`, `{"b":[null,"x"],"a":1.0}`, true},
		{`9007199254740993`, `9007199254740992`, false},
		{`1e2`, `100`, true},
		{`0.1`, `0.10000000000000001`, false},
		{`[1,2]`, `[2,1]`, false},
		{`{"a":null}`, `{}`, false},
		{`null`, `false`, false},
	} {
		if got, err := verdict.Same([]byte(test.a), []byte(test.b)); err != nil || got != test.want {
			t.Errorf("%s and %s: want %v, got %v %v", test.a, test.b, test.want, got, err)
		}
	}
}

func TestDocumentedNamesWhatGoTypesCannotHold(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		direction verdict.Direction
		document  string
		answer    verdict.Answer
		want      bool
	}{
		"an integer beyond 64 bits":  {verdict.RefusesValid, "1e30", verdict.Answer{Decode: "error: (document): is an integer beyond 64 bits (type)"}, true},
		"another refusal":            {verdict.RefusesValid, "1", verdict.Answer{Decode: "error: (document): must be a string"}, false},
		"a rounded number":           {verdict.Changes, `{"a":[9223372036854775808]}`, verdict.Answer{Encoded: []byte(`{"a":[9223372036854776000]}`)}, true},
		"another number":             {verdict.Changes, `{"a":[1]}`, verdict.Answer{Encoded: []byte(`{"a":[2]}`)}, false},
		"another text":               {verdict.Changes, `"T"`, verdict.Answer{Encoded: []byte(`"t"`)}, false},
		"whatever is invalid itself": {verdict.AcceptsInvalid, "1e30", verdict.Answer{Encoded: []byte("1e30")}, false},
	} {
		if got := verdict.Documented(test.direction, []byte(test.document), test.answer); got != test.want {
			t.Errorf("%s: want %v", name, test.want)
		}
	}
}

func TestAURITemplateIsOneOfRFC6570(t *testing.T) {
	t.Parallel()
	validator, err := verdict.Validator([]byte(`{"format":"uri-template"}`))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"https://api.github.com/users/github/gists{/gist_id}":        true,
		"https://api.github.com/users/github/starred{/owner}{/repo}": true,
		"/search{?q,page*}": true, "{var:30}": true, "{+path}": true, "": true, "å": true,
		"{": false, "}": false, "{a b}": false, "{}": false, "{a": false, "<a>": false, "%4": false,
	} {
		if got := verdict.Valid(validator, []byte(strconv.Quote(text))); got != want {
			t.Errorf("%q: want %v", text, want)
		}
	}
}

func TestNullIsNoEventIfAWarningSaysSo(t *testing.T) {
	t.Parallel()
	c := verdict.ForSchema("null", []byte(`{"type":["object","null"],"properties":{"a":{"type":"string"}}}`))
	outcomes, err := verdict.Generate([]verdict.Case{c})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		event, document string
		want            bool
	}{{"", "null", true}, {"ThingV1", "null", true}, {"OtherV1", "null", false}, {"ThingV1", "{}", false}} {
		if got := outcomes[0].NoEvent(test.event, []byte(test.document)); got != test.want {
			t.Errorf("%s as %q: want %v", test.document, test.event, test.want)
		}
	}
}
