package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// decision is a command that decides about dead rows or delayed events.
type decision struct {
	about  subject
	act    func(context.Context, admin.Beginner, admin.Filter, admin.Decision) (int, error)
	listed *admin.Chosen   // the listed dead letters, if keepsOrder
	told   map[string]bool // the topics of which it was said whether newer rows are replaced
	verb   string          // what it does to them
	done   string          // what it did
	// effect says what a confirmation is about, with a verb for their number.
	effect string
	// publishes means that the relay sends them afterwards.
	publishes bool
	// final means that the decision cannot be undone: it needs a reason and a
	// confirmation.
	final bool

	// keepsOrder means that it must not pass dead rows of the same keys that come before.
	keepsOrder bool

	chosen *selection
	all    bool
	order  keyOrder
	by     admin.Decision
	dryRun bool
	asJSON bool
	yes    bool
}

// Effects of decisions.
const (
	deletesThem = "This deletes %s permanently."
	sendsAgain  = "This publishes %s again."
)

func discardCommand(env environment) *cobra.Command { return discardAs(env, "outboxrelay discard") }

func deadDiscardCommand(env environment) *cobra.Command {
	return discardAs(env, "outboxrelay dead discard")
}

// discardAs makes the command that discards dead rows; called is how it is called.
func discardAs(env environment, called string) *cobra.Command {
	d := &decision{about: deadRows, act: admin.Discard, verb: "discard", done: "discarded", effect: deletesThem, final: true}
	return d.command(env, &cobra.Command{
		Use:   "discard",
		Short: "Delete dead rows",
		Long: "discard deletes dead rows with their data. event_outbox_audit records who discarded them, when and why. Of a log it\n" +
			"deletes the copies in event_outbox_failed; the events stay in event_outbox until their partition is dropped.\n\n" +
			"It lists the dead rows and asks you to type their number. Scripts use --yes instead; without a terminal and without\n" +
			"--yes nothing is deleted. --dry-run only lists them. discard deletes exactly the rows that it listed: a row that\n" +
			"becomes dead meanwhile stays.",
		Example: "  " + called + " --event-type grading.essay.graded.v1 --dry-run\n" +
			"  " + called + " --event-type grading.essay.graded.v1 --reason 'sent by hand'\n" +
			"  " + called + " --all --reason 'test data' --yes",
	})
}

func (d *decision) command(env environment, cmd *cobra.Command) *cobra.Command {
	d.addFlags(env, cmd)
	settings := place
	if d.keepsOrder {
		settings = compactedPlace
	}
	d.chosen.configuration = env.declareWith(cmd, settings)
	cmd.Args = noArguments
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return d.carryOut(cmd.Context(), env) }
	return cmd
}

// addFlags adds the command's own flags.
func (d *decision) addFlags(env environment, cmd *cobra.Command) {
	d.chosen = selectionFlags(env, cmd, d.about)
	flags := cmd.Flags()
	flags.BoolVar(&d.all, "all", false, "select all "+d.about.noun+"s")
	flags.StringVar(&d.by.Actor, "actor", "", actorUsage)
	reason := "the reason, for the audit log"
	if d.final {
		reason += "; required"
	}
	if d.final || d.keepsOrder {
		flags.BoolVar(&d.yes, "yes", false, "do not ask for confirmation")
	}
	if d.keepsOrder {
		d.order.addFlags(flags)
	}
	flags.StringVar(&d.by.Reason, "reason", "", reason)
	flags.BoolVar(&d.dryRun, "dry-run", false, "list the "+d.about.noun+"s and change nothing")
	flags.BoolVar(&d.asJSON, "json", false, "with --dry-run: print one JSON object for each; with --yes: print the result as JSON")
}

func (d *decision) carryOut(ctx context.Context, env environment) error {
	filter, err := d.filter()
	if err != nil {
		return err
	}
	if err := d.permitted(env); err != nil {
		return err
	}
	o, err := d.chosen.one(ctx, readPlace)
	if err != nil {
		return err
	}
	return d.chosen.connected(ctx, o, func(conn *pgx.Conn) error {
		return d.run(ctx, env, o, conn, filter)
	})
}

