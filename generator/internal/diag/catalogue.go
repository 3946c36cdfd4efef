package diag

import (
	"maps"
	"slices"
	"strings"
)

// Explanation is what the catalogue says about the ID of a diagnostic: of what
// is wrong with a schema, the config or a migration by itself.
type Explanation struct {
	ID       string
	Severity Severity // where it has several, the gravest
	What     string   // is found, in a few words
	Why      string   // it matters
	Instead  string   // what to do
}

// Explain looks up an ID, in any case and with - or _ between its words.
func Explain(id string) (Explanation, bool) {
	e, ok := explanations[strings.ReplaceAll(strings.ToLower(id), "_", "-")]
	return e, ok
}

// IDs is every ID that diagnostics have, sorted.
func IDs() []string { return slices.Sorted(maps.Keys(explanations)) }

var explanations = catalogue()

func catalogue() map[string]Explanation {
	all := map[string]Explanation{}
	return all
}
