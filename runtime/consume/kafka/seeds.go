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

// silentAfter is how long a seed broker may take for its first answer.
const silentAfter = 2 * time.Second

// seeds are the brokers in Config.Brokers. One that accepts connections and never
// answers, as a hung machine does, is left out while another one answers. Otherwise the
// client would wait for it at the start, and again now and then.
type seeds struct {
	addresses []string

	mu      sync.Mutex
	without bool // some are left out
}

// probe asks all of them at the same time, with the client's dialer.
func (s *seeds) probe(ctx context.Context, client *kgo.Client, log *slog.Logger) {
	dial, ok := client.OptValue(kgo.Dialer).(func(context.Context, string, string) (net.Conn, error))
	if !ok || len(s.addresses) < 2 {
		return
	}
	errs := make([]error, len(s.addresses))
	var wg sync.WaitGroup
	for i, address := range s.addresses {
		wg.Go(func() { errs[i] = ask(ctx, dial, withPort(address)) })
	}
	wg.Wait()
	var others, silent []string
	answered := false
	for i, address := range s.addresses {
		if errors.Is(errs[i], os.ErrDeadlineExceeded) {
			silent = append(silent, address)
			continue
		}
		others = append(others, address)
		answered = answered || errs[i] == nil
	}
	if len(silent) == 0 || !answered || ctx.Err() != nil {
		return
	}
	log.WarnContext(ctx, "seed brokers accept connections and do not answer; the others are used", "brokers", silent)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.without = client.UpdateSeedBrokers(others...) == nil
}

// restore gives the client all of them again when no broker answers.
func (s *seeds) restore(client *kgo.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.without && client.UpdateSeedBrokers(s.addresses...) == nil {
		s.without = false
	}
}

// ask sends a broker the first request of every client, and waits for the first bytes
// of the answer.
func ask(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error), address string) error {
	dialing, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := dial(dialing, "tcp", address)
	if err != nil {
		return err
	}
	shut := func() { _ = conn.Close() } // the connection is not used any more
	defer shut()
	defer context.AfterFunc(ctx, shut)()
	if err := conn.SetDeadline(time.Now().Add(silentAfter)); err != nil {
		return err
	}
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
