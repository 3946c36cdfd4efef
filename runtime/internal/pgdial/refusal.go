package pgdial

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
)

// Pauses after failures to connect. A server that is full or refuses the role will do so
// for a while, and frequent tries disturb other clients.
const (
	minPause       = 100 * time.Millisecond
	maxPause       = 2 * time.Second
	maxRefusePause = 10 * time.Second
)

// PauseAfter returns the pause after a number of failures in a row, err the latest. It
// grows, with jitter so that clients that were refused together do not come back
// together.
func PauseAfter(err error, failures int) time.Duration {
	limit := maxPause
	if refused(err) {
		limit = maxRefusePause
	}
	return backoff.Jittered(minPause, limit, failures)
}

// Full reports whether the server has no free session.
func Full(err error) bool { return strings.HasPrefix(sqlstate.Code(err), "53") }

// refused reports whether the server answered and refused the connection: it is full, or
// the credentials are wrong.
func refused(err error) bool {
	code := sqlstate.Code(err)
	return Full(err) || strings.HasPrefix(code, "28") || code == "3D000" || code == sqlstate.Denied
}

// Unanswered reports whether an error came from the network or from a timeout.
func Unanswered(err error) bool {
	if sqlstate.Code(err) != "" {
		return false
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
