package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/outboxgen/outboxgen/cmd/outboxbench/internal/report"
)

// campaign measures scenarios one after the other. With a folder it stores each round,
// so that a run that was interrupted can go on.
type campaign struct {
	lab       *lab
	scenarios []scenario
	report    report.Report
	progress  progress

	began       time.Time
	done, turns int     // measurements of this run, and how many there are to do
	doneSeconds float64 // what the estimates say about done
}

// newCampaign goes on with the results in the folder if they are not complete. They must be
// from the same commit, machine and options. An empty commit is not the same as any.
func newCampaign(l *lab, list []scenario, m report.Machine, commit string, tell io.Writer) (*campaign, error) {
	c := &campaign{lab: l, scenarios: list, progress: newProgress(tell), began: time.Now()}
	c.report = report.Report{
		Machine: m, Commit: commit, Began: c.began.UTC().Format(time.DateOnly),
		Rows: l.rows, Rounds: l.rounds, Headers: l.headers, Steady: l.effort.steady.String(),
	}
	for _, s := range list {
		c.report.Scenarios = append(c.report.Scenarios, report.Scenario{
			Name: s.name, About: s.about, Explain: s.explain, Columns: s.columns, Ratios: s.ratios, Less: s.less, Few: l.few(s),
		})
		c.turns += l.roundsOf(s)
	}
	if l.out == "" {
		return c, nil
	}
	if err := os.MkdirAll(l.out, 0o755); err != nil {
		return nil, err
	}
	earlier, err := read(filepath.Join(l.out, resultsFile))
	if err != nil {
		return nil, err
	}
	if earlier == nil || earlier.Finished {
		return c, nil
	}
	if !c.continues(earlier) {
		return nil, fmt.Errorf("%s has results of a run that was interrupted, and this run would not go on with it: the code, the machine or the options "+
			"differ, or files of the checkout are changed. Choose another folder, or delete results.json", l.out)
	}
	c.report = *earlier
	for i, s := range c.report.Scenarios {
		if s.Skipped != "" {
			c.turns -= l.roundsOf(list[i])
		} else {
			c.turns -= s.Rounds()
		}
	}
	fmt.Fprintf(tell, "going on with the run in %s that was interrupted\n", l.out)
	return c, nil
}

// continues reports whether an earlier run measured the same as this one will.
func (c *campaign) continues(earlier *report.Report) bool {
	was := *earlier
	was.Began, was.Scenarios = c.report.Began, nil
	for _, s := range earlier.Scenarios {
		s.Skipped, s.Variants, s.Notes, s.Seconds = "", nil, nil, 0
		was.Scenarios = append(was.Scenarios, s)
	}
	return was.Commit != "" && reflect.DeepEqual(was, c.report)
}

// commitOfCode returns the commit of the working tree; empty if there is none, or a file is
// changed.
func commitOfCode() string {
	if changes, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output(); err != nil || len(changes) > 0 {
		return ""
	}
	commit, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(commit))
}

