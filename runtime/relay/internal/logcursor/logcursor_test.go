package logcursor_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/relay/internal/logcursor"
)

func rows(seqs ...int64) []logcursor.Row {
	out := make([]logcursor.Row, len(seqs))
	for i, seq := range seqs {
		out[i] = logcursor.Row{Seq: seq, Topic: "orders"}
	}
	return out
}

// store writes the cursor and returns it.
func store(w *logcursor.Window) logcursor.Cursor {
	p := w.Position()
	w.Stored(p)
	return p.Cursor
}

// note notes a page of which no two rows have the same number.
func note(t *testing.T, w *logcursor.Window, after int64, rows []logcursor.Row, end int64, more bool) []bool {
	t.Helper()
	unsettled, err := w.Note(after, rows, end, more)
	if err != nil {
		t.Fatal(err)
	}
	return unsettled
}

func settle(w *logcursor.Window, seqs ...int64) []int64 {
	rest, _ := w.Settle(seqs)
	return rest
}

// want compares the cursor with the one that is expected.
func want(t *testing.T, when string, w *logcursor.Window, c logcursor.Cursor) {
	t.Helper()
	if d := cmp.Diff(c, store(w)); d != "" {
		t.Errorf("the cursor %s (-want +got): %s", when, d)
	}
}

func TestTheCursorStopsAtARowThatIsNotSettled(t *testing.T) {
	w := logcursor.New(logcursor.Cursor{Base: "s0"})
	w.Begin("s1")
	want(t, "before anything was read", w, logcursor.Cursor{Base: "s0", Shown: "s1"})
	note(t, w, 0, rows(1, 2, 3), 3, true)
	settle(w, 1, 3)
	want(t, "with a gap", w, logcursor.Cursor{Base: "s0", Shown: "s1", Seq: 1, Ahead: []int64{3}})
	note(t, w, 3, rows(5), 9, false)
	settle(w, 2)
	want(t, "without a gap", w, logcursor.Cursor{Base: "s0", Shown: "s1", Seq: 4})
	settle(w, 5)
	want(t, "after the tick", w, logcursor.Cursor{Base: "s1"})
	if err := w.Open("s2"); err != nil {
		t.Fatal(err)
	}
	note(t, w, 0, rows(4, 10), 12, false)
	settle(w, 10)
	want(t, "in the next tick", w, logcursor.Cursor{Base: "s1", Shown: "s2", Seq: 3, Ahead: []int64{10}})
}

// A term reads what its own snapshot shows and the former cursor has not passed. Until all rows
// up to the former place are settled, a place in the backlog would say nothing about those that
// the former term has settled, so the former place is written.
func TestATermContinuesWhereTheLastOneEnded(t *testing.T) {
	former := logcursor.Cursor{Base: "s0", Shown: "s1", Seq: 5, Ahead: []int64{7, 9}}
	w := logcursor.New(former)
	if first := w.First(); first != "" {
		t.Fatalf("the term begins with %q", first)
	}
	want(t, "before it begins", w, former)
	w.Begin("s2")
	if first := w.First(); first != "s2" {
		t.Errorf("the first snapshot, asked for again, is %q", first)
	}
	if shown, seq := w.Passed(); shown != "s1" || seq != 5 {
		t.Errorf("passed is what %q shows up to %d", shown, seq)
	}
	unsettled := note(t, w, 0, rows(3, 4, 6, 7, 8), 8, true) // 3 and 4 were committed after s1
	if d := cmp.Diff([]bool{true, true, true, false, true}, unsettled); d != "" {
		t.Errorf("unsettled (-want +got): %s", d)
	}
	settle(w, 4, 8)
	want(t, "while it is behind the former place", w, logcursor.Cursor{Base: "s0", Shown: "s1", Seq: 5, Ahead: []int64{4, 7, 8, 9}})
	settle(w, 3)
	want(t, "when it has reached the former place", w, logcursor.Cursor{Base: "s0", Shown: "s2", Seq: 5, Ahead: []int64{7, 8, 9}})
	note(t, w, 8, rows(9), 9, false)
	if first := w.First(); first != "" {
		t.Errorf("after the backlog the term has to take %q", first)
	}
	settle(w, 6)
	want(t, "after the backlog", w, logcursor.Cursor{Base: "s2"})
	if err := w.Open("s3"); err != nil {
		t.Fatal(err)
	}
	if shown, _ := w.Passed(); shown != "" {
		t.Errorf("of the next tick is passed what %q shows", shown)
	}
}

