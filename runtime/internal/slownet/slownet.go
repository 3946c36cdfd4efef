// Package slownet makes connections of tests slow.
package slownet

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Dial returns a dialer whose connections delay each round trip by roundTrip, including
// the one that opens the connection. Close all connections before the test ends.
func Dial(t testing.TB, roundTrip time.Duration) func(ctx context.Context, network, address string) (net.Conn, error) {
	t.Helper()
	var copying sync.WaitGroup
	t.Cleanup(copying.Wait)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		far, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		select {
		case <-time.After(roundTrip):
		case <-ctx.Done():
			_ = far.Close()
			return nil, context.Cause(ctx)
		}
		near, mine := net.Pipe()
		copying.Go(func() { carry(far, mine, roundTrip/2, &copying) })
		copying.Go(func() { carry(mine, far, roundTrip/2, &copying) })
		return near, nil
	}
}

// piece is data that was read at once, and when it arrives.
type piece struct {
	data []byte
	at   time.Time
}

// carry copies data from one end to the other with a delay, until one is closed.
func carry(to io.WriteCloser, from io.Reader, delay time.Duration, copying *sync.WaitGroup) {
	underWay := make(chan piece, 1024)
	copying.Go(func() {
		defer close(underWay)
		for {
			buffer := make([]byte, 32<<10)
			n, err := from.Read(buffer)
			if n > 0 {
				underWay <- piece{buffer[:n], time.Now().Add(delay)}
			}
			if err != nil {
				return
			}
		}
	})
	defer func() { _ = to.Close() }()
	for p := range underWay {
		time.Sleep(time.Until(p.at))
		_, _ = to.Write(p.data) // fails if that end was closed; then the other is closed soon
	}
}
