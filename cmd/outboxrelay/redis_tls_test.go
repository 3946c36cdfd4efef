package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/cmd/internal/child"
	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/cmd/internal/freeport"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

// secureRedis is a Redis server that accepts only TLS and wants a password.
type secureRedis struct {
	port    string
	clients string // the value of tls-auth-clients
	process *child.Process
}

func (r *secureRedis) url(password string) string {
	return "rediss://:" + password + "@127.0.0.1:" + r.port
}

// startSecureRedis starts a server with a certificate of the authority.
func startSecureRedis(t *testing.T, certs *certificates, clients string) *secureRedis {
	t.Helper()
	port, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	r := &secureRedis{port: port, clients: clients}
	r.start(t, certs, func(*x509.Certificate) {})
	return r
}

// start replaces the process of the server, with a new certificate.
func (r *secureRedis) start(t *testing.T, certs *certificates, change func(*x509.Certificate)) {
	t.Helper()
	if r.process != nil {
		r.process.Signal(syscall.SIGKILL)
		<-r.process.Ended()
	}
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal(err) // the test has started a Redis without TLS before
	}
	cert, key := certs.issueWith(t, "redis", change)
	cmd := exec.Command(binary, "--bind", "127.0.0.1", "--port", "0", "--tls-port", r.port, "--tls-auth-clients", r.clients,
		"--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", certs.authority, "--requirepass", relayPassword, "--save", "", "--dir", t.TempDir())
	process, err := child.Start(cmd, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.process = process
	t.Cleanup(func() {
		process.Signal(syscall.SIGKILL)
		<-process.Ended()
	})
	until(t, "Redis listens", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+r.port)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil || !process.Running()
	})
	if !process.Running() {
		t.Fatal("redis-server ended: can it use TLS?")
	}
}

// client returns options for a client beside the relay's.
func (r *secureRedis) client(t *testing.T, certs *certificates) rueidis.ClientOption {
	t.Helper()
	option := rueidis.MustParseURL(r.url(relayPassword))
	cert, key := certs.issue(t, "service")
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := os.ReadFile(certs.authority)
	if err != nil {
		t.Fatal(err)
	}
	option.TLSConfig.RootCAs = x509.NewCertPool()
	option.TLSConfig.RootCAs.AppendCertsFromPEM(authority)
	option.TLSConfig.Certificates = []tls.Certificate{pair}
	return option
}

// Wake-ups come through a Redis that requires TLS, with and without a client certificate.
// When the authority and the certificates are renewed, the relay needs no restart.
func TestWakeUpsOverTLS(t *testing.T) {
	t.Parallel()
	services.PrivateRedis(t) // skips the test without Redis
	for _, clients := range []string{"yes", "no"} {
		t.Run("tls-auth-clients "+clients, func(t *testing.T) {
			t.Parallel()
			first, second := newCertificates(t), newCertificates(t)
			r := startSecureRedis(t, first, clients)
			dir := t.TempDir()
			authority, cert, key := filepath.Join(dir, "authority.pem"), filepath.Join(dir, "relay.crt"), filepath.Join(dir, "relay.key")
			renew := func(certs *certificates) {
				t.Helper()
				newCert, newKey := certs.issue(t, "relay")
				for from, to := range map[string]string{certs.authority: authority, newCert: cert, newKey: key} {
					content, err := os.ReadFile(from)
					if err != nil {
						t.Fatal(err)
					}
					writeTo(t, to, string(content))
				}
			}
			renew(first)
			pg := services.Postgres(t)
			migrated(t, pg.Connect(t.Context()))
			files := fmt.Sprintf("redis_tls_ca: %q", authority)
			if clients == "yes" {
				files += fmt.Sprintf(", redis_tls_cert: %q, redis_tls_key: %q", cert, key)
			}
			relayed := startFleet(t, fmt.Sprintf("{sink: stdout, name: shop, service: shop, poll_max: 1h, database_url: %q, redis_url: %q, %s}",
				pg.URL, r.url(relayPassword), files))
			until(t, "the outbox is led", func() bool { return relayed.leads("shop") })
			taken := func(certs *certificates) {
				t.Helper()
				client, err := rueidis.NewClient(r.client(t, certs))
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				if err := wake.Redis(client, "shop").Wake(t.Context()); err != nil {
					t.Fatal(err)
				}
				until(t, "the relay takes the wake-up", func() bool {
					n, err := client.Do(t.Context(), client.B().Exists().Key(wake.RedisKey("shop")).Build()).AsInt64()
					if err != nil {
						t.Fatal(err)
					}
					return n == 0
				})
			}
			taken(first)

			r.start(t, second, func(*x509.Certificate) {})
			until(t, "the server is not trusted", func() bool { return strings.Contains(relayed.log.String(), "which is not trusted; set redis_tls_ca") })
			renew(second)
			taken(second)
			until(t, "the log says that wake-ups work", func() bool { return strings.Contains(relayed.log.String(), `"msg":"wake-ups work again"`) })
		})
	}
}

