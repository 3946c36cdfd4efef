package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
	"github.com/outboxgen/outboxgen/runtime/relay/replay"
)

// replayPlace are the settings of replay: where the outbox is, and what decides how its
// rows become records.
var replayPlace = only("name", "database-url", "database-password-file", "schema", "service", "sink", "brokers", "client-id", "compression", "strip-routing",
	"tls", "tls-ca", "tls-cert", "tls-key", "sasl", "sasl-user", "sasl-password", "sasl-password-file", "sasl-token-file", "sasl-without-tls",
	"schema-id", "registry-url", "registry-auth", "registry-auth-file", "registry-token", "registry-token-file", "registry-subject", "registry-subjects", "registry-refresh", "wave-timeout")

func readReplayPlace(r *reader) outbox {
	o := readPlace(r)
	o.toStdout = r.text("sink") == "stdout"
	o.kafka = readKafka(r)
	o.kafka.codecs = readCompression(r)
	o.kafka.clientID += "-replay" // quotas can tell it from the relay
	o.registry = readRegistry(r)
	o.relay.StripRouting = r.boolean("strip-routing")
	o.relay.WaveTimeout = r.duration("wave-timeout")
	return o
}

// replaying is the command replay. It sends dead rows again, or with --from published
// events.
type replaying struct {
	dead *decision
	cmd  *cobra.Command

	from, to string
	toTopic  string
	rate     int
	after    string
	id       string

	notCompacted  bool
	skipCompacted bool
}

// Flags that have a meaning for only one of the two uses.
var (
	flagsOfHistory = []string{"from", "to", "to-topic", "rate", "after", "id", "not-compacted", "skip-compacted"}
	flagsOfDead    = []string{"all", "event-id", "error", "older-than", "newer-than", "with-earlier", "out-of-order", "despite-newer", "actor", "reason"}
)

func replayCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Send dead rows, or published events of the past, again",
		Long: "replay makes dead rows pending again and resets their attempts, like dead replay. The leading relay sends them\n" +
			"within about a second. On a terminal it lists them and asks you to type their number, unless you set --yes.\n\n" +
			orderOfReplays + "\n\n" +
			"replay --from sends published events of the past again, for example for a new consumer. It reads the rows that the\n" +
			"relay keeps (setting retention; none with settle: delete) and sends each one as the relay sent it, in the same order\n" +
			"for each key, with the additional header outbox_replay. It reads only, so that the relay keeps running undisturbed,\n" +
			"and needs no privilege but SELECT on event_outbox. The times are those of the events' transactions (created_at).\n\n" +
			"All consumers of a topic get the replayed events. --to-topic sends them to another topic, for one consumer.\n" +
			"Pauses of topics stop the relay only: replay --from names those that are paused, and sends to them too.\n" +
			"Events that are pending or dead are left out. Nothing is sent to the events' own topic if it is compacted, or\n" +
			"if the command may not read that (DESCRIBE_CONFIGS) and --not-compacted is not set. All topics are checked before\n" +
			"anything is sent, and by --dry-run; --skip-compacted leaves the events of compacted topics out.\n\n" +
			"--from lists the number of events by topic and type, and asks you to type their sum. Scripts use --yes instead.\n" +
			"SIGINT and SIGTERM stop it after the records in flight. It then exits with code 1 and prints the command that\n" +
			"continues where it stopped; so it does if it fails. --dry-run only lists, in both cases.",
		Example: "  outboxrelay replay --event-id 0199d2c4-7c1e-7b0a-9d52-0d5f3a1f4c11 --reason 'topic limit raised'\n" +
			"  outboxrelay replay --all --dry-run\n" +
			"  outboxrelay replay --from 24h --dry-run\n" +
			"  outboxrelay replay --from 2026-09-21T08:00:00Z --to 2026-09-21T12:00:00Z --event-type 'shop.order_*' --to-topic shop.replayed",
		Args: noArguments,
	}
	r := &replaying{cmd: cmd, dead: &decision{about: deadRows, act: admin.Replay, verb: "replay", done: "replayed", effect: sendsAgain, publishes: true, keepsOrder: true}}
	r.dead.addFlags(env, cmd)
	flags := cmd.Flags()
	flags.Lookup("event-type").Usage = "event type (or --type); with --from: a pattern such as shop.*, may be repeated"
	flags.Lookup("topic").Usage = "topic to which the events were published; with --from: a pattern, may be repeated"
	flags.Lookup("dry-run").Usage = "list the dead rows, or count the events of the past, and change nothing"
	flags.Lookup("json").Usage = "with --dry-run: print one JSON object for each; with --from alone: print the result as JSON"
	flags.StringVar(&r.from, "from", "", "send published events again, from this `time`: RFC 3339, a date, or how long ago (24h)")
	flags.StringVar(&r.to, "to", "", "with --from: up to this `time`, without it (default: now)")
	flags.StringVar(&r.toTopic, "to-topic", "", "with --from: send to this `topic` (default: the topic of each event)")
	flags.IntVar(&r.rate, "rate", 500, "with --from: maximum number of events per second; one counts for each 16 KiB; 0: no limit")
	flags.StringVar(&r.after, "after", "", "with --from: continue after this `place`, which an earlier call printed")
	flags.StringVar(&r.id, "id", "", "with --from: value of the header outbox_replay (default: a new UUID)")
	flags.BoolVar(&r.notCompacted, "not-compacted", false, "with --from: send also to topics whose settings cannot be read; set it only if they are not compacted")
	flags.BoolVar(&r.skipCompacted, "skip-compacted", false, "with --from: leave out the events of topics that are compacted, or may be")
	r.dead.chosen.configuration = env.declareWith(cmd, replayPlace)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		history := cmd.Flags().Changed("from")
		if err := r.unmixed(history); err != nil {
			return err
		}
		if !history {
			return r.dead.carryOut(cmd.Context(), env)
		}
		r.dead.chosen.session = "outboxrelay replay" // it can be open for hours
		return r.past(cmd.Context(), env)
	}
	return cmd
}

