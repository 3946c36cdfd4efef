// Command fakekafka runs the fake Kafkas of the tests that start it: see package
// fakeproto, and services.KFake.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
