package deadletter

import (
	"math/rand/v2"
	"testing"
)

// Offsets that were sent are kept when they are written and read again, in any order,
// and no others are.
func TestSpansRememberWhatWasSent(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		start := rng.Int64N(5)
		s := spans{upTo: start}
		sent := map[int64]bool{}
		for range rng.IntN(40) {
			offset := start + rng.Int64N(30)
			last := offset + rng.Int64N(3)
			s.add(offset, last)
			for ; offset <= last; offset++ {
				sent[offset] = true
			}
			text, forgotten := s.text()
			if forgotten != 0 {
				t.Fatalf("seed %d: %d forgotten", seed, forgotten)
			}
			changed := s.changed
			s = parseSpans(s.upTo, text)
			s.changed = changed
		}
		gone := start + rng.Int64N(10)
		s.raise(gone)
		for offset := range start + 40 {
			if want := offset < gone || sent[offset]; s.has(offset) != want && offset >= start {
				t.Fatalf("seed %d: offset %d: %v, and should be %v: %+v", seed, offset, s.has(offset), want, s)
			}
		}
	}
}

// The brokers keep a limited number of spans. Those beyond the limit are counted.
func TestTooManyGaps(t *testing.T) {
	t.Parallel()
	s := spans{}
	for offset := int64(1); offset < 4000; offset += 2 {
		s.add(offset, offset)
	}
	text, forgotten := s.text()
	again := parseSpans(0, text)
	remembered := 0
	for offset := range int64(4000) {
		if again.has(offset) {
			remembered++
			if offset%2 == 0 {
				t.Fatalf("%d was not sent", offset)
			}
		}
	}
	if len(text) > mostSpans || remembered == 0 || remembered+forgotten != 2000 {
		t.Errorf("%d bytes, %d remembered, %d forgotten", len(text), remembered, forgotten)
	}
}

// Metadata that somebody else wrote is no error.
func TestSpansOfSomebodyElse(t *testing.T) {
	t.Parallel()
	for _, metadata := range []string{"", "x", "sent=", "sent=,", "sent=9-5", "sent=-1-3", "sent=1-2", "sent=a-b,12-13"} {
		s := parseSpans(10, metadata)
		for offset := range int64(20) {
			if want := offset < 10 || metadata == "sent=a-b,12-13" && (offset == 12 || offset == 13); s.has(offset) != want {
				t.Errorf("%q: offset %d: %v", metadata, offset, s.has(offset))
			}
		}
	}
}

// Each add looks at a few spans only. If it looked at all, this would take hours.
func TestManySpans(t *testing.T) {
	t.Parallel()
	const most = 2_000_000
	s := spans{}
	for offset := int64(1); offset < most; offset += 2 {
		s.add(offset, offset)
	}
	if len(s.beyond) != most/2 || !s.has(most-1) || s.has(most-2) {
		t.Errorf("%d spans", len(s.beyond))
	}
	s.add(0, most)
	if s.upTo != most+1 || len(s.beyond) != 0 {
		t.Errorf("all up to %d, and %d spans", s.upTo, len(s.beyond))
	}
}
