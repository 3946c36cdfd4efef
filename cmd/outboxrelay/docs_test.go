package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/metrics"
)

var update = flag.Bool("update", false, "write testdata/help and the generated tables of docs/running.md")

// The page about running the relay has the tables of settings and metrics as the code knows them.
func TestDocsHaveTheGeneratedTables(t *testing.T) {
	t.Parallel()
	const file = "../../docs/running.md"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var settings bytes.Buffer
	if err := printMarkdown(&settings); err != nil {
		t.Fatal(err)
	}
	want := string(page)
	for _, table := range []struct{ begin, text string }{
		{"<!-- outboxrelay config --markdown -->\n", settings.String()},
		{"<!-- metrics -->\n", metricsTable(t)},
	} {
		before, rest, begins := strings.Cut(want, table.begin)
		_, after, ends := strings.Cut(rest, "<!-- end -->")
		if !begins || !ends {
			t.Fatalf("docs/running.md has no table between %s and <!-- end -->", strings.TrimSpace(table.begin))
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
		t.Errorf("docs/running.md, whose tables -update writes (-want +got):\n%s", diff)
	}
}

// metricsTable lists what /metrics exports for each outbox.
func metricsTable(t *testing.T) string {
	t.Helper()
	f, err := newFleet(nil, slog.New(slog.DiscardHandler), io.Discard, &secret.Redactor{})
	if err != nil {
		t.Fatal(err)
	}
	f.blocked.WithLabelValues("shop").Set(0)
	m := metrics.New("shop")
	m.Failed("send", relay.ClassRelay, nil) // a metric with labels is there once it has a value
	f.metrics.MustRegister(m)
	families, err := f.metrics.Gather()
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
