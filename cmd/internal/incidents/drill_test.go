//go:build unix

package incidents_test

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

var (
	drill    = flag.String("drill", "", "cause this incident (its anchor in docs/runbook.md, or random), and wait until somebody has fixed it")
	drillDir = flag.String("drill-dir", "", "where TestDrill writes env, which the operator's terminal reads")
)

// A drill: somebody who knows only the runbook finds and fixes an incident, and says when it
// is fixed. Until then the test does not say which one it is, unless the flag names it.
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
		var known []string
		for _, i := range incidents {
			known = append(known, i.anchor)
		}
		t.Fatalf("no incident is called %s: use random, or one of %s", *drill, strings.Join(known, ", "))
	}
	i := incidents[at]
	kafka := services.PrivateKafka(t)
	s := newSite(t, buildRelay(t), kafka)
	s.silent = true
	i.stage(t, s)
	i.fault(t, s)
	s.writeEnv(t, *drillDir)
	page, _ := readPage(t)
	for _, st := range page[i.anchor].see { // until the tools show it; the checks below get their values here
		s.until(t, st, false)
	}
	done := filepath.Join(*drillDir, "done")
	if err := os.Remove(done); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	began := time.Now()
	fmt.Printf("%s\n\nThe fault is there. In another terminal:\n\n    source %s\n\nUse only %s. When you think that it is fixed, or to give up:\n\n    touch %s\n\n",
		cmp.Or(i.report, "Teams report that events do not arrive."), filepath.Join(*drillDir, "env"), filepath.Join("docs", "runbook.md"), done)

	// Nothing is checked before that, because the operator decides when it is fixed.
	err := wait.Until(t.Context(), tenth, func() (bool, error) {
		_, err := os.Stat(done)
		return err == nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(began).Round(time.Second)
	fmt.Printf("It was %s. Checking what you did.\n", i.anchor)
	s.silent = false
	order := s.ledger.first(t, s.kafka.Brokers, s.topic)
	for _, st := range page[i.anchor].check {
		s.until(t, st, true)
	}
	fmt.Printf("%s: fixed after %s.\n", i.anchor, took)
	if diff := gocmp.Diff(s.ledger.want(), order); diff != "" && !i.unordered {
		t.Errorf("the first records of each key (-want +got):\n%s", diff)
	}
	if i.more != nil {
		i.more(t, s)
	}
}

// given are what an operator is told, by its owner, in some incident. Each drill has all of
// them, with these values unless the incident has others, so that they do not tell which
// incident it is. RELAY_DB is another one.
var given = map[string]string{"NEW_PASSWORD": "second", "PARTITIONS": "3", "REPLICAS": "1", "NEW_LIMIT": "1048576"}

// told returns the variables of a drill.
func (s *site) told() map[string]string {
	all := maps.Clone(given)
	all["RELAY_DB"] = s.pg.URL
	maps.Copy(all, s.variables)
	return all
}

// writeEnv writes the file that makes a terminal that of the operator. The terminal is still
// in use after the test, so its working directory is not one of the test.
func (s *site) writeEnv(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "export PATH=%s:\"$PATH\"\n", quote(s.bin))
	b.WriteString("unset DATABASE_URL KAFKA_BROKERS REDIS_URL\n")
	variables := s.told()
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		fmt.Fprintf(&b, "export %s=%s\n", name, quote(variables[name]))
	}
	fmt.Fprintf(&b, "cd %s\n", quote(dir))
	if err := os.WriteFile(filepath.Join(dir, "env"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The terminal of a drill has the same variables in each incident, and stays where the drill
// was asked for.
func TestTheTerminalOfADrill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &site{pg: &services.PG{URL: "postgres://a/b"}, terminal: &terminal{
		dir: "/of-the-test", bin: "/bin of the test", variables: map[string]string{"DB": "postgres://a/b", "PARTITIONS": "12"},
	}}
	s.writeEnv(t, dir)
	got, err := os.ReadFile(filepath.Join(dir, "env"))
	if err != nil {
		t.Fatal(err)
	}
	want := `export PATH='/bin of the test':"$PATH"
unset DATABASE_URL KAFKA_BROKERS REDIS_URL
export DB='postgres://a/b'
export NEW_LIMIT='1048576'
export NEW_PASSWORD='second'
export PARTITIONS='12'
export RELAY_DB='postgres://a/b'
export REPLICAS='1'
cd '` + dir + `'
`
	if diff := gocmp.Diff(want, string(got)); diff != "" {
		t.Errorf("env (-want +got):\n%s", diff)
	}
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
