// Command modules works on the repository's Go modules:
//
//	modules check [GO TEST FLAG…]   build and vet each module without go.work; with flags, test it too
//	modules tidy                    tidy the go.mod and go.sum of each module
//	modules require VERSION         make the modules require each other at a version
//	modules release [VERSION]       say what keeps the modules from being released together
//	modules proxy FOLDER            write a module proxy of the checkout, and print the environment for it
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/outboxgen/outboxgen/cmd/internal/gomod"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: modules check [GO TEST FLAG…] | tidy | require VERSION | release [VERSION] | proxy FOLDER")

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	root, err := gomod.FindRoot(".")
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return errUsage
	}
	switch name, args := args[0], args[1:]; {
	case name == "check" || name == "tidy" && len(args) == 0:
		alone, err := gomod.NewAlone(ctx, root, out)
		if err != nil {
			return err
		}
		if name == "tidy" {
			return errors.Join(alone.Tidy(ctx), alone.Close())
		}
		return errors.Join(alone.Check(ctx, args...), alone.Close())
	case name == "require" && len(args) == 1:
		return gomod.Require(root, args[0])
	case name == "release" && len(args) <= 1:
		return release(ctx, root, strings.Join(args, ""), out)
	case name == "proxy" && len(args) == 1:
		return proxy(ctx, root, args[0], out)
	}
	return errUsage
}

func release(ctx context.Context, root, version string, out io.Writer) error {
	if err := gomod.CheckRelease(ctx, root, version); err != nil {
		return err
	}
	if version == "" {
		fmt.Fprintln(out, "release: the modules agree")
		return nil
	}
	fmt.Fprintf(out, "release: %s is ready; tag the commit for each module, and push the tags together:\n", version)
	tags := gomod.Tags(version)
	for _, tag := range tags {
		fmt.Fprintf(out, "  git tag %s\n", tag)
	}
	fmt.Fprintf(out, "  git push --atomic origin %s\n", strings.Join(tags, " "))
	return nil
}

func proxy(ctx context.Context, root, dir string, out io.Writer) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	served, err := gomod.Proxy(ctx, root, dir)
	if err != nil {
		return err
	}
	for _, setting := range served.Env("https://proxy.golang.org,direct") {
		fmt.Fprintf(out, "export %s\n", setting)
	}
	return nil
}
