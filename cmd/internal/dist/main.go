// Command dist builds the archives of a release: outboxgen and outboxrelay for each
// system, with licences and an SBOM, and the checksums of all of them.
//
//	dist [-version v1.2.3] [-only linux/amd64,…] [-out dist]
//
// It builds what "go install …@VERSION" builds, from a module proxy of the checkout. So
// the binaries know their version, and anybody can build the same bytes from the released
// modules with the same version of Go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/cmd/internal/gomod"
	"github.com/outboxgen/outboxgen/cmd/internal/licences"
)

func main() { os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr)) }

func execute(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var version, only, out string
	flags := flag.NewFlagSet("dist", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&version, "version", "", "version of the release (default: from git)")
	flags.StringVar(&only, "only", "", "comma-separated systems, such as linux/amd64 (default: all)")
	flags.StringVar(&out, "out", "dist", "folder of the archives; it is replaced")
	if err := flags.Parse(args); err != nil {
		return exitcode.Misuse
	}
	targets, err := selectTargets(only)
	if flags.NArg() > 0 {
		err = errors.Join(err, fmt.Errorf("unexpected argument %q", flags.Arg(0)))
	}
	if err != nil {
		fmt.Fprintf(stderr, "dist: %v\n", err)
		return exitcode.Misuse
	}
	if err := run(ctx, version, targets, out, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "dist: %v\n", err)
		return exitcode.Failed
	}
	return exitcode.OK
}

func run(ctx context.Context, version string, targets []target, out string, stdout, stderr io.Writer) error {
	root, err := gomod.FindRoot(".")
	if err != nil {
		return err
	}
	s, err := readSource(ctx, root, version)
	if err != nil {
		return err
	}
	b, err := newBuilder(ctx, s, stderr)
	if err != nil {
		return err
	}
	r := release{source: s, builder: b, out: out, log: stdout, commands: licences.Released()}
	return errors.Join(r.write(ctx, targets), b.close())
}
