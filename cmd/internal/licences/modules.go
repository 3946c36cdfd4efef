package licences

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/cmd/internal/gomod"
)

// Released returns the names of the commands that are released.
func Released() []string { return []string{"outboxgen", "outboxrelay"} }

// Systems returns the operating systems that they are released for.
func Systems() []string { return []string{"darwin", "linux", "windows"} }

// Module is a module that a released command is built from.
type Module struct {
	Path, Version string
	Commands      []string // sorted
	Licence       Licence
}

// Linked returns the modules of other people that the released commands are built from,
// on any of the systems, sorted by path. The error lists every licence that is unknown or
// not allowed.
func Linked(ctx context.Context, root string) ([]Module, error) {
	commands := map[listed][]string{}
	err := inRootModule(root, func(modfile string) error {
		for _, command := range Released() {
			for _, system := range Systems() {
				modules, err := list(ctx, root, modfile, command, system)
				if err != nil {
					return fmt.Errorf("licences: list the modules of %s for %s: %w", command, system, err)
				}
				for _, m := range modules {
					if !IsOwn(m.Path) && !slices.Contains(commands[m], command) {
						commands[m] = append(commands[m], command)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var (
		modules  []Module
		problems []error
	)
	for m, commands := range commands {
		l, err := Find(m.Dir)
		if err != nil {
			problems = append(problems, fmt.Errorf("licences: %s %s: %w", m.Path, m.Version, err))
		}
		slices.Sort(commands)
		modules = append(modules, Module{m.Path, m.Version, commands, l})
	}
	slices.SortFunc(modules, func(a, b Module) int { return strings.Compare(a.Path, b.Path) })
	return modules, errors.Join(problems...)
}

// inRootModule calls do with a go.mod that gives the root module the requirements that it
// has when it is installed.
func inRootModule(root string, do func(modfile string) error) (err error) {
	mod, sum, err := gomod.WithFolders(root)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "outboxgen-licences-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	modfile := filepath.Join(dir, "go.mod")
	err = errors.Join(os.WriteFile(modfile, mod, 0o600), os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o600))
	if err != nil {
		return err
	}
	return do(modfile)
}

type listed struct{ Path, Version, Dir string }

// list returns the modules that a command is built from on a system, one for each of
// their packages.
func list(ctx context.Context, root, modfile, command, system string) ([]listed, error) {
	const format = `{{if not .Standard}}{{with .Module}}{"Path":{{printf "%q" .Path}},"Version":{{printf "%q" .Version}},"Dir":{{printf "%q" .Dir}}}{{end}}{{end}}`
	cmd := exec.CommandContext(ctx, "go", "list", "-modfile", modfile, "-deps", "-f", format, "./cmd/"+command)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0", "GOOS="+system, "GOARCH=amd64")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.Bytes())
	}
	var modules []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var m listed
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			return modules, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list printed something else: %w", err)
		}
		modules = append(modules, m)
	}
}

// IsOwn reports whether a module is one of this repository.
func IsOwn(path string) bool { return path == gomod.Path || strings.HasPrefix(path, gomod.Path+"/") }

// Go returns the licence of Go, whose standard library is in every binary.
func Go(ctx context.Context) (Licence, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return Licence{}, fmt.Errorf("licences: go env GOROOT: %w", err)
	}
	return Find(filepath.Clean(strings.TrimSpace(string(out))))
}

// Table lists modules in Markdown.
func Table(modules []Module) string {
	var b strings.Builder
	b.WriteString("| module | version | licence | in |\n| --- | --- | --- | --- |\n")
	for _, m := range modules {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", m.Path, m.Version, m.Licence.Expression, strings.Join(m.Commands, ", "))
	}
	return b.String()
}
