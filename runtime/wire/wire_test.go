package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/wire"
)

// person stands for a generated type.
type person struct {
	Name    string
	Age     *int64
	Tags    []string
	Born    time.Time
	Friends []person
	Unknown wire.Unknown
}

func decodePerson(d *wire.Decoder) person {
	var p person
	o := d.Object("name", "born")
	for o.Next() {
		switch string(o.Name) {
		case "name":
			p.Name = d.String()
		case "age":
			p.Age = wire.Pointer(d, (*wire.Decoder).Int)
		case "tags":
			p.Tags = wire.Slice(d, (*wire.Decoder).String)
		case "born":
			p.Born = d.DateTime()
		case "friends":
			p.Friends = wire.Slice(d, decodePerson)
		default:
			o.Unknown(&p.Unknown)
		}
	}
	return p
}

func encodePerson(e *wire.Encoder, p person) {
	e.Begin()
	e.Name("name").String(p.Name)
	wire.PutOptional(e, "age", p.Age, (*wire.Encoder).Int)
	if p.Tags != nil {
		wire.PutSlice(e.Name("tags"), p.Tags, (*wire.Encoder).String)
	}
	e.Name("born").DateTime(p.Born)
	if p.Friends != nil {
		wire.PutSlice(e.Name("friends"), p.Friends, encodePerson)
	}
	e.Unknown(p.Unknown)
	e.End()
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	const document = `{"name":"Ada \"\u2028 <b>","age":36,"tags":[],"born":"1815-12-10T00:00:00.25+01:00",` +
		`"friends":[{"name":"Bo","born":"1900-01-01T00:00:00Z"}],"a":1.50,"z":{"k":[null,true]}}`
	var p person
	if err := wire.Unmarshal([]byte(document), &p, "person", decodePerson); err != nil {
		t.Fatal(err)
	}
	want := person{
		Name: "Ada \"\u2028 <b>", Age: new(int64(36)), Tags: []string{},
		Born:    time.Date(1815, 12, 10, 0, 0, 0, 250_000_000, time.FixedZone("", 3600)),
		Friends: []person{{Name: "Bo", Born: time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)}},
		Unknown: wire.Unknown{"a": json.RawMessage("1.50"), "z": json.RawMessage(`{"k":[null,true]}`)},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
	got, err := wire.Marshal(p, "person", encodePerson)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(document, string(got)); diff != "" {
		t.Errorf("encoded (-want +got):\n%s", diff)
	}
}

func TestDecodeReportsEveryMismatch(t *testing.T) {
	t.Parallel()
	const document = `{"name": null, "age": 1.5, "tags": ["a", 7, {"b": 1}],
 "friends": [{"name": "Bo", "born": "yesterday"}, [], {"tags": null}], "a/b~": 1}`
	p := person{Name: "unchanged"}
	err := wire.Unmarshal([]byte(document), &p, "person", decodePerson)
	want := &wire.DecodeError{Type: "person", Violations: []wire.Violation{
		{Pointer: "/name", Rule: "type", Message: "must be a string, is null", Offset: 9},
		{Pointer: "/age", Rule: "type", Message: "must be an integer, is a number with a fraction", Offset: 22},
		{Pointer: "/tags/1", Rule: "type", Message: "must be a string, is a number", Offset: 41},
		{Pointer: "/tags/2", Rule: "type", Message: "must be a string, is an object", Offset: 44},
		{Pointer: "/friends/0/born", Rule: "format", Message: "must be a date-time with an offset, like 2024-05-01T12:00:00Z", Offset: 91},
		{Pointer: "/friends/1", Rule: "type", Message: "must be an object, is an array", Offset: 105},
		{
			Pointer: "/friends/2/tags", Rule: "type", Offset: 118,
			Message: "must be an array, is null; the property is optional: the producer has to leave it out instead of writing null, or the schema has to allow null",
		},
		{Pointer: "/friends/2/name", Rule: "required", Message: "is required and missing", Offset: 109},
		{Pointer: "/friends/2/born", Rule: "required", Message: "is required and missing", Offset: 109},
		{Pointer: "/born", Rule: "required", Message: "is required and missing", Offset: 0},
	}}
	if diff := cmp.Diff(error(want), err); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p.Name != "unchanged" {
		t.Error("the target changed although decoding failed")
	}
}

func TestSyntaxErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		document, pointer, message string
		offset                     int
	}{
		{``, "", "expected an object, the document ends here", 0},
		{`{"name":"a"`, "", "expected , or } after an object's member", 11},
		{`{"tags":["a",]}`, "/tags", "expected an item after the comma", 13},
		{`{"tags":["a" "b"]}`, "/tags", "expected , or ] after an array's item", 13},
		{`{"name" "a"}`, "", "expected : after the name of a member", 8},
		{`{"name":"a",}`, "", "expected the name of a member", 12},
		{`{"x":01}`, "", "expected , or } after an object's member", 6},
		{`{"x":[1.]}`, "/x/0", "expected a digit after the decimal point", 7},
		{`{"x":"\q"}`, "/x", "unknown escape in a string", 6},
		{"{\"x\":\"a\nb\"}", "/x", "a control character must be escaped in a string", 7},
		{`{"x":nul}`, "/x", "expected null", 5},
		{`{"name":"a","born":"2000-01-01T00:00:00Z"} x`, "", "expected the end of the document", 43},
	} {
		var p person
		err := wire.Unmarshal([]byte(test.document), &p, "person", decodePerson)
		want := &wire.DecodeError{Type: "person", Violations: []wire.Violation{
			{Pointer: test.pointer, Rule: "syntax", Message: test.message, Offset: test.offset},
		}}
		if diff := cmp.Diff(error(want), err); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.document, diff)
		}
	}
}

func TestHostileDocumentsEnd(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{
		"deep":            strings.Repeat("[", 1_000_000),
		"many mismatches": `{"tags":[` + strings.Repeat("1,", 1_000_000) + `1]}`,
		"huge exponent":   `{"age":1e999999999999999999}`,
		"tiny exponent":   `{"age":1e-999999999999999999}`,
	} {
		var p person
		err := wire.Unmarshal([]byte(document), &p, "person", decodePerson)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		if n := len(err.Error()); n > 5000 {
			t.Errorf("%s: the error has %d bytes", name, n)
		}
	}
}

func TestIntegers(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]int64{
		"0": 0, "-0": 0, "1.0": 1, "1e3": 1000, "-12.50e1": -125, "9223372036854775807": math.MaxInt64,
		"-9223372036854775808": math.MinInt64, "0.0e999999999999": 0, "123456789012345678": 123456789012345678, "1000e-3": 1,
	} {
		var got int64
		if err := wire.Unmarshal([]byte(document), &got, "int", (*wire.Decoder).Int); err != nil || got != want {
			t.Errorf("%s = %d, %v; want %d", document, got, err, want)
		}
	}
	for _, document := range []string{"1.5", "1e-1", "9223372036854775808", "-9223372036854775809", "1e19", "1e400", `"1"`, "null", "true"} {
		var got int64
		if err := wire.Unmarshal([]byte(document), &got, "int", (*wire.Decoder).Int); err == nil {
			t.Errorf("%s = %d; want an error", document, got)
		}
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	check := func(document, want string, err error, got string) {
		t.Helper()
		if want == "" {
			if err == nil {
				t.Errorf("%s = %s; want an error", document, got)
			}
			return
		}
		if err != nil || got != want {
			t.Errorf("%s = %s, %v; want %s", document, got, err, want)
		}
	}
	for document, want := range map[string]string{`"2024-05-01"`: `"2024-05-01"`, `"2024-5-1"`: "", `"2024-13-01"`: "", `"1900-02-29"`: ""} {
		got, err := through(document, (*wire.Decoder).Date, (*wire.Encoder).Date)
		check(document, want, err, got)
	}
	for document, want := range map[string]string{
		`"3F2B7C1E-5D0A-4C69-8B1C-7F4F0A9B2E11"`: `"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11"`, `"{3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11}"`: "", `"x"`: "",
	} {
		got, err := through(document, (*wire.Decoder).UUID, (*wire.Encoder).UUID)
		check(document, want, err, got)
	}
	for document, want := range map[string]string{`"aGVsbG8="`: `"aGVsbG8="`, `""`: `""`, `"aGVsbG8"`: "", "\"aGVs\\nbG8=\"": ""} {
		got, err := through(document, (*wire.Decoder).Base64, (*wire.Encoder).Base64)
		check(document, want, err, got)
	}
}

// through decodes and encodes a document.
func through[T any](document string, read func(*wire.Decoder) T, write func(*wire.Encoder, T)) (string, error) {
	var v T
	if err := wire.Unmarshal([]byte(document), &v, "value", read); err != nil {
		return "", err
	}
	out, err := wire.Marshal(v, "value", write)
	return string(out), err
}

