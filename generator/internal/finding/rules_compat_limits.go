package finding

import (
	"fmt"
	"strings"
)

// NewVersion is the fix that always works: two versions side by side.
const NewVersion = "release the change as a new event version"

// InVersion returns a fix that says, where it proposes a new event version, what the
// file of that version has under x-outbox.
func InVersion(fix, outbox string) string {
	return strings.Replace(fix, NewVersion, NewVersion+", in a file of its own with "+outbox, 1)
}

func compatLimitRules() []Rule {
	var all []Rule
	for _, l := range []struct {
		subject, keyword, noun string
		upper                  bool
		base                   string // the schema without the limit, open at its end
		small, large           string
	}{
		{"max-length", "maxLength", "strings", true, `{"type": "string"`, "10", "20"},
		{"min-length", "minLength", "strings", false, `{"type": "string"`, "1", "2"},
		{"maximum", "maximum", "numbers", true, `{"type": "number"`, "10", "20"},
		{"minimum", "minimum", "numbers", false, `{"type": "number"`, "1", "2"},
		{"exclusive-maximum", "exclusiveMaximum", "numbers", true, `{"type": "number"`, "10", "20"},
		{"exclusive-minimum", "exclusiveMinimum", "numbers", false, `{"type": "number"`, "1", "2"},
		{"max-properties", "maxProperties", "objects", true, `{"type": "object"`, "10", "20"},
		{"min-properties", "minProperties", "objects", false, `{"type": "object"`, "1", "2"},
		{"max-items", "maxItems", "arrays", true, `{"type": "array"`, "10", "20"},
		{"min-items", "minItems", "arrays", false, `{"type": "array"`, "1", "2"},
		{"max-contains", "maxContains", "arrays", true, `{"type": "array", "contains": {"type": "string"}`, "10", "20"},
		{"min-contains", "minContains", "arrays", false, `{"type": "array", "contains": {"type": "string"}`, "1", "2"},
	} {
		all = append(all, limits(l.subject, l.keyword, l.noun, l.upper, l.base, l.small, l.large)...)
	}
	return all
}

// limits returns the four rules about one bound.
func limits(subject, keyword, noun string, upper bool, base, small, large string) []Rule {
	without := base + "}"
	with := func(value string) string { return fmt.Sprintf("%s, %q: %s}", base, keyword, value) }
	if keyword == "minContains" { // contains alone asks for one
		without = `{"type": "array"}`
	}
	up, down := Rule{Before: with(small), After: with(large)}, Rule{Before: with(large), After: with(small)}
	up.ID, up.Message = subject+"-increased", "READER raises "+keyword+" from %s to %s"
	down.ID, down.Message = subject+"-decreased", "READER lowers "+keyword+" from %s to %s"
	up.What, down.What = "a higher "+keyword, "a lower "+keyword
	relaxed, tightened := &up, &down
	if !upper {
		relaxed, tightened = &down, &up
	}
	relaxed.Allowed = Always
	relaxed.Why = "Every value within the old " + keyword + " is within the new one."
	tightened.Why = "Old data may violate the new " + keyword + ". Readers with the new schema reject such " + noun + "."
	tightened.Message += ": data of WRITER may violate it"
	tightened.Fix = "keep " + keyword + " and check the tighter bound where the event is created; or " + NewVersion
	return []Rule{
		up, down,
		{
			ID: subject + "-added", What: "a new " + keyword,
			Message: "READER adds " + keyword + " %s, which WRITER does not have: its data may violate it",
			Why:     "Old data may violate the new bound. Readers with the new schema reject such " + noun + ".",
			Before:  without, After: with(large),
			Fix: "check the bound where the event is created, without it in the schema; or " + NewVersion,
		},
		{
			ID: subject + "-removed", What: "a removed " + keyword,
			Allowed: Always, Message: "READER has no " + keyword + "; WRITER has %s",
			Why:    "Every value within the bound stays valid.",
			Before: with(large), After: without,
		},
	}
}
