package main

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/relay/storeadmin"
)

func storeCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Move an outbox between a table and a log, or make a restored log usable",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(storeMigrateCommand(env), storeAdoptCommand(env))
	return cmd
}

// storing is a command about the store of an outbox.
type storing struct {
	environment
	outbox string
	yes    bool
	*configuration
}

// declare adds what both commands have.
func (s *storing) declare(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&s.outbox, "outbox", "", "the outbox, if the settings file has several")
	flags.BoolVar(&s.yes, "yes", false, "do it; without it, say what would be done")
	s.complete(cmd, "outbox", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		outboxes, _ := s.outboxes(readPlace) // a shell has no place for an error
		return namesOf(outboxes), cobra.ShellCompDirectiveNoFileComp
	})
	s.configuration = s.declarePlace(cmd)
	s.session = "outboxrelay store"
	s.asOwner = true
}

// run calls plan with a connection, and then do if the command was confirmed. plan changes nothing, and says
// what do does.
func (s *storing) run(cmd *cobra.Command, plan func(*pgx.Conn) (does string, err error), do func(*pgx.Conn) error) error {
	o, err := (&selection{outbox: s.outbox, configuration: s.configuration}).one(cmd.Context(), readPlace)
	if err != nil {
		return err
	}
	return s.connected(cmd.Context(), o, func(conn *pgx.Conn) error {
		does, err := plan(conn)
		if err != nil {
			return err
		}
		if !s.yes {
			return misuse{fmt.Errorf("nothing was changed: this %s; add --yes to do it: %s", does, s.line(cmd))}
		}
		return do(conn)
	})
}

// line returns the command as it was called, with --yes. It does not show secrets.
func (s *storing) line(cmd *cobra.Command) string {
	words := []string{cmd.CommandPath()}
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		word := quoted("--" + flag.Name + "=" + flag.Value.String())
		if setting, ok := flag.Value.(*settingFlag); ok && setting.kind.secret {
			word = "--" + flag.Name + "=…"
		}
		words = append(words, word)
	})
	return strings.Join(append(words, "--yes"), " ")
}

// warn prints what somebody may miss afterwards.
func (s *storing) warn(warnings []string) {
	for _, text := range warnings {
		fmt.Fprintf(s.stderr, "outboxrelay: %s\n", terminal.Text(text))
	}
}

// sayPlan prints what a move would do.
func (s *storing) sayPlan(p storeadmin.Plan, store migrations.Store, maxLock time.Duration) {
	if p.Continues {
		fmt.Fprintf(s.stdout, "event_outbox is a log already; its former rows up to seq %d would be searched\n", p.SearchUpTo)
		return
	}
	fmt.Fprintf(s.stdout, "event_outbox would become a %s: %s would be copied, and writers would wait about %s, and %s at most\n",
		store, several(p.Rows, "row"), p.Locked.Round(100*time.Millisecond), maxLock)
	if p.SearchUpTo > 0 {
		fmt.Fprintf(s.stdout, "all rows up to seq %d would be looked at before and after, because some may have been unpublished by hand\n", p.SearchUpTo)
	}
}

