package main

import (
	"fmt"
	"io"
	"time"
)

// estimate is about how long a scenario takes on two idle cores, in seconds. The report has
// the true times.
type estimate struct {
	once  float64 // what is built and filled before the first round
	round float64 // all variants of a round
}

// What the estimates assume, for each second.
const (
	seeded  = 40_000.0 // rows inserted by SQL, vacuumed
	drained = 25_000.0 // rows sent and settled
	single  = 1_500.0  // records sent by a peer that waits for each one
)

// longRound is the length of a round, in seconds, from which on a scenario may have fewer
// rounds than the others.
const longRound = 20

// estimateOf estimates a scenario: the number of variants, times what each does. A scenario
// that is not listed counts as a second a round.
func estimateOf(name string, o options) estimate {
	e, rows := o.effort, float64(o.rows)
	const start = 0.7 // of a relay or a loop, and a kfake
	drain := start + rows/seeded + rows/drained
	latency := 6 * (start + (e.warmUp + e.latency).Seconds())
	insert := float64(len(insertWays)) * e.writing.Seconds() * (insertTurns + 1) / insertTurns
	switch name {
	case "generate": // vet, generate without and with output; before: build, generate, vet
		return estimate{once: 60, round: float64(e.schemas) * (0.030 + 0.012 + 0.008)}
	case "check":
		return estimate{once: 5, round: float64(e.schemas) * (0.002 + 0.006 + 0.006)}
	case "drain-mark", "drain-delete", "drain-log":
		return estimate{round: 2 * drain}
	case "kafka-mark":
		return estimate{once: 10, round: 2 * (drain + 1)}
	case "kafka-delete":
		return estimate{round: 2 * (drain + 1)}
	case "history-mark": // before: the published rows. One variant also has deleted rows
		return estimate{once: float64(e.published) * 1.2 / seeded, round: 4*(drain+0.5) + rows/seeded}
	case "history-delete":
		return estimate{round: 4*(drain+0.5) + rows/seeded}
	case "repeats": // each value is drained once, and once more with kills
		return estimate{round: drain + float64(len(unsettledRows))*(2*drain+float64(e.kills)*start)}
	case "steady":
		return estimate{round: 4 * (start + e.steady.Seconds())}
	case "write":
		return estimate{round: 5 * (0.1 + 1.1*e.writing.Seconds())}
	case "insert-1", "insert-8", "insert-8-fsync":
		return estimate{round: insert}
	case "insert-1-fsync": // before: a server for both
		return estimate{once: 3, round: insert}
	case "bulk": // of 1,000 events: COPY, one by one, batch, unnest
		return estimate{round: float64(e.bulk*e.bulkBatch) * (3*0.00005 + 0.0002/6)}
	case "latency-200", "latency-1000":
		return estimate{round: latency}
	case "replay":
		return estimate{round: replayVariantCount * (start + (e.replayWarmUp + e.replay).Seconds())}
	case "memory": // the small backlog twice, the large one, and large rows twice
		backlog := float64(e.backlog)
		return estimate{once: 5, round: 2*drain + backlog/seeded + min(backlog/drained, e.backlogFor.Seconds()) + 2*(start+10)}
	case "handover": // two are killed, and the lease ends after three seconds
		return estimate{round: 4*(1+2*start+2*e.handover.Seconds()) + 2*3}
	case "peers": // three of ours, four that send single records, two starts of Kafka Connect
		each := rows / peersShare
		return estimate{once: 45, round: 3*(start+1+each/seeded+each/drained) + 4*(1+each/single) + 2*20}
	case "idle":
		return estimate{once: 15, round: e.idle.Seconds() + 4*(4+(e.idleRest+e.idle).Seconds())}
	}
	return estimate{round: 1}
}

// all returns how long a number of rounds takes.
func (e estimate) all(rounds int) time.Duration {
	return time.Duration((e.once + e.round*float64(rounds)) * float64(time.Second))
}

// printList lists the scenarios, with the arithmetic of their estimates.
func printList(w io.Writer, o options) {
	l := &lab{options: o}
	var total time.Duration
	for _, s := range scenarios() {
		e, rounds := estimateOf(s.name, o), l.roundsOf(s)
		all := e.all(rounds)
		total += all
		fmt.Fprintf(w, "%-14s %-62s %3.0f s + %d × %3.0f s = %4.0f s\n", s.name, s.about, e.once, rounds, e.round, all.Seconds())
	}
	fmt.Fprintf(w, "all: about %.0f minutes on two idle cores\n", total.Minutes())
}
