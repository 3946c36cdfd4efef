package pgdial

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/internal/tlscause"
)

// ErrTLS matches an error if the server and the address do not agree about TLS or about
// certificates.
var ErrTLS = errors.New("pgdial: the server and the address do not agree about TLS")

// ErrNoRole matches an error if the server has no such role, or if it may not log in.
var ErrNoRole = errors.New("pgdial: the server has no such role, or it may not log in")

// explained is an error with our text instead of the driver's.
type explained struct {
	text string
	kind error // ErrTLS, ErrNoRole or nil
	err  error
}

func (e *explained) Error() string        { return e.text }
func (e *explained) Unwrap() error        { return e.err }
func (e *explained) Is(target error) bool { return e.kind != nil && target == e.kind }

// explain adds what to do to an error of TLS or of authentication. The driver's text has
// the steps of its protocol instead.
func explain(at Target, err error) error {
	if err == nil {
		return nil
	}
	what := tlscause.Explain(err, tlscause.Peer{
		Server:      "Postgres at " + at.Address,
		Authority:   "sslrootcert in the address (or PGSSLROOTCERT)",
		Certificate: "sslcert and sslkey in the address (or PGSSLCERT and PGSSLKEY)",
		Name:        "connect to a name that is in the certificate, or write sslmode=verify-ca, which does not check the name",
		Plain:       "check the port of the address",
		Given:       hasCertificate(at.Config),
	})
	if what == "" && strings.HasSuffix(err.Error(), "server refused TLS connection") {
		what = fmt.Sprintf("Postgres at %s has no TLS, and the address requires it (sslmode); "+
			"set ssl = on at the server, or write sslmode=disable in the address if the network is trusted", at.Address)
	}
	if what == "" && hasCertificate(at.Config) && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)) {
		// With TLS 1.3 a server refuses a certificate after the handshake, and the reset can
		// overtake its reason.
		what = fmt.Sprintf("Postgres at %s closed the connection right after the TLS handshake: "+
			"it may have refused the client certificate; its log has the reason", at.Address)
	}
	if what != "" {
		return &explained{text: what, kind: ErrTLS, err: err}
	}
	if what = readOnly(at, err); what != "" {
		return &explained{text: what, err: err}
	}
	if PoolerSays(err) {
		return FromPooler(err)
	}
	what, kind := refusal(at, err)
	if what == "" {
		return err
	}
	return &explained{text: what, kind: kind, err: err}
}

const (
	invalidAuthorization = "28000"
	invalidPassword      = "28P01"
	// noSuchRole is the function of Postgres that says that a role does not exist, or may not
	// log in.
	noSuchRole = "InitializeSessionUserId"
)

// readOnly explains that target_session_attrs does not take the server; "": it is not that.
func readOnly(at Target, err error) string {
	switch {
	case errors.Is(err, pgconn.ErrStandbyConnection):
		return fmt.Sprintf("Postgres at %s is a standby: it accepts no writes", at.Address)
	case errors.Is(err, pgconn.ErrReadOnlyConnection):
		return fmt.Sprintf("Postgres at %s accepts no writes: it is a standby, or its default_transaction_read_only is on", at.Address)
	}
	return ""
}

// refusal explains why a server refused the role, from the code of its answer: its text may
// be in any language.
func refusal(at Target, err error) (text string, kind error) {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return "", nil
	}
	said := fmt.Sprintf("Postgres at %s refused the role %s (SQLSTATE %s): %s", at.Address, at.Config.User, answer.Code, answer.Message)
	switch {
	case answer.Code == invalidPassword && at.Config.Password == "":
		return said + "; no password is set", nil
	case answer.Code == invalidPassword:
		return said + "; check the user and the password", nil
	case answer.Code != invalidAuthorization:
		return "", nil
	case answer.Routine == noSuchRole:
		return said + "; the server has no such role, or it may not log in: check the user in the address, and whether it is the right server", ErrNoRole
	case !encrypted(at.Config):
		return said + "; the address does not use TLS (sslmode=disable): if the server requires it, write sslmode=verify-full, " +
			"and sslrootcert for the file of the authority that signed its certificate", nil
	case !hasCertificate(at.Config):
		return said + "; if the server asks for a client certificate, set sslcert and sslkey in the address; " +
			"otherwise pg_hba.conf needs an entry for this role, database and client", nil
	}
	return said + fmt.Sprintf("; the client certificate is for %q: with cert in pg_hba.conf, this must be the role, or be mapped to it in pg_ident.conf",
		at.Config.TLSConfig.Certificates[0].Leaf.Subject.CommonName), nil
}

// encrypted reports whether the address can lead to a connection with TLS.
func encrypted(config *pgx.ConnConfig) bool {
	if config.TLSConfig != nil {
		return true
	}
	for _, f := range config.Fallbacks {
		if f.TLSConfig != nil {
			return true
		}
	}
	return false
}

func hasCertificate(config *pgx.ConnConfig) bool {
	return config.TLSConfig != nil && len(config.TLSConfig.Certificates) > 0 && config.TLSConfig.Certificates[0].Leaf != nil
}
