// Package validator checks JSON values against schemas of the model: the defaults and
// examples in schemas, and examples that the generator makes. It uses the library
// jsonschema, with the patterns and formats of the generated code.
package validator

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/outboxgen/outboxgen/generator/internal/ecma"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Validator checks values against schemas of the model. It is not safe for concurrent
// use.
type Validator struct {
	documents

	skipped bool // the current check has met a pattern that cannot be checked

	formats  bool // values are checked against formats
	compiler *jsonschema.Compiler
	added    int                           // of documents.order
	compiled map[string]*jsonschema.Schema // by what they say; nil: cannot be compiled
	printer  *message.Printer
}

// compile returns s for the compiler, nil where that refuses it. Schemas that say
// the same, of which a project has many, are compiled once.
func (v *Validator) compile(s *schema.Schema) *jsonschema.Schema {
	if v.compiler == nil {
		v.compiler = jsonschema.NewCompiler()
		if v.formats {
			assertFormats(v.compiler)
		}
		v.compiler.UseLoader(nowhere{})
		v.compiler.UseRegexpEngine(v.pattern)
		v.compiled = map[string]*jsonschema.Schema{}
		v.printer = message.NewPrinter(language.English)
	}
	document := v.write(s)
	text, err := json.Marshal(document)
	if err != nil {
		return nil
	}
	if known, ok := v.compiled[string(text)]; ok {
		return known
	}
	v.compiled[string(text)] = nil
	address := fmt.Sprintf("schema:///value/%d", len(v.compiled))
	if v.compiler.AddResource(address, document) != nil {
		return nil
	}
	for ; v.added < len(v.order); v.added++ {
		target := v.order[v.added]
		if v.compiler.AddResource(v.address(target), v.write(target)) != nil {
			return nil
		}
	}
	if compiled, err := v.compiler.Compile(address); err == nil {
		v.compiled[string(text)] = compiled
	}
	return v.compiled[string(text)]
}

// New returns a validator. formats is whether it checks values against formats.
func New(formats bool) *Validator {
	return &Validator{documents: documents{known: map[*schema.Schema]int{}}, formats: formats}
}

// Checks reports whether values can be checked against s. A schema that the compiler
// refuses cannot: Problem finds nothing then.
func (v *Validator) Checks(s *schema.Schema) bool { return v.compile(s) != nil }

// Verdict is the outcome of Check.
type Verdict int

// The verdicts. Unchecked is no proof: the value has nothing wrong, as far as the
// patterns of the schema can be checked, and checking does not take too long.
const (
	Invalid Verdict = iota
	Unchecked
	Valid
)

// Check checks a value, unlike Problem also whether all was checked.
func (v *Validator) Check(s *schema.Schema, value *schema.Value) Verdict {
	if !v.Checks(s) || tooLarge(s, value) {
		return Unchecked
	}
	v.skipped = false
	switch _, problem := v.Problem(s, value); {
	case problem != "":
		return Invalid
	case v.skipped:
		return Unchecked
	default:
		return Valid
	}
}

