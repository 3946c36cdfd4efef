package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// pausing is the command pause or resume.
type pausing struct {
	environment
	verb, done string
	// act returns the topics that it changed.
	act    func(context.Context, admin.Beginner, []string, admin.Decision) ([]string, error)
	pauses bool // afterwards the topics are paused

	outbox string
	all    bool
	by     admin.Decision
	asJSON bool
	wait   time.Duration
	*configuration
}

func pauseCommand(env environment) *cobra.Command {
	p := &pausing{environment: env, verb: "pause", done: "paused", act: admin.PauseTopics, pauses: true}
	return p.command(&cobra.Command{
		Use:   "pause [TOPIC...]",
		Short: "Stop sending the rows of topics until they are resumed",
		Long: "pause makes the leading relay stop sending the rows of the topics within about a second. Rows in flight are still\n" +
			"sent. Rows of other topics continue, and new rows can be inserted; they wait. The pause survives restarts and\n" +
			"fail-over. status shows it with who paused the topic, when and why, and event_outbox_audit records it.\n\n" +
			"The command waits until the leader has confirmed the pause. If no relay leads, the next leader obeys the pause before\n" +
			"it sends anything. If the leader does not confirm it in time, the exit code is 1, and the pause is in force for the\n" +
			"next leader: with --json, recorded is true and confirmed is false. All topics are paused together or none. A topic\n" +
			"that is paused already stays as it is, which is no error.",
		Example: "  outboxrelay pause shop.order_placed.v1 --reason 'consumer is being restored'\n" +
			"  outboxrelay pause --all --reason 'Kafka is being migrated'",
	})
}

func resumeCommand(env environment) *cobra.Command {
	p := &pausing{environment: env, verb: "resume", done: "resumed"}
	p.act = func(ctx context.Context, conn admin.Beginner, topics []string, by admin.Decision) ([]string, error) {
		return topics, admin.ResumeTopics(ctx, conn, topics, by)
	}
	return p.command(&cobra.Command{
		Use:   "resume [TOPIC...]",
		Short: "Send the rows of paused topics again",
		Long: "resume ends pauses. The leading relay then sends the rows that waited, in the order of each key, and before later rows\n" +
			"of the key. resume --all ends all pauses, also those of single topics. A topic that cannot be written because it\n" +
			"is missing, for example, is not paused by an operator; the relay tries it again by itself. If one of the topics is\n" +
			"not paused, nothing is changed.",
		Example: "  outboxrelay resume shop.order_placed.v1\n" +
			"  outboxrelay resume --all --reason 'migration is done'",
	})
}

func (p *pausing) command(cmd *cobra.Command) *cobra.Command {
	flags := cmd.Flags()
	p.environment.declareOutbox(cmd, &p.outbox, outboxUsage, func() *configuration { return p.configuration }, readPlace)
	flags.BoolVar(&p.all, "all", false, p.verb+" all topics")
	flags.StringVar(&p.by.Actor, "actor", "", actorUsage)
	reason := "the reason, for status and the audit log"
	if p.pauses {
		reason += "; required"
	}
	flags.StringVar(&p.by.Reason, "reason", "", reason)
	flags.DurationVar(&p.wait, "wait", 5*time.Second, "how long to wait until the leader confirms; 0: do not wait")
	flags.BoolVar(&p.asJSON, "json", false, "print one JSON object per topic")
	p.configuration = p.environment.declarePlace(cmd)
	cmd.Args = func(*cobra.Command, []string) error { return nil } // run has better words
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return p.run(cmd.Context(), args) }
	return cmd
}

func (p *pausing) run(ctx context.Context, topics []string) error {
	p.by.Reason = strings.TrimSpace(p.by.Reason)
	switch {
	case p.all && len(topics) > 0:
		return misuse{errors.New("--all is for all topics: remove it, or the topics")}
	case !p.all && len(topics) == 0:
		return misuse{fmt.Errorf("name the topics to %s, or add --all", p.verb)}
	case slices.Contains(topics, ""):
		return misuse{errors.New("a topic is empty: give it a name; --all is for all topics")}
	case p.pauses && p.by.Reason == "":
		return misuse{errors.New("--reason is missing: others need to know why the rows wait")}
	}
	if err := p.environment.decider(&p.by); err != nil {
		return err
	}
	var once []string
	for _, topic := range topics {
		if !slices.Contains(once, topic) {
			once = append(once, topic)
		}
	}
	if topics = once; p.all {
		topics = []string{admin.AllTopics}
	}
	o, err := p.outboxNamed(ctx, p.outbox, readPlace)
	if err != nil {
		return err
	}
	return p.connected(ctx, o, func(conn *pgx.Conn) error { return p.decide(ctx, conn, o, topics) })
}

