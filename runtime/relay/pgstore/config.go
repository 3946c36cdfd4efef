package pgstore

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

// Mode says what happens to a row after it was published.
type Mode string

const (
	// Mark sets published_at. The row stays until it is swept, so that people can look
	// at it. Each row costs an update, which writes no index entry if the page has room.
	Mark Mode = "mark"
	// Delete deletes the row. It is several times faster than Mark, and leaves the
	// event only in Kafka.
	Delete Mode = "delete"
)

func (m Mode) unknown() error {
	return fmt.Errorf("pgstore: Config.Mode is %q: use %q or %q", m, Mark, Delete)
}

// Config configures a [Store]. Conn or Server is required; the zero value of any other
// field means its default.
type Config struct {
	// Server holds the sessions, which the store shares with other stores of the same
	// database. The caller closes it after its stores. With a Server, Conn,
	// MaxSessions, StatementTimeout and ApplicationName have no effect. Default nil:
	// the store creates its own Server from these fields.
	Server *Server
	// Conn says how to connect to the database; see [ServerConfig].
	Conn *pgx.ConnConfig
	// MaxSessions limits the sessions; see [ServerConfig].
	MaxSessions int
	// Schema is the Postgres schema of the tables. Default "": the search_path of the
	// role.
	Schema string
	// Name is the name of the lease in event_outbox_lease. All relays of this outbox
	// must have the same. Default "event_outbox".
	Name string
	// Mode says what happens to published rows. All relays of this outbox must have the
	// same. Default Mark.
	Mode Mode
	// StatementTimeout limits one statement on the server. Default 30s.
	StatementTimeout time.Duration
	// LockTimeout is how long a take-over waits for a statement of the former term.
	// After it, the sessions of that term are ended. Default 250ms.
	LockTimeout time.Duration
	// ApplicationName is shown in pg_stat_activity. Default "outboxrelay".
	ApplicationName string
	// Logger gets the log, for example the warnings of Check. Default slog.Default().
	Logger *slog.Logger
}

// WithDefaults returns a copy in which every zero field has its default.
func (c Config) WithDefaults() Config {
	c.Name = cmp.Or(c.Name, "event_outbox")
	c.Mode = cmp.Or(c.Mode, Mark)
	c.StatementTimeout = cmp.Or(c.StatementTimeout, 30*time.Second)
	c.LockTimeout = cmp.Or(c.LockTimeout, 250*time.Millisecond)
	c.ApplicationName = cmp.Or(c.ApplicationName, "outboxrelay")
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func (c Config) validate() error {
	if c.Conn == nil && c.Server == nil {
		return errors.New("pgstore: Config.Conn is nil: give it what pgx.ParseConfig returns for the database's URL")
	}
	switch c.Mode {
	case Mark, Delete:
	default:
		return c.Mode.unknown()
	}
	if len(c.Name) > 63 {
		return fmt.Errorf("pgstore: Config.Name %q is longer than 63 bytes", c.Name)
	}
	if c.StatementTimeout < time.Millisecond {
		return fmt.Errorf("pgstore: Config.StatementTimeout is %v: it must be at least 1ms", c.StatementTimeout)
	}
	if c.LockTimeout < time.Millisecond {
		return fmt.Errorf("pgstore: Config.LockTimeout is %v: it must be at least 1ms", c.LockTimeout)
	}
	return nil
}

// settings returns the settings of a server's sessions. A take-over sets its own lock
// timeout.
func (c ServerConfig) settings(lockTimeout time.Duration) (names, values []string) {
	set := func(name, value string) { names, values = append(names, name), append(values, value) }

	set("application_name", c.ApplicationName)
	set("TimeZone", "UTC")
	set("statement_timeout", milliseconds(c.StatementTimeout))
	set("lock_timeout", milliseconds(lockTimeout))
	set("synchronous_commit", "on")
	// Old statistics of an empty or full table must not change a plan: each statement
	// has one index that fits, and must use it.
	set("plan_cache_mode", "force_generic_plan")
	for _, strategy := range []string{"seqscan", "bitmapscan", "hashjoin", "mergejoin"} {
		set("enable_"+strategy, "off")
	}
	set("jit", "off")
	for _, d := range serverDefaults {
		set(d.name, d.value)
	}
	return names, values
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }
