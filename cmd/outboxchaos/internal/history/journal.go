package history

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Entry is a line of a journal.
type Entry struct {
	Kind  Kind
	Epoch int64
	Wave  int64 // of Sending and Acked
	Seqs  []int64
}

// Kind says what an instance did.
type Kind byte

// The kinds of entries.
const (
	// Sending: a wave is about to be handed to the client.
	Sending Kind = 'S'
	// Acked: these rows of a wave were acknowledged, and its other rows were not.
	Acked Kind = 'A'
	// Settled: these rows were recorded as published.
	Settled Kind = 'P'
)

// Journal has the entries of one relay instance, in order. It may end anywhere, because
// the instance may have been killed.
type Journal struct{ Entries []Entry }

// Append writes the entry as a line.
func (e Entry) Append(line []byte) []byte {
	line = append(line, byte(e.Kind), ' ')
	line = strconv.AppendInt(line, e.Epoch, 10)
	line = append(line, ' ')
	line = strconv.AppendInt(line, e.Wave, 10)
	for i, seq := range e.Seqs {
		line = append(line, " ,"[min(i, 1)])
		line = strconv.AppendInt(line, seq, 10)
	}
	return append(line, '\n')
}

// ReadJournal reads lines that Append wrote. It ignores a last line that is incomplete.
func ReadJournal(r io.Reader) (Journal, error) {
	var j Journal
	lines := bufio.NewReaderSize(r, 1<<16)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return j, nil
		}
		if err != nil {
			return j, err
		}
		e, err := parseEntry(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return j, err
		}
		j.Entries = append(j.Entries, e)
	}
}

func parseEntry(line string) (Entry, error) {
	fields := strings.Split(line, " ")
	if len(fields) < 3 || len(fields[0]) != 1 {
		return Entry{}, fmt.Errorf("invalid line in a journal: %q", line)
	}
	e := Entry{Kind: Kind(fields[0][0])}
	var err error
	if e.Epoch, err = strconv.ParseInt(fields[1], 10, 64); err != nil {
		return Entry{}, err
	}
	if e.Wave, err = strconv.ParseInt(fields[2], 10, 64); err != nil {
		return Entry{}, err
	}
	if len(fields) == 3 {
		return e, nil
	}
	for text := range strings.SplitSeq(fields[3], ",") {
		seq, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return Entry{}, err
		}
		e.Seqs = append(e.Seqs, seq)
	}
	return e, nil
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
