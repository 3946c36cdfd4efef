package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/runbook"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// level says how bad a finding of the doctor is.
type level string

const (
	healthy level = "ok"
	notable level = "note"    // good to know
	risky   level = "warning" // works now
	broken  level = "problem" // an operator has to act
)

// diagnosis is one finding of the doctor.
type diagnosis struct {
	Level level  `json:"level"`
	Check string `json:"check"` // what was looked at
	What  string `json:"what"`
	Why   string `json:"why,omitempty"` // what it leads to
	Fix   string `json:"fix,omitempty"` // the SQL or the command
	See   string `json:"see,omitempty"` // the section of the runbook
}

// doctor examines one outbox and collects findings.
type doctor struct {
	o     outbox
	watch time.Duration // how long to look for other relays
	found []diagnosis
}

func (d *doctor) add(l level, check, what, why, fix string) {
	d.addIncident("", l, check, what, why, fix)
}

// addIncident is add for a finding that the runbook explains.
func (d *doctor) addIncident(see runbook.Incident, l level, check, what, why, fix string) {
	d.found = append(d.found, diagnosis{l, check, d.o.secrets.Text(what), d.o.secrets.Text(why), d.o.secrets.Text(fix), see.URL()})
}

// ok adds a finding that all is well, unless the check has another one.
func (d *doctor) ok(check, format string, args ...any) {
	if !slices.ContainsFunc(d.found, func(f diagnosis) bool { return f.Check == check && f.Level != notable }) {
		d.add(healthy, check, fmt.Sprintf(format, args...), "", "")
	}
}

// doctorSettings are the settings of run that are about an outbox.
var doctorSettings = slices.DeleteFunc(slices.Clone(table), func(s setting) bool { return s.process })

func doctorCommand(env environment) *cobra.Command {
	var c *configuration
	var name string
	var asJSON bool
	var watch time.Duration
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything that a relay needs, and say how to fix what is wrong",
		Long: "doctor checks the tables, indexes and privileges, the sessions, the clock, what holds back vacuum, the topics and the\n" +
			"size of the rows that wait, the schema registry, Redis, encryption, and the other relays of the outbox. Each finding\n" +
			"says what is wrong, why it matters, and which command fixes it. It changes nothing. For --watch it looks at the sessions\n" +
			"of the database, to find another relay: one that polls is visible only while it publishes.\n\n" +
			"Call it with the settings of outboxrelay run, also with its database role: privileges are those of the role that\n" +
			"doctor logs in with. It exits with code 1 if there is a problem; warnings and notes are no problems.",
		Example: "  outboxrelay doctor --config outboxrelay.yaml\n" +
			"  outboxrelay doctor --config outboxrelay.yaml --outbox shop --json\n" +
			"  outboxrelay doctor --config outboxrelay.yaml --watch 30s",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if watch < 0 {
				return misuse{errors.New("--watch must not be negative; 0 looks once")}
			}
			outboxes, unlisted := c.outboxesNamed(cmd.Context(), name, readOutbox)
			if len(outboxes) == 0 {
				return withRunbook(unlisted)
			}
			problems := 0
			for i, o := range outboxes {
				d := &doctor{o: o, watch: watch}
				d.examine(cmd.Context(), c)
				if cmd.Context().Err() != nil {
					return errors.New("stopped before all checks were made")
				}
				problems += d.count(broken)
				if err := d.print(env.stdout, asJSON, i > 0); err != nil {
					return err
				}
			}
			if problems > 0 {
				return errors.Join(withRunbook(unlisted), fmt.Errorf("%s found", several(int64(problems), "problem")))
			}
			return withRunbook(unlisted)
		},
	}
	cmd.Flags().StringVar(&name, "outbox", "", "only this outbox, if the settings file has several")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per outbox")
	cmd.Flags().DurationVar(&watch, "watch", briefly, "how long to look for another relay; it stops when it finds one")
	c = env.declareWith(cmd, doctorSettings)
	c.session = "outboxrelay doctor"
	return cmd
}