// pauseResult is what a command did to one topic.
type pauseResult struct {
	Outbox string `json:"outbox"`
	Topic  string `json:"topic"`  // "": all topics
	Paused bool   `json:"paused"` // by itself, now
	// Recorded is true if this call changed something, and the audit has it.
	Recorded bool `json:"recorded"`
	// Confirmed is true if a relay leads and has confirmed the state of the topic.
	Confirmed bool `json:"confirmed"`
	// Used is false if none of the rows that pause looked at has the topic; null if that is not
	// known.
	Used *bool  `json:"used"`
	Note string `json:"note"`
}

// decide pauses or resumes the topics, waits for the leader, and prints a result for each.
func (p *pausing) decide(ctx context.Context, conn *pgx.Conn, o outbox, topics []string) error {
	before, err := admin.Pauses(ctx, conn)
	if err != nil {
		return err
	}
	changed, err := p.act(ctx, conn, topics, p.by)
	if err != nil {
		return p.explain(before, err)
	}
	done := p.done + " " + namesOfTopics(topics)
	now, err := admin.Pauses(ctx, conn)
	if err != nil {
		return fmt.Errorf("%s, then: %w", done, unprefixed(err))
	}
	confirmed, note, unconfirmed := p.confirmed(ctx, conn, topics, now)
	readable := true // the rows; a lock is waited for once
	for _, topic := range topics {
		r := pauseResult{o.name, topic, p.pauses, slices.Contains(changed, topic), confirmed, nil, note}
		if p.pauses && topic != admin.AllTopics {
			readable = p.look(ctx, conn, &r, readable)
		}
		if err := p.print(r, now); err != nil {
			return err
		}
	}
	return unconfirmed
}

// look looks for rows of a topic, if they are readable: its name may be misspelt. The pause is
// in force, so it is no error if they are not.
func (p *pausing) look(ctx context.Context, conn *pgx.Conn, r *pauseResult, readable bool) bool {
	var used, known bool
	if readable = readable && !conn.IsClosed(); readable {
		var err error
		used, known, err = admin.UsesTopic(ctx, conn, r.Topic)
		readable = err == nil
	}
	if known {
		r.Used = &used
	}
	switch {
	case !readable:
		r.Note += "; the rows could not be read to check the name of the topic"
	case !known:
		r.Note += "; whether a row has this topic is not known: some have theirs in event_data, which was not read"
	case !used:
		r.Note += "; none of the rows that were looked at has this topic: check its name"
	}
	return readable
}

func (p *pausing) print(r pauseResult, now []relay.OperatorPause) error {
	if p.asJSON {
		return printJSON(p.stdout, r)
	}
	text := fmt.Sprintf("%s %s; %s", p.done, nameOf(r.Topic), r.Note)
	if !r.Recorded {
		text = fmt.Sprintf("%s; nothing was changed; %s", pauseOf(now, r.Topic), r.Note)
	}
	_, err := fmt.Fprintln(p.stdout, terminal.Text(text))
	return err
}

// pauseOf describes the pause of a topic; "": it has none.
func pauseOf(pauses []relay.OperatorPause, topic string) string {
	if i := slices.IndexFunc(pauses, func(o relay.OperatorPause) bool { return o.Topic == topic }); i >= 0 {
		return describePause(pauses[i])
	}
	return ""
}

// explain adds what is known to a decision that was refused.
func (p *pausing) explain(pauses []relay.OperatorPause, err error) error {
	about, ok := errors.AsType[*admin.TopicError](err)
	if !ok || !errors.Is(err, admin.ErrNotPaused) {
		return err
	}
	all := pauseOf(pauses, admin.AllTopics)
	switch {
	case about.Topic == admin.AllTopics:
		return errors.New("no topic is paused by an operator; outboxrelay status shows why rows wait")
	case all != "":
		return fmt.Errorf("nothing was changed: %s is not paused by itself, but %s; to end that: outboxrelay resume --all", nameOf(about.Topic), all)
	}
	return fmt.Errorf("nothing was changed: %s is not paused by an operator; outboxrelay status shows why its rows wait", nameOf(about.Topic))
}

