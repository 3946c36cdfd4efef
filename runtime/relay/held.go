package relay

import "time"

// heldKeys are the keys that wait because one of their rows failed, and the rows that
// hold them. Of the dead rows that block a key only one is kept: there may be a million.
// A dead row without a key blocks nothing and is not kept.
type heldKeys struct {
	byKey map[keyID]*scope
	byRow map[int64]*scope
}

func newHeldKeys() heldKeys {
	return heldKeys{byKey: map[keyID]*scope{}, byRow: map[int64]*scope{}}
}

// keyID identifies a key. A row without a key is held alone, by its seq.
type keyID struct {
	topic, key string
	seq        int64
}

func keyOf(topic string, key *string, seq int64) keyID {
	if key == nil {
		return keyID{topic: topic, seq: seq}
	}
	return keyID{topic: topic, key: *key}
}

func (k keyID) pointer() *string {
	if k.seq != 0 {
		return nil
	}
	return &k.key
}

// heldRow is a row that holds its key.
type heldRow struct {
	settled bool // the failure is recorded
	fresh   bool // recorded while a read was under way, which may not show it
	dead    bool
	blocked bool // dead; only an operator can free its key
	others  bool // the outbox has further dead rows of the key, which are not kept
	until   time.Duration
}

// blocker returns a dead row that blocks the key, or nil.
func (s *scope) blocker() *heldRow {
	for _, r := range s.rows {
		if r.blocked && r.settled {
			return r
		}
	}
	return nil
}

// of returns the scope of a row's key, if the key is held.
func (h *heldKeys) of(e *entry) *scope {
	if len(h.byKey) == 0 {
		return nil
	}
	return h.byKey[keyOf(e.row.Topic, e.row.Key, e.row.Seq)]
}

// hold makes a row hold a key.
func (h *heldKeys) hold(s *scope, seq int64, r *heldRow) {
	s.rows[seq] = r
	h.byRow[seq] = s
}

// letGo makes a row hold its key no longer.
func (h *heldKeys) letGo(s *scope, seq int64) {
	delete(s.rows, seq)
	delete(h.byRow, seq)
}

// free forgets a key.
func (h *heldKeys) free(s *scope) { delete(h.byKey, s.key) }

// due returns when a key may continue: when every row that holds it is settled and due,
// and none blocks it. never is true if something else has to happen first.
func (s *scope) due() (at time.Duration, never bool) {
	if s.look {
		return 0, true
	}
	for _, r := range s.rows {
		if !r.settled || r.blocked {
			return 0, true
		}
		at = max(at, r.until)
	}
	return at, false
}
