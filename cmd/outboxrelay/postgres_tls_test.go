//go:build unix

package main

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/cmd/internal/freeport"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// securePostgres is a Postgres server that accepts only TLS over the network: the role
// relay with a password, and the role certified with a client certificate.
type securePostgres struct {
	*services.PG
	port string
	data string // its data folder
}

const relayPassword = "correct-horse"

func startSecurePostgres(t *testing.T, certs *certificates) *securePostgres {
	t.Helper()
	port, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	pg := &securePostgres{PG: services.Postgres(t, services.Setting("listen_addresses", "127.0.0.1"), services.Setting("port", port)), port: port}
	conn := pg.Connect(t.Context())
	exec := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.QueryRow(t.Context(), "SHOW data_directory").Scan(&pg.data); err != nil {
		t.Fatal(err)
	}
	pg.install(t, "authority.crt", certs.authority)
	cert, key := certs.issue(t, "server")
	pg.install(t, "server.crt", cert)
	pg.install(t, "server.key", key)
	writeTo(t, filepath.Join(pg.data, "pg_hba.conf"), "local all postgres trust\n"+
		"hostssl all relay all scram-sha-256\n"+
		"hostssl all certified all cert\n")
	for _, role := range []string{"relay", "certified"} {
		exec("CREATE ROLE " + role + " SUPERUSER LOGIN PASSWORD '" + relayPassword + "'")
	}
	for _, setting := range []string{"ssl = on", "ssl_ca_file = 'authority.crt'", "ssl_cert_file = 'server.crt'", "ssl_key_file = 'server.key'"} {
		exec("ALTER SYSTEM SET " + setting)
	}
	if err := migrations.Up(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	pg.reload(t)
	return pg
}

// install copies a file into the data folder, with the owner of that folder.
func (pg *securePostgres) install(t *testing.T, name, from string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(pg.data, name)
	writeTo(t, to, string(content))
	info, err := os.Stat(pg.data)
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t); os.Getuid() == 0 {
		if err := os.Chown(to, int(owner.Uid), int(owner.Gid)); err != nil {
			t.Fatal(err)
		}
	}
}

// reload makes the server read its files again, and waits until new sessions have them.
func (pg *securePostgres) reload(t *testing.T) {
	t.Helper()
	loaded := func() (at time.Time) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), pg.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(t.Context()) }()
		if err := conn.QueryRow(t.Context(), "SELECT pg_conf_load_time()").Scan(&at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	before := loaded()
	if _, err := pg.Pool.Exec(t.Context(), "SELECT pg_reload_conf()"); err != nil {
		t.Fatal(err)
	}
	until(t, "the server has read its settings", func() bool { return loaded().After(before) })
}

// address returns the address over the network, with parameters such as sslmode=require.
func (pg *securePostgres) address(user, password string, parameters ...string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Host: net.JoinHostPort("127.0.0.1", pg.port), Path: "/" + pg.Database}
	u.RawQuery = strings.Join(parameters, "&")
	return u.String()
}

