package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/monitoring"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	consumermetrics "github.com/outboxgen/outboxgen/runtime/consume/kafka/metrics"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/metrics"
)

var update = flag.Bool("update", false, "write testdata/help and the generated tables of docs")

// The pages have the same tables of settings, alerts and metrics as the code.
func TestDocsHaveTheGeneratedTables(t *testing.T) {
	t.Parallel()
	var settings bytes.Buffer
	if err := printMarkdown(&settings); err != nil {
		t.Fatal(err)
	}
	for page, tables := range map[string][]generatedTable{
		"running.md": {{"<!-- outboxrelay config --markdown -->\n", settings.String()}},
		"monitoring.md": {
			{"<!-- alerts -->\n", alertsTable(t)},
			{"<!-- relay metrics -->\n", metricsTable(t, relayMetrics(t))},
			{"<!-- consumer metrics -->\n", metricsTable(t, consumerMetrics())},
		},
	} {
		compareTables(t, page, tables)
	}
}

type generatedTable struct{ begin, text string }

// compareTables compares the tables of a page with what they should be, or writes them.
func compareTables(t *testing.T, name string, tables []generatedTable) {
	t.Helper()
	file := filepath.Join("../../docs", name)
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := string(page)
	for _, table := range tables {
		before, rest, begins := strings.Cut(want, table.begin)
		_, after, ends := strings.Cut(rest, "<!-- end -->")
		if !begins || !ends {
			t.Fatalf("docs/%s has no table between %s and <!-- end -->", name, strings.TrimSpace(table.begin))
		}
		want = before + table.begin + table.text + "<!-- end -->" + after
	}
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(page)); diff != "" {
		t.Errorf("docs/%s, whose tables -update writes (-want +got):\n%s", name, diff)
	}
}

// relayMetrics is what /metrics exports for an outbox, each metric with a value.
func relayMetrics(t *testing.T) prometheus.Gatherer {
	t.Helper()
	f, err := newFleet(nil, slog.New(slog.DiscardHandler), io.Discard, &secret.Redactor{})
	if err != nil {
		t.Fatal(err)
	}
	f.blocked.WithLabelValues("shop").Set(0)
	m := metrics.New("shop")
	m.Term(true, 1)
	m.Stats(relay.Stats{})
	m.Status(relay.Status{Leader: true, Epoch: 1})
	m.Failed("send", relay.ClassRelay, nil)
	f.metrics.MustRegister(m)
	return f.metrics
}

// consumerMetrics is what package consume/kafka/metrics exports, each metric with a value.
func consumerMetrics() prometheus.Gatherer {
	m := consumermetrics.New("mailer")
	m.Attempted(kafka.Attempt{Number: 2, Batch: 2, Err: io.EOF})
	for _, outcome := range []kafka.Outcome{kafka.Handled, kafka.SkippedNoHandler, kafka.Delayed, kafka.DeadLettered} {
		m.Finished(kafka.Finished{Outcome: outcome})
	}
	m.Status(kafka.Status{Lag: []kafka.Lag{{}}})
	registry := prometheus.NewRegistry()
	registry.MustRegister(m)
	return registry
}

func metricsTable(t *testing.T, from prometheus.Gatherer) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| metric | type | meaning | what to do if it rises |\n| --- | --- | --- | --- |\n")
	for _, family := range outboxFamilies(t, from) {
		advice := monitoring.Advice[family.GetName()]
		if advice == "" {
			t.Errorf("cmd/outboxrelay/internal/monitoring/advice.go does not say what to do when %s rises", family.GetName())
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", family.GetName(), strings.ToLower(family.GetType().String()), family.GetHelp(), advice)
	}
	return b.String()
}

// outboxFamilies returns the metrics that are ours, sorted by name.
func outboxFamilies(t *testing.T, from prometheus.Gatherer) []*dto.MetricFamily {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(families, func(f *dto.MetricFamily) bool { return !strings.HasPrefix(f.GetName(), "outbox_") })
}
