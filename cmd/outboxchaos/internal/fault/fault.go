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

// Kind says what goes wrong.
type Kind string

// The kinds.
const (
	KillAtStage     Kind = "kill the leader"            // at Point
	StopAtStage     Kind = "stop the leader"            // at Point, for Hold, past its term
	KillAtTakeOver  Kind = "kill the next leader"       // at Point, after killing the leader
	StopAtTakeOver  Kind = "stop the next leader"       // the same
	KillAtRelease   Kind = "kill a leader that ends"    // at Point
	KillAnywhere    Kind = "kill the leader anywhere"   //
	KillAll         Kind = "kill all relays"            //
	StopAnywhere    Kind = "stop the leader anywhere"   // for Hold
	EndLeader       Kind = "end the leader in order"    //
	KillConsumer    Kind = "kill the consumer"          //
	RestartPostgres Kind = "restart Postgres fast"      //
	CrashPostgres   Kind = "restart Postgres immediate" //
	EndSessions     Kind = "end the relay's sessions"   // pg_terminate_backend
	StopKafka       Kind = "stop Kafka"                 // for Hold
	KillKafka       Kind = "kill Kafka"                 // for Hold
	KillRedis       Kind = "kill Redis"                 // for Hold
	FlushRedis      Kind = "flush Redis"                //
	LockTable       Kind = "lock the table"             // for Hold, beyond the statement timeout
	LockLease       Kind = "lock the lease row"         // for Hold
	DeleteTopic     Kind = "delete a topic"             // and make it again after Hold
	CloseTopic      Kind = "forbid writing a topic"     // for Hold
	CutWriters      Kind = "cut the writers off"        //
	KafkaLink       Kind = "the leader's way to Kafka"  // has Weather, for Hold
	PostgresLink    Kind = "the leader's way to Postgres"
	KafkaLinks      Kind = "all ways to Kafka"
)

// Weather is what a link goes through.
type Weather string

// The weathers.
const (
	Delayed      Weather = "delayed"
	Cut          Weather = "cut"             // once
	Refused      Weather = "cut and refused" // for Hold
	HalfOpen     Weather = "half-open"       // answers do not come, then it is cut
	Silent       Weather = "silent"          // nothing passes, then it is cut
	SilentFlows  Weather = "silent, then it flows on"
	AnswersLater Weather = "answers are held, then flow on"
)

// Fault is one fault.
type Fault struct {
	Kind    Kind
	Point   instance.Point
	Weather Weather
	Hold    time.Duration
}

func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(string(f.Kind))
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

// Step is faults that come together, and the rest after them.
type Step struct {
	Faults []Fault
	Rest   time.Duration
}

// Schedule yields steps without end. Every fault comes once before any comes a
// second time.
type Schedule struct {
	rand *rand.Rand
	bag  []Fault
	from []Fault
}

// New returns the schedule of a seed. Only faults that are written like one of the
// beginnings come, if any are given: "kill the leader at send:", or "none".
func New(seed uint64, only ...string) *Schedule {
	const stream = 1
	s := &Schedule{rand: rand.New(rand.NewPCG(seed, stream)), from: all()}
	if len(only) > 0 {
		s.from = nil
		for _, f := range all() {
			if slices.ContainsFunc(only, func(begin string) bool { return strings.HasPrefix(f.String(), begin) }) {
				s.from = append(s.from, f)
			}
		}
	}
	return s
}

// Next is the next step.
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
		f.Hold = s.hold(f.Kind)
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

// hold is how long a fault lasts, where that is to be decided.
func (s *Schedule) hold(k Kind) time.Duration {
	between := func(low, high time.Duration) time.Duration {
		return low + time.Duration(s.rand.Int64N(int64(high-low)))
	}
	switch k {
	case StopAtStage, StopAtTakeOver, StopAnywhere:
		return between(time.Second, 7*time.Second) // the term is 3s
	case StopKafka, KillKafka, KillRedis:
		return between(0, 4*time.Second)
	case LockTable, LockLease:
		return between(500*time.Millisecond, 5*time.Second)
	case DeleteTopic, CloseTopic, KafkaLink, PostgresLink, KafkaLinks:
		return between(500*time.Millisecond, 6*time.Second)
	}
	return 0
}

// all lists every fault.
func all() []Fault {
	var out []Fault
	for _, p := range instance.Stages() {
		out = append(out, Fault{Kind: KillAtStage, Point: p}, Fault{Kind: StopAtStage, Point: p})
	}
	for _, p := range instance.TakeOverStages() {
		out = append(out, Fault{Kind: KillAtTakeOver, Point: p}, Fault{Kind: StopAtTakeOver, Point: p})
	}
	for _, p := range instance.ReleaseStages() {
		out = append(out, Fault{Kind: KillAtRelease, Point: p})
	}
	for _, k := range []Kind{
		KillAnywhere, KillAll, StopAnywhere, EndLeader, KillConsumer, RestartPostgres, CrashPostgres, EndSessions, StopKafka,
		KillKafka, KillRedis, FlushRedis, LockTable, LockLease, DeleteTopic, CloseTopic, CutWriters,
	} {
		out = append(out, Fault{Kind: k})
	}
	for _, w := range []Weather{Delayed, Cut, Refused, HalfOpen, Silent, SilentFlows, AnswersLater} {
		out = append(out, Fault{Kind: KafkaLink, Weather: w}, Fault{Kind: PostgresLink, Weather: w})
	}
	for _, w := range []Weather{Refused, HalfOpen, SilentFlows} {
		out = append(out, Fault{Kind: KafkaLinks, Weather: w})
	}
	return out
}
