// Package syntax parses the regular expressions of ECMA-262: [Check] checks a text with
// the flag u, and [Parse] makes a tree for package ecma and the generator.
//
// Parse accepts more than ECMA-262 with the flag u, because schemas are written for
// many engines. It accepts
//
//   - the escapes that the flag forbids, such as \- and \_, for the character that
//     they escape, and { } ] without a backslash for themselves, as Annex B does;
//   - a - beside a set in a class, as in [\w-.], for itself, and a look-around with
//     a repeat, as Annex B does;
//   - ^, $, \b and \B with a repeat, as Go does;
//   - names of groups that are there twice, as later editions do in part;
//   - \A for ^, \z for $, (?P<name>…), the flags i and s in (?i), (?i-s) and
//     (?i:…), and scripts without their key, as in \p{Greek}.
//
// Everything else means the same to both. In particular [] matches no character and [^]
// any; in Go and others a class may begin with a ].
package syntax

import "fmt"

// Op is the kind of a node.
type Op int

// The kinds of nodes.
const (
	Set          Op = iota // one character of a set
	Begin                  // ^
	End                    // $
	Word                   // \b, or with Not \B
	Reference              // the text that a group matched
	Flags                  // (?i) up to the end of the group
	Sequence               // Subs, one after the other
	Alternatives           // one of Subs
	Group                  // Subs[0] in brackets
	Repeat                 // Subs[0], from Min to Max times
	Look                   // a look-ahead or look-behind for Subs[0]
)

// Node is a part of an expression.
type Node struct {
	Op Op
	// Pos and End are its place: the text from Pos up to End, in bytes.
	Pos, End int
	// Text is a Set, Word or Flags in the syntax of package regexp, the beginning of a
	// Group, or the name of a named Reference.
	Text string
	Subs []*Node
	// Fold means that a Set ignores case.
	Fold bool
	// Min and Max are the counts of a Repeat. Max < 0 is no limit.
	Min, Max int
	Lazy     bool
	Behind   bool // of a Look
	Not      bool // of a Look or Word
	// Index is the group of a Reference in Tree.Captures, which may not have it.
	Index int
}

// Tree is an expression.
type Tree struct {
	Root       *Node
	Captures   []*Node // the groups that have a number, by their numbers from 1
	References []*Node
	Flagged    bool // it sets flags
}

// Error says why a text is not a valid expression.
type Error struct {
	// Reason is the obstacle, as the object of "has" or after a colon: "a back
	// reference".
	Reason string
	// Offset is the place in the text, in bytes.
	Offset int
	// Broken means that the text is not a regular expression in any dialect.
	Broken bool
}

func (e *Error) Error() string { return fmt.Sprintf("%s, at offset %d", e.Reason, e.Offset) }
