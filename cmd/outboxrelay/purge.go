package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
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
	shown  time.Time // when it has shown the progress
	told   bool      // it has
	cmd    *cobra.Command
	*configuration
}

func purgeCommand(env environment) *cobra.Command {
	p := &purging{environment: env}
	p.cmd = &cobra.Command{
		Use:   "purge",
		Short: "Delete now the published rows that are older than the retention",
		Long: "purge deletes published rows that are older than the setting retention, as the leading relay does every minute, but\n" +
			"at once. Rows that are pending or dead stay. It deletes small batches, each in a transaction of its own, at\n" +
			"most --rate rows a second. event_outbox_audit records who purged, when and why.\n\n" +
			"It gives no space back to the file system, and it writes WAL: on a full disk it makes things worse. Vacuum makes the\n" +
			"space of deleted rows free for new rows, unless something holds it back; purge says so.\n\n" +
			"Deleted rows cannot be replayed with replay --from. It counts the rows and asks you to type their number. Scripts\n" +
			"use --yes instead. --dry-run only counts. SIGINT and SIGTERM stop it after a batch; what was deleted stays deleted,\n" +
			"and is counted in the output.",
		Example: "  outboxrelay purge --retention 24h --dry-run\n" +
			"  outboxrelay purge --retention 24h --reason 'table grows' --rate 2000",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.run(cmd.Context()) },
	}
	flags := p.cmd.Flags()
	env.declareOutbox(p.cmd, &p.outbox, outboxUsage, func() *configuration { return p.configuration }, readPurgePlace)
	flags.StringVar(&p.by.Actor, "actor", "", actorUsage)
	flags.StringVar(&p.by.Reason, "reason", "", "the reason, for the audit log; required")
	flags.IntVar(&p.cfg.Batch, "batch", 1000, "rows of one transaction, at most 10,000")
	flags.IntVar(&p.cfg.Rate, "rate", 5000, "maximum number of rows per second; 0: no limit")
	flags.BoolVar(&p.yes, "yes", false, "do not ask for confirmation")
	flags.BoolVar(&p.dryRun, "dry-run", false, "count the rows and delete nothing")
	flags.BoolVar(&p.asJSON, "json", false, "print the result as JSON; needs --dry-run or --yes")
	p.configuration = env.declareWith(p.cmd, purgePlace)
	return p.cmd
}

// permitted returns an error if the call lacks something.
func (p *purging) permitted() error {
	if !p.dryRun {
		if err := p.environment.decider(&p.by); err != nil {
			return err
		}
	}
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
	o, err := p.outboxNamed(ctx, p.outbox, readPurgePlace)
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
	now, err := admin.Clock(ctx, conn)
	if err != nil {
		return err
	}
	p.cfg.Before = now.Add(-o.relay.Keep)
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
	p.cfg.Progress, p.shown = p.progress, time.Now()
	deleted, err := admin.Purge(ctx, conn, p.cfg, p.by)
	if p.told {
		fmt.Fprintln(p.stderr)
	}
	if err != nil && deleted > 0 {
		err = fmt.Errorf("deleted %s %s, then: %w", several(deleted, "row"), older, unprefixed(err))
	}
	switch {
	case p.asJSON:
		return errors.Join(err, printJSON(p.stdout, purgeResult{o.name, p.cfg.Before, deleted, true}))
	case err != nil:
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "deleted %s %s; %s\n", several(deleted, "row"), older, p.space(ctx, conn))
	return err
}

// progress shows on a terminal how many rows are deleted.
func (p *purging) progress(deleted int64) {
	if !p.interactive || time.Since(p.shown) < time.Second {
		return
	}
	p.shown, p.told = time.Now(), true
	fmt.Fprintf(p.stderr, "\rdeleted %s", several(deleted, "row"))
}

// space says what becomes of the space of the deleted rows.
func (p *purging) space(ctx context.Context, conn *pgx.Conn) string {
	const usual = "vacuum makes their space free for new rows"
	held, err := admin.VacuumHeldBack(ctx, conn)
	if err != nil || len(held) == 0 {
		return usual
	}
	return terminal.Text(fmt.Sprintf("vacuum cannot make their space free yet, because of the %s %s (%s): see outboxrelay doctor", held[0].Kind, held[0].Name, held[0].Detail))
}
