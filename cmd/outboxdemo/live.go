package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// live prints one line about the demo every so often, until ctx ends: over
// itself on a terminal, below itself elsewhere.
func live(ctx context.Context, w io.Writer, terminal bool, line func() string) {
	every, start, end := time.Second, "", "\n"
	if terminal {
		every, start, end = 100*time.Millisecond, "\r\x1b[K", ""
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			_, _ = fmt.Fprint(w, start+line()+"\n") // the terminal may be gone
			return
		case <-ticker.C:
			_, _ = fmt.Fprint(w, start+line()+end)
		}
	}
}
