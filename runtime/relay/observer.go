package relay

import "time"

// Observer gets reports of what a relay does, for metrics (package relay/metrics) and
// for programs that embed a relay. Methods must return quickly and must not keep the
// slices of their arguments. Several goroutines call them. A panic of a method is
// logged and counted, and has no other effect.
type Observer interface {
	// Read reports the number of rows in a page of the backlog or of a tick.
	Read(rows int)
	// HeadersLeftOut reports how many headers the rows of such a page should have given
	// to their records, and could not be taken from their data: see "Rows without
	// headers" in the package documentation. headers is never 0.
	HeadersLeftOut(headers int)
	// Wave reports a wave after it was sent.
	Wave(w WaveReport)
	// Settled reports a settlement that succeeded.
	Settled(s Settled)
	// Failed reports a failure and its class. what is where it happened: "store",
	// "count" (Store.Stats), "lease", "send", "topics", "open", "wake", or "panic" for a
	// panic of code that the relay was given.
	Failed(what string, class Class, err error)
	// Term reports that a term begins (leader is true) or ends.
	Term(leader bool, epoch int64)
	// Stats reports the store's statistics.
	Stats(s Stats)
	// Status reports the status when held keys, paused topics or partitions set aside
	// have changed, and every few seconds.
	Status(s Status)
}

// WaveReport describes one wave.
type WaveReport struct {
	Rows, Acked int
	Bytes       int64
	Took        time.Duration
	// Ages has, for each acknowledged row, the time since it was inserted, by this
	// machine's wall clock.
	Ages []time.Duration
}

// Settled counts the rows of a settlement by outcome.
type Settled struct {
	Published, Failed, Dead int
}

// NopObserver is an Observer that does nothing. Embed it to implement only some
// methods.
type NopObserver struct{}

// Read does nothing.
func (NopObserver) Read(int) {}

// HeadersLeftOut does nothing.
func (NopObserver) HeadersLeftOut(int) {}

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
