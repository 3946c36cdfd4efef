package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// declarePlace declares the settings of the operator commands: where the outbox is, and
// how long they wait for its database.
func (env environment) declarePlace(cmd *cobra.Command) *configuration {
	return env.declareWith(cmd, place)
}

// declareWith is declarePlace for a command that reads more settings.
func (env environment) declareWith(cmd *cobra.Command, settings []setting) *configuration {
	c := env.declare(cmd, settings)
	c.session = "outboxrelay " + cmd.Name()
	cmd.Flags().DurationVar(&c.timeout, "timeout", 10*time.Second,
		"maximum wait for a connection to the database, and then for its first response")
	return c
}

// declareOutbox adds the flag that selects one of several outboxes. read is how the command
// reads them, to complete their names.
func (env environment) declareOutbox(cmd *cobra.Command, name *string, usage string, c func() *configuration, read func(*reader) outbox) {
	cmd.Flags().StringVar(name, "outbox", "", usage)
	env.complete(cmd, "outbox", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		outboxes, _ := c().outboxes(read) // a shell has no place for an error
		return namesOf(outboxes), cobra.ShellCompDirectiveNoFileComp
	})
}

// outboxUsage is the help of --outbox.
const outboxUsage = "the outbox, if the settings file has several"

// outboxNamed returns the outbox that --outbox names, or the only one.
func (c *configuration) outboxNamed(ctx context.Context, name string, read func(*reader) outbox) (outbox, error) {
	outboxes, err := c.configured(read)
	if err != nil {
		return outbox{}, err
	}
	// Another outbox, whose database may be down, does not matter.
	at := slices.IndexFunc(outboxes, func(o outbox) bool { return o.name == name && !pgstore.IsPattern(o.schema) })
	if at >= 0 {
		outboxes[at].flags = c.flagsFor(name, len(outboxes))
		return outboxes[at], nil
	}
	if outboxes, err = c.outboxesNow(ctx, read); err == nil {
		return named(name, outboxes, len(outboxes) == 1)
	}
	if at := slices.IndexFunc(outboxes, func(o outbox) bool { return o.name == name }); at >= 0 {
		return outboxes[at], nil
	}
	return outbox{}, withRunbook(err)
}

// outboxesNamed returns the outbox that --outbox names, or without a name all of them. If some
// cannot be listed, it returns the others and an error.
func (c *configuration) outboxesNamed(ctx context.Context, name string, read func(*reader) outbox) ([]outbox, error) {
	if name == "" {
		return c.outboxesNow(ctx, read)
	}
	o, err := c.outboxNamed(ctx, name, read)
	if err != nil {
		return nil, err
	}
	return []outbox{o}, nil
}

// Limits of the statements of operator commands: none waits for a lock for ever, or keeps a
// snapshot for long. An address can have others, such as ?statement_timeout=10min.
const (
	lockLimit      = 5 * time.Second
	statementLimit = time.Minute
)

// limits are parameters of a session, and not statements, which a pooler in transaction mode
// would leave to other clients.
var limits = map[string]time.Duration{"lock_timeout": lockLimit, "statement_timeout": statementLimit}

// connected runs f on a connection to the outbox's database. An error says where the runbook
// helps.
func (c *configuration) connected(ctx context.Context, o outbox, f func(*pgx.Conn) error) error {
	return withRunbook(c.reach(ctx, o, f))
}

// reach is connected without the runbook, for an error that is shown as a part of something
// else.
func (c *configuration) reach(ctx context.Context, o outbox, f func(*pgx.Conn) error) error {
	conn, err := c.open(ctx, o)
	if err == nil {
		defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is at stake on a connection that is done
		if err = f(conn); err != nil {
			err = c.explained(ctx, conn, err)
		}
	}
	if err != nil {
		return fmt.Errorf("outbox %s: %w", o.name, unprefixed(err))
	}
	return nil
}

// unprefixed removes the names of packages admin and storeadmin from the text of their errors: an
// operator does not know the packages.
func unprefixed(err error) error {
	for _, name := range []string{"admin: ", "storeadmin: "} {
		if text, ok := strings.CutPrefix(err.Error(), name); ok {
			return &withText{text, err}
		}
	}
	return err
}

// withText is an error with another text.
type withText struct {
	text string
	error
}

