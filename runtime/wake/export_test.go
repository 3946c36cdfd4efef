package wake

import (
	"time"

	"github.com/jackc/pgx/v5"
)

// SetKeepAlive sets how often a quiet listening connection is checked.
func (s *PostgresWaitSource) SetKeepAlive(every time.Duration) { s.keepAlive = every }

// SetTracer sets the tracer of the waker's connections.
func (w *PostgresWaker) SetTracer(tracer pgx.QueryTracer) { w.config.Tracer = tracer }
