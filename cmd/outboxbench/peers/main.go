/*
Peers measures other outboxes for Postgres on the workload of outboxbench's
drains: rows wait, 500 bytes of event each, 1,000 keys, and are sent to one topic
of 8 partitions of franz-go's kfake, in this process. See README.md.

	go run . -url postgres://localhost/scratch -rows 100000 -rounds 3
*/
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	topic      = "grading.essay.graded.v1"
	partitions = 8
	keys       = 1_000
	// limit is how long one measurement may take.
	limit = 10 * time.Minute
)

// peer is one way to drain. The others are compared with the first.
type peer struct {
	name string
	// prepare makes new tables, with rows that wait.
	prepare func(ctx context.Context, pool *pgxpool.Pool, rows int) error
	// drain sends and settles all rows, and returns when the last one is settled.
	drain func(ctx context.Context, pool *pgxpool.Pool, client *kgo.Client, rows int) (time.Duration, error)
}

func peers() []peer {
	return []peer{
		bare,
		watermill("Watermill forwarder, as it comes", 0),
		watermill("the same, batches of 1,000", 1_000),
		riverPeer("River, 100 workers", 100, 0),
		riverPeer("the same, 1,000 workers, FetchCooldown 5 ms", 1_000, 5*time.Millisecond),
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("peers", flag.ContinueOnError)
	flags.SetOutput(stderr)
	url := flags.String("url", os.Getenv("DATABASE_URL"), "a Postgres database to make tables in (default: DATABASE_URL)")
	rows := flags.Int("rows", 100_000, "how many rows wait")
	rounds := flags.Int("rounds", 3, "how often each peer is measured")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *url == "" || *rows < 1 || *rounds < 1 {
		return fmt.Errorf("-url names a scratch database; -rows and -rounds are at least 1")
	}
	config, err := pgxpool.ParseConfig(*url)
	if err != nil {
		return err
	}
	config.MaxConns = 20
	// A schema of our own: nothing else in the database is touched.
	config.ConnConfig.RuntimeParams["search_path"] = schema
	samples := make([][]float64, len(peers()))
	for round := range *rounds {
		for i, p := range peers() {
			fmt.Fprintf(stderr, "\r\033[Kround %d of %d: %s …", round+1, *rounds, p.name)
			rate, err := measure(ctx, config, p, *rows)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			samples[i] = append(samples[i], rate)
		}
	}
	fmt.Fprint(stderr, "\r\033[K")
	return report(stdout, samples)
}

// schema holds the tables of the peer that is being measured.
const schema = "outboxbench_peers"

func measure(ctx context.Context, config *pgxpool.Config, p peer, rows int) (_ float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	admin, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return 0, err
	}
	defer admin.Close(context.WithoutCancel(ctx))
	if _, err := admin.Exec(ctx, "DROP SCHEMA IF EXISTS "+schema+" CASCADE; CREATE SCHEMA "+schema); err != nil {
		return 0, err
	}
	defer func() {
		if _, dropErr := admin.Exec(context.WithoutCancel(ctx), "DROP SCHEMA "+schema+" CASCADE"); err == nil {
			err = dropErr
		}
	}()
	pool, err := pgxpool.NewWithConfig(ctx, config.Copy())
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	if err := p.prepare(ctx, pool, rows); err != nil {
		return 0, fmt.Errorf("prepare: %w", err)
	}
	for _, sql := range []string{"VACUUM ANALYZE", "CHECKPOINT"} {
		if _, err := admin.Exec(ctx, sql); err != nil {
			return 0, err
		}
	}
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic))
	if err != nil {
		return 0, err
	}
	defer kafka.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.ListenAddrs()...))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	took, err := p.drain(ctx, pool, client, rows)
	if err != nil {
		return 0, err
	}
	if err := verify(ctx, client, rows); err != nil {
		return 0, err
	}
	return float64(rows) / took.Seconds(), nil
}

// report prints the table that outboxbench prints: medians, and ratios to the first
// peer of the same round.
func report(w io.Writer, samples [][]float64) error {
	fmt.Fprint(w, "\npeers: rows wait\n")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "\tevents/s\tratio\tmin-max\t\n")
	for i, p := range peers() {
		fmt.Fprintf(table, "%s\t%s\t", p.name, grouped(median(samples[i])))
		if i == 0 {
			fmt.Fprint(table, "\t\t\n")
			continue
		}
		var ratios []float64
		for round, rate := range samples[i] {
			ratios = append(ratios, rate/samples[0][round])
		}
		fmt.Fprintf(table, "%.3f\t%.3f-%.3f\t\n", median(ratios), slices.Min(ratios), slices.Max(ratios))
	}
	return table.Flush()
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

func grouped(v float64) string {
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// key and payload are the same in every peer: 500 bytes of an event.
func key(n int) string { return fmt.Sprintf("batch-%04d", n%keys) }

func payload(n int) string {
	const size = 500
	head := fmt.Sprintf(`{"event_id": "%032d", "entity_id": "%s", "comment": "`, n, key(n))
	return head + strings.Repeat("x", size-len(head)-2) + `"}`
}
