package kafka_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// toldWithin limits the time until a consumer that was started wrongly says so. It is
// counted in ticks: a machine that is too busy for the consumer is too busy for them, too.
const (
	tick       = 5 * time.Millisecond
	toldWithin = 5 * time.Second / tick
)

// told is the message about a wrong start: an error of New or Run, or a line of the
// log.
type told struct {
	By    string // "panic" when handlers are registered, "New", "Run", or the level of the line
	Text  string // what happened and what to do
	Where string // attributes that say where, as name=value; TOPIC and GROUP stand for the names
}

// A consumer is started wrongly. With default pauses, it says within five seconds what
// is wrong, where, and what to do.
func TestAConsumerThatWasStartedWrongly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wrong func(f *fault)
		tells told
		why   string // a part of the line's error
	}{
		"no addresses": {
			wrong: func(f *fault) { f.cfg.Brokers = nil },
			tells: told{By: "New", Text: "consume/kafka: Config.Brokers is empty: name at least one host:port"},
		},
		"an address from an empty variable": {
			wrong: func(f *fault) { f.cfg.Brokers = strings.Split("", ",") },
			tells: told{By: "New", Text: "consume/kafka: Config.Brokers[0] is empty: name a host:port"},
		},
		"all addresses in one": {
			wrong: func(f *fault) { f.cfg.Brokers = []string{"kafka-1:9092,kafka-2:9092"} },
			tells: told{By: "New", Text: "consume/kafka: Config.Brokers[0] has a comma or a space: give one host:port to each element"},
		},
		"a URL as an address": {
			wrong: func(f *fault) { f.cfg.Brokers = []string{"kafka://mailer:secret@kafka-1:9092"} },
			tells: told{By: "New", Text: "consume/kafka: Config.Brokers[0] is a URL: write host:port, without a scheme"},
		},
		"no handlers": {
			wrong: func(f *fault) { f.cfg.Router = consume.NewRouter() },
			tells: told{By: "Run", Text: "consume/kafka: Config.Router has no handlers, so that every record would be skipped for good: " +
				"register the handlers, with the On… functions of the generated package, before Run"},
		},
		"a negative batch": {
			wrong: func(f *fault) { f.router().HandleBatch("placed", consume.BatchOptions{MaxRecords: -1}, noBatch) },
			tells: told{By: "panic", Text: "consume: BatchOptions has MaxRecords -1, MaxBytes 0 and MaxWait 0s: none may be negative; 0 is the default"},
		},
		"a handler for records and for batches": {
			wrong: func(f *fault) { f.router().HandleBatch("paid", consume.BatchOptions{}, noBatch) },
			tells: told{By: "panic", Text: `consume: Router: event type "paid" has a handler already; call both from one handler if two are wanted`},
		},
		"middleware that batches do not get": {
			wrong: func(*fault) {
				r := consume.NewRouter(consume.Use(func(next consume.Handler) consume.Handler { return next }))
				r.HandleBatch("paid", consume.BatchOptions{}, noBatch)
			},
			tells: told{By: "panic", Text: `consume: Router.HandleBatch: the router has middleware of Use, which the batch handler of event type "paid" does not get: ` +
				"give its batch middleware to UseBatch; UseBatch() if there is none"},
		},
		"nobody listens": {
			wrong: func(f *fault) { f.cfg.Brokers = []string{noListener(f.bench.t)} },
			tells: told{By: "WARN", Text: "no Kafka broker answers, retrying; check that Kafka runs, and Config.Brokers", Where: "brokers group=GROUP"},
			why:   "connection refused",
		},
		"a machine that hangs": {
			wrong: func(f *fault) {
				f.cfg.Brokers = []string{silent(f.bench.t)}
			},
			tells: told{By: "WARN", Text: "no Kafka broker answers, retrying; check that Kafka runs, and Config.Brokers", Where: "brokers group=GROUP"},
			why:   "deadline exceeded",
		},
		"a name that is not known": {
			wrong: func(f *fault) {
				f.cfg.Options = append(f.cfg.Options, kgo.Dialer(func(_ context.Context, _, host string) (net.Conn, error) {
					return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
				}))
			},
			tells: told{By: "WARN", Text: "no Kafka broker answers, retrying; the name of a broker is unknown: correct Config.Brokers, or check the DNS", Where: "brokers group=GROUP"},
			why:   "no such host",
		},
		"an advertised address that does not exist": {
			wrong: func(f *fault) {
				bad := f.leader() // of the other broker, the consumer may need nothing
				f.cfg.Brokers = slices.DeleteFunc(slices.Clone(f.bench.k.Brokers), func(address string) bool { return address == bad })
				f.cfg.Options = append(f.cfg.Options, kgo.Dialer(func(ctx context.Context, network, host string) (net.Conn, error) {
					if host == bad {
						return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "kafka-2", IsNotFound: true}}
					}
					return (&net.Dialer{}).DialContext(ctx, network, host)
				}))
			},
			tells: told{By: "WARN", Text: "broker cannot be reached, retrying; if it runs, check the address that it advertises", Where: "broker group=GROUP host port"},
			why:   "no such host",
		},
		"a wrong password": {
			wrong: func(f *fault) {
				f.answerSASL(nil, kerr.SaslAuthenticationFailed)
				f.cfg.Options = append(f.cfg.Options, kgo.SASL(plain.Auth{User: "mailer", Pass: "wrong"}.AsMechanism()))
			},
			tells: told{By: "WARN", Text: "Kafka refuses the user or the password; correct kgo.SASL in Config.Options", Where: "brokers group=GROUP"},
			why:   "SASL_AUTHENTICATION_FAILED",
		},
		"a SASL mechanism that is not offered": {
			wrong: func(f *fault) {
				f.answerSASL(kerr.UnsupportedSaslMechanism, nil)
				f.cfg.Options = append(f.cfg.Options, kgo.SASL(plain.Auth{User: "mailer", Pass: "right"}.AsMechanism()))
			},
			tells: told{By: "WARN", Text: "Kafka does not offer this SASL mechanism; use one that the brokers enable (sasl.enabled.mechanisms) in kgo.SASL in Config.Options", Where: "brokers group=GROUP"},
			why:   "UNSUPPORTED_SASL_MECHANISM",
		},
		"TLS with a broker that has none": {
			wrong: func(f *fault) {
				f.cfg.Brokers = []string{greeting(f.bench.t, "SSH-2.0-OpenSSH_9.9\r\n")}
				f.cfg.Options = append(f.cfg.Options, kgo.DialTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12}))
			},
			tells: told{By: "WARN", Text: "the address in Config.Brokers does not speak TLS; use that of a TLS listener, or leave kgo.DialTLSConfig out of Config.Options", Where: "brokers group=GROUP"},
			why:   "first record does not look like a TLS handshake",
		},
		"TLS with a broker that hangs up": {
			wrong: func(f *fault) {
				f.cfg.Brokers = []string{greeting(f.bench.t, "")}
				f.cfg.Options = append(f.cfg.Options, kgo.DialTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12}))
			},
			tells: told{By: "WARN", Text: "Kafka closes the connection immediately; compare TLS and SASL in Config.Options with the brokers' listeners: " +
				"one side expects them and the other does not", Where: "brokers group=GROUP"},
			why: "connection reset by peer",
		},
		"a certificate of an unknown authority": {
			wrong: func(f *fault) {
				f.cfg.Brokers = []string{secured(f.bench.t)}
				f.cfg.Options = append(f.cfg.Options, kgo.DialTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12}))
			},
			tells: told{By: "WARN", Text: "the broker's certificate is not trusted; give kgo.DialTLSConfig in Config.Options the right RootCAs, and brokers the names of their certificates", Where: "brokers group=GROUP"},
			why:   "certificate",
		},
		"no TLS with a broker that wants it": {
			wrong: func(f *fault) { f.cfg.Brokers = []string{secured(f.bench.t)} },
			tells: told{By: "WARN", Text: "Kafka closes the connection immediately; compare TLS and SASL in Config.Options with the brokers' listeners: " +
				"one side expects them and the other does not", Where: "brokers group=GROUP"},
			why: "is TLS missing?",
		},
		"a topic that does not exist": {
			wrong: func(f *fault) { f.cfg.Topics = []string{"odrers"} },
			tells: told{By: "WARN", Text: "topic does not exist; create it, or correct Config.Topics", Where: "group=GROUP topic=odrers"},
		},
		"no topic matches": {
			wrong: func(f *fault) {
				f.cfg.Topics = []string{"^odrers.*"}
				f.cfg.Options = append(f.cfg.Options, kgo.ConsumeRegex())
			},
			tells: told{By: "WARN", Text: "no topic matches Config.Topics; create one, correct the patterns, or give this client DESCRIBE on the topics", Where: "group=GROUP patterns"},
		},
		"a topic that may not be read": {
			wrong: topicAnswer(kerr.TopicAuthorizationFailed),
			tells: told{By: "WARN", Text: "topic access denied; grant this client READ and DESCRIBE on it", Where: "group=GROUP topic=TOPIC"},
			why:   "TOPIC_AUTHORIZATION_FAILED",
		},
		"a group that may not be joined": {
			wrong: answerWith(kmsg.JoinGroup, kerr.GroupAuthorizationFailed),
			tells: told{By: "WARN", Text: "joining the group is not allowed; grant this client READ on the group, or correct Config.Group", Where: "group=GROUP"},
			why:   "GROUP_AUTHORIZATION_FAILED",
		},
		"a group that other clients use": {
			wrong: answerWith(kmsg.JoinGroup, kerr.InconsistentGroupProtocol),
			tells: told{By: "WARN", Text: "membership in the group failed, joining again; its other members use another kind of client or other balancers: " +
				"give this service its own group in Config.Group, or all members the same kgo.Balancers", Where: "group=GROUP"},
			why: "INCONSISTENT_GROUP_PROTOCOL",
		},
		"a group that nobody coordinates": {
			wrong: answerWith(kmsg.FindCoordinator, kerr.CoordinatorNotAvailable),
			tells: told{By: "WARN", Text: "membership in the group failed, joining again; the group has no coordinator: look at the log of the brokers, " +
				"which may not be able to create the topic __consumer_offsets", Where: "group=GROUP"},
			why: "COORDINATOR_NOT_AVAILABLE",
		},
		"a group that has read nothing yet": {
			wrong: func(*fault) {},
			tells: told{By: "INFO", Text: "the group has no offsets of these partitions; if it should have some, check Config.Group", Where: "group=GROUP partitions=1 topic=TOPIC"},
		},
		"more members than partitions": {
			wrong: func(f *fault) {
				other := *f.cfg
				consumer, _, _ := launch(f.bench.t, other)
				await(f.bench.t, "the first member is ready", func() bool { return consumer.Ready() == nil }, &lines{})
			},
			tells: told{By: "WARN", Text: "no partitions are assigned to this member; the group has more members than its topics have partitions: run fewer, or add partitions", Where: "group=GROUP"},
		},
		"a record that is larger than the client reads": {
			wrong: func(f *fault) {
				record := &kgo.Record{Topic: f.bench.topic, Value: make([]byte, 200<<10)}
				_, _ = rand.Read(record.Value) // or it is compressed to nothing
				if err := f.bench.client.ProduceSync(f.bench.t.Context(), record).FirstErr(); err != nil {
					f.bench.t.Fatal(err)
				}
				f.cfg.Options = append(f.cfg.Options, kgo.BrokerMaxReadBytes(100<<10), kgo.FetchMaxBytes(50<<10))
			},
			tells: told{By: "WARN", Text: "a record is larger than this client reads, so its partitions make no progress; raise kgo.BrokerMaxReadBytes in Config.Options", Where: "broker group=GROUP host port"},
			why:   "exceeds BrokerMaxReadBytes",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, services.KFake(t, services.FakeBrokers(2)), 1)
			router := consume.NewRouter()
			router.Handle("paid", newLog().handle)
			log := &lines{}
			cfg := kafka.Config{Brokers: b.k.Brokers, Group: b.group, Topics: []string{b.topic}, Router: router}
			began := time.Now()
			got, why := panics(func() { c.wrong(&fault{bench: b, cfg: &cfg}) }), ""
			if got == (told{}) {
				cfg.Logger = log.logger()
				got, why = b.tells(&cfg, log, c.tells)
			}
			if d := cmp.Diff(c.tells, got); d != "" {
				t.Errorf("after %v (-want +got):\n%s\n%s", time.Since(began), d, log)
			}
			if !strings.Contains(why, c.why) {
				t.Errorf("the line's error is %q, and not about %q", why, c.why)
			}
		})
	}
}

func noBatch(context.Context, []consume.Message) error { return nil }

// leader returns the address of the broker that leads the partition.
func (f *fault) leader() string {
	metadata, err := kadm.NewClient(f.bench.client).Metadata(f.bench.t.Context(), f.bench.topic)
	if err != nil {
		f.bench.t.Fatal(err)
	}
	leader := metadata.Topics[f.bench.topic].Partitions[0].Leader
	i := slices.IndexFunc(metadata.Brokers, func(b kadm.BrokerDetail) bool { return b.NodeID == leader })
	return net.JoinHostPort(metadata.Brokers[i].Host, strconv.Itoa(int(metadata.Brokers[i].Port)))
}

func (f *fault) router() *consume.Router { return f.cfg.Router.(*consume.Router) }

// panics calls f, and returns the text of its panic.
func panics(f func()) (got told) {
	defer func() {
		if text := recover(); text != nil {
			got = told{By: "panic", Text: fmt.Sprint(text)}
		}
	}()
	f()
	return told{}
}

// tells runs the consumer until it gives the message or the ticks of toldWithin have
// passed.
func (b *bench) tells(cfg *kafka.Config, log *lines, want told) (got told, why string) {
	b.t.Helper()
	consumer, err := kafka.New(*cfg)
	if err != nil {
		return told{By: "New", Text: err.Error()}, ""
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- consumer.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil && got.By != "Run" {
			b.t.Errorf("Run returns %v", err)
		}
		ended <- nil
	}()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for range toldWithin {
		for _, line := range log.like(b.t, want.Text) {
			got = told{By: line["level"].(string), Text: line["msg"].(string), Where: b.where(line, want.Where)}
			why, _ = line["error"].(string)
			return got, why
		}
		select {
		case err := <-ended:
			ended <- nil
			if err != nil {
				return told{By: "Run", Text: err.Error()}, ""
			}
			return told{}, ""
		case <-ticker.C:
		}
	}
	return told{}, ""
}