func TestTextForms(t *testing.T) {
	t.Parallel()
	type all struct {
		Date     wire.Date
		Time     wire.TimeOfDay
		Duration wire.Duration
	}
	want := all{wire.Date{Year: 2024, Month: 5, Day: 1}, wire.TimeOfDay{Hour: 12, Offset: -90}, wire.Duration{Hours: 1, Seconds: 2}}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"Date":"2024-05-01","Time":"12:00:00-01:30","Duration":"PT1H0M2S"}`, string(text)); diff != "" {
		t.Error(diff)
	}
	var got all
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, err := range []error{new(wire.Date).UnmarshalText([]byte("x")), new(wire.TimeOfDay).UnmarshalText([]byte("x")), new(wire.Duration).UnmarshalText([]byte("x"))} {
		if err == nil {
			t.Error("x parses")
		}
	}
}

// A date begins at its first instant in the location.
func TestDateAndTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ zone, date, begins string }{
		{"UTC", "2024-02-29", "2024-02-29T00:00:00Z"},
		{"Europe/Stockholm", "2024-07-01", "2024-07-01T00:00:00+02:00"},
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T01:00:00-02:00"}, // the clock skips midnight
		{"Africa/Cairo", "2010-09-10", "2010-09-10T01:00:00+03:00"},
	} {
		loc, err := time.LoadLocation(test.zone)
		if err != nil {
			t.Skipf("no zones are known here: %v", err)
		}
		date, err := wire.ParseDate(test.date)
		if err != nil {
			t.Fatal(err)
		}
		begins := date.Time(loc)
		if got := begins.Format(time.RFC3339); got != test.begins {
			t.Errorf("%s in %s begins at %s, want %s", test.date, test.zone, got, test.begins)
		}
		if back := wire.DateOf(begins); back != date {
			t.Errorf("%s in %s came back as %s", test.date, test.zone, back)
		}
	}
}

// unlistedText and unlistedNumber are enums without listed values. The message shows a
// value that is not listed if it is short.
type (
	unlistedText   string
	unlistedNumber int64
)

func (unlistedText) Valid() bool   { return false }
func (unlistedNumber) Valid() bool { return false }

func TestEnum(t *testing.T) {
	t.Parallel()
	check := func(fail func(c *wire.Checker)) string {
		var c wire.Checker
		fail(&c)
		var wrong *wire.ValidationError
		if err := c.Err("Thing"); !errors.As(err, &wrong) {
			t.Fatalf("not a violation: %v", err)
		}
		return wrong.Violations[0].String()
	}
	want := []string{
		`/state: "opne\n" is not one of "open", "closed" (enum)`,
		`/state: "ååååååååååååååååååååååååååååååå…" is not one of "open", "closed" (enum)`,
		`/level: -4 is not one of 1, 2 (enum)`,
	}
	got := []string{
		check(func(c *wire.Checker) { wire.Enum(c, unlistedText("opne\n"), `"open", "closed"`, "state") }),
		check(func(c *wire.Checker) {
			wire.Enum(c, unlistedText(strings.Repeat("å", 33)), `"open", "closed"`, "state")
		}),
		check(func(c *wire.Checker) { wire.Enum(c, unlistedNumber(-4), "1, 2", "level") }),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	born := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for want, p := range map[string]person{
		"cannot encode person: /name: the string is not UTF-8":                     {Name: "\xff", Born: born},
		"cannot encode person: /born: a date-time must lie in the years 0 to 9999": {Born: born.AddDate(9000, 0, 0)},
		"cannot encode person: /born: a date-time's offset must be whole minutes":  {Born: born.In(time.FixedZone("LMT", 561))},
		`cannot encode person: the member "name" has a field of its own`:           {Born: born, Unknown: wire.Unknown{"name": json.RawMessage("1")}},
		"cannot encode person: /x: the raw value is not JSON":                      {Born: born, Unknown: wire.Unknown{"x": json.RawMessage("{")}},
		"cannot encode person: /tags/1: the string is not UTF-8":                   {Born: born, Tags: []string{"a,\"]", "\xc0\x80"}},
	} {
		_, err := wire.Marshal(p, "person", encodePerson)
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	for _, f := range []float64{math.NaN(), math.Inf(1)} {
		if _, err := wire.Marshal(f, "number", (*wire.Encoder).Float); err == nil {
			t.Errorf("%v was encoded", f)
		}
	}
	if _, err := wire.Marshal(any(func() {}), "value", (*wire.Encoder).Any); err == nil {
		t.Error("a function was encoded")
	}
}

func TestAnyKeepsNumbers(t *testing.T) {
	t.Parallel()
	const document = `{"a":[1,12345678901234567890,1.10,-0,1e5],"b":{"c":null,"d":true,"e":"x"}}`
	got, err := through(document, (*wire.Decoder).Any, (*wire.Encoder).Any)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(document, got); diff != "" {
		t.Error(diff)
	}
	// Go values of other types in free-form values are encoded too.
	type pair struct {
		A int
		B string `json:"b"`
	}
	out, err := wire.Marshal(any(map[string]any{"p": pair{1, "<"}, "i": 3, "f": 1.5, "u": uuid.Nil, "s": []string{"x"}}), "value", (*wire.Encoder).Any)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"f":1.5,"i":3,"p":{"A":1,"b":"<"},"s":["x"],"u":"00000000-0000-0000-0000-000000000000"}`, string(out)); diff != "" {
		t.Error(diff)
	}
}

