package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
)

// live prints one line about the demo every so often, until ctx ends: over
// itself on a terminal, below itself elsewhere.
func live(ctx context.Context, w io.Writer, terminal bool, line func() string) {
	every, start, end := time.Second, "", "\n"
	if terminal {
		every, start, end = 100*time.Millisecond, "\r\x1b[K", ""
	}
	for wait.For(ctx, every) {
		_, _ = fmt.Fprint(w, start+line()+end) // the terminal may be gone
	}
	_, _ = fmt.Fprint(w, start+line()+"\n")
}
