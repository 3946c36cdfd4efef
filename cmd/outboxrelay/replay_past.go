package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/runtime/relay/replay"
)

// past sends published events again.
func (r *replaying) past(ctx context.Context, env environment) error {
	s, err := r.selection(time.Now().UTC())
	if err != nil {
		return err
	}
	if r.dead.asJSON && !r.dead.dryRun && !r.dead.yes {
		return misuse{errors.New("--json needs --dry-run or --yes: add one of them, or remove --json")}
	}
	if !r.dead.dryRun && !r.dead.yes && !env.interactive {
		return misuse{errors.New("nothing was sent: replay --from needs a confirmation, but the input is not a terminal; review with --dry-run, then add --yes")}
	}
	o, err := r.dead.chosen.one(ctx, readReplayPlace)
	if err != nil {
		return err
	}
	records := env.stdout
	if o.toStdout && !r.dead.dryRun {
		env.stdout = env.stderr // standard output has the records, and nothing else
	}
	connected := false
	err = r.dead.chosen.reach(ctx, o, func(conn *pgx.Conn) error {
		connected = true
		history, err := pgstore.NewHistory(ctx, conn)
		if err != nil {
			return err
		}
		r.tellPauses(ctx, env, conn, o)
		return (&pastRun{replaying: r, environment: env, outbox: o, history: history, selection: s, records: records}).run(ctx)
	})
	if errors.Is(err, replay.ErrCursor) {
		return misuse{fmt.Errorf("--after %q is not a place in the history of this outbox: use the one that outboxrelay replay printed", r.after)}
	}
	if !connected { // later an error may be Kafka's
		return withRunbook(err)
	}
	return err
}

// tellPauses says on standard error which topics are paused: replay does not obey pauses,
// because a topic may be paused until a replay is done. A role that may not read the audit
// does not learn of them.
func (r *replaying) tellPauses(ctx context.Context, env environment, conn *pgx.Conn, o outbox) {
	pauses, err := admin.Pauses(ctx, conn)
	if err != nil || o.toStdout {
		return
	}
	for _, p := range pauses {
		if r.toTopic == "" || p.Topic == admin.AllTopics || p.Topic == r.toTopic {
			fmt.Fprintf(env.stderr, "outboxrelay: %s; replay --from sends its events nevertheless\n", terminal.Text(describePause(p)))
		}
	}
}

// pastRun is one replay of published events.
type pastRun struct {
	*replaying
	environment

	outbox    outbox
	history   replay.History
	selection replay.Selection
	records   io.Writer // of --sink stdout
	total     int64     // 0: not counted
	known     time.Time // how far back the history reached at the start, if that was not enough
}

// dryRunPatience is how long a dry run waits for Kafka, which tells it of the topics.
const dryRunPatience = 5 * time.Second

// run counts what is selected, checks the topics, asks for a confirmation, and sends it.
func (p *pastRun) run(ctx context.Context) error {
	if err := p.tellMissing(ctx); err != nil {
		return err
	}
	sink, err := p.sink()
	if err != nil {
		return err
	}
	rate := p.rate
	if rate == 0 {
		rate = -1
	}
	show := &progress{w: p.stderr, interactive: p.interactive && !p.outbox.toStdout, began: time.Now(), continuation: p.continuation}
	cfg := replay.Config{
		History: p.history, Sink: sink, Selection: p.selection, After: replay.Cursor(p.after), ID: p.id, Rate: rate,
		NotCompacted: p.notCompacted, StripRouting: p.outbox.relay.StripRouting, WaveTimeout: p.outbox.relay.WaveTimeout, Progress: show.update,
	}
	if p.dead.dryRun {
		cfg.Patience = dryRunPatience
	}
	confirmed, err := p.review(ctx, cfg)
	if err != nil || !confirmed {
		return err
	}
	cfg.Selection = p.selection
	if !p.dead.yes {
		show.total = p.total
	}
	show.began = time.Now()
	result, err := replay.Run(ctx, cfg)
	show.end()
	return p.report(ctx, result, err)
}

