package wire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/wire"
)

// parcel is a generated struct with values that have one form in Go.
type parcel struct {
	ID       *uuid.UUID
	All      map[string][]uuid.UUID
	Bytes    []byte
	Hex      []byte
	Note     *string
	Inner    *parcel
	Unknown  wire.Unknown
	Spelling wire.Spelling
}

func decodeParcel(d *wire.Decoder) (v parcel) {
	o := d.Open()
	for o.Next() {
		switch string(o.Name) {
		case "id":
			v.ID = wire.Optional(d, (*wire.Decoder).UUID)
		case "all":
			v.All = wire.Map(d, func(d *wire.Decoder) []uuid.UUID { return wire.Slice(d, (*wire.Decoder).UUID) })
		case "bytes":
			v.Bytes = d.Base64URL()
		case "hex":
			v.Hex = d.Base16()
		case "note":
			v.Note = wire.Optional(d, (*wire.Decoder).String)
		case "inner":
			v.Inner = wire.Optional(d, decodeParcel)
		}
	}
	v.Unknown = o.Kept
	v.Spelling = o.Spelling()
	return v
}

func (v parcel) encode(e *wire.Encoder) {
	e.Begin()
	wire.PutOptional(e, "id", v.ID, (*wire.Encoder).UUID)
	wire.PutOptionalMap(e, "all", v.All, func(e *wire.Encoder, ids []uuid.UUID) { wire.PutSlice(e, ids, (*wire.Encoder).UUID) })
	if v.Bytes != nil {
		e.Name("bytes").Base64URL(v.Bytes)
	}
	if v.Hex != nil {
		e.Name("hex").Base16(v.Hex)
	}
	wire.PutOptional(e, "note", v.Note, (*wire.Encoder).String)
	wire.PutOptional(e, "inner", v.Inner, func(e *wire.Encoder, v parcel) { v.encode(e) })
	e.Unknown(v.Unknown)
	e.Spelled(v.Spelling)
	e.End()
}

const (
	upper = `"3F2B7C1E-5D0A-4C69-8B1C-7F4F0A9B2E11"`
	mixed = `"3f2B7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11"`
	lower = `"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11"`
)

func readParcel(t *testing.T, document string) parcel {
	t.Helper()
	var v parcel
	if err := wire.Unmarshal([]byte(document), &v, "Parcel", decodeParcel); err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	return v
}

