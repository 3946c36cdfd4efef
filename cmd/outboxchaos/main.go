// Command outboxchaos tries to break the relay's promise: nothing lost, nothing
// invented, nothing reordered, every record byte for byte what was inserted.
//
//	outboxchaos -duration 30m -seed 42
//
// It starts its own Postgres, Kafka and Redis, three relay processes and a consumer.
// Writers insert events in every way that the runtime supports. Meanwhile faults happen
// one after the other, in an order that the seed decides: processes are killed and
// stopped at every stage of their work, servers restarted, connections cut, delayed,
// held back and limited, topics deleted and closed to writers, tables locked. -help
// lists the faults. At the end all faults are over, everything arrives, and the command
// compares what was committed with what was read. It prints how many faults of each kind
// happened. The last line is
//
//	chaos: seed=S faults=N committed=N consumed=N lost=0 invented=0 reordered=0 corrupted=0 duplicated=D unexplained=0
//
// The exit code is 0 only if every number that has to be 0 is 0. A duplicate is
// explained if, after its record was sent, the term ended or the settlement did not
// happen.
//
// The command also measures fail-over:
//
//	outboxchaos failover
//
// The machine of a primary can fail in several ways: killed, refused, reset, silent,
// silent after TLS, unreachable, a zombie that comes back, and so on. For each way, and
// for asynchronous and synchronous replication, the command starts a primary, its standby
// and two outboxrelay processes with default settings and no timeout in their address. It
// makes the machine fail, promotes the standby, and measures how long it takes until a
// record of an event of the promoted server arrives. It prints a table in Markdown. The
// exit code is 0 if every row stays within 15 seconds. The command needs a checkout of
// the repository.
//
// The servers come from the services folder, which "make services" fills; see package
// services. Faults need Linux.
package main

import (
	"os"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/command"
)

func main() { os.Exit(command.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
