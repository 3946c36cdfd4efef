package metrics_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka/metrics"
)

// read returns every series that is not zero: gauges and counters by value,
// histograms by count.
func read(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			v := m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			if v == 0 {
				continue
			}
			name := f.GetName()
			for _, l := range m.GetLabel() {
				if l.GetName() != "group" {
					name += " " + l.GetName() + "=" + l.GetValue()
				} else if l.GetValue() != "mailer" {
					t.Errorf("%s has the label group=%s", name, l.GetValue())
				}
			}
			out[name] = v
		}
	}
	return out
}

func TestNamesThatOperatorsChart(t *testing.T) {
	t.Parallel()
	m := metrics.New("mailer")
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(m)
	record := consume.Record{Topic: "shop.orders", Partition: 3}
	m.Attempted(kafka.Attempt{Record: record, Number: 1, Took: time.Millisecond, Err: errors.New("no")})
	m.Attempted(kafka.Attempt{Record: record, Number: 2, Took: time.Millisecond})
	m.Attempted(kafka.Attempt{Record: record, Batch: 20, Number: 1, Took: time.Millisecond})
	for _, outcome := range []kafka.Outcome{kafka.Handled, kafka.SkippedNoHandler, kafka.SkippedFailed, kafka.SkippedOtherGroup, kafka.Delayed, kafka.DeadLettered} {
		m.Finished(kafka.Finished{Record: record, Outcome: outcome, Attempts: 2, Age: time.Second})
	}
	m.Status(kafka.Status{
		Ready: true, Lag: []kafka.Lag{{Topic: "shop.orders", Partition: 3, Records: 7}, {Topic: "shop.orders", Partition: 4, Records: 8}},
		Stats: kafka.Stats{LostRecords: 2, Panics: 3, FetchErrors: 4, BufferedRecords: 5, BufferedBytes: 6},
	})
	want := map[string]float64{
		"outbox_consumer_events_handled_total topic=shop.orders":                    1,
		"outbox_consumer_events_failed_total topic=shop.orders":                     1,
		"outbox_consumer_events_retried_total topic=shop.orders":                    1,
		"outbox_consumer_events_skipped_total reason=no_handler topic=shop.orders":  1,
		"outbox_consumer_events_skipped_total reason=failed topic=shop.orders":      1,
		"outbox_consumer_events_skipped_total reason=other_group topic=shop.orders": 1,
		"outbox_consumer_events_delayed_total topic=shop.orders":                    1,
		"outbox_consumer_events_dead_lettered_total topic=shop.orders":              1,
		"outbox_consumer_handler_seconds topic=shop.orders":                         3,
		"outbox_consumer_batch_records topic=shop.orders":                           1,
		"outbox_consumer_event_age_seconds topic=shop.orders":                       6,
		"outbox_consumer_lag partition=3 topic=shop.orders":                         7,
		"outbox_consumer_lag partition=4 topic=shop.orders":                         8,
		"outbox_consumer_ready":              1,
		"outbox_consumer_partitions":         2,
		"outbox_consumer_lost_records_total": 2,
		"outbox_consumer_panics_total":       3,
		"outbox_consumer_fetch_errors_total": 4,
		"outbox_consumer_buffered_records":   5,
		"outbox_consumer_buffered_bytes":     6,
	}
	if d := cmp.Diff(want, read(t, reg)); d != "" {
		t.Errorf("the series (-want +got):\n%s", d)
	}

	// A partition went to another member, and the brokers do not answer afterwards.
	m.Status(kafka.Status{Ready: true, Lag: []kafka.Lag{{Topic: "shop.orders", Partition: 4, Records: 9}}, Stats: kafka.Stats{LostRecords: 2, Panics: 4, FetchErrors: 4}})
	m.Status(kafka.Status{Reasons: []string{"no Kafka broker answers"}, Stats: kafka.Stats{LostRecords: 2, Panics: 4, FetchErrors: 5}})
	delete(want, "outbox_consumer_lag partition=3 topic=shop.orders")
	delete(want, "outbox_consumer_ready")
	delete(want, "outbox_consumer_buffered_records")
	delete(want, "outbox_consumer_buffered_bytes")
	want["outbox_consumer_lag partition=4 topic=shop.orders"] = 9
	want["outbox_consumer_partitions"] = 1
	want["outbox_consumer_panics_total"] = 4
	want["outbox_consumer_fetch_errors_total"] = 5
	if d := cmp.Diff(want, read(t, reg)); d != "" {
		t.Errorf("the series afterwards (-want +got):\n%s", d)
	}
}
