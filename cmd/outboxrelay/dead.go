package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/user"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/runtime/relay/operate"
)

// selection is the flags that choose dead letters.
type selection struct {
	outbox    string
	ids       []string
	eventType string
	topic     string
	key       string
	all       bool
	cmd       *cobra.Command
}

func selectionFlags(cmd *cobra.Command) *selection {
	s := &selection{cmd: cmd}
	cmd.Flags().StringVar(&s.outbox, "outbox", "", "the outbox, where the file lists several")
	cmd.Flags().StringSliceVar(&s.ids, "event-id", nil, "event ids, comma-separated")
	cmd.Flags().StringVar(&s.eventType, "event-type", "", "event type")
	cmd.Flags().StringVar(&s.topic, "topic", "", "topic")
	cmd.Flags().StringVar(&s.key, "key", "", "key")
	return s
}

func (s *selection) filter() (operate.Filter, error) {
	f := operate.Filter{EventType: s.eventType, Topic: s.topic}
	if s.cmd.Flags().Changed("key") {
		f.Key = &s.key
	}
	for _, text := range s.ids {
		id, err := uuid.Parse(text)
		if err != nil {
			return f, misuse{fmt.Errorf("--event-id %q is not a uuid", text)}
		}
		f.EventIDs = append(f.EventIDs, id)
	}
	return f, nil
}

// one is the outbox that is meant.
func (s *selection) one(c *configuration) (outbox, error) {
	outboxes, err := c.outboxes()
	if err != nil {
		return outbox{}, err
	}
	if s.outbox == "" && len(outboxes) == 1 {
		return outboxes[0], nil
	}
	var names []string
	for _, o := range outboxes {
		if o.name == s.outbox {
			return o, nil
		}
		names = append(names, o.name)
	}
	if s.outbox == "" {
		return outbox{}, misuse{fmt.Errorf("which outbox? Give --outbox: %s", strings.Join(names, ", "))}
	}
	return outbox{}, misuse{fmt.Errorf("there is no outbox %q: --outbox is one of %s", s.outbox, strings.Join(names, ", "))}
}

func deadCommand(env environment, c *configuration) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "dead",
		Short:   "List dead letters: rows that the relay has given up",
		Example: "  outboxrelay dead --event-type grading.essay.graded.v1",
		Args:    noArguments,
	}
	chosen := selectionFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a row")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o, err := chosen.one(c)
		if err != nil {
			return err
		}
		filter, err := chosen.filter()
		if err != nil {
			return err
		}
		return o.connected(cmd.Context(), func(conn *pgx.Conn) error {
			after := int64(0)
			for {
				letters, err := operate.DeadLetters(cmd.Context(), conn, filter, after)
				if err == nil && len(letters) == 0 && after == 0 && !asJSON {
					_, err = fmt.Fprintln(env.stdout, "no dead letters")
				}
				if err != nil || len(letters) == 0 {
					return err
				}
				if err := printLetters(env.stdout, letters, asJSON); err != nil {
					return err
				}
				after = letters[len(letters)-1].Seq
			}
		})
	}
	return cmd
}

func printLetters(w io.Writer, letters []operate.DeadLetter, asJSON bool) error {
	encoder := json.NewEncoder(w)
	for _, l := range letters {
		var err error
		if asJSON {
			err = encoder.Encode(l)
		} else {
			key := "-"
			if l.Key != nil {
				key = *l.Key
			}
			_, err = fmt.Fprintf(w, "%s  %s  topic %s  key %s  %s/%s  dead since %s  after %s: %s\n", l.EventID, l.EventType,
				l.Topic, key, l.AggregateType, l.AggregateID, l.DeadAt.UTC().Format(time.RFC3339), several(int64(l.RetryCount), "attempt"), l.LastError)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func replayCommand(c *configuration) *cobra.Command {
	return decisionCommand(c, operate.Replay, &cobra.Command{
		Use:   "replay",
		Short: "Give dead letters another chance",
		Long: "replay makes dead letters pending again, with their failures forgotten. The leading relay sends them within a\n" +
			"second or so; no order is promised between a replayed row and the other rows of its key.",
		Example: "  outboxrelay replay --event-id 0199d2c4-7c1e-7b0a-9d52-0d5f3a1f4c11 --reason 'topic limit raised'\n" +
			"  outboxrelay replay --all",
	}, "replayed")
}

func discardCommand(c *configuration) *cobra.Command {
	return decisionCommand(c, operate.Discard, &cobra.Command{
		Use:     "discard",
		Short:   "Give dead letters up: delete them",
		Long:    "discard deletes dead letters. What they said is gone; that they were, and who discarded them, is in event_outbox_audit.",
		Example: "  outboxrelay discard --event-type grading.essay.graded.v1 --reason 'sent by hand'",
	}, "discarded")
}

type decide func(context.Context, operate.Beginner, operate.Filter, operate.Decision) (int, error)

func decisionCommand(c *configuration, act decide, cmd *cobra.Command, done string) *cobra.Command {
	chosen := selectionFlags(cmd)
	var decision operate.Decision
	cmd.Flags().BoolVar(&chosen.all, "all", false, "every dead letter")
	cmd.Flags().StringVar(&decision.Actor, "actor", currentUser(), "who decides, for the audit")
	cmd.Flags().StringVar(&decision.Reason, "reason", "", "why, for the audit")
	cmd.Args = noArguments
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		filter, err := chosen.filter()
		if err != nil {
			return err
		}
		chose := len(filter.EventIDs) > 0 || filter.EventType != "" || filter.Topic != "" || filter.Key != nil
		if chose == chosen.all {
			return misuse{errors.New("which dead letters? Give --event-id, --event-type, --topic or --key, or --all")}
		}
		o, err := chosen.one(c)
		if err != nil {
			return err
		}
		return o.connected(cmd.Context(), func(conn *pgx.Conn) error {
			n, err := act(cmd.Context(), conn, filter, decision)
			if err != nil {
				return err
			}
			if n == 0 {
				return errors.New("no dead letter matches: see outboxrelay dead")
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", done, several(int64(n), "dead letter"))
			return err
		})
	}
	return cmd
}

func currentUser() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}
