package wire

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/outboxgen/outboxgen/runtime/ecma"
	"github.com/outboxgen/outboxgen/runtime/internal/decimal"
)

// Checker collects the violations of a value. The last argument of every check is the
// path from the current value: property names (string) and positions in arrays (int).
type Checker struct {
	path       []segment
	marks      []mark
	schema     place
	texts      texts
	violations []Violation

	writing bool // the value is about to be written

	asks     *Checker            // the outermost checker, if this one checks a branch of a union
	around   *Checker            // the checker of the union, if this one checks a branch of it
	branches int                 // number of branches around this one
	answers  map[question]answer // of the outermost checker
}

// mark is the state that Leave restores.
type mark struct {
	length int // of the path
	schema place
	texts  texts
}

// texts has how a struct was written, and the length of the path to it.
type texts struct {
	of     *spelled
	length int
}

// place is where the schema of a value is.
type place struct {
	schema string
	parts  Places
	length int // of the path to the value
}

// Places says where the schemas of parts of a value are, if that does not follow from
// the schema of the value. An entry has a path to the part, a keyword, and a place: of
// the keyword, or of the part's schema if the keyword is "". In a path, which is a JSON
// Pointer, * stands for any item or property; followed by a regular expression it
// stands for any property whose name matches. The longest matching path counts, and of
// several such the first.
type Places [][3]string

// Schema sets the place of the current value's schema, as in Violation.Schema, until
// Leave. Unless parts says otherwise, a property's schema is under properties and an
// item's schema under items. Schema returns c.
func (c *Checker) Schema(schema string, parts ...[3]string) *Checker {
	c.schema = place{schema: schema, parts: parts, length: len(c.path)}
	return c
}

type segment struct {
	name  string
	index int // if name is not the token
	item  bool
}

// along appends the tokens of at to a path.
func along(path []segment, at []any) []segment {
	for _, token := range at {
		switch token := token.(type) {
		case string:
			path = append(path, segment{name: token})
		case int:
			path = append(path, segment{index: token, item: true})
		}
	}
	return path
}

// Err returns what was found, a *ValidationError that names the type, or nil. The
// violations are sorted by pointer.
func (c *Checker) Err(name string) error { return c.err(func() string { return name }) }

func (c *Checker) err(name func() string) error {
	if len(c.violations) == 0 {
		return nil
	}
	slices.SortStableFunc(c.violations, func(a, b Violation) int { return comparePointers(a.Pointer, b.Pointer) })
	return &ValidationError{Type: name(), Violations: c.violations}
}

// comparePointers compares token by token; tokens that are numbers are compared as
// numbers.
func comparePointers(a, b string) int {
	for a != "" && b != "" {
		var x, y string
		x, a = cutToken(a)
		y, b = cutToken(b)
		m, err1 := strconv.Atoi(x)
		n, err2 := strconv.Atoi(y)
		order := strings.Compare(x, y)
		if err1 == nil && err2 == nil && m != n {
			order = cmp.Compare(m, n)
		}
		if order != 0 {
			return order
		}
	}
	return cmp.Compare(len(a), len(b))
}

func cutToken(pointer string) (token, rest string) {
	pointer = strings.TrimPrefix(pointer, "/")
	if i := strings.IndexByte(pointer, '/'); i >= 0 {
		return pointer[:i], pointer[i:]
	}
	return pointer, ""
}

// Enter makes the value at the path the current value, until Leave.
func (c *Checker) Enter(at ...any) {
	c.marks = append(c.marks, mark{len(c.path), c.schema, c.texts})
	c.path = along(c.path, at)
}

// Leave restores the value before Enter.
func (c *Checker) Leave() {
	last := len(c.marks) - 1
	to := c.marks[last]
	c.path, c.schema, c.texts = c.path[:to.length], to.schema, to.texts
	c.marks = c.marks[:last]
}

