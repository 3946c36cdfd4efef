package compat_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/check/compat"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// edit is a change that an author makes to a schema.
type edit struct{ what, old, now string }

// The edits that authors make most, before those of the rules' examples.
var edits = []edit{
	{"add an optional property", `{type: object, properties: {id: {type: string}}}`, `{type: object, properties: {id: {type: string}, note: {type: string}}}`},
	{"add a required property", `{type: object, properties: {id: {type: string}}, required: [id]}`, `{type: object, properties: {id: {type: string}, note: {type: string}}, required: [id, note]}`},
	{"add a required property with a default", `{type: object, properties: {id: {type: string}}, required: [id]}`, `{type: object, properties: {id: {type: string}, note: {type: string, default: none}}, required: [id, note]}`},
	{"remove an optional property", `{type: object, properties: {id: {type: string}, note: {type: string}}}`, `{type: object, properties: {id: {type: string}}}`},
	{"remove a required property", `{type: object, properties: {id: {type: string}, note: {type: string}}, required: [id, note]}`, `{type: object, properties: {id: {type: string}}, required: [id]}`},
	{"require an optional property", `{type: object, properties: {id: {type: string}, note: {type: string}}, required: [id]}`, `{type: object, properties: {id: {type: string}, note: {type: string}}, required: [id, note]}`},
	{"make a required property optional", `{type: object, properties: {id: {type: string}, note: {type: string}}, required: [id, note]}`, `{type: object, properties: {id: {type: string}, note: {type: string}}, required: [id]}`},
	{"rename an optional property", `{type: object, properties: {id: {type: string}, teacher: {type: string, maxLength: 40}}}`, `{type: object, properties: {id: {type: string}, grader: {type: string, maxLength: 40}}}`},
	{"rename a required property", `{type: object, properties: {teacher: {type: string, maxLength: 40}}, required: [teacher]}`, `{type: object, properties: {grader: {type: string, maxLength: 40}}, required: [grader]}`},
	{"add a property to a closed object", `{type: object, properties: {id: {type: string}}, additionalProperties: false}`, `{type: object, properties: {id: {type: string}, note: {type: string}}, additionalProperties: false}`},
	{"remove a property of a closed object", `{type: object, properties: {id: {type: string}, note: {type: string}}, additionalProperties: false}`, `{type: object, properties: {id: {type: string}}, additionalProperties: false}`},
	{"close an object", `{type: object, properties: {id: {type: string}}}`, `{type: object, properties: {id: {type: string}}, additionalProperties: false}`},
	{"open an object", `{type: object, properties: {id: {type: string}}, additionalProperties: false}`, `{type: object, properties: {id: {type: string}}}`},
	{"add a value to an enum", `{properties: {state: {type: string, enum: [open, closed]}}}`, `{properties: {state: {type: string, enum: [open, closed, late]}}}`},
	{"add a value to an enum that grows", `{properties: {state: {type: string, enum: [open, closed], x-outbox: {grows: true}}}}`, `{properties: {state: {type: string, enum: [open, closed, late], x-outbox: {grows: true}}}}`},
	{"add a value to an enum, and say now that it grows", `{properties: {state: {enum: [open, closed]}}}`, `{properties: {state: {enum: [open, closed, late], x-outbox: {grows: true}}}}`},
	{"add a value to an enum that grows, and say no more that it does", `{properties: {state: {enum: [open, closed], x-outbox: {grows: true}}}}`, `{properties: {state: {enum: [open, closed, late]}}}`},
	{"add the last value to an enum that grew", `{properties: {state: {enum: [open, closed], x-outbox: {grows: true}}}}`, `{properties: {state: {enum: [open, closed, late], x-outbox: {grows: false}}}}`},
	{"add a value to an enum that was final", `{properties: {state: {enum: [open, closed], x-outbox: {grows: false}}}}`, `{properties: {state: {enum: [open, closed, late], x-outbox: {grows: false}}}}`},
	{"add a value to an enum, and say now that it is final", `{properties: {state: {enum: [open, closed]}}}`, `{properties: {state: {enum: [open, closed, late], x-outbox: {grows: false}}}}`},
	{"say that an enum is final", `{properties: {state: {enum: [open, closed], x-outbox: {grows: true}}}}`, `{properties: {state: {enum: [open, closed], x-outbox: {grows: false}}}}`},
	{"remove a value of an enum", `{properties: {state: {type: string, enum: [open, closed, lost]}}}`, `{properties: {state: {type: string, enum: [open, closed, late]}}}`},
	{"replace a value of an enum", `{properties: {state: {enum: [open, closed]}}}`, `{properties: {state: {enum: [open, done]}}}`},
	{"add a variant", `{oneOf: [{title: Card, type: object, required: [card], properties: {card: {type: string}}}]}`, `{oneOf: [{title: Card, type: object, required: [card], properties: {card: {type: string}}}, {title: None, type: "null"}]}`},
	{"add a variant that accepts the data of another one", `{properties: {pay: {oneOf: [{title: Pay, type: object, required: [card], properties: {card: {type: string}}}, {type: "null"}]}}}`, `{properties: {pay: {oneOf: [{title: Pay, type: object, required: [card], properties: {card: {type: string}}}, {title: Pay, type: object, properties: {note: {type: string}}}, {type: "null"}]}}}`},
	{"remove a variant", `{oneOf: [{title: Card, type: object, required: [card], properties: {card: {type: string}}}, {title: None, type: "null"}]}`, `{oneOf: [{title: Card, type: object, required: [card], properties: {card: {type: string}}}]}`},
	{"allow null", `{properties: {note: {type: string}}}`, `{properties: {note: {type: [string, "null"]}}}`},
	{"no longer allow null", `{properties: {note: {type: [string, "null"]}}}`, `{properties: {note: {type: string}}}`},
	{"turn an integer into a number", `{properties: {sum: {type: integer}}}`, `{properties: {sum: {type: number}}}`},
	{"turn a number into an integer", `{properties: {sum: {type: number}}}`, `{properties: {sum: {type: integer}}}`},
	{"turn a number into a string", `{properties: {sum: {type: number}}}`, `{properties: {sum: {type: string}}}`},
	{"add a bound", `{properties: {name: {type: string}}}`, `{properties: {name: {type: string, maxLength: 40}}}`},
	{"remove a bound", `{properties: {name: {type: string, maxLength: 40}}}`, `{properties: {name: {type: string}}}`},
	{"tighten a bound", `{properties: {name: {type: string, maxLength: 40}}}`, `{properties: {name: {type: string, maxLength: 30}}}`},
	{"relax a bound", `{properties: {name: {type: string, maxLength: 30}}}`, `{properties: {name: {type: string, maxLength: 40}}}`},
	{"add a pattern", `{properties: {code: {type: string}}}`, `{properties: {code: {type: string, pattern: "^[A-Z]+$"}}}`},
	{"change a pattern", `{properties: {code: {type: string, pattern: "^[A-Z]+$"}}}`, `{properties: {code: {type: string, pattern: "^[A-Z0-9]+$"}}}`},
	{"change a const", `{properties: {kind: {const: order}}}`, `{properties: {kind: {const: purchase}}}`},
	{"change a format", `{properties: {at: {type: string, format: date}}}`, `{properties: {at: {type: string, format: date-time}}}`},
	{"change a description", `{properties: {at: {type: string, description: When.}}}`, `{properties: {at: {type: string, description: When it was.}}}`},
	{"add a property to the base of an object without unevaluated properties", `{$ref: "#/$defs/Base", unevaluatedProperties: false, $defs: {Base: {type: object, properties: {id: {type: string}}}}}`, `{$ref: "#/$defs/Base", unevaluatedProperties: false, $defs: {Base: {type: object, properties: {id: {type: string}, note: {type: string}}}}}`},
	{"move a required property to the base", `{$ref: "#/$defs/Base", properties: {at: {type: string}, note: {type: string}}, required: [note], $defs: {Base: {type: object, properties: {id: {type: string}}}}}`, `{$ref: "#/$defs/Base", properties: {at: {type: string}}, $defs: {Base: {type: object, properties: {id: {type: string}, note: {type: string}}, required: [note]}}}`},
}

