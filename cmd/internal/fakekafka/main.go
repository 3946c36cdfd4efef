// Command fakekafka runs the fake Kafkas of the tests that start it: see package
// fakeproto, and services.KFake.
package main

import (
	"fmt"
	"net/rpc"
	"os"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services/fakeproto"
)

func main() {
	f := newFake()
	server := rpc.NewServer()
	if err := server.RegisterName(fakeproto.Name, f); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server.ServeConn(&stdio{f})
}

// stdio is standard input and output.
type stdio struct{ fake *fake }

// Read ends what waits for the tests when the input ends.
func (s *stdio) Read(p []byte) (int, error) {
	n, err := os.Stdin.Read(p)
	if err != nil {
		close(s.fake.ended) // nothing is read after an error
	}
	return n, err
}

func (s *stdio) Write(p []byte) (int, error) { return os.Stdout.Write(p) }

func (s *stdio) Close() error { return os.Stdout.Close() }
