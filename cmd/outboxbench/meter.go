package main

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// meter stands between a client and Postgres. It passes everything on, and counts the
// open sessions and the statements of the client.
type meter struct {
	listener net.Listener
	dir      string // of its socket
	server   *pgx.ConnConfig

	statements atomic.Int64
	sessions   atomic.Int64

	mu      sync.Mutex
	closed  bool
	links   map[net.Conn]struct{}
	serving sync.WaitGroup
}

// newMeter listens on a Unix socket with the name that Postgres would give it.
func newMeter(server *pgx.ConnConfig) (_ *meter, err error) {
	dir, err := os.MkdirTemp("", "meter") // a socket's path must be short
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", filepath.Join(dir, socketName(server)))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	m := &meter{listener: listener, dir: dir, server: server, links: map[net.Conn]struct{}{}}
	m.serving.Go(m.accept)
	return m, nil
}

func socketName(server *pgx.ConnConfig) string { return ".s.PGSQL." + strconv.Itoa(int(server.Port)) }

// url returns the address of the database through the meter.
func (m *meter) url() string {
	user := url.User(m.server.User)
	if m.server.Password != "" {
		user = url.UserPassword(m.server.User, m.server.Password)
	}
	query := url.Values{"host": {m.dir}, "port": {strconv.Itoa(int(m.server.Port))}}
	return (&url.URL{Scheme: "postgres", User: user, Path: "/" + m.server.Database, RawQuery: query.Encode()}).String()
}

func (m *meter) close() error {
	err := m.listener.Close()
	m.mu.Lock()
	m.closed = true
	for c := range m.links {
		_ = c.Close() // the client is told
	}
	m.mu.Unlock()
	m.serving.Wait()
	return errors.Join(err, os.RemoveAll(m.dir))
}

func (m *meter) accept() {
	for {
		client, err := m.listener.Accept()
		if err != nil {
			return
		}
		m.serving.Go(func() { m.serve(client) })
	}
}

func (m *meter) serve(client net.Conn) {
	network, address := pgconn.NetworkAddress(m.server.Host, m.server.Port)
	server, err := net.Dial(network, address)
	if err != nil {
		_ = client.Close() // the server is away, and the client sees it
		return
	}
	if !m.keep(client, server) {
		return
	}
	defer m.forget(client, server)
	m.sessions.Add(1)
	defer m.sessions.Add(-1)
	var answers sync.WaitGroup
	answers.Go(func() {
		_, _ = io.Copy(client, server) // it ends with the connection
		_ = client.Close()
	})
	counted := &statementCounter{startup: true, count: &m.statements}
	_, _ = io.Copy(io.MultiWriter(counted, server), client) // the same; counted before it is answered
	_ = server.Close()
	answers.Wait()
}

// keep records the connections, so that close ends them. It returns false if the meter
// is closed.
func (m *meter) keep(both ...net.Conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range both {
		if m.closed {
			_ = c.Close() // it is unused
			continue
		}
		m.links[c] = struct{}{}
	}
	return !m.closed
}

func (m *meter) forget(both ...net.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range both {
		delete(m.links, c)
	}
}

// statementCounter counts the statements that a client sends to Postgres. A text with
// several statements ("begin; notify x") counts as one.
type statementCounter struct {
	startup bool // the next message belongs to the start of the session
	head    []byte
	rest    int64 // of the current message
	count   *atomic.Int64
}

// Write implements io.Writer; it never fails.
func (s *statementCounter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if s.rest > 0 {
			skipped := min(s.rest, int64(len(p)))
			s.rest -= skipped
			p = p[skipped:]
			continue
		}
		size := 5 // type, length
		if s.startup {
			size = 4 // length
		}
		took := min(size-len(s.head), len(p))
		s.head = append(s.head, p[:took]...)
		p = p[took:]
		if len(s.head) == size {
			s.message()
		}
	}
	return n, nil
}

func (s *statementCounter) message() {
	const (
		query   = 'Q'
		execute = 'E'
	)
	if !s.startup && (s.head[0] == query || s.head[0] == execute) {
		s.count.Add(1)
	}
	const length = 4
	s.rest = int64(binary.BigEndian.Uint32(s.head[len(s.head)-length:])) - length
	s.startup, s.head = false, s.head[:0]
}
