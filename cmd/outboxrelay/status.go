package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/runbook"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

func statusCommand(env environment) *cobra.Command {
	var c *configuration
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show pending, retrying, paused and dead rows, delayed events, the leader, and why rows are not sent",
		Example: "  outboxrelay status --database-url postgres://localhost/grading\n" +
			"  outboxrelay status --config outboxrelay.yaml --json",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			outboxes, err := c.outboxesNow(cmd.Context(), readPlace)
			if len(outboxes) == 0 {
				return withRunbook(err)
			}
			problems := []error{withRunbook(err)} // of those that could not be listed
			for _, o := range outboxes {
				err := c.connected(cmd.Context(), o, func(conn *pgx.Conn) error {
					state, err := admin.Inspect(cmd.Context(), conn, "")
					if err != nil {
						return err
					}
					if state.Moving, err = lookAgain(cmd.Context(), conn, state); err != nil {
						return err
					}
					state = redactState(state, o.secrets)
					name := o.name
					if o.unnamed && state.Leader.State.Name != "" {
						name = state.Leader.State.Name
					}
					if asJSON {
						return printJSON(env.stdout, struct {
							Outbox string `json:"outbox"`
							admin.State
							Why []reason `json:"why"`
							See []string `json:"see,omitempty"`
						}{name, state, append([]reason{}, reasons(state)...), urlsOf(incidentsOf(reasons(state), state))})
					}
					return printState(env.stdout, name, state)
				})
				problems = append(problems, err)
			}
			return errors.Join(problems...)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per outbox")
	c = env.declarePlace(cmd)
	return cmd
}

// redactState returns the state without secrets: what the leader wrote into the lease
// repeats messages of servers and drivers.
func redactState(s admin.State, secrets *secret.Redactor) admin.State {
	s.Leader.State = withoutSecrets(s.Leader.State, secrets)
	for _, r := range []*admin.Row{s.Oldest, s.OldestUnpaused} {
		if r != nil {
			r.LastError = secrets.Text(r.LastError)
		}
	}
	for i := range s.Pauses {
		s.Pauses[i].Reason = secrets.Text(s.Pauses[i].Reason)
	}
	for i := range s.RetryingRows {
		s.RetryingRows[i].LastError = secrets.Text(s.RetryingRows[i].LastError)
	}
	return s
}

