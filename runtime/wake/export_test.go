package wake

import "time"

// SetKeepAlive sets how often a quiet listening connection is tried.
func (s *PostgresWaitSource) SetKeepAlive(every time.Duration) { s.keepAlive = every }
