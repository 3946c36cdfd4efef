package wake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
	"github.com/outboxgen/outboxgen/runtime/internal/pgdial"
)

// DefaultWindow is the default of PostgresOptions.Window. It limits a process to 1,000
// NOTIFYs a second. (With 5 ms, half the events at 200 transactions/s waited some
// milliseconds longer.)
const DefaultWindow = time.Millisecond

const (
	// keepAlive is how often a quiet listening connection is checked.
	keepAlive = 30 * time.Second
	// answerTime is how long a connection may take to answer before it counts as dead,
	// and a notification before LISTEN counts as not delivered.
	answerTime = 3 * time.Second
)

// errBadConnString does not repeat the connection string: the parser's own error may
// contain a part of a password.
var errBadConnString = errors.New("wake: the connection string is neither a valid URL such as postgres://user:password@host:5432/database " +
	"nor valid keyword=value pairs; in a URL, characters such as @ : / ? # % of a password are percent-encoded")

// parseConnString refuses a URL that can be split in more than one way. Otherwise a
// part of the password would become a host or a database, and appear in errors.
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

// PostgresChannel returns the channel for the wake-ups of a service's outbox. It
// returns an error if the name is too long for Postgres.
func PostgresChannel(service string) (string, error) {
	name := "outbox_wake:" + service
	if len(name) > 63 {
		return "", fmt.Errorf("wake: the service name %q is too long: with it a Postgres channel has %d bytes, and 63 are allowed", service, len(name))
	}
	return name, nil
}

// PostgresOptions configure a PostgresWaker. The zero value is usable.
type PostgresOptions struct {
	// Window is the shortest time between two NOTIFYs. Commits within it share one, so
	// a wake-up may come up to a window later. 0: DefaultWindow.
	Window time.Duration
}

// PostgresWaker sends wake-ups with NOTIFY, on its own connection, which it opens at
// the first wake-up. It is safe for concurrent use.
type PostgresWaker struct {
	config *pgx.ConnConfig
	notify string // the statement
	window time.Duration

	mu   sync.Mutex
	next *notification // waits for its window, and may be shared

	turn    chan struct{} // holds a token while the fields below are free
	conn    *pgx.Conn
	dialing *dialing // under way, or done and not used yet; nil: none
	last    time.Time

	failures  int // to connect, in a row
	failure   error
	notBefore time.Time // no attempt before then, if there is a failure
}

// notification is one NOTIFY and its result.
type notification struct {
	done chan struct{}
	err  error
}

// Postgres returns a waker for the outbox of the service, on the database of
// connString. A transaction pooler works. Unless connect_timeout is set, a host that
// does not answer is left after 2 s and the next one is tried; wake-ups during that
// time are lost. So are those in the pauses after a failure to connect: they grow from
// 100 ms to 2 s, or to 10 s if the server has no connections left or refuses the role.
// Close the waker when it is no longer needed.
func Postgres(connString, service string, options PostgresOptions) (*PostgresWaker, error) {
	name, err := PostgresChannel(service)
	if err != nil {
		return nil, err
	}
	config, err := parseConnString(connString)
	if err != nil {
		return nil, err
	}
	w := &PostgresWaker{
		config: config,
		// A wake-up need not survive a crash, so do not wait for the disk.
		notify: "set local synchronous_commit = off; notify " + pgx.Identifier{name}.Sanitize(),
		window: cmp.Or(max(options.Window, 0), DefaultWindow),
		turn:   make(chan struct{}, 1),
	}
	w.turn <- struct{}{}
	return w, nil
}

// Wake sends one NOTIFY, at least a window after the last one. A call during the wait
// of another call shares its NOTIFY and its error.
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
	defer close(n.done) // also if send panics: others may wait for it
	n.err = w.send(ctx)
	return n.err
}

// errPanicked is the error of calls that shared a wake-up whose caller panicked.
var errPanicked = errors.New("wake: the call that notifies panicked")

// send waits for the turn and the window, then stops sharing and notifies.
func (w *PostgresWaker) send(ctx context.Context) error {
	seal := sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.next = nil
	})
	defer seal()
	select {
	case <-w.turn:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { w.turn <- struct{}{} }()
	if !backoff.Sleep(ctx, time.Until(w.last.Add(w.window))) {
		return context.Cause(ctx)
	}
	seal()
	w.last = time.Now()
	return w.exec(ctx)
}

// exec notifies. If the connection is dead, or its server is no longer the primary, it
// tries once more on a new one.
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