// orderOfReplays says what a replay keeps of a key's order.
const orderOfReplays = "Replayed rows of a key are sent in their order, and before rows of the key that are not sent yet. Rows of the key\n" +
	"that were sent while the row was dead came before it. If an earlier row of the key is dead too and is not selected,\n" +
	"nothing is replayed: add --with-earlier to replay it too, or --out-of-order.\n\n" +
	"If newer rows of a key were published, the command names the last one: a replay sends an older state after it. In a\n" +
	"compacted topic that state replaces the newer one. There, and if Kafka does not say whether the topic is compacted, a\n" +
	"replay needs the confirmation on a terminal, or --despite-newer. It needs that too if it is not known whether newer\n" +
	"rows were published: if they may have been deleted (setting retention, or settle: delete), if there was no time to\n" +
	"look at all rows, or if event_outbox has no index on seq for all rows. After the confirmation the command looks again."

// deadReplayCommand is replay for dead rows only.
func deadReplayCommand(env environment) *cobra.Command {
	d := &decision{about: deadRows, act: admin.Replay, verb: "replay", done: "replayed", effect: sendsAgain, publishes: true, keepsOrder: true}
	return d.command(env, &cobra.Command{
		Use:   "replay",
		Short: "Send dead rows again",
		Long: "dead replay makes dead rows pending again and resets their attempts. The leading relay sends them within about a\n" +
			"second. event_outbox_audit records who replayed them, when and why. On a terminal it lists the rows and asks you to\n" +
			"type their number, unless you set --yes. --dry-run only lists them.\n\n" + orderOfReplays,
		Example: "  outboxrelay dead replay --topic grading.essay.graded.v1 --dry-run\n" +
			"  outboxrelay dead replay --topic grading.essay.graded.v1 --reason 'topic limit raised'\n" +
			"  outboxrelay dead replay --event-id 0199d2c4-7c1e-7b0a-9d52-0d5f3a1f4c11 --with-earlier",
	})
}

// unmixed returns an error if a flag belongs to the other use of the command.
func (r *replaying) unmixed(history bool) error {
	other, only := flagsOfHistory, "which sends published events again: add --from, or remove --%s"
	if history {
		other, only = flagsOfDead, "which dead rows have: remove --from to replay dead rows, or remove --%s"
	}
	for _, name := range other {
		if r.cmd.Flags().Changed(name) {
			return misuse{fmt.Errorf("--%s is a flag of replay "+map[bool]string{true: "without", false: "with"}[history]+" --from, "+only, name, name)}
		}
	}
	return nil
}

// selection reads the flags that select events of the past. Times that are a duration
// are counted from now.
func (r *replaying) selection(now time.Time) (replay.Selection, error) {
	s := replay.Selection{EventTypes: r.dead.chosen.eventTypes, Topics: r.dead.chosen.topics}
	if r.cmd.Flags().Changed("key") {
		s.Key = &r.dead.chosen.key
	}
	var problems []error
	var err error
	if s.AggregateType, s.AggregateID, err = splitAggregate(r.dead.chosen.aggregate); err != nil {
		problems = append(problems, err)
	}
	for _, name := range []string{"event-type", "topic", "aggregate", "to-topic", "after", "id"} { // "$UNSET" must not select everything
		flag := r.cmd.Flags().Lookup(name)
		values, several := flag.Value.(*texts)
		if flag.Changed && (flag.Value.String() == "" || several && slices.Contains(*values, "")) {
			problems = append(problems, fmt.Errorf("--%s is empty: give it a value, or remove it", name))
		}
	}
	read := func(flag, text string) time.Time {
		at, err := parseTime(text, now)
		if err != nil {
			problems = append(problems, fmt.Errorf("--%s: %w", flag, err))
		}
		return at
	}
	s.From = read("from", r.from)
	s.To = now
	if r.cmd.Flags().Changed("to") {
		s.To = read("to", r.to)
	}
	switch {
	case len(problems) > 0:
	case !s.From.Before(s.To):
		problems = append(problems, fmt.Errorf("the range is empty: --from is %s and --to is %s", stamp(s.From), stamp(s.To)))
	}
	if len(r.id) > replay.LongestID {
		problems = append(problems, fmt.Errorf("--id is longer than %d bytes", replay.LongestID))
	}
	if r.rate < 0 {
		problems = append(problems, errors.New("--rate must not be negative; 0 is no limit"))
	}
	if len(problems) > 0 {
		return s, misuse{errors.Join(problems...)}
	}
	return s, nil
}

// parseTime reads a time, or how long before now.
func parseTime(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, form := range []string{time.RFC3339Nano, time.DateOnly} {
		if at, err := time.Parse(form, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time: use 2026-09-21T14:00:00Z, 2026-09-21 (UTC), or how long ago, such as 90m or 24h", text)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
