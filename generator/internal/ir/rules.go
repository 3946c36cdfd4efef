package ir

import "cmp"

// Rules is what a schema says of a value and no Go type can: a set of package
// rule.
type Rules struct {
	Var   string  // Go name of the variable that holds them
	Rules []*Rule // each holds for the value
	Defs  []*Rule // that references lead to, by key
	// DefsVar is the Go name of the variable that holds Defs among the Definitions
	// of the file; "" if no other rules need any.
	DefsVar string
}

// Definitions is what references of several rules in a file lead to.
type Definitions struct {
	Var  string
	Defs []*Rule // by key
}

// DefKey returns the name of a definition in references.
func (r *Rule) DefKey() string { return cmp.Or(r.Key, r.Place) }

// Rule is one schema of package rule.
type Rule struct {
	Place string // path of the file, # and JSON Pointer
	Key   string // that references name, "" if it is the place
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

// Literal is a number, true, a string or JSON documents as a rule holds them.
type Literal struct {
	Kind LiteralKind
	Text []string
}

// LiteralKind tells literals apart.
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