// where returns the attributes of a line that say where, in the form of want: those
// without a value there only have to be set.
func (b *bench) where(line map[string]any, want string) string {
	names := strings.NewReplacer(b.group, "GROUP", b.topic, "TOPIC")
	var found []string
	for attr := range strings.FieldsSeq(want) {
		name, _, valued := strings.Cut(attr, "=")
		value, set := line[name]
		switch {
		case valued && set:
			found = append(found, names.Replace(name+"="+strings.TrimSuffix(fmt.Sprint(value), ".0")))
		case set:
			found = append(found, name)
		}
	}
	return strings.Join(found, " ")
}

// answerSASL lets the fake speak SASL, with errors.
func (f *fault) answerSASL(handshake, authenticate *kerr.Error) {
	f.bench.k.Fake.Control(f.bench.t, kmsg.SASLHandshake, func(r kmsg.Request) kmsg.Response {
		resp := r.ResponseKind().(*kmsg.SASLHandshakeResponse)
		if resp.SupportedMechanisms = []string{"PLAIN"}; handshake != nil {
			resp.ErrorCode, resp.SupportedMechanisms = handshake.Code, []string{"SCRAM-SHA-512"}
		}
		return resp
	})
	f.bench.k.Fake.Control(f.bench.t, kmsg.SASLAuthenticate, func(r kmsg.Request) kmsg.Response {
		resp := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		if authenticate != nil {
			resp.ErrorCode = authenticate.Code
		}
		return resp
	})
}

// noListener returns an address without a listener.
func noListener(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// serve accepts connections until the test ends.
func serve(t *testing.T, l net.Listener, with func(net.Conn)) string {
	t.Helper()
	done := make(chan struct{})
	var closing atomic.Bool
	go func() {
		defer close(done)
		for !closing.Load() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			with(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		closing.Store(true)
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

// greeting returns the address of a server that speaks first, as SSH does.
func greeting(t *testing.T, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, l, func(conn net.Conn) {
		_, _ = conn.Write([]byte(text))
		_, _ = conn.Read(make([]byte, 1024))
	})
}

// secured returns the address of a TLS listener with an unknown certificate.
func secured(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, certificate, certificate, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, l, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1024)) })
}
