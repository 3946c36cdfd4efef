package pgdial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience ends an attempt to reach an address that does not answer. An address that
// answers may take as many round trips as it needs, even on a slow network: the total
// time does not show whether a host is gone.
type patience struct {
	limit time.Duration
	end   context.CancelFunc

	mu    sync.Mutex
	timer *time.Timer
	over  bool // the attempt has ended
	spent bool // because it did not answer
}

// Patiently runs attempt, which connects to an address with config and ctx. Without an
// answer for limit, or after most in total, it ends the attempt. A panic of attempt is a
// *PanicError, and closes what attempt has opened.
func Patiently(ctx context.Context, at Target, limit, most time.Duration, attempt func(context.Context, *pgx.ConnConfig) error) error {
	limited, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	p := &patience{limit: limit, end: cancel}
	config := at.Config.Copy()
	config.ConnectTimeout = most
	dial := config.DialFunc
	var dialled []net.Conn // one after the other
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		p.answered()
		dialled = append(dialled, conn)
		return heard{conn, p}, nil
	}
	p.begin()
	err := func() (err error) {
		defer recoverTo(&err, "code in the configuration of the connection, such as its tracer or DialFunc, at "+at.Address)
		return attempt(limited, config)
	}()
	if _, panicked := errors.AsType[*PanicError](err); panicked {
		for _, conn := range dialled { // the driver does not close it
			_ = conn.Close()
		}
	}
	if p.stop() && err != nil && ctx.Err() == nil {
		return &SilentError{address: at.Address, limit: limit, problem: err.Error()}
	}
	return explain(at, err)
}

func (p *patience) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(p.limit, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.over {
			p.spent = true
			p.end()
		}
	})
}

// answered starts the wait for the next answer.
func (p *patience) answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over && !p.spent {
		p.timer.Reset(p.limit)
	}
}

// stop ends the attempt, and reports whether the address did not answer in time.
func (p *patience) stop() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	p.timer.Stop()
	return p.spent
}

// heard is a connection that reports answers while a session is set up.
type heard struct {
	net.Conn
	patience *patience
}

func (h heard) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	if n > 0 {
		h.patience.answered()
	}
	return n, err
}

// NetConn returns the underlying connection, like [crypto/tls.Conn].
func (h heard) NetConn() net.Conn { return h.Conn }

// SilentError means that an attempt ended because the address did not answer.
type SilentError struct {
	address string
	limit   time.Duration
	problem string // what the driver reported
}

func (e *SilentError) Error() string {
	return fmt.Sprintf("%s gave no answer for %s: %s", e.address, e.limit, e.problem)
}

// Is makes it match context.DeadlineExceeded.
func (*SilentError) Is(target error) bool { return target == context.DeadlineExceeded }
