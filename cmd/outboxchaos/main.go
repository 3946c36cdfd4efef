// Command outboxchaos tries to break the relay's promise: nothing lost, nothing
// invented, nothing reordered, every record byte for byte what was inserted.
//
//	outboxchaos -duration 30m -seed 42
//
// It starts a Postgres, a Kafka and a Redis of its own, three relay processes and
// a consumer, has writers insert events in every way there is, and lets one fault
// after the other happen, in an order that the seed decides: processes are killed
// and stopped at every stage of their work, servers restarted, connections cut,
// delayed, silenced and limited, topics deleted and closed, tables locked; -help
// lists the faults. Then it lets everything arrive, compares, and says how many
// faults of each kind there were. The last line is
//
//	chaos: seed=S faults=N committed=N consumed=N lost=0 invented=0 reordered=0 corrupted=0 duplicated=D unexplained=0
//
// and the exit code is 0 only when all is zero that has to be. A duplicate is
// explained by a term that ended, or a settlement that did not happen, after the
// record was sent.
//
// The command also measures fail-over:
//
//	outboxchaos failover
//
// For each way in which the machine of a primary can fail (killed, refused, reset,
// silent, silent after TLS, unreachable, a zombie that comes back, …) and for
// asynchronous and synchronous replication, it starts a primary, its standby and two
// outboxrelay processes with every default and no timeout in their address, lets the
// machine fail, promotes the standby, and prints, as a table in Markdown, how long it
// takes until a record of an event of the promoted server is there. The exit code is 0
// when each row stays within 15 seconds. It has to run in a checkout of the
// repository.
//
// The servers come from the services folder, see package services; "make
// services" fills it. Faults need Linux.
package main

import (
	"os"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/command"
)

func main() { os.Exit(command.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
