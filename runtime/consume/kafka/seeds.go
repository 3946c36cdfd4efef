package kafka

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// silentAfter is how much longer than the first seed broker another one may take to
	// answer. On a busy machine all of them are slow.
	silentAfter = 2 * time.Second
	// hopelessAfter is how long the first one may take.
	hopelessAfter = 30 * time.Second
)

// seeds are the brokers in Config.Brokers. One that accepts connections and never
// answers, as a hung machine does, is left out while another one answers. Otherwise the
// client would wait for it at the start, and again now and then.
type seeds struct {
	addresses   []string
	silentAfter time.Duration
	again       chan struct{} // holds a token when all of them are used again

	mu    sync.Mutex
	since time.Time // when some were left out; zero: all are used
}

func newSeeds(addresses []string) *seeds {
	return &seeds{addresses: addresses, silentAfter: silentAfter, again: make(chan struct{}, 1)}
}

// run probes them at the start, and again whenever all of them are used again.
func (s *seeds) run(ctx context.Context, client *kgo.Client, log *slog.Logger) {
	for {
		s.probe(ctx, client, log)
		select {
		case <-ctx.Done():
			return
		case <-s.again:
		}
	}
}

// probe asks all of them at the same time, with the client's dialer.
func (s *seeds) probe(ctx context.Context, client *kgo.Client, log *slog.Logger) {
	dial, ok := client.OptValue(kgo.Dialer).(func(context.Context, string, string) (net.Conn, error))
	if !ok || len(s.addresses) < 2 {
		return
	}
	waiting, answered := context.WithCancel(ctx) // ends with the first answer
	defer answered()
	errs := make([]error, len(s.addresses))
	var wg sync.WaitGroup
	for i, address := range s.addresses {
		wg.Go(func() {
			if errs[i] = ask(ctx, waiting, s.silentAfter, dial, withPort(address)); errs[i] == nil {
				answered()
			}
		})
	}
	wg.Wait()
	var others, silent []string
	for i, address := range s.addresses {
		if errors.Is(errs[i], os.ErrDeadlineExceeded) {
			silent = append(silent, address)
		} else {
			others = append(others, address)
		}
	}
	if len(silent) == 0 || waiting.Err() == nil || ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if client.UpdateSeedBrokers(others...) != nil {
		return
	}
	s.since = time.Now()
	log.WarnContext(ctx, "seed brokers accept connections and do not answer; the others are used", "brokers", silent)
}

// restore gives the client all of them again. No broker has answered a request that began
// at this time: if that was before some were left out, the request may have waited for
// these.
func (s *seeds) restore(client *kgo.Client, began time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() || began.Before(s.since) || client.UpdateSeedBrokers(s.addresses...) != nil {
		return
	}
	s.since = time.Time{}
	select {
	case s.again <- struct{}{}:
	default:
	}
}

// ask sends a broker the first request of every client, and waits for the first bytes
// of the answer. When waiting ends, because another broker has answered, the broker is
// silent after that time.
func ask(ctx, waiting context.Context, silent time.Duration, dial func(context.Context, string, string) (net.Conn, error), address string) error {
	dialing, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := dial(dialing, "tcp", address)
	if err != nil {
		return err
	}
	shut := func() { _ = conn.Close() } // the connection is not used any more
	defer shut()
	defer context.AfterFunc(ctx, shut)()
	if err := conn.SetDeadline(time.Now().Add(hopelessAfter)); err != nil {
		return err
	}
	defer context.AfterFunc(waiting, func() {
		_ = conn.SetDeadline(time.Now().Add(silent)) // it fails only if the connection is closed
	})()
	versions := kmsg.NewPtrApiVersionsRequest()
	versions.SetVersion(0)
	if _, err := conn.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("outboxgen")).AppendRequest(nil, versions, 0)); err != nil {
		return err
	}
	var size [4]byte
	_, err = io.ReadFull(conn, size[:])
	return err
}

// withPort returns the address with a port.
func withPort(address string) string {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return net.JoinHostPort(address, "9092")
	}
	return address
}
