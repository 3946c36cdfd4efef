package wake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/runtime/internal/tlscause"
)

// The commands of each end, as an ACL grants them.
const (
	writerCommands = "+lpush +ltrim +expire"
	relayCommands  = "+ping +blpop +del"
)

// explained is an error with our text instead of the client's.
type explained struct {
	text string
	err  error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.err }

// redisCause says what happened and what to do if an error came from TLS. It returns other
// errors as they are.
func redisCause(err error, options rueidis.ClientOption) error {
	if err == nil || options.TLSConfig == nil {
		return err
	}
	server := "Redis at " + strings.Join(options.InitAddress, ", ")
	what := tlscause.Explain(err, tlscause.Peer{
		Server:      server,
		Authority:   "redis_tls_ca (in Go: RootCAs of TLSConfig)",
		Certificate: "redis_tls_cert and redis_tls_key (in Go: Certificates of TLSConfig)",
		Plain:       plainRedis,
		Given:       len(options.TLSConfig.Certificates) > 0,
	})
	if what == "" {
		return err
	}
	return &explained{what, err}
}

const plainRedis = "check the port; if Redis has no TLS and the network is trusted, write redis:// in the address"

// redisConnectCause is redisCause for an error of a new connection. A server that wants TLS
// closes a connection without it, and one without TLS waits for the end of a line.
func redisConnectCause(err error, options rueidis.ClientOption) error {
	server := strings.Join(options.InitAddress, ", ")
	switch {
	case options.TLSConfig == nil && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)):
		return &explained{fmt.Sprintf("Redis at %s closed the connection: %v; if it requires TLS, write rediss:// in the address", server, err), err}
	case options.TLSConfig != nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)):
		return &explained{fmt.Sprintf("Redis at %s did not answer the TLS handshake: %v; %s", server, err, plainRedis), err}
	}
	return redisCause(err, options)
}

// redisRemedy returns what to do about an answer of the server that a retry does not
// change. It begins with a semicolon. It is "" for other errors.
func redisRemedy(err error, user, key, commands string) string {
	answer, ok := rueidis.IsRedisErr(err)
	if !ok {
		return ""
	}
	code, _, _ := strings.Cut(answer.Error(), " ")
	switch code {
	case "NOPERM":
		// Redis refuses to add a key to a user who may use all of them.
		user = cmp.Or(user, "default")
		return fmt.Sprintf("; grant what wake-ups need: ACL SETUSER %s %s, and unless it may use the key already: ACL SETUSER %s ~%s", user, commands, user, key)
	case "WRONGPASS", "NOAUTH":
		return "; check the user and the password of Redis"
	case "WRONGTYPE":
		return fmt.Sprintf("; something else uses the key: look at it with TYPE %s, then delete it with DEL %s", key, key)
	case "READONLY":
		return "; this is a replica: give the address of the primary"
	case "OOM":
		return "; Redis is full: raise maxmemory, or let it evict keys that expire (maxmemory-policy volatile-ttl)"
	}
	return ""
}
