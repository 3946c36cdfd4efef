package wake

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	outbox "github.com/outboxgen/outboxgen/runtime"
)

// DefaultWindow is the default of PostgresOptions.Window. It bounds a process at
// 1,000 NOTIFYs a second; with 5 ms, which was tried, half the events of 200
// transactions/s waited some milliseconds more.
const DefaultWindow = time.Millisecond

const (
	// keepAlive is how often a quiet listening connection is tried.
	keepAlive = 30 * time.Second
	// answerTime is how long a connection may take to answer before it counts as
	// dead, and a probe before LISTEN counts as swallowed.
	answerTime = 3 * time.Second
)

// errBadConnString says nothing about the connection string itself: the parser's
// own error may repeat a part of a password.
var errBadConnString = errors.New("wake: the connection string is neither a valid URL such as postgres://user:password@host:5432/database " +
	"nor valid keyword=value pairs; in a URL, characters such as @ : / ? # % of a password are percent-encoded")

// parseConnString refuses a URL that can be split in more than one way: a part of
// the password would become a host or a database, and be named in errors.
func parseConnString(connString string) (*pgx.ConnConfig, error) {
	if strings.HasPrefix(connString, "postgres://") || strings.HasPrefix(connString, "postgresql://") {
		_, rest, _ := strings.Cut(connString, "@")
		if strings.ContainsAny(rest, "@#") {
			return nil, errBadConnString
		}
		before, _, hasUser := strings.Cut(connString, "@")
		_, user, _ := strings.Cut(before, "://")
		if hasUser && strings.ContainsAny(user, "/?#") {
			return nil, errBadConnString
		}
	} else if strings.Contains(connString, "://") {
		return nil, errBadConnString // a misspelt scheme
	}
	config, err := pgx.ParseConfig(connString)
	if err != nil {
		return nil, errBadConnString
	}
	return config, nil
}

// PostgresChannel is the channel that carries the wake-ups of a service's outbox.
// It fails when the name is too long for Postgres.
func PostgresChannel(service string) (string, error) {
	name := "outbox_wake:" + service
	if len(name) > 63 {
		return "", fmt.Errorf("wake: the service name %q is too long: with it a Postgres channel has %d bytes, and 63 are allowed", service, len(name))
	}
	return name, nil
}

// PostgresOptions configure a PostgresWaker. The zero value is usable.
type PostgresOptions struct {
	// Window is the least time between two NOTIFYs. Commits within it share one,
	// and their wake-up comes up to a window later. 0: DefaultWindow.
	Window time.Duration
}

// PostgresWaker sends wake-ups by NOTIFY, on a connection of its own which it
// makes at the first wake-up. It is safe for concurrent use.
type PostgresWaker struct {
	config *pgx.ConnConfig
	notify string // the statement
	window time.Duration

	mu   sync.Mutex
	next *notification // one that waits for its window, and may be shared

	turn    chan struct{} // holds a token while nobody uses what follows
	conn    *pgx.Conn
	dialing *dialing // under way, or done and not taken yet; nil: none
	last    time.Time
}

// notification is one NOTIFY and its outcome.
type notification struct {
	done chan struct{}
	err  error
}

// Postgres returns a waker for the outbox of the service, on the database that
// connString names; a transaction pooler will do. Of several hosts one that keeps silent
// is left after 2 s, unless connect_timeout is set; wake-ups of that time are lost.
// Close it at the end.
func Postgres(connString, service string, options PostgresOptions) (*PostgresWaker, error) {
	name, err := PostgresChannel(service)
	if err != nil {
		return nil, err
	}
	config, err := parseConnString(connString)
	if err != nil {
		return nil, err
	}
	if options.Window <= 0 {
		options.Window = DefaultWindow
	}
	w := &PostgresWaker{
		config: config,
		// A wake-up need not survive a crash, so nobody waits for the disk.
		notify: "set local synchronous_commit = off; notify " + pgx.Identifier{name}.Sanitize(),
		window: options.Window,
		turn:   make(chan struct{}, 1),
	}
	w.turn <- struct{}{}
	return w, nil
}

