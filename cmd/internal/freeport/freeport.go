// Package freeport finds a port for a server that cannot choose its own.
package freeport

import (
	"errors"
	"net"
)

// Find returns a TCP port of the loopback address that is free now. Another process may
// take it before it is used.
func Find() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}