// connected returns a new connection. Connecting continues after ctx has ended, for the
// next wake-up: a wake-up has less time than it may take to try hosts that do not
// answer. fresh is true if this call started it. After a failure there is a pause, in
// which every wake-up fails with the same error: a server that has no connections left
// must not be asked for one at each commit.
func (w *PostgresWaker) connected(ctx context.Context) (conn *pgx.Conn, fresh bool, err error) {
	for {
		d := w.dialing
		if d == nil {
			if wait := time.Until(w.notBefore); w.failure != nil && wait > 0 {
				return nil, true, fmt.Errorf("the next attempt is in %s: %w", wait.Round(time.Millisecond), w.failure)
			}
			d = beginDialing(w.config)
			w.dialing, fresh = d, true
		}
		select {
		case <-d.done:
		case <-ctx.Done():
			return nil, fresh, fmt.Errorf("still connecting: %w", context.Cause(ctx))
		}
		w.dialing = nil
		if d.err == nil {
			w.failures, w.failure = 0, nil
			return d.conn, fresh, nil
		}
		w.failures++
		w.failure, w.notBefore = d.err, time.Now().Add(pgdial.PauseAfter(d.err, w.failures))
		if fresh {
			return nil, fresh, d.err
		}
		// A failure in the meantime is tried again, after the pause.
	}
}

// notifyOn notifies, and drops a connection that can no longer be used. That includes
// one on which pgx panicked, as its tracers may.
func (w *PostgresWaker) notifyOn(ctx context.Context, conn *pgx.Conn) (err error) {
	usable := false
	defer func() {
		if !usable {
			w.conn = nil
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = conn.Close(closing) // its error does not matter
		}
	}()
	if _, err = conn.Exec(ctx, w.notify); err != nil {
		err = fmt.Errorf("wake: notify: %w", err)
	}
	usable = !conn.IsClosed() && !outbox.IsReadOnly(err)
	return err
}

// Close closes the connection. It waits for the wake-up under way.
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

// PoolerError is returned by PostgresWaitSource.Check, and logged by Wait, if LISTEN
// succeeds and notifications do not arrive: there is a pooler in transaction mode.
type PoolerError struct {
	// Host is the host of the connection.
	Host string
	// PID is the backend's process id that was reported when the connection was opened.
	// Backend is the one in which statements ran. A pooler makes up the first.
	PID, Backend uint32
}

func (e *PoolerError) Error() string {
	return fmt.Sprintf("wake: LISTEN on %s is accepted and a notification does not arrive within %v "+
		"(told backend %d, statements run in backend %d): a connection pooler in transaction mode seems to stand between. "+
		"Give the relay's wake-ups a direct connection or a pool in session mode, or use Redis; until then the relay polls",
		e.Host, answerTime, e.PID, e.Backend)
}

// PostgresWaitSource receives a service's wake-ups from Postgres, for the relay. Any
// goroutine may call Close; call Wait from one goroutine at a time.
type PostgresWaitSource struct {
	config *pgx.ConnConfig
	name   string
	source source
	conn   *pgx.Conn

	keepAlive time.Duration // tests use a shorter time
}

// PostgresSource returns the source of wake-ups for the outbox of the service. It needs
// its own session: a direct connection, or a pooler in session mode. It connects in the
// first Wait.
func PostgresSource(connString, service string, options SourceOptions) (*PostgresWaitSource, error) {
	name, err := PostgresChannel(service)
	if err != nil {
		return nil, err
	}
	config, err := parseConnString(connString)
	if err != nil {
		return nil, err
	}
	// A notification has come through a connection before it counts as one.
	return &PostgresWaitSource{config: config, name: name, source: newSource(options, "Postgres", true), keepAlive: keepAlive}, nil
}

// Check connects, listens, and sends a notification from a second connection. It
// returns a *PoolerError if that does not arrive. Use it at start-up; Wait does the
// same.
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

// Wait returns nil when there is a wake-up, and an error only if ctx ends or the source
// is closed. While the database is unavailable it retries with back-off. Do not call it
// twice at the same time.
func (s *PostgresWaitSource) Wait(ctx context.Context) error { return s.source.wait(ctx, s) }

// Close ends a Wait under way and closes the connection.
func (s *PostgresWaitSource) Close() { s.source.close(s) }

func (s *PostgresWaitSource) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*answerTime)
	defer cancel()
	if s.conn != nil { // Check has used it; it may be half open by now
		return s.conn.Ping(ctx)
	}
	conn, err := pgdial.Connect(ctx, s.config)
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
	// After the probe, because a pooler would give the setting to other clients.
	// Postgres 13 does not have it.
	const noIdleTimeout = "select set_config('idle_session_timeout', '0', false) where current_setting('idle_session_timeout', true) is not null"
	if _, err := conn.Exec(ctx, noIdleTimeout); err != nil {
		return fmt.Errorf("set up the session: %w", err)
	}
	return nil
}

// probe sends a notification from a second connection. One from the same connection
// would prove nothing, because a pooler delivers it while the statement runs.
func (s *PostgresWaitSource) probe(ctx context.Context) error {
	token := "probe " + uuid.NewString()
	other, err := pgdial.Connect(ctx, s.config)
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
		case err == nil: // from another sender; the connection counts as a wake-up anyway
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

// drain drops other notifications that have arrived: the next read covers them.
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
