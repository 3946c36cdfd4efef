// Package tlscause says why a TLS handshake failed, and what to do about it.
package tlscause

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
)

// Peer has the words for a message about a server.
type Peer struct {
	Server      string // what it is, such as "Redis at 10.0.0.1:6379"
	Authority   string // where to set the authority, such as "sslrootcert in the address"
	Certificate string // where to set a client certificate, such as "sslcert and sslkey in the address"
	Name        string // what to do about a wrong name, instead of the general advice
	Plain       string // what to do if the server has no TLS
	Given       bool   // the client is known to have a certificate
}

// Explain returns what happened and what to do; "": err did not come from TLS.
func Explain(err error, p Peer) string {
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return p.untrusted(unknown)
	}
	if name, ok := errors.AsType[x509.HostnameError](err); ok {
		advice := p.Name
		if advice == "" {
			advice = "connect to a name that is in the certificate, or have the server's certificate issued for this name"
		}
		return fmt.Sprintf("the certificate of %s is for another name: %s; %s", p.Server, plain(name), advice)
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if invalid.Reason == x509.Expired {
			return fmt.Sprintf("the certificate of %s is not valid now: %s; renew the server's certificate, and check the clock of this machine", p.Server, plain(invalid))
		}
		return fmt.Sprintf("the certificate of %s cannot be used: %s; have the server's certificate issued again", p.Server, plain(invalid))
	}
	if verify, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Sprintf("the certificate of %s cannot be used: %s; look at it with openssl s_client", p.Server, plain(verify.Err))
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return fmt.Sprintf("%s does not answer with TLS; %s", p.Server, p.Plain)
	}
	if remote, ok := errors.AsType[*net.OpError](err); ok && remote.Op == "remote error" {
		return p.alert(remote.Err)
	}
	return ""
}

func (p Peer) untrusted(err x509.UnknownAuthorityError) string {
	issuer := "an unknown authority"
	if err.Cert != nil && err.Cert.Issuer.CommonName != "" {
		issuer = fmt.Sprintf("%q", err.Cert.Issuer.CommonName)
	}
	return fmt.Sprintf("the certificate of %s is signed by %s, which is not trusted; set %s to a file with the certificate of that authority",
		p.Server, issuer, p.Authority)
}

// alert explains what the server said when it ended the handshake.
func (p Peer) alert(err error) string {
	said := plain(err)
	switch {
	case strings.Contains(said, "certificate") && (p.Given || !strings.Contains(said, "required") && !strings.Contains(said, "bad ")):
		return fmt.Sprintf("%s refused the client certificate (%s); use one that is valid now, and signed by an authority that the server trusts: set %s",
			p.Server, said, p.Certificate)
	case strings.Contains(said, "certificate"):
		return fmt.Sprintf("%s requires a client certificate (%s); set %s", p.Server, said, p.Certificate)
	case strings.Contains(said, "protocol version"), strings.Contains(said, "handshake failure"), strings.Contains(said, "insufficient security"):
		return fmt.Sprintf("%s and this client have no version or cipher of TLS in common (%s); allow TLS 1.2 or 1.3 at the server", p.Server, said)
	}
	return fmt.Sprintf("%s ended the TLS handshake (%s); its log has the reason", p.Server, said)
}

// plain returns the text of an error without the names of packages.
func plain(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "x509: "), "tls: ")
}