// examinePatience limits what doctor reads of the outbox, so that no statement is open for
// long.
const examinePatience = time.Minute

// briefly is how long a doctor looks for other relays unless it is told how long.
const briefly = time.Second

// examine makes all checks. One that fails does not stop the others.
func (d *doctor) examine(ctx context.Context, c *configuration) {
	started := d.checkStore(ctx, c)
	var facts admin.Facts
	limited, cancel := context.WithTimeout(ctx, examinePatience)
	defer cancel()
	err := c.reach(limited, d.o, func(conn *pgx.Conn) (err error) {
		facts, err = admin.Examine(limited, conn)
		if err == nil {
			err = d.lookCloser(limited, conn, &facts)
		}
		if err == nil && len(facts.Others) == 0 {
			facts.Others, err = admin.WatchPublishers(ctx, conn, d.watch)
		}
		return err
	})
	see := incidentOfDatabase(err)
	switch {
	case err != nil && started != nil:
		d.addIncident(see, broken, "database", "the database cannot be reached: "+strings.ReplaceAll(strings.TrimPrefix(err.Error(), "outbox "+d.o.name+": "), "\n", "; "),
			"no relay can work; a running one retries, and counts no attempts",
			cmp.Or(fixOfDatabase(err), "correct the setting database-url; the log of the database may say more"))
	case err != nil:
		d.addIncident(see, broken, "database", "the outbox cannot be read: "+err.Error(), "the other checks of the database were left out",
			cmp.Or(fixOfDatabase(err), "check the address, the tables and the role; this prints what the role of an operator needs: "+strings.TrimSuffix(d.migration("--grants"), intoPsql)))
	default:
		if started != nil {
			d.addIncident(incidentOfDatabase(started), broken, "setup", "the start-up checks did not finish: "+started.Error(), "a relay may not start",
				cmp.Or(fixOfDatabase(started), "check the address of the database and its logs"))
		}
		d.checkServer(facts)
		d.checkTables(facts)
		d.checkRelays(facts)
		d.checkRows(facts)
	}
	d.checkKafka(ctx, facts.Topics, err == nil)
	d.checkRegistry(ctx, facts.Topics)
	d.checkRedis(ctx)
	d.checkEncryption()
}

func (d *doctor) count(l level) int {
	n := 0
	for _, f := range d.found {
		if f.Level == l {
			n++
		}
	}
	return n
}

// rank is the place of a finding: the worst come first. Of the warnings, those about an
// incident do. What rows wait for comes last, because another finding may be its cause.
func (f diagnosis) rank() int {
	place := 4 * slices.Index([]level{broken, risky, notable, healthy}, f.Level)
	if f.Level == risky && f.See == "" {
		place += 2
	}
	if f.Check == checkOfRows && f.Level != healthy {
		place++
	}
	return place
}

// print writes the findings, the worst ones first.
func (d *doctor) print(w io.Writer, asJSON, more bool) error {
	slices.SortStableFunc(d.found, func(a, b diagnosis) int { return a.rank() - b.rank() })
	if asJSON {
		return printJSON(w, struct {
			Outbox   string      `json:"outbox"`
			Findings []diagnosis `json:"findings"`
		}{d.o.name, d.found})
	}
	var b strings.Builder
	if more {
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "outbox %s: %s, %s\n", terminal.Text(d.o.name), several(int64(d.count(broken)), "problem"), several(int64(d.count(risky)), "warning"))
	for _, f := range d.found {
		fmt.Fprintf(&b, "%-8s %-11s %s\n", f.Level, f.Check, terminal.Text(f.What))
		for _, part := range []struct{ label, text string }{{"why", f.Why}, {"fix", f.Fix}, {"see", f.See}} {
			if part.text != "" {
				fmt.Fprintf(&b, "%-8s %-11s %s\n", "", part.label, terminal.Lines(strings.ReplaceAll(part.text, "\n", " "))) // with backslashes, so that a command can be copied
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
