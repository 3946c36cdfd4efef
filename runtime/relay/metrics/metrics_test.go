package metrics_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/metrics"
)

var _ relay.Observer = (*metrics.Observer)(nil)

// values reads counters and gauges, and the counts of histograms, as name{labels}.
func values(t *testing.T, registry prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				if l.GetName() != "outbox" {
					labels = append(labels, l.GetValue())
				}
			}
			name := f.GetName()
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			out[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return out
}

func TestWhatARelayDoesIsCounted(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	o, err := metrics.New(registry, "orders")
	if err != nil {
		t.Fatal(err)
	}
	o.Term(true, 1)
	o.Read(7)
	o.Wave(relay.WaveReport{Rows: 3, Acked: 2, Took: time.Millisecond, Ages: []time.Duration{time.Second, time.Minute}})
	o.Settled(relay.Settled{Published: 5, Failed: 1, Dead: 1})
	o.Failed("send", relay.ClassTopic, errors.New("no such topic"))
	o.Stats(relay.Stats{Pending: 4, Held: 1, Dead: 2, OldestAge: 3 * time.Second})
	o.Status(relay.Status{HeldKeys: 2, PausedTopics: []relay.Paused{{Topic: "t"}}, SetAside: []relay.Paused{{}, {}}})
	want := map[string]float64{
		"outbox_queue_depth":                    4,
		"outbox_oldest_event_age_seconds":       3,
		"outbox_held_rows":                      1,
		"outbox_dead_letters":                   2,
		"outbox_events_added_total":             7,
		"outbox_events_published_total":         5,
		"outbox_events_failed_total{false}":     1,
		"outbox_events_failed_total{true}":      1,
		"outbox_relay_errors_total{topic,send}": 1,
		"outbox_event_age_seconds":              2,
		"outbox_relay_processing_seconds":       1,
		"outbox_relay_leader":                   1,
		"outbox_relay_terms_total":              1,
		"outbox_relay_held_keys":                2,
		"outbox_relay_paused_topics":            1,
		"outbox_relay_set_aside_partitions":     2,
	}
	if diff := cmp.Diff(want, values(t, registry)); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestAStandbySaysNothingAboutTheTable(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	o, err := metrics.New(registry, "orders")
	if err != nil {
		t.Fatal(err)
	}
	o.Term(true, 1)
	o.Stats(relay.Stats{Pending: 4})
	o.Term(false, 1)
	got := values(t, registry)
	if _, there := got["outbox_queue_depth"]; there || got["outbox_relay_leader"] != 0 {
		t.Errorf("a standby still reports the table: %v", got)
	}
}

func TestTwoOutboxesNeedTwoNames(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	for _, name := range []string{"orders", "users"} {
		if _, err := metrics.New(registry, name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := metrics.New(registry, "orders"); err == nil || !strings.Contains(err.Error(), "orders") {
		t.Errorf("the same name again: error %v, want one that names the outbox", err)
	}
}
