package diag

import (
	"maps"
	"slices"
	"strings"
)

// rule is one kind of finding.
type rule struct {
	id       string
	severity Severity
	what     string // is wrong, in a few words
	why      string // it is a problem, or what becomes of it
	instead  string // what to write
	// bad is an example in which this is found, and good the same corrected: a
	// property of an event, a whole schema, or a project as a txtar archive.
	bad, good string
}

// Explanation is what the catalogue says about one kind of finding.
type Explanation struct {
	ID string
	// Severity is that of most such findings: what is an error in the schema of
	// an event may be a warning in a file that describes none.
	Severity Severity
	// What is wrong, in a few words.
	What string
	// Why says what the problem is, or what becomes of the schema.
	Why string
	// Instead says what to write.
	Instead string
	// Bad and Good are an example in YAML, and the same corrected: a property of an
	// event where it begins with "x:", else whole files, each after its name as
	// in "-- a.yaml --" where there are several. Both are empty where no schema
	// alone shows it.
	Bad, Good string
}

// Explain looks up an id, in any case and with - or _ between its words.
func Explain(id string) (Explanation, bool) {
	r, ok := rules[strings.ReplaceAll(strings.ToLower(id), "_", "-")]
	if !ok {
		return Explanation{}, false
	}
	return Explanation{ID: r.id, Severity: r.severity, What: r.what, Why: r.why, Instead: r.instead, Bad: r.bad, Good: r.good}, true
}

// IDs is every id of a finding about schemas, the config and what surrounds
// them, sorted. Changes between versions and the rules of style have catalogues
// of their own.
func IDs() []string { return slices.Sorted(maps.Keys(rules)) }

var rules = catalogue()

func catalogue() map[string]*rule {
	all := map[string]*rule{}
	for _, group := range [][]rule{fileRules(), keywordRules(), referenceRules(), eventRules(), configRules(), typeRules(), valueRules(), goRules(), tableRules()} {
		for _, r := range group {
			if _, twice := all[r.id]; twice {
				panic("diag: two rules " + r.id)
			}
			all[r.id] = &r
		}
	}
	return all
}
