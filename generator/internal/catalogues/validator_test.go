package catalogues_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/outboxgen/outboxgen/generator/internal/verdict"
)

// base is the address that the validator sees for the files of a catalogue.
const base = "file:///catalogue/"

// validators compiles schemas of a catalogue with the independent validator.
type validators struct {
	compiler *jsonschema.Compiler
	// undecided counts the strings to match with a pattern that Go's regexp does not
	// compile.
	undecided int
}

// newValidators reads the files. Each is found by its path and by its identifier. It
// also returns their content.
func newValidators(l loaded) (*validators, map[string]any) {
	v := &validators{compiler: verdict.Asserting()}
	parsed, byID := map[string]any{}, map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(l.texts)) {
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(l.texts[name]))
		if err != nil {
			continue // an event that needs it is reported
		}
		if object, ok := schema.(map[string]any); ok {
			if l.dialect != "" {
				object["$schema"] = l.dialect
			}
			for _, word := range []string{"$id", "id"} {
				if id, ok := object[word].(string); ok {
					byID[strings.TrimSuffix(id, "#")] = schema
				}
			}
		}
		parsed[name] = schema
	}
	v.compiler.UseLoader(loader(func(address string) (any, error) {
		if schema, ok := byID[strings.TrimSuffix(address, "#")]; ok {
			return schema, nil
		}
		name, err := url.PathUnescape(strings.TrimPrefix(address, base))
		if err != nil {
			return nil, err
		}
		for _, candidate := range []string{name, path.Base(name)} {
			if schema, ok := parsed[candidate]; ok {
				return schema, nil
			}
		}
		return nil, fmt.Errorf("no file for %s", address)
	}))
	v.compiler.UseRegexpEngine(func(pattern string) (jsonschema.Regexp, error) {
		compiled, err := regexp.Compile(pattern)
		if err != nil {
			return beyond{pattern, &v.undecided}, nil //nolint:nilerr // documents that need it are left out
		}
		return compiled, nil
	})
	return v, parsed
}

type loader func(address string) (any, error)

func (l loader) Load(address string) (any, error) { return l(address) }

// beyond stands for a pattern that Go's regexp does not compile.
type beyond struct {
	pattern string
	asked   *int
}

func (b beyond) MatchString(string) bool { *b.asked++; return true }
func (b beyond) String() string          { return b.pattern }

// of returns the validator of an event.
func (v *validators) of(e event) (*jsonschema.Schema, error) {
	address := base + (&url.URL{Path: e.file}).EscapedPath()
	if e.pointer != "" {
		address += "#" + (&url.URL{Path: e.pointer}).EscapedPath()
	}
	return v.compiler.Compile(address)
}
