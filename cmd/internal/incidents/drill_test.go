//go:build unix

package incidents_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

var (
	drill    = flag.String("drill", "", "cause this incident (its anchor in docs/runbook.md, or random), and wait until somebody has fixed it")
	drillDir = flag.String("drill-dir", "", "where TestDrill writes env, which the operator's terminal reads")
)

// A drill: somebody who knows only the runbook finds and fixes an incident. The test does
// not say which one, unless the flag does.
func TestDrill(t *testing.T) {
	if *drill == "" {
		t.Skip("without -drill")
	}
	if *drillDir == "" {
		t.Fatal("-drill needs -drill-dir")
	}
	at := slices.IndexFunc(incidents, func(i incident) bool { return i.anchor == *drill })
	switch {
	case *drill == "random":
		at = rand.IntN(len(incidents))
	case at < 0:
		t.Fatalf("no incident is called %s", *drill)
	}
	i := incidents[at]
	kafka := services.PrivateKafka(t)
	s := newSite(t, buildRelay(t), kafka)
	i.stage(t, s)
	i.fault(t, s)
	s.writeEnv(t, *drillDir)
	page, _ := readPage(t)
	for _, st := range page[i.anchor].see { // the tools show it, and the checks below get their values
		s.until(t, st, false)
	}
	began := time.Now()
	fmt.Printf("The fault is there. In another terminal:\n\n    source %s\n\nOnly %s may help you. This test ends when the incident is fixed.\n",
		filepath.Join(*drillDir, "env"), filepath.Join("docs", "runbook.md"))

	order := s.ledger.firstWithin(t, s.kafka.Brokers, s.topic, 24*time.Hour)
	for _, st := range page[i.anchor].check {
		s.terminal.untilWithin(t, st, true, 24*time.Hour)
	}
	fmt.Printf("%s: fixed after %s.\n", i.anchor, time.Since(began).Round(time.Second))
	if diff := gocmp.Diff(s.ledger.want(), order); diff != "" && !i.unordered {
		t.Errorf("the first records of each key (-want +got):\n%s", diff)
	}
	if i.more != nil {
		i.more(t, s)
	}
}

// writeEnv writes the file that makes a terminal that of the operator.
func (s *site) writeEnv(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "export PATH=%s:\"$PATH\"\n", quote(s.bin))
	b.WriteString("unset DATABASE_URL KAFKA_BROKERS REDIS_URL\n")
	for _, name := range slices.Sorted(maps.Keys(s.variables)) {
		fmt.Fprintf(&b, "export %s=%s\n", name, quote(s.variables[name]))
	}
	fmt.Fprintf(&b, "cd %s\n", quote(s.dir))
	if err := os.WriteFile(filepath.Join(dir, "env"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
