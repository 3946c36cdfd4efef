package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka/deadletter"
)

// kafkaPlace are the settings that say where Kafka is. The commands that need no database
// read no others.
var kafkaPlace = only("name", "service", "brokers", "client-id",
	"tls", "tls-ca", "tls-cert", "tls-key", "sasl", "sasl-user", "sasl-password", "sasl-password-file", "sasl-token-file", "sasl-without-tls")

func readKafkaPlace(r *reader) outbox {
	return outbox{name: cmp.Or(r.text("name"), r.text("service"), "event_outbox"), kafka: readKafka(r), secrets: r.secrets}
}

type redrive struct {
	*configuration
	cmd    *cobra.Command
	outbox string
	cfg    deadletter.Config
	key    string
	all    bool
	yes    bool
	asJSON bool
}

func redriveCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "redrive",
		Short: "Send the dead letters of consumers back to their original topics",
		Long: "redrive reads a dead-letter topic of consumers (Config.DeadLetterTopic of package consume/kafka) and sends its records\n" +
			"back with their original headers. Only the group that could not handle a record handles it again: consumers of package\n" +
			"consume/kafka in other groups skip it. Other consumers get it again, with the same event_id.\n\n" +
			"A record is sent back once: the offsets of the group outbox-redrive.TOPIC record that. --again sends it again. Records\n" +
			"are also sent again after the brokers have deleted these offsets, 7 days after the last call (offsets.retention.minutes),\n" +
			"and if redrive runs twice at the same time. The dead-letter topic does not change. The order between such a record and\n" +
			"others of its key is not guaranteed. Nothing is sent to a compacted topic: use --to with a retry topic.\n" +
			"outboxrelay pause does not stop redrive, which knows only Kafka.\n\n" +
			"On a terminal it lists the records and asks you to type their number, unless you set --yes. Without a terminal, --all\n" +
			"needs --yes. --dry-run lists the records and sends nothing. For dead rows of an outbox, use outboxrelay replay.",
		Example: "  outboxrelay redrive --from mailer.dead --all --dry-run\n" +
			"  outboxrelay redrive --from mailer.dead --event-type shop.order_placed.v1 --limit 10\n" +
			"  outboxrelay redrive --from mailer.dead --group mailer --to mailer.retry.1m",
		Args: noArguments,
	}
	r := &redrive{cmd: cmd}
	flags := cmd.Flags()
	flags.StringVar(&r.cfg.Topic, "from", "", "the dead-letter topic; required")
	flags.StringVar(&r.cfg.To, "to", "", "the topic to send the records to (default: the original topic of each record)")
	flags.StringVar(&r.cfg.Filter.Topic, "topic", "", "only records that were published to this topic")
	flags.StringVar(&r.cfg.Filter.Group, "group", "", "only records that this group could not handle")
	flags.StringVar(&r.cfg.Filter.EventType, "event-type", "", "only records of this event type (or --type)")
	flags.StringVar(&r.cfg.Filter.EventID, "event-id", "", "only the record of this event")
	flags.StringVar(&r.key, "key", "", "only records of this key")
	flags.StringVar(&r.cfg.Filter.Error, "error", "", "`text` in the error, in upper or lower case")
	flags.BoolVar(&r.all, "all", false, "select all records")
	flags.IntVar(&r.cfg.Limit, "limit", 0, "maximum number of records; 0: no limit")
	flags.BoolVar(&r.cfg.Again, "again", false, "include records that were already sent back")
	flags.BoolVar(&r.cfg.DryRun, "dry-run", false, "list the records and send nothing")
	flags.BoolVar(&r.yes, "yes", false, "do not ask for confirmation")
	flags.BoolVar(&r.asJSON, "json", false, "with --dry-run: print one JSON object per record; with --yes: print the result as JSON")
	flags.SetNormalizeFunc(normalizeType)
	env.declareOutbox(cmd, &r.outbox, "the outbox whose Kafka to use, if the settings file has several", func() *configuration { return r.configuration }, readKafkaPlace)
	r.configuration = env.declare(cmd, kafkaPlace)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := r.check(); err != nil {
			return err
		}
		place, err := r.place()
		if err != nil {
			return err
		}
		if r.all && !r.cfg.DryRun && !r.yes && !r.interactive {
			return misuse{errors.New("nothing was sent: --all needs a confirmation, but the input is not a terminal; review with --dry-run, then add --yes")}
		}
		r.cfg.Options = place.kafka.options()
		if r.cfg.DryRun {
			r.cfg.Each = func(e deadletter.Entry) error { return r.print(e, place) }
		} else if r.interactive && !r.yes {
			if err := r.ask(cmd.Context(), place); err != nil {
				return err
			}
		}
		sum, err := deadletter.Redrive(cmd.Context(), r.cfg)
		return r.report(sum, err)
	}
	return cmd
}

// check says what is missing from the call.
func (r *redrive) check() error {
	f := r.cfg.Filter
	if r.cmd.Flags().Changed("key") {
		r.cfg.Filter.Key = &r.key
	}
	chose := f != (deadletter.Filter{}) || r.cfg.Filter.Key != nil
	for _, name := range []string{"from", "to", "topic", "group", "event-type", "event-id", "error"} { // "$UNSET" must not select everything
		if flag := r.cmd.Flags().Lookup(name); flag.Changed && flag.Value.String() == "" {
			return misuse{fmt.Errorf("--%s is empty: give it a value, or remove it", name)}
		}
	}
	switch {
	case r.cfg.Topic == "":
		return misuse{errors.New("--from is missing: give the dead-letter topic")}
	case r.cfg.To == r.cfg.Topic:
		return misuse{errors.New("--to is the dead-letter topic itself: use another topic, or remove it")}
	case r.cfg.Limit < 0:
		return misuse{errors.New("--limit must not be negative; 0 is no limit")}
	case chose && r.all:
		return misuse{errors.New("--all selects all records: remove it, or the flags that select some of them")}
	case !chose && !r.all:
		return misuse{errors.New("no records selected: use --topic, --group, --event-type, --event-id, --key or --error, or --all")}
	case r.asJSON && !r.cfg.DryRun && !r.yes:
		return misuse{errors.New("--json needs --dry-run or --yes: add one of them, or remove --json")}
	}
	return nil
}