func (e *withText) Error() string { return e.text }
func (e *withText) Unwrap() error { return e.error }

// open connects to the outbox's database, with the credentials that its files have now.
func (c *configuration) open(ctx context.Context, o outbox) (*pgx.Conn, error) {
	config, err := o.freshDatabase(ctx)
	if err != nil {
		return nil, err
	}
	if o.schema != "" {
		config.RuntimeParams["search_path"] = pgx.Identifier{o.schema}.Sanitize()
	}
	config.RuntimeParams["application_name"] = c.session
	// With prepared statements Postgres may take a plan that does not know the values, in which a
	// list of thousands of keys is compared one by one with each row.
	if config.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement { // else the address sets it, for a pooler
		config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	own := maps.Clone(config.RuntimeParams)
	config.Tracer = c.answersWithin(newAnswerLimit(own))
	for name, limit := range limits {
		config.RuntimeParams[name] = cmp.Or(own[name], fmt.Sprint(limit.Milliseconds()))
	}
	conn, err := c.connect(ctx, o, config)
	if errors.Is(err, pgstore.ErrPooler) { // it does not know the limits
		limit := newAnswerLimit(own)
		if limit.refused = true; own["statement_timeout"] == "" {
			limit.server, limit.after = 0, poolerLimit
		}
		config.RuntimeParams, config.Tracer = own, c.answersWithin(limit)
		conn, err = c.connect(ctx, o, config)
	}
	return conn, err
}

// answersWithin returns the limit of the environment instead, if it has one, and at least
// --timeout.
func (c *configuration) answersWithin(limit *answerLimit) *answerLimit {
	if c.asOwner {
		limit.server, limit.after = 0, max(endlessLimit, c.longest)
	}
	limit.after = max(cmp.Or(c.answers, limit.after), c.timeout)
	return limit
}

// firstQuery asks whether the server is a standby, and which schema has the event_outbox that
// statements use.
const firstQuery = `SELECT pg_is_in_recovery(), (SELECT n.nspname::text FROM pg_catalog.pg_class AS c
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('event_outbox'))`

// otherSchemaError means that statements would use the tables of another schema: a pooler has
// dropped the search_path of the session.
type otherSchemaError struct{ want, found, role string }

func (e *otherSchemaError) Error() string {
	return fmt.Sprintf("the session uses event_outbox of the schema %s, not of %s, so nothing was done: a pooler in front of the database "+
		"drops search_path (ignore_startup_parameters); set database-url to the server's own address, or give the role its schema: "+
		"ALTER ROLE %s SET search_path = %s", e.found, e.want, pgx.Identifier{e.role}.Sanitize(), pgx.Identifier{e.want}.Sanitize())
}

// connect connects, and waits for a first answer: a proxy accepts connections even if
// the server behind it does not answer. It says if the server is a standby.
func (c *configuration) connect(ctx context.Context, o outbox, config *pgx.ConnConfig) (*pgx.Conn, error) {
	connecting, cancel := context.WithTimeout(ctx, c.connectLimit(o))
	defer cancel()
	log := &keptWarnings{}
	conn, err := pgstore.ConnectLogged(connecting, config, slog.New(log))
	if err != nil {
		return nil, o.passwordRefused(err)
	}
	for _, w := range log.kept { // all outboxes of a server have the same ones, and tail connects again
		if _, printed := c.warned.LoadOrStore(w.text, true); printed {
			continue
		}
		fmt.Fprintf(c.stderr, "outboxrelay: outbox %s: %s; %s\n", terminal.Text(o.name), terminal.Text(w.text), terminal.Text(w.remedy))
		if see := w.see(); see != "" {
			fmt.Fprintf(c.stderr, "see %s\n", see.URL())
		}
	}
	answering, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var standby bool
	var schema *string
	if err := conn.QueryRow(answering, firstQuery, pgx.QueryExecModeExec).Scan(&standby, &schema); err != nil {
		_ = conn.Close(answering) // it failed
		if errors.Is(answering.Err(), context.DeadlineExceeded) {
			return nil, fmt.Errorf("the database accepted the connection but did not respond within %s: "+
				"check the server and any pooler or proxy in front of it, or set a longer --timeout", c.timeout)
		}
		return nil, fmt.Errorf("the first query: %w", err)
	}
	if schema != nil && o.schema != "" && *schema != o.schema {
		_ = conn.Close(answering) // it is of no use
		return nil, &otherSchemaError{want: o.schema, found: *schema, role: config.User}
	}
	if standby {
		fmt.Fprintf(c.stderr, "outboxrelay: outbox %s: the server at %s is a standby: what it has may be old, and it accepts no changes; "+
			"give the address of the primary, or all addresses\n", terminal.Text(o.name), terminal.Text(conn.PgConn().Conn().RemoteAddr().String()))
	}
	return conn, nil
}

// passwordRefused adds which password the server has refused, if there may be several: the
// file has precedence, also over the address on the command line.
func (o outbox) passwordRefused(err error) error {
	if refused, ok := errors.AsType[*pgconn.PgError](err); !ok || refused.Code != invalidPassword || o.password == nil {
		return err
	}
	return fmt.Errorf("%w; the password is that of the file %s (setting database-password-file), which has precedence over one in database-url", err, o.password.path)
}

// explained adds what an operator can do about an error.
func (c *configuration) explained(ctx context.Context, conn *pgx.Conn, err error) error {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return unanswered(ctx, conn, err)
	}
	switch pg.Code {
	case "55P03": // lock_timeout
		return fmt.Errorf("%w; %s", err, blockers(ctx, conn))
	case "57014": // statement_timeout, or somebody has cancelled it
		if limit, ok := endedByLimit(conn); ok {
			return fmt.Errorf("%w: a statement of this command may run for %s; the address may set another limit, "+
				"as in postgres://…/…?statement_timeout=10min", err, limit)
		}
	case "42501": // insufficient privilege
		if c.asOwner {
			return fmt.Errorf("%w; the command needs the rights of the tables' owner: log in as the owner, or as a role that can act as the owner "+
				"(--database-url and --database-password-file)", err)
		}
		return fmt.Errorf("%w; to run the command, GRANT outbox_operator to its role, or log in with another one "+
			"(--database-url and --database-password-file)", err)
	case "25006": // read-only
		return fmt.Errorf("%w: the server is a standby, or its transactions only read by default: give the address of the primary, or all addresses", err)
	}
	return err
}

