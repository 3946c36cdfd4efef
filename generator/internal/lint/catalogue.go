package lint

import (
	"maps"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
)

// rule is one thing that is looked for.
type rule struct {
	id       string
	severity diag.Severity // unless the config says otherwise
	what     string        // is found, in a few words
	why      string        // it matters, and to whom
	bad      string        // members of an event schema in which it is found
	good     string        // the same, corrected
	instead  string        // how to fix it
}

// Explanation is what the catalogue says about one id.
type Explanation struct {
	ID string
	// Severity is that of the findings, unless the config gives another.
	Severity diag.Severity
	// What is found, in a few words.
	What string
	// Why says why it matters, and to whom.
	Why string
	// Bad and Good are an example: members of an event schema, in YAML, in which
	// this is found, and the same corrected.
	Bad, Good string
	// Instead says how to fix it.
	Instead string
}

// Explain looks up an id, in any case and with - or _ between its words.
func Explain(id string) (Explanation, bool) {
	r, ok := rules[strings.ReplaceAll(strings.ToUpper(id), "-", "_")]
	if !ok {
		return Explanation{}, false
	}
	return Explanation{ID: r.id, Severity: r.severity, What: r.what, Why: r.why, Bad: r.bad, Good: r.good, Instead: r.instead}, true
}

// IDs is every id that Lint uses, sorted.
func IDs() []string { return slices.Sorted(maps.Keys(rules)) }

var rules = catalogue()

func catalogue() map[string]*rule {
	all := map[string]*rule{}
	for _, group := range [][]rule{namingRules(), descriptionRules(), valueRules(), timeRules(), keyRules(), growthRules(), silenceRules()} {
		for _, r := range group {
			if _, twice := all[r.id]; twice {
				panic("lint: two rules " + r.id)
			}
			all[r.id] = &r
		}
	}
	return all
}
