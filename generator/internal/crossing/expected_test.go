package crossing

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Expected has the known failures: for each kind, the reason and the places of each
// constraint.
type Expected map[Kind]*Group

// Group is what fails in one way.
type Group struct {
	Reason string
	places map[string]map[string]bool // constraint -> places
}

// unexplained is the placeholder for a reason.
const unexplained = "TODO: say why"

// ParseExpected reads the text that String writes: a line "[kind] reason" for
// each group, and under it a line "constraint: place place …" for each
// constraint. Lines that begin with # are comments.
func ParseExpected(text string) (Expected, error) {
	out := Expected{}
	var group *Group
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			kind, reason, ok := strings.Cut(line[1:], "] ")
			if !ok || out[Kind(kind)] != nil || reason == unexplained {
				return nil, fmt.Errorf("line %d: want [kind] reason, and each kind once: %s", number, line)
			}
			group = &Group{Reason: reason, places: map[string]map[string]bool{}}
			out[Kind(kind)] = group
		default:
			constraint, places, ok := strings.Cut(line, ": ")
			if !ok || group == nil {
				return nil, fmt.Errorf("line %d: want constraint: place place …: %s", number, line)
			}
			for place := range strings.FieldsSeq(places) {
				group.put(constraint, place)
			}
		}
	}
	return out, nil
}

func (g *Group) put(constraint, place string) {
	if g.places[constraint] == nil {
		g.places[constraint] = map[string]bool{}
	}
	g.places[constraint][place] = true
}

// Has reports whether a schema is known to fail in a way.
func (e Expected) Has(kind Kind, s Schema) bool {
	return e[kind] != nil && e[kind].places[s.Constraint][s.Place]
}

// Update replaces the entries of the schemas that were run, and keeps the others.
func (e Expected) Update(ran []Schema, failures []Failure) {
	for _, s := range ran {
		for _, g := range e {
			delete(g.places[s.Constraint], s.Place)
		}
	}
	for _, f := range failures {
		if f.Kind.Documented() {
			continue
		}
		if e[f.Kind] == nil {
			e[f.Kind] = &Group{Reason: unexplained, places: map[string]map[string]bool{}}
		}
		e[f.Kind].put(f.Schema.Constraint, f.Schema.Place)
	}
}

// Fixed returns the entries of schemas that were run and did not fail in this way.
func (e Expected) Fixed(ran []Schema, failures []Failure) []string {
	failed := map[string]bool{}
	for _, f := range failures {
		failed[string(f.Kind)+": "+f.Schema.Name()] = true
	}
	var out []string
	for _, s := range ran {
		for kind := range e {
			if name := string(kind) + ": " + s.Name(); e.Has(kind, s) && !failed[name] {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// String returns e as a file, the largest group first.
func (e Expected) String() string {
	var b strings.Builder
	b.WriteString("# What the crossing test knows to fail: [kind] reason, then the places of each\n" +
		"# constraint. `make crossing ARGS=-update` writes it anew; reasons are kept.\n")
	kinds := slices.SortedFunc(maps.Keys(e), func(a, b Kind) int {
		return cmp.Or(cmp.Compare(e[b].size(), e[a].size()), cmp.Compare(a, b))
	})
	for _, kind := range kinds {
		g := e[kind]
		if g.size() == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n[%s] %s\n", kind, g.Reason)
		for _, constraint := range slices.Sorted(maps.Keys(g.places)) {
			if places := slices.Sorted(maps.Keys(g.places[constraint])); len(places) > 0 {
				fmt.Fprintf(&b, "%s: %s\n", constraint, strings.Join(places, " "))
			}
		}
	}
	return b.String()
}

func (g *Group) size() int {
	n := 0
	for _, places := range g.places {
		n += len(places)
	}
	return n
}
