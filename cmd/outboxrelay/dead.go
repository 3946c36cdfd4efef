package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

var deadRows = subject{
	noun: "dead row",
	list: "dead",
	each: func(ctx context.Context, conn *pgx.Conn, o outbox, filter admin.Filter, f func(item) error) error {
		for after := int64(0); ; {
			letters, err := admin.DeadLetters(ctx, conn, filter, after)
			if err != nil || len(letters) == 0 {
				return err
			}
			for _, l := range letters {
				l.LastError = o.secrets.Text(l.LastError)
				text := fmt.Sprintf("%s  %s  topic %s  key %s  %s/%s  dead since %s  after %s: %s", l.EventID, l.EventType,
					l.Topic, recordOf(l.Key, l.Partition, l.Tombstone), l.AggregateType, l.AggregateID,
					l.DeadAt.UTC().Format(time.RFC3339), several(int64(l.RetryCount), "attempt"), l.LastError)
				if err := f(item{l.EventID, text, l}); err != nil {
					return err
				}
				after = l.Seq
			}
		}
	},
}

// selection has the flags that select dead rows or delayed events.
type selection struct {
	outbox     string
	ids        []string
	eventTypes texts
	topics     texts
	key        string
	cmd        *cobra.Command
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

func selectionFlags(env environment, cmd *cobra.Command) *selection {
	s := &selection{cmd: cmd}
	cmd.Flags().StringVar(&s.outbox, "outbox", "", "the outbox, if the settings file has several")
	cmd.Flags().StringSliceVar(&s.ids, "event-id", nil, "event ids, comma-separated")
	cmd.Flags().Var(&s.eventTypes, "event-type", "event type")
	cmd.Flags().Var(&s.topics, "topic", "topic")
	cmd.Flags().StringVar(&s.key, "key", "", "key")
	env.complete(cmd, "outbox", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		outboxes, _ := s.outboxes(readPlace) // a shell has no place for an error
		return namesOf(outboxes), cobra.ShellCompDirectiveNoFileComp
	})
	return s
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
	return f, nil
}

func (s *selection) one(ctx context.Context, read func(*reader) outbox) (outbox, error) {
	outboxes, err := s.outboxesNow(ctx, read)
	if err != nil {
		return outbox{}, err
	}
	return named(s.outbox, outboxes, len(outboxes) == 1)
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

func deadCommand(env environment) *cobra.Command {
	return deadRows.listing(env, "row", &cobra.Command{
		Short:   "List dead rows: rows that the relay no longer sends",
		Example: "  outboxrelay dead --event-type grading.essay.graded.v1",
	})
}

// listing makes cmd the command that lists what the subject is about; one is a word for
// one of them.
func (s subject) listing(env environment, one string, cmd *cobra.Command) *cobra.Command {
	var asJSON bool
	cmd.Use, cmd.Args = s.list, noArguments
	chosen := selectionFlags(env, cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per "+one)
	chosen.configuration = env.declarePlace(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o, err := chosen.one(cmd.Context(), readPlace)
		if err != nil {
			return err
		}
		filter, err := chosen.filter(s.noun)
		if err != nil {
			return err
		}
		return chosen.connected(cmd.Context(), o, func(conn *pgx.Conn) error {
			found := false
			err := s.each(cmd.Context(), conn, o, filter, func(i item) error {
				found = true
				return i.print(env.stdout, asJSON)
			})
			if err == nil && !found && !asJSON {
				_, err = fmt.Fprintf(env.stdout, "no %ss\n", s.noun)
			}
			return err
		})
	}
	return cmd
}
