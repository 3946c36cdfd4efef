package main

import (
	"context"
	"log/slog"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
)

// databaseTLS reads the files of sslrootcert, sslcert and sslkey again for each new session,
// because certificates are renewed. As long as the new ones cannot be used, for example
// because only one of two files was replaced yet, it uses the former ones.
type databaseTLS struct {
	address string
	secrets *secret.Redactor

	mu      sync.Mutex
	current *pgx.ConnConfig // with the newest files that can be used
	refused string          // why the files could not be used last
}

// newDatabaseTLS returns nil if the address has no TLS.
func newDatabaseTLS(address string, conn *pgx.ConnConfig, secrets *secret.Redactor) *databaseTLS {
	for _, h := range tlsHosts(conn) {
		if h.TLSConfig != nil {
			return &databaseTLS{address: address, secrets: secrets, current: conn}
		}
	}
	return nil
}

// tlsHosts returns the hosts of a configuration, with the TLS configuration of each.
func tlsHosts(conn *pgx.ConnConfig) []*pgconn.FallbackConfig {
	return append([]*pgconn.FallbackConfig{{Host: conn.Host, Port: conn.Port, TLSConfig: conn.TLSConfig}}, conn.Fallbacks...)
}

// renew is what pgstore calls for each new session; nil: there is no TLS.
func (d *databaseTLS) renew(log *slog.Logger) func(context.Context, *pgx.ConnConfig) error {
	if d == nil {
		return nil
	}
	return func(ctx context.Context, session *pgx.ConnConfig) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.read(ctx, log)
		hosts := tlsHosts(session)
		for _, newest := range tlsHosts(d.current) {
			for _, h := range hosts {
				if h.TLSConfig != nil && newest.TLSConfig != nil && h.Host == newest.Host && h.Port == newest.Port {
					h.TLSConfig = newest.TLSConfig
				}
			}
		}
		session.TLSConfig = hosts[0].TLSConfig // the fallbacks are pointers
		return nil
	}
}

// read parses the address again, which reads the files. It logs a problem once.
func (d *databaseTLS) read(ctx context.Context, log *slog.Logger) {
	conn, err := d.secrets.Postgres(d.address)
	if err == nil {
		d.current, d.refused = conn, ""
		return
	}
	if d.refused != err.Error() {
		d.refused = err.Error()
		log.WarnContext(ctx, "new TLS files of database-url cannot be used, continuing with the former ones", "error", err)
	}
}

// freshDatabase returns the configuration of a new session, with the password and the
// certificates that their files have now: both may have changed since the start.
func (o outbox) freshDatabase(ctx context.Context) (*pgx.ConnConfig, error) {
	config := o.database.Copy()
	if o.password != nil {
		password, err := o.password.read()
		if err != nil {
			return nil, err
		}
		config.Password = password
	}
	if renew := o.tls.renew(slog.New(slog.DiscardHandler)); renew != nil {
		if err := renew(ctx, config); err != nil {
			return nil, err
		}
	}
	return config, nil
}
