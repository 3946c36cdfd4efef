package finding

import (
	"maps"
	"slices"
	"strings"
)

// Rule describes one kind of finding.
type Rule struct {
	// ID names the rule, in lower-case words joined by hyphens. It is stable across
	// releases.
	ID string
	// Severity is the usual severity of its findings. The project file can set the
	// level of a lint rule, and an error in the schema of an event may be a warning
	// in a file without an event.
	Severity Severity
	// What the rule finds, in a few words.
	What string
	// Why it matters, or what outboxgen does with the schema.
	Why string
	// Before and After are an example: the wrong form and the right one, or, for
	// Contract and Compat, the two versions. Both are empty if there is no example.
	// An example of Generate that begins with "x:" is a property of an event.
	// Otherwise it is a whole file, or several files in txtar form ("-- a.yaml --").
	// They have no newline at the end.
	Before, After string
	// Fix says what to do; empty if there is nothing to do.
	Fix string

	// Area is the part of outboxgen that reports the finding.
	Area Area
	// Allowed says which of the policies strict and lenient allow the change. Only for
	// Compat.
	Allowed Allowance
	// Generated reports whether the policy generated allows the change: readers that
	// outboxgen generates read the data. Only for Compat.
	Generated bool
	// Message is the format of the message. READER and WRITER in it stand for the
	// two schemas. Only for Compat.
	Message string
	// Opposite is the id of the rule about the opposite change, or its own id if there
	// is none. Only for Compat.
	Opposite string

	allowedBy                  string // the list in the file
	forwardMessage, forwardFix string // see ForwardOf
}

// Area is a part of outboxgen that reports findings.
type Area int

// The parts, in the order of docs/findings.md.
const (
	Generate Area = iota // loading schemas and generating files
	Lint                 // valid but risky schemas
	Contract             // how an event changed since an earlier version
	Compat               // how a schema changed since an earlier version
)

// Allowance says which policies allow a change.
type Allowance int

// From no policy to both.
const (
	Never     Allowance = iota // no policy
	Leniently                  // the lenient policy
	Always                     // both policies
)

// Uncompared is the id of a change that no compatibility rule covers. It counts as
// compatible but may still break a reader.
const Uncompared = "uncompared-keyword-changed"

// Renamed is the id of a renamed property, which is a warning where it counts as
// compatible.
const Renamed = "property-renamed"

// Group is a heading in the list of rules, with the rules under it.
type Group struct {
	Area  Area
	Title string
	Rules []Rule
}

// Groups returns all rules, in the order of the documentation. Callers must not change
// them.
func Groups() []Group { return book().groups }

// Canonical returns the current spelling of an id. Earlier releases wrote
// ENUM_CLOSED instead of enum-closed, and silence instead of suppression. Files may still
// use these spellings.
func Canonical(id string) string {
	id = strings.ReplaceAll(strings.ToLower(id), "_", "-")
	if rest, ok := strings.CutPrefix(id, "silence-"); ok {
		return "suppression-" + rest
	}
	return id
}

// Lookup finds a rule by its id, in any spelling that Canonical accepts.
func Lookup(id string) (Rule, bool) {
	r, ok := book().rules[Canonical(id)]
	return r, ok
}

// IDs returns the sorted ids of the rules of some areas, or of all areas if none is
// given.
func IDs(areas ...Area) []string {
	rules := book().rules
	ids := slices.Sorted(maps.Keys(rules))
	return slices.DeleteFunc(ids, func(id string) bool { return len(areas) > 0 && !slices.Contains(areas, rules[id].Area) })
}

// Index returns one line for each rule, under the headings of the documentation:
// its id and what it finds.
func Index() string {
	var b strings.Builder
	areas := [...]string{Generate: "Schemas", Lint: "Lint", Contract: "Changes of events", Compat: "Changes of schemas"}
	for i, g := range Groups() {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(areas[g.Area] + ": " + g.Title + "\n")
		for _, r := range g.Rules {
			b.WriteString("  " + r.ID + "  " + r.What + "\n")
		}
	}
	return b.String()
}

// Verdict returns the severity of the rule's findings or, for Compat, whether the change
// is compatible.
func (r Rule) Verdict() string {
	if r.Area != Compat {
		return r.Severity.String()
	}
	verdict := r.Allowed.verdict()
	switch {
	case r.Generated && r.Allowed == Leniently:
		verdict = "compatible; incompatible under the strict policy"
	case !r.Generated && r.Allowed == Always:
		verdict = "incompatible; compatible under the policies strict and lenient"
	}
	if forward := r.forwardVerdict(); forward != "" {
		verdict += "; " + forward
	}
	return verdict
}

func (a Allowance) verdict() string {
	switch a {
	case Always:
		return "compatible"
	case Leniently:
		return "incompatible; compatible under the lenient policy"
	case Never:
	}
	return "incompatible"
}

// Text describes the rule for a terminal.
func (r Rule) Text() string {
	return r.ID + ": " + r.Verdict() + "\n\n" + strings.ToUpper(r.What[:1]) + r.What[1:] + ".\n\n" + r.explain(indented) + "\n"
}

// markdown returns Text without its heading, in Markdown.
func (r Rule) markdown() string {
	language := "yaml"
	if r.Area == Compat {
		language = "json"
	}
	return r.explain(func(example string) string { return "```" + language + "\n" + example + "\n```" })
}

// explain returns the reason, the example and the fix. code formats an example.
func (r Rule) explain(code func(example string) string) string {
	parts := []string{r.Why}
	if r.Before != "" {
		from, to := "Example, from", "to"
		switch r.Area {
		case Generate, Lint:
			from, to = "Example", "Better"
		case Compat:
			from = "Example at level BACKWARD, from"
		case Contract:
		}
		parts = append(parts, from+":", code(r.Before), to+":", code(r.After))
	}
	if r.Fix != "" {
		parts = append(parts, "Fix: "+r.Fix+".")
	}
	return strings.Join(parts, "\n\n")
}

func indented(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }
