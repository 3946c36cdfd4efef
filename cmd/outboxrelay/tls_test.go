package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
)

// certificates issues certificates of one authority.
type certificates struct {
	authority string // its file
	cert      *x509.Certificate
	key       *ecdsa.PrivateKey
	dir       string
}

func newCertificates(t *testing.T) *certificates {
	t.Helper()
	c := &certificates{dir: t.TempDir()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "authority " + t.Name()},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var der []byte
	c.key, der = c.sign(t, template, nil)
	var err error
	if c.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	c.authority = filepath.Join(c.dir, "authority.pem")
	writeTo(t, c.authority, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return c
}

// sign makes a key and its certificate. A parent of nil means that it signs itself.
func (c *certificates) sign(t *testing.T, template, parent *x509.Certificate) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer := c.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

// issue writes a certificate and its key to files.
func (c *certificates) issue(t *testing.T, name string) (cert, key string) {
	t.Helper()
	return c.issueWith(t, name, func(*x509.Certificate) {})
}

// issueWith is issue for a certificate that is changed before it is signed.
func (c *certificates) issueWith(t *testing.T, name string, change func(*x509.Certificate)) (cert, key string) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	change(template)
	secret, der := c.sign(t, template, c.cert)
	encoded, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(c.dir, name+".crt"), filepath.Join(c.dir, name+".key")
	writeTo(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	writeTo(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})))
	return cert, key
}

// write returns one file with the key and its certificate, as Kafka wants it.
func (c *certificates) write(t *testing.T, name string) string {
	t.Helper()
	cert, key := c.issue(t, name)
	file := filepath.Join(c.dir, name+".pem")
	var both []byte
	for _, part := range []string{key, cert} {
		text, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, text...)
	}
	writeTo(t, file, string(both))
	return file
}

// A renewed certificate is used for the next connection. While only one of its two files is
// there, the former one is used.
func TestCertificatesAreReadAgain(t *testing.T) {
	t.Parallel()
	certs := newCertificates(t)
	cert, key := certs.issue(t, "relay")
	files := &tlsFiles{settings: "tls", ca: certs.authority, cert: cert, key: key, secrets: &secret.Redactor{}}
	serial := func() string {
		t.Helper()
		config, err := files.current()
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return parsed.SerialNumber.String()
	}
	first := serial()
	if again := serial(); again != first {
		t.Errorf("without a change the certificate is %s, then %s", first, again)
	}

	newCert, newKey := certs.issue(t, "renewed")
	replace := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	replace(newCert, cert)
	if now := serial(); now != first {
		t.Errorf("with a certificate that does not fit the key, %s is used, want %s", now, first)
	}
	replace(newKey, key)
	if now := serial(); now == first {
		t.Error("the former certificate is used after both files were replaced")
	}
}
