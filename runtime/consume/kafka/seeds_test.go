package kafka

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// listening returns the address of a server. It answers the first request of each
// connection after this time; 0: never.
func listening(t *testing.T, after time.Duration) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		if after > 0 {
			<-time.After(after)
			_, _ = conn.Write(make([]byte, 4))
		}
		_, _ = io.Copy(io.Discard, conn)
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
	})
	return l.Addr().String()
}

// On a busy machine every broker takes long to answer: the one that does not answer at
// all is left out even then.
func TestASlowBrokerIsNotSilent(t *testing.T) {
	t.Parallel()
	const silentAfter = 200 * time.Millisecond
	slow, silent := listening(t, 2*silentAfter), listening(t, 0)
	client, err := kgo.NewClient(kgo.SeedBrokers(slow, silent))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s := newSeeds([]string{slow, silent})
	s.silentAfter = silentAfter
	var log bytes.Buffer
	s.probe(t.Context(), client, slog.New(slog.NewTextHandler(&log, nil)))
	if n := len(client.SeedBrokers()); n != 1 || !strings.Contains(log.String(), "brokers=["+silent+"]") {
		t.Errorf("%d seed brokers are used, after\n%s", n, &log)
	}
}

// A request that fails proves nothing about the brokers in use if it began before the
// silent ones were left out.
func TestWhenSilentSeedBrokersAreUsedAgain(t *testing.T) {
	t.Parallel()
	all := []string{"127.0.0.1:1", "127.0.0.1:2"}
	left := time.Now()
	for name, c := range map[string]struct {
		began time.Time
		used  int
	}{
		"began before": {left.Add(-time.Millisecond), 1},
		"began after":  {left.Add(time.Millisecond), 2},
	} {
		client, err := kgo.NewClient(kgo.SeedBrokers(all[0]))
		if err != nil {
			t.Fatal(err)
		}
		s := newSeeds(all)
		s.since = left
		s.restore(client, c.began)
		if n := len(client.SeedBrokers()); n != c.used {
			t.Errorf("%s: %d seed brokers are used", name, n)
		}
		if again := len(s.again) == 1; again != (c.used == len(all)) {
			t.Errorf("%s: they are to be probed again: %v", name, again)
		}
		client.Close()
	}
}
