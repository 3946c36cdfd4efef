package history

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
)

// script builds a run by hand. Events have small numbers for ids.
type script struct {
	h       *History
	offsets map[int32]int64
	journal Journal
}

func newScript() *script { return &script{h: New(), offsets: map[int32]int64{}} }

func id(n uint64) uuid.UUID {
	var u uuid.UUID
	binary.BigEndian.PutUint64(u[8:], n)
	return u
}

func ev(n uint64, key string, number int64, change ...func(*Event)) Event {
	e := Event{ID: id(n), Topic: "t", Key: key, Keyed: key != "", N: number, Sum: Sum([]byte{byte(n)})}
	for _, c := range change {
		c(&e)
	}
	return e
}

func (s *script) tx(n uint64, o Outcome, events ...Event) { s.h.Transaction(id(1000+n), o, events) }

// read adds the next record of partition 0.
func (s *script) read(n uint64, key string, l Label, change ...func(*Delivery)) {
	d := Delivery{ID: id(n), Topic: "t", Key: key, Keyed: key != "", Offset: s.offsets[0], Sum: Sum([]byte{byte(n)}), Label: l}
	for _, c := range change {
		c(&d)
	}
	s.offsets[0]++
	s.h.Delivered(d)
}

func (s *script) note(k Kind, epoch, wave int64, seqs ...int64) {
	s.journal.Entries = append(s.journal.Entries, Entry{k, epoch, wave, seqs})
}

func TestEachFaultIsFound(t *testing.T) {
	t.Parallel()
	w := func(epoch, wave, seq int64) Label { return Label{epoch, wave, seq} }
	tests := []struct {
		name string
		run  func(s *script)
		want Verdict
	}{
		{"everything once and in order", func(s *script) {
			s.tx(1, Committed, ev(1, "k", 1), ev(2, "k", 2))
			s.tx(2, RolledBack, ev(3, "k", 3))
			s.tx(3, Committed, ev(4, "k", 3), ev(5, "", 0))
			s.read(5, "", w(1, 1, 5))
			s.read(1, "k", w(1, 1, 1))
			s.read(2, "k", w(1, 1, 2))
			s.read(4, "k", w(1, 1, 4))
		}, Verdict{Committed: 4, Consumed: 4}},
		{"lost", func(s *script) {
			s.tx(1, Committed, ev(1, "k", 1), ev(2, "k", 2))
			s.read(1, "k", w(1, 1, 1))
		}, Verdict{Committed: 2, Consumed: 1, Lost: 1}},
		{"invented: rolled back", func(s *script) {
			s.tx(1, RolledBack, ev(1, "k", 1))
			s.read(1, "k", w(1, 1, 1))
		}, Verdict{Consumed: 1, Invented: 1}},
		{"invented: of a savepoint that was rolled back", func(s *script) {
			s.tx(1, Committed, ev(1, "k", 1, func(e *Event) { e.Dropped = true }), ev(2, "k", 2))
			s.read(1, "k", w(1, 1, 1))
			s.read(2, "k", w(1, 1, 2))
		}, Verdict{Committed: 1, Consumed: 2, Invented: 1}},
		{"invented: from nowhere", func(s *script) {
			s.read(1, "k", w(1, 1, 1))
		}, Verdict{Consumed: 1, Invented: 1}},
		{"reordered", func(s *script) {
			s.tx(1, Committed, ev(1, "k", 1), ev(2, "k", 2), ev(3, "k", 3))
			s.read(1, "k", w(1, 1, 1))
			s.read(3, "k", w(1, 1, 3))
			s.read(2, "k", w(1, 2, 2))
		}, Verdict{Committed: 3, Consumed: 3, Reordered: 1}},
		{"a delayed event has no order, but a time", func(s *script) {
			due := time.Unix(1000, 123_456_000)
			delayed := func(e *Event) { e.DeliverAt = due }
			at := func(at time.Time) func(*Delivery) { return func(d *Delivery) { d.At = at } }
			s.tx(1, Committed, ev(1, "k", 1, delayed), ev(2, "k", 2), ev(3, "k", 3, delayed))
			s.read(2, "k", w(1, 1, 2))
			s.read(1, "k", w(1, 1, 3), at(due.Truncate(time.Millisecond)))
			s.read(3, "k", w(1, 1, 4), at(due.Add(-time.Millisecond)))
		}, Verdict{Committed: 3, Consumed: 3, Corrupted: 1}},
		{"a repeat may come in any order", func(s *script) {
			s.tx(1, Committed, ev(1, "k", 1), ev(2, "k", 2))
			s.note(Sending, 1, 1, 1, 2)
			s.read(1, "k", w(1, 1, 1))
			s.read(2, "k", w(1, 1, 2))
			s.note(Sending, 2, 1, 1, 2)
			s.read(1, "k", w(2, 1, 1))
			s.read(2, "k", w(2, 1, 2))
		}, Verdict{Committed: 2, Consumed: 4, Duplicated: 2}},
		{"another partition", func(s *script) {
			s.tx(1, Committed, ev(1, "k", 1), ev(2, "k", 2))
			s.read(1, "k", w(1, 1, 1))
			s.read(2, "k", w(1, 1, 2), func(d *Delivery) { d.Partition = 1 })
		}, Verdict{Committed: 2, Consumed: 2, Reordered: 1}},
		{"no order without a key, nor around poison or what was replayed", func(s *script) {
			s.tx(1, Committed, ev(1, "", 1), ev(2, "", 2), ev(3, "k", 1, func(e *Event) { e.Poison = true }), ev(4, "k", 2), ev(5, "j", 1), ev(6, "j", 2))
			s.h.Spare(id(5))
			for _, n := range []uint64{2, 1} {
				s.read(n, "", w(1, 1, int64(n)))
			}
			s.read(4, "k", w(1, 1, 4))
			s.read(3, "k", w(1, 2, 3))
			s.read(6, "j", w(1, 3, 6))
			s.read(5, "j", w(1, 3, 5))
		}, Verdict{Committed: 6, Consumed: 6}},
		{"corrupted: value, key, topic", func(s *script) {
			s.tx(1, Committed, ev(1, "k", 1), ev(2, "k", 2), ev(3, "j", 1))
			s.read(1, "k", w(1, 1, 1), func(d *Delivery) { d.Sum++ })
			s.read(2, "x", w(1, 1, 2))
			s.read(3, "j", w(1, 1, 3), func(d *Delivery) { d.Topic = "u" })
		}, Verdict{Committed: 3, Consumed: 3, Corrupted: 3}},
		{"unexplained: settled by an earlier term", func(s *script) {
			s.tx(1, Committed, ev(1, "k", 1))
			s.note(Sending, 1, 1, 1)
			s.note(Acked, 1, 1, 1)
			s.note(Settled, 1, 0, 1)
			s.note(Sending, 2, 1, 1)
			s.read(1, "k", w(1, 1, 1))
			s.read(1, "k", w(2, 1, 1))
		}, Verdict{Committed: 1, Consumed: 2, Duplicated: 1, Unexplained: 1}},
		{"unexplained: acknowledged in the same term", func(s *script) {
			s.tx(1, Committed, ev(1, "k", 1))
			s.note(Sending, 1, 1, 1)
			s.note(Acked, 1, 1, 1)
			s.note(Sending, 1, 2, 1)
			s.read(1, "k", w(1, 1, 1))
			s.read(1, "k", w(1, 2, 1))
		}, Verdict{Committed: 1, Consumed: 2, Duplicated: 1, Unexplained: 1}},
		{"unexplained: twice in one wave", func(s *script) {
			s.tx(1, Committed, ev(1, "k", 1))
			s.note(Sending, 1, 1, 1)
			s.read(1, "k", w(1, 1, 1))
			s.read(1, "k", w(1, 1, 1))
		}, Verdict{Committed: 1, Consumed: 2, Duplicated: 1, Unexplained: 1}},
		{"unexplained: nobody tells of the wave", func(s *script) {
			s.tx(1, Committed, ev(1, "k", 1))
			s.read(1, "k", w(1, 1, 1))
			s.read(1, "k", w(1, 2, 1))
		}, Verdict{Committed: 1, Consumed: 2, Duplicated: 1, Unexplained: 1}},
		{"explained: the wave failed and was sent again", func(s *script) {
			s.tx(1, Committed, ev(1, "k", 1))
			s.note(Sending, 1, 1, 1)
			s.note(Acked, 1, 1)
			s.note(Sending, 1, 2, 1)
			s.note(Acked, 1, 2, 1)
			s.note(Settled, 1, 0, 1)
			s.read(1, "k", w(1, 1, 1))
			s.read(1, "k", w(1, 2, 1))
		}, Verdict{Committed: 1, Consumed: 2, Duplicated: 1}},
		{"explained: appended late, long after it was settled", func(s *script) {
			s.tx(1, Committed, ev(1, "k", 1))
			s.note(Sending, 1, 1, 1)
			s.note(Sending, 2, 1, 1)
			s.note(Settled, 2, 0, 1)
			s.read(1, "k", w(2, 1, 1))
			s.read(1, "k", w(1, 1, 1))
		}, Verdict{Committed: 1, Consumed: 2, Duplicated: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newScript()
			tt.run(s)
			got := s.h.Judge([]Journal{s.journal})
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(Verdict{}, "Problems"), cmpopts.IgnoreUnexported(Verdict{})); diff != "" {
				t.Errorf("verdict (-want +got):\n%s\n%q", diff, got.Problems)
			}
			if faults := got.Lost + got.Invented + got.Reordered + got.Corrupted + got.Unexplained; int64(len(got.Problems)) != faults || got.Zero() != (faults == 0) {
				t.Errorf("%d faults, Zero is %v, problems are %q", faults, got.Zero(), got.Problems)
			}
		})
	}
}