// The findings for each edit, at each level and under each policy. Read the golden file
// from top to bottom: each text must be right for someone who made the edit and does
// not know what the rules compare.
func TestEdits(t *testing.T) {
	t.Parallel()
	all := slices.Clone(edits)
	for _, g := range finding.Groups() {
		for _, r := range g.Rules {
			if r.Area == finding.Compat && r.Before != "" {
				all = append(all, edit{r.ID, r.Before, r.After})
			}
		}
	}
	var b strings.Builder
	b.WriteString("What the author of an edit is told. Written by go test -run TestEdits -update.\n")
	for _, e := range all {
		fmt.Fprintf(&b, "\n## %s\n\n    %s\n    %s\n\n", e.what, e.old, e.now)
		b.WriteString(told(t, e))
	}
	const file = "testdata/edits.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// told returns the findings at BACKWARD and at FORWARD, grouped by the policies that
// give the same ones. At FULL the findings must be those of both levels.
func told(t *testing.T, e edit) string {
	t.Helper()
	old, now := load(t, "old.yaml", e.old), load(t, "new.yaml", e.now)
	lines := func(level compat.Level, policy compat.Policy) []string {
		var lines []string
		for _, f := range compat.Check(now, []*schema.Schema{old}, level, policy) {
			if f.Pos.File != "new.yaml" || f.Old.Pos.File != "old.yaml" {
				t.Errorf("%s: %s is placed at %s and %s", e.what, f.ID, f.Pos, f.Old.Pos)
			}
			text := f.Severity.String() + ": " + f.Message
			if f.Hint != "" {
				text += "; " + f.Hint
			}
			lines = append(lines, "- "+text+" ["+f.ID+"]\n")
		}
		return lines
	}
	var b strings.Builder
	policies := []compat.Policy{compat.Generated, compat.Lenient, compat.Strict}
	for _, level := range []compat.Level{compat.Backward, compat.Forward} {
		for i := 0; i < len(policies); {
			text, names := strings.Join(lines(level, policies[i]), ""), []string{string(policies[i])}
			for i++; i < len(policies) && strings.Join(lines(level, policies[i]), "") == text; i++ {
				names = append(names, string(policies[i]))
			}
			if text == "" {
				text = "- nothing\n"
			}
			fmt.Fprintf(&b, "%s, %s:\n%s", level, strings.Join(names, " and "), text)
		}
	}
	ids := func(level compat.Level, policy compat.Policy) []string {
		var all []string
		for _, f := range compat.Check(now, []*schema.Schema{old}, level, policy) {
			all = append(all, f.Severity.String()+": "+f.Message+" ["+f.ID+"]")
		}
		return all
	}
	for _, policy := range policies {
		want := append(ids(compat.Backward, policy), ids(compat.Forward, policy)...)
		slices.Sort(want)
		got := ids(compat.Full, policy)
		slices.Sort(got)
		if diff := cmp.Diff(slices.Compact(want), slices.Compact(got)); diff != "" {
			t.Errorf("%s: FULL, %s (-both +full):\n%s", e.what, policy, diff)
		}
	}
	return b.String()
}

// A fix that only helps readers with the new schema is not proposed at FULL.
func TestFixAtFull(t *testing.T) {
	t.Parallel()
	old, now := load(t, "old.yaml", `{type: string, pattern: "^a"}`), load(t, "new.yaml", `{type: string, pattern: "^b"}`)
	for level, want := range map[compat.Level]string{
		compat.Backward: `remove the pattern, which is compatible, and check it where the event is created: remove pattern: "^b"; or ` + finding.NewVersion,
		compat.Full:     `keep the pattern: write pattern: "^a"; or ` + finding.NewVersion,
	} {
		if diff := cmp.Diff(want, compat.Check(now, []*schema.Schema{old}, level, compat.Generated)[0].Hint); diff != "" {
			t.Errorf("%s (-want +got):\n%s", level, diff)
		}
	}
}
