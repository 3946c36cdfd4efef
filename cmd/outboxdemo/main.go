// Command outboxdemo shows the whole path on one machine: a service that changes its
// rows and inserts events in the same transactions, the relay that sends them to Kafka,
// and a consumer that decodes them with the same generated package. Kafka is stopped
// for some seconds in the middle. At the end every event is accounted for.
//
// It needs a Postgres server or its binaries; Kafka is franz-go's in-process
// kfake unless -kafka names brokers, and Redis is used when it is there. See
// outboxdemo -help for the flags.
//
// The last line is
//
//	demo: inserted=N published=N consumed=N lost=0 duplicated=D out_of_order=0
//
// and the exit code is 0 only when nothing was lost, invented or out of order.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr)) }
