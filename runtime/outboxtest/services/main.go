package services

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
)

// Main runs the tests, stops every server that they started, and exits with the
// tests' code. Call it from TestMain:
//
//	func TestMain(m *testing.M) { services.Main(m) }
//
// With goleak, use [Wrap] instead.
func Main(m *testing.M) { os.Exit(Wrap(m).Run()) }

// Suite is a test binary's tests together with the servers that they start.
type Suite struct {
	m interface{ Run() int }
}

// Wrap returns the tests as something whose Run also stops the servers. It
// serves other helpers for TestMain that want to call Run themselves:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(services.Wrap(m)) }
func Wrap(m *testing.M) Suite { return Suite{m} }

// Run runs the tests, stops the servers, and returns the code to exit with. It
// is 1 when the tests passed and a server did not stop.
func (s Suite) Run() int {
	shared.keep(true)
	defer shared.keep(false)
	code := s.m.Run()
	if err := shared.close(); err != nil {
		fmt.Fprintf(os.Stderr, "services: after the tests: %v\n", err)
		return max(code, 1)
	}
	return code
}

// shared has the servers that the tests of this binary share. The process is all that
// they have in common, so this is a global variable.
var shared pool

// pool starts servers at first use and hands the same one to later users. It is
// safe for concurrent use.
type pool struct {
	mu      sync.Mutex
	servers map[string]*pooled
	kept    bool
}

// pooled is one server of a pool. Its own lock is held during the start, so that
// other servers can start meanwhile.
type pooled struct {
	mu     sync.Mutex
	server io.Closer
	err    error // of the start; a server that failed once is not tried again
	users  int   // guarded by the pool's lock
}

// keep says whether servers outlive their last user.
func (p *pool) keep(kept bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = kept
}

// get returns the server of that name, starting it if need be. The caller
// releases it unless there is an error.
func (p *pool) get(name string, start func() (io.Closer, error)) (io.Closer, error) {
	p.mu.Lock()
	if p.servers == nil {
		p.servers = map[string]*pooled{}
	}
	s := p.servers[name]
	if s == nil {
		s = &pooled{}
		p.servers[name] = s
	}
	s.users++
	p.mu.Unlock()

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil || s.err != nil {
		return s.server, s.err
	}
	server, err := start()
	switch {
	case err == nil:
		s.server = server
	case !errors.Is(err, ErrNotFound): // looking again costs little
		s.err = err
	}
	return server, err
}

// release returns a server. It stops the server if it has no other users and servers
// are not kept.
func (p *pool) release(name string) error {
	p.mu.Lock()
	s := p.servers[name]
	s.users--
	last := s.users == 0 && !p.kept
	if last {
		delete(p.servers, name)
	}
	p.mu.Unlock()
	if !last {
		return nil
	}
	return s.close()
}

func (p *pool) close() error {
	p.mu.Lock()
	servers := p.servers
	p.servers = nil
	p.mu.Unlock()
	var errs []error
	for _, s := range servers {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

func (s *pooled) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.server == nil {
		return nil
	}
	return s.server.Close()
}

// use is get for a test: the server is released when the test ends.
func use[S io.Closer](t testing.TB, name string, start func() (S, error)) (S, error) {
	t.Helper()
	server, err := shared.get(name, func() (io.Closer, error) { return start() })
	t.Cleanup(func() {
		if err := shared.release(name); err != nil {
			t.Errorf("services: %v", err)
		}
	})
	if err != nil {
		var none S
		return none, err
	}
	return server.(S), nil
}

func closeAfter(t testing.TB, c io.Closer) {
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("services: %v", err)
		}
	})
}