// The answer with a page may be lost, and the cursor may pass its rows before it comes again.
func TestAPageComesAgain(t *testing.T) {
	w := logcursor.New(logcursor.Cursor{Base: "s0"})
	w.Begin("s1")
	note(t, w, 0, rows(1, 2), 2, true)
	settle(w, 1)
	store(w)
	if d := cmp.Diff([]bool{false, true}, note(t, w, 0, rows(1, 2), 2, true)); d != "" {
		t.Errorf("unsettled (-want +got): %s", d)
	}
	note(t, w, 2, rows(3), 3, false)
	settle(w, 2, 3)
	want(t, "after the tick", w, logcursor.Cursor{Base: "s1"})
	if d := cmp.Diff([]bool{false}, note(t, w, 2, rows(3), 3, false)); d != "" {
		t.Errorf("unsettled after the tick (-want +got): %s", d)
	}
	want(t, "after the page came again", w, logcursor.Cursor{Base: "s1"})
}

func TestRowsAreSetAside(t *testing.T) {
	w := logcursor.New(logcursor.Cursor{Base: "s0"})
	w.Begin("s1")
	note(t, w, 0, rows(1, 2, 3, 4, 5, 6), 6, true)
	settle(w, 2)
	w.SetAside(6, 6)
	w.SetAside(5, 0) // their page was read, and its answer may be lost
	if p := w.Position(); len(p.Late) > 0 {
		t.Errorf("%v were set aside without need", p.Late)
	}
	w.SetAside(5, 6)
	p := w.Position()
	if d := cmp.Diff(rows(1, 3), p.Late); d != "" {
		t.Errorf("set aside (-want +got): %s", d)
	}
	if d := cmp.Diff(logcursor.Cursor{Base: "s0", Shown: "s1", Seq: 3}, p.Cursor); d != "" {
		t.Errorf("the cursor (-want +got): %s", d)
	}
	// The write fails. The rows are still read again.
	if d := cmp.Diff(rows(1, 3, 4, 5, 6), w.Unsettled("orders", nil, 0, 9)); d != "" {
		t.Errorf("unsettled (-want +got): %s", d)
	}
	// A row that is settled meanwhile needs no entry, and one may be there.
	if d := cmp.Diff([]int64{3}, settle(w, 3, 4)); d != "" {
		t.Errorf("settled elsewhere (-want +got): %s", d)
	}
	p = w.Position()
	if d := cmp.Diff(rows(1), p.Late); d != "" {
		t.Errorf("set aside, again (-want +got): %s", d)
	}
	w.Stored(p)
	if late := w.Position().Late; len(late) > 0 {
		t.Errorf("%v are noted again", late)
	}
}

func TestAFailureThatWasNotRecordedIsTakenBack(t *testing.T) {
	w := logcursor.New(logcursor.Cursor{Base: "s0"})
	w.Begin("s1")
	note(t, w, 0, rows(1, 2), 2, true)
	note(t, w, 9, rows(10), 10, true) // a look ahead
	before := w.Position()
	_, undo := w.Settle([]int64{1, 10})
	if d := cmp.Diff(logcursor.Cursor{Base: "s0", Shown: "s1", Seq: 1, Ahead: []int64{10}}, w.Position().Cursor); d != "" {
		t.Errorf("the cursor (-want +got): %s", d)
	}
	undo()
	if d := cmp.Diff(before.Cursor, w.Position().Cursor); d != "" {
		t.Errorf("the cursor, taken back (-want +got): %s", d)
	}
	if rest := settle(w, 1, 10); len(rest) > 0 {
		t.Errorf("%v are not known any more", rest)
	}
}

