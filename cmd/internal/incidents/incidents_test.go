//go:build unix

package incidents_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// incident is one of the page.
type incident struct {
	anchor string
	// report is what teams report at the beginning of a drill; "": events do not arrive.
	report string
	// stage prepares what runs before the fault.
	stage func(t *testing.T, s *site)
	// fault causes the incident.
	fault func(t *testing.T, s *site)
	// unordered is true if the order of the events is not promised, because two relays ran.
	unordered bool
	// more checks what is special about the incident, after it is fixed; may be nil.
	more func(t *testing.T, s *site)
}

// incidents are all of them, in the order of the page.
var incidents = []incident{
	brokerDown, topicMissing, poisonRecord, relayFrozen, poolerInTheWay, tableBloated, primaryFailedOver, wrongCredentials, deadLetters, oldRelayBesideOurs,
}

// atOnce is how many incidents are played at the same time. They mostly wait.
const atOnce = 5

// Each incident of the runbook is found and fixed as the page says, and loses no event.
func TestIncidents(t *testing.T) {
	sections, anchors := readPage(t)
	var known []string
	for _, i := range incidents {
		known = append(known, i.anchor)
	}
	if diff := gocmp.Diff(known, anchors); diff != "" {
		t.Fatalf("the incidents of this test, and those of docs/runbook.md (-test +page):\n%s", diff)
	}
	kafka := services.PrivateKafka(t)
	relay := buildRelay(t)
	times := &timetable{}
	play := func(i incident) {
		t.Run(i.anchor, func(t *testing.T) { i.play(t, sections[i.anchor], newSite(t, relay, kafka), times) })
	}
	play(brokerDown) // alone, because the others need this Kafka
	next := make(chan incident, len(incidents))
	for _, i := range incidents[1:] {
		next <- i
	}
	close(next)
	var players sync.WaitGroup
	for range atOnce {
		players.Go(func() {
			for i := range next {
				play(i)
			}
		})
	}
	players.Wait()
	t.Logf("times:\n\n%s", times.markdown(sections))
}

// play causes the incident, and fixes it as the page says.
func (i incident) play(t *testing.T, page *section, s *site, times *timetable) {
	if len(page.see) == 0 || len(page.fix) == 0 || len(page.check) == 0 {
		t.Fatalf("docs/runbook.md#%s does not say what you see, how to fix it and when it is fixed", i.anchor)
	}
	i.stage(t, s)
	usual := len(s.told())
	i.fault(t, s)
	if len(s.told()) != usual {
		t.Errorf("the fault gives the operator what only this incident has: %v, and not %v", s.variables, given)
	}
	began := time.Now()
	for _, st := range page.see {
		s.until(t, st, false)
	}
	seen := time.Since(began)

	began = time.Now()
	for _, st := range page.fix {
		out, err := s.run(t.Context(), st.command)
		if err == nil || strings.HasPrefix(st.command, "outboxrelay doctor") { // it fails as long as anything is wrong
			err = s.shows(out, st)
		}
		if err != nil {
			t.Fatalf("fix %q: %v\n%s", st.command, err, out)
		}
		t.Logf("$ %s\n%s", st.command, lastLines(out))
	}
	order := s.ledger.first(t, s.kafka.Brokers, s.topic)
	fixed := time.Since(began)
	if diff := gocmp.Diff(s.ledger.want(), order); diff != "" && !i.unordered {
		t.Errorf("the first records of each key (-want +got):\n%s", diff)
	}
	for _, st := range page.check {
		s.until(t, st, true)
	}
	if i.more != nil {
		i.more(t, s)
	}
	t.Logf("seen after %s, fixed after %s", seen.Round(tenth), fixed.Round(tenth))
	times.add(took{i.anchor, seen, fixed})
}

const tenth = 100 * time.Millisecond

// until repeats a command until it prints what the page says, and succeeds if it has to.
func (o *terminal) until(t *testing.T, st step, succeeds bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var last error
	err := wait.Until(ctx, tenth, func() (bool, error) {
		out, err := o.run(ctx, st.command)
		if ctx.Err() != nil {
			return false, nil //nolint:nilerr // the command was killed, because the time is over
		}
		if err != nil && succeeds {
			last = fmt.Errorf("%s: %w\n%s", st.command, err, out)
			return false, nil
		}
		if last = o.shows(out, st); last == nil {
			o.logf(t, "$ %s\n%s", st.command, lastLines(out))
		}
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("not within %s: %v", patience, last)
	}
}

// logf logs what a test does, except in a drill, where that would give the solution away.
func (o *terminal) logf(t *testing.T, format string, args ...any) {
	t.Helper()
	if !o.silent {
		t.Logf(format, args...)
	}
}

// took says how long an incident took.
type took struct {
	anchor      string
	seen, fixed time.Duration
}

// timetable collects the times of incidents.
type timetable struct {
	mu  sync.Mutex
	all []took
}

func (tt *timetable) add(one took) {
	tt.mu.Lock()
	defer tt.mu.Unlock()
	tt.all = append(tt.all, one)
}

// markdown prints the table in docs/contributing.md.
func (tt *timetable) markdown(sections map[string]*section) string {
	tt.mu.Lock()
	defer tt.mu.Unlock()
	place := func(anchor string) int {
		return slices.IndexFunc(incidents, func(i incident) bool { return i.anchor == anchor })
	}
	slices.SortFunc(tt.all, func(a, b took) int { return cmp.Compare(place(a.anchor), place(b.anchor)) })
	var b strings.Builder
	b.WriteString("| incident | from the fault until the tools show it | from the first command of the fix until all events are in Kafka |\n| --- | --- | --- |\n")
	for _, one := range tt.all {
		fmt.Fprintf(&b, "| [%s](runbook.md#%s) | %.1f s | %.1f s |\n", strings.ToLower(sections[one.anchor].title), one.anchor, one.seen.Seconds(), one.fixed.Seconds())
	}
	return b.String()
}
