package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

type kafkaSettings struct {
	brokers  []string
	clientID string
	codecs   []kgo.CompressionCodec
	tls      *tls.Config    // nil: no TLS
	sasl     sasl.Mechanism // nil: none
	exposed  bool           // SASL without TLS, which no setting allows
}

func (k kafkaSettings) options() []kgo.Opt {
	opts := []kgo.Opt{kgo.SeedBrokers(k.brokers...), kgo.ClientID(k.clientID)}
	if k.tls != nil {
		opts = append(opts, kgo.DialTLSConfig(k.tls))
	}
	if k.sasl != nil {
		opts = append(opts, kgo.SASL(k.sasl))
	}
	return opts
}

func readKafka(r *reader) kafkaSettings {
	k := kafkaSettings{
		brokers:  r.list("brokers"),
		clientID: r.text("client-id"),
		sasl:     readSASL(r),
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
	switch cert, key := r.text("tls-cert"), r.text("tls-key"); {
	case !secured:
	case cert == "" && key != "":
		r.missing("tls-cert", "the client certificate (tls-key is set)")
	case cert != "" && key == "":
		r.missing("tls-key", "the key of the client certificate (tls-cert is set)")
	default:
		config, err := readTLS(r)
		if err != nil {
			r.problem("tls", "%w", err)
		}
		k.tls = config
	}
	for _, name := range []string{"tls-ca", "tls-cert", "tls-key"} {
		if r.text(name) != "" && !secured {
			r.problem(name, "it is set but tls is not, so it would have no effect: set tls to true, or remove %s", name)
		}
	}
	allowed := r.boolean("sasl-without-tls")
	if mechanism := r.text("sasl"); mechanism != "" && !secured && !allowed {
		if mechanism == "plain" {
			r.problem("sasl", "it is plain but tls is not set, so the password would be sent in clear text: "+
				"set tls to true, or set sasl-without-tls to true if the network is trusted")
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

func readTLS(r *reader) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	caFile, certFile := r.text("tls-ca"), r.text("tls-cert")
	if caFile != "" {
		pem, err := r.file("tls-ca")
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("the file of tls-ca, %s, contains no PEM certificate", caFile)
		}
	}
	if certFile != "" {
		cert, err := r.file("tls-cert")
		if err != nil {
			return nil, err
		}
		key, err := r.file("tls-key")
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

// file reads the file that a setting names. The error does not contain the name, which
// may be the key itself, set by mistake.
func (r *reader) file(name string) ([]byte, error) {
	path := r.text(name)
	content, err := os.ReadFile(path)
	if err == nil {
		return content, nil
	}
	r.secrets.Add(path)
	if looksLikeContent(path) {
		return nil, fmt.Errorf("%s contains a certificate or a key: write it to a file, and set %s to the file name", name, name)
	}
	if inPath := (*fs.PathError)(nil); errors.As(err, &inPath) {
		err = inPath.Err
	}
	return nil, fmt.Errorf("the file of %s cannot be read: %w", name, err)
}

func looksLikeContent(path string) bool {
	return strings.ContainsAny(path, "\r\n") || strings.Contains(path, "-----")
}

func readSASL(r *reader) sasl.Mechanism {
	mechanism, user, password := r.text("sasl"), r.text("sasl-user"), r.text("sasl-password")
	r.secrets.Public(user)
	r.secrets.Add(password)
	if mechanism != "" && user == "" {
		r.missing("sasl-user", "the user for SASL (sasl is "+mechanism+")")
	}
	if mechanism != "" && password == "" {
		r.missing("sasl-password", "the password for SASL (sasl is "+mechanism+")")
	}
	switch mechanism {
	case "plain":
		return plain.Auth{User: user, Pass: password}.AsMechanism()
	case "scram-sha-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism()
	case "scram-sha-512":
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism()
	}
	return nil
}
