package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// StopMode says how a Postgres server is stopped.
type StopMode int

const (
	// Fast rolls back what is open, closes the sessions and writes a checkpoint.
	Fast StopMode = iota
	// Immediate aborts the server, as a crash would: the next start recovers from
	// the WAL.
	Immediate
)

func (m StopMode) signal() syscall.Signal {
	if m == Immediate {
		return syscall.SIGQUIT
	}
	return syscall.SIGINT
}

// Option says what kind of Postgres server a test wants.
type Option func(*postgresOptions)

type postgresOptions struct {
	major    int
	private  bool
	settings map[string]string
}

// Version asks for a major version, such as 15 or 18. Default: any.
func Version(major int) Option { return func(o *postgresOptions) { o.major = major } }

// Private asks for the test's own cluster, which can be stopped and started. It takes a
// second to start. Its fsync is on. DATABASE_URL has no effect on it.
func Private() Option { return func(o *postgresOptions) { o.private = true } }

// Setting asks for a private cluster with that server setting, such as
// ("fsync", "off") or ("wal_level", "logical").
func Setting(name, value string) Option {
	return func(o *postgresOptions) {
		o.private = true
		if o.settings == nil {
			o.settings = map[string]string{}
		}
		o.settings[name] = value
	}
}

func optionsOf(opts []Option) postgresOptions {
	var o postgresOptions
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// serverSettings returns the settings of a test cluster, before the caller's own.
func (o postgresOptions) serverSettings(socket string) map[string]string {
	settings := map[string]string{
		"listen_addresses":        "",
		"unix_socket_directories": socket,
		"max_connections":         "300",
		"shared_buffers":          "64MB",
		"max_wal_size":            "512MB",
		"fsync":                   "off",
		"full_page_writes":        "off",
	}
	if o.private {
		settings["fsync"], settings["full_page_writes"] = "on", "on"
	}
	maps.Copy(settings, o.settings)
	return settings
}

// PostgresServer is a running Postgres server: one of our own, or the one that
// DATABASE_URL names. Its methods are safe for concurrent use, except that only
// one of Stop, Start, Restart and Close may run at a time.
type PostgresServer struct {
	// Version is the major version, such as 15.
	Version int

	admin   *pgx.ConnConfig // connects to the database for administration
	url     url.URL         // of that database
	own     *cluster        // nil for the server that DATABASE_URL names
	control bool            // whether Stop and Start are allowed
}

// cluster is what it takes to run a server of our own.
type cluster struct {
	install  installation
	user     *account
	folder   *folder
	settings map[string]string
	process  *process
}

// StartPostgres finds or starts a Postgres server; the package documentation
// says in which order. The caller closes it. The error wraps [ErrNotFound] when
// there is nothing to start.
func StartPostgres(ctx context.Context, opts ...Option) (*PostgresServer, error) {
	o := optionsOf(opts)
	if address := os.Getenv("DATABASE_URL"); address != "" && !o.private {
		s, err := externalPostgres(ctx, address)
		if err != nil {
			return nil, fmt.Errorf("the server that DATABASE_URL names: %w", err)
		}
		if o.major == 0 || o.major == s.Version {
			return s, nil
		}
	}
	install, err := findPostgres(ctx, o.major)
	if err != nil {
		return nil, err
	}
	return startCluster(ctx, install, o)
}

func externalPostgres(ctx context.Context, address string) (*PostgresServer, error) {
	admin, err := pgx.ParseConfig(address)
	if err != nil { // its text may hold a part of a password
		return nil, errors.New("it cannot be read; it must be a URL, such as postgres://user@host:5432/database")
	}
	where, err := url.Parse(address)
	if err != nil || where.Scheme == "" {
		return nil, errors.New("it must be a URL, such as postgres://user@host:5432/database")
	}
	s := &PostgresServer{admin: admin, url: *where}
	var version int
	if err := s.asAdmin(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int / 10000").Scan(&version)
	}); err != nil {
		return nil, err
	}
	s.Version = version
	return s, nil
}

func startCluster(ctx context.Context, install installation, o postgresOptions) (_ *PostgresServer, err error) {
	user, err := unprivileged()
	if err != nil {
		return nil, fmt.Errorf("find a user to run Postgres as, since it refuses root: %w", err)
	}
	dir, err := newFolder("postgres", user)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, dir.remove())
		}
	}()
	if user != nil && !reachable(install.bin) {
		if install, err = install.copyTo(filepath.Join(dir.path, "postgres")); err != nil {
			return nil, fmt.Errorf("copy the Postgres binaries to where its user can run them: %w", err)
		}
	}
	c := &cluster{install: install, user: user, folder: dir, settings: o.serverSettings(dir.path)}
	args := []string{
		"--pgdata", c.data(), "--username", "postgres", "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C", "--no-sync",
	}
	if install.major > 13 {
		args = append(args, "--no-instructions")
	}
	if err := c.run(ctx, "initdb", args...); err != nil {
		return nil, err
	}
	return c.serve(ctx)
}

