package failover

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/cmd/internal/proxy"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// database is the name of the database on both servers.
const database = "orders"

// site is a primary and its standby, with their proxies.
type site struct {
	primary *services.PostgresServer
	standby *services.PostgresServer
	a, b    *proxy.Proxy // before the primary and the standby
	dir     string       // of the primary's data
	relays  []*relayProcess
	closers []func() error
}

func newSite(ctx context.Context, r row, synchronous bool) (_ *site, err error) {
	s := &site{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.primary, err = services.StartPostgres(ctx, services.Private()); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.primary.Close)
	conn, err := s.makeDatabase(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if s.standby, err = s.primary.Standby(ctx); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.standby.Close)
	if synchronous {
		// Only after the backup: otherwise the promoted server would wait for a standby
		// too.
		for _, statement := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
			if _, err := conn.Exec(ctx, statement); err != nil {
				return nil, err
			}
		}
	}
	return s, s.listen(r)
}

// makeDatabase creates the outbox, and finds out where the server has its data.
func (s *site) makeDatabase(ctx context.Context) (*pgx.Conn, error) {
	address, err := s.primary.CreateDatabase(ctx, database)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return nil, err
	}
	err = errors.Join(migrations.Up(ctx, conn), conn.QueryRow(ctx, "SHOW data_directory").Scan(&s.dir))
	if err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return conn, nil
}

// listen starts the proxies. If they are addresses of one name, they have the same
// port.
func (s *site) listen(r row) error {
	const tries = 10 // the port may be in use at the second address
	for attempt := 1; ; attempt++ {
		err := s.listenOnce(r)
		if err == nil {
			break
		}
		if attempt == tries {
			return err
		}
	}
	s.closers = append(s.closers, s.a.Close, s.b.Close)
	if !r.tls {
		return nil
	}
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	for _, p := range []*proxy.Proxy{s.a, s.b} {
		p.Greet(takeOffTLS(certificate))
	}
	return nil
}

func (s *site) listenOnce(r row) (err error) {
	if s.a, err = before(s.primary, "127.0.0.1:0"); err != nil {
		return err
	}
	second := "127.0.0.1:0"
	if r.oneName {
		_, port, err := net.SplitHostPort(s.a.Address())
		if err != nil {
			return err
		}
		second = net.JoinHostPort("127.0.0.2", port)
	}
	if s.b, err = before(s.standby, second); err != nil {
		return errors.Join(err, s.a.Close())
	}
	return nil
}

// before returns a proxy before a server.
func before(s *services.PostgresServer, address string) (*proxy.Proxy, error) {
	conn, err := pgx.ParseConfig(s.URL(database))
	if err != nil {
		return nil, err
	}
	network, socket := pgconn.NetworkAddress(conn.Host, conn.Port)
	return proxy.Listen("tcp", address, network, socket)
}

// name is a name whose addresses are those of both proxies.
const name = "database.example"

// url returns the address for the relays: both hosts, target_session_attrs for the
// writable one, and no timeout.
func (s *site) url(r row) string {
	hosts := s.a.Address() + "," + s.b.Address()
	if r.oneName {
		_, port, _ := strings.Cut(s.a.Address(), ":")
		hosts = name + ":" + port
	}
	query := url.Values{"target_session_attrs": {"read-write"}}
	if r.tls {
		query.Set("sslmode", "require")
	}
	return "postgres://postgres@" + hosts + "/" + database + "?" + query.Encode()
}

// makeReadOnly makes the primary start as a standby that receives no write-ahead log.
// Postgres only looks whether the file exists.
func (s *site) makeReadOnly() error {
	return os.WriteFile(filepath.Join(s.dir, "standby.signal"), nil, 0o600)
}

func (s *site) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

// takeOffTLS answers a client of Postgres that asks for TLS, and removes the TLS.
func takeOffTLS(certificate tls.Certificate) proxy.Greeting {
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	return func(client net.Conn) (net.Conn, error) {
		const patience = 10 * time.Second
		if err := client.SetDeadline(time.Now().Add(patience)); err != nil {
			return nil, err
		}
		const requestTLS = 80877103 // the code of SSLRequest, after its length
		var request [8]byte
		if _, err := io.ReadFull(client, request[:]); err != nil {
			return nil, err
		}
		if code := binary.BigEndian.Uint32(request[4:]); code != requestTLS {
			return nil, fmt.Errorf("the client asks for %d instead of TLS", code)
		}
		if _, err := client.Write([]byte{'S'}); err != nil {
			return nil, err
		}
		plain := tls.Server(client, config)
		if err := plain.Handshake(); err != nil {
			return nil, err
		}
		return plain, client.SetDeadline(time.Time{})
	}
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