// ask lists the records and asks for their number. Then no more than these are sent.
func (r *redrive) ask(ctx context.Context, place outbox) error {
	dry := r.cfg
	dry.DryRun = true
	shown := 0
	dry.Each = func(e deadletter.Entry) error {
		if shown++; shown > shownLetters {
			return nil
		}
		return r.print(e, place)
	}
	sum, err := deadletter.Redrive(ctx, dry)
	switch {
	case err != nil:
		return err
	case sum.Chosen == 0: // nothing to ask, and nothing to send
		r.cfg.DryRun = true
		return nil
	}
	if sum.Chosen > shownLetters {
		fmt.Fprintf(r.stdout, "… and %d more\n", sum.Chosen-shownLetters)
	}
	if !r.confirmed(ctx, fmt.Sprintf("This sends %s back.", several(int64(sum.Chosen), "record")), int64(sum.Chosen)) {
		return errors.New("not confirmed: nothing was sent")
	}
	r.cfg.Limit = sum.Chosen
	return nil
}

// place returns the outbox whose Kafka is meant: the one that --outbox names, or the
// first one if all have the same addresses.
func (r *redrive) place() (outbox, error) {
	outboxes, err := r.outboxes(readKafkaPlace)
	if err != nil {
		return outbox{}, err
	}
	other := func(o outbox) bool { return !slices.Equal(o.kafka.brokers, outboxes[0].kafka.brokers) }
	return named(r.outbox, outboxes, !slices.ContainsFunc(outboxes, other))
}

// redriven is how --json prints a record.
type redriven struct {
	Partition         int32     `json:"partition"`
	Offset            int64     `json:"offset"`
	EventID           string    `json:"event_id"`
	EventType         string    `json:"event_type"`
	Key               *string   `json:"key"`
	OriginalTopic     string    `json:"original_topic"`
	OriginalPartition int32     `json:"original_partition"`
	OriginalOffset    int64     `json:"original_offset"`
	OriginalTimestamp time.Time `json:"original_timestamp"`
	Group             string    `json:"group"`
	Attempts          int       `json:"attempts"`
	ErrorType         string    `json:"error_type"`
	Error             string    `json:"error"`
}

func (r *redrive) print(e deadletter.Entry, place outbox) error {
	l := e.Letter
	row := redriven{
		Partition: e.Partition, Offset: e.Offset, EventID: e.EventID, EventType: e.EventType,
		OriginalTopic: l.Topic, OriginalPartition: l.Partition, OriginalOffset: l.Offset, OriginalTimestamp: l.Timestamp.UTC(),
		Group: l.Group, Attempts: l.Attempts, ErrorType: l.ErrorType, Error: place.secrets.Text(l.Error),
	}
	key := "-"
	if e.Key != nil {
		key = string(e.Key)
		row.Key = &key
	}
	if r.asJSON {
		return printJSON(r.stdout, row)
	}
	_, err := fmt.Fprintln(r.stdout, terminal.Text(fmt.Sprintf("%d@%d  %s  %s  key %s  from %s/%d@%d  group %s  after %s: %s", e.Partition, e.Offset,
		cmp.Or(e.EventID, "-"), cmp.Or(e.EventType, "-"), key, l.Topic, l.Partition, l.Offset, l.Group, several(int64(l.Attempts), "attempt"), row.Error)))
	return err
}

// redriveResult is what --json prints after the records were sent.
type redriveResult struct {
	From       string `json:"from"`
	Selected   int    `json:"selected"`
	Sent       int    `json:"sent"`
	Unreadable int    `json:"unreadable"` // skipped: not written by package consume/kafka
	Forgotten  int    `json:"forgotten"`  // sent, and sent again by the next call
}

// report prints what was done, with an error too.
func (r *redrive) report(sum deadletter.Summary, err error) error {
	done := fmt.Sprintf("sent %s back", several(int64(sum.Sent), "record"))
	if r.cfg.DryRun {
		done = fmt.Sprintf("would send %s back; nothing was sent", several(int64(sum.Chosen), "record"))
	}
	if sum.Unreadable > 0 {
		done += fmt.Sprintf("; %s skipped: not written by package consume/kafka", several(int64(sum.Unreadable), "record"))
	}
	if sum.Forgotten > 0 {
		done += fmt.Sprintf("; %s may be sent again next time, because too many records between them were skipped", several(int64(sum.Forgotten), "record"))
	}
	if r.asJSON && !r.cfg.DryRun {
		printed := printJSON(r.stdout, redriveResult{r.cfg.Topic, sum.Chosen, sum.Sent, sum.Unreadable, sum.Forgotten})
		if err == nil {
			return printed
		}
	}
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s, then stopped; run it again for the rest", done)
	case err != nil:
		return fmt.Errorf("%s, then: %w", done, err)
	case r.asJSON:
		return nil
	}
	_, err = fmt.Fprintln(r.stdout, done)
	return err
}