// Fail records a violation of the keyword rule at the path.
func (c *Checker) Fail(rule, message string, at ...any) {
	c.add(rule, message, c.place(rule, at), at)
}

// add records a violation of the keyword rule, which is at schema, at the path.
func (c *Checker) add(rule, message, schema string, at []any) {
	c.violations = append(c.violations, Violation{Pointer: c.pointer(at), Rule: rule, Schema: schema, Message: message})
}

// pointer returns the JSON Pointer of a path from the current value.
func (c *Checker) pointer(at []any) string {
	var pointer []byte
	if c.around != nil {
		pointer = []byte(c.around.pointer(nil))
	}
	for _, s := range along(slices.Clip(c.path), at) {
		if s.item {
			pointer = strconv.AppendInt(append(pointer, '/'), int64(s.index), 10)
		} else {
			pointer = appendSegment(pointer, s.name)
		}
	}
	return string(pointer)
}

// MinLength checks that s has at least n characters.
func MinLength[S ~string](c *Checker, s S, n int, at ...any) {
	if len(s) < n || (len(s) < n*utf8.UTFMax && utf8.RuneCountInString(string(s)) < n) {
		c.Fail("minLength", "must have at least "+count(n, "character"), at...)
	}
}

// MaxLength checks that s has at most n characters.
func MaxLength[S ~string](c *Checker, s S, n int, at ...any) {
	if len(s) > n && utf8.RuneCountInString(string(s)) > n {
		c.Fail("maxLength", "must have at most "+count(n, "character"), at...)
	}
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// Pattern is a regular expression that is compiled when it is first used. It is safe
// for concurrent use.
type Pattern struct {
	source string
	once   func() *ecma.Pattern
}

// NewPattern returns a pattern as ecma.CompilePattern reads it. The generator has
// checked that it compiles.
func NewPattern(source string) *Pattern {
	return &Pattern{source: source, once: sync.OnceValue(func() *ecma.Pattern { return ecma.MustCompilePattern(source) })}
}

// Matches checks that a part of s matches the pattern.
func Matches[S ~string](c *Checker, s S, p *Pattern, at ...any) {
	if !p.once().MatchString(string(s)) {
		c.Fail("pattern", "must match "+p.source, at...)
	}
}

// numeric is a number that can be checked.
type numeric interface{ ~int64 | ~uint64 | ~float64 }

// Minimum checks that n is at least bound.
func Minimum[N numeric](c *Checker, n, bound N, at ...any) {
	if n < bound {
		c.Fail("minimum", "must be at least "+text(bound), at...)
	}
}

// Maximum checks that n is at most bound.
func Maximum[N numeric](c *Checker, n, bound N, at ...any) {
	if n > bound {
		c.Fail("maximum", "must be at most "+text(bound), at...)
	}
}

// ExclusiveMinimum checks that n is greater than bound.
func ExclusiveMinimum[N numeric](c *Checker, n, bound N, at ...any) {
	if n <= bound {
		c.Fail("exclusiveMinimum", "must be greater than "+text(bound), at...)
	}
}

// ExclusiveMaximum checks that n is less than bound.
func ExclusiveMaximum[N numeric](c *Checker, n, bound N, at ...any) {
	if n >= bound {
		c.Fail("exclusiveMaximum", "must be less than "+text(bound), at...)
	}
}

func text[N numeric](n N) string {
	switch v := reflect.ValueOf(n); v.Kind() {
	case reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10)
	case reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	default:
		if f := v.Float(); f == math.Trunc(f) && math.Abs(f) <= 1<<53 {
			return strconv.FormatInt(int64(f), 10)
		}
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
}

// MultipleOf checks that n is an integer multiple of step.
func MultipleOf[N ~int64 | ~uint64](c *Checker, n, step N, at ...any) {
	if n%step != 0 {
		c.Fail("multipleOf", "must be a multiple of "+text(step), at...)
	}
}

// MultipleOfFloat checks that n is an integer multiple of step, in decimal: 0.3 is a
// multiple of 0.1.
func MultipleOfFloat[N ~float64](c *Checker, n, step N, at ...any) {
	finite := !math.IsInf(float64(n), 0) && !math.IsNaN(float64(n))
	if !finite || !decimal.Float(float64(n)).Multiple(decimal.Float(float64(step))) {
		c.Fail("multipleOf", "must be a multiple of "+text(step), at...)
	}
}

// MinItems checks that an array of n items has at least bound.
func (c *Checker) MinItems(n, bound int, at ...any) {
	if n < bound {
		c.Fail("minItems", "must have at least "+count(bound, "item"), at...)
	}
}

// MaxItems checks that an array of n items has at most bound.
func (c *Checker) MaxItems(n, bound int, at ...any) {
	if n > bound {
		c.Fail("maxItems", "must have at most "+count(bound, "item"), at...)
	}
}

// Count returns how many of its arguments are true: the members that are present.
func Count(there ...bool) int {
	n := 0
	for _, t := range there {
		if t {
			n++
		}
	}
	return n
}

// MinProperties checks that an object of n properties has at least bound.
func (c *Checker) MinProperties(n, bound int, at ...any) {
	if n < bound {
		c.Fail("minProperties", "must have at least "+count(bound, "member"), at...)
	}
}

// MaxProperties checks that an object of n properties has at most bound.
func (c *Checker) MaxProperties(n, bound int, at ...any) {
	if n > bound {
		c.Fail("maxProperties", "must have at most "+count(bound, "member"), at...)
	}
}

// validator is an enum: Valid reports whether the schema lists the value.
type validator interface {
	~string | ~int64 | ~float64
	Valid() bool
}

// Enum checks that the schema lists value; choices lists the valid values for the
// message.
func Enum[T validator](c *Checker, value T, choices string, at ...any) {
	if !value.Valid() {
		c.Fail("enum", shown(value)+" is not one of "+choices, at...)
	}
}

// maxShown is how many characters of a value a message shows.
const maxShown = 32

// shown returns a value for a message, in quotes if it is a string.
func shown[T ~string | ~int64 | ~float64](value T) string {
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.String:
		text := v.String()
		if utf8.RuneCountInString(text) > maxShown {
			text = string([]rune(text)[:maxShown-1]) + "…"
		}
		return strconv.Quote(text)
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	default:
		return strconv.FormatInt(v.Int(), 10)
	}
}

