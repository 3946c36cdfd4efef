package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

func deadShowCommand(env environment) *cobra.Command {
	var c *configuration
	var name string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show EVENT-ID|SEQ",
		Short: "Show everything about one row: data, headers, error, times, and what waits behind it",
		Long: "dead show prints everything about one row of event_outbox: its data and headers, its last error and attempts, its\n" +
			"times, the rows of its key that come after it, the other dead rows of its key, and what operators did to it.\n\n" +
			"The row need not be dead. By its seq it is found only while it is not published. The data may be confidential.",
		Example: "  outboxrelay dead show 0199d2c4-7c1e-7b0a-9d52-0d5f3a1f4c11\n" +
			"  outboxrelay dead show 4711 --json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misuse{errors.New("dead show needs the event id or the seq of one row, as outboxrelay dead lists them")}
			}
			return nil
		},
	}
	env.declareOutbox(cmd, &name, outboxUsage, func() *configuration { return c }, readPlace)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	c = env.declarePlace(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		id, idErr := uuid.Parse(args[0])
		seq, seqErr := strconv.ParseInt(args[0], 10, 64)
		if idErr != nil && (seqErr != nil || seq < 1) {
			return misuse{errors.New("dead show needs an event id, which is a UUID, or a seq, which is a number above zero")}
		}
		o, err := c.outboxNamed(cmd.Context(), name, readPlace)
		if err != nil {
			return err
		}
		return c.connected(cmd.Context(), o, func(conn *pgx.Conn) error {
			if idErr != nil {
				if id, err = admin.FindSeq(cmd.Context(), conn, seq); err != nil {
					return err
				}
			}
			event, err := admin.FindEvent(cmd.Context(), conn, id)
			if err != nil {
				return err
			}
			event.LastError = o.secrets.Text(event.LastError)
			for i := range event.DeadOfKey {
				event.DeadOfKey[i].LastError = o.secrets.Text(event.DeadOfKey[i].LastError)
			}
			if asJSON {
				return printJSON(env.stdout, event)
			}
			leader, err := admin.ReadLeader(cmd.Context(), conn, "")
			if err != nil {
				return err
			}
			return printEvent(env.stdout, event, leader, o.flags)
		})
	}
	return cmd
}

// printEvent writes an event for a person. flags select the outbox in another command.
func printEvent(w io.Writer, e admin.Event, l admin.Leader, flags string) error {
	p := &sheet{width: 10}
	p.line("event", "%s, seq %d", e.EventID, e.Seq)
	p.line("state", "%s", stateOf(e))
	p.line("type", "%s", e.EventType)
	p.line("topic", "%s", e.Topic)
	p.line("key", "%s", recordOf(e.Key, e.Partition, e.Data == nil))
	p.line("aggregate", "%s/%s", e.AggregateType, e.AggregateID)
	p.line("created", "%s, by transaction %s", stamp(e.CreatedAt), orDash(e.Transaction))
	if e.RetryCount > 0 || e.LastError != "" {
		p.line("attempts", "%d", e.RetryCount)
		p.line("error", "%s", orDash(e.LastError))
	}
	p.document("headers", e.Headers, "none: they come from the data")
	p.document("data", e.Data, "none: a tombstone")
	for i, d := range e.DeadOfKey {
		p.line(only1st(i, "same key"), "dead: seq %d, event %s, %s, since %s: %s", d.Seq, d.EventID, d.EventType, stamp(d.DeadAt), d.LastError)
	}
	if e.State != admin.Published && e.State != admin.Discarded {
		p.line("behind", "%s", behind(e, l.State.Led))
		for _, r := range e.BehindFirst {
			p.line("", "seq %d, event %s, %s, created %s", r.Seq, r.EventID, r.EventType, stamp(r.CreatedAt))
		}
		if more := e.Behind - int64(len(e.BehindFirst)); more > 0 {
			p.line("", "… and more")
		}
	}
	for _, line := range newerLines(e) {
		p.line("newer", "%s", line)
	}
	for i, a := range e.Audit {
		done := ""
		if !a.AppliedAt.IsZero() {
			done = ", the leader acted on it at " + stamp(a.AppliedAt)
		}
		p.line(only1st(i, "audit"), "%s: %s by %s: %s%s", stamp(a.At), a.Action, a.Actor, orDash(a.Reason), done)
	}
	if e.State == admin.Dead {
		p.command("next", fmt.Sprintf("fix the cause of the error, then: outboxrelay dead replay%s --event-id %s --reason '…'", flags, e.EventID))
	}
	_, err := io.WriteString(w, p.String())
	return err
}