// Ticks without rows take no room while a row waits.
func TestEmptyTicksAreMerged(t *testing.T) {
	w := logcursor.New(logcursor.Cursor{Base: "s0"})
	w.Begin("s1")
	note(t, w, 0, rows(1), 1, false)
	for _, to := range []string{"s2", "s3", "s4"} {
		if err := w.Open(to); err != nil {
			t.Fatal(err)
		}
		note(t, w, 0, nil, 5, false)
	}
	want(t, "while the row waits", w, logcursor.Cursor{Base: "s0", Shown: "s4"})
	settle(w, 1)
	want(t, "after it was settled", w, logcursor.Cursor{Base: "s4"})
}

func TestATickBeginsAfterTheLastOneWasRead(t *testing.T) {
	w := logcursor.New(logcursor.Cursor{Base: "s0"})
	w.Begin("s1")
	note(t, w, 0, rows(1), 1, true)
	if err := w.Open("s2"); err == nil {
		t.Error("a tick begins before the backlog was read")
	}
}

func TestUnsettled(t *testing.T) {
	w := logcursor.New(logcursor.Cursor{Base: "s0"})
	w.Begin("s1")
	read := rows(1, 2, 5, 6)
	read[1].Topic, read[2].Key = "other", 7
	note(t, w, 0, read, 6, false)
	if err := w.Open("s2"); err != nil {
		t.Fatal(err)
	}
	note(t, w, 0, rows(3, 4), 4, true)
	settle(w, 4)
	for _, c := range []struct {
		keys map[uint64]struct{}
		want []int64
	}{{nil, []int64{3, 5}}, {map[uint64]struct{}{7: {}}, []int64{5}}} {
		var got []int64
		for _, r := range w.Unsettled("orders", c.keys, 1, 5) {
			got = append(got, r.Seq)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("of keys %v (-want +got): %s", c.keys, d)
		}
	}
}

func TestEncode(t *testing.T) {
	many := make([]int64, 0, 40_000)
	for seq := int64(1 << 40); len(many) < cap(many); seq++ {
		if rand.IntN(2) == 0 {
			many = append(many, seq)
		}
	}
	for _, seqs := range [][]int64{nil, {1}, {63, 64}, {1, 1 << 62}, many} {
		packed := logcursor.Encode(seqs)
		got, err := logcursor.Decode(packed)
		if err != nil || !slices.Equal(seqs, got) {
			t.Errorf("%d seqs come back as %d, %v", len(seqs), len(got), err)
		}
		if len(seqs) == cap(many) && len(packed) > 15_000 {
			t.Errorf("%d seqs take %d bytes", len(seqs), len(packed))
		}
	}
	for _, damaged := range [][]byte{{0}, {0x80}, {1, 1, 2, 3}} {
		if _, err := logcursor.Decode(damaged); err == nil {
			t.Errorf("%x is taken for a list", damaged)
		}
	}
}

