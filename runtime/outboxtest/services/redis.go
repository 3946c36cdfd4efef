package services

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RedisServer is a running Redis server. One of Kill, Start and Close may run at
// a time.
type RedisServer struct {
	// URL is its address as redis://host:port, and Addr as host:port. They stay
	// the same over Kill and Start.
	URL, Addr string

	own *redisProcess // nil for the server that REDIS_URL names
}

type redisProcess struct {
	binary  string
	folder  *folder
	port    int
	process *process
}

// StartRedis finds or starts a Redis server: the one that REDIS_URL names, else
// redis-server from PATH. The caller closes it. The error wraps [ErrNotFound]
// when there is neither.
func StartRedis(ctx context.Context) (*RedisServer, error) {
	address := os.Getenv("REDIS_URL")
	if address == "" {
		return startRedis(ctx)
	}
	where, err := url.Parse(address)
	if err != nil || where.Host == "" {
		return nil, errors.New("REDIS_URL cannot be read; it must be like redis://host:6379") // it may hold a password
	}
	s := &RedisServer{URL: address, Addr: where.Host}
	if where.Port() == "" {
		s.Addr = net.JoinHostPort(where.Hostname(), "6379")
	}
	if err := s.ping(ctx); err != nil {
		return nil, fmt.Errorf("the server that REDIS_URL names: %w", err)
	}
	return s, nil
}

func startRedis(ctx context.Context) (*RedisServer, error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("%w: no redis-server on PATH; set REDIS_URL, or install Redis (Debian: apt-get install redis-server)", ErrNotFound)
	}
	dir, err := newFolder("redis", nil)
	if err != nil {
		return nil, err
	}
	const tries = 5 // another process may take the port first
	for range tries {
		s := &RedisServer{own: &redisProcess{binary: binary, folder: dir}}
		if s.own.port, err = freePort(); err != nil {
			break
		}
		s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(s.own.port))
		s.URL = "redis://" + s.Addr
		if err = s.Start(ctx); err == nil {
			return s, nil
		}
	}
	return nil, errors.Join(err, dir.remove())
}

// Start starts the server again after Kill, empty, at the same address. It does
// nothing when the server runs.
func (s *RedisServer) Start(ctx context.Context) error {
	if s.own == nil {
		return errShared("Redis", "services.PrivateRedis(t)")
	}
	if s.own.process.running() {
		return nil
	}
	p, err := command{
		path: s.own.binary, dir: s.own.folder.path, log: filepath.Join(s.own.folder.path, "server.log"), death: syscall.SIGKILL,
		args: []string{"--bind", "127.0.0.1", "--port", strconv.Itoa(s.own.port), "--save", "", "--appendonly", "no"},
	}.start()
	if err != nil {
		return err
	}
	s.own.process = p
	const limit = time.Minute
	if err := p.poll(limit, func() error { return s.ping(ctx) }); err != nil {
		return errors.Join(err, p.kill())
	}
	return nil
}

// Kill ends the server immediately, and with it all that it held.
func (s *RedisServer) Kill() error {
	if s.own == nil {
		return errShared("Redis", "services.PrivateRedis(t)")
	}
	return s.own.process.kill()
}

// Close ends the server. One that REDIS_URL names is left alone.
func (s *RedisServer) Close() error {
	if s.own == nil {
		return nil
	}
	return errors.Join(s.own.process.kill(), s.own.folder.remove())
}

// ping asks the server whether it is there. A server that wants a password is.
func (s *RedisServer) ping(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return err
	}
	const patience = 30 * time.Second
	err = conn.SetDeadline(time.Now().Add(patience))
	if err == nil {
		_, err = conn.Write([]byte("PING\r\n"))
	}
	var answer string
	if err == nil {
		answer, err = bufio.NewReader(conn).ReadString('\n')
	}
	if err == nil && !strings.HasPrefix(answer, "+PONG") && !strings.HasPrefix(answer, "-NOAUTH") {
		err = fmt.Errorf("it answers PING with %q", strings.TrimSpace(answer))
	}
	return errors.Join(err, conn.Close())
}

// Redis returns a Redis server for the test. It is the test's own, unless REDIS_URL is
// set; then use distinct key names.
func Redis(t testing.TB) *RedisServer {
	t.Helper()
	return redisFor(t, StartRedis)
}

// PrivateRedis returns the test's own Redis server, which it may Kill and Start.
// REDIS_URL has no effect on it.
func PrivateRedis(t testing.TB) *RedisServer {
	t.Helper()
	return redisFor(t, startRedis)
}

func redisFor(t testing.TB, start func(context.Context) (*RedisServer, error)) *RedisServer {
	t.Helper()
	skipShort(t)
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	s, err := start(ctx)
	if err != nil {
		giveUp(t, "redis", err)
	}
	closeAfter(t, s)
	return s
}
