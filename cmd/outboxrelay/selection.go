package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// selection has the flags that select dead rows or delayed events.
type selection struct {
	outbox     string
	ids        []string
	eventTypes texts
	topics     texts
	key        string
	aggregate  string // type or type/id
	// These select dead rows only.
	errorText            string
	olderThan, newerThan time.Duration

	cmd *cobra.Command
	*configuration
}

// texts are the values of a flag that may be repeated. To pflag it is a text, so that a
// comma is a part of it.
type texts []string

func (t *texts) String() string { return strings.Join(*t, " ") }

func (t *texts) Type() string { return "string" }

func (t *texts) Set(text string) error {
	*t = append(*t, text)
	return nil
}

// one returns the only value, or "".
func (t texts) one(flag, noun string) (string, error) {
	switch len(t) {
	case 0:
		return "", nil
	case 1:
		return t[0], nil
	}
	return "", misuse{fmt.Errorf("--%s is given %d times: select %ss with one at a time", flag, len(t), noun)}
}

// selectionFlags adds the flags that select what a subject is about.
func selectionFlags(env environment, cmd *cobra.Command, about subject) *selection {
	s := &selection{cmd: cmd}
	env.declareOutbox(cmd, &s.outbox, outboxUsage, func() *configuration { return s.configuration }, readPlace)
	cmd.Flags().StringSliceVar(&s.ids, "event-id", nil, "event ids, comma-separated")
	cmd.Flags().Var(&s.eventTypes, "event-type", "event type (or --type)")
	cmd.Flags().Var(&s.topics, "topic", "topic")
	cmd.Flags().StringVar(&s.key, "key", "", "key")
	cmd.Flags().StringVar(&s.aggregate, "aggregate", "", "`aggregate`: its type, or type/id")
	if about.ages {
		cmd.Flags().StringVar(&s.errorText, "error", "", "`text` in the last error, in upper or lower case")
		cmd.Flags().DurationVar(&s.olderThan, "older-than", 0, "rows that became dead at least this `duration` ago, such as 24h")
		cmd.Flags().DurationVar(&s.newerThan, "newer-than", 0, "rows that became dead at most this `duration` ago")
	}
	cmd.Flags().SetNormalizeFunc(normalizeType)
	return s
}

// normalizeType makes --type the same as --event-type.
func normalizeType(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	if name == "type" {
		name = "event-type"
	}
	return pflag.NormalizedName(name)
}

func namesOf(outboxes []outbox) []string {
	var names []string
	for _, o := range outboxes {
		names = append(names, o.name)
	}
	return names
}

func (s *selection) filter(noun string) (f admin.Filter, err error) {
	if f.EventType, err = s.eventTypes.one("event-type", noun); err != nil {
		return f, err
	}
	if f.Topic, err = s.topics.one("topic", noun); err != nil {
		return f, err
	}
	if s.cmd.Flags().Changed("key") {
		f.Key = &s.key
	}
	for _, text := range s.ids {
		id, err := uuid.Parse(text)
		if err != nil {
			return f, misuse{fmt.Errorf("--event-id %q is not a UUID", text)}
		}
		f.EventIDs = append(f.EventIDs, id)
	}
	if f.AggregateType, f.AggregateID, err = splitAggregate(s.aggregate); err != nil {
		return f, err
	}
	f.Error, f.OlderThan, f.NewerThan = s.errorText, s.olderThan, s.newerThan
	for name, value := range map[string]time.Duration{"older-than": f.OlderThan, "newer-than": f.NewerThan} {
		if s.cmd.Flags().Changed(name) && value < time.Millisecond {
			return f, misuse{fmt.Errorf("--%s must be a duration above zero, such as 90m or 24h", name)}
		}
	}
	if f.NewerThan > 0 && f.NewerThan <= f.OlderThan {
		return f, misuse{fmt.Errorf("--newer-than %s and --older-than %s select nothing: make the first one longer", f.NewerThan, f.OlderThan)}
	}
	for _, name := range []string{"event-id", "event-type", "topic", "aggregate", "error"} { // "$UNSET" must not select everything
		if flag := s.cmd.Flags().Lookup(name); flag != nil && flag.Changed && strings.Trim(flag.Value.String(), "[]") == "" {
			return f, misuse{fmt.Errorf("--%s is empty: give it a value, or remove it", name)}
		}
	}
	return f, nil
}

// splitAggregate reads type or type/id.
func splitAggregate(text string) (typ, id string, err error) {
	typ, id, _ = strings.Cut(text, "/")
	if text != "" && (typ == "" || strings.HasSuffix(text, "/")) {
		return "", "", misuse{errors.New("--aggregate must be a type, or a type and an id: order or order/17")}
	}
	return typ, id, nil
}

func (s *selection) one(ctx context.Context, read func(*reader) outbox) (outbox, error) {
	return s.outboxNamed(ctx, s.outbox, read)
}

// named returns the outbox that --outbox names. Without a name it returns the first one,
// if they are the same for the command.
func named(name string, outboxes []outbox, same bool) (outbox, error) {
	at := slices.IndexFunc(outboxes, func(o outbox) bool { return o.name == name })
	names := strings.Join(namesOf(outboxes), ", ")
	switch {
	case at >= 0:
		return outboxes[at], nil
	case name != "":
		return outbox{}, misuse{fmt.Errorf("unknown outbox %q: --outbox must be one of %s", name, names)}
	case same:
		return outboxes[0], nil
	}
	return outbox{}, misuse{fmt.Errorf("select an outbox with --outbox: %s", names)}
}
