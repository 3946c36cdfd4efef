package relay

import "time"

// Observer is told what happens in a relay, for metrics (package relay/metrics)
// and for programs that embed one. Methods must return quickly, must not keep
// their arguments' slices, and are called from several goroutines. A panic of one
// is logged and counted, and changes nothing else.
type Observer interface {
	// Read is called with the number of rows that a page of the backlog or of a
	// tick brought.
	Read(rows int)
	// Wave is called after each wave.
	Wave(w WaveReport)
	// Settled is called after each settlement that took effect.
	Settled(s Settled)
	// Failed is called for every failure that the relay met, classified; what is
	// where it happened: "store", "lease", "send", "topics", "open", "wake", or
	// "panic" when code that the relay was given panicked.
	Failed(what string, class Class, err error)
	// Term is called when a term begins and when it ends.
	Term(leader bool, epoch int64)
	// Stats is called with the store's numbers.
	Stats(s Stats)
	// Status is called whenever held keys, paused topics or partitions set aside
	// changed, and with the numbers every few seconds.
	Status(s Status)
}

// WaveReport describes one wave.
type WaveReport struct {
	Rows, Acked int
	Bytes       int64
	Took        time.Duration
	// Ages has the time since each acknowledged row was inserted, by this
	// machine's wall clock.
	Ages []time.Duration
}

// Settled counts what a settlement recorded.
type Settled struct {
	Published, Failed, Dead int
}

// NopObserver ignores everything; embed it to implement a part of Observer.
type NopObserver struct{}

// Read does nothing.
func (NopObserver) Read(int) {}

// Wave does nothing.
func (NopObserver) Wave(WaveReport) {}

// Settled does nothing.
func (NopObserver) Settled(Settled) {}

// Failed does nothing.
func (NopObserver) Failed(string, Class, error) {}

// Term does nothing.
func (NopObserver) Term(bool, int64) {}

// Stats does nothing.
func (NopObserver) Stats(Stats) {}

// Status does nothing.
func (NopObserver) Status(Status) {}
