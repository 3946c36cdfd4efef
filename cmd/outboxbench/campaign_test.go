package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/outboxbench/internal/report"
)

// counted returns a scenario whose measurements give 1, 2, 3, … and fail at one of them.
func counted(n *int, failAt int) scenario {
	measure := func(context.Context) ([]float64, error) {
		*n++
		if *n == failAt {
			return nil, errors.New("it broke")
		}
		return []float64{float64(*n)}, nil
	}
	return scenario{name: "count", columns: []string{"ms"}, prepare: func(context.Context, *lab) ([]variant, error) {
		return []variant{{"bare", bareLabel, 0, measure}, {"ours", oursLabel, 0, measure}}, nil
	}}
}

// perform runs scenarios in a lab without servers.
func perform(t *testing.T, o options, m report.Machine, list ...scenario) (r report.Report, progress string, err error) {
	t.Helper()
	var told strings.Builder
	c, err := newCampaign(&lab{options: o}, list, m, "1234abcd", &told)
	if err != nil {
		t.Fatal(err)
	}
	err = c.run(t.Context(), io.Discard)
	return c.report, told.String(), err
}

func samples(r report.Report) [][][]float64 {
	var out [][][]float64
	for _, v := range r.Scenarios[0].Variants {
		out = append(out, v.Samples)
	}
	return out
}

// The variants take turns.
func TestTurns(t *testing.T) {
	t.Parallel()
	var n int
	r, progress, err := perform(t, options{rounds: 2}, report.Machine{}, counted(&n, 0))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][][]float64{{{1}, {3}}, {{2}, {4}}}, samples(r)); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
	const want = `[0 of 2 rounds] count, round 1 of 2: bare …
[0 of 2 rounds] count, round 1 of 2: ours …
[1 of 2 rounds, about 0s left] count, round 2 of 2: bare …
[1 of 2 rounds, about 0s left] count, round 2 of 2: ours …
`
	if diff := cmp.Diff(want, progress); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
}

// A run that was interrupted goes on with the next round. A complete one starts
// again. One of other code or another machine stays as it is.
func TestAnInterruptedRunGoesOn(t *testing.T) {
	t.Parallel()
	var n int
	o := options{rounds: 3, out: t.TempDir()}
	if _, _, err := perform(t, o, report.Machine{}, counted(&n, 4)); err == nil || err.Error() != "count: ours: it broke" {
		t.Fatalf("got the error %v", err)
	}
	run := func(m report.Machine) (n int, s [][][]float64) {
		r, _, err := perform(t, o, m, counted(&n, 0))
		if err != nil {
			t.Fatal(err)
		}
		return n, samples(r)
	}
	n, got := run(report.Machine{})
	if diff := cmp.Diff([][][]float64{{{1}, {1}, {3}}, {{2}, {2}, {4}}}, got); diff != "" || n != 4 {
		t.Errorf("%d measurements; samples (-want +got):\n%s", n, diff)
	}
	if n, _ := run(report.Machine{}); n != 6 {
		t.Errorf("after a complete run: %d measurements, want 6", n)
	}
	n = 0
	if _, _, err := perform(t, o, report.Machine{}, counted(&n, 3)); err == nil {
		t.Fatal("no error")
	}
	for name, c := range map[string]struct {
		machine report.Machine
		commit  string
	}{"another machine": {report.Machine{CPUs: 3}, "1234abcd"}, "another commit": {report.Machine{}, "5678"}, "changed files": {report.Machine{}, ""}} {
		if _, err := newCampaign(&lab{options: o}, []scenario{counted(&n, 0)}, c.machine, c.commit, io.Discard); err == nil || !strings.Contains(err.Error(), "would not go on with it") {
			t.Errorf("%s: got the error %v", name, err)
		}
	}
}

// If a scenario has other variants now, it starts again.
func TestOtherVariants(t *testing.T) {
	t.Parallel()
	var n int
	o := options{rounds: 2, out: t.TempDir()}
	if _, _, err := perform(t, o, report.Machine{}, counted(&n, 3)); err == nil {
		t.Fatal("no error")
	}
	other := counted(&n, 0)
	prepare := other.prepare
	other.prepare = func(ctx context.Context, l *lab) ([]variant, error) {
		list, err := prepare(ctx, l)
		return append(list, variant{"another", "peer", 0, list[0].measure}), err
	}
	n = 0
	r, _, err := perform(t, o, report.Machine{}, other)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][][]float64{{{1}, {4}}, {{2}, {5}}, {{3}, {6}}}, samples(r)); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}

func TestResultsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	o := options{rounds: 1, out: t.TempDir()}
	file := filepath.Join(o.out, resultsFile)
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := newCampaign(&lab{options: o}, nil, report.Machine{}, "", io.Discard)
	if want := "read " + file + " (delete it to start again): unexpected end of JSON input"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A scenario that needs what is not there is named in the report.
func TestASkippedScenario(t *testing.T) {
	t.Parallel()
	s := scenario{name: "kafka", prepare: func(context.Context, *lab) ([]variant, error) { return nil, skip("there is no Kafka") }}
	r, _, err := perform(t, options{rounds: 1, out: t.TempDir()}, report.Machine{}, s)
	if err != nil || r.Scenarios[0].Skipped != "there is no Kafka" {
		t.Errorf("%q, %v", r.Scenarios[0].Skipped, err)
	}
}

// The report has the notes of a scenario once, also if the run was interrupted, and says why
// there are few rounds.
func TestNotes(t *testing.T) {
	t.Parallel()
	var n int
	noted := func(failAt int) scenario {
		s := counted(&n, failAt)
		s.rounds, s.few = 2, "it takes long"
		prepare := s.prepare
		s.prepare = func(ctx context.Context, l *lab) ([]variant, error) {
			l.note("bed 1.0")
			return prepare(ctx, l)
		}
		return s
	}
	type said struct {
		Notes []string
		Few   string
		Timed bool
	}
	ask := func(o options, s scenario, fails bool) said {
		r, _, err := perform(t, o, report.Machine{}, s)
		if (err != nil) != fails {
			t.Fatal(err)
		}
		got := r.Scenarios[0]
		return said{got.Notes, got.Few, got.Seconds > 0}
	}
	o := options{rounds: 5, out: t.TempDir()}
	want := said{[]string{"bed 1.0"}, "it takes long", true}
	if diff := cmp.Diff([]said{want, want}, []said{ask(o, noted(3), true), ask(o, noted(0), false)}); diff != "" {
		t.Errorf("an interrupted run, and the next one (-want +got):\n%s", diff)
	}
	want.Few = "" // as many as asked for
	if diff := cmp.Diff(want, ask(options{rounds: 2}, noted(0), false)); diff != "" {
		t.Errorf("two rounds (-want +got):\n%s", diff)
	}
}
