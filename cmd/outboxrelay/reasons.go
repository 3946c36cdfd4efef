package main

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/runbook"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// MarshalJSON makes a reason an object with its kind and its text.
func (r reason) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Kind string `json:"kind"` // fault, pause or dead
		Text string `json:"text"`
	}{map[reasonKind]string{reasonFault: "fault", reasonNoLeader: "fault", reasonPause: "pause", reasonDead: "dead"}[r.kind], r.String()})
}

// onTheMove reports whether rows are being published.
func onTheMove(m *admin.Moving) bool { return m != nil && m.Seqs > 0 }

// pace says that rows are being published; "": not known. How many is not known: between two
// oldest rows may be many that were published before.
func pace(m *admin.Moving) string {
	if !onTheMove(m) {
		return ""
	}
	return "; rows are being published"
}

// unexplained reports whether rows wait under a leader that does not say why. It does not
// while it publishes, and before its first renewal.
func unexplained(s admin.State) bool {
	return s.Leader.Holder != uuid.Nil && s.Leader.Silent <= silence && s.Leader.State.Leader && s.Leader.State.Reason == "" &&
		stuck(s) > patience && s.OldestUnpaused.NextAttempt.IsZero()
}

// crashes describes terms that ended one after the other without progress.
func crashes(l admin.Leader) string {
	text := fmt.Sprintf("%d relays in a row crashed without progress", l.UncleanEnds)
	if l.Suspect == 0 {
		return text + "; no row is suspected yet"
	}
	return fmt.Sprintf("%s; row %d is suspected", text, l.Suspect)
}

// secondLook is how long after the first look the second one is.
const secondLook = time.Second

// lookAgain looks a second time if rows wait under a leader that does not say why: it may
// publish a large backlog.
func lookAgain(ctx context.Context, conn *pgx.Conn, s admin.State) (*admin.Moving, error) {
	if !unexplained(s) {
		return nil, nil
	}
	began := time.Now()
	if !wait.For(ctx, secondLook) {
		return nil, context.Cause(ctx)
	}
	now, err := admin.Inspect(ctx, conn, "")
	if err != nil {
		return nil, err
	}
	m := &admin.Moving{Seconds: time.Since(began).Seconds()}
	switch {
	case now.OldestUnpaused == nil:
		m.Seqs = max(1, s.Pending-now.Pending)
	case now.OldestUnpaused.Seq > s.OldestUnpaused.Seq:
		m.Seqs = now.OldestUnpaused.Seq - s.OldestUnpaused.Seq
	}
	return m, nil
}

// hiddenFaults says what does not work besides what the leader gives as its reason: it gives
// only one.
func hiddenFaults(l admin.Leader) []reason {
	if l.Holder == uuid.Nil || l.Silent > silence {
		return nil
	}
	s := l.State
	var out []reason
	add := func(see runbook.Incident, format string, args ...any) {
		out = append(out, reason{kind: reasonFault, text: fmt.Sprintf(format, args...), see: see})
	}
	if p := s.PausedTopics; len(p) > 0 && (s.Reason == "" || s.ByOperator) {
		add(runbook.TopicMissing, "%s", topicsWords(s))
	}
	if p := s.SetAside; len(p) > 0 && s.ReasonKind != relay.ReasonPartition {
		add(runbook.BrokerDown, "%s cannot be written, such as %d of %s: %s", several(int64(max(s.SetAsideCount, len(p))), "partition"), p[0].Partition, p[0].Topic, p[0].Reason)
	}
	return out
}

// namedTopics limits the topics that one reason names.
const namedTopics = 10

// topicsWords names the topics that cannot be written, those with the same problem together.
func topicsWords(s relay.Status) string {
	p := s.PausedTopics
	count := max(s.PausedTopicCount, len(p))
	var problems []string
	topics := map[string][]string{}
	for _, one := range p[:min(len(p), namedTopics)] {
		if topics[one.Reason] == nil {
			problems = append(problems, one.Reason)
		}
		topics[one.Reason] = append(topics[one.Reason], one.Topic)
	}
	parts := make([]string, len(problems))
	for i, problem := range problems {
		parts[i] = fmt.Sprintf("%s: %s", strings.Join(topics[problem], ", "), problem)
	}
	text := fmt.Sprintf("%s cannot be written: %s", several(int64(count), "topic"), strings.Join(parts, "; "))
	if more := count - min(len(p), namedTopics); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// shownStopped limits each list of what is stopped.
const shownStopped = 10

// outdated reports whether the reason of the leader is from before its last renewal: no row
// is there that could hold a key.
func outdated(s admin.State) bool {
	return s.Leader.State.ReasonKind == relay.ReasonHeld && s.Waiting+s.Dead == 0
}

// onDead says what a dead row does to its key; "": not known, or no row is dead or may soon be.
func onDead(s admin.State) string {
	led := s.Leader.State.Led
	if led == nil || s.Waiting+s.Dead == 0 {
		return ""
	}
	text := map[string]string{
		string(relay.Block): "block: later rows of the key of a dead row wait",
		string(relay.Park):  "park: later rows of the key of a dead row are sent",
	}[led.Settings["on_dead"]]
	if text == "" {
		return ""
	}
	for _, name := range sortedKeys(led.Settings) {
		if eventType, ok := strings.CutPrefix(name, "on_dead of "); ok {
			text += fmt.Sprintf("; %s for %s", led.Settings[name], eventType)
		}
	}
	return text
}

// stopped lists the partitions that are set aside and the keys that wait for an operator, as
// lines with their labels. It leaves out keys that no dead row holds any longer.
func stopped(state admin.State) iter.Seq2[string, string] {
	s := state.Leader.State
	return func(yield func(label, text string) bool) {
		label := "aside"
		for i, p := range s.SetAside {
			if i == shownStopped {
				break
			}
			if !yield(label, fmt.Sprintf("partition %d of %s: %s%s", p.Partition, p.Topic, p.Reason, again(p.RetryIn))) {
				return
			}
			label = ""
		}
		if more := s.SetAsideCount - min(len(s.SetAside), shownStopped); more > 0 && !yield(label, fmt.Sprintf("… and %s more", several(int64(more), "partition"))) {
			return
		}
		label = "held"
		n := 0
		for _, k := range s.Held {
			if !k.Blocked || k.Key == nil || state.Dead == 0 {
				continue
			}
			if n++; n > shownStopped {
				yield("", "… and more keys")
				return
			}
			if !yield(label, fmt.Sprintf("key %s of %s, by the dead row %d: outboxrelay dead show %d", *k.Key, k.Topic, k.Seq, k.Seq)) {
				return
			}
			label = ""
		}
	}
}
