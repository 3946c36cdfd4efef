package deadletter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// progress is how far a partition was read, and which of its records were sent.
type progress struct {
	next, end int64
	sent      spans
}

// spans are the offsets of sent records: all below upTo, and those in the list, which
// is sorted and without adjacent spans.
type spans struct {
	upTo    int64
	beyond  []span
	changed bool
}

type span struct{ first, last int64 }

func (s *spans) has(offset int64) bool { return s.covers(offset, offset) }

func (s *spans) covers(first, last int64) bool {
	if last < s.upTo {
		return true
	}
	i := s.after(first)
	return i > 0 && last <= s.beyond[i-1].last
}

// after returns the index of the first span that begins after an offset.
func (s *spans) after(offset int64) int {
	i, _ := slices.BinarySearchFunc(s.beyond, offset+1, func(b span, first int64) int { return cmp.Compare(b.first, first) })
	return i
}

// add adds the offsets from first to last; none if last is smaller.
func (s *spans) add(first, last int64) {
	if first > last || s.covers(first, last) {
		return
	}
	s.changed = true
	// The new span takes the place of those that it touches, from i to j.
	i := s.after(first)
	if i > 0 && s.beyond[i-1].last+1 >= first {
		i--
		first = s.beyond[i].first
	}
	j := s.after(last + 1)
	if j > i {
		last = max(last, s.beyond[j-1].last)
	}
	s.beyond = slices.Replace(s.beyond, i, j, span{first, last})
	if s.beyond[0].first <= s.upTo {
		s.join()
	}
}

// raise is for a topic whose records below an offset were removed.
func (s *spans) raise(to int64) {
	s.upTo = max(s.upTo, to)
	s.join()
}

// join joins adjacent spans of the sorted list.
func (s *spans) join() {
	joined := s.beyond[:0]
	for _, b := range s.beyond {
		switch n := len(joined); {
		case b.first <= s.upTo:
			s.upTo = max(s.upTo, b.last+1)
		case n > 0 && b.first <= joined[n-1].last+1:
			joined[n-1].last = max(joined[n-1].last, b.last)
		default:
			joined = append(joined, b)
		}
	}
	s.beyond = joined
}

const spansPrefix = "sent="

// mostSpans is the brokers' default limit for the metadata of an offset, in bytes.
const mostSpans = 4000

// text returns the metadata for the spans after upTo, and the number of records that do
// not fit.
func (s *spans) text() (text string, forgotten int) {
	var b strings.Builder
	for _, at := range s.beyond {
		part := fmt.Sprintf("%d-%d", at.first, at.last)
		if b.Len()+len(part)+1 > mostSpans-len(spansPrefix) {
			forgotten += int(at.last - at.first + 1)
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(part)
	}
	if b.Len() == 0 {
		return "", forgotten
	}
	return spansPrefix + b.String(), forgotten
}

// parseSpans parses the result of text. It ignores what it does not understand: then
// records are sent again, and none is missed.
func parseSpans(upTo int64, metadata string) spans {
	s := spans{upTo: upTo}
	list, ok := strings.CutPrefix(metadata, spansPrefix)
	if !ok {
		return s
	}
	for part := range strings.SplitSeq(list, ",") {
		var at span
		if n, err := fmt.Sscanf(part, "%d-%d", &at.first, &at.last); err == nil && n == 2 && at.first >= upTo && at.first <= at.last {
			s.beyond = append(s.beyond, at)
		}
	}
	slices.SortFunc(s.beyond, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	return s
}