func (d *decision) filter() (admin.Filter, error) {
	filter, err := d.chosen.filter(d.about.noun)
	if err != nil {
		return filter, err
	}
	chose := len(filter.EventIDs) > 0 || filter.EventType != "" || filter.Topic != "" || filter.Key != nil || filter.AggregateType != "" ||
		filter.Error != "" || filter.OlderThan > 0 || filter.NewerThan > 0
	switch {
	case chose && d.all:
		return filter, misuse{fmt.Errorf("--all selects all %ss: remove it, or the flags that select some of them", d.about.noun)}
	case !chose && !d.all:
		return filter, misuse{fmt.Errorf("no %ss selected: use --event-id, --event-type, --topic, --key%s or --all", d.about.noun, d.about.otherFlags())}
	}
	return filter, d.order.misuse()
}

// permitted returns an error if the call lacks something.
func (d *decision) permitted(env environment) error {
	if !d.dryRun {
		if err := env.decider(&d.by); err != nil {
			return err
		}
	}
	switch {
	case d.asJSON && !d.dryRun && !d.yes:
		return misuse{errors.New("--json needs --dry-run or --yes: add one of them, or remove --json")}
	case d.dryRun || !d.final:
		return nil
	case d.by.Reason == "":
		return misuse{fmt.Errorf("--reason is missing: give the reason for the audit log; a %s cannot be undone", d.verb)}
	case !d.yes && !env.interactive:
		return misuse{fmt.Errorf("nothing was changed: %s needs a confirmation, but the input is not a terminal; review with --dry-run, then add --yes", d.verb)}
	}
	return nil
}

// shownLetters limits what is listed before a confirmation.
const shownLetters = 20

// run lists what is selected, asks for a confirmation, and decides about exactly those.
// A decision that can be undone needs the confirmation only on a terminal.
func (d *decision) run(ctx context.Context, env environment, o outbox, conn *pgx.Conn, filter admin.Filter) error {
	ids, topics, ask, err := d.list(ctx, env, o, conn, filter)
	if err != nil {
		return err
	}
	count := several(int64(len(ids)), d.about.noun)
	if err := d.checkNewer(ctx, env, conn, ask); err != nil {
		return err
	}
	switch {
	case len(ids) == 0:
		return fmt.Errorf("no %ss match: see outboxrelay %s", d.about.noun, d.about.list)
	case d.dryRun && d.asJSON:
		return nil
	case d.dryRun:
		_, err := fmt.Fprintf(env.stdout, "would %s %s; nothing was changed\n", d.verb, count)
		return err
	case ask:
		if len(ids) > shownLetters {
			fmt.Fprintf(env.stdout, "… and %d more\n", len(ids)-shownLetters)
		}
		if !env.confirmed(ctx, fmt.Sprintf(d.effect, count), int64(len(ids))) {
			return errors.New("not confirmed: nothing was changed")
		}
		if err := d.checkNewerAgain(ctx, env, conn); err != nil {
			return err
		}
	}
	done, err := d.decide(ctx, conn, ids)
	if err != nil {
		err = advise(unprefixed(err))
		if done > 0 {
			err = fmt.Errorf("%s %d of %s, then: %w", d.done, done, count, err)
		}
	}
	result := decisionResult{Outbox: o.name, Action: d.verb, Selected: len(ids), Changed: done}
	if err == nil {
		result.Note = d.note(ctx, conn, topics)
	}
	switch {
	case d.asJSON:
		return errors.Join(err, printJSON(env.stdout, result))
	case err != nil:
		return err
	}
	text := fmt.Sprintf("%s %s", d.done, several(int64(done), d.about.noun))
	if done < len(ids) {
		text = fmt.Sprintf("%s %d of %s: %s", d.done, done, several(int64(len(ids)), d.about.noun), d.about.gone)
	}
	if result.Note != "" {
		text += "; " + result.Note
	}
	_, err = fmt.Fprintln(env.stdout, terminal.Text(text))
	return err
}

