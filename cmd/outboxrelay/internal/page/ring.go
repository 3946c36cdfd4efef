package page

import (
	"math"
	"time"
)

// sample is what is known about an outbox at one time. A number that is not known is NaN.
type sample struct {
	at                          time.Time
	rate, pending, oldest, dead float64
}

// ring keeps the latest samples, at most size.
type ring struct {
	size  int
	first int
	list  []sample
}

func (r *ring) add(s sample) {
	if len(r.list) < r.size {
		r.list = append(r.list, s)
		return
	}
	r.list[r.first] = s
	r.first = (r.first + 1) % r.size
}

// samples returns the samples in their order.
func (r *ring) samples() []sample {
	out := make([]sample, 0, len(r.list))
	out = append(out, r.list[r.first:]...)
	return append(out, r.list[:r.first]...)
}

const (
	// sampleEvery is the time between two samples of the last hour, and daySteps the number
	// of them that become one sample of the last days.
	sampleEvery = 10 * time.Second
	daySteps    = 60
	hourSamples = int(time.Hour / sampleEvery)
	daySamples  = int(7 * 24 * time.Hour / (sampleEvery * daySteps))
)

// history has the samples of one outbox since the process has known it.
type history struct {
	since time.Time
	hour  ring
	days  ring
	step  []sample // that will become one of the last days
}

func newHistory(since time.Time) *history {
	return &history{since: since, hour: ring{size: hourSamples}, days: ring{size: daySamples}}
}

func (h *history) add(s sample) {
	h.hour.add(s)
	if h.step = append(h.step, s); len(h.step) == daySteps {
		h.days.add(summary(h.step))
		h.step = h.step[:0]
	}
}

// summary returns one sample for several: the mean throughput, and the highest of the
// other numbers, so that a short problem is seen in a plot of days.
func summary(list []sample) sample {
	out := sample{at: list[len(list)-1].at, rate: math.NaN(), pending: math.NaN(), oldest: math.NaN(), dead: math.NaN()}
	sum, known := 0.0, 0
	for _, s := range list {
		if !math.IsNaN(s.rate) {
			sum += s.rate
			known++
		}
		out.pending, out.oldest, out.dead = higher(out.pending, s.pending), higher(out.oldest, s.oldest), higher(out.dead, s.dead)
	}
	if known > 0 {
		out.rate = sum / float64(known)
	}
	return out
}

// higher returns the higher of two numbers that may be unknown.
func higher(a, b float64) float64 {
	switch {
	case math.IsNaN(a):
		return b
	case math.IsNaN(b):
		return a
	}
	return max(a, b)
}