func writeParcel(t *testing.T, v parcel) string {
	t.Helper()
	out, err := wire.Marshal(v, "Parcel", func(e *wire.Encoder, v parcel) { v.encode(e) })
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// An unchanged value is written as it was read, everywhere in a struct.
func TestSpellingIsKept(t *testing.T) {
	t.Parallel()
	for _, document := range []string{
		`{}`,
		`{"id":` + lower + `}`,
		`{"id":` + upper + `}`,
		`{"id":` + mixed + `,"note":"last"}`,
		`{"all":{"":[` + upper + `],"a/b":[` + lower + `,` + upper + `,` + mixed + `],"c":[]}}`,
		`{"bytes":"aGVsbG8"}`, `{"bytes":"aGVsbG8="}`, `{"bytes":"","hex":"00fF"}`, `{"hex":"00FF"}`,
		`{"id":` + upper + `,"bytes":"aGVsbG8","hex":"ab","note":` + lower + `,"inner":{"id":` + mixed + `,"inner":{"hex":"cd"}},"x":` + upper + `}`,
	} {
		if diff := cmp.Diff(document, writeParcel(t, readParcel(t, document))); diff != "" {
			t.Errorf("(-read +written):\n%s", diff)
		}
	}
}

// Escapes are not part of the spelling. If a member occurs twice, the last one counts.
func TestSpellingIsThatOfTheValue(t *testing.T) {
	t.Parallel()
	want, got := map[string]string{
		`{"id":"\u0033F2B7C1E-5D0A-4C69-8B1C-7F4F0A9B2E11"}`:              `{"id":` + upper + `}`,
		` { "hex" : "ab" , "i\u0064" : ` + upper + ` } `:                  `{"id":` + upper + `,"hex":"ab"}`,
		`{"id":` + upper + `,"id":` + lower + `}`:                         `{"id":` + lower + `}`,
		`{"id":` + lower + `,"id":` + upper + `}`:                         `{"id":` + upper + `}`,
		`{"all":{"a":[` + upper + `]},"all":{"a":[` + lower + `]}}`:       `{"all":{"a":[` + lower + `]}}`,
		`{"all":{"a":[` + upper + `],"a":[` + mixed + `,` + upper + `]}}`: `{"all":{"a":[` + mixed + `,` + upper + `]}}`,
		`{"inner":{"id":` + upper + `},"inner":{"id":` + lower + `}}`:     `{"inner":{"id":` + lower + `}}`,
		`{"inner":{"id":` + upper + `},"id":` + mixed + `,"hex":"0a"}`:    `{"id":` + mixed + `,"hex":"0a","inner":{"id":` + upper + `}}`,
	}, map[string]string{}
	for document := range want {
		got[document] = writeParcel(t, readParcel(t, document))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A changed value is written in the usual form, and the others as they were read.
func TestSpellingOfChangedValues(t *testing.T) {
	t.Parallel()
	v := readParcel(t, `{"id":`+upper+`,"all":{"a":[`+upper+`,`+mixed+`]},"hex":"ab","bytes":"aGVsbG8","note":`+upper+`}`)
	other := uuid.MustParse("00000000-0000-4000-8000-00000000000a")
	v.ID, *v.Note = &other, strings.Trim(lower, `"`)
	v.All["a"][0], v.All["b"] = other, v.All["a"]
	v.Hex = append(v.Hex, 0xcd)
	want := `{"id":"` + other.String() + `","all":{"a":["` + other.String() + `",` + mixed + `],"b":["` + other.String() + `",` + lower + `]},"bytes":"aGVsbG8","hex":"ABCD","note":` + lower + `}`
	if diff := cmp.Diff(want, writeParcel(t, v)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A spelling does not count when values are compared.
func TestSpellingIsNotPartOfTheValue(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(readParcel(t, `{"id":`+lower+`}`), readParcel(t, `{"id":`+upper+`}`)); diff != "" {
		t.Errorf("(-lower +upper):\n%s", diff)
	}
}

// Any document is encoded again as the same JSON value.
func FuzzSpelling(f *testing.F) {
	f.Add(`{"id":` + upper + `,"id":` + lower + `}`)
	f.Add(`{"all":{"":[` + upper + `],"a":[` + lower + `,` + upper + `,` + mixed + `],"a":[]}}`)
	f.Add(`{"inner":{"id":` + mixed + `,"inner":{"hex":"cd"}},"x":` + upper + `,"bytes":"aGVsbG8","note":""}`)
	f.Fuzz(func(t *testing.T, document string) {
		var v parcel
		if err := wire.Unmarshal([]byte(document), &v, "Parcel", decodeParcel); err != nil {
			return
		}
		var want, got map[string]any
		if err := json.Unmarshal([]byte(document), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(writeParcel(t, v)), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", document, diff)
		}
	})
}

// labelled is a generated tuple.
type labelled struct {
	ID       uuid.UUID
	Inner    *labelled
	Spelling wire.Spelling
}

func decodeLabelled(d *wire.Decoder) (v labelled) {
	t := d.Tuple(1)
	for t.Next() {
		switch t.Index {
		case 0:
			v.ID = d.UUID()
		case 1:
			v.Inner = wire.Optional(d, decodeLabelled)
		default:
			t.Unexpected()
		}
	}
	v.Spelling = t.Spelling()
	return v
}

func (v labelled) encode(e *wire.Encoder) {
	t := e.Tuple()
	t.Item().UUID(v.ID)
	wire.PutOptionalItem(&t, v.Inner, func(e *wire.Encoder, v labelled) { v.encode(e) })
	t.Spelled(v.Spelling)
	t.End()
}

// Tuples and whole values keep the spelling as objects do.
func TestSpellingInArraysIsKept(t *testing.T) {
	t.Parallel()
	type ids struct {
		Value    []uuid.UUID
		Spelling wire.Spelling
	}
	read := func(d *wire.Decoder) (v ids) {
		v.Spelling = d.Spelling(func() { v.Value = wire.Slice(d, (*wire.Decoder).UUID) })
		return v
	}
	write := func(e *wire.Encoder, v ids) {
		e.Spelling(v.Spelling, func() { wire.PutSlice(e, v.Value, (*wire.Encoder).UUID) })
	}
	for _, document := range []string{`[]`, `[` + lower + `]`, `[` + upper + `,` + lower + `,` + mixed + `]`} {
		got := there(t, document, read, write, func(*ids) {})
		if diff := cmp.Diff(document, got); diff != "" {
			t.Errorf("(-read +written):\n%s", diff)
		}
	}
	changed := there(t, `[`+upper+`,`+mixed+`]`, read, write, func(v *ids) { v.Value[0] = uuid.Nil })
	if diff := cmp.Diff(`["00000000-0000-0000-0000-000000000000",`+mixed+`]`, changed); diff != "" {
		t.Errorf("one is changed (-want +got):\n%s", diff)
	}
	tuple := func(e *wire.Encoder, v labelled) { v.encode(e) }
	for _, document := range []string{`[` + lower + `]`, `[` + upper + `]`, `[` + upper + `,[` + mixed + `,[` + lower + `]]]`} {
		got := there(t, document, decodeLabelled, tuple, func(*labelled) {})
		if diff := cmp.Diff(document, got); diff != "" {
			t.Errorf("tuple (-read +written):\n%s", diff)
		}
	}
	got := there(t, `[`+upper+`,[`+mixed+`]]`, decodeLabelled, tuple, func(v *labelled) { v.Inner.ID = uuid.Nil })
	if diff := cmp.Diff(`[`+upper+`,["00000000-0000-0000-0000-000000000000"]]`, got); diff != "" {
		t.Errorf("one in a tuple is changed (-want +got):\n%s", diff)
	}
}

// there returns a document that was read, changed and written again.
func there[T any](t *testing.T, document string, read func(*wire.Decoder) T, write func(*wire.Encoder, T), change func(*T)) string {
	t.Helper()
	var v T
	if err := wire.Unmarshal([]byte(document), &v, "T", read); err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	change(&v)
	out, err := wire.Marshal(v, "T", write)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