// Rows that wait are set aside if they keep the base from showing settled ones.
func TestRowsThatHoldUpTheBaseAreSetAside(t *testing.T) {
	w := logcursor.New(logcursor.Cursor{Base: "s0"})
	w.Begin("s1")
	note(t, w, 0, rows(1, 2, 3), 3, false)
	if err := w.Open("s2"); err != nil {
		t.Fatal(err)
	}
	note(t, w, 0, rows(5), 5, false)
	if first, _ := w.Holding(); first != 0 {
		t.Errorf("row %d holds up the base, and nothing is settled", first)
	}
	settle(w, 1)
	want(t, "while two rows wait", w, logcursor.Cursor{Base: "s0", Shown: "s1", Seq: 1})
	if first, last := w.Holding(); first != 2 || last != 3 {
		t.Errorf("row %d holds up the base, and %d is the last one; want 2 and 3", first, last)
	}
	w.SetAsideUpTo(2)
	p := w.Position()
	w.SetAsideUpTo(9)
	if d := cmp.Diff([][]logcursor.Row{rows(2), rows(2, 3)}, [][]logcursor.Row{p.Late, w.Position().Late}); d != "" {
		t.Errorf("set aside (-want +got): %s", d)
	}
	want(t, "after they were set aside", w, logcursor.Cursor{Base: "s1", Shown: "s2", Seq: 4})
}

// Two rows that are not settled have the same number: in one page, in one that was read before, or
// when they are read out of their turn.
func TestRowsOfOneNumber(t *testing.T) {
	row := func(seq int64, id byte) logcursor.Row { return logcursor.Row{Seq: seq, ID: [16]byte{id}} }
	for name, read := range map[string]func(w *logcursor.Window) error{
		"in a page": func(w *logcursor.Window) error {
			_, err := w.Note(2, []logcursor.Row{row(3, 3), row(3, 4)}, 3, false)
			return err
		},
		"in a former page":  func(w *logcursor.Window) error { _, err := w.Note(0, []logcursor.Row{row(1, 3)}, 9, false); return err },
		"peeked":            func(w *logcursor.Window) error { _, err := w.Peek([]logcursor.Row{row(2, 3)}); return err },
		"of a peeked one":   func(w *logcursor.Window) error { _, err := w.Note(2, []logcursor.Row{row(7, 3)}, 9, false); return err },
		"peeked two of one": func(w *logcursor.Window) error { _, err := w.Peek([]logcursor.Row{row(7, 3)}); return err },
		"of one that was set aside": func(w *logcursor.Window) error {
			w.SetAside(0, 9)
			_, err := w.Note(2, []logcursor.Row{row(1, 3)}, 9, false)
			return err
		},
		"of a former tick": func(w *logcursor.Window) error {
			note(t, w, 2, nil, 9, false)
			if err := w.Open("s2"); err != nil {
				return err
			}
			_, err := w.Note(0, []logcursor.Row{row(2, 3)}, 9, false)
			return err
		},
	} {
		w := logcursor.New(logcursor.Cursor{Base: "s0"})
		w.Begin("s1")
		note(t, w, 0, []logcursor.Row{row(1, 1), row(2, 2)}, 2, true)
		if _, err := w.Peek([]logcursor.Row{row(7, 7)}); err != nil {
			t.Fatal(err)
		}
		if id, is := w.ID(7); id != [16]byte{7} || !is {
			t.Errorf("row 7 has the id %v, %v", id, is)
		}
		if err := read(w); !errors.Is(err, logcursor.ErrTwice) {
			t.Errorf("two rows of one number, %s: %v", name, err)
		}
	}
	// The former row is settled.
	w := logcursor.New(logcursor.Cursor{Base: "s0"})
	w.Begin("s1")
	note(t, w, 0, []logcursor.Row{row(1, 1), row(2, 2)}, 2, false)
	settle(w, 2)
	if err := w.Open("s2"); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]bool{true}, note(t, w, 0, []logcursor.Row{row(2, 3)}, 9, false)); d != "" {
		t.Errorf("a row with the number of a settled one is unsettled (-want +got): %s", d)
	}
	// A settlement of it may come again.
	w.Asked([]int64{3})
	if err := w.Open("s3"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Note(0, []logcursor.Row{row(3, 4)}, 9, false); !errors.Is(err, logcursor.ErrTwice) {
		t.Errorf("a row with a number of the last settlement: %v", err)
	}
}

