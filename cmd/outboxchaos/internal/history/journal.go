package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Entry is an entry of a journal.
type Entry struct {
	Kind  Kind
	Epoch int64
	Wave  int64 // of Sending and Acked
	Seqs  []int64
}

// Kind says what an instance did.
type Kind string

// The kinds of entries.
const (
	// Sending: a wave is about to be handed to the client.
	Sending Kind = "sending"
	// Acked: these rows of a wave were acknowledged, and its other rows were not.
	Acked Kind = "acked"
	// Settled: these rows were recorded as published.
	Settled Kind = "settled"
)

// Journal has the entries of one relay instance, in order. It may end anywhere, because
// the instance may have been killed.
type Journal struct{ Entries []Entry }

// ReadJournal reads entries in JSON. It ignores a last one that is incomplete.
func ReadJournal(r io.Reader) (Journal, error) {
	var j Journal
	for entries := json.NewDecoder(r); ; {
		var e Entry
		err := entries.Decode(&e)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return j, nil
		}
		if err != nil {
			return j, err
		}
		j.Entries = append(j.Entries, e)
	}
}

// sends is what the journals say about one row.
type sends struct {
	sending []moment // of a wave
	acked   []moment
	settled []moment
}

// moment is the place of an entry.
type moment struct {
	epoch, wave  int64
	journal, pos int
}

// collect adds what the journal says about the rows in seqs.
func (j *Journal) collect(number int, seqs map[int64]*sends) {
	for pos, e := range j.Entries {
		m := moment{e.Epoch, e.Wave, number, pos}
		for _, seq := range e.Seqs {
			s := seqs[seq]
			if s == nil {
				continue
			}
			switch e.Kind {
			case Sending:
				s.sending = append(s.sending, m)
			case Acked:
				s.acked = append(s.acked, m)
			case Settled:
				s.settled = append(s.settled, m)
			}
		}
	}
}

// unexplained returns why the row should not have been sent again under the label, or
// "" if it is explained. It is explained if the row was not settled before, in this or
// an earlier term, and this term had no acknowledgement of it yet.
func (s *sends) unexplained(l Label) string {
	var at *moment
	for i := range s.sending {
		if m := &s.sending[i]; m.epoch == l.Epoch && m.wave == l.Wave {
			at = m
		}
	}
	if at == nil {
		return "no journal tells of that wave"
	}
	for _, m := range s.settled {
		if m.epoch < l.Epoch {
			return fmt.Sprintf("term %d had settled it", m.epoch)
		}
		if m.epoch == l.Epoch && m.journal == at.journal && m.pos < at.pos {
			return "its own term had settled it"
		}
	}
	for _, m := range s.acked {
		if m.epoch == l.Epoch && m.journal == at.journal && m.pos < at.pos {
			return fmt.Sprintf("wave %d of its own term had the acknowledgement", m.wave)
		}
	}
	return ""
}