// confirmed waits until the leader's status has the change. now are the pauses that are in
// force. The error says that the leader has not confirmed it.
func (p *pausing) confirmed(ctx context.Context, conn *pgx.Conn, topics []string, now []relay.OperatorPause) (bool, string, error) {
	if p.wait <= 0 {
		return false, "the leader acts on it at its next renewal", nil
	}
	limited, cancel := context.WithTimeout(ctx, p.wait)
	defer cancel()
	// To cancel a statement would close the connection, which is used again after the wait.
	const grace = 5 * time.Second
	reading, stop := context.WithTimeout(ctx, p.wait+grace)
	defer stop()
	var leader admin.Leader
	err := wait.Until(limited, 100*time.Millisecond, func() (bool, error) {
		found, err := admin.ReadLeader(reading, conn, "")
		if err != nil { // as at the end of the wait
			return false, err
		}
		leader = found
		return leader.Holder == uuid.Nil || p.obeyed(leader.State, topics, now), nil
	})
	switch {
	case err != nil && (limited.Err() == nil || ctx.Err() != nil):
		return false, "whether the leader acts on it is not known", fmt.Errorf("it is recorded, then: %w", unprefixed(err))
	case err == nil && leader.Holder == uuid.Nil && p.pauses:
		return false, "no relay leads now; the next leader acts on it before it sends anything", nil
	case err == nil && leader.Holder == uuid.Nil:
		return false, "no relay leads now; the next leader will send the rows", nil
	case err == nil:
		return true, "the leader has confirmed it", nil
	}
	return false, "the leader has not confirmed it yet",
		fmt.Errorf("it is recorded, but the leader%s has not confirmed it within %s: its version may be from before pauses, "+
			"or it is stuck; see outboxrelay status, and its log", host(leader.State.Led), p.wait)
}

func host(led *relay.Led) string {
	if led == nil {
		return ""
	}
	return fmt.Sprintf(" on %s, pid %d,", led.Host, led.PID)
}

// obeyed reports whether the leader's last renewal shows the change. A pause of the same topic
// from before is another one. A leader that has not renewed its lease yet shows nothing.
func (p *pausing) obeyed(l relay.Status, topics []string, now []relay.OperatorPause) bool {
	if !l.Leader {
		return false
	}
	if l.OperatorPauseCount > len(l.OperatorPauses) {
		return l.OperatorPauseCount == len(now) // the list is cut
	}
	for _, topic := range topics {
		shown := func(o relay.OperatorPause) bool {
			return o.Topic == topic && (!p.pauses || slices.ContainsFunc(now, func(n relay.OperatorPause) bool { return n.Topic == topic && n.Since.Equal(o.Since) }))
		}
		found := slices.ContainsFunc(l.OperatorPauses, shown)
		if topic == admin.AllTopics && !p.pauses {
			found = l.OperatorPauseCount > 0
		}
		if found != p.pauses {
			return false
		}
	}
	return true
}

// unobeyed says that the leader does not know a pause; "": it does, or there is no leader, or
// it has not renewed its lease yet, or for long.
func unobeyed(s admin.State) string {
	if s.Leader.Holder == uuid.Nil || s.Leader.Silent > silence || !s.Leader.State.Leader || s.Leader.State.OperatorPauseCount >= len(s.Pauses) {
		return ""
	}
	if newest := s.Pauses[len(s.Pauses)-1]; s.Now.Sub(newest.Since) < silence {
		return "" // it learns of it at its next renewal
	}
	return fmt.Sprintf("the leader%s obeys %d of %s: its version may be from before pauses; upgrade it",
		host(s.Leader.State.Led), s.Leader.State.OperatorPauseCount, several(int64(len(s.Pauses)), "pause"))
}

func nameOf(topic string) string {
	if topic == admin.AllTopics {
		return "all topics"
	}
	return "topic " + topic
}

func namesOfTopics(topics []string) string {
	var names []string
	for _, topic := range topics {
		names = append(names, nameOf(topic))
	}
	return strings.Join(names, ", ")
}

func describePause(p relay.OperatorPause) string {
	verb := "is"
	if p.Topic == admin.AllTopics {
		verb = "are"
	}
	return fmt.Sprintf("%s %s paused by %s since %s: %s", nameOf(p.Topic), verb, p.Actor, p.Since.UTC().Format(time.RFC3339), cmp.Or(p.Reason, "no reason was given"))
}
