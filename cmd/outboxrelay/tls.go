package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
)

// tlsFiles makes the TLS configuration of new connections to Kafka from files, and reads
// them again after they changed, because certificates are renewed. As long as the new ones
// cannot be used, for example because only one of two files was replaced yet, it uses the
// former ones.
type tlsFiles struct {
	ca, cert, key string // names; "": none
	secrets       *secret.Redactor

	mu      sync.Mutex
	log     *slog.Logger // nil: they are not logged
	stamps  fileStamps
	config  *tls.Config // made of the files with these stamps
	refused fileStamps  // of the files that could not be used last
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
		pem, err := readSecretly("tls-ca", f.ca, f.secrets, atStart)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("the file of tls-ca, %s, contains no PEM certificate", f.ca)
		}
	}
	if f.cert != "" {
		cert, err := readSecretly("tls-cert", f.cert, f.secrets, atStart)
		if err != nil {
			return nil, err
		}
		key, err := readSecretly("tls-key", f.key, f.secrets, atStart)
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("the files of tls-cert and tls-key cannot be used: %w", err)
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
