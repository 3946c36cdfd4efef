package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// kafkaSettings is how to reach Kafka.
type kafkaSettings struct {
	brokers  []string
	clientID string
	codecs   []kgo.CompressionCodec // nil: the relay's default
	tls      *tls.Config            // nil: no TLS
	sasl     sasl.Mechanism         // nil: none
}

// options are the settings in franz-go's terms.
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
		codecs:   readCompression(r),
		sasl:     readSASL(r),
	}
	if len(k.brokers) == 0 {
		r.problem("brokers", "it is empty: name at least one host:port")
	}
	if r.boolean("tls") {
		config, err := readTLS(r.text("tls-ca"), r.text("tls-cert"), r.text("tls-key"))
		if err != nil {
			r.problem("tls", "%w", err)
		}
		k.tls = config
	}
	return k
}

func readCompression(r *reader) []kgo.CompressionCodec {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	name := r.oneOf("compression", "", "none", "gzip", "snappy", "lz4", "zstd")
	codec, ok := codecs[name]
	if !ok {
		return nil
	}
	return []kgo.CompressionCodec{codec}
}

func readTLS(caFile, certFile, keyFile string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("the file of tls-ca cannot be read: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("the file of tls-ca, %s, holds no PEM certificate", caFile)
		}
	}
	if (certFile == "") != (keyFile == "") {
		return nil, errors.New("tls-cert and tls-key go together: set both or none")
	}
	if certFile != "" {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("the files of tls-cert and tls-key cannot be used: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func readSASL(r *reader) sasl.Mechanism {
	user, password := r.text("sasl-user"), r.text("sasl-password")
	mechanism := r.oneOf("sasl", "", "plain", "scram-sha-256", "scram-sha-512")
	if mechanism != "" && (user == "" || password == "") {
		r.problem("sasl", "it is %s, and sasl-user or sasl-password is not set", mechanism)
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
