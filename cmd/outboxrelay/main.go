// Command outboxrelay moves the rows of outbox tables to Kafka, and shows and fixes
// what blocks them.
//
//	outboxrelay run        run relays until told to stop
//	outboxrelay status     what is pending, retrying, paused and dead, who leads, and why nothing moves
//	outboxrelay doctor     check everything that a relay needs, and say how to fix what is wrong
//	outboxrelay dead       list, show, replay and discard dead rows
//	outboxrelay replay     publish dead rows again, or published events of the past
//	outboxrelay discard    delete dead rows
//	outboxrelay delayed    list delayed events
//	outboxrelay cancel     delete delayed events
//	outboxrelay send-now   publish delayed events before their time
//	outboxrelay pause      stop sending a topic, or all, until it is resumed
//	outboxrelay resume     send a paused topic again
//	outboxrelay tail       follow what is being published
//	outboxrelay purge      delete published rows that are older than the retention now
//	outboxrelay redrive    send the dead rows of consumers back
//	outboxrelay config     every setting, where it can be set, and its value now
//
// Settings come from flags, the environment, a file and defaults, in that order;
// outboxrelay config prints the table. Any number of instances may run for one
// outbox: one leads, the others stand by.
package main

import (
	"os"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
)

func main() {
	os.Exit(execute(os.Args[1:], environment{
		getenv: os.Getenv, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		files: os.DirFS("/"), interactive: terminal.Is(os.Stdin) && terminal.Is(os.Stdout),
	}))
}