// review counts what is selected, and checks the topics. Without --yes it prints what is
// selected and asks. It returns true if that is to be sent.
func (p *pastRun) review(ctx context.Context, cfg replay.Config) (bool, error) {
	counts, err := replay.CountAll(ctx, p.history, p.selection, replay.Cursor(p.after))
	if err != nil {
		return false, err
	}
	counts, refused, err := p.checkTopics(ctx, cfg, counts)
	if err != nil {
		return false, err
	}
	for _, c := range counts {
		p.total += c.Events
	}
	if p.dead.dryRun && p.dead.asJSON {
		for _, c := range counts {
			if err := printJSON(p.stdout, replayCount{c, p.toTopic}); err != nil {
				return false, err
			}
		}
	} else if p.dead.dryRun || !p.dead.yes {
		if err := p.print(counts); err != nil {
			return false, err
		}
	}
	events := several(p.total, "event")
	switch {
	case refused != nil:
		return false, refused
	case p.dead.yes && !p.dead.dryRun:
		return true, nil // it ends well even if nothing is left after --after
	case p.total == 0:
		return false, errNothingMatches
	case p.dead.dryRun && p.dead.asJSON:
		return false, nil
	case p.dead.dryRun:
		_, err := fmt.Fprintf(p.stdout, "would replay %s; nothing was sent\n", events)
		return false, err
	}
	where := "to the topics above: all their consumers get them"
	if p.toTopic != "" {
		where = "to topic " + terminal.Text(p.toTopic)
	}
	if !p.confirmed(ctx, fmt.Sprintf("This publishes %s again, %s.", events, where), p.total) {
		return false, errors.New("not confirmed: nothing was sent")
	}
	return true, nil
}

// replayCount is how --json prints a part of what is selected.
type replayCount struct {
	replay.Count

	ToTopic string `json:"to_topic,omitempty"`
}

func (p *pastRun) print(counts []replay.Count) error {
	columns := tabwriter.NewWriter(p.stdout, 0, 4, 2, ' ', 0)
	for _, c := range counts {
		fmt.Fprintf(columns, "%s\t%s\t%s\t%s to %s\n", terminal.Text(c.Topic), terminal.Text(c.EventType), several(c.Events, "event"),
			c.First.Format(time.RFC3339), c.Last.Format(time.RFC3339))
	}
	return columns.Flush()
}

// tellMissing says how far back the history reaches, if that is not as far as the
// selection.
func (p *pastRun) tellMissing(ctx context.Context) error {
	reach, err := p.history.Reach(ctx, replay.Cursor(p.after))
	switch {
	case err != nil:
		return err
	case reach.Empty:
		return errors.New("the history is empty: event_outbox has no published rows; with settle: delete the relay keeps none")
	case !reach.Lacks(p.selection):
		return nil
	case p.after != "":
		_, err = fmt.Fprintf(p.stderr, "%s; events after --after %s that were created earlier may be missing\n", begins(reach.Back), p.after)
	default:
		_, err = fmt.Fprintf(p.stderr, "%s; events that were created earlier may be missing (setting retention)\n", begins(reach.Back))
	}
	p.known = reach.Back
	return err
}

// begins says from when on no event is missing. What was deleted is known only as far as a row
// tells it that is left.
func begins(back time.Time) string {
	return "the history is known to be complete only from " + back.Format(time.RFC3339)
}

// sink returns where the records go, with clients of its own.
func (p *pastRun) sink() (relay.Sink, error) {
	var sink relay.Sink
	if p.outbox.toStdout {
		sink = relay.NewStdoutSink(terminal.JSON(p.records))
	} else {
		var err error
		if sink, err = p.outbox.kafkaSink(); err != nil {
			return nil, err
		}
	}
	if p.toTopic != "" {
		sink = replay.Redirect(sink, p.toTopic)
	}
	if p.outbox.toStdout {
		return sink, nil
	}
	return p.outbox.framed(sink, newLogger(p.stderr, "warn", "text", p.secrets)) // the subjects are those of the events' own topics
}

// outcome is how --json prints the result.
type outcome struct {
	ID      string `json:"id"`
	Events  int64  `json:"events"`
	After   string `json:"after"`
	Repeats int    `json:"repeats"` // events that are sent again when it is continued
	// Missing is set if events that were created up to this time may be missing.
	Missing  time.Time `json:"missing_before,omitzero"`
	Skip     string    `json:"skip,omitempty"` // the place after the event that cannot be sent
	Complete bool      `json:"complete"`
}

