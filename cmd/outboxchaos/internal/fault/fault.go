// Package fault decides from a seed which faults a run has, in which order, how
// long each lasts, and which come together.
package fault

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/instance"
)

// Kind is a kind of faults.
type Kind struct {
	Name     string
	About    string
	Points   []instance.Point // failpoints in the relay's work; nil: none
	Weathers []Weather        // of links; nil: none
	// Low and High limit how long it lasts; 0: it happens immediately.
	Low, High time.Duration
}

// Weather is what happens to a link.
type Weather string

// The weathers.
const (
	Delayed      Weather = "delayed"
	Cut          Weather = "cut"             // once
	Refused      Weather = "cut and refused" // for Hold
	HalfOpen     Weather = "half-open"       // answers are held back, then it is cut
	Silent       Weather = "silent"          // nothing passes, also on new connections, then it is cut
	SilentFlows  Weather = "silent, then it flows on"
	AnswersLater Weather = "answers are held, then flow on"
	// The long weathers last longer than a term, and longer than every time limit of a
	// call.
	LongSilent      Weather = "silent for long"
	LongSilentFlows Weather = "silent for long, then it flows on"
)

// List describes kinds of faults, one in each line, as -only accepts them.
func List(kinds []Kind) []string {
	var lines []string
	for _, k := range kinds {
		const width = 32
		line := fmt.Sprintf("%-*s %s", width, k.Name, k.About)
		if n := len(k.Points); n > 0 {
			line += fmt.Sprintf(" (%d points)", n)
		}
		var weathers []string
		for _, w := range k.Weathers {
			weathers = append(weathers, string(w))
		}
		if len(weathers) > 0 {
			line += ": " + strings.Join(weathers, "; ")
		}
		lines = append(lines, line)
	}
	return lines
}

// Fault is one fault.
type Fault struct {
	Kind    string // its name
	Point   instance.Point
	Weather Weather
	Hold    time.Duration

	low, high time.Duration // of Hold
}

func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.Kind)
	switch {
	case f.Point != "":
		fmt.Fprintf(&b, " at %s", f.Point)
	case f.Weather != "":
		fmt.Fprintf(&b, ": %s", f.Weather)
	}
	if f.Hold > 0 {
		fmt.Fprintf(&b, ", %s", f.Hold.Round(100*time.Millisecond))
	}
	return b.String()
}

// Step has the faults that happen together, and the pause after them.
type Step struct {
	Faults []Fault
	Rest   time.Duration
}

// Schedule returns steps without end. Every fault happens once before any happens
// again.
type Schedule struct {
	rand *rand.Rand
	bag  []Fault
	from []Fault
}

// New returns the schedule of a seed. If beginnings are given, only faults whose
// description starts with one of them happen: "kill the leader at send:", or "none".
func New(seed uint64, kinds []Kind, only ...string) *Schedule {
	const stream = 1
	s := &Schedule{rand: rand.New(rand.NewPCG(seed, stream)), from: faults(kinds)}
	if len(only) > 0 {
		s.from = slices.DeleteFunc(s.from, func(f Fault) bool {
			return !slices.ContainsFunc(only, func(begin string) bool { return strings.HasPrefix(f.String(), begin) })
		})
	}
	return s
}

// Next returns the next step.
func (s *Schedule) Next() Step {
	n := 1
	switch s.rand.IntN(10) {
	case 0:
		n = 3
	case 1, 2:
		n = 2
	}
	var step Step
	if len(s.from) == 0 {
		n = 0
	}
	for range n {
		f := s.draw()
		if f.high > 0 {
			f.Hold = f.low + time.Duration(s.rand.Int64N(int64(f.high-f.low)))
		}
		step.Faults = append(step.Faults, f)
	}
	step.Rest = time.Duration(s.rand.Int64N(int64(2 * time.Second)))
	return step
}

func (s *Schedule) draw() Fault {
	if len(s.bag) == 0 {
		s.bag = append(s.bag, s.from...)
		s.rand.Shuffle(len(s.bag), func(i, j int) { s.bag[i], s.bag[j] = s.bag[j], s.bag[i] })
	}
	f := s.bag[len(s.bag)-1]
	s.bag = s.bag[:len(s.bag)-1]
	return f
}

// faults lists every fault of the kinds.
func faults(kinds []Kind) []Fault {
	var out []Fault
	for _, k := range kinds {
		plain := Fault{Kind: k.Name, low: k.Low, high: k.High}
		for _, p := range k.Points {
			f := plain
			f.Point = p
			out = append(out, f)
		}
		for _, w := range k.Weathers {
			f := plain
			f.Weather = w
			if w == LongSilent || w == LongSilentFlows {
				f.low, f.high = 4*time.Second, 12*time.Second
			}
			out = append(out, f)
		}
		if k.Points == nil && k.Weathers == nil {
			out = append(out, plain)
		}
	}
	return out
}
