package report

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// sleep has known numbers. The ratios of its rounds are 2, 8 and 0.5. The ratio of its
// medians would be 4.
func sleep() Scenario {
	return Scenario{
		Name: "sleep", About: "nothing happens", Explain: "It waits <a while>.", Less: true, Ratios: 2,
		Notes: []string{"bed 1.0: its defaults", "pillow 2.1"}, Few: "a night is long", Seconds: 75, Columns: []string{"p50 ms", "p99 ms", "MB"},
		Variants: []Variant{
			{Name: "bare", Bare: true, Samples: [][]float64{{1, 10, 5}, {0.5, 12, 5}, {2000, 14, 5}}},
			{Name: "ours & theirs", Samples: [][]float64{{2, 99.994, 6}, {4, 1234567, 6}, {1000, 100, 6}}},
			{Name: "twice", Against: 1, Samples: [][]float64{{4, 99.994, 7}, {8, 1234567, 7}, {2000, 100, 7}}},
		},
	}
}

func skipped() Scenario {
	return Scenario{Name: "drain-kafka", About: "on a real Kafka", Explain: "It sends.", Columns: []string{"events/s"}, Skipped: "there is no Kafka"}
}

func machine() Machine {
	return Machine{CPUs: 2, CPU: "Xeon", MemoryMB: 24_000, System: "linux/amd64", Go: "go1.26", Postgres: "15.17", Fsync: "off", Commit: "on", Socket: true,
		Settings: []string{"shared_buffers 512MB", "wal_level replica"}, Versions: []string{"pgx v5.12.0", "Redis 8.0"}}
}

func report() Report {
	return Report{Machine: machine(), Commit: "1234abcd", Began: "2026-11-30", Rows: 5_000, Rounds: 3, Finished: true, Scenarios: []Scenario{sleep(), skipped()}}
}

func TestTables(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	machine().Print(&b)
	Machine{CPUs: 2, Go: "go1.26", Postgres: "15.17", Fsync: "on", Commit: "on", Redis: true}.Print(&b)
	r := report()
	for i := range r.Scenarios {
		r.Scenarios[i].Print(&b)
	}
	golden(t, "tables.txt", b.String())
}

func TestPage(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	r := report()
	r.Markdown(&b)
	golden(t, "page.md", b.String())
}

func TestPlot(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	s := sleep()
	if err := s.Plot(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "plot.svg", b.String())
	for decoder := xml.NewDecoder(strings.NewReader(b.String())); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// A document can be read again, also one of a run that was interrupted.
func TestDocument(t *testing.T) {
	t.Parallel()
	r := report()
	r.Scenarios = append(r.Scenarios, Scenario{Name: "begun", Columns: []string{"s"}, Variants: []Variant{{Name: "bare"}, {Name: "ours"}}})
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "document.json", b.String())
	var again Report
	if err := json.Unmarshal([]byte(b.String()), &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, again); diff != "" {
		t.Errorf("the document, read again (-want +got):\n%s", diff)
	}
}

// A ratio to 0 is none.
func TestRatioToZero(t *testing.T) {
	t.Parallel()
	s := Scenario{Name: "zero", Columns: []string{"ms"}, Variants: []Variant{{Name: "bare", Samples: [][]float64{{0}}}, {Name: "ours", Samples: [][]float64{{1}}}}}
	want := []Summary{
		{Name: "bare", Medians: []float64{0}, Ratios: []*Spread{nil}},
		{Name: "ours", Medians: []float64{1}, Spread: Spread{1, 1, 1}, Ratios: []*Spread{nil}},
	}
	if diff := cmp.Diff(want, s.Summaries()); diff != "" {
		t.Errorf("summaries (-want +got):\n%s", diff)
	}
	var b strings.Builder
	s.Print(&b)
	(&Report{Scenarios: []Scenario{s}}).Markdown(&b)
	if strings.Contains(b.String(), "NaN") {
		t.Error(b.String())
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	want := map[float64]string{0: "0.00", 0.126: "0.13", 99.994: "99.99", 100: "100", 999.6: "1,000", 1234567: "1,234,567"}
	got := map[float64]string{}
	for v := range want {
		got[v] = number(v)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
