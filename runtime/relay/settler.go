package relay

import (
	"time"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
)

// settler has the outcomes that are not recorded in the outbox yet.
type settler struct {
	cfg       *Config
	published []int64
	failures  []Failure

	busy    bool        // a settlement is under way, or its outcome is unknown
	retry   *Settlement // its outcome is unknown
	retryAt time.Duration
	retries int // in a row
}

// sent records that a row was acknowledged; failed records that a row failed alone.
func (s *settler) sent(seq int64)   { s.published = append(s.published, seq) }
func (s *settler) failed(f Failure) { s.failures = append(s.failures, f) }

// plan starts the next settlement. acted lists the decisions that it may mark.
func (s *settler) plan(n *agenda, acted func() []int64) {
	if s.retry != nil {
		if n.due(s.retryAt) {
			s.retry.Decided = acted()
			n.do(opSettle{*s.retry})
		}
		return
	}
	if len(s.published) == 0 && len(s.failures) == 0 {
		return
	}
	k := min(len(s.published), s.cfg.SettleRows)
	f := min(len(s.failures), s.cfg.SettleRows)
	next := Settlement{Published: s.published[:k:k], Failed: s.failures[:f:f]}
	if f > 0 {
		next.Decided = acted()
	}
	s.published, s.failures = s.published[k:], s.failures[f:]
	s.busy = true
	n.do(opSettle{next})
}

// answered handles the result of a settlement, and reports whether it succeeded.
func (s *settler) answered(now time.Duration, what Settlement, err error) bool {
	if err != nil {
		s.retry = &what
		s.retries++
		s.retryAt = now + backoff.Pause(s.cfg.OutageMin, s.cfg.OutageMax, s.retries)
		return false
	}
	s.retry, s.retries, s.busy = nil, 0, false
	return true
}

// drained reports whether everything is recorded.
func (s *settler) drained() bool {
	return !s.busy && len(s.published) == 0 && len(s.failures) == 0
}
