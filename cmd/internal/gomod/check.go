package gomod

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Alone works on each module as users have it: without go.work, and with the other
// modules from a proxy that is made of the checkout.
type Alone struct {
	served *Served
	root   string // of the checkout
	dir    string
	env    []string
	out    io.Writer
}

// NewAlone unpacks the modules. The caller closes it. Progress and the output of go are
// written to out.
func NewAlone(ctx context.Context, root string, out io.Writer) (_ *Alone, err error) {
	dir, err := os.MkdirTemp("", "outboxgen-modules-")
	if err != nil {
		return nil, err
	}
	a := &Alone{root: root, dir: dir, out: out}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if a.served, err = Proxy(ctx, root, filepath.Join(dir, "proxy")); err != nil {
		return nil, err
	}
	proxy, err := goEnv(ctx, "GOPROXY")
	if err != nil {
		return nil, err
	}
	a.env = append(os.Environ(), a.served.Env(proxy)...)
	// The root module first, because the others are in folders of it.
	for _, m := range slices.Backward(All()) {
		if err := a.served.Unpack(m, a.folder(m)); err != nil {
			return nil, fmt.Errorf("unpack %s: %w", m.Path, err)
		}
	}
	return a, nil
}

// Close removes the unpacked files, and the modules from the module cache.
func (a *Alone) Close() error {
	err := os.RemoveAll(a.dir)
	cache, cacheErr := goEnv(context.Background(), "GOMODCACHE")
	if cacheErr == nil && a.served != nil {
		cacheErr = a.served.Forget(cache)
	}
	return errors.Join(err, cacheErr)
}

func (a *Alone) folder(m Module) string { return filepath.Join(a.dir, "repository", m.Folder) }

// Check checks that go.mod and go.sum are tidy, and builds and vets each module.
// With flags for go test it runs the tests too.
func (a *Alone) Check(ctx context.Context, testFlags ...string) error {
	commands := [][]string{{"mod", "tidy", "-diff"}, {"build", "./..."}, {"vet", "./..."}}
	if len(testFlags) > 0 {
		commands = append(commands, append(append([]string{"test"}, testFlags...), "./..."))
	}
	for _, m := range All() {
		for _, args := range commands {
			fmt.Fprintf(a.out, "gomod: %s: go %s\n", m.Path, strings.Join(args, " "))
			if err := a.run(ctx, m, args...); err != nil {
				return fmt.Errorf("gomod: %s, without go.work: go %s: %w", m.Path, strings.Join(args, " "), err)
			}
		}
	}
	return nil
}

func (a *Alone) run(ctx context.Context, m Module, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = a.folder(m), a.env, a.out, a.out
	return cmd.Run()
}

// Tidy runs go mod tidy on each module, and copies go.mod and go.sum back to the
// checkout. There they have no sums for the other modules, which are not released yet.
func (a *Alone) Tidy(ctx context.Context) error {
	for _, m := range All() {
		fmt.Fprintf(a.out, "gomod: %s: go mod tidy\n", m.Path)
		if err := a.run(ctx, m, "mod", "tidy"); err != nil {
			return fmt.Errorf("gomod: %s: go mod tidy: %w", m.Path, err)
		}
		before, err := read(a.root, m)
		if err != nil {
			return err
		}
		after, err := read(filepath.Join(a.dir, "repository"), m)
		if err != nil {
			return err
		}
		released := siblings(before)
		for sibling := range siblings(after) {
			if err := after.AddRequire(sibling, released[sibling]); err != nil {
				return fmt.Errorf("gomod: %s needs %s: add the requirement to its go.mod: %w", m.Path, sibling, err)
			}
		}
		after.Cleanup()
		mod, err := after.Format()
		if err != nil {
			return err
		}
		sum, err := os.ReadFile(filepath.Join(a.folder(m), "go.sum"))
		if err != nil {
			return err
		}
		err = errors.Join(
			os.WriteFile(filepath.Join(a.root, m.Folder, "go.mod"), mod, 0o600),
			os.WriteFile(filepath.Join(a.root, m.Folder, "go.sum"), withoutSiblings(sum), 0o600),
		)
		if err != nil {
			return err
		}
	}
	return nil
}

// withoutSiblings returns a go.sum without the repository's own modules.
func withoutSiblings(sum []byte) []byte {
	var rest []byte
	for line := range bytes.Lines(sum) {
		name, _, _ := bytes.Cut(line, []byte(" "))
		if string(name) != Path && !bytes.HasPrefix(name, []byte(Path+"/")) {
			rest = append(rest, line...)
		}
	}
	return rest
}

func goEnv(ctx context.Context, name string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", name).Output()
	if err != nil {
		return "", fmt.Errorf("go env %s: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}
