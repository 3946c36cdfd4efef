package relay

import (
	"fmt"
	"slices"
	"strings"
)

// finished reports whether everything that was committed is settled.
func (s *sim) finished() bool {
	if s.leaves() {
		return false
	}
	for _, w := range s.writers {
		if w.phase != 0 {
			return false
		}
	}
	for _, r := range s.store.rows {
		if s.store.committed(r) && !r.published && !r.gone && !r.dead && !s.suffers(r) {
			return s.blockedByDead(r)
		}
	}
	return s.allMoved() && s.allShown() && s.checkEnd()
}

// allShown reports whether the cursor's base shows all that is published, so that it can be
// replayed. Rows that wait must not keep it from that.
func (s *sim) allShown() bool {
	return !s.inLog || !slices.ContainsFunc(s.store.rows, func(r *memRow) bool {
		return s.store.committed(r) && r.published && !s.store.log.known[r] && !s.store.visible(r, s.store.at(s.store.log.cursor.Base))
	})
}

// blockedByDead is for the block policy: rows behind a dead row wait.
func (s *sim) blockedByDead(r *memRow) bool {
	if s.policy != Block || r.Key == nil {
		return false
	}
	for _, o := range s.store.rows {
		if !s.store.committed(o) || o.published || o.gone || o.dead || s.suffers(o) {
			continue
		}
		blocked := false
		for _, d := range s.store.rows {
			if !s.store.committed(d) || o.Key == nil || keyOf(d.Topic, d.Key, d.Seq) != keyOf(o.Topic, o.Key, o.Seq) {
				continue
			}
			blocked = blocked || d.dead && !d.published && !d.gone && (d.Seq < o.Seq || d.edited || o.edited || rowKey(d) != rowKey(o))
		}
		if !blocked {
			return false
		}
	}
	return s.allMoved() && s.checkEnd()
}

func (s *sim) checkEnd() bool {
	for _, r := range s.store.rows {
		if s.store.committed(r) && (r.published || r.gone && !r.edited) && s.broker.delivered[r.ID] == 0 && !r.everDead {
			s.violate("lost", "row %d is settled as published and was never delivered", r.Seq)
		}
		sound := string(r.Data) != "poison" && string(r.Data) != "killer" && r.Headers == nil && validTopic(r.Topic) && !r.noPartition
		if sound && !r.edited && (r.RetryCount > 0 || r.everDead) && r.lastErr != errSuspectDied.Error() {
			s.violate("counted", "row %d is sound and has %d failures: %s", r.Seq, r.RetryCount, r.lastErr)
		}
	}
	return true
}

func (s *sim) stuck() {
	var b strings.Builder
	for _, r := range s.store.rows {
		if s.store.committed(r) && !r.published && !r.dead {
			fmt.Fprintf(&b, "row %d of %s waits; ", r.Seq, rowKey(r))
		}
	}
	for _, d := range s.delayed {
		if !s.store.rolled[d.tx] && !d.cancelled && d.row == nil {
			fmt.Fprintf(&b, "delayed event %d waits; ", d.seq)
		}
	}
	for _, r := range s.relays {
		fmt.Fprintf(&b, "relay %d: %+v; ", r.id, r.m.status(s.now))
	}
	kind := "lost"
	if s.sick {
		kind = "stalled"
	}
	s.violate(kind, "not delivered after the faults had stopped: %s", b.String())
}
