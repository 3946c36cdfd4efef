package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

var delayedEvents = subject{
	noun:    "delayed event",
	gone:    "the others became due, or somebody else has decided about them",
	list:    "delayed",
	columns: []string{"EVENT", "TYPE", "TOPIC", "KEY", "AGGREGATE", "DUE AT", "DUE"},
	each: func(ctx context.Context, conn *pgx.Conn, _ outbox, filter admin.Filter, f func(item) error) error {
		for after := (admin.DelayedEvent{}); ; {
			events, err := admin.DelayedEvents(ctx, conn, filter, after)
			if err != nil || len(events) == 0 {
				return err
			}
			for _, e := range events {
				cells := []string{
					e.EventID.String(), e.EventType, e.Topic, recordOf(e.Key, e.Partition, e.Tombstone),
					e.AggregateType + "/" + e.AggregateID, e.DeliverAt.UTC().Format(time.RFC3339), due(e.DueIn),
				}
				if err := f(item{e.EventID, e.Topic, describeDelayed(e), cells, e}); err != nil {
					return err
				}
				after = e
			}
		}
	},
}

func delayedCommand(env environment) *cobra.Command {
	return delayedEvents.listing(env, "event", &cobra.Command{
		Use:     "delayed",
		Short:   "List delayed events: events that wait for their time",
		Example: "  outboxrelay delayed --event-type shop.reminder.v1",
	})
}

func cancelCommand(env environment) *cobra.Command {
	d := &decision{act: admin.CancelDelayed, verb: "cancel", done: "cancelled", effect: deletesThem, final: true, about: delayedEvents}
	return d.command(env, &cobra.Command{
		Use:   "cancel",
		Short: "Delete delayed events",
		Long: "cancel deletes delayed events with their data, so that they are never sent. event_outbox_audit records who cancelled\n" +
			"them, when and why. An event that becomes due meanwhile is sent, not cancelled.\n\n" +
			"It lists the delayed events and asks you to type their number. Scripts use --yes instead; without a terminal and\n" +
			"without --yes nothing is deleted. --dry-run only lists them. cancel deletes exactly the events that it listed.",
		Example: "  outboxrelay cancel --event-type shop.reminder.v1 --dry-run\n" +
			"  outboxrelay cancel --event-id 0199d2c4-7c1e-7b0a-9d52-0d5f3a1f4c11 --reason 'order was cancelled'",
	})
}

func sendNowCommand(env environment) *cobra.Command {
	d := &decision{act: admin.SendNow, verb: "send-now", done: "made due", effect: "This publishes %s now.", final: true, publishes: true, about: delayedEvents}
	return d.command(env, &cobra.Command{
		Use:   "send-now",
		Short: "Send delayed events before their time",
		Long: "send-now makes delayed events due. The leading relay sends them within about two seconds, in the order of their\n" +
			"former times. Events that are already due are not changed.\n\n" +
			"What was sent cannot be taken back. So it lists the delayed events and asks you to type their number. Scripts use\n" +
			"--yes instead; without a terminal and without --yes nothing is changed. --dry-run only lists them.",
		Example: "  outboxrelay send-now --event-id 0199d2c4-7c1e-7b0a-9d52-0d5f3a1f4c11 --reason 'customer asked'\n" +
			"  outboxrelay send-now --all --dry-run",
	})
}

func describeDelayed(e admin.DelayedEvent) string {
	return fmt.Sprintf("%s  %s  topic %s  key %s  %s/%s  due at %s, %s", e.EventID, e.EventType, e.Topic, recordOf(e.Key, e.Partition, e.Tombstone),
		e.AggregateType, e.AggregateID, e.DeliverAt.UTC().Format(time.RFC3339), due(e.DueIn))
}

// due says when something is due.
func due(in time.Duration) string {
	if in < 0 {
		return fmt.Sprintf("%s ago", (-in).Round(time.Second))
	}
	return fmt.Sprintf("in %s", in.Round(time.Second))
}

// recordOf describes the record of a row by its key, and by what few rows have.
func recordOf(key *string, partition *int32, tombstone bool) string {
	text := "-"
	if key != nil {
		text = *key
	}
	if partition != nil {
		text += fmt.Sprintf("  partition %d", *partition)
	}
	if tombstone {
		text += "  tombstone"
	}
	return text
}

// subject is what a decision is about.
type subject struct {
	noun    string   // "dead row"
	gone    string   // why some are no longer there when a decision is carried out
	list    string   // the command that lists them
	columns []string // of the list
	ages    bool     // they have an age and an error
	// each calls f with those that the filter selects. It reads them page by page.
	each func(ctx context.Context, conn *pgx.Conn, o outbox, filter admin.Filter, f func(item) error) error
}

// otherFlags names the flags that select only some subjects.
func (s subject) otherFlags() string {
	if s.ages {
		return ", --aggregate, --error, --older-than, --newer-than"
	}
	return ", --aggregate"
}

// item is one of them.
type item struct {
	id    uuid.UUID
	topic string
	text  string   // in one line
	cells []string // in a list
	json  any
}

func (i item) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return printJSON(w, i.json)
	}
	_, err := fmt.Fprintln(w, terminal.Text(i.text))
	return err
}