// blockers says who holds the locks for which a statement has waited.
func blockers(ctx context.Context, conn *pgx.Conn) string {
	if conn.IsClosed() {
		return admin.WaitedFor(nil)
	}
	found, _ := admin.Blockers(ctx, conn, lockLimit/2) // the lock is the error
	return admin.WaitedFor(found)
}

// connectLimit limits how long connecting may take: each address of the outbox's database
// has its own limit.
func (c *configuration) connectLimit(o outbox) time.Duration {
	return c.timeout + time.Duration(1+len(o.database.Fallbacks))*addressTimeout(o)
}

// addressTimeout returns how long each address of the outbox's database may take to
// answer, as for the relay.
func addressTimeout(o outbox) time.Duration {
	if o.database.ConnectTimeout > 0 {
		return o.database.ConnectTimeout
	}
	return pgstore.DefaultConnectTimeout
}

// actor returns who decides: --actor, else the environment variable OUTBOXRELAY_ACTOR, else
// the user of the process.
func (env environment) actor(given string) (string, error) {
	name := env.user
	if name == nil {
		name = currentUser
	}
	if who := strings.TrimSpace(cmp.Or(given, env.getenv("OUTBOXRELAY_ACTOR"), name())); who != "" {
		return who, nil
	}
	return "", misuse{errors.New("--actor is missing: the audit needs to know who decided, and this process has no user name; " +
		"set it, or the environment variable OUTBOXRELAY_ACTOR")}
}

// decider completes who decides, and says what the audit cannot take before anybody is asked
// for a confirmation.
func (env environment) decider(by *admin.Decision) (err error) {
	if by.Actor, err = env.actor(by.Actor); err != nil {
		return err
	}
	by.Reason = strings.TrimSpace(by.Reason)
	if err := by.Validate(); err != nil {
		return misuse{fmt.Errorf("--actor or --reason: %s", strings.TrimPrefix(err.Error(), "admin: "))}
	}
	return nil
}

func currentUser() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

// actorUsage is the help of --actor.
const actorUsage = "who decided, for the audit log (default: OUTBOXRELAY_ACTOR, or the current user)"
