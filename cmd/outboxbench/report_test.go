package main

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// gives returns a measurement that returns these values one after the other, or fails.
func gives(err error, rounds ...[]float64) func(context.Context) ([]float64, error) {
	return func(context.Context) ([]float64, error) {
		if err != nil {
			return nil, err
		}
		next := rounds[0]
		rounds = rounds[1:]
		return next, nil
	}
}

func fixed(variants ...variant) func(context.Context, *lab) ([]variant, error) {
	return func(context.Context, *lab) ([]variant, error) { return variants, nil }
}

// sleep returns a scenario with known numbers. The ratios of its rounds are 2, 8 and
// 0.5. The ratio of its medians would be 4.
func sleep(t *testing.T) result {
	t.Helper()
	s := scenario{name: "sleep", about: "nothing happens", columns: []string{"p50 ms", "p99 ms"}, prepare: fixed(
		variant{name: "bare", label: bareLabel, measure: gives(nil, []float64{1, 10}, []float64{0.5, 12}, []float64{2000, 14})},
		variant{name: "ours", label: oursLabel, measure: gives(nil, []float64{2, 99.994}, []float64{4, 1234567}, []float64{1000, 100})},
	)}
	var order []string
	got, err := s.run(t.Context(), nil, 3, func(what string) { order = append(order, what) })
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"sleep, round 1 of 3: bare …", "sleep, round 1 of 3: ours …",
		"sleep, round 2 of 3: bare …", "sleep, round 2 of 3: ours …",
		"sleep, round 3 of 3: bare …", "sleep, round 3 of 3: ours …",
	}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("turns (-want +got):\n%s", diff)
	}
	return got
}

func TestTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	machine{CPUs: 2, Go: "go1.26", Postgres: "15.17", Fsync: "off", Commit: "on", Socket: true}.print(&b)
	machine{CPUs: 2, Go: "go1.26", Postgres: "15.17", Fsync: "on", Commit: "on", Redis: true}.print(&b)
	r := sleep(t)
	r.print(&b)
	const want = `2 CPUs, go1.26, Postgres 15.17 by a Unix socket (fsync off, synchronous_commit on), kfake, no Redis
2 CPUs, go1.26, Postgres 15.17 by TCP (fsync on, synchronous_commit on), kfake, Redis

sleep: nothing happens
        p50 ms  p99 ms  ratio    min-max
  bare    1.00   12.00                  
  ours    4.00     100   2.00  0.50-8.00
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	r := report{Machine: machine{CPUs: 2, Go: "go1.26", Postgres: "15.17", Fsync: "off", Commit: "on"}, Rows: 5, Rounds: 3, Scenarios: []result{sleep(t)}}
	var b strings.Builder
	if err := r.write(&b); err != nil {
		t.Fatal(err)
	}
	const want = `{"machine":{"cpus":2,"go":"go1.26","postgres":"15.17","fsync":"off","synchronous_commit":"on","unix_socket":false,"redis":false},` +
		`"rows":5,"rounds":3,"scenarios":[{"name":"sleep","about":"nothing happens","columns":["p50ms","p99ms"],"variants":[` +
		`{"name":"bare","samples":[[1,10],[0.5,12],[2000,14]]},{"name":"ours","samples":[[2,99.994],[4,1234567],[1000,100]]}],"comparisons":[` +
		`{"name":"bare","medians":[1,12],"ratio":1,"ratio_min":1,"ratio_max":1},` +
		`{"name":"ours","medians":[4,100],"ratio":2,"ratio_min":0.5,"ratio_max":8}]}]}`
	if diff := cmp.Diff(strings.ReplaceAll(want, "nothing happens", "nothinghappens"), strings.Join(strings.Fields(b.String()), "")); diff != "" {
		t.Errorf("document, without its spaces (-want +got):\n%s", diff)
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