func storeMigrateCommand(env environment) *cobra.Command {
	s := &storing{environment: env}
	var to string
	var c storeadmin.Config
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Move an outbox from a table to a log, or from a log to a table",
		Long: "migrate moves an outbox between its stores while writers and relays run. Connect as the owner of the tables. In one\n" +
			"transaction it locks event_outbox, ends the leader's term, renames event_outbox to event_outbox_before, creates the\n" +
			"new event_outbox, and copies the rows that are not published. Writers wait meanwhile, usually well below a second.\n" +
			"No event is lost or reordered. Relays with the other setting stop and say so: set store for all of them, and start\n" +
			"them again. Until then events wait.\n\n" +
			"Without --yes, migrate says what it would do, and changes nothing.\n\n" +
			"Before you move to a log, look at all writers, also those of other languages. A writer must set topic, and must not\n" +
			"name published_at, retry_count, last_error, next_attempt_at or dead_at, which a log lacks: its inserts would fail,\n" +
			"and with them its transactions. An ORM names all columns of its model, so remove these from the model first.\n\n" +
			"Whoever may insert into event_outbox, or read it, may do so afterwards. The relay and operators need further\n" +
			"privileges: name their roles with --relay-role and --operator-role, or apply outboxgen migration --grants (for a log,\n" +
			"with --store log). Your own non-unique indexes, storage parameters and other privileges are not moved; migrate names\n" +
			"them.\n\n" +
			"Published events stay in event_outbox_before, which takes no inserts. An id that is only there can be inserted again.\n" +
			"Of a former log the view event_outbox_before_history says what became of each event. When they are not needed any\n" +
			"more, drop the tables and the view whose names begin with event_outbox_before.\n\n" +
			"migrate refuses, and changes nothing, if triggers, views, rules, policies, row-level security, functions that are not\n" +
			"text, foreign keys, publications, constraints, unique indexes, defaults or columns of your own belong to event_outbox,\n" +
			"also a publication of all tables; if a column may be null that must not be, as topic of an upgraded table; if it would\n" +
			"hold its locks for longer than --max-lock; if an event of a log waits for its next attempt, and its id was inserted\n" +
			"again; if the cursor of a log is that of another database (run outboxrelay store adopt first); if more than --max-rows\n" +
			"rows are not published; or if event_outbox_before is still there.",
		Example: "  outboxrelay store migrate --to log --relay-role outbox_relay --operator-role outbox_operator --yes\n" +
			"  outboxrelay store migrate --to table --relay-role outbox_relay --operator-role outbox_operator --yes",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store := migrations.Store(to)
			if store != migrations.StoreTable && store != migrations.StoreLog {
				return misuse{fmt.Errorf("invalid --to %q: use log or table", to)}
			}
			if c.MaxRows < 1 || c.MaxRows > math.MaxInt32-1 {
				return misuse{fmt.Errorf("--max-rows must be at least 1, and at most %d", math.MaxInt32-1)}
			}
			if c.MaxLock <= 0 {
				return misuse{errors.New("--max-lock must be above 0")}
			}
			s.longest = c.MaxLock + answerMargin
			var p storeadmin.Plan
			plan := func(conn *pgx.Conn) (does string, err error) {
				if p, err = storeadmin.PlanMigrate(cmd.Context(), conn, store, c); err != nil {
					return "", err
				}
				if !s.yes {
					s.sayPlan(p, store, c.MaxLock)
				}
				s.warn(p.Warnings)
				if p.Continues {
					return "continues the search of an earlier move", nil
				}
				return fmt.Sprintf("makes event_outbox a %s and stops relays whose setting store differs", store), nil
			}
			return s.run(cmd, plan, func(conn *pgx.Conn) error {
				result, err := storeadmin.Migrate(cmd.Context(), conn, store, c)
				if err != nil {
					return err
				}
				if result.LeftOut > 0 {
					fmt.Fprintf(s.stdout, "%s stayed in event_outbox_before_failed, because other events have the same ids\n", several(result.LeftOut, "dead row"))
				}
				waited := fmt.Sprintf("writers waited about %s", result.Locked.Round(1e6))
				if p.Continues {
					waited = "the search is done"
				}
				_, err = fmt.Fprintf(s.stdout, "event_outbox is a %s now; %s copied, %s. Set store to %s for all relays and start them; "+
					"then drop the tables and the view whose names begin with event_outbox_before, when their events are not needed any more\n", store, several(result.Rows, "row"), waited, store)
				return err
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&to, "to", "", "log or table; required")
	env.complete(cmd, "to", cobra.FixedCompletions([]cobra.Completion{"log", "table"}, cobra.ShellCompDirectiveNoFileComp))
	flags.IntVar(&c.MaxRows, "max-rows", 20_000, "maximum number of unpublished rows to copy while writers wait")
	flags.DurationVar(&c.MaxLock, "max-lock", 10e9, "how long writers wait at most while rows are copied; then nothing is changed")
	flags.DurationVar(&c.Patience, "patience", 60e9, "how long to try to get the lock, for 0.25 to 2 seconds at a time")
	flags.StringVar(&c.Roles.Relay, "relay-role", "", "role of the relay, which gets the privileges that it needs")
	flags.StringVar(&c.Roles.Operator, "operator-role", "", "role of operators, which gets the privileges that it needs")
	s.declare(cmd)
	return cmd
}

func storeAdoptCommand(env environment) *cobra.Command {
	s := &storing{environment: env}
	var from int64
	cmd := &cobra.Command{
		Use:   "adopt",
		Short: "Make a log usable after a dump was restored or the server was upgraded",
		Long: "adopt makes the cursor of a log valid in this database, if it is that of another one: a dump was restored, or the\n" +
			"server was upgraded with pg_upgrade or logical replication. A relay then refuses to start, and names this command.\n" +
			"A fail-over or a point-in-time recovery needs no adoption. Connect as the owner of the tables.\n\n" +
			"Events with a seq of --from-seq and higher are sent again; those before count as published, unless they failed or\n" +
			"waited. Dead and discarded events are not sent, and edited ones are sent as they were edited. By default it begins\n" +
			"with the first event that the former cursor does not say is published: some events are repeated and none is lost.\n" +
			"Without --yes it says from where, and changes nothing.\n\n" +
			"Logical replication copies no sequence, so events that were inserted here may have lower numbers. Then adopt refuses\n" +
			"to choose, and a --from-seq with which such an event would not be sent.",
		Example: "  outboxrelay store adopt --yes",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from < 0 {
				return misuse{errors.New("--from-seq must not be negative; 1 is everything")}
			}
			plan := func(conn *pgx.Conn) (string, error) {
				first, err := storeadmin.PlanAdopt(cmd.Context(), conn, from)
				if err == nil && !s.yes {
					_, err = fmt.Fprintf(s.stdout, "events with seq %d and higher would be sent again\n", first)
				}
				return "ends the leader's term and makes events be sent again", err
			}
			return s.run(cmd, plan, func(conn *pgx.Conn) error {
				done, err := storeadmin.Adopt(cmd.Context(), conn, from)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(s.stdout, "adopted: events with seq %d and higher are sent again; %s of another cluster were changed\n",
					done.From, several(done.Foreign, "row"))
				return err
			})
		},
	}
	cmd.Flags().Int64Var(&from, "from-seq", 0, "first seq that is sent again; 1: everything (default: the first that is not known to be published)")
	s.declare(cmd)
	return cmd
}
