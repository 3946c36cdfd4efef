package kafka

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	noBroker = "no Kafka broker answers, retrying"
	hangsUp  = "Kafka closes the connection immediately; compare TLS and SASL in Config.Options with the brokers' listeners: one side expects them and the other does not"
)

// brokersHint says why no broker can be used, and what to do.
func brokersHint(err error) string {
	if hint := connectionHint(err); hint != "" {
		return hint
	}
	if errors.Is(err, syscall.ECONNRESET) { // each time
		return hangsUp
	}
	if name, ok := errors.AsType[*net.DNSError](err); ok && name.IsNotFound {
		return noBroker + "; the name of a broker is unknown: correct Config.Brokers, or check the DNS"
	}
	return noBroker + "; check that Kafka runs, and Config.Brokers"
}

// hints say what to do about errors of Kafka.
type hints []struct {
	err  error
	hint string
}

// of returns the hint for an error, or otherwise.
func (h hints) of(err error, otherwise string) string {
	for _, known := range h {
		if errors.Is(err, known.err) {
			return known.hint
		}
	}
	return otherwise
}

var saslHints = hints{
	{kerr.SaslAuthenticationFailed, "Kafka refuses the user or the password; correct kgo.SASL in Config.Options"},
	{kerr.UnsupportedSaslMechanism, "Kafka does not offer this SASL mechanism; use one that the brokers enable (sasl.enabled.mechanisms) in kgo.SASL in Config.Options"},
	{kerr.IllegalSaslState, "Kafka does not expect SASL at this address, or requires it; compare kgo.SASL in Config.Options with the brokers' listeners"},
}

// connectionHint says what is wrong with TLS or SASL. It is "" for other errors.
func connectionHint(err error) string {
	_, notTLS := errors.AsType[tls.RecordHeaderError](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, closed := errors.AsType[*kgo.ErrFirstReadEOF](err)
	switch {
	case err == nil:
		return ""
	case notTLS:
		return "the address in Config.Brokers does not speak TLS; use that of a TLS listener, or leave kgo.DialTLSConfig out of Config.Options"
	case untrusted, authority:
		return "the broker's certificate is not trusted; give kgo.DialTLSConfig in Config.Options the right RootCAs, and brokers the names of their certificates"
	case alert:
		return "Kafka refuses the TLS connection; give kgo.DialTLSConfig in Config.Options the client certificate that the brokers ask for"
	case closed, strings.Contains(err.Error(), "speaking to a tls endpoint"):
		return hangsUp
	}
	return saslHints.of(err, "")
}

// tooLarge reports whether an answer of a broker was larger than the client's limit,
// for which the client has no error of its own.
func tooLarge(err error) bool {
	return err != nil && strings.Contains(err.Error(), "exceeds BrokerMaxReadBytes")
}

// answerHint says why a broker's answers to fetches cannot be used.
func answerHint(err error) string {
	if tooLarge(err) {
		return "a record is larger than this client reads, so its partitions make no progress; raise kgo.BrokerMaxReadBytes in Config.Options"
	}
	return "broker does not answer fetches, retrying"
}

// topicHint says why a topic cannot be read. Field is the field of Config that names it.
func topicHint(err error, field string) string {
	return hints{
		{kerr.UnknownTopicOrPartition, "topic does not exist; create it, or correct Config." + field},
		{kerr.TopicAuthorizationFailed, "topic access denied; grant this client READ and DESCRIBE on it"},
		{kerr.InvalidTopicException, "topic cannot be read: Kafka has no topics with such a name; correct Config." + field},
	}.of(err, "topic cannot be read")
}

const recreated = "the topic was deleted, and perhaps created again; it is read as soon as it exists"

var fetchHints = hints{
	{kerr.TopicAuthorizationFailed, "reading from Kafka is not allowed; grant this client READ and DESCRIBE on the topic"},
	{kerr.UnknownTopicID, recreated},
	{kerr.InconsistentTopicID, recreated},
}

func fetchHint(err error) string {
	return cmp.Or(connectionHint(err), fetchHints.of(err, "reading from Kafka failed, retrying"))
}

const joining = "membership in the group failed, joining again"

var groupHints = hints{
	{kerr.FencedInstanceID, "another member of the group has the same kgo.InstanceID and took this one's place; give each process its own"},
	{kerr.GroupAuthorizationFailed, "joining the group is not allowed; grant this client READ on the group, or correct Config.Group"},
	{kerr.TopicAuthorizationFailed, "the group may not read its topics; grant this client READ and DESCRIBE on them"},
	{kerr.InconsistentGroupProtocol, joining + "; its other members use another kind of client or other balancers: give this service its own group in Config.Group, or all members the same kgo.Balancers"},
	{kerr.InvalidGroupID, joining + "; the brokers do not accept the name of the group: correct Config.Group"},
	{kerr.GroupMaxSizeReached, joining + "; the group has as many members as the brokers allow (group.max.size): run fewer, or raise it"},
	{kerr.InvalidSessionTimeout, joining + "; the brokers do not accept kgo.SessionTimeout: keep it between group.min.session.timeout.ms and group.max.session.timeout.ms"},
	{kerr.CoordinatorNotAvailable, joining + "; the group has no coordinator: look at the log of the brokers, which may not be able to create the topic __consumer_offsets"},
}

func groupHint(err error) string { return cmp.Or(connectionHint(err), groupHints.of(err, joining)) }

// produceHints say why a retry topic or the dead-letter topic cannot be written.
var produceHints = hints{
	{kerr.UnknownTopicOrPartition, "it does not exist; create it"},
	{kerr.TopicAuthorizationFailed, "this client may not write to it; give it WRITE and DESCRIBE on the topic"},
	{kerr.MessageTooLarge, "the record is too large for it; raise its max.message.bytes above that of the topics that are read"},
}

func produceHint(err error) string { return produceHints.of(err, "it was not acknowledged") }
