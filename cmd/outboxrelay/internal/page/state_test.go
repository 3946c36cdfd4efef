package page

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// In five seconds somebody has to see whether events flow: the first word says it.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	led := admin.Leader{Known: true, Holder: uuid.UUID{1}}
	with := func(change func(*known)) known {
		k := known{state: admin.State{Leader: led}}
		change(&k)
		return k
	}
	fault := []Reason{{Fault, "x"}}
	old := &admin.Row{Age: time.Minute}
	unknown := math.NaN()
	for _, c := range []struct {
		name    string
		outbox  Outbox
		known   known
		rate    float64
		reasons []Reason
		want    string
	}{
		{"idle", Outbox{}, with(func(*known) {}), 0, nil, "good: Nothing waits"},
		{"busy", Outbox{}, with(func(k *known) { k.state.Pending = 5 }), 100, nil, "good: Flowing"},
		{"just started", Outbox{}, with(func(k *known) { k.silent = true }), unknown, nil, "good: Starting"},
		{"just started, and the sink is being opened", Outbox{}, with(func(k *known) {
			k.silent, k.state.Leader.State = true, relay.Status{Reason: "the sink is being opened", Led: &relay.Led{Since: time.Now()}}
		}), unknown, fault, "good: Starting"},
		{"never counted, and Kafka is away", Outbox{}, with(func(k *known) {
			k.silent, k.state.Leader.State = true, relay.Status{Reason: "Kafka unavailable", Led: &relay.Led{Since: time.Now().Add(-time.Minute / 2)}}
		}), unknown, fault, "bad: Not flowing"},
		{"never counted, and a topic is missing", Outbox{}, with(func(k *known) { k.silent, k.state.Leader.State.PausedTopicCount = true, 1 }), unknown, nil, "warn: Flowing, with problems"},
		{"not counted for long", Outbox{}, with(func(k *known) {
			k.silent, k.state.Leader.State = true, relay.Status{Led: &relay.Led{Since: time.Now().Add(-2 * time.Minute)}}
		}), unknown, nil, "warn: Not counted"},
		{"counted long ago", Outbox{}, with(func(k *known) { k.age = time.Minute }), 0, nil, "warn: Numbers are old"},
		{"counted long ago, and busy", Outbox{}, with(func(k *known) { k.age, k.state.Pending = time.Minute, 5 }), 100, nil, "warn: Numbers are old"},
		{"rows in flight that the count has not seen", Outbox{}, with(func(k *known) { k.state.Leader.State.InFlight = 3 }), 0, nil, "good: Flowing"},
		{"rows in flight that stay there", Outbox{}, with(func(k *known) { k.state.Leader.State.InFlight, k.still = 3, 10*time.Second }), 0, nil, "bad: Not flowing"},
		{"not read yet", Outbox{}, known{unread: true}, unknown, nil, "paused: Not read yet"},
		{"needs an operator", Outbox{Problem: "table missing"}, known{}, unknown, nil, "bad: Needs action"},
		{"no database", Outbox{}, known{err: errBadSelection}, unknown, nil, "bad: Not known"},
		{"nobody leads, rows wait", Outbox{}, known{state: admin.State{Pending: 1}}, unknown, fault, "bad: Not flowing"},
		{"no relay leads, and rows in the middle were not looked at", Outbox{}, known{state: admin.State{AtLeast: true}}, unknown, fault, "bad: Not flowing"},
		{"nobody leads, nothing waits", Outbox{}, known{}, unknown, nil, "warn: No leader"},
		{"silent leader", Outbox{}, with(func(k *known) { k.state.Leader.Silent, k.state.Pending = time.Minute, 1 }), unknown, fault, "bad: Not flowing"},
		{"silent leader, nothing waits", Outbox{}, with(func(k *known) { k.state.Leader.Silent = time.Minute }), unknown, nil, "warn: Leader silent"},
		{"Kafka is away", Outbox{}, with(func(k *known) { k.state.Leader.State.Reason = "Kafka unavailable" }), 0, fault, "bad: Not flowing"},
		{"a dead row blocks its key, and nothing waits", Outbox{}, with(func(k *known) {
			k.state.Leader.State = relay.Status{Reason: "1 key is held", ReasonKind: relay.ReasonHeld, HeldKeys: 1}
		}), 0, []Reason{{Fault, "1 key is held"}, {DeadRow, "x"}}, "warn: Flowing, with problems"},
		{"a dead row blocks its key, and only rows of it wait", Outbox{}, with(func(k *known) {
			k.state.Leader.State = relay.Status{Reason: "1 key is held", ReasonKind: relay.ReasonHeld, HeldKeys: 1}
			k.state.Oldest, k.state.Pending = old, 9
		}), 0, []Reason{{Fault, "1 key is held"}, {DeadRow, "x"}}, "bad: Not flowing"},
		{"paused", Outbox{}, with(func(k *known) { k.state.Leader.State = relay.Status{Reason: "paused", ByOperator: true} }), 0, []Reason{{Paused, "x"}}, "paused: Paused"},
		{"stuck", Outbox{}, with(func(k *known) { k.state.Oldest, k.state.Pending = old, 9 }), 0, fault, "bad: Not flowing"},
		{"a backlog that shrinks", Outbox{}, with(func(k *known) { k.state.Oldest, k.state.Pending = old, 9 }), 500, fault, "warn: Catching up"},
		{"a backlog on a standby", Outbox{}, with(func(k *known) { k.state.Oldest, k.state.Pending = old, 9 }), unknown, fault, "warn: Late"},
		{"held keys", Outbox{}, with(func(*known) {}), 5, []Reason{{Fault, "2 rows failed"}}, "warn: Flowing, with problems"},
		{"a topic is missing", Outbox{}, with(func(k *known) { k.state.Leader.State.PausedTopicCount = 1 }), 5, nil, "warn: Flowing, with problems"},
		{"dead rows", Outbox{}, with(func(*known) {}), 5, []Reason{{Paused, "x"}, {DeadRow, "x"}}, "warn: Flowing, dead rows"},
		{"some topics are paused", Outbox{}, with(func(*known) {}), 5, []Reason{{Paused, "x"}}, "paused: Flowing, with pauses"},
	} {
		got := judge(c.outbox, c.known, c.rate, c.reasons)
		if diff := cmp.Diff(c.want, got.Level.String()+": "+got.Word); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// A ring keeps the latest samples in their order; sixty of them become one of the last days.
func TestHistory(t *testing.T) {
	t.Parallel()
	began := time.Unix(1_800_000_000, 0)
	h := newHistory(began)
	for i := range hourSamples + 100 {
		s := sample{at: began.Add(time.Duration(i) * sampleEvery), rate: 10, pending: float64(i), oldest: math.NaN(), dead: 1}
		if i%2 == 1 {
			s.rate, s.pending = math.NaN(), math.NaN()
		}
		h.add(s)
	}
	list := h.hour.samples()
	if len(list) != hourSamples || !list[0].at.Equal(began.Add(100*sampleEvery)) || !list[len(list)-1].at.Equal(began.Add(time.Duration(hourSamples+99)*sampleEvery)) {
		t.Errorf("%d samples, from %s to %s", len(list), list[0].at, list[len(list)-1].at)
	}
	days := h.days.samples()
	if len(days) != (hourSamples+100)/daySteps {
		t.Fatalf("%d samples of days", len(days))
	}
	last := days[len(days)-1]
	if last.rate != 10 || last.pending != float64(len(days)*daySteps-2) || !math.IsNaN(last.oldest) || last.dead != 1 {
		t.Errorf("a sample of ten minutes: %+v", last)
	}
}

// The throughput is known only where the process has led all the time.
func TestThroughput(t *testing.T) {
	t.Parallel()
	now := time.Now()
	at := func(seconds int, published int64, leads bool) count {
		return count{now.Add(time.Duration(seconds) * time.Second), published, leads, 0}
	}
	for name, c := range map[string]struct {
		from, to count
		want     string
	}{
		"leads":       {at(0, 100, true), at(10, 1100, true), "100/s"},
		"slowly":      {at(0, 0, true), at(10, 5, true), "0.5/s"},
		"nothing":     {at(0, 5, true), at(10, 5, true), "0/s"},
		"took over":   {at(0, 0, false), at(10, 5, true), "not known here"},
		"lost it":     {at(0, 0, true), at(10, 5, false), "not known here"},
		"the same":    {at(0, 0, true), at(0, 5, true), "not known here"},
		"starts anew": {at(0, 9, true), at(10, 5, true), "not known here"},
	} {
		if got := perSecond(rate(c.from, c.to)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	got := []string{
		grouped(0), grouped(999), grouped(1000), grouped(-1234567), counted(admin.PendingCap), several(1, "row"), several(2000, "row"),
		span(-time.Second), span(59 * time.Second), span(61 * time.Minute), span(50 * time.Hour), shellWord("a-b"), shellWord("it's"), shellWord(""), short("abcdef", 4),
		summaryText(nil, nil, nil),
	}
	want := []string{
		"0", "999", "1,000", "-1,234,567", "more than 100,000", "1 row", "2,000 rows", "0 s", "59 s", "1 h 1 min", "2 days 2 h", "a-b", `'it'\''s'`, "''", "abc…",
		"no samples yet",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
