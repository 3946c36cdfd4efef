package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

var deadRows = subject{
	noun:    "dead row",
	gone:    "somebody else has decided about the others",
	list:    "dead",
	columns: []string{"SEQ", "EVENT", "TYPE", "TOPIC", "KEY", "AGGREGATE", "DEAD SINCE", "ATTEMPTS", "ERROR"},
	ages:    true,
	each: func(ctx context.Context, conn *pgx.Conn, o outbox, filter admin.Filter, f func(item) error) error {
		for after := int64(0); ; {
			letters, err := admin.DeadLetters(ctx, conn, filter, after)
			if err != nil || len(letters) == 0 {
				return err
			}
			for _, l := range letters {
				if err := f(deadItem(o, l)); err != nil {
					return err
				}
				after = l.Seq
			}
		}
	},
}

func deadItem(o outbox, l admin.DeadLetter) item {
	l.LastError = o.secrets.Text(l.LastError)
	text := fmt.Sprintf("%s  %s  topic %s  key %s  %s/%s  dead since %s  after %s: %s", l.EventID, l.EventType,
		l.Topic, recordOf(l.Key, l.Partition, l.Tombstone), l.AggregateType, l.AggregateID,
		l.DeadAt.UTC().Format(time.RFC3339), several(int64(l.RetryCount), "attempt"), l.LastError)
	cells := []string{
		strconv.FormatInt(l.Seq, 10), l.EventID.String(), l.EventType, l.Topic, recordOf(l.Key, l.Partition, l.Tombstone),
		l.AggregateType + "/" + l.AggregateID, l.DeadAt.UTC().Format(time.RFC3339), strconv.Itoa(l.RetryCount), l.LastError,
	}
	return item{l.EventID, l.Topic, text, cells, l}
}

func deadCommand(env environment) *cobra.Command {
	cmd := deadRows.listing(env, "row", &cobra.Command{
		Use:   "dead",
		Short: "List, show, replay and discard dead rows: rows that the relay no longer sends",
		Long: "dead lists dead rows, like dead list. Its other commands show everything about one row, publish dead rows again, or\n" +
			"delete them.",
		Example: "  outboxrelay dead --event-type grading.essay.graded.v1\n" +
			"  outboxrelay dead list --older-than 24h --error 'too large'\n" +
			"  outboxrelay dead show 0199d2c4-7c1e-7b0a-9d52-0d5f3a1f4c11\n" +
			"  outboxrelay dead replay --topic grading.essay.graded.v1 --dry-run",
	})
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return misuse{errors.New("unknown command of dead: use list, show, replay or discard")} // it may be a part of a password
	}
	cmd.AddCommand(
		deadRows.listing(env, "row", &cobra.Command{
			Use: "list", Short: "List dead rows",
			Example: "  outboxrelay dead list --older-than 24h\n" +
				"  outboxrelay dead list --aggregate order/17 --json\n" +
				"  outboxrelay dead list --by error",
		}),
		deadShowCommand(env), deadReplayCommand(env), deadDiscardCommand(env),
	)
	return cmd
}

// printDeadGroups prints how many rows are dead by their type, topic or error.
func printDeadGroups(ctx context.Context, env environment, o outbox, conn *pgx.Conn, filter admin.Filter, by string, asJSON bool) error {
	groups, err := admin.CountDead(ctx, conn, filter, by)
	if err != nil {
		return err
	}
	more := len(groups) > admin.MostDeadGroups
	groups = groups[:min(len(groups), admin.MostDeadGroups)]
	list := grid{w: env.stdout, header: []string{"ROWS", "FIRST", "LAST", strings.ToUpper(by)}}
	counted := int64(0)
	for _, g := range groups {
		counted += g.Rows
		g.Value = o.secrets.Text(g.Value)
		if asJSON {
			err = printJSON(env.stdout, g)
		} else {
			err = list.add([]string{strconv.FormatInt(g.Rows, 10), g.First.UTC().Format(time.RFC3339), g.Last.UTC().Format(time.RFC3339), g.Value})
		}
		if err != nil {
			return err
		}
	}
	if len(groups) == 0 && !asJSON {
		_, err := fmt.Fprintf(env.stdout, "no %ss\n", deadRows.noun)
		return err
	}
	if err := list.flush(); err != nil {
		return err
	}
	switch {
	case counted >= admin.PendingCap:
		fmt.Fprintf(env.stderr, "outboxrelay: only the first %d of the rows are counted\n", admin.PendingCap)
	case more:
		fmt.Fprintf(env.stderr, "outboxrelay: only the %d largest groups of the first %d rows are shown; select fewer rows\n", admin.MostDeadGroups, admin.PendingCap)
	}
	return nil
}

// errEnough ends a list at its limit.
var errEnough = errors.New("enough")

// shownOnTerminal is how many rows a list has on a terminal.
const shownOnTerminal = 100

// listing makes cmd the command that lists what the subject is about; one is a word for
// one of them.
func (s subject) listing(env environment, one string, cmd *cobra.Command) *cobra.Command {
	var asJSON bool
	var limit int
	var by string
	cmd.Args = noArguments
	chosen := selectionFlags(env, cmd, s)
	if s.ages {
		cmd.Flags().StringVar(&by, "by", "", "count the "+one+"s by type, topic or error, instead of listing them")
		env.complete(cmd, "by", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return admin.DeadGroupings(), cobra.ShellCompDirectiveNoFileComp
		})
	}
	cmd.Flags().IntVar(&limit, "limit", -1, "maximum number of "+one+"s; 0: no limit (default: 100 on a terminal, else no limit)")
	cmd.Flags().Lookup("limit").DefValue = "0" // pflag does not print it; the text says it
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per "+one)
	chosen.configuration = env.declarePlace(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case cmd.Flags().Changed("by") && !slices.Contains(admin.DeadGroupings(), by):
			return misuse{errors.New("--by must be type, topic or error")}
		case by != "" && cmd.Flags().Changed("limit"):
			return misuse{errors.New("--limit limits a list, and --by counts: remove one of them")}
		case limit < 0 && cmd.Flags().Changed("limit"):
			return misuse{errors.New("--limit must not be negative; 0 is no limit")}
		case limit < 0 && env.interactive && !asJSON:
			limit = shownOnTerminal
		}
		o, err := chosen.one(cmd.Context(), readPlace)
		if err != nil {
			return err
		}
		filter, err := chosen.filter(s.noun)
		if err != nil {
			return err
		}
		return chosen.connected(cmd.Context(), o, func(conn *pgx.Conn) error {
			if by != "" {
				return printDeadGroups(cmd.Context(), env, o, conn, filter, by, asJSON)
			}
			list := grid{w: env.stdout, header: s.columns}
			rows := 0
			err := s.each(cmd.Context(), conn, o, filter, func(i item) error {
				switch rows++; {
				case limit > 0 && rows > limit:
					return errEnough
				case asJSON:
					return printJSON(env.stdout, i.json)
				}
				return list.add(i.cells)
			})
			switch {
			case errors.Is(err, errEnough) && !asJSON:
				if err := list.flush(); err != nil {
					return err
				}
				_, err := fmt.Fprintf(env.stdout, "… and more: select fewer, or set --limit\n")
				return err
			case errors.Is(err, errEnough):
				return nil
			case err != nil || asJSON:
				return err
			}
			if list.rows == 0 {
				_, err := fmt.Fprintf(env.stdout, "no %ss\n", s.noun)
				return err
			}
			return list.flush()
		})
	}
	return cmd
}
