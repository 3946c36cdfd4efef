// Package metrics exports metrics of a relay to Prometheus.
//
//	reg := prometheus.NewRegistry()
//	m := metrics.New("orders")
//	reg.MustRegister(m)
//	r, err := relay.New(relay.Config{Observer: m, …})
//
// Every metric has the label outbox. Only the leader knows the numbers of the outbox: its
// rows, held keys and paused topics. Other instances do not export these metrics, because
// a 0 would be false. So a query takes the maximum over the instances:
//
//	max by (outbox) (outbox_queue_depth)
package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// Metrics is a relay.Observer and a prometheus.Collector. Create one for each relay. It
// is safe for concurrent use.
type Metrics struct {
	always *prometheus.Registry // what every instance exports
	lease  *prometheus.Registry // what every instance exports, once it has read the lease
	rows   *prometheus.Registry // what the leader exports, once it has counted the rows
	state  *prometheus.Registry // what the leader exports, once it has reported its status

	mu       sync.Mutex
	known    bool // the epoch
	leads    bool
	counted  bool
	reported bool

	queueDepth prometheus.Gauge
	added      prometheus.Counter
	published  prometheus.Counter
	failed     prometheus.Counter
	errors     *prometheus.CounterVec
	age        prometheus.Histogram
	processing prometheus.Histogram

	oldest      prometheus.Gauge
	leader      prometheus.Gauge
	epoch       prometheus.Gauge
	heldKeys    prometheus.Gauge
	heldRows    prometheus.Gauge
	paused      prometheus.Gauge
	stopped     prometheus.Gauge
	setAside    prometheus.Gauge
	dead        prometheus.Gauge
	deadLetters prometheus.Counter
	inFlight    prometheus.Gauge
	unsettled   prometheus.Gauge
	leftOut     prometheus.Counter
	delayed     prometheus.Gauge
	delayedIn   prometheus.Gauge
}

