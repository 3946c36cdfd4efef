/*
Outboxbench measures what outboxgen costs. Every scenario does the same work by the
barest code that can do it and by our code, in turn, on the same servers. It prints
both, with the ratio of ours to the barest. It does not judge: the exit code is 0
whatever the numbers are.

	outboxbench                                 all scenarios, about 40 minutes on two cores
	outboxbench -list                           lists the scenarios, and how long each takes
	outboxbench -scenario drain-mark,write      some of them
	outboxbench -rows 500000 -rounds 10         more rows in the drains, more rounds
	outboxbench -scenario steady -steady 10m    a steady load for a longer time
	outboxbench -out results                    also writes a report with plots
	outboxbench -json                           one JSON document, with every sample
	outboxbench -cpuprofile cpu.pprof           shows where the time goes

The list has the time before the first round, and the rounds times the time of one, as
estimated for two idle cores (budget.go); the report has the true times. Progress goes to
the standard error: one line on a terminal, elsewhere a line for each measurement.

With -out, a folder gets results.json after each round, and at the end report.md, which
explains each scenario, with one plot for each. A run that was interrupted goes on with
the next round if the folder has its results, and the code (a clean checkout of the same
commit), the machine and the options are the same.

# Reading the numbers

A machine is never quiet, so a single number says little. The variants of a scenario
take turns (A B C, A B C, …), once in every round, each on new data. The table shows
the median over the rounds, and the ratio of each variant to the one that is named
beside it. The ratio is taken within each round; the table has the median of these
ratios, with the smallest and the largest. Above 1 is better if more is better
(events/s, transactions/s), and below 1 if less is better (ms).

CPU seconds of the server are those of all processes of Postgres, if it runs on this
machine and the machine is Linux; elsewhere they are 0.

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
processors in every variant; the scenarios kafka-* and peers start a real one, and are
skipped where it is not installed. The latency scenarios use Redis if there is one. The scenarios generate,
check, memory, peers and idle need a checkout of the repository.

In the CPU profile, the goroutines of each measured variant have the label variant; those
of kfake have none:

	go tool pprof -tagfocus variant=relay -top cpu.pprof
*/
package main

import "os"

func main() {
	if text := os.Getenv(jobVariable); text != "" {
		os.Exit(doJob(text))
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}
