package golden_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/wire"
	shapes "github.com/outboxgen/outboxgen/testdata/golden/shapes/events"
)

const shapesDir = root + "/testdata/golden/shapes"

// shapeDocuments are the documents of one shape.
type shapeDocuments struct {
	Valid   []json.RawMessage `json:"valid"`
	Invalid []json.RawMessage `json:"invalid"`
}

func documentsOf(t testing.TB, name string) shapeDocuments {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(shapesDir, "documents", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var documents shapeDocuments
	if err := json.Unmarshal(content, &documents); err != nil {
		t.Fatal(err)
	}
	return documents
}

// disagreements are the shapes whose Go types may differ from the validator, with the
// reason that the one that refuses a document gives.
var disagreements = map[string]string{
	"unsigned_integer": "must be at least 0",                  // the validator does not know the format
	"json_in_string":   "not of mediatype 'application/json'", // an annotation, which does not affect validity
}

// Every shape has a golden file, documents that are decoded and encoded equally, and
// documents that the generated type and an independent validator both refuse. The two
// agree on mutations of all of them.
func TestShapes(t *testing.T) {
	t.Parallel()
	compile, golden := validators(t, shapesDir), goldenFiles(t)
	var tested []string
	count, agreed := 0, 0
	for family, members := range shapesByFamily {
		for name, s := range members {
			tested = append(tested, name)
			count++
			t.Run(family+"/"+name, func(t *testing.T) {
				if golden[name] == "" {
					t.Error("there is no golden file")
				}
				validator, documents := compile("schemas/"+name+".yaml"), documentsOf(t, name)
				if len(documents.Valid) == 0 || len(documents.Invalid) == 0 && family != "boolean schemas" && name != "free_object" {
					t.Error("a shape needs documents of both kinds")
				}
				for _, text := range documents.Valid {
					s.roundTrip(t, text)
				}
				for _, text := range documents.Invalid {
					if s.verdict(text) == nil {
						t.Errorf("%s is taken as valid", text)
					}
				}
				compared, valid := 0, 0
				for _, text := range slices.Concat(documents.Valid, documents.Invalid) {
					c, v := agree(t, shapesDir, validator, s.verdict, exactDocument(t, text), disagreements[name])
					compared, valid = compared+c, valid+v
				}
				agreed += compared
				if compared < 15/everyNth() || valid == 0 {
					t.Errorf("only %d documents were compared, of which %d are valid", compared, valid)
				}
			})
		}
	}
	t.Logf("%d shapes agree with the validator on %d documents", count, agreed)
	var written []string
	for _, pattern := range []string{"schemas/*.yaml", "documents/*.json"} {
		paths, err := filepath.Glob(filepath.Join(shapesDir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		names := make([]string, 0, len(paths))
		for _, path := range paths {
			names = append(names, strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)))
		}
		written = append(written, names...)
	}
	want := slices.Sorted(slices.Values(slices.Concat(tested, tested)))
	slices.Sort(written)
	if diff := cmp.Diff(want, written); diff != "" {
		t.Errorf("the table and the folders differ (-table +folders):\n%s", diff)
	}
	const least = 80
	if count < least {
		t.Errorf("there are %d shapes, and should be at least %d", count, least)
	}
}

// goldenFiles is the Go file of each shape.
func goldenFiles(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(shapesDir, "events", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, source, _ := strings.Cut(string(content), "\n// Source: schemas/")
		if name, _, ok := strings.Cut(source, ".yaml\n"); ok {
			files[name] = path
		}
	}
	return files
}

// exactDocument is JSON with its numbers as they are written.
func exactDocument(t testing.TB, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// sameNumber compares numbers by their exact values.
var sameNumber = cmp.Comparer(func(a, b json.Number) bool {
	x, okX := new(big.Rat).SetString(a.String())
	y, okY := new(big.Rat).SetString(b.String())
	return okX && okY && x.Cmp(y) == 0
})

// sameText compares strings. Strings with a Go type are compared by their meaning,
// because a time.Time does not keep the zeros of a fraction, nor a uuid.UUID its case.
var sameText = cmp.Comparer(func(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := time.Parse(time.RFC3339Nano, a)
	y, errY := time.Parse(time.RFC3339Nano, b)
	if errX == nil && errY == nil {
		return x.Equal(y)
	}
	return uuid.Validate(a) == nil && strings.EqualFold(a, b)
})

// equalAgain decodes, validates and encodes a document, and compares the result with
// it, with all digits.
func equalAgain[T data](t *testing.T, input []byte) {
	t.Helper()
	var v T
	if err := json.Unmarshal(input, &v); err != nil {
		t.Errorf("%s: %v", input, err)
		return
	}
	if err := v.Validate(); err != nil {
		t.Errorf("%s: %v", input, err)
	}
	output, err := v.MarshalJSON()
	if err != nil {
		t.Errorf("%s: %v", input, err)
		return
	}
	if diff := cmp.Diff(exactDocument(t, input), exactDocument(t, output), sameNumber, sameText); diff != "" {
		t.Errorf("the document changed (-in +out):\n%s", diff)
	}
}

// A member that only a condition describes has its type if the value fits, and else
// stays unchanged. If it occurs twice, the last one counts.
func TestConditionalMember(t *testing.T) {
	t.Parallel()
	many := "[" + strings.Repeat(`"x",`, 200) + `"x"]`
	for text, want := range map[string]shapes.ConditionalMemberV1{
		`{"weight":2}`:                            {Weight: new(int64(2))},
		`{"weight":"a"}`:                          {Unknown: wire.Unknown{"weight": []byte(`"a"`)}},
		`{"weight":"a","weight":2}`:               {Weight: new(int64(2)), Unknown: wire.Unknown{}},
		`{"weight":2,"weight":"a"}`:               {Unknown: wire.Unknown{"weight": []byte(`"a"`)}},
		`{"w\u0065ight":` + many + `,"kind":"a"}`: {Kind: new("a"), Unknown: wire.Unknown{"weight": []byte(many)}},
	} {
		var v shapes.ConditionalMemberV1
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, v); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	expect[shapes.ConditionalMemberV1](t, `{"kind":"parcel","weight":"a"}`, []string{"/weight type"})
	var v shapes.ConditionalMemberV1
	if err := v.UnmarshalJSON([]byte(`{"weight":tru`)); err == nil {
		t.Error("a document that is not JSON decodes")
	}
}

// A default without a Go literal is decoded like a document.
func TestDefaultsWithoutLiterals(t *testing.T) {
	t.Parallel()
	objects := shapes.NewDefaultObjectV1(shapes.DefaultObjectV1{})
	if diff := cmp.Diff(shapes.DefaultObjectV1{
		Point: &shapes.DefaultObjectV1Point{X: 0.5}, Labels: map[string]*string{"a": new("b"), "c": nil}, Steps: []*int64{new(int64(1)), nil},
		Free: map[string]any{"a": []any{json.Number("1"), "x"}},
	}, objects); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	formats, err := shapes.NewDefaultOfFormatsV1(shapes.DefaultOfFormatsV1{}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"at":"2024-05-01T12:00:00Z","precise":"2024-05-01T12:00:00.25+02:00","day":"2024-02-29","clock":"08:30:00Z","wait":"PT15M","id":"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11","data":"aGk="}`
	if diff := cmp.Diff(want, string(formats)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if wait := (shapes.DefaultOfFormatsV1{}).WaitOrDefault(); wait != (wire.Duration{Minutes: 15}) {
		t.Error(wait)
	}
}
