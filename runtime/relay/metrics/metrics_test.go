package metrics_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/metrics"
)

// read returns every series: gauges and counters by value, histograms by count.
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
			name := f.GetName()
			for _, l := range m.GetLabel() {
				if l.GetName() != "outbox" {
					name += " " + l.GetName() + "=" + l.GetValue()
				} else if l.GetValue() != "orders" {
					t.Errorf("%s has the label outbox=%s", name, l.GetValue())
				}
			}
			out[name] = v
		}
	}
	return out
}

func TestNamesThatOperatorsChart(t *testing.T) {
	t.Parallel()
	m := metrics.New("orders")
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(m)
	unread := map[string]float64{
		"outbox_events_added_total": 0, "outbox_events_published_total": 0, "outbox_events_failed_total": 0, "outbox_events_dead_total": 0,
		"outbox_event_age_seconds": 0, "outbox_relay_processing_seconds": 0, "outbox_headers_left_out_total": 0, "outbox_relay_leader": 0,
	}
	if d := cmp.Diff(unread, read(t, reg)); d != "" {
		t.Errorf("the series before the lease was read (-want +got):\n%s", d)
	}
	m.Term(true, 4)
	m.Read(5)
	m.Wave(relay.WaveReport{Rows: 2, Acked: 1, Took: time.Millisecond, Ages: []time.Duration{time.Second}})
	m.Settled(relay.Settled{Published: 3, Failed: 2, Dead: 1})
	m.Failed("send", relay.ClassTopic, errors.New("missing"))
	m.Stats(relay.Stats{Pending: 7, Held: 2, Dead: 1, OldestAge: 90 * time.Second, Delayed: 11, DelayedIn: -1500 * time.Millisecond})
	m.Status(relay.Status{
		Leader: true, Epoch: 4, HeldKeys: 2, InFlight: 8, Unsettled: 9,
		PausedTopicCount: 1, SetAsideCount: 3, OperatorPauseCount: 5,
	})
	want := map[string]float64{
		"outbox_queue_depth":                               7,
		"outbox_delayed_events":                            11,
		"outbox_delayed_next_seconds":                      -1.5,
		"outbox_events_added_total":                        5,
		"outbox_events_published_total":                    3,
		"outbox_events_failed_total":                       2,
		"outbox_relay_errors_total class=topic where=send": 1,
		"outbox_event_age_seconds":                         1,
		"outbox_relay_processing_seconds":                  1,
		"outbox_oldest_event_age_seconds":                  90,
		"outbox_relay_leader":                              1,
		"outbox_relay_epoch":                               4,
		"outbox_held_keys":                                 2,
		"outbox_retrying_rows":                             2,
		"outbox_paused_topics":                             1,
		"outbox_operator_pauses":                           5,
		"outbox_partitions_set_aside":                      3,
		"outbox_dead_letters":                              1,
		"outbox_events_dead_total":                         1,
		"outbox_headers_left_out_total":                    0,
		"outbox_relay_in_flight_rows":                      8,
		"outbox_relay_unsettled_rows":                      9,
	}
	if d := cmp.Diff(want, read(t, reg)); d != "" {
		t.Errorf("a leader's series (-want +got):\n%s", d)
	}

	m.Failed("count", relay.ClassRelay, errors.New("timeout"))
	for _, name := range []string{
		"outbox_queue_depth", "outbox_delayed_events", "outbox_delayed_next_seconds",
		"outbox_oldest_event_age_seconds", "outbox_retrying_rows", "outbox_dead_letters",
	} {
		delete(want, name)
	}
	want["outbox_relay_errors_total class=relay where=count"] = 1
	if d := cmp.Diff(want, read(t, reg)); d != "" {
		t.Errorf("the series of a leader that cannot count the rows (-want +got):\n%s", d)
	}

	m.Term(false, 5)
	standby := map[string]float64{
		"outbox_relay_errors_total class=relay where=count": 1,
		"outbox_events_added_total":                         5,
		"outbox_events_published_total":                     3,
		"outbox_events_failed_total":                        2,
		"outbox_relay_errors_total class=topic where=send":  1,
		"outbox_event_age_seconds":                          1,
		"outbox_relay_processing_seconds":                   1,
		"outbox_relay_leader":                               0,
		"outbox_relay_epoch":                                5,
		"outbox_events_dead_total":                          1,
		"outbox_headers_left_out_total":                     0,
	}
	if d := cmp.Diff(standby, read(t, reg)); d != "" {
		t.Errorf("a standby's series (-want +got):\n%s", d)
	}

	m.Stats(relay.Stats{Pending: 7}) // it arrives after the term
	m.Status(relay.Status{Epoch: 5, HeldKeys: 2})
	if d := cmp.Diff(standby, read(t, reg)); d != "" {
		t.Errorf("a standby's series after reports of its last term (-want +got):\n%s", d)
	}

	m.Term(true, 6)
	standby["outbox_relay_leader"], standby["outbox_relay_epoch"] = 1, 6
	if d := cmp.Diff(standby, read(t, reg)); d != "" {
		t.Errorf("the series of a leader that has not counted the rows yet (-want +got):\n%s", d)
	}
}
