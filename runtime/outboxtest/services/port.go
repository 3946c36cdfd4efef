package services

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// freePort picks an unused port on the loopback interface. It is below the range that
// the system uses for outgoing connections, so it stays free while a server that will
// use it again is down.
func freePort() (int, error) {
	const lowest, highest, tries = 20000, 32000, 50
	var err error
	for range tries {
		port := lowest + rand.IntN(highest-lowest)
		var listener net.Listener
		if listener, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, listener.Close()
		}
	}
	return 0, fmt.Errorf("services: no free port from %d to %d after %d tries: %w", lowest, highest, tries, err)
}
