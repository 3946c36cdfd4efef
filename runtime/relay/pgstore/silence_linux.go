package pgstore

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// limitUnanswered limits how long sent data may go without the other end's
// acknowledgement (TCP_USER_TIMEOUT).
func limitUnanswered(conn *net.TCPConn, limit time.Duration) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(limit.Milliseconds()))
	})
}
