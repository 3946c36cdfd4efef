package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/failover"
)

// RoleNamed is the role of a relay that looks up names by itself.
const RoleNamed = "named-relay"

// failOver measures the fail-overs and prints the table.
func failOver(args []string, stdout, stderr io.Writer) int {
	o, err := parseFailOver(args, stderr)
	if err != nil {
		return misuse(err)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	o.Say = func(format string, args ...any) { _, _ = fmt.Fprintf(stderr, format+"\n", args...) }
	o.Named = func() (*exec.Cmd, error) { return self(RoleNamed) }
	return inFolder(&o.Dir, "failover", stderr, func() (bool, error) {
		results, err := failover.Run(ctx, o)
		if err != nil {
			return false, err
		}
		if err := failover.Print(stdout, results); err != nil {
			return false, err
		}
		if slices.ContainsFunc(results, func(r failover.Result) bool { return !r.OK(failover.Promised) }) {
			_, _ = fmt.Fprintf(stderr, "outboxchaos: a row took longer than %s, or lost its order; the relays' logs are in %s\n", failover.Promised, o.Dir)
			return false, nil
		}
		return true, nil
	})
}

func parseFailOver(args []string, stderr io.Writer) (failover.Options, error) {
	var o failover.Options
	var rows, modes string
	flags := flag.NewFlagSet("outboxchaos failover", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&rows, "rows", "", "run only rows whose names start with one of these prefixes, comma-separated (default: all)")
	flags.StringVar(&modes, "modes", "", "asynchronous or synchronous standbys (default: both)")
	flags.DurationVar(&o.Limit, "limit", 60*time.Second, "maximum wait for a record")
	flags.StringVar(&o.Dir, "dir", "", "folder for the relays' logs (default: a temporary folder, removed after success)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.Rows, o.Modes = split(rows), split(modes)
	problem := ""
	if flags.NArg() > 0 {
		problem = fmt.Sprintf("unexpected argument %q", flags.Arg(0))
	}
	for _, mode := range o.Modes {
		if mode != failover.Asynchronous && mode != failover.Synchronous {
			problem = fmt.Sprintf("-modes has %q: use %s or %s", mode, failover.Asynchronous, failover.Synchronous)
		}
	}
	if problem != "" {
		_, _ = fmt.Fprintf(stderr, "outboxchaos failover: %s\n", problem)
		return o, errors.New("misuse")
	}
	return o, nil
}
