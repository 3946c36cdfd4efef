package finding

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// maxSuggestLen limits the names that are compared: a longer name is never a suggestion.
const maxSuggestLen = 64

// Closest returns the candidate that is most similar to name, or "" if none is
// similar: at most one edit for every three characters, ignoring case, hyphens and
// underscores. Of equals the first in byte order wins.
func Closest(name string, candidates []string) string {
	folded := fold(name)
	if folded == "" || len(name) > maxSuggestLen {
		return ""
	}
	best, bestDistance := "", max(1, utf8.RuneCountInString(folded)/3)+1
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if c == name || len(c) > maxSuggestLen {
			continue
		}
		if d := distance(folded, fold(c), bestDistance); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// DidYouMean returns `did you mean "x"?` for the closest candidate, or "".
func DidYouMean(name string, candidates []string) string {
	if c := Closest(name, candidates); c != "" {
		return "did you mean " + Quote(c) + "?"
	}
	return ""
}

func fold(s string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s))
}

// distance returns the number of insertions, deletions, substitutions and swaps of
// neighbors between a and b, but at most limit.
func distance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) >= limit || len(y)-len(x) >= limit {
		return limit
	}
	before, previous, current := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := range x {
		current[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			current[j+1] = min(previous[j+1]+1, current[j]+1, previous[j]+cost)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				current[j+1] = min(current[j+1], before[j-1]+1)
			}
		}
		before, previous, current = previous, current, before
	}
	return min(previous[len(y)], limit)
}
