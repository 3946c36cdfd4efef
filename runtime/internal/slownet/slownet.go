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

// Dial gives connections on which each round trip takes that long, the one that opens
// the connection too. All of them must be closed by the end of the test.
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

// piece is what was read at once, and when it arrives.
type piece struct {
	data []byte
	at   time.Time
}

// carry writes to one end what it reads from the other, a while later, until that is
// closed.
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
		_, _ = to.Write(p.data) // it fails when that end was closed; then the other is closed soon
	}
}
