// Command fakekafka runs the fake Kafkas of the tests that start it: see package
// fakeproto, and services.KFake.
package main

import (
	"fmt"
	"os"

	"github.com/outboxgen/outboxgen/internal/fakekafka"
)

func main() {
	if err := fakekafka.Serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
