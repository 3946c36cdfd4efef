package normal

import (
	"errors"
	"sync"

	"github.com/outboxgen/outboxgen/generator/internal/ecma"
)

// Pattern is a regular expression of a schema, which Go may be able to match.
type Pattern struct {
	Text    string // as the schema has it
	Source  string // as package rule of the runtime reads it, "" if it has none
	Missing string // what Go lacks
	Broken  string // why it is no regular expression at all

	matcher *ecma.Matcher
}

// patterns keeps what NewPattern has read: the same pattern is asked for once
// for each member that it may describe.
var patterns sync.Map

// NewPattern reads the regular expression of a schema.
func NewPattern(text string) Pattern {
	if known, ok := patterns.Load(text); ok {
		return known.(Pattern)
	}
	p := Pattern{Text: text}
	translated, err := ecma.Translate(text)
	var wrong *ecma.Error
	switch {
	case errors.As(err, &wrong) && wrong.Broken:
		p.Broken = wrong.Reason
	case errors.As(err, &wrong):
		p.Missing = wrong.Reason
	default:
		p.Source, p.matcher = translated.String(), translated.Matcher()
	}
	patterns.Store(text, p)
	return p
}

// Known reports whether Go can match the pattern.
func (p Pattern) Known() bool { return p.matcher != nil }

// Match reports whether a part of text matches the pattern, which must be Known.
func (p Pattern) Match(text string) bool { return p.matcher.MatchString(text) }
