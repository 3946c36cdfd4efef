package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// advice says what to do about an error of a connection to Kafka.
func (k kafkaSettings) advice(err error) string {
	if remedy := k.tlsAdvice(err); remedy != "" {
		return remedy
	}
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed) && k.mechanism == "oauthbearer":
		return "write a token that is valid now to the file of sasl-token-file; the log of the broker says why it refused this one"
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return "check sasl-user, and sasl-password or the file of sasl-password-file"
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return "set sasl to a mechanism that the broker has enabled"
	case errors.Is(err, kerr.IllegalSaslState):
		return "the broker does not use SASL on this port: remove sasl, or correct brokers"
	}
	if _, closed := errors.AsType[*kgo.ErrFirstReadEOF](err); closed {
		switch {
		case k.tls != nil && strings.Contains(err.Error(), "after a dial"): // during the handshake
			return "if the broker does not use TLS on this port, set tls to false, or correct brokers"
		case k.tls == nil && k.sasl == nil:
			return "if the broker requires TLS or SASL on this port, set tls or sasl"
		case k.tls == nil:
			return "if the broker requires TLS on this port, set tls"
		case k.sasl == nil:
			return "if the broker requires SASL on this port, set sasl; if it requires a client certificate, set tls-cert and tls-key"
		}
	}
	return "check the brokers, and the settings brokers, tls and sasl"
}

func (k kafkaSettings) tlsAdvice(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "set tls-ca to the file of the authority that signed the broker's certificate"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "use a name in brokers, and in the broker's advertised.listeners, that is in its certificate"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "renew the broker's certificate, and check the clock of this machine"
	}
	if k.tls == nil && strings.Contains(err.Error(), "tls alert record") { // the client's error has no type
		return "the broker requires TLS on this port: set tls to true, or correct brokers"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the broker does not use TLS on this port: set tls to false, or correct brokers"
	}
	if remote, ok := errors.AsType[*net.OpError](err); ok && remote.Op == "remote error" && strings.Contains(remote.Err.Error(), "certificate") {
		if k.tls != nil && k.tls.cert == "" {
			return "the broker requires a client certificate: set tls-cert and tls-key"
		}
		return "use a client certificate (tls-cert, tls-key) that is valid now, and signed by an authority that the broker trusts"
	}
	return ""
}
