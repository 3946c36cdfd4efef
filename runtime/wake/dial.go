package wake

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// silentFor is how long an address of the database may go without an answer while a
	// connection is opened, unless connect_timeout is set. Then the next one is tried.
	silentFor = 2 * time.Second
	// longestDial is how long an address that answers may take in total.
	longestDial = 10 * time.Second
)

// connect connects like pgx, but leaves addresses that do not answer: a host that hangs
// accepts connections and never answers.
func connect(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	if config.ConnectTimeout > 0 {
		return pgx.ConnectConfig(ctx, config)
	}
	config = config.Copy()
	config.ConnectTimeout = longestDial
	var over atomic.Bool
	defer over.Store(true)
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, silentFor)
		defer cancel()
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		w := &watched{Conn: conn, over: &over}
		w.timer = time.AfterFunc(silentFor, w.giveUp)
		return w, nil
	}
	return pgx.ConnectConfig(ctx, config)
}

// watched is a connection that is closed if no data arrives for too long, until it is
// set up.
type watched struct {
	net.Conn
	timer  *time.Timer
	over   *atomic.Bool // it is set up
	silent atomic.Bool
}

func (w *watched) giveUp() {
	if w.over.Load() {
		return
	}
	w.silent.Store(true)
	_ = w.Conn.Close() // ends the read that waits
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if n > 0 && !w.over.Load() {
		w.timer.Reset(silentFor)
	}
	if err != nil && w.silent.Load() {
		err = fmt.Errorf("no answer for %s: %w", silentFor, os.ErrDeadlineExceeded)
	}
	return n, err
}

func (w *watched) Close() error {
	w.timer.Stop()
	return w.Conn.Close()
}

// dialing is a connection that is being opened; several calls may wait for it.
type dialing struct {
	cancel context.CancelFunc
	done   chan struct{}
	// set when done
	conn     *pgx.Conn
	err      error
	panicked any
}

func beginDialing(config *pgx.ConnConfig) *dialing {
	ctx, cancel := context.WithCancel(context.Background())
	d := &dialing{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		defer cancel()
		defer func() { d.panicked = recover() }() // of a tracer; it continues in a caller
		d.conn, d.err = connect(ctx, config)
	}()
	return d
}