// Each mistake has one message, which says where it is and what to do: in the log of the
// relay, which polls and retries, and in the output of doctor.
func TestRedisTLSMistakes(t *testing.T) {
	t.Parallel()
	plain := services.PrivateRedis(t)
	certs, stranger := newCertificates(t), newCertificates(t)
	r := startSecureRedis(t, certs, "yes")
	expired, elsewhere := startSecureRedis(t, certs, "no"), startSecureRedis(t, certs, "no")
	expired.start(t, certs, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	elsewhere.start(t, certs, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 1)} })
	cert, key := certs.issue(t, "relay")
	oldCert, oldKey := certs.issueWith(t, "old", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	strangersCert, strangersKey := stranger.issue(t, "relay")
	ca := []string{"--redis-tls-ca", certs.authority}
	with := func(cert, key string) []string {
		return slices.Concat(ca, []string{"--redis-tls-cert", cert, "--redis-tls-key", key})
	}
	pg := services.Postgres(t)
	migrated(t, pg.Connect(t.Context()))
	const useAnother = "use one that is valid now, and signed by an authority that the server trusts: " +
		"set redis_tls_cert and redis_tls_key (in Go: Certificates of TLSConfig)"
	const untrusted = `the certificate of Redis at SERVER is signed by "authority TestRedisTLSMistakes", which is not trusted; ` +
		"set redis_tls_ca (in Go: RootCAs of TLSConfig) to a file with the certificate of that authority"
	for name, c := range map[string]misconfigured{
		"a wrong password": {r.url("wrong-horse"), with(cert, key), "WRONGPASS invalid username-password pair or user is disabled.; check the user and the password of Redis"},
		"no TLS in the address": {
			strings.Replace(r.url(relayPassword), "rediss", "redis", 1), nil,
			"Redis at SERVER closed the connection: CAUSE; if it requires TLS, write rediss:// in the address",
		},
		"no authority":          {r.url(relayPassword), nil, untrusted},
		"another authority":     {r.url(relayPassword), []string{"--redis-tls-ca", stranger.authority}, untrusted},
		"no client certificate": {r.url(relayPassword), ca, "Redis at SERVER requires a client certificate (certificate required); set redis_tls_cert and redis_tls_key (in Go: Certificates of TLSConfig)"},
		"a client certificate of another authority": {
			r.url(relayPassword), with(strangersCert, strangersKey),
			"Redis at SERVER refused the client certificate (unknown certificate authority); " + useAnother,
		},
		"an expired client certificate": {
			r.url(relayPassword), with(oldCert, oldKey),
			"Redis at SERVER refused the client certificate (expired certificate); " + useAnother,
		},
		"an expired certificate": {
			expired.url(relayPassword), ca,
			"the certificate of Redis at SERVER is not valid now: certificate has expired or is not yet valid: current time NOW is after THEN; " +
				"renew the server's certificate, and check the clock of this machine",
		},
		"a wrong host name": {
			elsewhere.url(relayPassword), ca,
			"the certificate of Redis at SERVER is for another name: certificate is valid for 10.0.0.1, not 127.0.0.1; " +
				"connect to a name that is in the certificate, or have the server's certificate issued for this name",
		},
		"a server without TLS": {
			strings.Replace(plain.URL, "redis:", "rediss:", 1), ca,
			"Redis at SERVER did not answer the TLS handshake: context deadline exceeded; check the port; if Redis has no TLS and the network is trusted, write redis:// in the address",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"DATABASE_URL": pg.URL, "REDIS_URL": c.address}
			args := slices.Concat([]string{"--sink", "stdout", "--service", "shop"}, c.args)
			got := call(env, slices.Concat([]string{"doctor", "--json"}, args)...)
			if text := steadyRedis(got.Stdout); strings.Count(text, `"wake-ups"`) != 1 || !strings.Contains(text, jsonText(t, "Redis: connect: "+c.want)) {
				t.Errorf("doctor says:\n%s%s", text, got.Stderr)
			}
			said := runUntil(t, env, []string{`"msg":"no wake-ups; the relay polls until they are back"`}, args...)
			if !strings.Contains(steadyRedis(said), jsonText(t, "connect: "+c.want)) {
				t.Errorf("run says:\n%s", steadyRedis(said))
			}
			if strings.Contains(said+got.Stdout, "-horse") {
				t.Error("the password is shown")
			}
		})
	}
}