var errNothingMatches = errors.New("no published events match")

// skipping returns the place after the event that stopped the replay, or "".
func skipping(err error) replay.Cursor {
	if failed, ok := errors.AsType[*replay.EventError](err); ok {
		return failed.Event.At
	}
	return ""
}

// report prints what was done, with an error too.
func (p *pastRun) report(ctx context.Context, result replay.Result, err error) error {
	if errors.Is(err, replay.ErrCursor) {
		return err
	}
	if p.dead.asJSON {
		out := outcome{result.ID, result.Sent, string(result.After), result.Ahead, result.Missing, string(skipping(err)), result.Complete}
		if err := printJSON(p.stdout, out); err != nil {
			return err
		}
	}
	done := "replayed " + several(result.Sent, "event")
	gap := result.Missing.After(p.known)
	if gap {
		fmt.Fprintf(p.stderr, "%s; events that were created earlier and not read before may be missing\n", begins(result.Missing))
	}
	switch {
	case err == nil && gap && p.known.IsZero(): // all was there at the start
		return fmt.Errorf("%s, %s: %s; others were deleted before they were read", done, replay.Header, result.ID)
	case err == nil && result.Sent == 0 && p.after == "":
		return errNothingMatches
	case err == nil && p.dead.asJSON:
		return nil
	case err == nil:
		_, err := fmt.Fprintf(p.stdout, "%s, %s: %s\n", done, replay.Header, terminal.Text(result.ID))
		return err
	case ctx.Err() != nil:
		err = errors.New("stopped")
	case errors.Is(err, replay.ErrMaybeCompacted):
		err = fmt.Errorf("%w\n"+maybeCompacted, err, p.otherTopic())
	}
	if result.Ahead > 0 {
		done += fmt.Sprintf(" (%d of them will be sent again)", result.Ahead)
	}
	err = fmt.Errorf("%s, then: %w\ncontinue with: %s", done, err, p.continuation(result))
	if skip := skipping(err); skip != "" {
		err = fmt.Errorf("%w\nto skip this event, add: --after %s", err, skip)
	}
	return err
}

// progress shows how far a replay got: as one line that changes on a terminal, else as a
// line now and then. A line above them says how to continue from there.
type progress struct {
	w           io.Writer
	total       int64
	interactive bool
	began, last time.Time
	width       int // of the line on the terminal
	told        bool
	// continuation returns the command without a place.
	continuation func(replay.Result) string
}

const (
	redrawEvery = 500 * time.Millisecond
	logEvery    = 30 * time.Second
	// columns is the most that the line on a terminal has. A longer one would take two
	// lines, of which only one can be written over.
	columns = 79
)

func (p *progress) update(result replay.Result) {
	now := time.Now()
	every := logEvery
	if p.interactive {
		every = redrawEvery
	} else if p.last.IsZero() {
		p.last = now
	}
	if now.Sub(p.last) < every {
		return
	}
	p.last = now
	if !p.told {
		p.told = true
		fmt.Fprintf(p.w, "if this is killed, continue with the last --after that it printed, and: %s\n", p.continuation(replay.Result{ID: result.ID}))
	}
	line := p.line(result, now)
	if !p.interactive {
		fmt.Fprintln(p.w, line)
		return
	}
	fmt.Fprintf(p.w, "\r%-*s", p.width, line)
	p.width = len(line)
}

func (p *progress) line(result replay.Result, now time.Time) string {
	line := fmt.Sprintf("replayed %d", result.Sent)
	if p.total > 0 {
		line += fmt.Sprintf(" of %d", p.total)
	}
	place := fmt.Sprintf(" (--after %s)", result.After)
	add := func(part string) {
		if !p.interactive || len(line)+len(part)+len(place) <= columns {
			line += part
		}
	}
	if took := now.Sub(p.began); took > time.Second {
		add(fmt.Sprintf(", %.0f/s", float64(result.Sent)/took.Seconds()))
	}
	if !result.At.IsZero() {
		add(", up to " + result.At.Format(time.RFC3339))
	}
	return line + place
}

// end leaves the line on the terminal.
func (p *progress) end() {
	if p.width > 0 {
		fmt.Fprintln(p.w)
	}
}
