// Command fakekafka runs the fake Kafkas of the tests that start it: see package
// fakeproto, and services.KFake.
package main

import (
	"fmt"
	"os"

	"github.com/outboxgen/outboxgen/cmd/internal/fakekafka/broker"
)

func main() {
	if err := broker.Serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
