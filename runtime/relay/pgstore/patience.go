package pgstore

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience ends an attempt to reach an address that keeps silent. One that answers may
// take as many round trips as it needs, on a network however slow: what tells that a
// host is gone is not how long it takes until a session can be used.
type patience struct {
	limit time.Duration
	end   context.CancelFunc

	mu    sync.Mutex
	timer *time.Timer
	over  bool // the attempt has ended
	spent bool // because of silence
}

// patiently runs attempt, which connects to an address by config under ctx. The
// address must not keep silent for longer than limit, nor take longer than most in all.
func patiently(ctx context.Context, at target, limit, most time.Duration, attempt func(context.Context, *pgx.ConnConfig) error) error {
	limited, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	p := &patience{limit: limit, end: cancel}
	config := at.config.Copy()
	config.ConnectTimeout = most
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		p.answered()
		return heard{conn, p}, nil
	}
	p.begin()
	err := attempt(limited, config)
	if p.stop() && err != nil && ctx.Err() == nil {
		return &silentError{address: at.address, limit: limit, problem: err.Error()}
	}
	return err
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

// answered begins the wait for the next answer.
func (p *patience) answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over && !p.spent {
		p.timer.Reset(p.limit)
	}
}

// stop ends the attempt, and reports whether the address was silent for too long.
func (p *patience) stop() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	p.timer.Stop()
	return p.spent
}

// heard is a connection whose answers are noticed while it is set up.
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

// NetConn is the connection below, as that of a [crypto/tls.Conn] is.
func (h heard) NetConn() net.Conn { return h.Conn }

// silentError is an attempt that ended because the address kept silent.
type silentError struct {
	address string
	limit   time.Duration
	problem string // what the driver said of it
}

func (e *silentError) Error() string {
	return fmt.Sprintf("%s gave no answer for %s: %s", e.address, e.limit, e.problem)
}

// Is makes it one of the errors of waiting.
func (*silentError) Is(target error) bool { return target == context.DeadlineExceeded }
