/*
Peers are other outboxes for Postgres, for the scenario peers of outboxbench, which runs
this program. It is a module of its own, so that outboxgen's go.mod knows none of them.

	peers list                                          the names, one a line, each with a tab, versions and settings
	peers prepare -peer NAME -url URL -topic T -rows N  make the tables, with rows that wait
	peers drain -peer NAME -url URL -topic T -rows N -brokers B,…  send and settle them
*/
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"
)

const keys = 1_000

// workload is the rows of a measurement.
type workload struct {
	topic string
	rows  int
}

// peer is one way to drain.
type peer struct {
	name     string
	settings string // with versions, for the report
	// prepare makes tables, with rows that wait.
	prepare func(ctx context.Context, pool *pgxpool.Pool, w workload) error
	// drain sends and settles all rows, and returns when the last one is settled.
	drain func(ctx context.Context, pool *pgxpool.Pool, client *kgo.Client, w workload) error
}

func peers() []peer {
	return []peer{
		watermill("Watermill, defaults", 0),
		watermill("Watermill, batches of 1,000", 1_000),
		riverPeer("River, defaults (100 workers)", 100, 0),
		riverPeer("River, 1,000 workers, 5 ms", 1_000, 5*time.Millisecond),
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("usage: peers list | prepare | drain")
	}
	if args[0] == "list" {
		for _, p := range peers() {
			fmt.Printf("%s\t%s\n", p.name, p.settings)
		}
		return nil
	}
	var w workload
	flags := flag.NewFlagSet("peers", flag.ContinueOnError)
	name := flags.String("peer", "", "which one")
	url := flags.String("url", "", "a Postgres database to make tables in")
	brokers := flags.String("brokers", "", "Kafka")
	flags.StringVar(&w.topic, "topic", "", "topic of the events")
	flags.IntVar(&w.rows, "rows", 0, "how many rows wait")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	n := slices.IndexFunc(peers(), func(p peer) bool { return p.name == *name })
	if n < 0 {
		return fmt.Errorf("there is no peer %q", *name)
	}
	p := peers()[n]
	pool, err := pgxpool.New(ctx, *url)
	if err != nil {
		return err
	}
	defer pool.Close()
	switch args[0] {
	case "prepare":
		return p.prepare(ctx, pool, w)
	case "drain":
		// A peer that sends one record at a time must not wait for others.
		client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(*brokers, ",")...), kgo.ProducerLinger(0))
		if err != nil {
			return err
		}
		defer client.Close()
		return p.drain(ctx, pool, client, w)
	}
	return fmt.Errorf("unknown command %q", args[0])
}

// key and payload are those of outboxbench: 500 bytes of an event, with its number.
func key(n int) string { return fmt.Sprintf("batch-%04d", n%keys) }

func payload(n int) string {
	const size = 500
	head := fmt.Sprintf(`{"n": %d, "key": "%s", "comment": "`, n, key(n))
	return head + strings.Repeat("x", size-len(head)-2) + `"}`
}