// decisionResult is what --json prints after a decision.
type decisionResult struct {
	Outbox   string `json:"outbox"`
	Action   string `json:"action"`
	Selected int    `json:"selected"`
	Changed  int    `json:"changed"`
	Note     string `json:"note"` // why the rows wait nevertheless; "": they do not
}

// note says why rows are not sent although a decision wants that; "": they are, or it is not
// known.
func (d *decision) note(ctx context.Context, conn *pgx.Conn, topics map[string]bool) string {
	if !d.publishes {
		return ""
	}
	leader, err := admin.ReadLeader(ctx, conn, "")
	if err != nil {
		return ""
	}
	pauses, err := admin.Pauses(ctx, conn)
	if err != nil {
		return ""
	}
	var notes []string
	switch {
	case leader.Holder == uuid.Nil:
		notes = append(notes, "no relay leads now, so nothing is sent yet")
	case leader.Silent > silence:
		notes = append(notes, fmt.Sprintf("the leader's last heartbeat was %s ago, so nothing is sent yet", leader.Silent.Round(time.Second)))
	}
	for _, p := range pauses {
		if p.Topic == admin.AllTopics || topics[p.Topic] {
			notes = append(notes, "nothing of it is sent yet: "+describePause(p))
		}
	}
	return strings.Join(notes[:min(len(notes), 5)], "; ")
}

// list lists what is selected with its topics, and says whether to ask for a confirmation.
func (d *decision) list(ctx context.Context, env environment, o outbox, conn *pgx.Conn, filter admin.Filter) (
	ids []uuid.UUID, topics map[string]bool, ask bool, err error,
) {
	ask = (d.final || d.keepsOrder && env.interactive) && !d.yes && !d.dryRun
	each := d.about.each
	if d.keepsOrder {
		if each, err = d.order.apply(ctx, conn, d.about.each, filter, d.all); err != nil {
			return nil, nil, false, err
		}
	}
	topics, d.listed, d.told = map[string]bool{}, &admin.Chosen{}, map[string]bool{}
	err = each(ctx, conn, o, filter, func(i item) error {
		ids = append(ids, i.id)
		if l, ok := i.json.(admin.DeadLetter); ok && d.keepsOrder {
			d.listed.Add(l)
		}
		topics[i.topic] = true
		if d.dryRun || ask && len(ids) <= shownLetters {
			return i.print(env.stdout, d.asJSON)
		}
		return nil
	})
	return ids, topics, ask, err
}

// confirmed says what will happen, and asks for the number of what was listed, to make
// sure that a person has read it.
func (env environment) confirmed(ctx context.Context, what string, count int64) bool {
	fmt.Fprintf(env.stdout, "%s Type the number to continue: ", what)
	answer := make(chan string, 1)
	go func() { // a read from a terminal cannot be cancelled; it ends with the process
		line, _ := bufio.NewReader(env.stdin).ReadString('\n') // an incomplete line may be a confirmation or not
		answer <- strings.TrimSpace(line)
	}()
	select {
	case text := <-answer:
		return text == fmt.Sprint(count)
	case <-ctx.Done():
		return false
	}
}

// decidedRows is how many are acted on in one transaction.
const decidedRows = 1000

// decide acts on the listed ones. keyOrder.apply has checked the order of what it found. Each
// transaction looks again, at all dead rows before its own: rows may have become dead since.
func (d *decision) decide(ctx context.Context, conn *pgx.Conn, ids []uuid.UUID) (int, error) {
	act := d.act
	if d.keepsOrder && !d.order.outOfOrder {
		act = admin.ReplayInOrder
	}
	done := 0
	for chunk := range slices.Chunk(ids, decidedRows) {
		n, err := act(ctx, conn, admin.Filter{EventIDs: chunk}, d.by)
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}
