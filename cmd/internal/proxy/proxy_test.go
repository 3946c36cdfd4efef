package proxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long an answer may take: a busy machine stalls a test for seconds.
const patience = time.Minute

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers every line with the same line, and records it.
func echo(t *testing.T) (address string, got <-chan string) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "server"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	lines := make(chan string, 16)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				r := bufio.NewReader(conn)
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					lines <- line
					if _, err := io.WriteString(conn, line); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String(), lines
}

type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func setup(t *testing.T) (*Proxy, func() *client, <-chan string) {
	t.Helper()
	address, got := echo(t)
	p, err := Listen("unix", filepath.Join(t.TempDir(), "proxy"), "unix", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, func() *client {
		conn, err := net.Dial("unix", p.Address())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return &client{t, conn, bufio.NewReader(conn)}
	}, got
}

func (c *client) say(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, line+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

// hears fails unless the line arrives. silent fails if anything arrives within a
// moment.
func (c *client) hears(line string) {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(time.Minute))
	if got, err := c.r.ReadString('\n'); err != nil || got != line+"\n" {
		c.t.Fatalf("heard %q, %v; want %q", got, err, line)
	}
}

func (c *client) silent() {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if got, err := c.r.ReadString('\n'); !errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("heard %q, %v; want silence", got, err)
	}
}

func (c *client) ended() {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(time.Minute))
	if got, err := c.r.ReadString('\n'); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("heard %q, %v; want the end", got, err)
	}
}

func TestHoldsOneDirectionAndFlowsOn(t *testing.T) {
	t.Parallel()
	p, dial, got := setup(t)
	c := dial()
	c.say("a")
	c.hears("a")
	if line := <-got; line != "a\n" {
		t.Fatal(line)
	}

	p.Set(Weather{HoldAnswers: true})
	c.say("b")
	if line := <-got; line != "b\n" { // the server gets it
		t.Fatal(line)
	}
	c.silent()
	p.Set(Weather{})
	c.hears("b")

	p.Set(Weather{HoldRequests: true})
	c.say("c")
	c.silent()
	select {
	case line := <-got:
		t.Fatalf("the server got %q", line)
	default:
	}
	p.Set(Weather{})
	c.hears("c")
}

func TestCutsAndRefuses(t *testing.T) {
	t.Parallel()
	p, dial, _ := setup(t)
	c := dial()
	c.say("a")
	c.hears("a")
	p.Set(Weather{HoldAnswers: true, HoldRequests: true})
	c.say("b")
	p.Cut()
	c.ended()

	p.Set(Weather{Refuse: true})
	dial().ended()
	p.Set(Weather{})
	d := dial()
	d.say("d")
	d.hears("d")
}

func TestDelays(t *testing.T) {
	t.Parallel()
	p, dial, _ := setup(t)
	p.Set(Weather{Delay: 30 * time.Millisecond})
	c := dial()
	began := time.Now()
	c.say("a")
	c.hears("a")
	if took := time.Since(began); took < 60*time.Millisecond {
		t.Errorf("there and back took %s", took)
	}
}

// overTCP returns a proxy that listens on TCP, in front of an echo.
func overTCP(t *testing.T) (*Proxy, func(within time.Duration) (*client, error)) {
	t.Helper()
	address, _ := echo(t)
	p, err := Listen("tcp", "127.0.0.1:0", "unix", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, func(within time.Duration) (*client, error) {
		conn, err := net.DialTimeout("tcp", p.Address(), within)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = conn.Close() })
		return &client{t, conn, bufio.NewReader(conn)}, nil
	}
}

// What a failed machine does to new connections and to open ones.
func TestMachines(t *testing.T) {
	t.Parallel()
	type reaction struct {
		within time.Duration // how long the client waits for it
		is     func(error) bool
	}
	isReset := reaction{patience, func(err error) bool { return errors.Is(err, syscall.ECONNRESET) }}
	isRefused := reaction{patience, func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }}
	isEnd := reaction{patience, func(err error) bool { return errors.Is(err, io.EOF) }}
	isEndOrReset := reaction{patience, func(err error) bool { return isEnd.is(err) || isReset.is(err) }}
	isSilent := reaction{300 * time.Millisecond, func(err error) bool {
		e, ok := errors.AsType[net.Error](err)
		return ok && e.Timeout()
	}}
	isOpen := reaction{patience, func(err error) bool { return err == nil }}
	for _, tt := range []struct {
		name         string
		fail         func(*Proxy) error
		newOne, open reaction
	}{
		{"refuses", (*Proxy).Down, isRefused, isOpen},
		{"resets", func(p *Proxy) error { p.Set(Weather{Reset: true}); p.Abort(); return nil }, isReset, isReset},
		{"accepts and closes", func(p *Proxy) error { p.Set(Weather{Refuse: true}); p.Cut(); return nil }, isEndOrReset, isEnd},
		{"accepts and is silent", func(p *Proxy) error { p.Set(Weather{HoldRequests: true, HoldAnswers: true}); return nil }, isSilent, isSilent},
		{"does not answer", (*Proxy).Unreachable, isSilent, isOpen},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, dial := overTCP(t)
			open, err := dial(patience)
			if err != nil {
				t.Fatal(err)
			}
			open.say("before")
			open.hears("before")
			if err := tt.fail(p); err != nil {
				t.Fatal(err)
			}
			if err := open.talk(tt.open.within); !tt.open.is(err) {
				t.Errorf("a connection that was open gave %v", err)
			}
			fresh, err := dial(tt.newOne.within)
			if err == nil {
				err = fresh.talk(tt.newOne.within)
			}
			if !tt.newOne.is(err) {
				t.Errorf("a new connection gave %v", err)
			}
			p.Set(Weather{})
			if err := p.Up(); err != nil {
				t.Fatal(err)
			}
			again, err := dial(patience)
			if err != nil {
				t.Fatal(err)
			}
			again.say("after")
			again.hears("after")
		})
	}
}

// talk sends a line, and waits for its return.
func (c *client) talk(within time.Duration) error {
	_ = c.conn.SetDeadline(time.Now().Add(within))
	if _, err := io.WriteString(c.conn, "line\n"); err != nil {
		return err
	}
	_, err := c.r.ReadString('\n')
	return err
}

func TestGreetsBeforeItIsSilent(t *testing.T) {
	t.Parallel()
	p, dial := overTCP(t)
	p.Set(Weather{HoldRequests: true, HoldAnswers: true})
	p.Greet(func(c net.Conn) (net.Conn, error) {
		_, err := io.WriteString(c, "welcome\n")
		return c, err
	})
	c, err := dial(patience)
	if err != nil {
		t.Fatal(err)
	}
	c.hears("welcome")
	c.say("a")
	c.silent()
	p.Set(Weather{})
	c.hears("a")
}
