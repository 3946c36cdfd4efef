// Package pgdial opens connections to Postgres, one address after the other, and leaves
// addresses that do not answer.
package pgdial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// DefaultTimeout is how long an address may go without an answer if the configuration
// has no connect_timeout. An address that answers may take longestAttempt times as long
// in total, because on a slow network each of a dozen round trips takes its time.
const DefaultTimeout = 2 * time.Second

const longestAttempt = 5

// Timeout returns how long an address may go without an answer.
func Timeout(config *pgx.ConnConfig) time.Duration {
	return cmp.Or(max(config.ConnectTimeout, 0), DefaultTimeout)
}

// Longest returns how long connecting to an address may take in total.
func Longest(config *pgx.ConnConfig) time.Duration {
	return cmp.Or(max(config.ConnectTimeout, 0), longestAttempt*DefaultTimeout)
}

// Target is one address of a database.
type Target struct {
	Config  *pgx.ConnConfig // for this address only
	Address string          // for messages, and to identify the address
}

// Targets resolves the hosts of a configuration and returns their addresses, in its
// order. err has the names that could not be resolved.
func Targets(ctx context.Context, config *pgx.ConnConfig) (found []Target, err error) {
	hosts := []*pgconn.FallbackConfig{{Host: config.Host, Port: config.Port, TLSConfig: config.TLSConfig}}
	hosts = append(hosts, config.Fallbacks...)
	var errs []error
	for _, h := range hosts {
		addresses, err := resolve(ctx, config, h.Host)
		errs = append(errs, err)
		for _, address := range addresses {
			at := newTarget(config, h, address)
			// sslmode=prefer and allow list a host twice, with and without TLS. That is
			// one target, with the second as its fallback.
			if i := slices.IndexFunc(found, func(t Target) bool { return t.Address == at.Address }); i >= 0 {
				found[i].Config.Fallbacks = append(found[i].Config.Fallbacks, &pgconn.FallbackConfig{Host: h.Host, Port: h.Port, TLSConfig: h.TLSConfig})
				continue
			}
			found = append(found, at)
		}
	}
	return found, errors.Join(errs...)
}

// resolve returns the addresses of a host. The folder of a socket is its own address.
func resolve(ctx context.Context, config *pgx.ConnConfig, host string) (addresses []string, err error) {
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || config.LookupFunc == nil {
		return []string{host}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout(config))
	defer cancel()
	defer recoverTo(&err, "LookupFunc of the connection's configuration")
	addresses, err = config.LookupFunc(ctx, host)
	if err == nil && len(addresses) == 0 {
		return nil, fmt.Errorf("host %q has no address: LookupFunc of the connection's configuration returned none", host)
	}
	return addresses, err
}

func newTarget(config *pgx.ConnConfig, h *pgconn.FallbackConfig, address string) Target {
	config = config.Copy()
	config.Host, config.Port, config.TLSConfig, config.Fallbacks = h.Host, h.Port, h.TLSConfig, nil
	if address != h.Host {
		config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{address}, nil }
	}
	name := address
	if _, _, err := net.SplitHostPort(address); err != nil {
		name = net.JoinHostPort(address, strconv.Itoa(int(h.Port)))
	}
	return Target{Config: config, Address: name}
}

// Connect is pgx.ConnectConfig with time limits for addresses that are slow or do not
// answer. A panic of code in the configuration is a *PanicError.
func Connect(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	targets, err := Targets(ctx, config)
	errs := []error{err}
	for _, at := range targets {
		conn, err := ConnectTo(ctx, at)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// ConnectTo is Connect for one address.
func ConnectTo(ctx context.Context, at Target) (conn *pgx.Conn, err error) {
	err = Patiently(ctx, at, Timeout(at.Config), Longest(at.Config), func(ctx context.Context, config *pgx.ConnConfig) error {
		conn, err = pgx.ConnectConfig(ctx, config)
		return err
	})
	return conn, err
}
