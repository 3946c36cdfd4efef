package main

import (
	"net"
	"strings"
)

// checkEncryption notes which connections over a network can be read or redirected by others
// on the way.
func (d *doctor) checkEncryption() {
	const check, read = "encryption", "anyone on the network path can read what is sent"
	for _, h := range tlsHosts(d.o.database) {
		if isLocal(h.Host) {
			continue
		}
		const fix = "write sslmode=verify-full in database-url, and sslrootcert for the file of the authority that signed the server's certificate"
		switch {
		case h.TLSConfig == nil:
			d.note(check, "the connection to Postgres at "+h.Host+" may have no TLS (sslmode)", read, fix)
		case h.TLSConfig.InsecureSkipVerify && h.TLSConfig.VerifyPeerCertificate == nil:
			d.note(check, "the certificate of Postgres at "+h.Host+" is not checked (sslmode)", "anyone on the network path can pretend to be the server", fix)
		}
	}
	if !d.o.toStdout && d.o.kafka.tls == nil {
		for _, broker := range d.o.kafka.brokers {
			if !isLocal(hostOf(broker)) {
				d.note(check, "the connection to Kafka at "+broker+" has no TLS", read, "set tls to true")
				break
			}
		}
	}
	if d.o.wake == "redis" && d.o.redis.TLSConfig == nil {
		if at := d.o.redis.InitAddress[0]; !isLocal(hostOf(at)) {
			d.note(check, "the connection to Redis at "+at+" has no TLS", read, "write rediss:// in redis-url")
		}
	}
}

// note adds a note, unless there is one with the same text: several addresses can lead to
// one host.
func (d *doctor) note(check, what, why, fix string) {
	for _, f := range d.found {
		if f.Check == check && f.What == d.o.secrets.Text(what) {
			return
		}
	}
	d.add(notable, check, what, why, fix)
}

// hostOf returns the host of host or host:port.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// isLocal reports whether a connection stays on this machine.
func isLocal(host string) bool {
	if host == "" || host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