// Const checks that value equals want, the only valid value.
func Const[T comparable](c *Checker, value, want T, at ...any) {
	if value != want {
		c.Fail("const", constText(want), at...)
	}
}

func constText(want any) string { return fmt.Sprintf("must be %#v", want) }

// UniqueItems checks that no two items are equal.
func UniqueItems[T comparable](c *Checker, items []T, at ...any) {
	if len(items) < 2 {
		return
	}
	seen := make(map[T]struct{}, len(items))
	for _, item := range items {
		seen[item] = struct{}{}
	}
	if len(seen) < len(items) {
		c.Fail("uniqueItems", "must not hold the same item twice", at...)
	}
}

// UniqueDocuments checks that no two items are equal as JSON: the order of properties
// and the notation of a number do not matter. Strings are compared as they were read,
// see Spelled.
func UniqueDocuments[T any](c *Checker, items []T, write func(*Encoder, T), at ...any) {
	if len(items) < 2 {
		return
	}
	documents := make([][]byte, len(items))
	for i, item := range items {
		var e Encoder
		write(&e, item)
		d := Decoder{data: c.spelled(e.buf, append(slices.Clone(at), i))}
		documents[i] = d.canonical()
	}
	slices.SortFunc(documents, bytes.Compare)
	if len(slices.CompactFunc(documents, bytes.Equal)) < len(items) {
		c.Fail("uniqueItems", "must not hold the same item twice", at...)
	}
}
