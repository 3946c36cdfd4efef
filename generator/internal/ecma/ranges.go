package ecma

import (
	gosyntax "regexp/syntax"
	"slices"
	"unicode"

	"github.com/outboxgen/outboxgen/runtime/ecma/syntax"
)

// rangesOf returns the characters of a set, as pairs of the first and the last of a
// range.
func rangesOf(text string) []rune { return syntax.Ranges(text, false) }

func complement(ranges []rune) []rune {
	var out []rune
	next := rune(0)
	for i := 0; i < len(ranges); i += 2 {
		if ranges[i] > next {
			out = append(out, next, ranges[i]-1)
		}
		next = ranges[i+1] + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, next, unicode.MaxRune)
	}
	return out
}

func intersection(a, b []rune) []rune {
	var out []rune
	for len(a) > 0 && len(b) > 0 {
		if low, high := max(a[0], b[0]), min(a[1], b[1]); low <= high {
			out = append(out, low, high)
		}
		if a[1] < b[1] {
			a = a[2:]
		} else {
			b = b[2:]
		}
	}
	return out
}

func without(a, b []rune) []rune { return intersection(a, complement(b)) }

// setText returns an expression for one of the characters in ranges.
func setText(ranges []rune) string {
	if len(ranges) == 0 {
		return syntax.Never
	}
	if slices.Equal(ranges, []rune{0, unicode.MaxRune}) {
		return syntax.Any
	}
	return (&gosyntax.Regexp{Op: gosyntax.OpCharClass, Rune: ranges}).String()
}
