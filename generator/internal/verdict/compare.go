package verdict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Validator compiles the schema of ForSchema with the independent validator, see
// Asserting. A schema without $schema is 2020-12. Options change the compiler first.
func Validator(schema []byte, options ...func(*jsonschema.Compiler)) (*jsonschema.Schema, error) {
	return compile(Asserting(), schema, options)
}

// SpecValidator is Validator without checks of formats and encodings, as generated
// types are with validation: spec.
func SpecValidator(schema []byte, options ...func(*jsonschema.Compiler)) (*jsonschema.Schema, error) {
	return compile(jsonschema.NewCompiler(), schema, options)
}

func compile(c *jsonschema.Compiler, schema []byte, options []func(*jsonschema.Compiler)) (*jsonschema.Schema, error) {
	resource, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, err
	}
	for _, option := range options {
		option(c)
	}
	const url = "file:///" + SchemaFile
	if err := c.AddResource(url, resource); err != nil {
		return nil, err
	}
	return c.Compile(url)
}

// Asserting returns the compiler of the independent validator, which checks formats and
// encodings like generated types; a media type stays an annotation. It has its own
// checks for two formats in which it is wrong: a uri is ASCII (RFC 3986), and an
// expression of a uri-template may begin with a slash (RFC 6570).
func Asserting() *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.AssertContent()
	c.RegisterContentMediaType(&jsonschema.MediaType{Name: "application/json", Validate: func([]byte) error { return nil }})
	c.RegisterFormat(&jsonschema.Format{Name: "uri", Validate: asciiURI})
	c.RegisterFormat(&jsonschema.Format{Name: "uri-template", Validate: uriTemplate})
	return c
}

// template is a URI template: literal characters and expressions, which name
// variables.
var template = func() *regexp.Regexp {
	const (
		literal  = "[^\\x00-\\x20\"'%<>\\\\^`{|}\\x7f]|%[0-9A-Fa-f]{2}"
		name     = "(?:\\w|%[0-9A-Fa-f]{2})(?:\\.?(?:\\w|%[0-9A-Fa-f]{2}))*"
		variable = name + "(?:\\*|:[1-9][0-9]{0,3})?"
	)
	return regexp.MustCompile("^(?:" + literal + "|\\{[+#./;?&=,!@|]?" + variable + "(?:," + variable + ")*\\})*$")
}()

// uriTemplate refuses a value that is not a URI template.
func uriTemplate(value any) error {
	if text, ok := value.(string); ok && !template.MatchString(text) {
		return errors.New("it is no URI template")
	}
	return nil
}

// asciiURI refuses a value that is not a URI in ASCII.
func asciiURI(value any) error {
	text, ok := value.(string)
	if !ok {
		return nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return err
	case !u.IsAbs():
		return errors.New("the URI is relative")
	case strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII }):
		return errors.New("the URI is not in ASCII")
	}
	return nil
}

// Direction says how a generated type and the validator differ.
type Direction string

// The directions.
const (
	// Agrees: they do not differ.
	Agrees Direction = ""
	// RefusesValid: the generated type refuses a document that is valid.
	RefusesValid Direction = "refuses valid"
	// AcceptsInvalid: the generated type accepts a document that is not valid.
	AcceptsInvalid Direction = "accepts invalid"
	// Changes: a valid document becomes another JSON value when it is encoded again.
	Changes Direction = "changes"
	// Crashes: the generated code panics, whatever the document.
	Crashes Direction = "crashes"
)

// Compare compares an answer about a document with the validator's result. The text has
// both.
func Compare(v *jsonschema.Schema, document []byte, a Answer) (Direction, string, error) {
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return Agrees, "", err
	}
	want, got := "", a.Refusal()
	if broken := v.Validate(instance); broken != nil {
		want = broken.Error()
	}
	said := fmt.Sprintf("%s\n\tvalidator: %s\n\tgenerated: %s", document, want, got)
	switch {
	case a.Crashed != "" || panics(a.Decode) || panics(a.Validate) || panics(a.Encode):
		return Crashes, said + a.Encode, nil
	case want == "" && got != "":
		return RefusesValid, said, nil
	case want != "" && got == "":
		return AcceptsInvalid, said, nil
	case want != "":
		return Agrees, "", nil
	case a.Encode != "":
		return Changes, fmt.Sprintf("%s\n\tencode: %s", document, a.Encode), nil
	}
	if same, err := Same(document, a.Encoded); err != nil || !same {
		return Changes, fmt.Sprintf("%s\n\tbecame %s", document, a.Encoded), err
	}
	return Agrees, "", nil
}

func panics(message string) bool { return strings.HasPrefix(message, "panic: ") }

// Same reports whether two texts are the same JSON value. Numbers are compared
// exactly: 1, 1.0 and 1e0 are the same, 0.1 and 0.10000000000000001 are not.
func Same(a, b []byte) (bool, error) {
	left, err := jsonschema.UnmarshalJSON(bytes.NewReader(a))
	if err != nil {
		return false, err
	}
	right, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return false, err
	}
	return same(left, right), nil
}

// cmp.Equal would take twice as long for each level of nesting.
func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, same)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	case json.Number:
		b, ok := b.(json.Number)
		return ok && sameNumber(a, b)
	}
	return a == b
}

func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	left, ok := new(big.Rat).SetString(a.String())
	if !ok {
		return false
	}
	right, ok := new(big.Rat).SetString(b.String())
	return ok && left.Cmp(right) == 0
}

// Valid reports whether the validator accepts a document.
func Valid(v *jsonschema.Schema, document []byte) bool {
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	return err == nil && v.Validate(instance) == nil
}
