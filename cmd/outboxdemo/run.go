package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/cmd/internal/wait"
)

// run returns the demo; it returns the exit code.
func run(args []string, getenv func(string) string, stdout *os.File, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parseOptions(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitcode.OK
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "outboxdemo: %v\n", err)
		return exitcode.Misuse
	}
	level := slog.LevelError
	if getenv("OUTBOXDEMO_LOG") != "" {
		level = slog.LevelDebug
	}
	d := &demo{
		options: o,
		out:     stdout,
		log:     slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})),
		ledger:  newLedger(),
	}
	v, err := d.run(ctx)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "outboxdemo: %v\n", err)
		return exitcode.Failed
	}
	for _, p := range v.Problems {
		_, _ = fmt.Fprintln(stdout, "  "+p)
	}
	_, _ = fmt.Fprintf(stdout, "demo: inserted=%d published=%d consumed=%d lost=%d duplicated=%d out_of_order=%d\n",
		v.Inserted, d.published.Load(), v.Consumed, v.Lost+v.Invented, v.Duplicated, v.OutOfOrder)
	if !v.OK() {
		return exitcode.Failed
	}
	return exitcode.OK
}

func (d *demo) say(format string, args ...any) {
	_, _ = fmt.Fprintf(d.out, "%s %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}

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