// printState writes the state for a person. Each line is escaped as a whole, because
// topics, keys and errors come from the data.
func printState(w io.Writer, name string, s admin.State) error {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-8s %s\n", label, terminal.Text(fmt.Sprintf(format, args...)))
	}
	line("outbox", "%s", name)
	line("leader", "%s", leader(s.Leader))
	line("pending", "%s%s", pending(s), pace(s.Moving))
	line("retrying", "%s", counted(s.Retrying))
	for _, r := range s.RetryingRows {
		line("", "%s: failed %s, next attempt %s: %s",
			describe(r), several(int64(r.RetryCount), "time"), r.NextAttempt.UTC().Format(time.RFC3339), r.LastError)
	}
	line("dead", "%s", counted(s.Dead))
	if policy := onDead(s); policy != "" {
		line("on_dead", "%s", policy)
	}
	line("delayed", "%s", delayed(s))
	label := "paused"
	for _, p := range s.Pauses {
		line(label, "%s", describePause(p))
		label = ""
	}
	if s.NotAllSeen {
		line(label, "not all of their rows were looked at: whether a row of another topic waits between them is not known")
	}
	for _, p := range s.Leader.State.PausedTopics {
		line(label, "%s: %s%s", p.Topic, p.Reason, again(p.RetryIn))
		label = ""
	}
	if more := s.Leader.State.PausedTopicCount - len(s.Leader.State.PausedTopics); more > 0 {
		line(label, "… and %s more", several(int64(more), "topic"))
	}
	for label, text := range stopped(s) {
		line(label, "%s", text)
	}
	label = "why"
	for _, reason := range reasons(s) {
		line(label, "%s", reason)
		label = ""
	}
	label = "see"
	for _, url := range urlsOf(incidentsOf(reasons(s), s)) {
		line(label, "%s", url)
		label = ""
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// again says when the relay tries again, as of its last renewal.
func again(in time.Duration) string {
	if in <= 0 {
		return ""
	}
	return fmt.Sprintf(" (next check in %s)", in.Round(time.Second))
}

// several returns a count with its noun.
func several(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func leader(l admin.Leader) string {
	switch {
	case !l.Known:
		return "none: no relay has run on this outbox yet"
	case l.Holder == uuid.Nil:
		return fmt.Sprintf("none: the last term (%d) ended cleanly %s ago", l.Epoch, l.Silent.Round(time.Second))
	}
	who := fmt.Sprintf(", holder %s", l.Holder)
	if l.State.Led != nil {
		who = host(l.State.Led)
	}
	return fmt.Sprintf("term %d%s renewed %s ago", l.Epoch, strings.TrimSuffix(who, ",")+",", l.Silent.Round(100*time.Millisecond))
}

func pending(s admin.State) string {
	count := countedPending(s)
	if s.Oldest != nil {
		count += fmt.Sprintf(", the oldest for %s: %s", s.Oldest.Age.Round(time.Second), describe(*s.Oldest))
	}
	if s.AtLeast {
		count += "; the rows in the middle of the outbox were not looked at"
	}
	return count
}

// countedPending returns how many rows are pending, as far as it is known.
func countedPending(s admin.State) string {
	if s.AtLeast {
		return "at least " + counted(s.Pending)
	}
	return counted(s.Pending)
}

func delayed(s admin.State) string {
	count := counted(s.Delayed)
	if s.NextDelayed == nil {
		return count
	}
	return fmt.Sprintf("%s, the next: %s", count, describeDelayed(*s.NextDelayed))
}

// severalUpTo returns a count that stops at a maximum, with its noun.
func severalUpTo(n int64, noun string) string {
	if n >= admin.PendingCap {
		return fmt.Sprintf("more than %d %ss", admin.PendingCap-1, noun)
	}
	return several(n, noun)
}

// counted returns a count that stops at a maximum.
func counted(n int64) string {
	if n >= admin.PendingCap {
		return fmt.Sprintf("more than %d", admin.PendingCap-1)
	}
	return fmt.Sprint(n)
}

func describe(r admin.Row) string {
	key := "no key"
	if r.Key != nil {
		key = `key "` + *r.Key + `"` // escaped with its line
	}
	return fmt.Sprintf("seq %d, event %s, %s, topic %s, %s", r.Seq, r.EventID, r.EventType, r.Topic, key)
}

// silence is how long a leader may go without a renewal before status mentions it:
// longer than any reasonable term.
const silence = 5 * time.Second

// patience is how long a row may be pending under a leader before status mentions it.
const patience = 3 * time.Second

// reason is why rows do not move.
type reason struct {
	kind    reasonKind
	text    string
	see     runbook.Incident
	command string // that helps; "": none, or the text has it
}

// String returns the text with the command.
func (r reason) String() string {
	if r.command == "" {
		return r.text
	}
	return r.text + ": see " + r.command
}

type reasonKind int

const (
	reasonFault    reasonKind = iota // something does not work
	reasonNoLeader                   // no relay leads, which is a fault too
	reasonPause                      // an operator has decided it
	reasonDead                       // rows are dead
)

// stuck returns how long the oldest row has waited whose topic no operator has paused.
func stuck(s admin.State) time.Duration {
	if s.OldestUnpaused == nil {
		return 0
	}
	return s.OldestUnpaused.Age
}

// whyNoRelay says that somebody may want that no relay runs, such as while Debezium publishes;
// "": nobody has paused all topics.
func whyNoRelay(pauses []relay.OperatorPause) string {
	if !slices.ContainsFunc(pauses, func(p relay.OperatorPause) bool { return p.Topic == admin.AllTopics }) {
		return ""
	}
	return "all topics are paused; read the reason of the pause before you start a relay, which would send nothing"
}

// reasons says why rows do not move, most likely cause first; empty if nothing is
// wrong.
func reasons(s admin.State) []reason {
	var out []reason
	add := func(kind reasonKind, see runbook.Incident, format string, args ...any) {
		out = append(out, reason{kind: kind, text: fmt.Sprintf(format, args...), see: see})
	}
	say := func(see runbook.Incident, format string, args ...any) { add(reasonFault, see, format, args...) }
	overdue := s.NextDelayed != nil && s.NextDelayed.DueIn < -patience
	wait := s.Pending > 0 || s.AtLeast || overdue
	switch l := s.Leader; {
	case wait && (!l.Known || l.Holder == uuid.Nil):
		add(reasonNoLeader, runbook.RelayFrozen, "no leader: %s", cmp.Or(whyNoRelay(s.Pauses), "start a relay (outboxrelay run)"))
	case wait && l.Silent > silence:
		say(runbook.RelayFrozen, "the leader's last heartbeat was %s ago and no other relay took over%s: check the logs of the relays, or start one",
			l.Silent.Round(time.Second), processOf(l.State.Led))
	case l.State.Reason != "" && l.State.ByOperator:
		add(reasonPause, "", "%s", l.State.Reason)
	case outdated(s):
	case l.State.ReasonKind == relay.ReasonTopic && len(l.State.PausedTopics) > 1:
		say(runbook.TopicMissing, "%s", topicsWords(l.State))
	case l.State.Reason != "":
		say(incidentsOfReasons[l.State.ReasonKind], "%s", l.State.Reason)
	case unexplained(s) && !onTheMove(s.Moving):
		say(runbook.BrokerDown, "rows have waited for %s although a relay leads: it may be waiting for a response from Kafka", stuck(s).Round(time.Second))
	}
	out = append(out, hiddenFaults(s.Leader)...)
	if overdue && len(out) == 0 {
		say("", "delayed events have been due for %s although a relay leads: look in its log for \"delayed events not moved\"",
			(-s.NextDelayed.DueIn).Round(time.Second))
	}
	if len(s.Pauses) > 0 {
		out = append(out, reason{kind: reasonPause, text: several(int64(len(s.Pauses)), "pause") + " by operators", command: "outboxrelay resume"})
	}
	if missing := unobeyed(s); missing != "" {
		say("", "%s", missing)
	}
	if s.Retrying > 0 {
		say(runbook.PoisonRecord, "%s failed and will be retried; later rows of the same key wait for it", severalUpTo(s.Retrying, "row"))
	}
	if s.Dead > 0 {
		out = append(out, reason{
			kind: reasonDead, text: severalUpTo(s.Dead, "row") + " dead-lettered", see: runbook.PoisonRecord,
			command: "outboxrelay dead list, then dead replay or dead discard",
		})
	}
	if s.Leader.UncleanEnds > 2 {
		say("", "%s", crashes(s.Leader))
	}
	return out
}
