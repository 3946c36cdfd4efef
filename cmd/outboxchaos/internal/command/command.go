// Package command is the command outboxchaos: its flags, its servers, and its roles.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/chaos"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/consumer"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/failover"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/fault"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/instance"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/lab"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// Main runs the command and returns its exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		if run, ok := roles(stdin, stdout, stderr)[args[0]]; ok {
			return code(run(), stderr)
		}
	}
	if len(args) > 0 && args[0] == "failover" {
		return failOver(args[1:], stdout, stderr)
	}
	o, err := parse(args, stderr)
	if err != nil {
		return misuse(err)
	}
	return harness(o, stdout, stderr)
}

// misuse returns the exit code of flags that were not accepted. The reason is printed
// already.
func misuse(err error) int {
	if errors.Is(err, flag.ErrHelp) {
		return exitcode.OK
	}
	return exitcode.Misuse
}

// roles returns the roles in which the harness starts itself.
func roles(stdin io.Reader, stdout, stderr io.Writer) map[string]func() error {
	return map[string]func() error{
		"relay":    func() error { return instance.Run(stdin, stdout, stderr) },
		"consumer": func() error { return consumer.Run(stdin, stdout, stderr) },
		RoleNamed:  func() error { return failover.RunNamed(stdin, stderr) },
	}
}

func code(err error, stderr io.Writer) int {
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "outboxchaos:", err)
		return exitcode.Failed
	}
	return exitcode.OK
}

func parse(args []string, stderr io.Writer) (chaos.Options, error) {
	var o chaos.Options
	var only, rulesOff, store string
	flags := flag.NewFlagSet("outboxchaos", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.DurationVar(&o.Duration, "duration", 2*time.Minute, "how long faults are injected; the drain comes on top")
	flags.Uint64Var(&o.Seed, "seed", 0, "random seed of the faults; 0: a random one")
	flags.IntVar(&o.Writers, "writers", 0, "number of goroutines that write (default 12)")
	flags.DurationVar(&o.Pause, "pause", 0, "average pause of a writer between transactions (default 60ms)")
	flags.StringVar(&o.Dir, "dir", "", "folder for logs and journals (default: a temporary folder, removed after success)")
	flags.StringVar(&only, "only", "", "run only faults whose names start with one of these prefixes, comma-separated; a run prints the names (default: all)")
	flags.StringVar(&store, "store", "table", "what event_outbox is: table or log")
	flags.BoolVar(&o.NoPoison, "no-poison", false, "insert only events that can be sent")
	flags.StringVar(&rulesOff, "rules-off", "", "protocol rules to disable, comma-separated, to verify that the harness detects it")
	flags.Usage = func() { usage(flags) }
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		_, _ = fmt.Fprintf(stderr, "outboxchaos: unexpected argument %q\n", flags.Arg(0))
		return o, errors.New("misuse")
	}
	if store != "table" && store != "log" {
		_, _ = fmt.Fprintf(stderr, "outboxchaos: invalid -store %q: use table or log\n", store)
		return o, errors.New("misuse")
	}
	o.Log = store == "log"
	o.Only, o.RulesOff = split(only), split(rulesOff)
	if o.Seed == 0 {
		o.Seed = rand.Uint64N(1 << 32)
	}
	return o, nil
}

func usage(flags *flag.FlagSet) {
	w := flags.Output()
	_, _ = fmt.Fprint(w, "Usage:\n  outboxchaos [flags]           try to break the relay's promise\n"+
		"  outboxchaos failover [flags]  measure how long a fail-over of Postgres takes\n\nFlags:\n")
	flags.PrintDefaults()
	_, _ = fmt.Fprintf(w, "\nFaults:\n  %s\n", strings.Join(fault.List(chaos.Kinds(true)), "\n  "))
}

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

func harness(o chaos.Options, stdout, stderr io.Writer) int {
	_, _ = fmt.Fprintf(stdout, "chaos: seed=%d duration=%s\n", o.Seed, o.Duration)
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	o.Say = func(format string, args ...any) { _, _ = fmt.Fprintf(stdout, format+"\n", args...) }
	o.Command = self
	return inFolder(&o.Dir, "outboxchaos", stderr, func() (bool, error) {
		result, err := withServers(ctx, &o)
		if err != nil {
			return false, err
		}
		_, _ = fmt.Fprintln(stdout, result.Line())
		return result.OK(), nil
	})
}

// inFolder returns the exit code of a run that writes logs and journals into a folder.
// If the user has not set one, it makes a temporary one, and removes it after success.
func inFolder(dir *string, name string, stderr io.Writer, run func() (ok bool, err error)) int {
	made := *dir == ""
	var err error
	if made {
		*dir, err = os.MkdirTemp("", name)
	} else {
		err = os.MkdirAll(*dir, 0o755) // for people who investigate the run
	}
	if err != nil {
		return code(err, stderr)
	}
	ok, err := run()
	switch {
	case err != nil:
		return code(err, stderr)
	case !ok:
		return exitcode.Failed
	case made:
		return code(os.RemoveAll(*dir), stderr)
	}
	return exitcode.OK
}

func withServers(ctx context.Context, o *chaos.Options) (_ *chaos.Result, err error) {
	o.Say("starting Postgres, Kafka and Redis")
	var s lab.Servers
	stop := func(c io.Closer) { err = errors.Join(err, c.Close()) }
	if s.Postgres, err = services.StartPostgres(ctx, services.Private()); err != nil {
		return nil, err
	}
	defer func() { stop(s.Postgres) }()
	if s.Kafka, err = services.StartRealKafka(ctx, lab.KafkaSettings()...); err != nil {
		return nil, err
	}
	defer func() { stop(s.Kafka) }()
	if s.Redis, err = services.StartRedis(ctx); err != nil {
		return nil, err
	}
	defer func() { stop(s.Redis) }()
	o.Servers = s
	return chaos.Run(ctx, *o)
}

// self returns the command that runs this program in another role.
func self(role string) (*exec.Cmd, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.Command(path, role), nil
}