// A relay works with a server that requires TLS, in each sslmode and with a client
// certificate. The commands of operators and doctor do, too.
func TestPostgresOverTLS(t *testing.T) {
	t.Parallel()
	certs := newCertificates(t)
	pg := startSecurePostgres(t, certs)
	cert, key := certs.issue(t, "certified")
	root := "sslrootcert=" + certs.authority
	for name, address := range map[string]string{
		"allow":              pg.address("relay", relayPassword, "sslmode=allow"),
		"prefer":             pg.address("relay", relayPassword, "sslmode=prefer"),
		"require":            pg.address("relay", relayPassword, "sslmode=require"),
		"verify-ca":          pg.address("relay", relayPassword, "sslmode=verify-ca", root),
		"verify-full":        pg.address("relay", relayPassword, "sslmode=verify-full", root),
		"client certificate": pg.address("certified", "", "sslmode=verify-full", root, "sslcert="+cert, "sslkey="+key),
		"keyword=value pairs": fmt.Sprintf("host=localhost port=%s user=certified dbname=%s sslmode=verify-full sslrootcert=%s sslcert=%s sslkey=%s",
			pg.port, pg.Database, certs.authority, cert, key),
	} {
		t.Run(name, func(t *testing.T) { // one after the other: they lead the same outbox
			if _, err := pg.Pool.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_data)
				VALUES ('a', 'order', 'order.paid', 'orders', '{}')`); err != nil {
				t.Fatal(err)
			}
			env := map[string]string{"DATABASE_URL": address}
			got := call(env, "run", "--drain", "--sink", "stdout", "--listen", "", "--log-level", "error")
			if n := strings.Count(got.Stdout, "\n"); got.Code != exitcode.OK || n != 1 {
				t.Errorf("run exits with %d and prints %d records:\n%s", got.Code, n, got.Stderr)
			}
			for _, args := range [][]string{{"status"}, {"doctor", "--sink", "stdout"}} {
				if got := call(env, args...); got.Code != exitcode.OK {
					t.Errorf("%v exits with %d:\n%s%s", args, got.Code, got.Stdout, got.Stderr)
				}
			}
		})
	}
}

// misconfigured is a wrong setting of TLS, and the message about it.
type misconfigured struct {
	address string
	args    []string
	want    string
}

// steadyTLS replaces what differs between runs, and leaves out the section of the runbook.
func steadyTLS(text string) string {
	text = regexp.MustCompile(`(?m)^see https://.*\n`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(text, "SERVER")
	text = regexp.MustCompile(`current time \S+ is after \S+Z`).ReplaceAllString(text, "current time NOW is after THEN")
	text = regexp.MustCompile(`[a-z]+_[0-9a-f]{8}\b`).ReplaceAllString(text, "DB")
	return regexp.MustCompile(`/tmp/\S+/`).ReplaceAllString(text, "DIR/")
}

// resetAfterHandshake is in the message if the server's reset was faster than its reason.
const resetAfterHandshake = "closed the connection right after the TLS handshake"

// untilRefused calls a command until the server's reason arrives.
func untilRefused(env map[string]string, args ...string) answer {
	got := call(env, args...)
	for range 50 {
		if !strings.Contains(got.Stdout+got.Stderr, resetAfterHandshake) {
			break
		}
		got = call(env, args...)
	}
	return got
}

// Each mistake has one message, which says where it is and what to do: in the log of the
// relay, which retries, and in the output of status and doctor.
func TestPostgresTLSMistakes(t *testing.T) {
	t.Parallel()
	certs, stranger := newCertificates(t), newCertificates(t)
	pg := startSecurePostgres(t, certs)
	plainPort, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	plain := &securePostgres{PG: services.Postgres(t, services.Setting("listen_addresses", "127.0.0.1"), services.Setting("port", plainPort)), port: plainPort}
	past := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	cert, key := certs.issue(t, "somebody")
	strangersCert, strangersKey := stranger.issue(t, "certified")
	oldCert, oldKey := certs.issueWith(t, "certified", past)
	full, root := "sslmode=verify-full", "sslrootcert="+certs.authority
	const untrusted = `the certificate of Postgres at SERVER is signed by "authority TestPostgresTLSMistakes", which is not trusted; ` +
		"set sslrootcert in the address (or PGSSLROOTCERT) to a file with the certificate of that authority"
	const useAnother = "use one that is valid now, and signed by an authority that the server trusts: set sslcert and sslkey in the address (or PGSSLCERT and PGSSLKEY)"
	for name, c := range map[string]misconfigured{
		"no TLS in the address": {
			address: pg.address("relay", relayPassword, "sslmode=disable"),
			want: `Postgres at SERVER refused the role relay (SQLSTATE 28000): no pg_hba.conf entry for host "127.0.0.1", user "relay", database "DB", no encryption; ` +
				"the address does not use TLS (sslmode=disable): if the server requires it, write sslmode=verify-full, and sslrootcert for the file of the authority that signed its certificate",
		},
		"another authority":            {address: pg.address("relay", relayPassword, full, "sslrootcert="+stranger.authority), want: untrusted},
		"another authority, verify-ca": {address: pg.address("relay", relayPassword, "sslmode=verify-ca", "sslrootcert="+stranger.authority), want: untrusted},
		"no authority":                 {address: pg.address("relay", relayPassword, full), want: untrusted},
		"a wrong password": {
			address: pg.address("relay", "wrong-horse", full, root),
			want:    `Postgres at SERVER refused the role relay (SQLSTATE 28P01): password authentication failed for user "relay"; check the user and the password`,
		},
		"no client certificate": {
			address: pg.address("certified", "", full, root),
			want: "Postgres at SERVER refused the role certified (SQLSTATE 28000): connection requires a valid client certificate; " +
				"if the server asks for a client certificate, set sslcert and sslkey in the address; otherwise pg_hba.conf needs an entry for this role, database and client",
		},
		"another's client certificate": {
			address: pg.address("certified", "", full, root, "sslcert="+cert, "sslkey="+key),
			want: `Postgres at SERVER refused the role certified (SQLSTATE 28000): certificate authentication failed for user "certified"; ` +
				`the client certificate is for "somebody": with cert in pg_hba.conf, this must be the role, or be mapped to it in pg_ident.conf`,
		},
		"a client certificate of another authority": {
			address: pg.address("certified", "", full, root, "sslcert="+strangersCert, "sslkey="+strangersKey),
			want:    "Postgres at SERVER refused the client certificate (unknown certificate authority); " + useAnother,
		},
		"an expired client certificate": {
			address: pg.address("certified", "", full, root, "sslcert="+oldCert, "sslkey="+oldKey),
			want:    "Postgres at SERVER refused the client certificate (expired certificate); " + useAnother,
		},
		"a server without TLS": {
			address: plain.address("postgres", "", "sslmode=require"),
			want: "Postgres at SERVER has no TLS, and the address requires it (sslmode); " +
				"set ssl = on at the server, or write sslmode=disable in the address if the network is trusted",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"DATABASE_URL": c.address}
			got := untilRefused(env, "status")
			if diff := cmp.Diff(answer{Code: exitcode.Failed, Stderr: "outboxrelay: outbox event_outbox: " + c.want + "\n"},
				answer{got.Code, got.Stdout, steadyTLS(got.Stderr)}); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
			findings := untilRefused(env, "doctor", "--sink", "stdout", "--json")
			if n, text := strings.Count(findings.Stdout, `"problem"`), steadyTLS(findings.Stdout); n != 1 || !strings.Contains(text, jsonText(t, "the database cannot be reached: "+c.want)) {
				t.Errorf("doctor has %d problems:\n%s", n, text)
			}
			said := runUntil(t, env, []string{`"msg":"outbox not reached, retrying"`}, "--sink", "stdout")
			if !strings.Contains(steadyTLS(said), jsonText(t, c.want)) && !strings.Contains(said, resetAfterHandshake) {
				t.Errorf("run says:\n%s", steadyTLS(said))
			}
			if strings.Contains(said+findings.Stdout+got.Stderr, "-horse") {
				t.Error("the password is shown")
			}
		})
	}
}