// New returns the metrics of one outbox. outbox is the value of the label.
func New(outbox string) *Metrics {
	always, lease, rows, state := prometheus.NewRegistry(), prometheus.NewRegistry(), prometheus.NewRegistry(), prometheus.NewRegistry()
	to := func(r *prometheus.Registry) promauto.Factory {
		return promauto.With(prometheus.WrapRegistererWith(prometheus.Labels{"outbox": outbox}, r))
	}
	add := to(always)
	gauge := func(r *prometheus.Registry, name, help string) prometheus.Gauge {
		return to(r).NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return add.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return add.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	}
	return &Metrics{
		always: always, lease: lease, rows: rows, state: state,

		queueDepth: gauge(rows, "outbox_queue_depth", "Committed rows that are not published yet. The count stops at 100,001, which means more."),
		added:      counter("outbox_events_added_total", "Rows that this relay has read for the first time in a term."),
		published:  counter("outbox_events_published_total", "Rows recorded as published."),
		failed:     counter("outbox_events_failed_total", "Failed attempts that count against a row."),
		errors: add.NewCounterVec(prometheus.CounterOpts{
			Name: "outbox_relay_errors_total",
			Help: "Failures by where they happened (store, count, lease, send, topics, open, wake, panic) and by class (what they concern).",
		}, []string{"where", "class"}),
		age: histogram("outbox_event_age_seconds", "Time from a row's created_at to Kafka's acknowledgement, by the relay's wall clock.",
			[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600}),
		processing: histogram("outbox_relay_processing_seconds", "Time from sending a wave until each of its rows was acknowledged or had failed.",
			prometheus.ExponentialBuckets(0.0005, 2, 16)),
		oldest:      gauge(rows, "outbox_oldest_event_age_seconds", "Age of the oldest row that is not published yet, without topics that operators have paused."),
		leader:      gauge(always, "outbox_relay_leader", "1 while this instance leads the outbox."),
		epoch:       gauge(lease, "outbox_relay_epoch", "Epoch of the lease: it rises with each take-over."),
		heldKeys:    gauge(state, "outbox_held_keys", "Keys whose rows wait for an earlier one that failed."),
		heldRows:    gauge(rows, "outbox_retrying_rows", "Rows that wait for their next attempt. The count stops at 100,001, which means more."),
		stopped:     gauge(state, "outbox_operator_pauses", "Pauses of topics by operators that the leader obeys; one of all topics counts as one."),
		paused:      gauge(state, "outbox_paused_topics", "Topics that cannot be written now."),
		setAside:    gauge(state, "outbox_partitions_set_aside", "Partitions that cannot be written now."),
		dead:        gauge(rows, "outbox_dead_letters", "Dead rows that were not replayed or discarded. The count stops at 100,001, which means more."),
		deadLetters: counter("outbox_events_dead_total", "Rows that became dead."),
		inFlight:    gauge(state, "outbox_relay_in_flight_rows", "Rows that are being sent."),
		leftOut:     counter("outbox_headers_left_out_total", "Headers that could not be taken from event_data of rows whose column headers is null."),
		delayed:     gauge(rows, "outbox_delayed_events", "Delayed events that wait for their time. The count stops at 100,001, which means more."),
		delayedIn:   gauge(rows, "outbox_delayed_next_seconds", "Time until the next delayed event is due; negative: it is overdue; 0 if none waits."),
		unsettled:   gauge(state, "outbox_relay_unsettled_rows", "Rows that were sent and whose outcome is not recorded yet."),
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	m.always.Describe(ch)
	m.lease.Describe(ch)
	m.rows.Describe(ch)
	m.state.Describe(ch)
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.always.Collect(ch)
	if m.known {
		m.lease.Collect(ch)
	}
	if m.counted {
		m.rows.Collect(ch)
	}
	if m.reported {
		m.state.Collect(ch)
	}
}

// Read implements relay.Observer.
func (m *Metrics) Read(rows int) { m.added.Add(float64(rows)) }

// HeadersLeftOut implements relay.Observer.
func (m *Metrics) HeadersLeftOut(headers int) { m.leftOut.Add(float64(headers)) }

// Wave implements relay.Observer.
func (m *Metrics) Wave(w relay.WaveReport) {
	m.processing.Observe(w.Took.Seconds())
	for _, age := range w.Ages {
		m.age.Observe(max(0, age.Seconds()))
	}
}

// Settled implements relay.Observer.
func (m *Metrics) Settled(s relay.Settled) {
	m.published.Add(float64(s.Published))
	m.failed.Add(float64(s.Failed))
	m.deadLetters.Add(float64(s.Dead))
}

// Failed implements relay.Observer. When the rows cannot be counted, their former numbers
// are no longer exported.
func (m *Metrics) Failed(what string, class relay.Class, _ error) {
	m.errors.WithLabelValues(what, class.String()).Inc()
	if what == "count" {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.counted = false
	}
}

// Term implements relay.Observer. When a term ends, the numbers of the outbox are no
// longer exported.
func (m *Metrics) Term(leader bool, epoch int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leads, m.counted, m.reported = leader, false, false
	m.setEpoch(epoch)
	m.leader.Set(0)
	if leader {
		m.leader.Set(1)
	}
}

// setEpoch sets the epoch of the lease. It is 0 before the lease was read.
func (m *Metrics) setEpoch(epoch int64) {
	m.known = epoch > 0
	m.epoch.Set(float64(epoch))
}

// Stats implements relay.Observer.
func (m *Metrics) Stats(s relay.Stats) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counted = m.leads
	m.queueDepth.Set(float64(s.Pending))
	m.heldRows.Set(float64(s.Held))
	m.dead.Set(float64(s.Dead))
	m.delayed.Set(float64(s.Delayed))
	m.delayedIn.Set(s.DelayedIn.Round(time.Millisecond).Seconds())
	m.oldest.Set(s.OldestAge.Round(time.Millisecond).Seconds())
}

// Status implements relay.Observer.
func (m *Metrics) Status(s relay.Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reported = m.leads
	m.setEpoch(s.Epoch)
	m.heldKeys.Set(float64(s.HeldKeys))
	m.paused.Set(float64(s.PausedTopicCount))
	m.stopped.Set(float64(s.OperatorPauseCount))
	m.setAside.Set(float64(s.SetAsideCount))
	m.inFlight.Set(float64(s.InFlight))
	m.unsettled.Set(float64(s.Unsettled))
}

var (
	_ relay.Observer       = (*Metrics)(nil)
	_ prometheus.Collector = (*Metrics)(nil)
)
