// Command outboxchaos tries to break the relay's promise: nothing lost, nothing
// invented, nothing reordered, every record byte for byte what was inserted.
//
//	outboxchaos -duration 30m -seed 42
//
// It starts a Postgres, a Kafka and a Redis of its own, three relay processes and
// a consumer, has writers insert events in every way there is, and lets one fault
// after the other happen, in an order that the seed decides: processes are killed
// and stopped at every stage of their work, servers restarted, connections cut,
// delayed and silenced, topics deleted and closed, tables locked. Then it lets
// everything arrive and compares. The last line is
//
//	chaos: seed=S faults=N committed=N consumed=N lost=0 invented=0 reordered=0 corrupted=0 duplicated=D unexplained=0
//
// and the exit code is 0 only when all is zero that has to be. A duplicate is
// explained by a term that ended, or a settlement that did not happen, after the
// record was sent.
//
// The servers come from the services folder, see package services; "make
// services" fills it. Faults need Linux.
package main

import (
	"os"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/command"
)

func main() { os.Exit(command.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
