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

// The kinds; the table says what each does.
const (
	KillAtStage     Kind = "kill the leader"
	StopAtStage     Kind = "stop the leader"
	KillAtTakeOver  Kind = "kill the next leader"
	StopAtTakeOver  Kind = "stop the next leader"
	KillAtRelease   Kind = "kill a leader that ends"
	KillAnywhere    Kind = "kill the leader anywhere"
	KillAll         Kind = "kill all relays"
	StopAnywhere    Kind = "stop the leader anywhere"
	EndLeader       Kind = "end the leader in order"
	KillConsumer    Kind = "kill the consumer"
	HandlersPanic   Kind = "handlers panic"
	RestartPostgres Kind = "restart Postgres fast"
	CrashPostgres   Kind = "restart Postgres immediate"
	EndSessions     Kind = "end the relay's sessions"
	FewConnections  Kind = "few connections left"
	NoConnections   Kind = "no connections left"
	StopKafka       Kind = "stop Kafka"
	KillKafka       Kind = "kill Kafka"
	KillRedis       Kind = "kill Redis"
	FlushRedis      Kind = "flush Redis"
	LockTable       Kind = "lock the table"
	LockLease       Kind = "lock the lease row"
	DeleteTopic     Kind = "delete a topic"
	CloseTopic      Kind = "forbid writing a topic"
	CutWriters      Kind = "cut the writers off"
	KafkaLink       Kind = "the leader's way to Kafka"
	PostgresLink    Kind = "the leader's way to Postgres"
	KafkaLinks      Kind = "all ways to Kafka"
	PostgresLinks   Kind = "all ways to Postgres"
	RedisLinks      Kind = "all ways to Redis"
)

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

// entry is one line of the table of faults.
type entry struct {
	kind     Kind
	about    string
	points   []instance.Point // failpoints in the relay's work; nil: none
	weathers []Weather        // nil: none
	// low and high limit how long it lasts; 0: it happens at once.
	low, high time.Duration
}

// table lists every fault. The term is 3s.
func table() []entry {
	const (
		second = time.Second
		half   = second / 2
	)
	link := []Weather{Delayed, Cut, Refused, HalfOpen, Silent, SilentFlows, AnswersLater}
	return []entry{
		{kind: KillAtStage, about: "SIGKILL at a point of its work", points: instance.Stages()},
		{kind: StopAtStage, about: "SIGSTOP there, then SIGCONT", points: instance.Stages(), low: second, high: 7 * second},
		{kind: KillAtTakeOver, about: "the leader is killed, and its successor as it takes over", points: instance.TakeOverStages()},
		{kind: StopAtTakeOver, about: "the leader is killed, and its successor stopped as it takes over", points: instance.TakeOverStages(), low: second, high: 7 * second},
		{kind: KillAtRelease, about: "SIGKILL as it hands over", points: instance.ReleaseStages()},
		{kind: KillAnywhere, about: "SIGKILL"},
		{kind: KillAll, about: "SIGKILL"},
		{kind: StopAnywhere, about: "SIGSTOP, then SIGCONT", low: second, high: 7 * second},
		{kind: EndLeader, about: "as by SIGTERM"},
		{kind: KillConsumer, about: "SIGKILL"},
		{kind: HandlersPanic, about: "some deliveries panic, before or after their effect", low: second, high: 6 * second},
		{kind: RestartPostgres, about: "sessions are closed"},
		{kind: CrashPostgres, about: "as by a crash"},
		{kind: EndSessions, about: "pg_terminate_backend for half of them"},
		{kind: FewConnections, about: "relays, writers and consumer lose their sessions and share five", low: second, high: 9 * second},
		{kind: NoConnections, about: "they lose them, and get 53300 for new ones", low: second, high: 9 * second},
		{kind: StopKafka, about: "in order, then started again", high: 4 * second},
		{kind: KillKafka, about: "SIGKILL, then started again", high: 4 * second},
		{kind: KillRedis, about: "SIGKILL, then started again, empty", high: 4 * second},
		{kind: FlushRedis, about: "FLUSHALL"},
		{kind: LockTable, about: "ACCESS EXCLUSIVE, beyond the statement timeout", low: half, high: 5 * second},
		{kind: LockLease, about: "FOR UPDATE", low: half, high: 5 * second},
		{kind: DeleteTopic, about: "and make it again", low: half, high: 6 * second},
		{kind: CloseTopic, about: "by an ACL", low: half, high: 6 * second},
		{kind: CutWriters, about: "between COMMIT and its answer"},
		{kind: KafkaLink, about: "one relay's connections", weathers: link, low: half, high: 6 * second},
		{kind: PostgresLink, about: "one relay's connections", weathers: link, low: half, high: 6 * second},
		{kind: KafkaLinks, about: "those of relays and consumer", low: half, high: 6 * second,
			weathers: []Weather{Refused, HalfOpen, SilentFlows, LongSilent, LongSilentFlows}},
		{kind: PostgresLinks, about: "those of relays, writers and consumer", low: half, high: 6 * second,
			weathers: []Weather{Refused, HalfOpen, LongSilent, LongSilentFlows}},
		{kind: RedisLinks, about: "those of relays and writers", low: half, high: 6 * second,
			weathers: []Weather{Refused, HalfOpen, LongSilent, LongSilentFlows}},
	}
}

// List describes the faults, one in each line, as -only accepts them.
func List() []string {
	var lines []string
	for _, e := range table() {
		const width = 32
		line := fmt.Sprintf("%-*s %s", width, e.kind, e.about)
		if n := len(e.points); n > 0 {
			line += fmt.Sprintf(" (%d points)", n)
		}
		var weathers []string
		for _, w := range e.weathers {
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
		f.Hold = s.hold(f)
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

// hold returns how long a fault lasts; 0 if it has no length.
func (s *Schedule) hold(f Fault) time.Duration {
	between := func(low, high time.Duration) time.Duration {
		return low + time.Duration(s.rand.Int64N(int64(high-low)))
	}
	switch f.Weather {
	case LongSilent, LongSilentFlows:
		const low, high = 4 * time.Second, 12 * time.Second
		return between(low, high)
	}
	for _, e := range table() {
		if e.kind == f.Kind && e.high > 0 {
			return between(e.low, e.high)
		}
	}
	return 0
}

func all() []Fault {
	var out []Fault
	for _, e := range table() {
		switch {
		case e.points != nil:
			for _, p := range e.points {
				out = append(out, Fault{Kind: e.kind, Point: p})
			}
		case e.weathers != nil:
			for _, w := range e.weathers {
				out = append(out, Fault{Kind: e.kind, Weather: w})
			}
		default:
			out = append(out, Fault{Kind: e.kind})
		}
	}
	return out
}