func (c *cluster) data() string { return filepath.Join(c.folder.path, "data") }

// run runs one of Postgres's programs.
func (c *cluster) run(ctx context.Context, name string, args ...string) error {
	program := exec.CommandContext(ctx, filepath.Join(c.install.bin, name), args...)
	program.Dir = c.folder.path
	program.SysProcAttr = attributes(c.user, syscall.SIGKILL)
	if out, err := program.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// serve starts a server on the data folder.
func (c *cluster) serve(ctx context.Context) (_ *PostgresServer, err error) {
	s := &PostgresServer{Version: c.install.major, own: c, control: true}
	query := url.Values{"host": {c.folder.path}}
	if port, ok := c.settings["port"]; ok {
		query.Set("port", port)
	}
	s.url = url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/postgres", RawQuery: query.Encode()}
	if s.admin, err = pgx.ParseConfig(s.url.String()); err != nil {
		return nil, err
	}
	return s, s.Start(ctx)
}

// URL returns the address of a database of this server.
func (s *PostgresServer) URL(database string) string {
	address := s.url
	address.Path = "/" + database
	return address.String()
}

// asAdmin runs the function with a connection for administration.
func (s *PostgresServer) asAdmin(ctx context.Context, do func(*pgx.Conn) error) error {
	conn, err := pgx.ConnectConfig(ctx, s.admin.Copy())
	if err != nil {
		return err
	}
	return errors.Join(do(conn), conn.Close(context.WithoutCancel(ctx)))
}

// CreateDatabase makes an empty database and returns its address.
func (s *PostgresServer) CreateDatabase(ctx context.Context, name string) (string, error) {
	err := s.asAdmin(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()+" TEMPLATE template0")
		return err
	})
	if err != nil {
		return "", fmt.Errorf("create the database %s: %w", name, err)
	}
	return s.URL(name), nil
}

// DropDatabase removes a database and ends the sessions in it.
func (s *PostgresServer) DropDatabase(ctx context.Context, name string) error {
	err := s.asAdmin(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
		return err
	})
	if err != nil {
		return fmt.Errorf("drop the database %s: %w", name, err)
	}
	return nil
}

// PID returns the process id of the server, or 0 when it does not run or is not ours.
func (s *PostgresServer) PID() int {
	if s.own == nil || !s.own.process.running() {
		return 0
	}
	return s.own.process.cmd.Process.Pid
}

// Stop stops the server. It is an error for a server that others use too.
func (s *PostgresServer) Stop(_ context.Context, mode StopMode) error {
	if !s.control {
		return errShared("Postgres", "services.Postgres(t, services.Private())")
	}
	return s.own.process.stop(mode.signal())
}

// Start starts the server again after Stop and returns when it takes
// connections. It does nothing when the server runs.
func (s *PostgresServer) Start(ctx context.Context) error {
	if !s.control {
		return errShared("Postgres", "services.Postgres(t, services.Private())")
	}
	c := s.own
	if c.process.running() {
		return nil
	}
	args := []string{"-D", c.data()}
	for _, name := range slices.Sorted(maps.Keys(c.settings)) {
		args = append(args, "-c", name+"="+c.settings[name])
	}
	p, err := command{
		path: filepath.Join(c.install.bin, "postgres"), args: args, dir: c.folder.path,
		log: filepath.Join(c.folder.path, "server.log"), user: c.user, death: syscall.SIGQUIT,
	}.start()
	if err != nil {
		return err
	}
	c.process = p
	const limit = 60 * time.Second // recovery after a crash may take a while on a busy machine
	err = p.poll(limit, func() error {
		return s.asAdmin(ctx, func(conn *pgx.Conn) error { return conn.Ping(ctx) })
	})
	if err != nil {
		return errors.Join(err, p.stop(syscall.SIGQUIT))
	}
	return nil
}

// Restart stops the server and starts it again.
func (s *PostgresServer) Restart(ctx context.Context, mode StopMode) error {
	if err := s.Stop(ctx, mode); err != nil {
		return err
	}
	return s.Start(ctx)
}

// Close stops the server and removes its data. A server that DATABASE_URL names
// is left alone.
func (s *PostgresServer) Close() error {
	if s.own == nil {
		return nil
	}
	return errors.Join(s.own.process.stop(syscall.SIGQUIT), s.own.folder.remove())
}

var _ io.Closer = (*PostgresServer)(nil)
