package compat

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// allowance says under which policies a change is compatible.
type allowance int

const (
	never allowance = iota
	leniently
	always
)

// rule is one kind of difference: what it is called, who allows it, and what
// there is to say about it.
type rule struct {
	id      string
	allowed allowance
	// message is a format for the arguments of a difference; READER and WRITER
	// in it stand for the two schemas.
	message string
	// why says what breaks, or why nothing does.
	why string
	// old and now are an example: the change from one to the other, judged
	// BACKWARD.
	old, now string
	// instead says how to make the change safely; for incompatible ones.
	instead string
}

// Explanation is what the catalogue says about one id.
type Explanation struct {
	ID string
	// Strict and Lenient report whether the policies allow the change.
	Strict, Lenient bool
	// Why says what breaks and for whom, or why nothing does.
	Why string
	// Old and New are an example, two schemas in JSON: changing the one into the
	// other is found under this id at level BACKWARD.
	Old, New string
	// Instead says how to make the change safely; empty where it is safe.
	Instead string
}

// Explain looks up an id, in any case and with - or _ between its words.
func Explain(id string) (Explanation, bool) {
	r, ok := rules[strings.ReplaceAll(strings.ToUpper(id), "-", "_")]
	if !ok {
		return Explanation{}, false
	}
	return Explanation{
		ID: r.id, Strict: r.allowed == always, Lenient: r.allowed != never,
		Why: r.why, Old: r.old, New: r.now, Instead: r.instead,
	}, true
}

// IDs is every id that Check uses, sorted.
func IDs() []string { return slices.Sorted(maps.Keys(rules)) }

var rules = catalogue()

func catalogue() map[string]*rule {
	all := map[string]*rule{}
	for _, group := range [][]rule{typeRules(), combinationRules(), valueRules(), propertyRules(), objectRules(), itemRules(), limitRules()} {
		for _, r := range group {
			if _, twice := all[r.id]; twice {
				panic("compat: two rules " + r.id)
			}
			all[r.id] = &r
		}
	}
	return all
}

// newVersion is the advice that always works: two versions side by side.
const newVersion = "release it as a new event version"

func limitRules() []rule {
	var all []rule
	for _, l := range []struct {
		subject, keyword, noun string
		upper                  bool
		base                   string // the schema without the limit, open at its end
		small, large           string
	}{
		{"MAX_LENGTH", "maxLength", "strings", true, `{"type": "string"`, "10", "20"},
		{"MIN_LENGTH", "minLength", "strings", false, `{"type": "string"`, "1", "2"},
		{"MAXIMUM", "maximum", "numbers", true, `{"type": "number"`, "10", "20"},
		{"MINIMUM", "minimum", "numbers", false, `{"type": "number"`, "1", "2"},
		{"EXCLUSIVE_MAXIMUM", "exclusiveMaximum", "numbers", true, `{"type": "number"`, "10", "20"},
		{"EXCLUSIVE_MINIMUM", "exclusiveMinimum", "numbers", false, `{"type": "number"`, "1", "2"},
		{"MAX_PROPERTIES", "maxProperties", "objects", true, `{"type": "object"`, "10", "20"},
		{"MIN_PROPERTIES", "minProperties", "objects", false, `{"type": "object"`, "1", "2"},
		{"MAX_ITEMS", "maxItems", "arrays", true, `{"type": "array"`, "10", "20"},
		{"MIN_ITEMS", "minItems", "arrays", false, `{"type": "array"`, "1", "2"},
		{"MAX_CONTAINS", "maxContains", "arrays", true, `{"type": "array", "contains": {"type": "string"}`, "10", "20"},
		{"MIN_CONTAINS", "minContains", "arrays", false, `{"type": "array", "contains": {"type": "string"}`, "1", "2"},
	} {
		all = append(all, limits(l.subject, l.keyword, l.noun, l.upper, l.base, l.small, l.large)...)
	}
	return all
}

// limits is the four rules about one bound.
func limits(subject, keyword, noun string, upper bool, base, small, large string) []rule {
	without := base + "}"
	with := func(value string) string { return fmt.Sprintf("%s, %q: %s}", base, keyword, value) }
	if keyword == "minContains" { // contains alone asks for one
		without = `{"type": "array"}`
	}
	up, down := rule{old: with(small), now: with(large)}, rule{old: with(large), now: with(small)}
	up.id, up.message = subject+"_INCREASED", "READER raises "+keyword+" from %s to %s"
	down.id, down.message = subject+"_DECREASED", "READER lowers "+keyword+" from %s to %s"
	relaxed, tightened := &up, &down
	if !upper {
		relaxed, tightened = &down, &up
	}
	relaxed.allowed = always
	relaxed.why = "Every value that was within the old " + keyword + " is within the new one: nobody breaks."
	tightened.why = "Data that was valid may be beyond the new " + keyword + ": readers with the new schema refuse " + noun + " that were written before."
	tightened.message += ": data of WRITER may be beyond that"
	tightened.instead = "leave " + keyword + " where it is and check the tighter bound where the event is made; or " + newVersion
	return []rule{
		up, down,
		{
			id: subject + "_ADDED", message: "READER adds " + keyword + " %s, which WRITER does not have: its data may be beyond that",
			why: "Data was written without that bound: readers with the new schema refuse " + noun + " beyond it.",
			old: without, now: with(large),
			instead: "check the bound where the event is made, and leave it out of the schema; or " + newVersion,
		},
		{
			id: subject + "_REMOVED", allowed: always, message: "READER has no " + keyword + "; WRITER has %s",
			why: "Whatever was within the bound is still valid: nobody breaks.",
			old: with(large), now: without,
		},
	}
}
