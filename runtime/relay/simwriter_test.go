package relay

import (
	"bytes"
	"fmt"
)

// simWriter runs transactions that lock a key before they insert.
type simWriter struct {
	s     *sim
	phase int // 0: idle, 1: inserting
	tx    int64
	seq   int64 // drawn, not yet inserted
	left  int
	topic string
	key   *string
	lock  string
	mine  []*memRow
	cache []int64 // numbers that the session was handed
	holds int64   // its lock on the table; 0: none
}

func (w *simWriter) step() {
	s := w.s
	if w.phase == 0 {
		if s.calm || s.store.drawn >= simRows {
			return
		}
		w.begin()
		return
	}
	switch {
	case w.seq != 0:
		if w.tx == 0 {
			w.tx = s.store.begin()
		}
		w.insert()
	case w.left > 0:
		if w.holds == 0 {
			w.holds = s.store.lockTable()
		}
		w.seq = w.draw()
		w.left--
	case s.calm || s.chance(0.5):
		w.commit()
	}
}

// draw takes the next seq.
func (w *simWriter) draw() int64 {
	if len(w.cache) == 0 {
		for range max(1, w.s.store.cache) {
			w.cache = append(w.cache, w.s.store.nextSeq())
		}
	}
	seq := w.cache[0]
	w.cache = w.cache[1:]
	return seq
}

func (w *simWriter) begin() {
	s := w.s
	w.topic = s.topicName(s.rng.IntN(simTopics))
	w.key, w.lock = nil, ""
	if s.chance(0.85) {
		k := fmt.Sprintf("k%d", s.rng.IntN(3))
		w.key, w.lock = &k, w.topic+"/"+k
		if s.locks[w.lock] {
			return
		}
		s.locks[w.lock] = true
	}
	w.phase, w.tx, w.seq, w.mine = 1, 0, 0, nil
	w.left = 1 + s.rng.IntN(3)
	if s.chance(0.7) {
		w.tx = s.store.begin() // the UPDATE of the aggregate's row
	}
}

func (w *simWriter) insert() {
	s := w.s
	if s.delays && s.chance(0.4) {
		w.delay()
		w.seq = 0
		return
	}
	row := Row{Seq: w.seq, Topic: w.topic, Key: w.key, EventType: "t", Data: []byte("x")}
	switch {
	case s.wide:
		row.Data = bytes.Repeat([]byte("x"), 1+s.rng.IntN(simWideRow))
	case s.chance(0.06):
		row.Data = []byte("poison")
	case s.killer && w.seq == 7:
		row.Data = []byte("killer")
	case s.chance(0.02):
		row.Headers = []byte("[]")
	case s.names && s.chance(0.1):
		row.Topic = "no topic"
	}
	if s.chosen && s.chance(0.5) {
		n := int32(s.rng.IntN(simParts + 1)) // the last one is missing, unless the topic grows
		row.Partition = &n
	}
	inserted := s.store.insert(w.tx, row)
	inserted.noPartition = row.Partition != nil && int(*row.Partition) >= s.broker.parts[row.Topic]
	w.mine = append(w.mine, inserted)
	w.seq = 0
}

func (w *simWriter) commit() {
	s := w.s
	commit := s.chance(0.85)
	if s.async && s.chance(0.6) {
		s.store.endLater(w.tx, commit)
	} else {
		s.store.end(w.tx, commit)
	}
	w.phase = 0
	s.store.unlockTable(w.holds)
	w.holds = 0
	if w.lock != "" {
		delete(s.locks, w.lock)
	}
	s.say("commit %v of %d rows of %s/%v", commit, len(w.mine), w.topic, w.lock)
	if commit {
		for _, r := range w.mine {
			if r.Key != nil {
				s.keyRows[rowKey(r)] = append(s.keyRows[rowKey(r)], r)
			}
		}
	}
	for _, r := range s.relays {
		if s.chance(0.5) {
			r.m.wake()
		}
	}
}

// crash is the end of the connection: the transaction, if there is one, is gone.
func (w *simWriter) crash() {
	if w.phase != 0 && w.lock != "" {
		delete(w.s.locks, w.lock)
	}
	w.phase, w.cache, w.holds = 0, nil, 0
}
