package services

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// freePort picks a port on the loopback interface that nobody listens on. It
// lies below the range that the system hands out to outgoing connections, so
// that nobody is given it while a server that is to come back at it is down.
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
