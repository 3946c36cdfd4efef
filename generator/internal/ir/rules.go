package ir

import "cmp"

// Rules is the part of a schema that no Go type can express: a set of package rule.
type Rules struct {
	Var   string  // Go name of the variable that holds them
	Rules []*Rule // each applies to the value
	Defs  []*Rule // targets of references, by key
	// DefsVar is the Go name of the variable that holds Defs among the Definitions of
	// the file; "" if no other rules need them.
	DefsVar string
}

// Definitions are the shared targets of references in several rules of a file.
type Definitions struct {
	Var  string
	Defs []*Rule // by key
}

// DefKey returns the name of a definition in references.
func (r *Rule) DefKey() string { return cmp.Or(r.Key, r.Place) }

// Rule is one schema of package rule.
type Rule struct {
	Place string // path of the file, # and JSON Pointer
	Key   string // the key of references, "" if it is the place
	Words []Word
}

// Word is a field of a rule: the keyword, and a Literal, a *Rule, a []*Rule, a
// []Entry or a []string.
type Word struct {
	Keyword string
	Value   any
}

// Entry is a named part of a rule: a *Rule or a []string.
type Entry struct {
	Name  string
	Value any
}

// Literal is a number, true, a string or JSON documents in a rule.
type Literal struct {
	Kind LiteralKind
	Text []string
}

// LiteralKind is the kind of a literal.
type LiteralKind int

// The kinds of literals.
const (
	CountLiteral LiteralKind = iota // an int
	LimitLiteral                    // a *int
	TrueLiteral
	TextLiteral
	JSONLiteral
	JSONListLiteral
)
