package tlscause_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/outboxgen/outboxgen/runtime/internal/tlscause"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "itself"}, DNSNames: []string{"db"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// failure returns the client's error of a connection with a server that serve plays.
func failure(t *testing.T, config *tls.Config, serve func(net.Conn)) error {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close() //nolint:errcheck // the client has failed
		serve(conn)
	}()
	defer func() { _ = listener.Close(); <-ended }()
	conn, err := tls.Dial("tcp", listener.Addr().String(), config)
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
		_ = conn.Close()
	}
	if err == nil {
		t.Fatal("the connection works")
	}
	return err
}

// Each kind of failure has a text that says what to do.
func TestExplain(t *testing.T) {
	t.Parallel()
	cert := certificate(t)
	handshake := func(config *tls.Config) func(net.Conn) {
		config.Certificates = []tls.Certificate{cert}
		return func(conn net.Conn) {
			if tls.Server(conn, config).Handshake() == nil {
				_, _ = conn.Read(make([]byte, 1))
			}
		}
	}
	peer := tlscause.Peer{Server: "the server", Authority: "CA", Certificate: "CERT", Plain: "check the port"}
	given := peer
	given.Given = true
	for name, c := range map[string]struct {
		config *tls.Config
		serve  func(net.Conn)
		peer   tlscause.Peer
		want   string
	}{
		"an unknown authority": {
			&tls.Config{ServerName: "db"}, handshake(&tls.Config{}), peer,
			`the certificate of the server is signed by "itself", which is not trusted; set CA to a file with the certificate of that authority`,
		},
		"no client certificate": {
			&tls.Config{InsecureSkipVerify: true}, handshake(&tls.Config{ClientAuth: tls.RequireAnyClientCert}), peer,
			"the server requires a client certificate (certificate required); set CERT",
		},
		"a client certificate that the server refuses": {
			&tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{cert}},
			handshake(&tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}), given,
			"the server refused the client certificate (unknown certificate authority); use one that is valid now, and signed by an authority that the server trusts: set CERT",
		},
		"no common version": {
			&tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}, handshake(&tls.Config{MinVersion: tls.VersionTLS13}), peer,
			"the server and this client have no version or cipher of TLS in common (protocol version not supported); allow TLS 1.2 or 1.3 at the server",
		},
		"no TLS": {
			&tls.Config{InsecureSkipVerify: true}, func(conn net.Conn) {
				_, _ = conn.Read(make([]byte, 4096))
				_, _ = io.WriteString(conn, "-ERR this is not TLS\r\n")
			}, peer,
			"the server does not answer with TLS; check the port",
		},
		"another failure": {&tls.Config{InsecureSkipVerify: true}, func(net.Conn) {}, peer, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := failure(t, c.config, c.serve)
			if diff := cmp.Diff(c.want, tlscause.Explain(errors.Join(err), c.peer)); diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}