func TestManyRequired(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 200 {
		names = append(names, "m"+strings.Repeat("x", i))
	}
	document := "{"
	for i, name := range names {
		if i == 150 {
			continue
		}
		if len(document) > 1 {
			document += ","
		}
		document += `"` + name + `":1`
	}
	var v int
	err := wire.Unmarshal([]byte(document+"}"), &v, "many", func(d *wire.Decoder) int {
		o := d.Object(names...)
		for o.Next() {
			d.Skip()
		}
		return 1
	})
	want := &wire.DecodeError{Type: "many", Violations: []wire.Violation{{Pointer: "/" + names[150], Rule: "required", Message: "is required and missing"}}}
	if diff := cmp.Diff(error(want), err); diff != "" {
		t.Error(diff)
	}
}

// FuzzAgainstEncodingJSON compares the scanner with encoding/json: the same documents
// are JSON, with the same values. Wire refuses on purpose what encoding/json repairs:
// bytes that are not UTF-8, and halves of surrogate pairs.
func FuzzAgainstEncodingJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.5e3,"x\u00e9\ud83d\ude00\n",null,true,false,{}],"b":{"c":[]}}`, `"\ud800"`, "\"\xff\"", ` [ 1 , 2 ] `, `1e400`, `-`, `[1,]`, `{"a":1,"a":2}`,
		"\"\\u2028\u2029\x7f<>&\"", `0.1e-7`, `[[[[]]]]`, `{"":""}`, `"\/\b\f"`, `01`, `1.`, `tru`, `[}`, `{"a"}`, "\ufeff1",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		var got any
		err := wire.Unmarshal(document, &got, "value", (*wire.Decoder).Any)
		if err != nil && strings.Contains(err.Error(), "(encoding)") {
			return
		}
		if bytes.Count(document, []byte("["))+bytes.Count(document, []byte("{")) > 1000 {
			return
		}
		if valid := json.Valid(document); valid != (err == nil) {
			t.Fatalf("json.Valid is %t, wire says %v", valid, err)
		}
		if err != nil {
			if e, ok := errors.AsType[*wire.DecodeError](err); !ok || e.Violations[0].Offset < 0 || e.Violations[0].Offset > len(document) {
				t.Fatalf("%v, in a document of %d bytes", err, len(document))
			}
			return
		}
		want := decodeStd(t, document)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("wire %#v, encoding/json %#v", got, want)
		}
		encoded, err := wire.Marshal(got, "value", (*wire.Encoder).Any)
		if err != nil {
			t.Fatal(err)
		}
		if std := encodeStd(t, want); !bytes.Equal(encoded, std) {
			t.Fatalf("wire writes %s, encoding/json %s", encoded, std)
		}
		var number float64
		if wire.Unmarshal(document, &number, "number", (*wire.Decoder).Float) == nil {
			encoded, err := wire.Marshal(number, "number", (*wire.Encoder).Float)
			if std := encodeStd(t, number); err != nil || !bytes.Equal(encoded, std) {
				t.Fatalf("wire writes %s, %v; encoding/json %s", encoded, err, std)
			}
		}
		var raw json.RawMessage
		if err := wire.Unmarshal(document, &raw, "raw", (*wire.Decoder).Raw); err != nil {
			t.Fatal(err)
		}
		compact, err := wire.Marshal(raw, "raw", (*wire.Encoder).Raw)
		var std bytes.Buffer
		if e := json.Compact(&std, document); err != nil || e != nil || !bytes.Equal(compact, std.Bytes()) {
			t.Fatalf("wire compacts to %s, %v; encoding/json to %s, %v", compact, err, std.Bytes(), e)
		}
	})
}

func decodeStd(t *testing.T, document []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func encodeStd(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
