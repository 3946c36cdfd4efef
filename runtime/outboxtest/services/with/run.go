package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

const usage = "usage: with SERVICE… -- COMMAND [ARGUMENT…]   (SERVICE is kafka, postgres or redis)"

const (
	exitFailed = 1
	exitMisuse = 2
)

// startLimit bounds the start of all services.
const startLimit = 3 * time.Minute

func run(args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	split := slices.Index(args, "--")
	if split < 1 || split == len(args)-1 {
		fmt.Fprintln(stderr, usage)
		return exitMisuse
	}
	names, argv := args[:split], args[split+1:]
	for _, name := range names {
		if starters[name] == nil {
			fmt.Fprintf(stderr, "with: no service is called %q\n%s\n", name, usage)
			return exitMisuse
		}
	}

	// The command gets the signals of the terminal too, and ends; then the services
	// are stopped.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)

	var running []io.Closer
	defer func() {
		for _, service := range slices.Backward(running) {
			if err := service.Close(); err != nil {
				fmt.Fprintf(stderr, "with: %v\n", err)
			}
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	for _, name := range names {
		began := time.Now()
		service, where, err := starters[name](ctx)
		switch {
		case err == nil:
			running = append(running, service)
			environ = append(environ, where)
			fmt.Fprintf(stderr, "with: %s is there after %s\n", name, time.Since(began).Round(time.Millisecond))
		case errors.Is(err, services.ErrNotFound) && !required(environ, name):
			fmt.Fprintf(stderr, "with: without %s: %v\n", name, err)
		default:
			fmt.Fprintf(stderr, "with: %s: %v\n", name, err)
			return exitFailed
		}
	}
	return execute(argv, environ, signals, stdin, stdout, stderr)
}

// starters start a service and say, as an environment variable, where it is.
var starters = map[string]func(context.Context) (io.Closer, string, error){
	"kafka": func(ctx context.Context) (io.Closer, string, error) {
		var settings []string
		if os.Getenv("KAFKA_BROKERS") == "" {
			// No test kills it, and on a busy machine it may not answer its controller for seconds.
			settings = append(settings, "broker.session.timeout.ms=60000")
		}
		k, err := services.StartRealKafka(ctx, settings...)
		if err != nil {
			return nil, "", err
		}
		return k, "KAFKA_BROKERS=" + strings.Join(k.Brokers, ","), nil
	},
	"postgres": func(ctx context.Context) (io.Closer, string, error) {
		p, err := services.StartPostgres(ctx)
		if err != nil {
			return nil, "", err
		}
		return p, "DATABASE_URL=" + p.URL("postgres"), nil
	},
	"redis": func(ctx context.Context) (io.Closer, string, error) {
		r, err := services.StartRedis(ctx)
		if err != nil {
			return nil, "", err
		}
		return r, "REDIS_URL=" + r.URL, nil
	},
}

// required says whether OUTBOXGEN_REQUIRE names the service.
func required(environ []string, name string) bool {
	for _, variable := range environ {
		if list, ok := strings.CutPrefix(variable, "OUTBOXGEN_REQUIRE="); ok {
			return slices.Contains(strings.Split(list, ","), name)
		}
	}
	return false
}

// execute runs the command to its end, passes signals on to it, and returns its
// exit code.
func execute(argv, environ []string, signals <-chan os.Signal, stdin io.Reader, stdout, stderr io.Writer) int {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = environ, stdin, stdout, stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(stderr, "with: %v\n", err)
		return exitFailed
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case sig := <-signals:
			_ = cmd.Process.Signal(sig) // it may have ended meanwhile
		case err := <-ended:
			var exit *exec.ExitError
			switch {
			case err == nil:
				return 0
			case errors.As(err, &exit) && exit.ExitCode() > 0:
				return exit.ExitCode()
			}
			fmt.Fprintf(stderr, "with: %s: %v\n", argv[0], err)
			return exitFailed
		}
	}
}
