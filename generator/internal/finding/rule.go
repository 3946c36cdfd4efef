package finding

import (
	"maps"
	"slices"
	"strings"
)

// Rule is what there is to say about one kind of finding.
type Rule struct {
	// ID names the rule, in lower-case words joined by hyphens. It is stable across
	// releases.
	ID string
	// Severity is that of most of its findings. The level of a lint rule can be set
	// in the config, and what is an error in the schema of an event may be a warning
	// in a file that describes none.
	Severity Severity
	// What is found, in a few words.
	What string
	// Why says why that matters, or what becomes of the schema.
	Why string
	// Before and After are an example: what is wrong and how it is right, or, for
	// Contract and Compat, the two versions. Both are empty if no example shows it.
	// An example of Generate is a property of an event if it begins with "x:", else
	// whole files, each after its name as in "-- a.yaml --" if there are several.
	Before, After string
	// Fix says what to write or do; empty if nothing has to be done.
	Fix string

	// Area says who finds it.
	Area Area
	// Allowed says which policies call the change compatible; of Compat.
	Allowed Allowance
	// Message is the format of a message; READER and WRITER in it stand for the
	// two schemas. Of Compat.
	Message string
}

// Area is a part of outboxgen that finds something.
type Area int

// The parts, in the order of docs/findings.md.
const (
	Generate Area = iota // loading, generating, and comparing with what is on disk
	Lint                 // what is valid but risky
	Contract             // what became of an event since an earlier version
	Compat               // what changed in a schema since an earlier version
)

// Allowance says which policies call a change compatible.
type Allowance int

// From no policy to all.
const (
	Never     Allowance = iota // no policy
	Leniently                  // the lenient policy
	Always                     // both policies
)

// Uncompared is the id of the change that no rule of compatibility judges: it
// counts as compatible and may still break a reader.
const Uncompared = "uncompared-keyword-changed"

// Group is a heading in the list of rules, with the rules under it.
type Group struct {
	Area  Area
	Title string
	Rules []Rule
}

// Groups is every rule, in the order of the documentation.
func Groups() []Group {
	all := []Group{
		{Generate, "Files", fileRules()},
		{Generate, "Keywords", keywordRules()},
		{Generate, "References", referenceRules()},
		{Generate, "Events", eventRules()},
		{Generate, "Project file", configRules()},
		{Generate, "Types", typeRules()},
		{Generate, "Values", valueRules()},
		{Generate, "Go package", goRules()},
		{Generate, "Tables", tableRules()},
		{Lint, "Names", lintNamingRules()},
		{Lint, "Descriptions", lintDescriptionRules()},
		{Lint, "Values", lintValueRules()},
		{Lint, "Times", lintTimeRules()},
		{Lint, "Keys", lintKeyRules()},
		{Lint, "Growth", lintGrowthRules()},
		{Lint, "Silences", lintSilenceRules()},
		{Contract, "Events", contractEventRules()},
		{Contract, "On the wire", contractWireRules()},
		{Contract, "Earlier versions", contractBeforeRules()},
		{Contract, "Generated files", contractOutputRules()},
		{Compat, "Types", compatTypeRules()},
		{Compat, "Combinations", compatCombinationRules()},
		{Compat, "Values", compatValueRules()},
		{Compat, "Properties", compatPropertyRules()},
		{Compat, "Objects", compatObjectRules()},
		{Compat, "Arrays", compatItemRules()},
		{Compat, "Bounds", compatLimitRules()},
	}
	for _, g := range all {
		for i := range g.Rules {
			r := &g.Rules[i]
			r.Area = g.Area
			if g.Area == Compat && r.Allowed == Always && r.Severity == Error {
				r.Severity = Note
			}
		}
	}
	return all
}

var rules = func() map[string]Rule {
	all := map[string]Rule{}
	for _, g := range Groups() {
		for _, r := range g.Rules {
			all[r.ID] = r
		}
	}
	return all
}()

// Canonical is the spelling of an id in this release. Earlier versions had
// ENUM_CLOSED for what is enum-closed now, and files may still say that.
func Canonical(id string) string { return strings.ReplaceAll(strings.ToLower(id), "_", "-") }

// Lookup finds a rule by its id in any spelling that Canonical takes.
func Lookup(id string) (Rule, bool) {
	r, ok := rules[Canonical(id)]
	return r, ok
}

// IDs is the id of every rule of some areas, or of all areas if none is given,
// sorted.
func IDs(areas ...Area) []string {
	ids := slices.Sorted(maps.Keys(rules))
	return slices.DeleteFunc(ids, func(id string) bool { return len(areas) > 0 && !slices.Contains(areas, rules[id].Area) })
}

// Verdict says how the findings of the rule count: a severity, or whether a
// change of a schema is compatible.
func (r Rule) Verdict() string {
	switch {
	case r.Area != Compat:
		return r.Severity.String()
	case r.Allowed == Always:
		return "compatible"
	case r.Allowed == Leniently:
		return "incompatible under the strict policy, compatible under the lenient one"
	}
	return "incompatible"
}

// Text is all that there is to say, for a person to read.
func (r Rule) Text() string {
	return r.ID + ": " + r.Verdict() + "\n\n" + strings.ToUpper(r.What[:1]) + r.What[1:] + ".\n\n" + r.explain(indented) + "\n"
}

// markdown is Text without its heading, in Markdown.
func (r Rule) markdown() string {
	language := "yaml"
	if r.Area == Compat {
		language = "json"
	}
	return r.explain(func(example string) string { return "```" + language + "\n" + example + "\n```" })
}

// explain is the reason, the example and the fix; code sets an example apart.
func (r Rule) explain(code func(example string) string) string {
	parts := []string{r.Why}
	if r.Before != "" {
		from, to := "For example, from", "to"
		switch r.Area {
		case Generate, Lint:
			from, to = "For example", "is better written"
		case Compat:
			from = "For example, at level BACKWARD, from"
		case Contract:
		}
		parts = append(parts, from, code(strings.TrimRight(r.Before, "\n")), to, code(strings.TrimRight(r.After, "\n")))
	}
	if r.Fix != "" {
		parts = append(parts, "Instead: "+r.Fix+".")
	}
	return strings.Join(parts, "\n\n")
}

func indented(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }
