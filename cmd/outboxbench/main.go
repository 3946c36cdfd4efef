/*
Outboxbench measures what outboxgen costs. Every scenario runs the barest code
that does the job beside ours, in turn, on the same servers, and prints both
with the ratio of ours to the bare one. It judges nothing: the exit code is 0
whatever the numbers are.

	outboxbench                                 every scenario, about twelve minutes on two cores
	outboxbench -list                           the scenarios, a line each
	outboxbench -scenario drain-mark,write      some of them
	outboxbench -rows 500000 -rounds 5          more rows in the drains, more rounds
	outboxbench -json                           one JSON document, with every sample
	outboxbench -cpuprofile cpu.pprof           where the time goes

# Reading the numbers

A machine is never quiet, so a number by itself says little. The variants of a
scenario take turns (A B C, A B C, …), once in every round, each on fresh data.
The table shows the median over the rounds, and the ratio of each variant to the
first one of its scenario, which is the bare one: the ratio is taken within each
round, and the table has the median of these with the least and the greatest.
Above 1 is better where more is better (events/s, transactions/s), and below 1
where less is (ms).

# Scenarios

The drains begin with rows that wait: -rows of them, 500 bytes of event each,
with the headers that the insert functions write (-headers=false leaves them
out), 1,000 keys, one topic of 8 partitions. The bare loop reads pages in order,
sends key and value with franz-go and waits, and settles by an array of seq, the
three steps overlapping on three goroutines. It sends no headers, has no lease,
and loses, repeats or reorders events under every fault that the relay is made
for; it shows what the machine can do. The relay runs as it does in production,
with pgstore and kafkasink and every default. The clock runs from the moment at
which the term has begun (for the bare loop: the connections are open) until the
last row is settled.

  - generate is outboxgen itself on a project of 1,000 events (testdata/manyevents),
    whose output is some 690,000 lines: into an empty folder, and again when nothing
    has changed, beside go vet of that output with everything that it imports built
    already. The CPU seconds and the peak are those of the process with its children.
    It has to run in a checkout of the repository.
  - drain-mark and drain-delete settle by UPDATE and by DELETE.
  - drain-held is drain-mark while another transaction is held open, which keeps
    vacuum away, behind as many dead rows as are to be sent. The held transaction
    has inserted an event before all others; afterwards it commits, and that
    event must still arrive.
  - repeats is drain-mark with several values of the relay's UnsettledRows, and how
    many rows the worst of three kills (SIGKILL) of a draining relay repeated.
  - write counts transactions/s of 8 connections that update a random row of
    1,000, the bare ones without an event.
  - bulk counts events/s in transactions of 1,000 on one connection; the bare
    way is COPY of rows that are ready.
  - latency is the time from the commit to a consumer, at 200 transactions/s. The
    bare loop is woken by NOTIFY, reads, and sends; it settles afterwards.
  - idle is what outboxes cost in which nothing happens: two outboxrelay processes,
    of which one leads and one stands by, serve 1 outbox and then 40, each in a
    schema of its own, with every default. What they send passes a counter.
    Statements (the leader's, the standby's, and both) and transactions
    (pg_stat_database) are for each outbox and second, sessions are all that the
    process has. The bare loop is one session that looks at one outbox as often as
    the relay's poll-max says; it has no lease and no standby. It has to run in a
    checkout of the repository.

What takes no server is measured by Go's benchmarks. Decoding, validating and
encoding 2 kB of event data, and a whole record, beside encoding/json with a
hand-written struct and checks; and the steps of generate, one by one:

	go test -run - -bench . ./generator/internal/emit/golden
	go test -run - -bench Step ./generator

Other outboxes are measured on the workload of the drains by the module in the
folder peers; its README says how.

# Servers

Postgres is the server that DATABASE_URL names, or one started from the binaries
on this machine for the time of the run, reached by a Unix socket; the output
says whether fsync is on. Kafka is franz-go's kfake in this process: it takes its
share of the processors, in every variant. Redis is used in the latency scenario
when it is there.

The CPU profile has a label, variant, on the goroutines of each measured variant
and not on those of kfake:

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
