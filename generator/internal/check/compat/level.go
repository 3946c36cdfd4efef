package compat

import (
	"fmt"
	"slices"
	"strings"
)

// Level says which readers have to understand which data. Its values are those of
// Confluent's registry.
type Level string

// The levels. The transitive ones compare a schema with every earlier version, the
// others only with the latest one.
const (
	None               Level = "NONE"                // no comparison
	Backward           Level = "BACKWARD"            // the new schema reads what the old one wrote
	Forward            Level = "FORWARD"             // the old schema reads what the new one writes
	Full               Level = "FULL"                // both
	BackwardTransitive Level = "BACKWARD_TRANSITIVE" // BACKWARD against every earlier version
	ForwardTransitive  Level = "FORWARD_TRANSITIVE"  // FORWARD against every earlier version
	FullTransitive     Level = "FULL_TRANSITIVE"     // FULL against every earlier version
)

// Levels returns every level, the laxest first.
func Levels() []Level {
	return []Level{None, Backward, BackwardTransitive, Forward, ForwardTransitive, Full, FullTransitive}
}

// ParseLevel parses a level in any case, with - or _.
func ParseLevel(text string) (Level, error) {
	level := Level(strings.ReplaceAll(strings.ToUpper(text), "-", "_"))
	if slices.Contains(Levels(), level) {
		return level, nil
	}
	return "", fmt.Errorf("unknown compatibility level %q; the levels are NONE, BACKWARD, FORWARD and FULL; the last three may end in _TRANSITIVE", text)
}

// Transitive reports whether every earlier version counts.
func (l Level) Transitive() bool { return strings.HasSuffix(string(l), "_TRANSITIVE") }

// Covers reports whether the level checks all that another level checks.
func (l Level) Covers(other Level) bool {
	for _, d := range other.directions() {
		if !slices.Contains(l.directions(), d) {
			return false
		}
	}
	return l.Transitive() || !other.Transitive()
}

// directions returns the directions that the level checks.
func (l Level) directions() []Direction {
	switch Level(strings.TrimSuffix(string(l), "_TRANSITIVE")) {
	case Backward:
		return []Direction{NewReadsOld}
	case Forward:
		return []Direction{OldReadsNew}
	case Full:
		return []Direction{NewReadsOld, OldReadsNew}
	}
	return nil
}

// Policy says how to treat objects that allow undeclared properties.
type Policy string

// The policies. Strict: in an open object, old data may have any value under a name
// that the new schema declares. Lenient: writers use no undeclared names, and readers
// skip them.
const (
	Strict  Policy = "strict"
	Lenient Policy = "lenient"
	// Generated is what readers do that outboxgen generates. They keep undeclared
	// properties of open objects and reject those of closed ones, and do not fill in
	// defaults. It assumes that the name of a new property was not used before. It is not a
	// policy of the registry.
	Generated Policy = "generated"
	// GeneratedSpec is Generated for readers with validation: spec, which do not check
	// formats. A project cannot write it.
	GeneratedSpec Policy = "generated, validation: spec"
)

// For returns the policy for readers of a project. spec is true for validation: spec.
func (p Policy) For(spec bool) Policy {
	if spec && p == Generated {
		return GeneratedSpec
	}
	return p
}

// ParsePolicy parses a policy in any case.
func ParsePolicy(text string) (Policy, error) {
	switch p := Policy(strings.ToLower(text)); p {
	case Generated, Lenient, Strict:
		return p, nil
	case GeneratedSpec:
	}
	return "", fmt.Errorf("unknown compatibility policy %q; the policies are generated, lenient and strict", text)
}

// Direction says who reads whose data.
type Direction string

// The two directions.
const (
	NewReadsOld Direction = "backward"
	OldReadsNew Direction = "forward"
)

// reader is the reader's schema in a sentence.
func (d Direction) reader() string {
	if d == OldReadsNew {
		return "the old schema"
	}
	return "the new schema"
}
