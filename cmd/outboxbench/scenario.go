package main

import (
	"context"

	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// scenario answers one question by doing the same work in several ways.
type scenario struct {
	name    string
	about   string
	explain string   // for the report
	columns []string // what is measured
	ratios  int      // how many columns are compared; 0: the first one
	less    bool     // less is better
	rounds  int      // the largest number of rounds; 0: no limit
	few     string   // why there is a largest number, for the report
	prepare func(ctx context.Context, l *lab) ([]variant, error)
}

// variant is one way to do the work of a scenario.
type variant struct {
	name    string
	label   string // in the profile; bareLabel marks the barest code
	against int    // the number of the variant that it is compared with
	measure measurement
}

// measurement sets up, measures once, and gives one value for each column.
type measurement func(ctx context.Context) ([]float64, error)

const (
	perSecond = "events/s"
	bareLabel = "bare"
	oursLabel = "relay"
)

// skip is the error of a scenario that needs what is not there.
type skip string

func (s skip) Error() string { return string(s) }

const (
	// These are for scenarios whose rounds take longRound and more.
	threeRounds = 3
	aFewRounds  = 2
	oneRound    = 1
)

func scenarios() []scenario {
	drained := []string{perSecond, "server CPU s", "client CPU s", "WAL MB"}
	return []scenario{
		{
			name: "generate", about: "1,000 event schemas", columns: []string{"s", "CPU s", "peak MB"}, less: true,
			rounds: threeRounds, few: "a round compiles and generates 690,000 lines of Go",
			explain: "`outboxgen generate` on a project of 1,000 events, which gives about 690,000 " +
				"lines of Go: once without output, and again when nothing has changed. The grey bar is `go vet` of that output, " +
				"when everything that it imports is built. The CPU seconds and the peak are those of the process with its children.",
			prepare: generateVariants, // first: the peak of a child includes the memory of this process when it starts
		},
		{
			name: "check", about: "1,000 event schemas, each changed", columns: []string{"s", "CPU s", "peak MB"}, less: true,
			explain: checkExplained,
			prepare: checkVariants,
		},
		{
			name: "drain-mark", about: "rows wait; settle by UPDATE", columns: drained,
			explain: drainExplained + " Both settle with an UPDATE that sets `published_at`.",
			prepare: drain{mode: pgstore.Mark}.variants,
		},
		{
			name: "drain-delete", about: "rows wait; settle by DELETE", columns: drained,
			explain: "As drain-mark, but both settle with a DELETE.",
			prepare: drain{mode: pgstore.Delete}.variants,
		},
		{
			name: "drain-log", about: "rows wait in a log; settle by a cursor", columns: drained,
			explain: "As drain-mark, but the outbox is a log: the bare loop updates one cursor row for each batch of 5,000 rows.",
			prepare: drain{mode: inLog}.variants,
		},
		{
			name: "kafka-mark", about: "as drain-mark, on a real Kafka", columns: drained,
			explain: "As drain-mark, with Apache Kafka in a process of its own, one broker.",
			prepare: drain{mode: pgstore.Mark, realKafka: true}.variants,
		},
		{
			name: "kafka-delete", about: "as drain-delete, on a real Kafka", columns: drained,
			explain: "As drain-delete, with Apache Kafka in a process of its own, one broker.",
			prepare: drain{mode: pgstore.Delete, realKafka: true}.variants,
		},
		{
			name: "history-mark", about: "as drain-mark, behind history", columns: drained,
			explain: historyExplained,
			prepare: history{mode: pgstore.Mark}.variants,
		},
		{
			name: "history-delete", about: "as drain-delete, behind history", columns: drained,
			explain: "As history-mark, but both settle with a DELETE.",
			prepare: history{mode: pgstore.Delete}.variants,
		},
		{
			name: "repeats", about: "a draining relay is killed", columns: []string{perSecond, "repeated", "server CPU s", "client CPU s", "WAL MB"},
			rounds: aFewRounds, few: "each round drains the rows nine times, and kills a relay for each value several times",
			explain: "The drain of drain-mark with several values of the relay's `unsettled-rows`. A draining relay is killed " +
				"with SIGKILL, and the next one begins. *repeated* is the largest number of rows that one kill repeated.",
			prepare: repeatsVariants,
		},
		{
			name: "steady", about: "5,000 events/s for a long time", less: true, ratios: 2,
			rounds: oneRound, few: "its numbers are of many events over a long time; two halves show whether they change",
			columns: []string{"p50 ms", "p99 ms", "p99 ms, 1st half", "p99 ms, 2nd half", "dead tuples, half-way", "dead tuples, end", "table MB, half-way", "table MB, end", "server CPU s", "client CPU s", "WAL MB"},
			explain: steadyExplained,
			prepare: steadyVariants,
		},
		{
			name: "write", about: "business transactions on 8 connections, with an event", columns: insertColumns,
			explain: "8 connections update a random row of 1,000, each in a transaction with or without an event. " +
				"A transaction with an event does more, so that this ratio cannot be 1; the scenarios insert-* have the barest code for that. " + costsExplained,
			prepare: writeVariants,
		},
		{
			name: "insert-1", about: "as write, on 1 connection, fsync off", columns: insertColumns,
			explain: insertExplained,
			prepare: insertions{writers: 1, fsync: "off"}.variants,
		},
		{
			name: "insert-8", about: "as write, fsync off", columns: insertColumns,
			explain: "As insert-1, on 8 connections.",
			prepare: insertions{writers: 8, fsync: "off"}.variants,
		},
		{
			name: "insert-1-fsync", about: "as write, on 1 connection, fsync on", columns: insertColumns,
			explain: "As insert-1, on a server that waits for the disk.",
			prepare: insertions{writers: 1, fsync: "on"}.variants,
		},
		{
			name: "insert-8-fsync", about: "as write, fsync on", columns: insertColumns,
			explain: "As insert-8, on a server that waits for the disk.",
			prepare: insertions{writers: 8, fsync: "on"}.variants,
		},
		{
			name: "bulk", about: "1,000 events in a transaction", columns: bulkColumns,
			explain: "One connection inserts 1,000 events in each transaction. The barest code sends rows that are ready with COPY. The time of processors, the bytes of WAL and the allocations are for each event.",
			prepare: bulkVariants,
		},
		{
			name: "latency-200", about: "commit to consumer at 200 transactions/s", columns: latencyColumns, ratios: 2, less: true,
			explain: latencyExplained,
			prepare: latency{perSecond: 200}.variants,
		},
		{
			name: "latency-1000", about: "commit to consumer at 1,000 transactions/s", columns: latencyColumns, ratios: 2, less: true,
			explain: "As latency-200, with 1,000 transactions a second on 4 connections.",
			prepare: latency{perSecond: 1_000}.variants,
		},
		{
			name: "replay", about: "live events beside a replay of past ones", columns: replayColumns, ratios: 2, less: true,
			explain: replayExplained,
			prepare: replayVariants,
		},
		{
			name: "memory", about: "the most memory of a process", columns: memoryColumns, less: true,
			rounds: oneRound, few: "millions of rows are inserted for it, and the peak hardly varies",
			explain: memoryExplained,
			prepare: memoryVariants,
		},
		{
			name: "handover", about: "the leader ends, and another relay goes on", columns: []string{"longest gap ms", "server CPU s", "client CPU s", "WAL MB"}, less: true,
			explain: handoverExplained,
			prepare: handoverVariants,
		},
		{
			name: "peers", about: "rows wait; other outboxes", columns: []string{perSecond, "missing", "repeated", "out of order", "server CPU s", "WAL MB"},
			rounds: threeRounds, few: "some peers send one record at a time, and Kafka Connect takes long to start",
			explain: peersExplained,
			prepare: peersVariants,
		},
		{
			name: "idle", about: "nothing to do; a second, for each outbox, and sessions in all", less: true,
			rounds: aFewRounds, few: "its numbers are counts over a long time, which hardly vary",
			columns: []string{"statements", "leader's", "standby's", "transactions", "leader's sessions", "standby's"},
			explain: "Two `outboxrelay` processes, a leader and a standby, serve 1 outbox and then 40, each in its own schema, with " +
				"default settings. A meter between them and Postgres counts statements and transactions, for each outbox and second, and the " +
				"sessions of each process. The barest code is one session that looks at one outbox as often as the relay's `poll-max` says; it has no " +
				"lease and no standby.",
			prepare: idleVariants,
		},
	}
}
