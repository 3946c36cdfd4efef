/*
Outboxbench measures what outboxgen costs. Every scenario runs code that does only
what is necessary (the bare variant) and our code, in turn, on the same servers. It
prints both, with the ratio of ours to the bare one. It does not judge: the exit code
is 0 whatever the numbers are.

	outboxbench                                 all scenarios, about twelve minutes on two cores
	outboxbench -list                           lists the scenarios
	outboxbench -scenario drain-mark,write      some of them
	outboxbench -rows 500000 -rounds 5          more rows in the drains, more rounds
	outboxbench -json                           one JSON document, with every sample
	outboxbench -cpuprofile cpu.pprof           shows where the time goes

# Reading the numbers

A machine is never quiet, so a single number says little. The variants of a scenario
take turns (A B C, A B C, …), once in every round, each on new data. The table shows
the median over the rounds, and the ratio of each variant to the first one of its
scenario, the bare one. The ratio is taken within each round; the table has the median
of these ratios, with the smallest and the largest. Above 1 is better if more is
better (events/s, transactions/s), and below 1 if less is better (ms).

# Scenarios

The drains begin with rows that wait: -rows of them, each with an event of 500 bytes
and the headers that the insert functions write (-headers=false leaves them out), with
1,000 keys, for one topic of 8 partitions. The bare loop reads pages in order, sends
key and value with franz-go and waits, and settles by an array of seq. The three steps
overlap, on three goroutines. It sends no headers and has no lease. Under every fault
that the relay is made for, it loses, repeats or reorders events; it shows what the
machine can do. The relay runs as in production, with pgstore, kafkasink and default
settings. The time is measured from the beginning of the term (for the bare loop: from
when the connections are open) until the last row is settled.

  - generate runs outboxgen on a project of 1,000 events (testdata/manyevents), which
    gives about 690,000 lines: once into an empty folder, and again when nothing has
    changed. Beside it is go vet of that output; all that it imports is built before.
    The CPU seconds and the peak are those of the process with its children. It needs
    a checkout of the repository.
  - drain-mark and drain-delete settle by UPDATE and by DELETE.
  - drain-held is drain-mark while another transaction is open, which stops vacuum,
    behind as many dead rows as there are rows to send. The open transaction has
    inserted an event before all others. At the end it commits, and its event must
    still arrive.
  - repeats is drain-mark with several values of the relay's UnsettledRows. It kills
    (SIGKILL) a draining relay three times, and shows the largest number of rows that
    a kill repeated.
  - write counts transactions/s of 8 connections that update a random row of 1,000.
    The bare ones insert no event.
  - bulk counts events/s in transactions of 1,000 on one connection. The bare variant
    inserts finished rows by COPY.
  - latency is the time from the commit to a consumer, at 200 transactions/s. The
    bare loop is woken by NOTIFY, reads, and sends; it settles afterwards.
  - idle measures the cost of outboxes in which nothing happens. Two outboxrelay
    processes, a leader and a standby, serve 1 outbox and then 40, each in its own
    schema, with default settings. A meter counts what they send. Statements (the
    leader's, the standby's, and both) and transactions (pg_stat_database) are for
    each outbox and second; sessions are all that the process has. The bare loop is
    one session that looks at one outbox as often as the relay's poll-max says; it has
    no lease and no standby. It needs a checkout of the repository.

Go's benchmarks measure what needs no server: decoding, validating and encoding 2 kB of
event data, and a whole record, compared with encoding/json, a struct and checks
written by hand; and the steps of generate, one by one:

	go test -run - -bench . ./generator/internal/emit/golden
	go test -run - -bench Step ./generator

The module in the folder peers measures other outboxes on the workload of the drains;
its README says how.

# Servers

Postgres is the server that DATABASE_URL names. Without it, a server is started from
the binaries on this machine and used through a Unix socket. The output says whether
fsync is on. Kafka is franz-go's kfake in this process, so it takes its share of the
processors in every variant. The latency scenario uses Redis if there is one.

In the CPU profile, the goroutines of each measured variant have the label variant; those
of kfake have none:

	go tool pprof -tagfocus variant=relay -top cpu.pprof
*/
package main

import (
	"fmt"
	"os"
)

func main() {
	if os.Getenv(drainerURL) != "" {
		if err := drainUntilKilled(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}