// A row has a copy, and is settled before it is read in its turn: in the former term, or in this one after
// it was read out of its turn. Then it is no other row with the same number.
func TestARowWithACopyIsReadInItsTurn(t *testing.T) {
	row := logcursor.Row{Seq: 5, ID: [16]byte{5}}
	for name, fails := range map[string]func(w *logcursor.Window){
		"failed in the former term": func(*logcursor.Window) {},
		"failed when it was read out of its turn": func(w *logcursor.Window) {
			if _, err := w.Peek([]logcursor.Row{row}); err != nil {
				t.Fatal(err)
			}
			w.Asked([]int64{5})
			settle(w, 5)
			w.Asked([]int64{1})
		},
	} {
		c := logcursor.Cursor{Base: "s0", Ahead: []int64{5}}
		if strings.Contains(name, "out of its turn") {
			c.Ahead = nil
		}
		w := logcursor.New(c)
		w.Begin("s1")
		fails(w)
		w.Asked([]int64{5}) // the copy was sent
		if d := cmp.Diff([]int64{5}, settle(w, 5)); d != "" {
			t.Errorf("settled elsewhere (-want +got): %s", d)
		}
		unsettled, err := w.Note(0, []logcursor.Row{row}, 9, false)
		if d := cmp.Diff([]bool{false}, unsettled); d != "" || err != nil {
			t.Errorf("a row that %s, in its turn: %v, unsettled (-want +got): %s", name, err, d)
		}
		// Another row of its number is noticed.
		if err := w.Open("s2"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Note(0, []logcursor.Row{{Seq: 5, ID: [16]byte{6}}}, 9, false); !errors.Is(err, logcursor.ErrTwice) {
			t.Errorf("another row with the number of one that %s: %v", name, err)
		}
	}
}

// Two settlements end while a page is read. The relay takes rows of that page for those that were
// settled, by their numbers, so another row with such a number is noticed: in its turn, and out of it.
func TestRowsOfNumbersThatWereSettledWhileAPageIsRead(t *testing.T) {
	row := func(seq int64, id byte) logcursor.Row { return logcursor.Row{Seq: seq, ID: [16]byte{id}} }
	settled := func() *logcursor.Window {
		w := logcursor.New(logcursor.Cursor{Base: "s0"})
		w.Begin("s1")
		note(t, w, 0, []logcursor.Row{row(6, 6), row(7, 7), row(8, 8)}, 9, false)
		w.Asked([]int64{6})
		settle(w, 6)
		if err := w.Open("s2"); err != nil {
			t.Fatal(err)
		}
		w.Asked([]int64{7})
		settle(w, 7)
		note(t, w, 0, []logcursor.Row{row(10, 10)}, 10, false) // before the relay has the answer about 7
		if err := w.Open("s3"); err != nil {
			t.Fatal(err)
		}
		w.Asked([]int64{8})
		settle(w, 8)
		w.Asked([]int64{10})
		settle(w, 10)
		return w
	}
	for seq, want := range map[int64]error{6: nil, 7: logcursor.ErrTwice, 8: logcursor.ErrTwice, 10: logcursor.ErrTwice} {
		if _, err := settled().Note(0, []logcursor.Row{row(seq, 99)}, 20, false); !errors.Is(err, want) {
			t.Errorf("another row %d: %v; want %v", seq, err, want)
		}
		if _, err := settled().Peek([]logcursor.Row{row(seq, 99)}); !errors.Is(err, want) {
			t.Errorf("another row %d, out of its turn: %v; want %v", seq, err, want)
		}
	}
	w := settled()
	note(t, w, 0, []logcursor.Row{row(11, 11)}, 20, true)
	note(t, w, 20, []logcursor.Row{row(21, 99)}, 22, true)
	if _, err := w.Note(22, []logcursor.Row{row(27, 99)}, 30, false); err != nil {
		t.Errorf("after pages were read, a row with another number: %v", err)
	}
}