func stateOf(e admin.Event) string {
	switch e.State {
	case admin.Dead:
		return fmt.Sprintf("dead since %s, after %s", stamp(e.DeadAt), several(int64(e.RetryCount), "attempt"))
	case admin.Retrying:
		return fmt.Sprintf("retrying, next attempt at %s", stamp(e.NextAttempt))
	case admin.Published:
		if e.PublishedAt.IsZero() { // of a log: just now
			break
		}
		return fmt.Sprintf("published at %s", stamp(e.PublishedAt))
	case admin.Pending, admin.Discarded:
	}
	return string(e.State)
}

// newerLines says which newer rows of a dead row's key were published, and what is not known.
func newerLines(e admin.Event) (lines []string) {
	if e.State != admin.Dead || e.Key == nil || *e.Key == "" {
		return nil
	}
	for _, n := range e.Newer.Keys {
		lines = append(lines, newerWords(n))
	}
	if text := unknownNewer(e.Newer); text != "" {
		return append(lines, text)
	}
	if len(lines) == 0 {
		lines = append(lines, "no newer row of its topic and key was published, of those that the outbox still has")
	}
	return lines
}

// behind says which rows come after an event, and whether they wait for it. led has the
// policy of the leader; nil: unknown.
func behind(e admin.Event, led *relay.Led) string {
	if e.Key == nil || *e.Key == "" {
		return "none: a row without a key holds up no other"
	}
	count := "no pending row of its topic and key comes"
	switch {
	case e.Behind >= admin.BehindCap:
		count = fmt.Sprintf("more than %d pending rows of its topic and key come", admin.BehindCap-1)
	case e.Behind == 1:
		count = "1 pending row of its topic and key comes"
	case e.Behind > 1:
		count = fmt.Sprintf("%d pending rows of its topic and key come", e.Behind)
	}
	count += " after it"
	switch policy := policyFor(e.EventType, led); {
	case e.State == admin.Retrying && e.Behind == 0:
		return count + "; if one comes, it waits until this one is sent or dead"
	case e.State == admin.Retrying:
		return count + "; they wait until it is sent or dead"
	case e.State != admin.Dead:
		return count
	case policy == relay.Block:
		return count + "; they wait until it is replayed or discarded (on_dead is block)"
	case policy == relay.Park:
		return count + "; they do not wait for it (on_dead is park)"
	}
	return count + "; whether they wait depends on on_dead of the relay, which is not running"
}

// policyFor returns what the leader does with dead rows of a type; "": unknown.
func policyFor(eventType string, led *relay.Led) relay.Policy {
	if led == nil {
		return ""
	}
	if p, ok := led.Settings["on_dead of "+eventType]; ok {
		return relay.Policy(p)
	}
	return relay.Policy(led.Settings["on_dead"])
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// only1st returns the label for the first of several lines.
func only1st(i int, label string) string {
	if i > 0 {
		return ""
	}
	return label
}

// sheet is a list of labels with values. Each line is escaped as a whole, because values
// come from the data.
type sheet struct {
	strings.Builder
	width int // of the labels
}

func (s *sheet) line(label, format string, args ...any) {
	fmt.Fprintf(s, "%-*s %s\n", s.width, label, terminal.Text(fmt.Sprintf(format, args...)))
}

// command adds a line with a command, which keeps its backslashes, so that it can be copied.
func (s *sheet) command(label, text string) {
	fmt.Fprintf(s, "%-*s %s\n", s.width, label, terminal.Lines(strings.ReplaceAll(text, "\n", " ")))
}

// document adds a JSON document, with line breaks where JSON allows them.
func (s *sheet) document(label string, text json.RawMessage, instead string) {
	if text == nil {
		s.line(label, "%s", instead)
		return
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		s.line(label, "%s", text)
		return
	}
	for line := range strings.SplitSeq(indented.String(), "\n") {
		fmt.Fprintf(s, "%-*s %s\n", s.width, label, terminal.Lines(line)) // with the backslashes of the document
		label = ""
	}
}
