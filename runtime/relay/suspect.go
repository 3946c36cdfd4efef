package relay

// suspect knows which row the lease row names as one that may kill the relay, and which
// row it should name.
type suspect struct {
	inherited int64 // the row that the last leader had named; 0: none
	unclean   bool  // the last leader did not end cleanly
	judged    bool  // the outcome of the inherited row is recorded

	named   int64 // in the lease row
	want    int64
	singles int // rows still to be named and sent alone
}

// uncleanEndsBeforeSuspicion is how many take-overs after an unclean end, without
// progress in between, make a leader suspect that a row kills it.
const uncleanEndsBeforeSuspicion = 3

// unknownName stands for the named row until a renewal that changes it is answered.
const unknownName = -1

func newSuspect(lease Lease, waveRows int) suspect {
	s := suspect{
		inherited: lease.Suspect, unclean: lease.UncleanEnds > 0, judged: lease.Suspect == 0,
		named: lease.Suspect, want: lease.Suspect,
	}
	if lease.UncleanEnds >= uncleanEndsBeforeSuspicion {
		s.singles = waveRows
	}
	return s
}

// searching reports whether rows are sent one by one to find the one that kills.
func (s *suspect) searching() bool { return s.singles > 0 }

// alone reports whether a row has to be named in the lease row and sent alone, because
// it may have killed an earlier leader.
func (s *suspect) alone(e *entry) bool { return s.searching() || s.unclean && e.row.RetryCount > 0 }

// mayGo reports whether the lease row names the right row for a wave that begins with
// e: e if it has to be alone, else none.
func (s *suspect) mayGo(e *entry) bool {
	if !s.alone(e) {
		if s.named == 0 {
			return true
		}
		s.want = 0 // or a death would be counted against the row that is still named
		return false
	}
	if s.named == e.row.Seq {
		return true
	}
	s.want = e.row.Seq
	return false
}

// toName reports whether the lease row has to name another row.
func (s *suspect) toName() bool { return s.want != s.named }

// naming records that a renewal is sent; told records that it succeeded.
func (s *suspect) naming() int64 {
	if s.toName() {
		s.named = unknownName
	}
	return s.want
}

func (s *suspect) told(named int64) { s.named = named }

// landed records that a wave is resolved.
func (s *suspect) landed(w *wave) {
	if s.searching() {
		s.singles--
	}
	if w.rows == 1 && s.want == w.batches[0].rows[0].row.Seq {
		s.want = 0
	}
}

// failureSettled records that a failure is settled.
func (s *suspect) failureSettled(seq int64) {
	if !s.judged && seq == s.inherited {
		s.judge()
	}
}

// judge records that the death of the last leader is dealt with.
func (s *suspect) judge() {
	s.judged = true
	if s.want == s.inherited {
		s.want = 0
	}
}
