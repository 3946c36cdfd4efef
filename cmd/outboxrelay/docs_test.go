package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	consumermetrics "github.com/outboxgen/outboxgen/runtime/consume/kafka/metrics"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/metrics"
)

var update = flag.Bool("update", false, "write testdata/help and the generated tables of docs")

// The pages about running the relay and about consuming have the same tables of
// settings and metrics as the code.
func TestDocsHaveTheGeneratedTables(t *testing.T) {
	t.Parallel()
	var settings bytes.Buffer
	if err := printMarkdown(&settings); err != nil {
		t.Fatal(err)
	}
	for page, tables := range map[string][]generatedTable{
		"running.md": {
			{"<!-- outboxrelay config --markdown -->\n", settings.String()},
			{"<!-- metrics -->\n", relayMetrics(t)},
		},
		"consuming.md": {{"<!-- metrics -->\n", consumerMetrics(t)}},
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

// relayMetrics lists what /metrics exports for each outbox.
func relayMetrics(t *testing.T) string {
	t.Helper()
	f, err := newFleet(nil, slog.New(slog.DiscardHandler), io.Discard, &secret.Redactor{})
	if err != nil {
		t.Fatal(err)
	}
	f.blocked.WithLabelValues("shop").Set(0)
	m := metrics.New("shop")
	m.Failed("send", relay.ClassRelay, nil) // a metric with labels exists once it has a value
	f.metrics.MustRegister(m)
	return metricsTable(t, f.metrics)
}

// consumerMetrics lists what package consume/kafka/metrics exports.
func consumerMetrics(t *testing.T) string {
	t.Helper()
	m := consumermetrics.New("mailer")
	m.Attempted(kafka.Attempt{Number: 2, Batch: 2, Err: io.EOF}) // metrics with labels exist once they have a value
	for _, outcome := range []kafka.Outcome{kafka.Handled, kafka.SkippedNoHandler, kafka.Delayed, kafka.DeadLettered} {
		m.Finished(kafka.Finished{Outcome: outcome})
	}
	m.Status(kafka.Status{Lag: []kafka.Lag{{}}})
	registry := prometheus.NewRegistry()
	registry.MustRegister(m)
	return metricsTable(t, registry)
}

func metricsTable(t *testing.T, from prometheus.Gatherer) string {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| metric | type | meaning |\n| --- | --- | --- |\n")
	for _, family := range families { // sorted by name
		if strings.HasPrefix(family.GetName(), "outbox_") {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", family.GetName(), strings.ToLower(family.GetType().String()), family.GetHelp())
		}
	}
	return b.String()
}
