package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// purgePlace are the settings of purge: where the outbox is, and how long rows are kept.
var purgePlace = only("name", "database-url", "database-password-file", "schema", "service", "retention")

func readPurgePlace(r *reader) outbox {
	o := readPlace(r)
	o.relay.Keep = r.duration("retention")
	return o
}

// purging is the command purge.
type purging struct {
	environment
	outbox string
	by     admin.Decision
	cfg    admin.PurgeConfig
	dryRun bool
	yes    bool
	asJSON bool
	cmd    *cobra.Command
	*configuration
}

func purgeCommand(env environment) *cobra.Command {
	p := &purging{environment: env}
	p.cmd = &cobra.Command{
		Use:   "purge",
		Short: "Delete published rows that are older than the retention now",
		Long: "purge deletes published rows that are older than the setting retention, as the leading relay does every minute, but\n" +
			"at once. Rows that are pending, held or dead stay. It deletes small batches, each in a transaction of its own, at\n" +
			"most --rate rows a second. event_outbox_audit records who purged, when and why.\n\n" +
			"Deleted rows cannot be replayed with replay --from. It counts the rows and asks you to type their number. Scripts\n" +
			"use --yes instead. --dry-run only counts. SIGINT and SIGTERM stop it after a batch; what was deleted stays deleted.",
		Example: "  outboxrelay purge --retention 24h --dry-run\n" +
			"  outboxrelay purge --retention 24h --reason 'disk is full' --rate 2000",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.run(cmd.Context()) },
	}
	flags := p.cmd.Flags()
	flags.StringVar(&p.outbox, "outbox", "", "the outbox, if the settings file has several")
	flags.StringVar(&p.by.Actor, "actor", "", "who decided, for the audit log (default: the current user)")
	flags.StringVar(&p.by.Reason, "reason", "", "the reason, for the audit log; required")
	flags.IntVar(&p.cfg.Batch, "batch", 1000, "rows of one transaction, at most 10,000")
	flags.IntVar(&p.cfg.Rate, "rate", 5000, "maximum number of rows per second; 0: no limit")
	flags.BoolVar(&p.yes, "yes", false, "do not ask for confirmation")
	flags.BoolVar(&p.dryRun, "dry-run", false, "count the rows and delete nothing")
	flags.BoolVar(&p.asJSON, "json", false, "print the result as JSON; needs --dry-run or --yes")
	env.complete(p.cmd, "outbox", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		outboxes, _ := p.outboxes(readPurgePlace) // a shell has no place for an error
		return namesOf(outboxes), cobra.ShellCompDirectiveNoFileComp
	})
	p.configuration = env.declareWith(p.cmd, purgePlace)
	return p.cmd
}

// permitted returns an error if the call lacks something.
func (p *purging) permitted() error {
	p.by.Actor = cmp.Or(p.by.Actor, currentUser())
	p.by.Reason = strings.TrimSpace(p.by.Reason)
	switch {
	case p.cfg.Batch < 1 || p.cfg.Batch > 10_000:
		return misuse{fmt.Errorf("invalid --batch %d: use a number from 1 to 10000", p.cfg.Batch)}
	case p.cfg.Rate < 0:
		return misuse{errors.New("--rate must not be negative; 0 is no limit")}
	case p.asJSON && !p.dryRun && !p.yes:
		return misuse{errors.New("--json needs --dry-run or --yes: add one of them, or remove --json")}
	case p.dryRun:
		return nil
	case p.by.Reason == "":
		return misuse{errors.New("--reason is missing: give the reason for the audit log; a purge cannot be undone")}
	case !p.yes && !p.interactive:
		return misuse{errors.New("nothing was deleted: purge needs a confirmation, but the input is not a terminal; review with --dry-run, then add --yes")}
	}
	return nil
}

func (p *purging) run(ctx context.Context) error {
	if err := p.permitted(); err != nil {
		return err
	}
	o, err := (&selection{outbox: p.outbox, configuration: p.configuration}).one(ctx, readPurgePlace)
	if err != nil {
		return err
	}
	if o.relay.Keep <= 0 {
		return misuse{errors.New("the setting retention keeps rows forever: set --retention to a duration above zero, such as 168h")}
	}
	return p.connected(ctx, o, func(conn *pgx.Conn) error { return p.purge(ctx, conn, o) })
}

// purgeResult is what purge prints as JSON.
type purgeResult struct {
	Outbox  string    `json:"outbox"`
	Before  time.Time `json:"published_before"`
	Rows    int64     `json:"rows"`
	Deleted bool      `json:"deleted"`
}

func (p *purging) purge(ctx context.Context, conn *pgx.Conn, o outbox) error {
	state, err := admin.Inspect(ctx, conn, "")
	if err != nil {
		return err
	}
	p.cfg.Before = state.Now.Add(-o.relay.Keep)
	older := fmt.Sprintf("published before %s (retention %s)", p.cfg.Before.UTC().Format(time.RFC3339), o.relay.Keep)
	if p.dryRun || !p.yes {
		count, err := admin.CountPurgeable(ctx, conn, p.cfg)
		if err != nil {
			return err
		}
		rows := several(count, "row")
		switch {
		case p.asJSON:
			return printJSON(p.stdout, purgeResult{o.name, p.cfg.Before, count, false})
		case p.dryRun:
			_, err := fmt.Fprintf(p.stdout, "would delete %s %s; nothing was changed\n", rows, older)
			return err
		case count == 0:
			_, err := fmt.Fprintf(p.stdout, "no rows %s\n", older)
			return err
		case !p.confirmed(ctx, fmt.Sprintf("This deletes %s %s permanently.", rows, older), count):
			return errors.New("not confirmed: nothing was changed")
		}
	}
	deleted, err := admin.Purge(ctx, conn, p.cfg, p.by)
	if err != nil {
		return fmt.Errorf("deleted %s %s, then: %w", several(deleted, "row"), older, err)
	}
	if p.asJSON {
		return printJSON(p.stdout, purgeResult{o.name, p.cfg.Before, deleted, true})
	}
	_, err = fmt.Fprintf(p.stdout, "deleted %s %s; vacuum makes their space free for new rows\n", several(deleted, "row"), older)
	return err
}
