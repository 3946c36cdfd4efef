// Package metrics exports metrics of a consumer to Prometheus.
//
//	reg := prometheus.NewRegistry()
//	m := metrics.New("mailer")
//	reg.MustRegister(m)
//	err := kafka.Run(ctx, kafka.Config{Group: "mailer", Observer: m, …})
//
// Every metric has the label group.
package metrics

import (
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
)

// Metrics is a kafka.Observer and a prometheus.Collector. Create one for each consumer.
// It is safe for concurrent use.
type Metrics struct {
	all *prometheus.Registry

	handled      *prometheus.CounterVec
	failed       *prometheus.CounterVec
	retried      *prometheus.CounterVec
	skipped      *prometheus.CounterVec
	delayed      *prometheus.CounterVec
	deadLettered *prometheus.CounterVec
	duration     *prometheus.HistogramVec
	batches      *prometheus.HistogramVec
	age          *prometheus.HistogramVec

	lag             *prometheus.GaugeVec
	ready           prometheus.Gauge
	partitions      prometheus.Gauge
	bufferedRecords prometheus.Gauge
	bufferedBytes   prometheus.Gauge
	lost            prometheus.Counter
	panics          prometheus.Counter
	fetchErrors     prometheus.Counter

	mu   sync.Mutex
	last kafka.Stats // the numbers that the counters have so far
}

// New returns the metrics of a consumer. group is the value of the label.
func New(group string) *Metrics {
	all := prometheus.NewRegistry()
	add := promauto.With(prometheus.WrapRegistererWith(prometheus.Labels{"group": group}, all))
	gauge := func(name, help string) prometheus.Gauge {
		return add.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return add.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return add.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"topic"}, labels...))
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return add.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{"topic"})
	}
	return &Metrics{
		all:          all,
		handled:      counters("outbox_consumer_events_handled_total", "Records whose handler succeeded."),
		failed:       counters("outbox_consumer_events_failed_total", "Attempts that failed, panics included; an attempt is a call of a handler with a record or a batch."),
		retried:      counters("outbox_consumer_events_retried_total", "Attempts after the first one of a record or batch."),
		skipped:      counters("outbox_consumer_events_skipped_total", "Records that were skipped: no handler is registered (no_handler), the handler failed and GiveUp is Skip (failed), or the record was sent back for another group (other_group).", "reason"),
		delayed:      counters("outbox_consumer_events_delayed_total", "Records that failed and were stored in a retry topic."),
		deadLettered: counters("outbox_consumer_events_dead_lettered_total", "Records that could not be handled and were stored as dead letters."),
		duration: histogram("outbox_consumer_handler_seconds", "Duration of an attempt: decoding, middleware and handler.",
			prometheus.ExponentialBuckets(0.0005, 2, 18)),
		batches: histogram("outbox_consumer_batch_records", "Records in an attempt of a batch handler.",
			[]float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000}),
		age: histogram("outbox_consumer_event_age_seconds", "Time from a record's timestamp until the consumer was done with it, by this machine's wall clock.",
			[]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400}),
		lag: add.NewGaugeVec(prometheus.GaugeOpts{
			Name: "outbox_consumer_lag",
			Help: "Offsets from the next record to handle to the end of the partition. Only partitions of this member; read every 10 s.",
		}, []string{"topic", "partition"}),
		ready:           gauge("outbox_consumer_ready", "1 while the consumer is a member of its group and can read all topics."),
		partitions:      gauge("outbox_consumer_partitions", "Partitions of this member whose lag is known."),
		bufferedRecords: gauge("outbox_consumer_buffered_records", "Records in memory that are not handled yet."),
		bufferedBytes:   gauge("outbox_consumer_buffered_bytes", "Bytes of the records in memory that are not handled yet, as BufferBytes counts them."),
		lost:            counter("outbox_consumer_lost_records_total", "Offsets that were removed from the log before this group read them."),
		panics:          counter("outbox_consumer_panics_total", "Panics of handlers, decoders, the dead-letter function and the observer."),
		fetchErrors:     counter("outbox_consumer_fetch_errors_total", "Errors of fetching records."),
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) { m.all.Describe(ch) }

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) { m.all.Collect(ch) }

// Attempted implements kafka.Observer.
func (m *Metrics) Attempted(a kafka.Attempt) {
	topic := a.Record.Topic
	m.duration.WithLabelValues(topic).Observe(a.Took.Seconds())
	if a.Batch > 0 {
		m.batches.WithLabelValues(topic).Observe(float64(a.Batch))
	}
	if a.Number > 1 {
		m.retried.WithLabelValues(topic).Inc()
	}
	if a.Err != nil {
		m.failed.WithLabelValues(topic).Inc()
	}
}

// Finished implements kafka.Observer.
func (m *Metrics) Finished(f kafka.Finished) {
	topic := f.Record.Topic
	m.age.WithLabelValues(topic).Observe(f.Age.Seconds())
	switch f.Outcome {
	case kafka.Handled:
		m.handled.WithLabelValues(topic).Inc()
	case kafka.SkippedNoHandler:
		m.skipped.WithLabelValues(topic, "no_handler").Inc()
	case kafka.SkippedFailed:
		m.skipped.WithLabelValues(topic, "failed").Inc()
	case kafka.SkippedOtherGroup:
		m.skipped.WithLabelValues(topic, "other_group").Inc()
	case kafka.Delayed:
		m.delayed.WithLabelValues(topic).Inc()
	case kafka.DeadLettered:
		m.deadLettered.WithLabelValues(topic).Inc()
	}
}

// Status implements kafka.Observer. It removes the lag of partitions that went to
// another member.
func (m *Metrics) Status(s kafka.Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ready.Set(0)
	if s.Ready {
		m.ready.Set(1)
	}
	if s.Lag != nil {
		m.lag.Reset()
		m.partitions.Set(float64(len(s.Lag)))
		for _, l := range s.Lag {
			m.lag.WithLabelValues(l.Topic, strconv.Itoa(int(l.Partition))).Set(float64(l.Records))
		}
	}
	m.bufferedRecords.Set(float64(s.Stats.BufferedRecords))
	m.bufferedBytes.Set(float64(s.Stats.BufferedBytes))
	m.lost.Add(float64(s.Stats.LostRecords - m.last.LostRecords))
	m.panics.Add(float64(s.Stats.Panics - m.last.Panics))
	m.fetchErrors.Add(float64(s.Stats.FetchErrors - m.last.FetchErrors))
	m.last = s.Stats
}

var (
	_ kafka.Observer       = (*Metrics)(nil)
	_ prometheus.Collector = (*Metrics)(nil)
)