// steadyRedis replaces what differs between runs, also how a connection was closed.
func steadyRedis(text string) string {
	return regexp.MustCompile(`closed the connection: .*?; if`).ReplaceAllString(steadyTLS(text), "closed the connection: CAUSE; if")
}

// doctor notes connections over a network that others can read or redirect.
func TestDoctorNotesWhatIsNotEncrypted(t *testing.T) {
	t.Parallel()
	for config, want := range map[string][]string{
		"database_url: 'postgres://u@localhost/d', redis_url: 'redis://127.0.0.1', brokers: '127.0.0.1:9092,[::1]:9092'": nil,
		"database_url: 'host=/run/postgresql dbname=d', sink: stdout":                                                    nil,
		"database_url: 'postgres://u@db/d', redis_url: 'redis://cache', brokers: 'localhost:9092,kafka:9092'": {
			"the certificate of Postgres at db is not checked (sslmode)", "the connection to Postgres at db may have no TLS (sslmode)",
			"the connection to Kafka at kafka:9092 has no TLS", "the connection to Redis at cache:6379 has no TLS",
		},
		"database_url: 'postgres://u@db,other/d?sslmode=require', redis_url: 'rediss://cache', brokers: 'kafka:9092', tls: true": {
			"the certificate of Postgres at db is not checked (sslmode)", "the certificate of Postgres at other is not checked (sslmode)",
		},
		"database_url: 'postgres://u@db/d?sslmode=verify-full', sink: stdout": nil,
	} {
		d := &doctor{o: readOutboxes(t, "{service: shop, "+config+"}")[0]}
		d.checkEncryption()
		var got []string
		for _, f := range d.found {
			if f.Level != notable {
				t.Errorf("%s: %q is a %s", config, f.What, f.Level)
			}
			got = append(got, f.What)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", config, diff)
		}
	}
}

// Files that cannot be used, and settings that do not go together, are reported at the start.
func TestRedisTLSFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	certs := newCertificates(t)
	cert, key := certs.issue(t, "relay")
	_, otherKey := certs.issue(t, "other")
	pair := "setting redis-tls: the files of redis-tls-cert and redis-tls-key cannot be used: "
	for _, c := range []misconfigured{
		{"rediss://h", []string{"--redis-tls-ca", "/nowhere"}, "setting redis-tls: the file of redis-tls-ca cannot be read: no such file or directory"},
		{"rediss://h", []string{"--redis-tls-ca", key}, "setting redis-tls: the file of redis-tls-ca, " + key + ", contains no PEM certificate"},
		{"rediss://h", []string{"--redis-tls-cert", key, "--redis-tls-key", cert}, pair + "failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched"},
		{"rediss://h", []string{"--redis-tls-cert", cert, "--redis-tls-key", otherKey}, pair + "private key does not match public key"},
		{
			"rediss://h", []string{"--redis-tls-cert", cert},
			"the key of the client certificate (redis-tls-cert is set) is missing: set --redis-tls-key, OUTBOXRELAY_REDIS_TLS_KEY, or redis_tls_key in the settings file (--config)",
		},
		{"redis://h", []string{"--redis-tls-ca", certs.authority}, "setting redis-tls-ca: it is set but redis-url has no TLS, so it would have no effect: write rediss:// in redis-url, or remove redis-tls-ca"},
		{"", []string{"--redis-tls-ca", certs.authority}, "setting redis-tls-ca: it is set but redis-url is not, so it would have no effect: set redis-url, or remove redis-tls-ca"},
	} {
		got := call(map[string]string{"DATABASE_URL": "postgres://u@127.0.0.1:1/d", "REDIS_URL": c.address}, append([]string{"run", "--sink", "stdout"}, c.args...)...)
		if diff := cmp.Diff(answer{Code: exitcode.Misuse, Stderr: "outboxrelay: " + c.want + "\n"}, got); diff != "" {
			t.Errorf("%s %v (-want +got):\n%s", c.address, c.args, diff)
		}
	}
}