// run measures what is missing, and prints a table after each scenario.
func (c *campaign) run(ctx context.Context, tables io.Writer) error {
	for i, s := range c.scenarios {
		r := &c.report.Scenarios[i]
		if r.Skipped == "" && r.Rounds() < c.lab.roundsOf(s) {
			err := c.measure(ctx, s, r)
			c.progress.clear()
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
		r.Print(tables)
	}
	c.report.Finished = true
	return errors.Join(c.store(), c.writePage())
}

// measure measures the missing rounds of a scenario, the variants in turn.
func (c *campaign) measure(ctx context.Context, s scenario, r *report.Scenario) error {
	last := time.Now()
	c.lab.notes = nil
	variants, err := s.prepare(ctx, c.lab)
	if why, ok := errors.AsType[skip](err); ok {
		r.Skipped = string(why)
		return c.store()
	}
	if err != nil {
		return err
	}
	list := make([]report.Variant, len(variants))
	for i, v := range variants {
		list[i] = report.Variant{Name: v.name, Bare: v.label == bareLabel, Against: v.against}
	}
	sameName := func(a, b report.Variant) bool { return a.Name == b.Name }
	if !slices.EqualFunc(list, r.Variants, sameName) { // of an earlier run, with other servers
		r.Variants, r.Seconds = list, 0
	}
	r.Notes = c.lab.notes
	for round := r.Rounds(); round < c.lab.roundsOf(s); round++ {
		var samples [][]float64
		for _, v := range variants {
			c.tell(fmt.Sprintf("%s, round %d of %d: %s", s.name, round+1, c.lab.roundsOf(s), v.name))
			runtime.GC() // no variant collects the garbage of another
			var values []float64
			pprof.Do(ctx, pprof.Labels("variant", v.label), func(ctx context.Context) {
				values, err = v.measure(ctx)
			})
			if err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			samples = append(samples, values)
		}
		for i := range samples {
			r.Variants[i].Samples = append(r.Variants[i].Samples, samples[i])
		}
		c.done++
		c.doneSeconds += estimateOf(s.name, c.lab.options).round
		r.Seconds += time.Since(last).Seconds()
		last = time.Now()
		if err := c.store(); err != nil {
			return err
		}
	}
	return nil
}

// tell says what is being measured and about how long the rest takes: as long as estimated,
// if the estimates of the rest are as wrong as those of what is done.
func (c *campaign) tell(what string) {
	rest := ""
	if c.done > 0 {
		left := time.Duration(float64(time.Since(c.began)) / c.doneSeconds * c.leftSeconds())
		rest = fmt.Sprintf(", about %s left", left.Round(time.Minute))
	}
	c.progress.say(fmt.Sprintf("[%d of %d rounds%s] %s …", c.done, c.turns, rest, what))
}

// leftSeconds is what the estimates say about the rounds to do.
func (c *campaign) leftSeconds() (sum float64) {
	for i, s := range c.scenarios {
		if r := &c.report.Scenarios[i]; r.Skipped == "" {
			sum += float64(max(0, c.lab.roundsOf(s)-r.Rounds())) * estimateOf(s.name, c.lab.options).round
		}
	}
	return sum
}

const resultsFile = "results.json"

// read reads an earlier report; nil: there is none.
func read(file string) (*report.Report, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r report.Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("read %s (delete it to start again): %w", file, err)
	}
	return &r, nil
}

// store writes the results, if there is a folder for them.
func (c *campaign) store() error {
	return c.write(resultsFile, c.report.Write)
}

// writePage writes the report for people, if there is a folder for it.
func (c *campaign) writePage() error {
	if err := c.write("report.md", func(w io.Writer) error { c.report.Markdown(w); return nil }); err != nil {
		return err
	}
	for i := range c.report.Scenarios {
		if s := &c.report.Scenarios[i]; s.Skipped == "" {
			if err := c.write(s.PlotFile(), s.Plot); err != nil {
				return err
			}
		}
	}
	return nil
}

// write replaces a file of the folder at once, so that an interruption leaves the old one.
func (c *campaign) write(name string, content func(io.Writer) error) error {
	if c.lab.out == "" {
		return nil
	}
	var text strings.Builder
	if err := content(&text); err != nil {
		return err
	}
	path := filepath.Join(c.lab.out, name)
	if err := os.WriteFile(path+".new", []byte(text.String()), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// few says why a scenario has fewer rounds than usual; empty: it has not.
func (l *lab) few(s scenario) string {
	if l.roundsOf(s) < min(l.rounds, usualRounds) {
		return s.few
	}
	return ""
}

// roundsOf returns how often each variant of a scenario is measured.
func (l *lab) roundsOf(s scenario) int {
	if s.rounds > 0 {
		return min(l.rounds, s.rounds)
	}
	return l.rounds
}