// Wake sends one NOTIFY, no sooner than a window after the last. A call that
// comes while another waits for its window shares that one's NOTIFY and error.
func (w *PostgresWaker) Wake(ctx context.Context) error {
	w.mu.Lock()
	n := w.next
	if n != nil {
		w.mu.Unlock()
		select {
		case <-n.done:
			return n.err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	n = &notification{done: make(chan struct{})}
	w.next = n
	w.mu.Unlock()

	n.err = errPanicked
	defer close(n.done) // also when send panics: others may wait for it
	n.err = w.send(ctx)
	return n.err
}

// errPanicked is for those who share a wake-up whose caller panicked.
var errPanicked = errors.New("wake: the call that notifies panicked")

// send waits for the turn and the window, lets nobody else share from then on,
// and notifies.
func (w *PostgresWaker) send(ctx context.Context) error {
	sealed := false
	seal := func() {
		if !sealed {
			sealed = true
			w.mu.Lock()
			w.next = nil
			w.mu.Unlock()
		}
	}
	defer seal()
	select {
	case <-w.turn:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { w.turn <- struct{}{} }()
	select {
	case <-time.After(time.Until(w.last.Add(w.window))):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	seal()
	w.last = time.Now()
	return w.exec(ctx)
}

// exec notifies; on a connection that turns out to be dead, or to lead to a server
// that is no longer the primary, once more on a new one.
func (w *PostgresWaker) exec(ctx context.Context) error {
	for {
		fresh := false
		if w.conn == nil {
			var err error
			if w.conn, fresh, err = w.connected(ctx); err != nil {
				return fmt.Errorf("wake: connect to notify: %w", err)
			}
		}
		if err := w.notifyOn(ctx, w.conn); err == nil || w.conn != nil || fresh || ctx.Err() != nil {
			return err
		}
	}
}

// connected is a new connection. It goes on being made when ctx ends first, for the next
// wake-up: one wake-up has less time than it may take to get past hosts that keep
// silent. fresh says that this call began it.
func (w *PostgresWaker) connected(ctx context.Context) (conn *pgx.Conn, fresh bool, err error) {
	for {
		d := w.dialing
		if d == nil {
			d = beginDialing(w.config)
			w.dialing, fresh = d, true
		}
		select {
		case <-d.done:
		case <-ctx.Done():
			return nil, fresh, fmt.Errorf("still connecting: %w", context.Cause(ctx))
		}
		w.dialing = nil
		if d.panicked != nil {
			panic(d.panicked)
		}
		if d.err == nil || fresh {
			return d.conn, fresh, d.err
		}
		// What failed meanwhile is tried again.
	}
}

// notifyOn notifies, and forgets a connection that is of no more use. That includes
// one on which pgx panicked, as its tracers may.
func (w *PostgresWaker) notifyOn(ctx context.Context, conn *pgx.Conn) (err error) {
	usable := false
	defer func() {
		if !usable {
			w.conn = nil
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = conn.Close(closing) // there is nothing to lose
		}
	}()
	if _, err = conn.Exec(ctx, w.notify); err != nil {
		err = fmt.Errorf("wake: notify: %w", err)
	}
	usable = !conn.IsClosed() && !outbox.IsReadOnly(err)
	return err
}

// Close closes the connection. It waits for a wake-up under way.
func (w *PostgresWaker) Close(ctx context.Context) error {
	select {
	case <-w.turn:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { w.turn <- struct{}{} }()
	conn := w.conn
	w.conn = nil
	if d := w.dialing; d != nil {
		w.dialing = nil
		d.cancel()
		<-d.done
		conn = d.conn
	}
	if conn == nil {
		return nil
	}
	return conn.Close(ctx)
}

// PoolerError is returned by PostgresWaitSource.Check, and logged by Wait, when
// LISTEN is accepted and notifications do not come: a pooler in transaction mode
// stands between.
type PoolerError struct {
	// Host is where the connection goes.
	Host string
	// PID is the backend's process id as it was told when the connection was
	// made, Backend the one that statements ran in. Poolers make up the former.
	PID, Backend uint32
}

func (e *PoolerError) Error() string {
	return fmt.Sprintf("wake: LISTEN on %s is accepted and a notification does not arrive within %v "+
		"(told backend %d, statements run in backend %d): a connection pooler in transaction mode seems to stand between. "+
		"Give the relay's wake-ups a direct connection or a pool in session mode, or use Redis; until then the relay polls",
		e.Host, answerTime, e.PID, e.Backend)
}

// PostgresWaitSource is the relay's end of Postgres wake-ups.
type PostgresWaitSource struct {
	config *pgx.ConnConfig
	name   string
	source source
	conn   *pgx.Conn

	keepAlive time.Duration // tests are in more of a hurry
}

// PostgresSource returns the relay's end of the wake-ups of the service's outbox.
// It needs a session of its own: a direct connection, or a pool in session mode.
// It connects when it is first waited on.
func PostgresSource(connString, service string, options SourceOptions) (*PostgresWaitSource, error) {
	name, err := PostgresChannel(service)
	if err != nil {
		return nil, err
	}
	config, err := parseConnString(connString)
	if err != nil {
		return nil, err
	}
	return &PostgresWaitSource{config: config, name: name, source: newSource(options, "Postgres"), keepAlive: keepAlive}, nil
}

// Check connects, listens, and has a notification sent from a second connection.
// It returns a *PoolerError when that does not arrive. It is for start-up; Wait
// does the same by itself.
func (s *PostgresWaitSource) Check(ctx context.Context) error {
	s.source.mu.Lock()
	defer s.source.mu.Unlock()
	if s.source.connected {
		return nil
	}
	err := s.connect(ctx)
	if err != nil {
		s.disconnect()
	}
	return err
}

// Wait returns nil when there is a wake-up, and an error only when ctx ends or
// the source is closed: while the database is away it tries again, with back-off.
// It must not be called twice at the same time.
func (s *PostgresWaitSource) Wait(ctx context.Context) error { return s.source.wait(ctx, s) }

// Close ends a Wait under way and closes the connection.
func (s *PostgresWaitSource) Close() { s.source.close(s) }

func (s *PostgresWaitSource) connect(ctx context.Context) error {
	if s.conn != nil { // Check was here
		return s.conn.Ping(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, 3*answerTime)
	defer cancel()
	conn, err := connect(ctx, s.config)
	if err != nil {
		return err
	}
	s.conn = conn
	if _, err := conn.Exec(ctx, "listen "+pgx.Identifier{s.name}.Sanitize()); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if err := s.probe(ctx); err != nil {
		return err
	}
	// Not before the probe: a pooler would give the setting to others. Postgres 13
	// does not have it.
	const noIdleTimeout = "select set_config('idle_session_timeout', '0', false) where current_setting('idle_session_timeout', true) is not null"
	if _, err := conn.Exec(ctx, noIdleTimeout); err != nil {
		return fmt.Errorf("set up the session: %w", err)
	}
	return nil
}

// proves says that a connection is one: a notification has come through it.
func (s *PostgresWaitSource) proves() bool { return true }

// probe has a notification sent from a second connection. One from the same
// connection would prove nothing: a pooler passes it on while the statement
// runs.
func (s *PostgresWaitSource) probe(ctx context.Context) error {
	token := "probe " + uuid.NewString()
	other, err := connect(ctx, s.config)
	if err != nil {
		return fmt.Errorf("connect to probe LISTEN: %w", err)
	}
	defer func() { _ = other.Close(context.WithoutCancel(ctx)) }()
	if _, err := other.Exec(ctx, "select pg_notify($1, $2)", pgx.QueryExecModeExec, s.name, token); err != nil {
		return fmt.Errorf("probe LISTEN: %w", err)
	}
	answer, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	for {
		n, err := s.conn.WaitForNotification(answer)
		switch {
		case err == nil && n.Payload == token:
			return nil
		case err == nil: // another's; the connection counts as a wake-up anyway
		case answer.Err() != nil && ctx.Err() == nil:
			return s.poolerError(ctx)
		default:
			return fmt.Errorf("probe LISTEN: %w", err)
		}
	}
}

func (s *PostgresWaitSource) poolerError(ctx context.Context) error {
	e := &PoolerError{Host: s.config.Host, PID: s.conn.PgConn().PID()}
	err := s.conn.QueryRow(ctx, "select pg_backend_pid()", pgx.QueryExecModeExec).Scan(&e.Backend)
	if err != nil {
		return errors.Join(e, err)
	}
	return e
}

func (s *PostgresWaitSource) receive(ctx context.Context) (bool, error) {
	waiting, cancel := context.WithTimeout(ctx, s.keepAlive)
	defer cancel()
	_, err := s.conn.WaitForNotification(waiting)
	switch {
	case err == nil:
		s.drain()
		return true, nil
	case ctx.Err() != nil || waiting.Err() == nil:
		return false, err
	}
	pinging, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return false, s.conn.Ping(pinging)
}

// drain forgets what else has arrived: the read that follows covers it.
func (s *PostgresWaitSource) drain() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for {
		if n, _ := s.conn.WaitForNotification(ctx); n == nil {
			return
		}
	}
}

func (s *PostgresWaitSource) disconnect() {
	if s.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.conn.Close(ctx) // it has failed, or is not needed any more
	s.conn = nil
}

func (s *PostgresWaitSource) shutdown() { s.disconnect() }
