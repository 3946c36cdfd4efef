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
	act        func(context.Context, admin.Beginner, string, admin.Decision) error
	pauses     bool // afterwards the topic is paused

	outbox string
	all    bool
	by     admin.Decision
	asJSON bool
	wait   time.Duration
	*configuration
}

func pauseCommand(env environment) *cobra.Command {
	p := &pausing{environment: env, verb: "pause", done: "paused", act: admin.Pause, pauses: true}
	return p.command(&cobra.Command{
		Use:   "pause [TOPIC...]",
		Short: "Stop sending the rows of topics until they are resumed",
		Long: "pause makes the leading relay stop sending the rows of the topics within about a second. Rows in flight are still\n" +
			"sent. Rows of other topics continue, and new rows can be inserted; they wait. The pause survives restarts and\n" +
			"fail-over. status shows it with who paused the topic, when and why, and event_outbox_audit records it.\n\n" +
			"The command waits until the leader has confirmed the pause. If no relay leads, the next leader obeys the pause before\n" +
			"it sends anything.",
		Example: "  outboxrelay pause shop.order_placed.v1 --reason 'consumer is being restored'\n" +
			"  outboxrelay pause --all --reason 'Kafka is being migrated'",
	})
}

func resumeCommand(env environment) *cobra.Command {
	p := &pausing{environment: env, verb: "resume", done: "resumed", act: admin.Resume}
	return p.command(&cobra.Command{
		Use:   "resume [TOPIC...]",
		Short: "Send the rows of paused topics again",
		Long: "resume ends pauses. The leading relay then sends the rows that waited, in the order of each key, and before later rows\n" +
			"of the key. resume --all ends all pauses, also those of single topics. A topic that cannot be written because it\n" +
			"is missing, for example, is not paused by an operator; the relay tries it again by itself.",
		Example: "  outboxrelay resume shop.order_placed.v1\n" +
			"  outboxrelay resume --all --reason 'migration is done'",
	})
}

func (p *pausing) command(cmd *cobra.Command) *cobra.Command {
	flags := cmd.Flags()
	flags.StringVar(&p.outbox, "outbox", "", "the outbox, if the settings file has several")
	flags.BoolVar(&p.all, "all", false, p.verb+" all topics")
	flags.StringVar(&p.by.Actor, "actor", "", "who decided, for the audit log (default: the current user)")
	reason := "the reason, for status and the audit log"
	if p.pauses {
		reason += "; required"
	}
	flags.StringVar(&p.by.Reason, "reason", "", reason)
	flags.DurationVar(&p.wait, "wait", 5*time.Second, "how long to wait until the leader confirms; 0: do not wait")
	flags.BoolVar(&p.asJSON, "json", false, "print one JSON object per topic")
	p.environment.complete(cmd, "outbox", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		outboxes, _ := p.outboxes(readPlace) // a shell has no place for an error
		return namesOf(outboxes), cobra.ShellCompDirectiveNoFileComp
	})
	p.configuration = p.environment.declarePlace(cmd)
	cmd.Args = func(*cobra.Command, []string) error { return nil } // run has better words
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return p.run(cmd.Context(), args) }
	return cmd
}

func (p *pausing) run(ctx context.Context, topics []string) error {
	p.by.Actor = cmp.Or(p.by.Actor, currentUser())
	p.by.Reason = strings.TrimSpace(p.by.Reason)
	switch {
	case p.all == (len(topics) > 0):
		return misuse{fmt.Errorf("name the topics to %s, or add --all", p.verb)}
	case slices.Contains(topics, ""):
		return misuse{errors.New("a topic is empty: give it a name; --all is for all topics")}
	case p.pauses && p.by.Reason == "":
		return misuse{errors.New("--reason is missing: others need to know why the rows wait")}
	}
	if p.all {
		topics = []string{admin.AllTopics}
	}
	o, err := (&selection{outbox: p.outbox, configuration: p.configuration}).one(ctx, readPlace)
	if err != nil {
		return err
	}
	return p.connected(ctx, o, func(conn *pgx.Conn) error {
		var problems []error
		for _, topic := range topics {
			if err := p.one(ctx, conn, o, topic); err != nil {
				problems = append(problems, err)
			}
		}
		return errors.Join(problems...)
	})
}

// pauseResult is what a command did to one topic.
type pauseResult struct {
	Outbox string `json:"outbox"`
	Topic  string `json:"topic"` // "": all topics
	Paused bool   `json:"paused"`
	// Confirmed is true if a relay leads and has confirmed it.
	Confirmed bool   `json:"confirmed"`
	Note      string `json:"note"`
}

// one pauses or resumes one topic and waits for the leader.
func (p *pausing) one(ctx context.Context, conn *pgx.Conn, o outbox, topic string) error {
	pauses, err := admin.Pauses(ctx, conn)
	if err != nil {
		return err
	}
	if err := p.act(ctx, conn, topic, p.by); err != nil {
		return p.explain(topic, pauses, err)
	}
	confirmed, note, err := p.confirmed(ctx, conn, topic)
	if err != nil {
		return fmt.Errorf("%s %s, then: %w", p.done, nameOf(topic), err)
	}
	if p.pauses && topic != admin.AllTopics {
		used, err := admin.UsesTopic(ctx, conn, topic)
		if err != nil {
			return fmt.Errorf("%s %s, then: %w", p.done, nameOf(topic), err)
		}
		if !used {
			note += "; none of the rows that were looked at has this topic: check its name"
		}
	}
	result := pauseResult{o.name, topic, p.pauses, confirmed, note}
	if p.asJSON {
		return printJSON(p.stdout, result)
	}
	_, err = fmt.Fprintln(p.stdout, terminal.Text(fmt.Sprintf("%s %s; %s", p.done, nameOf(topic), note)))
	return err
}

// explain adds what is known to a decision that was refused.
func (p *pausing) explain(topic string, pauses []relay.OperatorPause, err error) error {
	find := func(topic string) string {
		if i := slices.IndexFunc(pauses, func(o relay.OperatorPause) bool { return o.Topic == topic }); i >= 0 {
			return describePause(pauses[i])
		}
		return ""
	}
	switch {
	case errors.Is(err, admin.ErrPaused):
		return fmt.Errorf("%s; nothing was changed", cmp.Or(find(topic), nameOf(topic)+" was paused in the meantime"))
	case errors.Is(err, admin.ErrNotPaused) && find(admin.AllTopics) != "":
		return fmt.Errorf("%s is not paused by itself, but %s; to end that: outboxrelay resume --all", nameOf(topic), find(admin.AllTopics))
	case errors.Is(err, admin.ErrNotPaused) && topic == admin.AllTopics:
		return errors.New("no topic is paused by an operator; outboxrelay status shows why rows wait")
	case errors.Is(err, admin.ErrNotPaused):
		return fmt.Errorf("%s is not paused by an operator; outboxrelay status shows why its rows wait", nameOf(topic))
	}
	return err
}

// confirmed waits until the leader's status has the change.
func (p *pausing) confirmed(ctx context.Context, conn *pgx.Conn, topic string) (bool, string, error) {
	if p.wait <= 0 {
		return false, "the leader acts on it at its next renewal", nil
	}
	limited, cancel := context.WithTimeout(ctx, p.wait)
	defer cancel()
	var state admin.State
	err := wait.Until(limited, 100*time.Millisecond, func() (over bool, err error) {
		state, err = admin.Inspect(ctx, conn, "")
		return state.Leader.Holder == uuid.Nil || p.obeyed(state, topic), err
	})
	switch l := state.Leader; {
	case err != nil && (limited.Err() == nil || ctx.Err() != nil):
		return false, "", err
	case !l.Known || l.Holder == uuid.Nil:
		return false, "no relay leads now; the next leader acts on it before it sends anything", nil
	case p.obeyed(state, topic):
		return true, "the leader has confirmed it", nil
	}
	return false, "", fmt.Errorf("it is recorded, but the leader%s has not confirmed it within %s: its version may be from before pauses, "+
		"or it is stuck; see outboxrelay status, and its log", host(state.Leader.State.Led), p.wait)
}

func host(led *relay.Led) string {
	if led == nil {
		return ""
	}
	return fmt.Sprintf(" on %s, pid %d,", led.Host, led.PID)
}

// obeyed reports whether the leader's last renewal shows the change.
func (p *pausing) obeyed(s admin.State, topic string) bool {
	l := s.Leader.State
	if l.OperatorPauseCount > len(l.OperatorPauses) {
		return l.OperatorPauseCount == len(s.Pauses) // the list is cut
	}
	paused := func(o relay.OperatorPause) bool { return o.Topic == topic }
	switch {
	case p.pauses:
		return slices.ContainsFunc(l.OperatorPauses, paused)
	case topic == admin.AllTopics:
		return l.OperatorPauseCount == 0
	}
	return !slices.ContainsFunc(l.OperatorPauses, paused)
}

// unobeyed says that the leader does not know a pause; "": it does, or there is no leader.
func unobeyed(s admin.State) string {
	if s.Leader.Holder == uuid.Nil || s.Leader.State.OperatorPauseCount >= len(s.Pauses) {
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

func describePause(p relay.OperatorPause) string {
	verb := "is"
	if p.Topic == admin.AllTopics {
		verb = "are"
	}
	return fmt.Sprintf("%s %s paused by %s since %s: %s", nameOf(p.Topic), verb, p.Actor, p.Since.UTC().Format(time.RFC3339), cmp.Or(p.Reason, "no reason was given"))
}
