package crossing_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/outboxgen/outboxgen/generator/internal/crossing"
	"github.com/outboxgen/outboxgen/generator/internal/verdict"
)

// For a schema of thirty definitions that all refer to each other, there are valid and
// invalid documents of a moderate size, the same ones in every run.
func TestLargeMakesDocumentsOfSchemasThatReferToEachOther(t *testing.T) {
	t.Parallel()
	const definitions = 30
	defs := map[string]any{}
	for i := range definitions {
		properties := map[string]any{"code": map[string]any{"type": "string", "pattern": "^[A-Z]{2}-\\d+$"}}
		for j := range definitions {
			properties[fmt.Sprint("to", j)] = map[string]any{"$ref": fmt.Sprint("#/$defs/d", j)}
		}
		defs[fmt.Sprint("d", i)] = map[string]any{"type": "object", "required": []string{"code"}, "properties": properties}
	}
	text, err := json.Marshal(map[string]any{"$ref": "#/$defs/d0", "$defs": defs})
	if err != nil {
		t.Fatal(err)
	}
	validator, err := verdict.Validator(text)
	if err != nil {
		t.Fatal(err)
	}
	documentsOf := func() [][]byte {
		root, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		documents, err := crossing.NewLarge(root).Documents(root, validator)
		if err != nil {
			t.Fatal(err)
		}
		return documents
	}
	documents := documentsOf()
	if again := documentsOf(); !bytes.Equal(bytes.Join(documents, []byte("\n")), bytes.Join(again, []byte("\n"))) {
		t.Error("another run gives other documents")
	}
	valid, nested := 0, false
	for _, d := range documents {
		if len(d) > 1<<20 {
			t.Errorf("a document of %d bytes", len(d))
		}
		if verdict.Valid(validator, d) {
			valid++
			nested = nested || strings.Count(string(d), `"code"`) > 2
		}
	}
	if valid == 0 || valid == len(documents) || !nested {
		t.Errorf("want valid documents, one of them nested, and invalid ones; got %d valid of %d, nested: %v", valid, len(documents), nested)
	}
}

func TestTextsOfAPatternMatchIt(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{
		`^[A-Z]{2}-\d+$`, `^(red|green)$`, `^v?[0-9]+\.[0-9]+(-rc[0-9]+)?$`, `^[^a-z]{3,}$`, `.+`, `^\S*$`, `^urn:[a-z]+:x$`, `^([a-f0-9]{2})*$`, `^[a-zA-Z0-9][a-zA-Z0-9-_.]*$`,
	} {
		texts := crossing.TextsOf(pattern)
		if len(texts) != 2 {
			t.Errorf("%s: %v", pattern, texts)
		}
		for _, text := range texts {
			if !regexp.MustCompile(pattern).MatchString(text.(string)) {
				t.Errorf("%s does not match %q", pattern, text)
			}
		}
	}
}