func TestResolveFindsWhatTheWriterWasToldWrongly(t *testing.T) {
	t.Parallel()
	s := newScript()
	s.tx(1, Committed, ev(1, "k", 1))
	s.tx(2, Unknown, ev(2, "k", 2))
	s.tx(3, Unknown, ev(3, "k", 2))
	s.tx(4, RolledBack, ev(4, "k", 3))
	s.tx(5, Committed, ev(5, "k", 4))
	broken := s.h.Resolve(map[uuid.UUID]bool{id(1001): true, id(1002): true, id(1004): true})
	want := []uuid.UUID{id(1004), id(1005)}
	if diff := cmp.Diff(want, broken, cmpopts.SortSlices(func(a, b uuid.UUID) bool { return a.String() < b.String() })); diff != "" {
		t.Errorf("broken promises of InTx (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Tally{Committed: 3}, s.h.Tally()); diff != "" {
		t.Errorf("tally (-want +got):\n%s", diff)
	}
}

func TestJournalSurvivesBeingCut(t *testing.T) {
	t.Parallel()
	want := Journal{[]Entry{{Sending, 1, 1, []int64{1, 2, 30}}, {Acked, 1, 1, nil}, {Settled, 2, 0, []int64{5}}}}
	var text bytes.Buffer
	for _, e := range want.Entries {
		if err := json.NewEncoder(&text).Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	text.WriteString(`{"Kind":"sending","Epoch":3,"Seqs":[4,`)
	got, err := ReadJournal(&text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
}
