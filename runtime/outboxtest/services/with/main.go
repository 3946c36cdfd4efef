// Command with runs a command with services around it:
//
//	go run github.com/outboxgen/outboxgen/runtime/outboxtest/services/with kafka -- go test ./...
//
// The services are kafka, postgres and redis. It finds or starts them as package
// services says, tells the command where they are (KAFKA_BROKERS, DATABASE_URL,
// REDIS_URL), and stops them when the command has ended. Its exit code is the
// command's. Test binaries that "go test" runs side by side can share one Kafka
// in this way instead of each starting one.
//
// A service that is not available is reported, and the command runs without it;
// with OUTBOXGEN_REQUIRE naming it, the command does not run and the exit code
// is 1.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)) }
