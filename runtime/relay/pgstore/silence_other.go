//go:build !linux

package pgstore

import (
	"net"
	"time"
)

// limitUnanswered does nothing: only Linux has TCP_USER_TIMEOUT.
func limitUnanswered(*net.TCPConn, time.Duration) {}
