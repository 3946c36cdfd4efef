package main

import (
	"context"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

type kafkaSettings struct {
	brokers   []string
	clientID  string
	codecs    []kgo.CompressionCodec
	tls       *tlsFiles      // nil: no TLS
	sasl      sasl.Mechanism // nil: none
	mechanism string         // of sasl
	exposed   bool           // SASL without TLS, which no setting allows
}

// options are those of a client beside the relay's.
func (k kafkaSettings) options() []kgo.Opt {
	opts := k.plainOptions()
	if k.tls != nil {
		opts = append(opts, kgo.Dialer(k.tls.dial))
	}
	return opts
}

// plainOptions are the options without TLS.
func (k kafkaSettings) plainOptions() []kgo.Opt {
	opts := []kgo.Opt{kgo.SeedBrokers(k.brokers...), kgo.ClientID(k.clientID)}
	if k.sasl != nil {
		opts = append(opts, kgo.SASL(k.sasl))
	}
	return opts
}

func readKafka(r *reader) kafkaSettings {
	k := kafkaSettings{
		brokers:   r.list("brokers"),
		clientID:  r.text("client-id"),
		sasl:      readSASL(r),
		mechanism: r.text("sasl"),
	}
	if len(k.brokers) == 0 {
		r.missing("brokers", "the address of a Kafka broker, host:port,")
	}
	for _, broker := range k.brokers {
		if err := r.secrets.Broker(broker); err != nil {
			r.problem("brokers", "%w", err)
			break
		}
	}
	secured := r.boolean("tls")
	if secured {
		k.tls = readTLSFiles(r, "tls")
	} else {
		refuseTLSFiles(r, "tls", "tls is not", "set tls to true")
	}
	allowed := r.boolean("sasl-without-tls")
	if mechanism := r.text("sasl"); mechanism != "" && !secured && !allowed {
		if sent := map[string]string{"plain": "password", "oauthbearer": "token"}[mechanism]; sent != "" {
			r.problem("sasl", "it is %s but tls is not set, so the %s would be sent in clear text: "+
				"set tls to true, or set sasl-without-tls to true if the network is trusted", mechanism, sent)
		}
		k.exposed = true
	}
	return k
}

// warn logs what is valid but risky.
func (k kafkaSettings) warn(log *slog.Logger, outbox string) {
	if k.exposed {
		log.Warn("SASL without TLS: anyone on the network path can read the records and guess the password offline; "+
			"set tls to true, or sasl-without-tls to true to accept this", "outbox", outbox)
	}
}

// compresses reports whether batches are compressed.
func (k kafkaSettings) compresses() bool {
	return len(k.codecs) > 0 && k.codecs[0] != kgo.NoCompression()
}

func readCompression(r *reader) []kgo.CompressionCodec {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	codec, ok := codecs[r.text("compression")]
	if !ok {
		return nil
	}
	return []kgo.CompressionCodec{codec}
}

// saslMechanisms are the values of sasl.
var saslMechanisms = []string{"plain", "scram-sha-256", "scram-sha-512", "oauthbearer"}

// readSASL reads how the relay authenticates. Passwords and tokens in files are read for
// each connection, and when the broker asks to authenticate again.
func readSASL(r *reader) sasl.Mechanism {
	mechanism, user, password := r.text("sasl"), r.text("sasl-user"), r.text("sasl-password")
	passwordFile, tokenFile := r.secretFile("sasl-password-file"), r.secretFile("sasl-token-file")
	r.secrets.Public(user)
	r.secrets.Add(password)
	for _, name := range []string{"sasl-user", "sasl-password", "sasl-password-file"} {
		if mechanism == "oauthbearer" && r.text(name) != "" {
			r.problem(name, "it is set but sasl is oauthbearer, so it would have no effect: remove %s", name)
		}
	}
	switch {
	case mechanism == "" && passwordFile != nil:
		r.problem("sasl-password-file", "it is set but sasl is not, so it would have no effect: set sasl, or remove sasl-password-file")
	case mechanism == "oauthbearer":
		if tokenFile == nil {
			r.missing("sasl-token-file", "the file with the token (sasl is oauthbearer)")
			return nil
		}
		return oauth.Oauth(func(context.Context) (oauth.Auth, error) {
			token, err := tokenFile.read()
			return oauth.Auth{Token: token}, err
		})
	case tokenFile != nil:
		r.problem("sasl-token-file", "it is set but sasl is not oauthbearer, so it would have no effect: set sasl to oauthbearer, or remove sasl-token-file")
	}
	if mechanism == "" {
		return nil
	}
	if user == "" {
		r.missing("sasl-user", "the user for SASL (sasl is "+mechanism+")")
	}
	switch {
	case password == "" && passwordFile == nil:
		r.missing("sasl-password", "the password for SASL (sasl is "+mechanism+")")
	case password != "" && passwordFile != nil:
		r.problem("sasl-password-file", "sasl-password is set too: remove one of them")
	}
	read := func() (string, error) {
		if passwordFile == nil {
			return password, nil
		}
		return passwordFile.read()
	}
	scrammed := func(context.Context) (scram.Auth, error) {
		password, err := read()
		return scram.Auth{User: user, Pass: password}, err
	}
	switch mechanism {
	case "plain":
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			password, err := read()
			return plain.Auth{User: user, Pass: password}, err
		})
	case "scram-sha-256":
		return scram.Sha256(scrammed)
	case "scram-sha-512":
		return scram.Sha512(scrammed)
	}
	return nil
}