// Problem returns what is wrong with a value and where; "" when it is valid, or s
// cannot be compiled, or checking takes too long.
func (v *Validator) Problem(s *schema.Schema, value *schema.Value) (finding.Pos, string) {
	compiled := v.compile(s)
	if compiled == nil || tooLarge(s, value) {
		return finding.Pos{}, ""
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(compiled.Validate(instance(value)), &invalid) {
		return finding.Pos{}, ""
	}
	return v.first(invalid, value)
}

// first returns the problem that stands first in the source.
func (v *Validator) first(invalid *jsonschema.ValidationError, value *schema.Value) (finding.Pos, string) {
	type place struct {
		pos  finding.Pos
		text string
	}
	var all []place
	var collect func(e *jsonschema.ValidationError)
	collect = func(e *jsonschema.ValidationError) {
		causes := e.Causes
		switch e.ErrorKind.(type) {
		case *kind.AnyOf, *kind.OneOf:
			if causes = rightType(e); len(causes) != 1 {
				causes = nil
			}
		}
		if len(causes) > 0 {
			for _, cause := range causes {
				collect(cause)
			}
			return
		}
		text := v.say(e)
		if len(e.InstanceLocation) > 0 {
			text = "at " + finding.Quote("/"+strings.Join(e.InstanceLocation, "/")) + ", " + text
		}
		all = append(all, place{pos: inside(value, e.InstanceLocation).Pos, text: text})
	}
	collect(invalid)
	least := slices.MinFunc(all, func(a, b place) int { return cmp.Or(a.pos.Compare(b.pos), strings.Compare(a.text, b.text)) })
	return least.pos, least.text
}

// say returns one problem in words that hold no list whose order changes.
func (v *Validator) say(e *jsonschema.ValidationError) string {
	switch k := e.ErrorKind.(type) {
	case *kind.AnyOf:
		return "it matches no branch of anyOf"
	case *kind.OneOf:
		if len(k.Subschemas) > 0 {
			return "it matches several branches of oneOf"
		}
		return "it matches no branch of oneOf"
	case *kind.FalseSchema:
		return "no value is valid here"
	case *kind.Not:
		return "not excludes it"
	case *kind.Required:
		slices.Sort(k.Missing)
	case *kind.AdditionalProperties:
		slices.Sort(k.Properties)
	case *kind.Minimum:
		return "it is below minimum " + number(k.Want)
	case *kind.Maximum:
		return "it is above maximum " + number(k.Want)
	case *kind.ExclusiveMinimum:
		return "it is not above exclusiveMinimum " + number(k.Want)
	case *kind.ExclusiveMaximum:
		return "it is not below exclusiveMaximum " + number(k.Want)
	case *kind.MultipleOf:
		return "it is not a multiple of " + number(k.Want)
	case *kind.Format:
		if encoding, ok := strings.CutPrefix(k.Want, encoded); ok {
			return "it is not encoded as " + encoding
		}
		return fmt.Sprintf("it does not have the format %s", k.Want)
	}
	return e.ErrorKind.LocalizedString(v.printer)
}

// number returns a bound as short as it can be written exactly.
func number(n *big.Rat) string {
	if places, exact := n.FloatPrec(); exact {
		return n.FloatString(places)
	}
	return n.RatString()
}

// rightType returns the branches of a union that fail for something else than the
// type of the value.
func rightType(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	var out []*jsonschema.ValidationError
	for _, cause := range e.Causes {
		if k, ok := cause.ErrorKind.(*kind.Type); ok && len(k.Want) > 0 && len(cause.InstanceLocation) == len(e.InstanceLocation) {
			continue
		}
		out = append(out, cause)
	}
	return out
}

// inside returns the part of a value that a location names, as far as there is one.
func inside(value *schema.Value, location []string) *schema.Value {
	for _, name := range location {
		next := value.Member(name)
		if i, err := strconv.Atoi(name); err == nil && value.Kind == schema.Array && i >= 0 && i < len(value.Items) {
			next = value.Items[i]
		}
		if next == nil {
			break
		}
		value = next
	}
	return value
}

// nowhere loads nothing: every schema is added.
type nowhere struct{}

func (nowhere) Load(url string) (any, error) { return nil, fmt.Errorf("there is no schema %s", url) }

// unchecked is a pattern that cannot be checked, because it has a back reference: it
// takes every string. The generator warns of it.
type unchecked struct {
	validator *Validator
	source    string
}

func (u unchecked) MatchString(string) bool {
	u.validator.skipped = true
	return true
}

func (u unchecked) String() string { return u.source }

// translated is a pattern in Go's syntax.
type translated struct {
	*ecma.Matcher

	source string
}

func (t translated) String() string { return t.source }

func (v *Validator) pattern(pattern string) (jsonschema.Regexp, error) {
	p, err := ecma.Translate(pattern)
	if err != nil {
		return unchecked{v, pattern}, nil //nolint:nilerr // see unchecked
	}
	return translated{p.Matcher(), pattern}, nil
}