// The certificate of the server can be the mistake, too.
func TestPostgresWithAWrongCertificate(t *testing.T) {
	t.Parallel()
	certs := newCertificates(t)
	pg := startSecurePostgres(t, certs)
	address := pg.address("relay", relayPassword, "sslmode=verify-full", "sslrootcert="+certs.authority)
	for _, c := range []struct {
		name   string
		change func(*x509.Certificate)
		want   string
	}{
		{
			"expired", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) },
			"the certificate of Postgres at SERVER is not valid now: certificate has expired or is not yet valid: current time NOW is after THEN; " +
				"renew the server's certificate, and check the clock of this machine",
		},
		{
			"elsewhere", func(c *x509.Certificate) {
				c.IPAddresses, c.DNSNames = []net.IP{net.IPv4(10, 0, 0, 1)}, []string{"db.example"}
			},
			"the certificate of Postgres at SERVER is for another name: certificate is valid for 10.0.0.1, not 127.0.0.1; " +
				"connect to a name that is in the certificate, or write sslmode=verify-ca, which does not check the name",
		},
	} {
		pg.serve(t, certs, c.name, c.change)
		got := call(map[string]string{"DATABASE_URL": address}, "status")
		if diff := cmp.Diff(answer{Code: exitcode.Failed, Stderr: "outboxrelay: outbox event_outbox: " + c.want + "\n"},
			answer{got.Code, got.Stdout, steadyTLS(got.Stderr)}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// serve gives the server a new certificate.
func (pg *securePostgres) serve(t *testing.T, certs *certificates, name string, change func(*x509.Certificate)) {
	t.Helper()
	cert, key := certs.issueWith(t, name, change)
	pg.install(t, "server.crt", cert)
	pg.install(t, "server.key", key)
	pg.reload(t)
}

// Files that cannot be used are reported at the start.
func TestPostgresTLSFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	certs := newCertificates(t)
	cert, key := certs.issue(t, "relay")
	_, otherKey := certs.issue(t, "other")
	pair := "the files of sslcert and sslkey (in the address, or in PGSSLCERT and PGSSLKEY) cannot be used: "
	for _, c := range []misconfigured{
		{address: "sslrootcert=/nowhere", want: "the file of sslrootcert (in the address, or in PGSSLROOTCERT) cannot be read: /nowhere: no such file or directory"},
		{
			address: "sslrootcert=" + key, want: "the file of sslrootcert (in the address, or in PGSSLROOTCERT) contains no PEM certificate; " +
				"it must have the certificate of the authority that signed the server's certificate",
		},
		{address: "sslcert=/nowhere&sslkey=" + key, want: "the file of sslcert (in the address, or in PGSSLCERT) cannot be read: /nowhere: no such file or directory"},
		{address: "sslkey=/nowhere&sslcert=" + cert, want: "the file of sslkey (in the address, or in PGSSLKEY) cannot be read: /nowhere: no such file or directory"},
		{address: "sslcert=" + cert, want: "it has only one of sslcert and sslkey (in the address, or in PGSSLCERT and PGSSLKEY): set both, or neither"},
		{
			address: "sslcert=" + key + "&sslkey=" + cert,
			want:    pair + "failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched",
		},
		{address: "sslcrl=revoked.pem", want: "sslcrl is a keyword of libpq that outboxrelay does not support: remove it"},
		{address: "sslcert=" + cert + "&sslkey=" + otherKey, want: pair + "private key does not match public key"},
		{address: "sslmode=verify", want: "sslmode (in the address, or in PGSSLMODE) must be disable, allow, prefer, require, verify-ca or verify-full"},
	} {
		address := "postgres://u:correct-horse@127.0.0.1:1/d?sslmode=verify-full&" + c.address
		if strings.HasPrefix(c.address, "sslmode") {
			address = "postgres://u:correct-horse@127.0.0.1:1/d?" + c.address
		}
		for _, command := range []string{"run", "status", "doctor"} {
			got := call(map[string]string{"DATABASE_URL": address}, command)
			if diff := cmp.Diff(answer{Code: exitcode.Misuse, Stderr: "outboxrelay: setting database-url: " + c.want + "\n"}, got); diff != "" {
				t.Errorf("%s with %s (-want +got):\n%s", command, c.address, diff)
			}
		}
	}
}

// Certificates that are renewed need no restart: new sessions use those that the files have
// then. Wake-ups by LISTEN use the session of the leases, so they need nothing else.
func TestCertificatesOfPostgresChange(t *testing.T) {
	t.Parallel()
	first, second := newCertificates(t), newCertificates(t)
	pg := startSecurePostgres(t, first)
	dir := t.TempDir()
	authority, cert, key := filepath.Join(dir, "authority.pem"), filepath.Join(dir, "relay.crt"), filepath.Join(dir, "relay.key")
	renew := func(certs *certificates) {
		t.Helper()
		newCert, newKey := certs.issue(t, "certified")
		for to, from := range map[string]string{authority: certs.authority, cert: newCert, key: newKey} {
			content, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			writeTo(t, to, string(content))
		}
	}
	renew(first)
	address := pg.address("certified", "", "sslmode=verify-full", "sslrootcert="+authority, "sslcert="+cert, "sslkey="+key)
	relayed := startFleet(t, fmt.Sprintf("{sink: stdout, name: shop, service: shop, wake: postgres, database_url: %q}", address))
	until(t, "the outbox is led", func() bool { return relayed.leads("shop") })
	sessions := func() (total, secured int) {
		t.Helper()
		if err := pg.Pool.QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE s.ssl AND s.client_dn = '/CN=certified')
			FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) WHERE a.usename = 'certified'`).Scan(&total, &secured); err != nil {
			t.Fatal(err)
		}
		return total, secured
	}
	if total, secured := sessions(); total == 0 || secured != total {
		t.Errorf("%d of %d sessions have TLS and the client certificate", secured, total)
	}

	// Only the server is renewed: it has another authority, for both directions.
	pg.install(t, "authority.crt", second.authority)
	pg.serve(t, second, "server", func(*x509.Certificate) {})
	if _, err := pg.Pool.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'certified'"); err != nil {
		t.Fatal(err)
	}
	until(t, "the server is not trusted", func() bool {
		return strings.Contains(relayed.log.String(), `is signed by \"authority TestCertificatesOfPostgresChange\", which is not trusted`)
	})
	writeTo(t, key, "half of a key")
	until(t, "the log says that the new files cannot be used", func() bool {
		return strings.Contains(relayed.log.String(), `"msg":"new TLS files of database-url cannot be used, continuing with the former ones"`)
	})
	renew(second)
	// A leader that lost its sessions still leads until its lease ends.
	until(t, "the outbox is led by sessions with TLS and the client certificate", func() bool {
		total, secured := sessions()
		return total > 0 && secured == total && relayed.leads("shop")
	})
	if n := strings.Count(relayed.log.String(), "new TLS files"); n != 1 {
		t.Errorf("the log says %d times that new files cannot be used", n)
	}
}

// jsonText returns a text as it is in JSON, without the quotes.
func jsonText(t *testing.T, text string) string {
	t.Helper()
	b, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(string(b), `"`)
}
