package kafkasink

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// host listens at an address, counts connections, and handles each with the given
// function.
type host struct {
	net.Listener
	dialled atomic.Int64
}

func listen(t *testing.T, address string, serve func(net.Conn)) *host {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{Listener: l}
	var conns sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			h.dialled.Add(1)
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			conns.Go(func() { serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		conns.Wait()
	})
	return h
}

// silent reads everything and never answers.
func silent(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func resets(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// slowly begins an answer of a megabyte, and sends a byte of it at a time.
func slowly(c net.Conn) {
	_, err := c.Read(make([]byte, 1024))
	for _, b := range []byte{0, 16, 0, 0} {
		if err == nil {
			_, err = c.Write([]byte{b})
		}
	}
	for err == nil {
		time.Sleep(50 * time.Millisecond) // this is the fault
		_, err = c.Write([]byte{0})
	}
}

// once passes on only the first answer of a broker.
func once(broker string) func(net.Conn) {
	return func(c net.Conn) {
		b, err := net.Dial("tcp", broker)
		if err != nil {
			return
		}
		defer b.Close() //nolint:errcheck // nothing depends on the goodbye
		go func() { _, _ = io.Copy(b, c) }()
		p := make([]byte, 64<<10)
		n, err := b.Read(p)
		if err == nil {
			_, _ = c.Write(p[:n])
		}
		silent(c)
	}
}

// muted passes everything on, but no answers while mute is set.
func muted(broker string, mute *atomic.Bool) func(net.Conn) {
	return func(c net.Conn) {
		b, err := net.Dial("tcp", broker)
		if err != nil {
			return
		}
		defer b.Close() //nolint:errcheck // nothing depends on the goodbye
		go func() {
			_, _ = io.Copy(b, c)
			_ = b.Close()
		}()
		p := make([]byte, 64<<10)
		for {
			n, err := b.Read(p)
			if err != nil {
				_ = c.Close()
				return
			}
			if mute.Load() {
				continue
			}
			if _, err := c.Write(p[:n]); err != nil {
				return
			}
		}
	}
}

// delivers sends a wave as a relay does: again and again, until it is acknowledged.
func delivers(t *testing.T, opts []kgo.Opt, topic string) {
	t.Helper()
	s, err := New(Config{Opts: opts})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	began := time.Now()
	for tries := 1; ; tries++ {
		infos, err := p.Topics(t.Context(), []string{topic})
		if err == nil && infos[0].Problem.Class == relay.ClassOK {
			break
		}
		if tries == 20 {
			t.Fatalf("the topic is not found: %v %v", err, infos)
		}
	}
	found := time.Since(began)
	for tries := 1; send(t, p, wave(topic, 4, 2), 10*time.Second)[3] != relay.ClassOK; tries++ {
		if tries == 20 {
			t.Fatal("nothing is sent")
		}
	}
	t.Logf("the topic was found after %s, the wave sent after %s", found.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
}

// The first seed broker does not work; the second one does.
func TestASeedThatDoesNotAnswerIsGotPast(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T, broker string) (string, *host){
		"refuses": func(t *testing.T, _ string) (string, *host) {
			h := listen(t, "127.0.0.1:0", silent)
			_ = h.Close()
			return h.Addr().String(), h
		},
		"resets": func(t *testing.T, _ string) (string, *host) {
			h := listen(t, "127.0.0.1:0", resets)
			return h.Addr().String(), h
		},
		"accepts and is silent": func(t *testing.T, _ string) (string, *host) {
			h := listen(t, "127.0.0.1:0", silent)
			return h.Addr().String(), h
		},
		"is silent after its first answer": func(t *testing.T, broker string) (string, *host) {
			h := listen(t, "127.0.0.1:0", once(broker))
			return h.Addr().String(), h
		},
		"answers a byte at a time": func(t *testing.T, _ string) (string, *host) {
			h := listen(t, "127.0.0.1:0", slowly)
			return h.Addr().String(), h
		},
		"speaks another protocol": func(t *testing.T, _ string) (string, *host) {
			h := listen(t, "127.0.0.1:0", func(c net.Conn) {
				_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
				silent(c)
			})
			return h.Addr().String(), h
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := services.KFake(t)
			topic := k.NewTopic(t, "t", 2)
			seed, h := start(t, k.Brokers[0])
			rounds := 0
			for rounds < 20 && (h.dialled.Load() == 0 || rounds < 3) { // the client begins with a random seed
				delivers(t, []kgo.Opt{kgo.SeedBrokers(seed, k.Brokers[0])}, topic)
				rounds++
				if name == "refuses" && rounds == 3 {
					break
				}
			}
			if n := h.dialled.Load(); n > int64(2*rounds) && strings.Contains(name, "silent") {
				t.Errorf("the broker that keeps silent was dialled %d times in %d rounds: one time in each is enough", n, rounds)
			}
		})
	}
}

// The name of the only seed has two addresses, and the first does not answer.
func TestASeedOfSeveralAddresses(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(net.Conn){"resets": resets, "accepts and is silent": silent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := services.KFake(t)
			topic := k.NewTopic(t, "t", 2)
			_, port, err := net.SplitHostPort(k.Brokers[0])
			if err != nil {
				t.Fatal(err)
			}
			h := listen(t, net.JoinHostPort("127.0.0.2", port), serve)
			d := newDialer(nil)
			d.lookup = func(_ context.Context, host string) ([]string, error) {
				if host == "kafka.test" {
					return []string{"127.0.0.2", "127.0.0.1"}, nil
				}
				return []string{host}, nil
			}
			delivers(t, []kgo.Opt{kgo.SeedBrokers("kafka.test:" + port), kgo.Dialer(d.dial)}, topic)
			if n := h.dialled.Load(); n > 4 { // connections are opened at the same time
				t.Errorf("the first address was dialled %d times; once it failed the other comes first", n)
			}
		})
	}
}

// late passes everything on, but delays each first answer of a broker beyond the first
// time limit.
func late(broker string) func(net.Conn) {
	return func(c net.Conn) {
		b, err := net.Dial("tcp", broker)
		if err != nil {
			return
		}
		defer b.Close() //nolint:errcheck // nothing depends on the goodbye
		go func() {
			_, _ = io.Copy(b, c)
			_ = b.Close()
		}()
		p := make([]byte, 64<<10)
		n, err := b.Read(p)
		if err != nil {
			return
		}
		time.Sleep(firstAnswer + firstAnswer/8) // this is the fault; a client makes several connections for a wave
		if _, err := c.Write(p[:n]); err == nil {
			_, _ = io.Copy(c, b)
		}
		_ = c.Close()
	}
}

// secure accepts TLS, and passes the data on to a broker without TLS.
func secure(config *tls.Config, broker string) func(net.Conn) {
	return func(c net.Conn) {
		b, err := net.Dial("tcp", broker)
		if err != nil {
			return
		}
		defer b.Close() //nolint:errcheck // nothing depends on the goodbye
		secured := tls.Server(c, config)
		go func() {
			_, _ = io.Copy(b, secured)
			_ = b.Close()
		}()
		_, _ = io.Copy(secured, b)
		_ = secured.Close()
	}
}

// The only broker is so busy that the first answer on each connection is late, of the
// TLS handshake or of Kafka. It is used nevertheless.
func TestTheOnlyBrokerAnswersLate(t *testing.T) {
	t.Parallel()
	for name, secured := range map[string]bool{"TLS": true, "no TLS": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := services.KFake(t, services.FakeBrokers(1), services.FakeTopic("t", 2))
			broker, config := k.Brokers[0], (*tls.Config)(nil)
			if secured {
				server := httptest.NewUnstartedServer(nil)
				server.StartTLS()
				broker = listen(t, "127.0.0.1:0", secure(server.TLS.Clone(), broker)).Addr().String()
				config = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
				config.ServerName = "example.com"
				server.Close()
			}
			h := listen(t, "127.0.0.1:0", late(broker))
			d := newDialer(config, h.Addr().String())
			through := kgo.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
				return d.dial(ctx, network, h.Addr().String())
			})
			delivers(t, []kgo.Opt{kgo.SeedBrokers(broker), through}, "t")
		})
	}
}

// An address that did not answer is avoided only if there is another one.
func TestAQuietAddressIsTriedWhenThereIsNoOther(t *testing.T) {
	t.Parallel()
	quiet, other := listen(t, "127.0.0.1:0", silent), listen(t, "127.0.0.1:0", silent)
	at, next := quiet.Addr().String(), other.Addr().String()
	for name, c := range map[string]struct {
		seeds      []string
		otherFails bool
		silent     bool // when it fails
		dials      bool
	}{
		"the only one":                  {seeds: []string{at}, dials: true},
		"a seed that was not asked yet": {seeds: []string{at, next}},
		"all are quiet":                 {seeds: []string{at, next}, otherFails: true, silent: true, dials: true},
		"the other one refuses":         {seeds: []string{at, next}, otherFails: true, dials: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDialer(nil, c.seeds...)
			if c.otherFails {
				conn, err := d.dial(t.Context(), "tcp", next)
				if err != nil {
					t.Fatal(err)
				}
				_ = conn.Close()
				d.failed(next, c.silent, nil)
			}
			d.failed(at, true, nil)
			conn, err := d.dial(t.Context(), "tcp", at)
			if err == nil {
				_ = conn.Close()
			}
			if (err == nil) != c.dials {
				t.Errorf("dialled: %t, want %t: %v", err == nil, c.dials, err)
			}
		})
	}
}

// A connection that worked stops answering in the middle of a wave. Nothing counts as
// acknowledged, and the next wave is sent when the broker answers again.
func TestAConnectionThatGoesSilentInAWave(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	topic := k.NewTopic(t, "t", 2)
	var mute atomic.Bool
	proxies := map[string]*host{}
	for _, broker := range k.Brokers {
		proxies[broker] = listen(t, "127.0.0.1:0", muted(broker, &mute))
	}
	through := kgo.Dialer(func(ctx context.Context, network, broker string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, proxies[broker].Addr().String())
	})
	s, err := New(Config{Opts: []kgo.Opt{kgo.SeedBrokers(k.Brokers...), through}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if got := send(t, p, wave(topic, 4, 2), time.Minute); got[3] != relay.ClassOK {
		t.Fatalf("before: %v", got)
	}
	mute.Store(true)
	for i, class := range send(t, p, wave(topic, 4, 2), time.Second) {
		if class != relay.ClassRelay {
			t.Errorf("record %d of the wave without an answer: %s", i, class)
		}
	}
	mute.Store(false)
	for tries := 1; send(t, p, wave(topic, 4, 2), 10*time.Second)[3] != relay.ClassOK; tries++ {
		if tries == 20 {
			t.Fatal("nothing is sent afterwards")
		}
	}
}
