package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/cmd/internal/proxy"
)

// meter stands between a client and Postgres. It passes everything on, and counts the
// open sessions and the statements of the client.
type meter struct {
	proxy  *proxy.Proxy
	dir    string // of its socket
	server *pgx.ConnConfig

	statements atomic.Int64
	sessions   atomic.Int64
}

// newMeter listens on a Unix socket with the name that Postgres would give it.
func newMeter(server *pgx.ConnConfig) (*meter, error) {
	dir, err := os.MkdirTemp("", "meter") // a socket's path must be short
	if err != nil {
		return nil, err
	}
	m := &meter{dir: dir, server: server}
	network, address := pgconn.NetworkAddress(server.Host, server.Port)
	socket := fmt.Sprintf(".s.PGSQL.%d", server.Port)
	if m.proxy, err = proxy.Listen("unix", filepath.Join(dir, socket), network, address); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	m.proxy.Greet(m.count)
	return m, nil
}

// url returns the address of the database through the meter.
func (m *meter) url() string {
	user := url.User(m.server.User)
	if m.server.Password != "" {
		user = url.UserPassword(m.server.User, m.server.Password)
	}
	query := url.Values{"host": {m.dir}, "port": {strconv.Itoa(int(m.server.Port))}}
	return (&url.URL{Scheme: "postgres", User: user, Path: "/" + m.server.Database, RawQuery: query.Encode()}).String()
}

func (m *meter) close() error { return errors.Join(m.proxy.Close(), os.RemoveAll(m.dir)) }

// count counts a session, and its statements from now on.
func (m *meter) count(client net.Conn) (net.Conn, error) {
	m.sessions.Add(1)
	return &session{Conn: client, meter: m, counter: statementCounter{startup: true, count: &m.statements}}, nil
}

// session is the connection to a client.
type session struct {
	net.Conn
	meter   *meter
	counter statementCounter
}

func (s *session) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	s.counter.see(p[:n])
	return n, err
}

func (s *session) Close() error {
	s.meter.sessions.Add(-1)
	return s.Conn.Close()
}

// statementCounter counts the statements that a client sends to Postgres. A text with
// several statements ("begin; notify x") counts as one.
type statementCounter struct {
	startup bool // the next message belongs to the start of the session
	head    []byte
	rest    int64 // of the current message
	count   *atomic.Int64
}

// see takes the next bytes from the client.
func (s *statementCounter) see(p []byte) {
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
