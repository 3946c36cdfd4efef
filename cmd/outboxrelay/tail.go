package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// tailing is the command tail.
type tailing struct {
	environment
	outbox   string
	types    texts
	topics   texts
	key      string
	cfg      admin.TailConfig
	asJSON   bool
	once     bool
	interval time.Duration
	began    bool // rows were read
	warned   time.Time
	tail     *admin.Tail
	cmd      *cobra.Command
	*configuration
}

func tailCommand(env environment) *cobra.Command {
	t := &tailing{environment: env}
	t.cmd = &cobra.Command{
		Use:   "tail",
		Short: "Follow what is being published",
		Long: "tail prints the rows that were published last, and then each one when the relay has recorded it as published. It reads\n" +
			"the tables twice a second by their indexes, locks nothing, and does not disturb the relay. SIGINT and SIGTERM end it.\n\n" +
			"With settle: mark it sees every row, unless more than 10,000 are published or pending at once, or with --data more\n" +
			"than 64 MiB; then it says so.\n" +
			"With settle: delete the relay deletes rows as it publishes them. Then tail sees only rows that waited when it looked,\n" +
			"and prints them as deleted. To see every record, consume the topic.\n\n" +
			"--last looks for published rows among the latest 10,000: if as many wait, it finds none. If the connection is lost,\n" +
			"tail connects again, also with a new password of --database-password-file, and continues where it stopped.",
		Example: "  outboxrelay tail --topic shop.order_placed.v1\n" +
			"  outboxrelay tail --type shop.order_placed.v1 --key 17 --data\n" +
			"  outboxrelay tail --last 100 --once --json",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return t.run(cmd.Context()) },
	}
	flags := t.cmd.Flags()
	flags.Var(&t.types, "event-type", "event type (or --type)")
	flags.Var(&t.topics, "topic", "topic")
	flags.StringVar(&t.key, "key", "", "key")
	flags.SetNormalizeFunc(normalizeType)
	env.declareOutbox(t.cmd, &t.outbox, outboxUsage, func() *configuration { return t.configuration }, readPlace)
	flags.IntVar(&t.cfg.Latest, "last", 10, "print this many rows that were published before; at most 10,000")
	flags.BoolVar(&t.once, "once", false, "print them and exit")
	flags.BoolVar(&t.cfg.Data, "data", false, "print the data of each row; it may be confidential")
	flags.DurationVar(&t.interval, "interval", 500*time.Millisecond, "time between two looks")
	flags.BoolVar(&t.asJSON, "json", false, "print one JSON object per row")
	t.configuration = env.declarePlace(t.cmd)
	return t.cmd
}

func (t *tailing) run(ctx context.Context) error {
	if t.interval < 50*time.Millisecond {
		return misuse{fmt.Errorf("invalid --interval %s: use 50ms or more", t.interval)}
	}
	if t.cfg.Latest < 0 || t.cfg.Latest > 10_000 {
		return misuse{fmt.Errorf("invalid --last %d: use a number from 0 to 10000", t.cfg.Latest)}
	}
	s := &selection{outbox: t.outbox, eventTypes: t.types, topics: t.topics, key: t.key, cmd: t.cmd, configuration: t.configuration}
	var err error
	if t.cfg.Filter, err = s.filter("event"); err != nil {
		return err
	}
	o, err := s.one(ctx, readPlace)
	if err != nil {
		return err
	}
	if t.tail, err = admin.NewTail(nil, t.cfg); err != nil {
		return err
	}
	for pause := time.Second; ; pause = min(2*pause, longestPause) {
		began := time.Now()
		again := true
		err := t.reach(ctx, o, func(conn *pgx.Conn) (err error) {
			again, err = t.follow(ctx, conn)
			return err
		})
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // somebody has ended it
		case err == nil || t.once || !t.began || !again || refusedForGood(err, o):
			return withRunbook(err)
		}
		if time.Since(began) > time.Minute { // it was connected
			pause = time.Second
		}
		fmt.Fprintf(t.stderr, "outboxrelay: interrupted, trying again in %s: %s\n", pause, terminal.Text(t.secrets.Text(err.Error())))
		if !wait.For(ctx, pause) {
			return nil
		}
	}
}

// longestPause is the longest pause between two attempts to connect.
const longestPause = 30 * time.Second

// refusedForGood reports whether the server refuses the role, which does not go away by trying
// again. A password in a file may be a new one next time.
func refusedForGood(err error, o outbox) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == "42501" || pg.Code == "3D000" || strings.HasPrefix(pg.Code, "28") && o.password == nil)
}

// follow prints rows until ctx ends. again is true if the error may go away: the connection
// is lost, or somebody has locked a table.
func (t *tailing) follow(ctx context.Context, conn *pgx.Conn) (again bool, err error) {
	t.tail.Reconnect(conn)
	if !t.began {
		if err := t.explain(ctx, conn); err != nil {
			return false, err
		}
	}
	for {
		events, err := t.tail.Next(ctx)
		if err != nil {
			pg, ok := errors.AsType[*pgconn.PgError](err)
			return conn.IsClosed() || ok && (pg.Code == "55P03" || pg.Code == "57014"), err
		}
		t.began = true
		for _, e := range events {
			if err := t.print(e); err != nil {
				return false, fmt.Errorf("write the output: %w", err)
			}
		}
		if t.tail.Missed() && time.Since(t.warned) > time.Minute { // it may be so for as long as Kafka is away
			t.warned = time.Now()
			fmt.Fprintln(t.stderr, "outboxrelay: more than 10,000 rows, or 64 MiB of data, were published or are pending at once; some are not shown. Select fewer with --topic or --type")
		}
		if t.once || !wait.For(ctx, t.interval) {
			return false, nil
		}
	}
}

// explain says what cannot be seen, on standard error.
func (t *tailing) explain(ctx context.Context, conn *pgx.Conn) error {
	leader, err := admin.ReadLeader(ctx, conn, "")
	if err != nil {
		return err
	}
	pauses, err := admin.Pauses(ctx, conn)
	if err != nil {
		return err
	}
	if led := leader.State.Led; led != nil && led.Settings["settle"] == "delete" {
		fmt.Fprintln(t.stderr, "outboxrelay: settle is delete: rows are deleted as they are published. tail sees only rows that waited when it looked, "+
			"and cannot tell a published row from one that an operator discarded. To see every record, consume the topic")
	}
	for _, p := range pauses {
		fmt.Fprintf(t.stderr, "outboxrelay: %s\n", terminal.Text(t.secrets.Text(describePause(p))))
	}
	return nil
}

func (t *tailing) print(e admin.PublishedEvent) error {
	if t.asJSON {
		return printJSON(t.stdout, e)
	}
	at := e.PublishedAt.UTC().Format("2006-01-02T15:04:05.000Z")
	if e.Deleted {
		at = fmt.Sprintf("%-24s", "deleted")
	}
	line := fmt.Sprintf("%s  seq %d  %s  %s  topic %s  key %s", at, e.Seq, e.EventID, e.EventType, e.Topic, recordOf(e.Key, nil, false))
	text := terminal.Text(line)
	if t.cfg.Data {
		var data bytes.Buffer
		if err := json.Compact(&data, e.Data); err != nil {
			data.Reset()
			data.Write(e.Data)
		}
		text += "  " + terminal.Lines(strings.ReplaceAll(data.String(), "\n", " ")) // with the backslashes of the document
	}
	_, err := fmt.Fprintln(t.stdout, text)
	return err
}
