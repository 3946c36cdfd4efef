// Package metrics exposes what a relay does to Prometheus, under the names that
// operators of outboxes already chart.
//
//	outbox_queue_depth                 gauge      rows neither published nor dead, 100,001 at most
//	outbox_oldest_event_age_seconds    gauge      age of the oldest of them
//	outbox_held_rows                   gauge      rows that failed and wait for their next attempt
//	outbox_dead_letters                gauge      rows that were given up
//	outbox_events_added_total          counter    rows that the relay read
//	outbox_events_published_total      counter    rows recorded as published
//	outbox_events_failed_total         counter    failures counted against a row; given_up says whether it is dead now
//	outbox_relay_errors_total          counter    every failure, by where it happened and whom it concerns
//	outbox_event_age_seconds           histogram  from the row's insert to Kafka's acknowledgement
//	outbox_relay_processing_seconds    histogram  how long a wave took
//	outbox_relay_leader                gauge      1 while this instance leads
//	outbox_relay_terms_total           counter    terms that this instance began
//	outbox_relay_held_keys             gauge      keys that wait behind a failed row
//	outbox_relay_paused_topics         gauge      topics that cannot be written now
//	outbox_relay_set_aside_partitions  gauge      partitions that are set aside
//
// Every metric has the label outbox. The first four are read from the table by
// the leader and are absent from the others.
package metrics

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// Observer is a relay.Observer that counts. It is safe for concurrent use.
type Observer struct {
	depth, oldest, heldRows, dead      *prometheus.GaugeVec
	added, published                   prometheus.Counter
	failed                             *prometheus.CounterVec
	failures                           *prometheus.CounterVec
	age, processing                    prometheus.Histogram
	leader, heldKeys, paused, setAside prometheus.Gauge
	terms                              prometheus.Counter
}

// New registers the metrics of one outbox and returns their observer, for
// relay.Config.Observer. The error says which metric could not be registered:
// two relays of one process need names of their own.
func New(registry prometheus.Registerer, outbox string) (*Observer, error) {
	r := &registrar{prometheus.WrapRegistererWith(prometheus.Labels{"outbox": outbox}, registry), nil}
	o := &Observer{
		depth:     r.tableGauge("outbox_queue_depth", "Rows neither published nor dead, 100001 at most."),
		oldest:    r.tableGauge("outbox_oldest_event_age_seconds", "Age of the oldest row neither published nor dead."),
		heldRows:  r.tableGauge("outbox_held_rows", "Rows that failed and wait for their next attempt."),
		dead:      r.tableGauge("outbox_dead_letters", "Rows that were given up."),
		added:     r.counter("outbox_events_added_total", "Rows that the relay read."),
		published: r.counter("outbox_events_published_total", "Rows recorded as published."),
		failed: r.counterVec("outbox_events_failed_total",
			"Failures counted against a row; given_up says whether the row is dead now.", "given_up"),
		failures: r.counterVec("outbox_relay_errors_total",
			"Every failure that the relay met, by where it happened and whom it concerns.", "where", "class"),
		age: r.histogram("outbox_event_age_seconds", "From the row's insert to Kafka's acknowledgement.",
			prometheus.ExponentialBuckets(0.001, 2, 20)),
		processing: r.histogram("outbox_relay_processing_seconds", "How long a wave took.",
			prometheus.ExponentialBuckets(0.0005, 2, 16)),
		leader:   r.gauge("outbox_relay_leader", "1 while this instance leads."),
		terms:    r.counter("outbox_relay_terms_total", "Terms that this instance began."),
		heldKeys: r.gauge("outbox_relay_held_keys", "Keys that wait behind a failed row."),
		paused:   r.gauge("outbox_relay_paused_topics", "Topics that cannot be written now."),
		setAside: r.gauge("outbox_relay_set_aside_partitions", "Partitions that are set aside."),
	}
	for _, givenUp := range []bool{false, true} {
		o.failed.WithLabelValues(strconv.FormatBool(givenUp))
	}
	if err := errors.Join(r.problems...); err != nil {
		return nil, fmt.Errorf("metrics of outbox %s: %w", outbox, err)
	}
	return o, nil
}

// Read implements relay.Observer.
func (o *Observer) Read(rows int) { o.added.Add(float64(rows)) }

// Wave implements relay.Observer.
func (o *Observer) Wave(w relay.WaveReport) {
	o.processing.Observe(w.Took.Seconds())
	for _, age := range w.Ages {
		o.age.Observe(age.Seconds())
	}
}

// Settled implements relay.Observer.
func (o *Observer) Settled(s relay.Settled) {
	o.published.Add(float64(s.Published))
	o.failed.WithLabelValues("false").Add(float64(s.Failed))
	o.failed.WithLabelValues("true").Add(float64(s.Dead))
}

// Failed implements relay.Observer.
func (o *Observer) Failed(where string, class relay.Class, _ error) {
	o.failures.WithLabelValues(where, class.String()).Inc()
}

// Term implements relay.Observer.
func (o *Observer) Term(leader bool, _ int64) {
	if leader {
		o.leader.Set(1)
		o.terms.Inc()
		return
	}
	o.leader.Set(0)
	// Only the leader asks the table; what it said last is not true for long.
	for _, gauge := range []*prometheus.GaugeVec{o.depth, o.oldest, o.heldRows, o.dead} {
		gauge.Reset()
	}
}

// Stats implements relay.Observer.
func (o *Observer) Stats(s relay.Stats) {
	o.depth.WithLabelValues().Set(float64(s.Pending))
	o.oldest.WithLabelValues().Set(s.OldestAge.Seconds())
	o.heldRows.WithLabelValues().Set(float64(s.Held))
	o.dead.WithLabelValues().Set(float64(s.Dead))
}

// Status implements relay.Observer.
func (o *Observer) Status(s relay.Status) {
	o.heldKeys.Set(float64(s.HeldKeys))
	o.paused.Set(float64(len(s.PausedTopics)))
	o.setAside.Set(float64(len(s.SetAside)))
}

// registrar makes and registers metrics, and keeps what went wrong.
type registrar struct {
	registry prometheus.Registerer
	problems []error
}

func register[C prometheus.Collector](r *registrar, c C) C {
	if err := r.registry.Register(c); err != nil {
		r.problems = append(r.problems, err)
	}
	return c
}

// tableGauge is a gauge that can be absent.
func (r *registrar) tableGauge(name, help string) *prometheus.GaugeVec {
	return register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, nil))
}

func (r *registrar) gauge(name, help string) prometheus.Gauge {
	return register(r, prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help}))
}

func (r *registrar) counter(name, help string) prometheus.Counter {
	return register(r, prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help}))
}

func (r *registrar) counterVec(name, help string, labels ...string) *prometheus.CounterVec {
	return register(r, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
}

func (r *registrar) histogram(name, help string, buckets []float64) prometheus.Histogram {
	return register(r, prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}))
}
