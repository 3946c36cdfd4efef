package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
)

// tlsFiles makes the TLS configuration of new connections to Kafka or Redis from files, and
// reads them again after they changed, because certificates are renewed. As long as the new
// ones cannot be used, for example because only one of two files was replaced yet, it uses
// the former ones.
type tlsFiles struct {
	settings      string // what the names of the settings begin with, such as tls
	ca, cert, key string // names; "": none
	secrets       *secret.Redactor

	mu      sync.Mutex
	log     *slog.Logger // nil: they are not logged
	stamps  fileStamps
	config  *tls.Config // made of the files with these stamps
	refused fileStamps  // of the files that could not be used last
}

// readTLSFiles reads the settings of the files; nil: there is a problem.
func readTLSFiles(r *reader, settings string) *tlsFiles {
	ca, cert, key := settings+"-ca", settings+"-cert", settings+"-key"
	f := &tlsFiles{settings: settings, ca: r.text(ca), cert: r.text(cert), key: r.text(key), secrets: r.secrets}
	switch {
	case f.cert == "" && f.key != "":
		r.missing(cert, "the client certificate ("+key+" is set)")
	case f.cert != "" && f.key == "":
		r.missing(key, "the key of the client certificate ("+cert+" is set)")
	default:
		if _, err := f.current(); err != nil {
			r.problem(settings, "%w", err)
		}
		return f
	}
	return nil
}

// refuseTLSFiles reports the files that are set although there is no TLS.
func refuseTLSFiles(r *reader, settings, why, remedy string) {
	for _, end := range []string{"-ca", "-cert", "-key"} {
		if name := settings + end; r.text(name) != "" {
			r.problem(name, "it is set but %s, so it would have no effect: %s, or remove %s", why, remedy, name)
		}
	}
}

// warnTo makes it log files that cannot be used while it runs, each version once.
func (f *tlsFiles) warnTo(log *slog.Logger) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = log
}

// fileStamp tells versions of a file apart; nil: there is none.
type fileStamp struct{ info os.FileInfo }

func stampOf(path string) fileStamp {
	info, err := os.Stat(path) // follows links, as Kubernetes uses them for secrets
	if err != nil {
		return fileStamp{}
	}
	return fileStamp{info}
}

// same reports whether a file is unchanged. Two files may have the same time, because clocks
// of file systems are coarse.
func (s fileStamp) same(other fileStamp) bool {
	if s.info == nil || other.info == nil {
		return s.info == nil && other.info == nil
	}
	return os.SameFile(s.info, other.info) && s.info.ModTime().Equal(other.info.ModTime()) && s.info.Size() == other.info.Size()
}

// fileStamps are those of the three files.
type fileStamps [3]fileStamp

func (s fileStamps) same(other fileStamps) bool {
	return s[0].same(other[0]) && s[1].same(other[1]) && s[2].same(other[2])
}

// current returns the configuration for a new connection.
func (f *tlsFiles) current() (*tls.Config, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	stamps := fileStamps{stampOf(f.ca), stampOf(f.cert), stampOf(f.key)}
	if f.config != nil && stamps.same(f.stamps) {
		return f.config, nil
	}
	config, err := f.load(f.config == nil)
	switch {
	case err == nil:
		f.config, f.stamps = config, stamps
	case f.config == nil:
		return nil, err
	case !stamps.same(f.refused):
		f.refused = stamps
		if f.log != nil {
			f.log.Warn("new TLS files cannot be used, continuing with the former ones", "error", err)
		}
	}
	return f.config, nil
}

// load reads the files. atStart says that they are read for the first time, when their names
// may be a key, set by mistake.
func (f *tlsFiles) load(atStart bool) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		pem, err := readSecretly(f.settings+"-ca", f.ca, f.secrets, atStart)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("the file of %s-ca, %s, contains no PEM certificate", f.settings, f.ca)
		}
	}
	if f.cert != "" {
		cert, err := readSecretly(f.settings+"-cert", f.cert, f.secrets, atStart)
		if err != nil {
			return nil, err
		}
		key, err := readSecretly(f.settings+"-key", f.key, f.secrets, atStart)
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("the files of %s-cert and %[1]s-key cannot be used: %[2]s", f.settings, strings.TrimPrefix(err.Error(), "tls: "))
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// dialTimeout is that of franz-go.
const dialTimeout = 10 * time.Second

func (f *tlsFiles) dial(ctx context.Context, network, address string) (net.Conn, error) {
	config, err := f.current()
	if err != nil {
		return nil, err
	}
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout}, Config: config}
	return dialer.DialContext(ctx, network, address)
}

// dialRedis is what rueidis calls for each connection. given has the server's name.
func (f *tlsFiles) dialRedis(ctx context.Context, address string, dialer *net.Dialer, given *tls.Config) (net.Conn, error) {
	files, err := f.current()
	if err != nil {
		return nil, err
	}
	config := given.Clone()
	config.RootCAs, config.Certificates = files.RootCAs, files.Certificates
	secured := tls.Dialer{NetDialer: dialer, Config: config}
	conn, err := secured.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return alertedConn{conn}, nil
}

// alertedConn is a TLS connection that says why the server closed it. A server refuses a
// client certificate after the handshake, so a write may fail before anybody has read why.
type alertedConn struct{ net.Conn }

// alertPatience limits the wait for the reason.
const alertPatience = 100 * time.Millisecond

func (c alertedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err == nil || c.Conn.SetReadDeadline(time.Now().Add(alertPatience)) != nil {
		return n, err
	}
	_, alert := c.Conn.Read(make([]byte, 1)) // the connection is of no use any more
	if op, ok := errors.AsType[*net.OpError](alert); ok && op.Op == "remote error" {
		return n, alert
	}
	return n, err
}
